"""Expressions inside statements that are written elsewhere: their SQL comes from the compiler.

The compiler puts its functions here when it is imported; statements of plain values need none.
"""

from __future__ import annotations

from typing import Any, Protocol

from aorm.sql.dialect import Dialect


class ValueCompiler(Protocol):
    """An expression as the new value of a column.

    Args:
        expression: what the user assigned; names in it are fields of the model.
        field: the field of the column.
        opts: the options of the model.
        dialect: for which database.
        first: the number of the expression's first parameter, counted from 1.
        insert: whether it is for an INSERT, where no column can be referred to.
    Returns:
        The SQL, which names columns without their table, and the parameters.
    Raises:
        FieldError: the expression cannot stand here.
    """

    def __call__(
        self,
        expression: Any,
        field: Any,
        opts: Any,
        dialect: Dialect,
        first: int,
        insert: bool,
    ) -> tuple[str, list[Any]]: ...


class InlineCompiler(Protocol):
    """An expression or a condition as SQL without parameters, for DDL.

    Args:
        expression: Q, F, Func, ...; names in it are fields of the model.
        model: the model of the table; None where no column can be referred to.
        dialect: for which database.
    Returns:
        The SQL, which names columns without their table, with the values as literals of
        `aorm.sql.literals`.
    """

    def __call__(self, expression: Any, model: Any, dialect: Dialect) -> str: ...


class _Hooks:
    value_sql: ValueCompiler
    inline_sql: InlineCompiler


hooks = _Hooks()


def value_sql(
    expression: Any, field: Any, opts: Any, dialect: Dialect, first: int, insert: bool
) -> tuple[str, list[Any]]:
    """An expression as the new value of a column: see `ValueCompiler`."""
    return hooks.value_sql(expression, field, opts, dialect, first, insert)


def inline_sql(expression: Any, model: Any, dialect: Dialect) -> str:
    """An expression as SQL without parameters: see `InlineCompiler`."""
    return hooks.inline_sql(expression, model, dialect)
