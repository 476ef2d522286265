"""Expressions inside statements that are not built from a query: DDL, and single-row writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from aorm.errors import FieldError, FullResultSet
from aorm.query.conditions import Q, Where
from aorm.query.draft import Draft
from aorm.query.expressions import Param, Slots, Value
from aorm.query.filters import Scope
from aorm.sql.compiled import Computed, param_target
from aorm.sql.compiler import Compiler, Rendered, finish
from aorm.sql.dialect import Dialect
from aorm.sql.literals import literal


class BareCompiler(Compiler):
    """Names columns without their table."""

    bare_columns = True
    #: Whether values are written out: a definition has no parameters.
    literal = False

    def __init__(self, dialect: Dialect, draft: Draft, values: list[Any]) -> None:
        super().__init__(dialect, draft)
        self.values = values

    def cast(self, target: Any) -> str:
        """As everywhere; a literal needs no detour, which would not be immutable."""
        found = super().cast(target)
        return found.removeprefix("::text") if self.literal else found

    def list_condition(self, left: str, node: Any, param: Param) -> Rendered:
        """A list is written out: a definition has no parameters."""
        adapter = self.dialect.adapter(param_target(param))
        items = self.values[param.slot]
        bound = list(items) if adapter is None else list(map(adapter, items))
        return f"{left} IN ({', '.join(['%s'] * len(bound))})", bound


def _resolved(expression: Any, model: Any, *, for_save: bool) -> tuple[Any, Draft, list[Any]]:
    """An expression over one model's columns, and its values by slot."""
    slots = Slots(0)
    values: list[Any] = []
    expression.collect(values)
    draft = Draft.fresh(model) if model is not None else Draft()
    parametrised = expression.parametrised(slots)
    scope = Scope(draft, allow_joins=False, for_save=for_save)
    if isinstance(parametrised, Q):
        resolved: Any = scope.condition(parametrised)
    else:
        resolved = parametrised.resolve(scope)
    for argument in slots.arguments:
        if argument.converter is not None:
            values[argument.slot] = argument.converter(values[argument.slot])
    return resolved, draft, values


def inline_sql(expression: Any, model: Any, dialect: Dialect) -> str:
    """An expression or a condition as SQL without parameters, for DDL.

    Args:
        expression: Q, F, Func, ...; names in it are fields of the model.
        model: the model of the table; None where no column can be referred to.
        dialect: for which database.
    Returns:
        The SQL, which names columns without their table, with the values as literals of
        `aorm.sql.literals`.
    """
    if not hasattr(expression, "parametrised"):
        expression = Value(expression)
    resolved, draft, values = _resolved(expression, model, for_save=False)
    compiler = BareCompiler(dialect, draft, values)
    compiler.literal = True
    try:
        sql, params = compiler.compile(resolved)
    except FullResultSet:
        sql, params = "1 = 1", []
    if isinstance(resolved, Where) and sql.startswith("(") and len(resolved.children) > 1:
        sql = sql[1:-1] if not resolved.negated else sql
    texts = iter([literal(_bound(param, values, dialect), dialect) for param in params])
    parts = sql.replace("%%", "\0").split("%s")
    text = parts[0] + "".join(next(texts) + part for part in parts[1:])
    return text.replace("\0", "%")


def _bound(param: Any, values: list[Any], dialect: Dialect) -> Any:
    """The value of a parameter as the driver would bind it."""
    if isinstance(param, Computed):
        return param.function()
    if not isinstance(param, Param):
        if hasattr(param, "param"):
            raise FieldError("a list cannot stand in the definition of a table")
        return param
    value = values[param.slot]
    if param.item is not None:
        value = value[param.item]
    adapter = dialect.adapter(param_target(param))
    return value if adapter is None or value is None else adapter(value)


def _shown(expression: Any, values: Sequence[Any]) -> Any:
    """A resolved expression with its values, for an error."""
    if isinstance(expression, Param):
        return Value(values[expression.slot])
    return expression.mapped(lambda each: _shown(each, values))


def value_sql(
    expression: Any, field: Any, opts: Any, dialect: Dialect, first: int, insert: bool
) -> tuple[str, list[Any]]:
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
    resolved, draft, values = _resolved(expression, opts.model, for_save=True)
    for each in resolved.walk():
        if getattr(each, "contains_aggregate", False):
            raise FieldError(
                f"Aggregate functions are not allowed in this query ({field.name}={expression!r})."
            )
        if getattr(each, "contains_over_clause", False):
            raise FieldError(
                f"Window expressions are not allowed in this query ({field.name}={expression!r})."
            )
        if insert and getattr(each, "contains_column_references", False):
            raise ValueError(
                f'Failed to insert expression "{_shown(resolved, values)}" on {field}.'
                " F() expressions can only be used to update, not to insert."
            )
    rendered: Rendered = BareCompiler(dialect, draft, values).compile(resolved)
    sql, params = finish(rendered, dialect)
    bound = [_bound(param, values, dialect) for param in params]
    if dialect.numbered and first > 1:
        sql = re.sub(r"\$(\d+)", lambda m: f"${int(m[1]) + first - 1}", sql)
    return sql, bound
