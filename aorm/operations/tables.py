"""Making and dropping the tables of models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aorm.sql.dialect import Dialect
from aorm.sql.late import ddl
from aorm.steps import Operation, execute, in_block


def create_tables_operation(models: Iterable[Any], dialect: Dialect) -> Operation[None]:
    """Make the tables of these models, in any order of the models: all of them, or none.

    Automatic many-to-many models are included; models without a table of their own are not.
    """
    return in_block(_all(ddl.create_sql(models, dialect)))


def drop_tables_operation(models: Iterable[Any], dialect: Dialect) -> Operation[None]:
    """Drop the tables of these models, with all that is in them: all of them, or none."""
    return in_block(_all(ddl.drop_sql(models, dialect)))


def _all(statements: Sequence[str]) -> Operation[None]:
    for statement in statements:
        yield from execute(str(statement))  # drivers want no subclass
