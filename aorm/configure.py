"""`aorm.configure()`: the one call that says which databases there are and how aorm behaves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from aorm.conf import settings
from aorm.connections import Database, connections
from aorm.connections.replicas import Replicas
from aorm.errors import ImproperlyConfigured, listed
from aorm.late import LateModule, zoneinfo
from aorm.models.fetch_modes import FetchMode
from aorm.sql.dialect import dialect_of

_KEEP: Any = object()
# few programs change tables or look at them
Database.schema_tools = LateModule("aorm.schema")


def configure(
    databases: str | Mapping[str, str] | None = None,
    *,
    use_tz: bool = _KEEP,
    time_zone: str = _KEEP,
    fetch_mode: FetchMode = _KEEP,
    routers: Sequence[Any] = _KEEP,
    replicas: Mapping[str, str | Sequence[str]] | None = None,
    default_auto_field: str = _KEEP,
    **options: Any,
) -> None:
    """Say which databases there are; may be called again, and then replaces them.

    Args:
        databases: an URL for the alias `default`, or URLs by alias; the environment variable
            DATABASE_URL without any.  `sqlite:///relative.db`, `sqlite:////absolute.db`,
            `sqlite://:memory:`, `postgresql://user:password@host:port/name`,
            `postgresql+psycopg://…`.
        use_tz: whether moments are aware of time zones (the default is True).
        time_zone: the name of the default time zone (the default is "UTC").
        fetch_mode: how relations that were not loaded are: `models.FETCH_PEERS` (the default),
            `FETCH_ONE` or `RAISE`.
        routers: objects or dotted paths that choose databases.
        replicas: by the alias of a database of PostgreSQL, the aliases of its streaming replicas,
            which answer reads outside of transactions as soon as they have what was written.
        default_auto_field: the dotted path of the field of automatic primary keys.
        options: options of pools and drivers for all databases, as in the URL's query.

    Raises:
        ImproperlyConfigured: an URL, an option or a time zone that does not exist.
    """
    if databases is None:
        databases = os.environ.get("DATABASE_URL")
        if not databases:
            raise ImproperlyConfigured(
                "configure() needs an URL, or the environment variable DATABASE_URL,"
                " e.g. sqlite:///app.db"
            )
    if isinstance(databases, str):
        databases = {"default": databases}
    if "default" not in databases:
        raise ImproperlyConfigured(
            f"one database must have the alias 'default'; given are {sorted(databases)}"
        )
    if time_zone is not _KEEP:
        _check_time_zone(time_zone)
    made = {alias: _database(alias, url, options) for alias, url in databases.items()}
    _add_replicas(made, replicas or {})
    chosen = {
        "USE_TZ": use_tz,
        "TIME_ZONE": time_zone,
        "FETCH_MODE": fetch_mode,
        "DATABASE_ROUTERS": routers,
        "DEFAULT_AUTO_FIELD": default_auto_field,
    }
    for name, value in chosen.items():
        if value is not _KEEP:
            setattr(settings, name, value)
    connections.configure(made)


def _database(alias: str, url: str, options: Mapping[str, Any]) -> Database:
    if not isinstance(url, str):
        raise ImproperlyConfigured(f"the database {alias!r} needs an URL, not {type(url).__name__}")
    database = Database(alias, url, **options)
    database.set_dialect(dialect_of(database.vendor))
    return database


def _add_replicas(
    databases: Mapping[str, Database], replicas: Mapping[str, str | Sequence[str]]
) -> None:
    named = {
        alias: (names,) if isinstance(names, str) else tuple(names)
        for alias, names in replicas.items()
    }
    taken: set[str] = {"default"}
    for alias, names in named.items():
        for name in (alias, *names):
            if name not in databases:
                raise ImproperlyConfigured(
                    f"replicas: no database is configured as {name!r}; there are:"
                    f" {listed(databases)}"
                )
            if databases[name].vendor != "postgresql":
                raise ImproperlyConfigured(
                    f"replicas: {name!r} is of {databases[name].vendor}; only PostgreSQL has"
                    " streaming replicas (a router may choose among other databases)"
                )
        for name in names:
            if name in taken or name in named:
                raise ImproperlyConfigured(
                    f"replicas: {name!r} is a primary, or a replica already; each replica is of"
                    " one primary, which is none itself"
                )
            taken.add(name)
        if names:
            primary = databases[alias]
            primary.replicas = Replicas(primary, [databases[name] for name in names])


def _check_time_zone(name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise ImproperlyConfigured(f"there is no time zone {name!r}, e.g. Europe/Berlin") from error
