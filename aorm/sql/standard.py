"""How expressions and conditions are spelt where the databases agree.

`STANDARD` maps a class of expressions to its renderer; a dialect's own table differs from it by
a few entries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aorm.errors import EmptyResultSet, FieldError, FullResultSet, QueryError, QueryValueError
from aorm.query import expressions as e
from aorm.query import lookups as lk
from aorm.query import tuples
from aorm.query.aggregates import Aggregate
from aorm.query.conditions import NOTHING, Never, Where
from aorm.query.functions.comparison import Cast, Coalesce
from aorm.sql.compiled import Computed, param_target
from aorm.sql.compiler import MARKS, Compiler, Rendered, is_foreign

# --- leaves ----------------------------------------


def render_param(node: e.Param, compiler: Compiler) -> Rendered:
    if node._output_field is not None and (detour := compiler.cast(param_target(node))):
        return f"%s{detour}", [node]
    if compiler.dialect.capabilities.typed_parameters and (node.typed or compiler.by_hand):
        cast = param_type(node, compiler)
        if cast and (node.typed or cast in _PLAIN_TYPES):
            return f"%s::{cast}", [node]
    return "%s", [node]


_TYPE_NAMES = {
    "int": "integer",
    "str": "text",
    "float": "double precision",
    "Decimal": "numeric",
    "datetime": "timestamp with time zone",
    "date": "date",
    "time": "time",
    "timedelta": "interval",
    "UUID": "uuid",
    "bytes": "bytea",
    "bool": "boolean",
}
# What a user's own SQL is told beside a parameter: texts are of whatever type stands there.
_PLAIN_TYPES = frozenset(_TYPE_NAMES.values()) - {"text", "bytea"} | {
    "smallint",
    "bigint",
    "time without time zone",
    "timestamp without time zone",
}
_TEXT_FIELDS = frozenset({"CharField", "SlugField", "EmailField", "URLField", "TextField"})


def _type_name(kind: type) -> str | None:
    """The type of values of a class on databases that have to be told."""
    return next((_TYPE_NAMES[c.__name__] for c in kind.__mro__ if c.__name__ in _TYPE_NAMES), None)


def param_type(node: e.Param, compiler: Compiler) -> str | None:
    """The type that a parameter must say where the database cannot tell it."""
    field = node._output_field
    if field is None:
        kind: Any = node.kind
        if isinstance(kind, tuple):
            if kind[0] is int:
                return "bigint" if kind[1] == 8 else "numeric"
            kind = type(kind[0])
        if kind is type(None):
            return None
        base: Any = node._output_field_or_none
        if base is None:
            return None
        return _type_name(kind) if isinstance(kind, type) else None
    target = param_target(node)
    internal = target.get_internal_type() if target is not None else None
    if internal in _TEXT_FIELDS:
        return "text"
    if internal == "DecimalField":
        return "numeric"
    found = target.cast_db_type(compiler.dialect) if target is not None else None
    return None if found is None else str(found)


def render_col(node: e.Col, compiler: Compiler) -> Rendered:
    column = compiler.quote(node.target.column)
    if node.alias is None or getattr(compiler, "bare_columns", False):
        return column, []
    return f"{compiler.quote(node.alias)}.{column}", []


def render_ref(node: e.Ref, compiler: Compiler) -> Rendered:
    return compiler.quote(node.name), []


def render_output_column(node: e.OutputColumn, compiler: Compiler) -> Rendered:
    return compiler.quote(node.name), []


def render_position(node: e.Position, compiler: Compiler) -> Rendered:
    return str(node.number), []


def render_restriction(node: e.JoinRestriction, compiler: Compiler) -> Rendered:
    sql, params = compiler.compile(node.condition)
    if getattr(node.condition, "lasting", False):
        return sql, params
    return sql, [
        param if isinstance(param, e.Param) else Computed(_LatestValue(node, compiler, sql, number))
        for number, param in enumerate(params)
    ]


class _LatestValue:
    """A value of a join's restriction, as its field says when the statement is bound."""

    def __init__(self, node: e.JoinRestriction, compiler: Compiler, sql: str, number: int) -> None:
        self.node = node
        self.compiler = compiler
        self.sql = sql
        self.number = number

    def __call__(self) -> Any:
        sql, params = self.compiler.compile(self.node.condition)
        if sql != self.sql:
            raise QueryError(
                f"get_extra_restriction() of {self.node.join_field} gave {self.sql!r} before and"
                f" now {sql!r}: only its values may change"
            )
        return params[self.number]


