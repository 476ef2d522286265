"""Databases for tests: made empty, under names of their own, and dropped.

1. The database of a test run is called `test_` and the name of the real one; nothing that is not
   called so is ever dropped.
2. Each worker of pytest-xdist has its own: its number is the end of the name.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, urlencode

from aorm.connections.databases import Database
from aorm.connections.urls import MEMORY, Address, parse
from aorm.errors import ImproperlyConfigured

PREFIX = "test_"
WORKER = "PYTEST_XDIST_WORKER"
MAINTENANCE = "postgres"  # the database that each server has


def create_database(url: str | Address, suffix: str | None = None) -> str:
    """Make an empty database beside this one, in place of an older one of its name.

    Args:
        url: the URL of the real database, which is not touched.  The user must be allowed to create
            databases.
        suffix: the end of the name; the worker of pytest-xdist, if there is one, by default.

    Returns:
        The URL of the new database, with the same options.
    """
    address = parse(url) if isinstance(url, str) else url
    made = url_of(address, _name(address, os.environ.get(WORKER) if suffix is None else suffix))
    drop_database(made)
    if address.vendor == "postgresql":
        _maintain(address, f"CREATE DATABASE {_quoted(parse(made).name)}")
    return made


def drop_database(url: str) -> None:
    """Drop a database that `create_database` made, whoever is connected to it.

    Raises ImproperlyConfigured for a database whose name does not begin with `test_`.
    """
    address = parse(url)
    if address.name == MEMORY:
        return
    if not Path(address.name).name.startswith(PREFIX):
        raise ImproperlyConfigured(
            f"{address!r} is not a test's database: its name does not begin with {PREFIX!r}"
        )
    if address.vendor == "postgresql":
        _maintain(address, f"DROP DATABASE IF EXISTS {_quoted(address.name)} WITH (FORCE)")
        return
    for ending in ("", "-wal", "-shm", "-journal"):
        Path(address.name + ending).unlink(missing_ok=True)


def url_of(address: Address, name: str) -> str:
    """The URL of a database of this name with the options of an address."""
    place = f"//{MEMORY}" if name == MEMORY else f"///{quote(name)}"
    given = {option: value for option, value in address.options.items() if value is not None}
    return f"{address.scheme}:{place}?{urlencode(given)}"


def _name(address: Address, suffix: str | None) -> str:
    end = f"_{suffix}" if suffix else ""
    if address.vendor == "postgresql":
        return f"{PREFIX}{address.name}{end}"
    if address.name == MEMORY:
        return MEMORY
    path = Path(address.name)
    return str(path.with_name(f"{PREFIX}{path.stem}{end}{path.suffix}"))


def _maintain(address: Address, sql: str) -> None:
    maintenance = Database("maintenance", url_of(address, MAINTENANCE))
    try:
        maintenance.execute(sql)
    finally:
        maintenance.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
