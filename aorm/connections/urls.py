"""A database's URL and options, checked: `sqlite:///shop.db`, `postgresql://user:pw@host/name?...`.

1. Options are query parameters or keyword arguments; keywords win.
2. An unknown scheme or option is an error that lists the known ones.
3. A password is never shown: not in a repr, not in an error.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from aorm.errors import ImproperlyConfigured, listed
from aorm.late import pathlib, urls
from aorm.records import Record

MEMORY = ":memory:"
_memory_numbers = count(1)
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

# scheme: (vendor, sync driver, async driver)
SCHEMES = {
    "sqlite": ("sqlite", "sqlite3", "aiosqlite"),
    "postgresql": ("postgresql", "psycopg", "asyncpg"),
    "postgres": ("postgresql", "psycopg", "asyncpg"),
    "postgresql+asyncpg": ("postgresql", "psycopg", "asyncpg"),
    "postgresql+psycopg": ("postgresql", "psycopg", "psycopg"),
}


def _flag(value: Any) -> bool:
    known = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False}
    return known[str(value).lower()]


def _choice(*choices: str) -> Callable[[Any], str]:
    def chosen(value: Any) -> str:
        if str(value).lower() not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return str(value).lower()

    return chosen


def _at_least_one(value: Any) -> int:
    if int(value) < 1:
        raise ValueError("at least 1")
    return int(value)


def _seconds(value: Any) -> float:
    if not float(value) >= 0:
        raise ValueError("seconds, not negative")
    return float(value)


# name: (how its value is read, its default)
Known = dict[str, tuple[Callable[[Any], Any], Any]]

COMMON: Known = {
    "pool_size": (_at_least_one, 10),
    "pool_timeout": (_seconds, 5.0),  # waiting for a connection of a full pool
    "pool_max_age": (_seconds, 3600.0),
    "pool_max_idle": (_seconds, 600.0),
    "ping_after": (_seconds, 30.0),  # a connection that was idle for longer is tried first
    "connect_timeout": (_seconds, 5.0),
    "block_timeout": (_seconds, 30.0),  # waiting for a nested block of the same transaction
}
OPTIONS: dict[str, Known] = {
    "sqlite": COMMON
    | {
        "busy_timeout": (_seconds, 5.0),  # waiting for a writer in another process
        "writer_timeout": (_seconds, 30.0),  # waiting for a writer in this process
        "journal_mode": (_choice("wal", "delete", "truncate", "persist", "memory", "off"), "wal"),
        "synchronous": (_choice("off", "normal", "full", "extra"), "normal"),
        "foreign_keys": (_flag, True),
        "cached_statements": (int, 500),
    },
    "postgresql": COMMON
    | {
        "host": (str, None),
        "port": (int, None),
        "user": (str, None),
        "password": (str, None),
        "application_name": (str, None),
        "statement_timeout": (_seconds, None),
        "lock_timeout": (_seconds, None),
        "idle_in_transaction_session_timeout": (_seconds, None),
        "search_path": (str, None),
        "pgbouncer": (_choice("transaction", "session", "none"), "none"),
        "replica_retry": (_seconds, 5.0),  # before a replica that was down is tried again
        "prepared_statements": (int, 500),  # kept for each connection; 0 for none
        "sslmode": (_choice(*SSL_MODES), None),
        "sslrootcert": (str, None),
        "sslcert": (str, None),
        "sslkey": (str, None),
    },
}


GRACE = 1.0  # seconds, for the way to the server and back


class Keepalive(Record):
    """When a silent connection is tried by TCP, and when it counts as dead."""

    idle: int  # seconds
    interval: int  # seconds
    count: int


KEEPALIVE = Keepalive(30, 10, 3)


class Address:
    """Where a database is and how to connect: `vendor`, the names of both drivers, options."""

    __slots__ = ("async_driver", "name", "options", "scheme", "sync_driver", "target", "vendor")

    def __init__(self, scheme: str, name: str, options: Mapping[str, Any]) -> None:
        self.scheme = scheme
        self.vendor, self.sync_driver, self.async_driver = SCHEMES[scheme]
        self.name = name
        self.options = options
        # what sqlite3 opens; each in-memory database is one of its own, shared under its name
        self.target = (
            f"file:/aorm-{next(_memory_numbers)}?vfs=memdb"
            if name == MEMORY
            else f"file:{urls.quote(name)}"
        )

    def __getitem__(self, option: str) -> Any:
        return self.options[option]

    def replaced(self, **options: Any) -> Address:
        """The same place with other options; an in-memory database is the same one."""
        twin = copy.copy(self)
        twin.options = {**self.options, **options}
        return twin

    @property
    def patience(self) -> float | None:
        """Seconds after which the server, which would have ended a statement, must be gone."""
        timeout: float | None = self["statement_timeout"]
        return None if timeout is None else timeout + GRACE

    def server_settings(self) -> dict[str, str]:
        """What PostgreSQL is asked to set when a connection begins."""
        if self["pgbouncer"] == "transaction":
            return {}  # PgBouncer refuses settings that it does not track
        settings = {"TimeZone": "UTC"}
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            if self[name] is not None:
                settings[name] = str(round(self[name] * 1000))
        if self["search_path"]:
            settings["search_path"] = self["search_path"]
        return settings

    def __repr__(self) -> str:
        if self.vendor == "sqlite":
            return f"sqlite:{self.name}"
        host = self["host"] or "(default host)"
        port = f":{self['port']}" if self["port"] else ""
        user = f"{self['user']}@" if self["user"] else ""
        return f"{self.scheme}://{user}{host}{port}/{self.name}"


def parse(url: str, keywords: Mapping[str, Any] | None = None) -> Address:
    """The address that a URL and keyword options mean.

    Raises ImproperlyConfigured for an unknown scheme or option and for a malformed value.
    """
    try:
        parts = urls.urlsplit(str(url))
        # in sqlite://:memory: the parser would see a port
        port = None if parts.scheme == "sqlite" else parts.port
    except ValueError:
        # the parser's own message may quote the password
        raise ImproperlyConfigured("the database URL is malformed (host or port)") from None
    if parts.scheme not in SCHEMES:
        raise ImproperlyConfigured(
            f"unknown database scheme {parts.scheme!r}; the known ones are {listed(SCHEMES)}"
        )
    given: dict[str, Any] = dict(urls.parse_qsl(parts.query, keep_blank_values=True))
    if SCHEMES[parts.scheme][0] == "sqlite":
        name = _sqlite_name(parts.netloc, urls.unquote(parts.path))
    else:
        name = urls.unquote(parts.path.removeprefix("/"))
        place = {"host": parts.hostname, "port": port, "user": parts.username}
        given = {k: v for k, v in place.items() if v} | given
        given |= {"password": parts.password} if parts.password else {}
        given |= {k: urls.unquote(given[k]) for k in ("host", "user", "password") if k in given}
        name = given.pop("dbname", name)
    return Address(parts.scheme, name, _checked(parts.scheme, given | dict(keywords or {})))


def _sqlite_name(place: str, path: str) -> str:
    if place == MEMORY or path == f"/{MEMORY}":
        return MEMORY
    if place or not path.removeprefix("/"):
        raise ImproperlyConfigured(
            "a SQLite URL is sqlite:///relative.db, sqlite:////absolute.db or sqlite://:memory:"
        )
    # absolute now: a later change of the working directory must not mean another file
    return str(pathlib.Path(path.removeprefix("/")).absolute())


def _checked(scheme: str, given: Mapping[str, Any]) -> dict[str, Any]:
    known = OPTIONS[SCHEMES[scheme][0]]
    options = {name: default for name, (_, default) in known.items()}
    for name, value in given.items():
        if name not in known:
            raise ImproperlyConfigured(
                f"{scheme} has no option {name!r}; its options are {listed(known)}"
            )
        if value is None:
            continue
        try:
            options[name] = known[name][0](value)
        except (ValueError, KeyError, TypeError) as error:
            shown = "(hidden)" if name == "password" else repr(value)
            raise ImproperlyConfigured(f"bad value {shown} for option {name}: {error}") from None
    return options