def render_star(node: e.Star, compiler: Compiler) -> Rendered:
    return "*", []


def render_raw(node: e.RawSQL, compiler: Compiler) -> Rendered:
    if all(isinstance(each, e.Param) for each in node.params):
        return f"({node.sql})", node.params
    parts = [("%s", [p]) if isinstance(p, e.Param) else compiler.compile(p) for p in node.params]
    texts = iter([text for text, _ in parts])
    sql = MARKS.sub(lambda mark: mark[0] if mark[0] == "%%" else next(texts, mark[0]), node.sql)
    return f"({sql})", [param for _, params in parts for param in params]


def render_default(node: e.DatabaseDefault, compiler: Compiler) -> Rendered:
    return compiler.compile(node.expression)


def render_wrapper(node: e.ExpressionWrapper, compiler: Compiler) -> Rendered:
    return compiler.compile(node.expression)


def render_negated(node: e.NegatedExpression, compiler: Compiler) -> Rendered:
    try:
        sql, params = compiler.compile(node.expression)
    except EmptyResultSet:
        return "(1 = 1)", []
    except FullResultSet:
        return "(1 = 0)", []
    return f"NOT {sql}" if sql.startswith("(") or sql.startswith(
        "EXISTS"
    ) else f"NOT ({sql})", params


# --- functions ----------------------------------------


def render_func(
    node: e.Func,
    compiler: Compiler,
    function: str | None = None,
    template: str | None = None,
    arg_joiner: str | None = None,
    **extra: Any,
) -> Rendered:
    """A function call; `extra` are further words of the template."""
    data = {**node.extra, **extra}
    function = function or data.get("function") or node.function
    sources = node.source_expressions
    if compiler.dialect.capabilities.typed_parameters and _takes_own_types(node, function):
        sources = [_of_any_type(each) for each in sources]
    parts, params = operands(sources, compiler)
    template = template or data.get("template") or node.template
    joiner = arg_joiner or data.get("arg_joiner") or node.arg_joiner
    data.update(function=function)
    data["expressions"] = data["field"] = joiner.join(parts)
    return template % data, params


# Functions of PostgreSQL that take values of any type, and have to be told which.
_OF_ANY_TYPE = frozenset(
    [
        "array_agg",
        "concat",
        "concat_ws",
        "format",
        "json_agg",
        "json_array",
        "json_build_array",
        "json_build_object",
        "jsonb_agg",
        "jsonb_build_array",
        "jsonb_build_object",
        "num_nonnulls",
        "num_nulls",
        "pg_typeof",
        "quote_literal",
        "quote_nullable",
        "to_json",
        "to_jsonb",
    ]
)


def _takes_own_types(node: e.Func, function: str | None) -> bool:
    """Whether a function that aorm does not know says by itself of which types its operands are."""
    known = not is_foreign(type(node)) and "function" not in node.extra
    return not known and (function or "").lower() not in _OF_ANY_TYPE


def _of_any_type(node: Any) -> Any:
    """A bare text as an operand of whatever type the function takes: a path, a name, a format."""
    if not isinstance(node, e.Param) or node.kind is not str or node._output_field is not None:
        return node
    clone = node.copy()
    clone.typed = False
    return clone


def operands(expressions: Any, compiler: Compiler) -> tuple[list[str], list[Any]]:
    """The texts of operands, and their parameters together."""
    parts: list[str] = []
    params: list[Any] = []
    for expression in expressions:
        try:
            sql, found = compiler.compile(expression)
        except EmptyResultSet:
            empty = expression.empty_result_set_value
            if empty is NotImplemented:
                raise
            sql, found = constant(empty, compiler)
        except FullResultSet:
            sql, found = constant(True, compiler)
        parts.append(sql)
        params.extend(found)
    return parts, params


def constant(value: Any, compiler: Compiler) -> Rendered:
    """The text of what an expression gives where there are no rows."""
    if value is None:
        return "NULL", []
    if isinstance(value, bool):
        return "(1 = 1)" if value else "(1 = 0)", []
    cast = _type_name(type(value)) if compiler.dialect.capabilities.typed_parameters else None
    return (f"%s::{cast}" if cast else "%s"), [value]


