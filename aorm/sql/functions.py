"""How database functions are spelt: what is common, and what differs on SQLite and PostgreSQL.

1. Words of a user (parts of dates, units, names of collations) are checked, quoted or bound.
2. The time zone in force is a parameter that is computed when a statement is bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aorm import timezone
from aorm.errors import DatabaseError, NotSupportedError
from aorm.fields.dates import DateField, DateTimeField, DurationField, TimeField
from aorm.fields.json import JSONField
from aorm.fields.numbers import FloatField
from aorm.fields.various import BooleanField
from aorm.query import aggregates as ag
from aorm.query import expressions as e
from aorm.query.functions import comparison as c
from aorm.query.functions import datetime as d
from aorm.query.functions import json as j
from aorm.query.functions import math as m
from aorm.query.functions import text as t
from aorm.query.functions import uuid as u
from aorm.query.functions.random import Random
from aorm.query.windows import ValueRange, Window, WindowFrame
from aorm.sql.compiled import Computed
from aorm.sql.compiler import Compiler, Rendered
from aorm.sql.standard import (
    operands,
    render_aggregate,
    render_case,
    render_cast,
    render_func,
)

Renderer = Callable[..., Rendered]


def render_value(node: e.Value, compiler: Compiler) -> Rendered:
    """A value that a transform brings by itself: part of the structure, like its class."""
    field = node._output_field_or_none
    adapter = compiler.dialect.adapter(field)
    sql, _ = compiler.compile(node.parametrised(e.Slots(0)))
    return sql, [node.value if adapter is None else adapter(node.value)]


def named(function: str) -> Renderer:
    """The renderer of a function that has another name here."""

    def render(node: e.Func, compiler: Compiler, **options: Any) -> Rendered:
        options.setdefault("function", function)
        return render_func(node, compiler, **options)

    return render


# --- comparison --------------------------------------------------------------------------


def render_collate(node: c.Collate, compiler: Compiler, **options: Any) -> Rendered:
    return render_func(node, compiler, collation=compiler.quote(node.collation), **options)


def render_cast_postgresql(node: c.Cast, compiler: Compiler, **options: Any) -> Rendered:
    options.setdefault("template", "(%(expressions)s)::%(db_type)s")
    (source,) = node.source_expressions
    before, after = source._output_field_or_none, node.output_field
    if compiler.dialect.use_tz or _is_point(before) == _is_point(after):
        return render_cast(node, compiler, **options)
    # Columns hold points in time there, but without use_tz they stand for local time.
    zone = compiler.dialect.time_zone
    if _is_point(before):
        kind = after.cast_db_type(compiler.dialect)
        sql, params = compiler.compile(source)
        return f"({sql} AT TIME ZONE %s)::{kind}", [*params, zone]
    sql, params = compiler.compile(source)
    return f"(({sql})::timestamp AT TIME ZONE %s)", [*params, zone]


_SQLITE_CASTS = {
    "DateField": "date({})",
    "DateTimeField": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', {})",
    "TimeField": "strftime('%%H:%%M:%%f', {})",
}


def render_cast_sqlite(node: c.Cast, compiler: Compiler, **options: Any) -> Rendered:
    """Dates and times are texts there, which CAST would cut to their year."""
    kind = node.output_field.get_internal_type()
    pattern = _SQLITE_CASTS.get(kind)
    if pattern is None:
        return render_cast(node, compiler, **options)
    sql, params = compiler.compile(node.source_expressions[0])
    return pattern.format(sql), params


_UNIFIED = frozenset({"GenericIPAddressField", "IPAddressField", "TimeField", "UUIDField"})


def render_case_postgresql(node: e.Case, compiler: Compiler, **options: Any) -> Rendered:
    """Its branches may be texts, which do not become all other types by themselves."""
    sql, params = render_case(node, compiler)
    field = node._output_field_or_none
    if field is None or field.get_internal_type() not in _UNIFIED:
        return sql, params
    return f"({sql})::{field.cast_db_type(compiler.dialect)}", params


# --- texts -------------------------------------------------------------------------------

_TEXT_TYPES = frozenset({"CharField", "TextField", "SlugField", "EmailField", "URLField"})


def _is_text(expression: Any) -> bool:
    field = expression._output_field_or_none
    return field is not None and field.get_internal_type() in _TEXT_TYPES


def render_concat(node: e.Func, compiler: Compiler, **options: Any) -> Rendered:
    """`||` of texts; NULL is an empty one."""
    parts, params = [], []
    for operand in node.source_expressions:
        sql, found = _concatenated(operand, compiler)
        parts.append(sql)
        params += found
    return f"({' || '.join(parts)})", params


def _concatenated(operand: Any, compiler: Compiler) -> Rendered:
    if isinstance(operand, t.Concat | t.ConcatPair):
        return compiler.compile(operand)
    if isinstance(operand, e.Param) and _is_text(operand):
        return "COALESCE(%s, '')", [operand]  # the other argument says that it is a text
    (sql,), params = operands([operand], compiler)
    if compiler.dialect.capabilities.typed_parameters and not _is_text(operand):
        sql = f"({sql})::text"
    return f"COALESCE({sql}, '')", params


def render_left_sqlite(node: t.Left, compiler: Compiler, **options: Any) -> Rendered:
    (sql, length), params = operands(node.source_expressions, compiler)
    return f"SUBSTR({sql}, 1, {length})", params


def render_right_sqlite(node: t.Right, compiler: Compiler, **options: Any) -> Rendered:
    """With its length twice: from the position 0, a SUBSTR without a length gives everything."""
    text, text_params = compiler.compile(node.source_expressions[0])
    length, length_params = compiler.compile(node.source_expressions[1])
    params = [*text_params, *length_params, *length_params]
    return f"SUBSTR({text}, -({length}), {length})", params


def digest_postgresql(function: str) -> Renderer:
    def render(node: e.Func, compiler: Compiler, **options: Any) -> Rendered:
        (sql,), params = operands(node.source_expressions, compiler)
        return f"ENCODE({function}(CONVERT_TO({sql}, 'UTF8')), 'hex')", params

    return render


def render_sha1_postgresql(node: t.SHA1, compiler: Compiler, **options: Any) -> Rendered:
    """The one digest that needs an extension, pgcrypto."""
    (sql,), params = operands(node.source_expressions, compiler)
    return f"ENCODE(DIGEST({sql}, 'sha1'), 'hex')", params


# --- time zones --------------------------------------------------------------------------

_OFFSET = r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)?(?::?(\d\d))?"


def posix_zone(name: str) -> str:
    """The name for PostgreSQL, where offsets count westward, as POSIX has it."""
    offset = re.fullmatch(_OFFSET, name)
    if offset is None:
        return name
    sign, hours, minutes, seconds = offset.groups(default="00")
    text = f"{'-' if sign == '+' else '+'}{hours}:{minutes}"
    return f"UTC{text}" if seconds == "00" else f"UTC{text}:{seconds}"


def _current_posix_zone() -> str:
    return posix_zone(timezone.get_current_timezone_name())


# One object each, so that equal expressions of a statement share the parameter.
_CURRENT = Computed(timezone.get_current_timezone_name)
_CURRENT_POSIX = Computed(_current_posix_zone)


def _zone_sqlite(node: d.TimezoneMixin, compiler: Compiler) -> Rendered:
    if not compiler.dialect.use_tz:
        return "NULL", []
    return "%s", [_CURRENT if node.tzinfo is None else d.zone_name(node.tzinfo)]


def _zone_postgresql(node: d.TimezoneMixin, compiler: Compiler) -> Any:
    """The parameter: columns have points in time there, also without use_tz."""
    if not compiler.dialect.use_tz:
        return compiler.dialect.time_zone
    return _CURRENT_POSIX if node.tzinfo is None else posix_zone(d.zone_name(node.tzinfo))


def _is_point(field: Any) -> bool:
    return isinstance(field, DateTimeField)


# --- parts of dates ------------------------------------------------------------------------


def render_extract_sqlite(node: d.Extract, compiler: Compiler, **options: Any) -> Rendered:
    field = node.lhs.output_field
    if isinstance(field, DurationField):
        raise ValueError("Extract requires native DurationField database support.")
    sql, params = compiler.compile(node.lhs)
    if _is_point(field):
        zone, zone_params = _zone_sqlite(node, compiler)
        return f"aorm_datetime_extract(%s, {sql}, {zone})", [
            node.lookup_name,
            *params,
            *zone_params,
        ]
    kind = "time" if isinstance(field, TimeField) else "date"
    return f"aorm_{kind}_extract(%s, {sql})", [node.lookup_name, *params]


_PARTS_POSTGRESQL = {
    "week_day": "EXTRACT(DOW FROM {})::integer + 1",
    "iso_week_day": "EXTRACT(ISODOW FROM {})::integer",
    "iso_year": "EXTRACT(ISOYEAR FROM {})::integer",
    # A cast would round the fraction.
    "second": "TRUNC(EXTRACT(SECOND FROM {}))::integer",
    **{
        part: f"EXTRACT({part.upper()} FROM {{}})::integer"
        for part in ("year", "quarter", "month", "week", "day", "hour", "minute")
    },
}
_WORD = r"[A-Za-z_]+"


def render_extract_postgresql(node: d.Extract, compiler: Compiler, **options: Any) -> Rendered:
    part = node.lookup_name or ""
    pattern = _PARTS_POSTGRESQL.get(part)
    if pattern is None:
        if not re.fullmatch(_WORD, part):
            raise ValueError(f"Invalid lookup_name: {part!r}")
        pattern = f"EXTRACT({part.upper()} FROM {{}})"
    sql, params = _local_postgresql(node, compiler)
    text = pattern.format(sql)
    return (f"({text})" if text.endswith("+ 1") else text), params


def part_postgresql(part: str, sql: str) -> str:
    """The text of a part of a date or time."""
    return _PARTS_POSTGRESQL[part].format(sql)


def _local_postgresql(node: Any, compiler: Compiler) -> Rendered:
    """The operand; a point in time as the local time of the zone."""
    sql, params = compiler.compile(node.lhs)
    if not _is_point(node.lhs.output_field):
        return sql, params
    return f"({sql} AT TIME ZONE %s)", [*params, _zone_postgresql(node, compiler)]


# --- beginnings ------------------------------------------------------------------------------


def render_trunc_sqlite(node: d.TruncBase, compiler: Compiler, **options: Any) -> Rendered:
    field, output = node.lhs.output_field, node.output_field
    sql, params = compiler.compile(node.lhs)
    if _is_point(output):
        function = "aorm_datetime_trunc"
    else:
        function = f"aorm_{'time' if isinstance(output, TimeField) else 'date'}_trunc"
    zone, zone_params = _zone_sqlite(node, compiler) if _is_point(field) else ("NULL", [])
    return f"{function}(%s, {sql}, {zone})", [node.kind, *params, *zone_params]


def render_trunc_to_sqlite(node: d.TruncBase, compiler: Compiler, **options: Any) -> Rendered:
    """The date or the time of day."""
    sql, params = compiler.compile(node.lhs)
    is_point = _is_point(node.lhs.output_field)
    zone, zone_params = _zone_sqlite(node, compiler) if is_point else ("NULL", [])
    return f"aorm_datetime_cast_{node.kind}({sql}, {zone})", [*params, *zone_params]


def render_trunc_postgresql(node: d.TruncBase, compiler: Compiler, **options: Any) -> Rendered:
    field, output = node.lhs.output_field, node.output_field
    if _is_point(field) and _is_point(output):
        sql, params = compiler.compile(node.lhs)
        zone = _zone_postgresql(node, compiler)
        return f"DATE_TRUNC(%s, {sql}, %s)", [node.kind, *params, zone]
    sql, params = _local_postgresql(node, compiler)
    if not _is_point(field) and isinstance(field, DateField):
        sql = f"{sql}::timestamp"
    kind = "time" if isinstance(output, TimeField) else "date"
    return f"DATE_TRUNC(%s, {sql})::{kind}", [node.kind, *params]


def render_trunc_to_postgresql(node: d.TruncBase, compiler: Compiler, **options: Any) -> Rendered:
    sql, params = _local_postgresql(node, compiler)
    return f"{sql}::{node.kind}", params


def render_now(node: d.Now, compiler: Compiler, **options: Any) -> Rendered:
    return "CURRENT_TIMESTAMP", []


def render_now_postgresql(node: d.Now, compiler: Compiler, **options: Any) -> Rendered:
    """The time of the statement, not that at which its transaction began."""
    return "STATEMENT_TIMESTAMP()", []


def render_now_sqlite(node: d.Now, compiler: Compiler, **options: Any) -> Rendered:
    return "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')", []


# --- arithmetic of dates -----------------------------------------------------------------------

_DURATION_OPERATORS = frozenset("+-*/")


def render_duration_sqlite(node: e.DurationExpression, compiler: Compiler) -> Rendered:
    if node.connector not in _DURATION_OPERATORS:
        raise DatabaseError(f"Invalid connector for timedelta: {node.connector}.")
    (left, right), params = operands([node.lhs, node.rhs], compiler)
    return f"aorm_dtdelta('{node.connector}', {left}, {right})", params


def render_temporal_subtraction_sqlite(node: e.TemporalSubtraction, compiler: Compiler) -> Rendered:
    (left, right), params = operands([node.lhs, node.rhs], compiler)
    return f"aorm_timestamp_diff({left}, {right})", params


# --- aggregates ----------------------------------------------------------------------------------


def render_numeric_aggregate_sqlite(
    node: ag.Aggregate, compiler: Compiler, **options: Any
) -> Rendered:
    """Sums and averages of dates and times, which are texts there, would be nonsense."""
    for field in node.get_source_fields():
        if isinstance(field, DateField | TimeField):
            raise NotSupportedError(
                f"SQLite does not support {type(node).__name__} on date or time fields, because"
                " they are stored as text."
            )
    return render_aggregate(node, compiler, **options)


# --- numbers -------------------------------------------------------------------------------------


def render_exact_postgresql(node: e.Func, compiler: Compiler, **options: Any) -> Rendered:
    """A function that takes no floats there."""
    parts: list[str] = []
    params: list[Any] = []
    for operand in node.source_expressions:
        (sql,), found = operands([operand], compiler)
        if isinstance(operand._output_field_or_none, FloatField):
            sql = f"({sql})::numeric"
        parts.append(sql)
        params += found
    return f"{node.function}({', '.join(parts)})", params


def render_round_sqlite(node: m.Round, compiler: Compiler, **options: Any) -> Rendered:
    if node.to_tens:
        raise ValueError("SQLite does not support negative precision.")
    return render_func(node, compiler, **options)


# --- UUIDs ---------------------------------------------------------------------------------------


def render_uuid7_sqlite(node: u.UUID7, compiler: Compiler, **options: Any) -> Rendered:
    if node.source_expressions:
        raise NotSupportedError(
            "The shift argument to UUID7 is not supported on this database backend."
        )
    return "aorm_uuid7()", []


# --- JSON documents ------------------------------------------------------------------------------


def render_json_sqlite(node: e.Func, compiler: Compiler, **options: Any) -> Rendered:
    """Documents inside of a document are not to become texts."""
    parts: list[str] = []
    params: list[Any] = []
    for operand in node.source_expressions:
        (sql,), found = operands([operand], compiler)
        field = operand._output_field_or_none
        if isinstance(field, JSONField):
            sql = f"JSON({sql})"
        elif isinstance(field, BooleanField):
            sql = f"JSON(CASE {sql} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"
        parts.append(sql)
        params += found
    return f"{node.function}({', '.join(parts)})", params


# --- windows -------------------------------------------------------------------------------------


def render_window(node: Window, compiler: Compiler, **options: Any) -> Rendered:
    sql, params = compiler.compile(node.source_expression)
    clauses: list[str] = []
    for part, words in ((node.partition_by, "PARTITION BY "), (node.order_by, "")):
        if part is not None:
            text, found = compiler.compile(part)
            clauses.append(words + text)
            params = [*params, *found]
    if node.frame is not None:
        clauses.append(node.frame.sql)
    return f"{sql} OVER ({' '.join(clauses)})", params


def render_window_postgresql(node: Window, compiler: Compiler, **options: Any) -> Rendered:
    """The window; a range that counts must be along numbers there."""
    frame, order = node.frame, node.order_by
    if isinstance(frame, ValueRange) and (frame.start or frame.end) and order is not None:
        for term in order.source_expressions:
            field = term._output_field_or_none
            if isinstance(field, DateField | TimeField):
                raise NotSupportedError(
                    "PostgreSQL only supports UNBOUNDED together with PRECEDING and FOLLOWING."
                    f" A range of numbers cannot measure the distance of a {type(field).__name__}."
                )
    return render_window(node, compiler, **options)


def render_frame(node: WindowFrame, compiler: Compiler, **options: Any) -> Rendered:
    return node.sql, []


def render_string_agg_sqlite(node: ag.StringAgg, compiler: Compiler, **options: Any) -> Rendered:
    if node.order_by is not None:
        raise NotSupportedError(
            "This database backend does not support specifying an order on aggregates."
        )
    options["function"] = "GROUP_CONCAT"
    if not node.distinct:
        return render_aggregate(node, compiler, **options)
    if not node.comma:
        raise NotSupportedError(
            "StringAgg does not support distinct with multiple expressions on this database"
            " backend."
        )
    alone = node.copy()
    alone.source_expressions = node.source_expressions[:1]
    return render_aggregate(alone, compiler, **options)


FUNCTIONS: dict[type, Renderer] = {
    e.Value: render_value,
    Window: render_window,
    WindowFrame: render_frame,
    c.Collate: render_collate,
    t.Concat: render_concat,
    t.ConcatPair: render_concat,
    d.Now: render_now,
}
SQLITE_FUNCTIONS: dict[type, Renderer] = {
    Random: named("RAND"),
    m.Round: render_round_sqlite,
    u.UUID4: named("aorm_uuid4"),
    u.UUID7: render_uuid7_sqlite,
    j.JSONArray: render_json_sqlite,
    j.JSONObject: render_json_sqlite,
    c.Cast: render_cast_sqlite,
    c.Greatest: named("MAX"),
    c.Least: named("MIN"),
    t.Chr: named("CHAR"),
    t.Ord: named("UNICODE"),
    t.Left: render_left_sqlite,
    t.Right: render_right_sqlite,
    t.StrIndex: named("INSTR"),
    t.Substr: named("SUBSTR"),
    d.Extract: render_extract_sqlite,
    d.TruncBase: render_trunc_sqlite,
    d.TruncDate: render_trunc_to_sqlite,
    d.TruncTime: render_trunc_to_sqlite,
    d.Now: render_now_sqlite,
    e.DurationExpression: render_duration_sqlite,
    e.TemporalSubtraction: render_temporal_subtraction_sqlite,
    ag.StringAgg: render_string_agg_sqlite,
    ag.Avg: render_numeric_aggregate_sqlite,
    ag.Sum: render_numeric_aggregate_sqlite,
    ag.StdDev: render_numeric_aggregate_sqlite,
    ag.Variance: render_numeric_aggregate_sqlite,
}
POSTGRESQL_FUNCTIONS: dict[type, Renderer] = {
    Window: render_window_postgresql,
    e.Case: render_case_postgresql,
    m.ExactInput: render_exact_postgresql,
    u.UUID4: named("GEN_RANDOM_UUID"),
    j.JSONArray: named("JSONB_BUILD_ARRAY"),
    j.JSONObject: named("JSONB_BUILD_OBJECT"),
    c.Cast: render_cast_postgresql,
    t.SHA1: render_sha1_postgresql,
    t.SHA224: digest_postgresql("SHA224"),
    t.SHA256: digest_postgresql("SHA256"),
    t.SHA384: digest_postgresql("SHA384"),
    t.SHA512: digest_postgresql("SHA512"),
    d.Extract: render_extract_postgresql,
    d.TruncBase: render_trunc_postgresql,
    d.TruncDate: render_trunc_to_postgresql,
    d.TruncTime: render_trunc_to_postgresql,
    d.Now: render_now_postgresql,
}
