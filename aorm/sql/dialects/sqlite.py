"""SQLite: its spelling, where it differs, and its capabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aorm.fields.numbers import DecimalField, IntegerField
from aorm.late import json
from aorm.query import lookups as lk
from aorm.query.expressions import CombinedExpression, Param
from aorm.sql import select  # noqa: F401  renders the subqueries of all statements
from aorm.sql.capabilities import Capabilities
from aorm.sql.compiled import ListParam, param_target
from aorm.sql.compiler import Compiler, Rendered
from aorm.sql.dialect import DIALECTS, Dialect
from aorm.sql.dialects import types
from aorm.sql.dialects.sqlite_functions import FUNCTIONS
from aorm.sql.dialects.sqlite_values import SqliteValues
from aorm.sql.explain import explain_on_sqlite
from aorm.sql.functions import FUNCTIONS as COMMON_FUNCTIONS
from aorm.sql.functions import SQLITE_FUNCTIONS
from aorm.sql.json import JSON, SQLITE_JSON
from aorm.sql.standard import STANDARD, render_combined, sides

_ESCAPED = "REPLACE(REPLACE(REPLACE({}, '\\', '\\\\'), '%%', '\\%%'), '_', '\\_')"
_PATTERNS = {"%{}%": "'%%' || {} || '%%'", "{}%": "{} || '%%'", "%{}": "'%%' || {}"}


def _sides(node: lk.Lookup, compiler: Compiler) -> tuple[str, str, list[Any]]:
    """Both sides; UUIDs are texts without hyphens there."""
    left, right, params = sides(node, compiler)
    if isinstance(node, lk.UUIDTextMixin):
        right = f"REPLACE({right}, '-', '')"
    return left, right, params


def render_pattern(node: lk.PatternLookup, compiler: Compiler) -> Rendered:
    left, right, params = _sides(node, compiler)
    if not node.has_given_value:
        right = _PATTERNS[node.pattern].format(_ESCAPED.format(right))
    return f"{left} LIKE {right} ESCAPE '\\'", params


def render_iexact(node: lk.IExact, compiler: Compiler) -> Rendered:
    left, right, params = _sides(node, compiler)
    if node.has_given_value:
        right = _ESCAPED.format(right)
    return f"{left} LIKE {right} ESCAPE '\\'", params


def render_regex(node: lk.Regex, compiler: Compiler) -> Rendered:
    left, right, params = sides(node, compiler)
    if isinstance(node, lk.IRegex):
        right = f"'(?i)' || {right}"
    return f"{left} REGEXP {right}", params


_FUNCTIONS_OF_OPERATORS = {"^": "POWER", "#": "BITXOR"}


def render_arithmetic(node: CombinedExpression, compiler: Compiler) -> Rendered:
    function = _FUNCTIONS_OF_OPERATORS.get(node.connector)
    if function is None:
        sql, params = render_combined(node, compiler)
        # Decimals without a fraction are integers there, whose division has none either.
        if node.connector == "/" and isinstance(node._output_field_or_none, DecimalField):
            return f"(1.0 * {sql[1:]}", params
        return sql, params
    left, left_params = compiler.compile(node.lhs)
    right, right_params = compiler.compile(node.rhs)
    return f"{function}({left}, {right})", [*left_params, *right_params]


def _plain_json(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes | memoryview) else str(value)


def encode_list(value: list[Any]) -> str:
    return json.dumps(value, default=_plain_json)


class SqliteDialect(Dialect):
    """SQLite's way with lists: one JSON text."""

    def date_extract_sql(self, part: str, sql: str, params: Sequence[Any]) -> tuple[str, list[Any]]:
        """A part of a date ("year", "month", …), for hooks that spell themselves."""
        return f"aorm_date_extract(%s, {sql})", [part, *params]

    def list_template(self, node: Any, param: Param, compiler: Compiler) -> tuple[str, Any]:
        """`%s IN (…)` for a list in one parameter, and how the list is encoded."""
        field = param_target(param)
        if field is not None and field.get_internal_type() == "BinaryField":
            return "lower(hex(%s)) IN (SELECT value FROM json_each(%%s))", encode_list
        of_ints = isinstance(field, IntegerField) and param.kind == (list, {int})
        # The text of a list of ints is JSON already.
        encode = str if of_ints and int in field.plain_types else encode_list
        return "%s IN (SELECT value FROM json_each(%%s))", encode

    def tuple_list(self, node: Any, items: Any, compiler: Compiler) -> Rendered:
        """A subquery of the rows of a list of keys."""
        columns = ", ".join(f"json_extract(value, '$[{n}]')" for n in range(len(items)))
        adapters = [self.adapter(param_target(item)) for item in items]

        def encode(keys: list[Any]) -> str:
            return encode_list(
                [
                    [v if a is None else a(v) for a, v in zip(adapters, key, strict=True)]
                    for key in keys
                ]
            )

        whole = Param(items[0].slot, None, typed=False)
        return f"SELECT {columns} FROM json_each(%s)", [ListParam(whole, None, encode)]

    def explain_prefix(self, format: str | None, options: Mapping[str, Any]) -> str:
        """The words before a SELECT that ask for its plan."""
        return explain_on_sqlite(format, options)

    def limit_sql(self, limit: str | None, offset: str | None) -> str:
        """The clause that cuts the result to a number of rows."""
        return f" LIMIT {limit or -1}" + (f" OFFSET {offset}" if offset else "")


SQLITE = SqliteDialect(
    vendor="sqlite",
    capabilities=Capabilities(
        last_row_id=True,
        ilike_is_default=True,
        inline_foreign_keys_only=True,
        max_parameters=32766,
    ),
    renderers={
        **STANDARD,
        **COMMON_FUNCTIONS,
        **SQLITE_FUNCTIONS,
        **JSON,
        **SQLITE_JSON,
        lk.IExact: render_iexact,
        lk.PatternLookup: render_pattern,
        lk.Regex: render_regex,
        CombinedExpression: render_arithmetic,
    },
    values=SqliteValues(),
    data_types=types.SQLITE_TYPES,
    data_types_suffix=types.SQLITE_SUFFIXES,
    data_type_check_constraints=types.SQLITE_CHECKS,
    cast_types=types.SQLITE_CASTS,
    connection_functions=FUNCTIONS,
)
DIALECTS["sqlite"] = SQLITE
