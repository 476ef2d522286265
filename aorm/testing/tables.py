"""Emptying tables, after tests that commit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aorm.connections import Database, arun, connections, run
from aorm.fields.registry import apps
from aorm.steps import Operation, execute, fetch, in_block

SEQUENCES = "sqlite_sequence"  # where AUTOINCREMENT counts

EXISTING = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": (
        "SELECT relname::text FROM pg_class"
        " WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid)"
    ),
}


def truncate(*models: Any, using: str = "default") -> None:
    """Empty the tables of these models, or of all models without any, as far as they exist.

    Automatic keys begin anew.  On PostgreSQL tables that point to these are emptied as well
    (`TRUNCATE ... RESTART IDENTITY CASCADE`).
    """
    database = connections[using]
    run(_emptied(database, _tables(models)), database)


async def atruncate(*models: Any, using: str = "default") -> None:
    database = connections[using]
    await arun(_emptied(database, _tables(models)), database)


def all_models() -> list[Any]:
    """The models that have a table which aorm may change."""
    known = apps.get_models(include_auto_created=True)
    return [model for model in known if model._meta.managed and not model._meta.proxy]


def _tables(models: Iterable[Any]) -> set[str]:
    return {model._meta.db_table for model in models or all_models()}


def _emptied(database: Database, tables: set[str]) -> Operation[None]:
    rows = yield from fetch(EXISTING[database.vendor])
    existing = {row[0] for row in rows}
    wanted = sorted(tables & existing)
    if not wanted:
        return
    quoted = [str(database.dialect.quote(table)) for table in wanted]
    if database.vendor == "sqlite":
        yield from in_block(_deleted(quoted, wanted if SEQUENCES in existing else []))
    else:
        yield from execute(f"TRUNCATE {', '.join(quoted)} RESTART IDENTITY CASCADE")


def _deleted(quoted: list[str], counted: list[str]) -> Operation[None]:
    yield from execute("PRAGMA defer_foreign_keys = ON")
    for table in quoted:
        yield from execute(f"DELETE FROM {table}")  # noqa: S608 - quoted
    for name in counted:
        yield from execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
