"""PostgreSQL: its spelling, where it differs, and its capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aorm.query import lookups as lk
from aorm.query.expressions import CombinedExpression, Param, TemporalSubtraction
from aorm.sql import select  # noqa: F401  renders the subqueries of all statements
from aorm.sql.capabilities import Capabilities
from aorm.sql.compiled import ListParam, param_target
from aorm.sql.compiler import Compiler, Rendered
from aorm.sql.dialect import DIALECTS, Dialect
from aorm.sql.dialects import types
from aorm.sql.dialects.local_time import LOCAL_TIME
from aorm.sql.dialects.values import PostgresqlValues
from aorm.sql.explain import explain_on_postgresql
from aorm.sql.functions import FUNCTIONS, POSTGRESQL_FUNCTIONS, part_postgresql
from aorm.sql.json import JSON, POSTGRESQL_JSON
from aorm.sql.standard import STANDARD, render_combined, sides

_ESCAPED = r"REPLACE(REPLACE(REPLACE({}, E'\\', E'\\\\'), E'%%', E'\\%%'), E'_', E'\\_')"
_PATTERNS = {"%{}%": "'%%' || {} || '%%'", "{}%": "{} || '%%'", "%{}": "'%%' || {}"}
_CASELESS = (lk.IContains, lk.IStartsWith, lk.IEndsWith)
_TEXT = frozenset({"CharField", "TextField", "SlugField", "EmailField", "URLField"})


def _as_text(node: lk.Lookup, left: str) -> str:
    field = node.lhs._output_field_or_none
    if field is not None and field.get_internal_type() == "GenericIPAddressField":
        return f"HOST({left})"
    return f"{left}::text"


def render_pattern(node: lk.PatternLookup, compiler: Compiler) -> Rendered:
    left, right, params = sides(node, compiler)
    left = _as_text(node, left)
    if not node.has_given_value:
        right = _PATTERNS[node.pattern].format(_ESCAPED.format(f"({right})::text"))
    if isinstance(node, _CASELESS):
        return f"UPPER({left}) LIKE UPPER({right})", params
    return f"{left} LIKE {right}", params


def render_iexact(node: lk.IExact, compiler: Compiler) -> Rendered:
    left, right, params = sides(node, compiler)
    cast = "::text" if isinstance(node.rhs, Param) else ""
    return f"UPPER({_as_text(node, left)}) = UPPER({right}{cast})", params


def render_regex(node: lk.Regex, compiler: Compiler) -> Rendered:
    left, right, params = sides(node, compiler)
    operator = "~*" if isinstance(node, lk.IRegex) else "~"
    return f"{_as_text(node, left)} {operator} {right}", params


def render_temporal_subtraction(node: TemporalSubtraction, compiler: Compiler) -> Rendered:
    left, left_params = compiler.compile(node.lhs)
    right, right_params = compiler.compile(node.rhs)
    sql = f"({left} - {right})"
    if node.lhs.output_field.get_internal_type() == "DateField":
        sql = f"(interval '1 day' * {sql})"
    return sql, [*left_params, *right_params]


_ARRAY_TYPES = {
    int: "bigint",
    str: "text",
}


class PostgresqlDialect(Dialect):
    """PostgreSQL's way with lists: arrays."""

    def list_template(
        self, node: Any, param: Param, compiler: Compiler
    ) -> tuple[str, Callable[[list[Any]], Any] | None]:
        """`%s = ANY(…)` for a list in one parameter, and how the list is encoded."""
        cast = self.cast(param_target(param)).removeprefix("::text")
        if cast:
            return f"%s IN (SELECT v{cast} FROM unnest(%%s::text[]) AS v)", None
        return f"%s = ANY(%%s::{self._element_type(param)}[])", None

    def _element_type(self, param: Param) -> str:
        kinds = param.kind[1] if isinstance(param.kind, tuple) else None
        field = param_target(param)
        if field is None:
            rest = (kinds or frozenset()) - {type(None)}
            return _ARRAY_TYPES.get(next(iter(rest), str), "text")
        internal = field.get_internal_type()
        if internal in _TEXT:
            return "text"
        if "Integer" in internal or "Auto" in internal:
            return "bigint"
        if internal == "DecimalField":
            return "numeric"
        return str(field.cast_db_type(self))

    def tuple_list(self, node: Any, items: Any, compiler: Compiler) -> Rendered:
        """A subquery of the rows of a list of keys: one array for each column."""
        arrays = ", ".join(f"%s::{self._element_type(item)}[]" for item in items)
        params = [ListParam(item, self.adapter(param_target(item)), None) for item in items]
        return f"SELECT * FROM unnest({arrays})", list(params)

    def explain_prefix(self, format: str | None, options: Mapping[str, Any]) -> str:
        """The words before a SELECT that ask for its plan."""
        return explain_on_postgresql(format, options)

    def date_extract_sql(self, part: str, sql: str, params: Sequence[Any]) -> tuple[str, list[Any]]:
        """A part of a date ("year", "month", …), for hooks that spell themselves."""
        return part_postgresql(part, sql), list(params)

    def limit_sql(self, limit: str | None, offset: str | None) -> str:
        """The clause that cuts the result to a number of rows."""
        return (f" LIMIT {limit}" if limit else "") + (f" OFFSET {offset}" if offset else "")


POSTGRESQL = PostgresqlDialect(
    vendor="postgresql",
    capabilities=Capabilities(
        lateral=True,
        array_parameters=True,
        distinct_on=True,
        select_for_update=True,
        select_for_update_of=True,
        select_for_no_key_update=True,
        native_duration=True,
        native_json=True,
        native_uuid=True,
        native_boolean=True,
        deferrable_constraints=True,
        nulls_are_largest=True,
        covering_indexes=True,
        index_operator_classes=True,
        nulls_distinct=True,
        comments=True,
        tablespaces=True,
        aggregate_order_by=True,
        distinct_on_many=True,
        group_by_primary_key=True,
        typed_parameters=True,
        time_zones=True,
        copy=True,
    ),
    renderers={
        **STANDARD,
        **FUNCTIONS,
        **POSTGRESQL_FUNCTIONS,
        **JSON,
        **POSTGRESQL_JSON,
        lk.IExact: render_iexact,
        lk.PatternLookup: render_pattern,
        lk.Regex: render_regex,
        TemporalSubtraction: render_temporal_subtraction,
        CombinedExpression: render_combined,
        **LOCAL_TIME,
    },
    values=PostgresqlValues(),
    data_types=types.POSTGRESQL_TYPES,
    data_types_suffix=types.POSTGRESQL_SUFFIXES,
    data_type_check_constraints=types.POSTGRESQL_CHECKS,
    cast_types=types.POSTGRESQL_CASTS,
    numbered=True,
    max_name_length=63,
)
DIALECTS["postgresql"] = POSTGRESQL