def render_aggregate(node: Aggregate, compiler: Compiler, **extra: Any) -> Rendered:
    """An aggregate with its DISTINCT, ORDER BY and FILTER."""
    params: list[Any] = []
    order = ""
    if node.order_by is not None:
        order_sql, order_params = compiler.compile(node.order_by)
        order = f" {order_sql}"
    else:
        order_params = []
    condition = ""
    filter_params: list[Any] = []
    if node.filter is not None:
        try:
            sql, filter_params = compiler.compile(node.filter)
            condition = f" FILTER (WHERE {sql})"
        except FullResultSet:
            condition = ""
    distinct = "DISTINCT " if node.distinct else ""
    extra.setdefault("distinct", distinct)
    extra.setdefault("order_by", order)
    extra.setdefault("filter", condition)
    sql, params = render_func(node, compiler, **extra)
    return sql, [*params, *order_params, *filter_params]


def render_coalesce(node: Coalesce, compiler: Compiler, **extra: Any) -> Rendered:
    return render_func(node, compiler, **extra)


def render_cast(node: Cast, compiler: Compiler, **extra: Any) -> Rendered:
    extra.setdefault("db_type", node.output_field.cast_db_type(compiler.dialect))
    return render_func(node, compiler, **extra)


def render_combined(node: e.CombinedExpression, compiler: Compiler) -> Rendered:
    left, left_params = compiler.compile(node.lhs)
    right, right_params = compiler.compile(node.rhs)
    return f"({left} {node.connector} {right})", [*left_params, *right_params]


def render_case(node: e.Case, compiler: Compiler) -> Rendered:
    parts: list[str] = []
    params: list[Any] = []
    default, default_params = compiler.compile(node.default)
    for case in node.cases:
        try:
            condition, condition_params = compiler.compile(case.condition)
        except EmptyResultSet:
            continue
        except FullResultSet:
            default, default_params = compiler.compile(case.result)
            break
        result, result_params = compiler.compile(case.result)
        parts.append(f"WHEN {condition} THEN {result}")
        params += [*condition_params, *result_params]
    if not parts:
        return default, default_params
    return f"CASE {' '.join(parts)} ELSE {default} END", [*params, *default_params]


# --- conditions ----------------------------------------


def render_where(node: Where, compiler: Compiler) -> Rendered:
    """The conditions with their connector.

    Raises EmptyResultSet where no row can match, FullResultSet where every row does.
    """
    if not node.children:
        raise FullResultSet
    if node.connector == e.XOR and len(node.children) > 1:
        return _xor(node, compiler)
    conjunction = node.connector == e.AND
    parts: list[str] = []
    params: list[Any] = []
    decided = False
    for child in node.children:
        try:
            sql, found = compiler.compile(child)
        except EmptyResultSet:
            if conjunction:
                decided, parts = True, []
                break
            continue
        except FullResultSet:
            if not conjunction:
                decided, parts = True, []
                break
            continue
        if sql:
            parts.append(sql)
            params.extend(found)
    if not parts:
        empty = conjunction if decided else not conjunction
        if empty != node.negated:
            raise EmptyResultSet
        raise FullResultSet
    text = f" {node.connector} ".join(parts)
    if node.negated:
        return f"NOT ({text})", params
    return (f"({text})" if len(parts) > 1 else text), params


def _xor(node: Where, compiler: Compiler) -> Rendered:
    """An odd number of the conditions holds."""
    parts: list[str] = []
    params: list[Any] = []
    flips = node.negated
    for child in node.children:
        try:
            sql, found = compiler.compile(child)
        except EmptyResultSet:
            continue
        except FullResultSet:
            flips = not flips
            continue
        parts.append(f"(CASE WHEN {sql} THEN 1 ELSE 0 END)")
        params.extend(found)
    if not parts:
        raise FullResultSet if flips else EmptyResultSet
    wanted = 0 if flips else 1
    return f"(({' + '.join(parts)}) %% 2) = {wanted}", params


def render_never(node: Never, compiler: Compiler) -> Rendered:
    raise EmptyResultSet


def where_root(node: Where, compiler: Compiler) -> Rendered:
    """The conditions of a WHERE clause, without parentheses around all of it."""
    while not node.negated and len(node.children) == 1 and isinstance(node.children[0], Where):
        (node,) = node.children
    sql, params = compiler.compile(node)
    if not node.negated and sql.startswith("(") and len(node.children) > 1 and _wraps_all(sql):
        return sql[1:-1], params
    return sql, params


