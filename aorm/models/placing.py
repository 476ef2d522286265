"""Where something is done when the user says so: on a database, or in a transaction."""

from __future__ import annotations

from typing import Any

from aorm.connections import Database, Using, connections, database_of
from aorm.errors import QueryValueError
from aorm.query.query import Query


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


def check_database(query: Query, alias: str) -> None:
    """Refuse to ask a database where a subquery was meant for another one."""
    if query.database is not None and query.database != alias:
        raise QueryValueError(
            "Subqueries aren't allowed across different databases. Force the inner query to be"
            " evaluated using `list(inner_query)`."
        )
