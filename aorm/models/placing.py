"""Where something is done when the user says so: on a database, or in a transaction."""

from __future__ import annotations

from typing import Any

from aorm.connections import Database, Using, connections, database_of


def placed(using: Using) -> tuple[str | None, Database | None]:
    """The alias, and the database where what was given is more than its alias."""
    if using is None or isinstance(using, str):
        return using, None
    database = database_of(using)
    return database.alias, database


def place(using: Any) -> tuple[str, Database]:
    """The alias and the database."""
    if isinstance(using, str):
        return using, connections[using]
    database = database_of(using)
    return database.alias, database
