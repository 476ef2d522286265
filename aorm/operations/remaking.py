"""Making a table of SQLite anew, where ALTER TABLE cannot change it.

Source: SQLite documentation, "Making Other Kinds Of Table Schema Changes".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aorm.errors import NotSupportedError
from aorm.sql.ddl import create_table_sql, model_indexes, together_indexes, unique_indexes
from aorm.sql.dialect import Dialect
from aorm.steps import Operation, fetch


def remade(model: Any, changed: Any, values: Mapping[str, str], dialect: Dialect) -> Iterator[str]:
    """The statements that replace a model's table by another form of it, with its rows.

    Args:
        changed: the stand-in for the model with the new form.
        values: SQL of the values of columns that are not copied as they are.
    """
    table = dialect.quote(model._meta.db_table)
    fresh = dialect.quote(f"new__{model._meta.db_table}")
    before = {field.column for field in model._meta.local_concrete_fields}
    taken: dict[str, str] = {}
    for field in changed._meta.local_concrete_fields:
        if field.generated or field.db_type(dialect) is None:
            continue
        quoted = str(dialect.quote(field.column))
        if field.column in values:
            taken[quoted] = values[field.column]
        elif field.column in before:
            taken[quoted] = quoted
    yield create_table_sql(changed, dialect, f"new__{model._meta.db_table}")
    if taken:
        columns, sources = ", ".join(taken), ", ".join(taken.values())
        yield f"INSERT INTO {fresh} ({columns}) SELECT {sources} FROM {table}"  # noqa: S608
    yield f"DROP TABLE {table}"
    yield f"ALTER TABLE {fresh} RENAME TO {table}"
    yield from together_indexes(changed, dialect)
    yield from model_indexes(changed, dialect)
    yield from unique_indexes(changed, dialect)


def triggers(table: str) -> Operation[list[str]]:
    """The statements that made the triggers of a table, which go with it."""
    rows = yield from fetch(
        "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)
    )
    return [row[0] for row in rows]


def refuse_referenced(table: str) -> Operation[None]:
    """Refuse to drop a table that rows of others refer to, while foreign keys are enforced.

    Raises:
        NotSupportedError: with the drop, these rows would go, or could not be committed.
    """
    rows = yield from fetch("PRAGMA foreign_keys")
    if not rows or not rows[0][0]:
        return
    found = yield from fetch(
        "SELECT t.name FROM sqlite_master t, pragma_foreign_key_list(t.name) k"
        ' WHERE t.type = \'table\' AND lower(k."table") = lower(?) AND t.name <> k."table"',
        (table,),
    )
    if found:
        raise NotSupportedError(
            f"{table} has to be made anew, and {found[0][0]} refers to it: SQLite can do that only"
            " while foreign keys are off. Open the schema editor outside of atomic(), which turns"
            " them off."
        )