def _wraps_all(sql: str) -> bool:
    """Whether the first parenthesis closes at the end."""
    depth = 0
    quoted = ""
    for place, char in enumerate(sql):
        if quoted:
            quoted = "" if char == quoted else quoted
        elif char in "'\"":
            quoted = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                return place == len(sql) - 1
    return False


# --- lookups ----------------------------------------

LookupSides = tuple[str, str, list[Any]]


def sides(node: lk.Lookup, compiler: Compiler) -> LookupSides:
    """The texts of both sides and their parameters; EmptyResultSet where none can match."""
    if node.rhs is NOTHING:
        raise EmptyResultSet
    left, left_params = operand(node.lhs, compiler)
    right, right_params = operand(node.rhs, compiler)
    return left, right, [*left_params, *right_params]


def operand(node: Any, compiler: Compiler) -> Rendered:
    (sql,), params = operands([node], compiler)
    while isinstance(node, e.ExpressionWrapper):
        node = node.expression
    if isinstance(node, lk.Lookup | Where) and not _wraps_all(sql):
        return f"({sql})", params
    return sql, params


def comparison(operator: str) -> Callable[[lk.Lookup, Compiler], Rendered]:
    """The renderer of `lhs operator rhs`."""

    def render(node: lk.Lookup, compiler: Compiler) -> Rendered:
        if node.rhs is lk.EVERYTHING:
            sql, params = compiler.compile(node.lhs)
            return f"{sql} IS NOT NULL", params
        left, right, params = sides(node, compiler)
        return f"{left} {operator} {right}", params

    return render


def render_in(node: lk.In, compiler: Compiler) -> Rendered:
    rhs = node.rhs
    if rhs is NOTHING:
        raise EmptyResultSet
    left, left_params = operand(node.lhs, compiler)
    if isinstance(rhs, lk.Items):
        parts, params = operands(rhs, compiler)
        return f"{left} IN ({', '.join(parts)})", [*left_params, *params]
    if isinstance(rhs, e.Param):
        sql, params = compiler.list_condition(left, node, rhs)
        return sql, [*left_params, *params]
    right, params = compiler.compile(rhs)
    return f"{left} IN {right}", [*left_params, *params]


def render_range(node: lk.Range, compiler: Compiler) -> Rendered:
    left, left_params = operand(node.lhs, compiler)
    parts, params = operands(node.rhs, compiler)
    return f"{left} BETWEEN {parts[0]} AND {parts[1]}", [*left_params, *params]


def render_year_exact(node: lk.YearExact, compiler: Compiler) -> Rendered:
    if isinstance(node.rhs, lk.Items):
        return render_range(node, compiler)  # type: ignore[arg-type]
    left, right, params = sides(node, compiler)
    return f"{left} = {right}", params


def render_isnull(node: lk.IsNull, compiler: Compiler) -> Rendered:
    left, params = operand(node.lhs, compiler)
    return f"{left} IS {'NULL' if node.truth else 'NOT NULL'}", params


def render_exact(node: lk.Exact, compiler: Compiler) -> Rendered:
    left, right, params = sides(node, compiler)
    return f"{left} = {right}", params


# --- several columns ----------------------------------------


def render_columns(node: tuples.ColumnTuple, compiler: Compiler) -> Rendered:
    return f"({', '.join(compiler.compile(column)[0] for column in node.columns)})", []


def check_composite(node: tuples.TupleLookup) -> None:
    if not isinstance(node.rhs, e.QueryNode | e.Subquery) and not node.rhs.composite:
        raise QueryValueError("Composite field lookups only work with composite expressions.")


def render_tuple_exact(node: tuples.TupleExact, compiler: Compiler) -> Rendered:
    if not isinstance(node.rhs, lk.Items):
        check_composite(node)
        left, right, params = sides(node, compiler)
        return f"{left} = {right}", params
    parts: list[str] = []
    params = []
    for column, value in zip(node.lhs.columns, node.rhs, strict=True):
        left, left_params = compiler.compile(column)
        right, right_params = compiler.compile(value)
        parts.append(f"{left} = {right}")
        params += [*left_params, *right_params]
    return f"({' AND '.join(parts)})", params


def tuple_comparison(operator: str) -> Callable[[tuples.TupleLookup, Compiler], Rendered]:
    def render(node: tuples.TupleLookup, compiler: Compiler) -> Rendered:
        left, left_params = compiler.compile(node.lhs)
        if isinstance(node.rhs, lk.Items):
            parts, params = operands(node.rhs, compiler)
            right = f"({', '.join(parts)})"
        else:
            check_composite(node)
            right, params = compiler.compile(node.rhs)
        return f"{left} {operator} {right}", [*left_params, *params]

    return render


def render_tuple_in(node: tuples.TupleIn, compiler: Compiler) -> Rendered:
    if node.rhs is NOTHING:
        raise EmptyResultSet
    left, left_params = compiler.compile(node.lhs)
    rhs = node.rhs
    if isinstance(rhs, lk.Items):
        if all(isinstance(item, tuples.TupleExact) for item in rhs):
            parts, params = operands(rhs, compiler)
            return f"({' OR '.join(parts)})", params
        sql, params = compiler.dialect.tuple_list(node, rhs, compiler)  # type: ignore[attr-defined]
        return f"{left} IN ({sql})", [*left_params, *params]
    right, params = compiler.compile(rhs)
    return f"{left} IN {right}", [*left_params, *params]


def render_tuple_isnull(node: tuples.TupleIsNull, compiler: Compiler) -> Rendered:
    texts = [compiler.compile(column)[0] for column in node.lhs.columns]
    if node.truth:
        return f"({' OR '.join(f'{t} IS NULL' for t in texts)})", []
    return f"({' AND '.join(f'{t} IS NOT NULL' for t in texts)})", []


# --- subqueries and ordering ----------------------------------------


def render_query(node: e.QueryNode, compiler: Compiler) -> Rendered:
    sql, params = compiler.subquery(node)
    return f"({sql})", params


def render_subquery(node: e.Subquery, compiler: Compiler, **extra: Any) -> Rendered:
    sql, params = compiler.subquery(node.source)
    template = extra.get("template") or node.template
    return template % {**node.extra, **extra, "subquery": sql}, params


def render_exists(node: e.Exists, compiler: Compiler) -> Rendered:
    sql, params = compiler.subquery(node.source, exists=True)
    return f"EXISTS({sql})", params


def render_order_by(node: e.OrderBy, compiler: Compiler) -> Rendered:
    sql, params = compiler.compile(node.expression)
    text = f"{sql} {'DESC' if node.descending else 'ASC'}"
    if node.nulls_last:
        text += " NULLS LAST"
    elif node.nulls_first:
        text += " NULLS FIRST"
    return text, params


def render_unresolved(node: e.F, compiler: Compiler) -> Rendered:
    if isinstance(node, e.ResolvedOuterRef):
        raise ValueError(
            "This queryset contains a reference to an outer query and may only be used in a"
            " subquery."
        )
    raise FieldError(f"{node!r} was not resolved")


STANDARD: dict[type, Any] = {
    e.Param: render_param,
    e.Col: render_col,
    e.Ref: render_ref,
    e.OutputColumn: render_output_column,
    e.Position: render_position,
    e.JoinRestriction: render_restriction,
    e.Star: render_star,
    e.RawSQL: render_raw,
    e.DatabaseDefault: render_default,
    e.ExpressionWrapper: render_wrapper,
    e.NegatedExpression: render_negated,
    e.Func: render_func,
    e.CombinedExpression: render_combined,
    e.Case: render_case,
    e.QueryNode: render_query,
    e.Subquery: render_subquery,
    e.Exists: render_exists,
    e.OrderBy: render_order_by,
    e.F: render_unresolved,
    Aggregate: render_aggregate,
    Coalesce: render_coalesce,
    Cast: render_cast,
    Where: render_where,
    Never: render_never,
    lk.Exact: render_exact,
    lk.GreaterThan: comparison(">"),
    lk.GreaterThanOrEqual: comparison(">="),
    lk.LessThan: comparison("<"),
    lk.LessThanOrEqual: comparison("<="),
    lk.In: render_in,
    lk.Range: render_range,
    lk.IsNull: render_isnull,
    lk.YearExact: render_year_exact,
    tuples.ColumnTuple: render_columns,
    tuples.TupleExact: render_tuple_exact,
    tuples.TupleIn: render_tuple_in,
    tuples.TupleIsNull: render_tuple_isnull,
    tuples.TupleGreaterThan: tuple_comparison(">"),
    tuples.TupleGreaterThanOrEqual: tuple_comparison(">="),
    tuples.TupleLessThan: tuple_comparison("<"),
    tuples.TupleLessThanOrEqual: tuple_comparison("<="),
}
