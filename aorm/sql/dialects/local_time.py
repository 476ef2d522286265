"""Dates and points in time side by side on PostgreSQL, where values have no time zone.

Columns of points in time have a zone there, also without USE_TZ.  Days are added to them, and
dates compared with them, as in the zone of the application, not in that of the session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aorm.query import lookups as lk
from aorm.query.expressions import DurationExpression, ExpressionWrapper
from aorm.sql.compiler import Compiler, Rendered
from aorm.sql.standard import comparison, render_combined, render_exact

Render = Callable[[Any, Compiler], Rendered]


class LocalTime(ExpressionWrapper):
    """A point in time as the date and time of the application's zone."""


def render_local_time(node: LocalTime, compiler: Compiler) -> Rendered:
    sql, params = compiler.compile(node.expression)
    return f"({sql} AT TIME ZONE %s)", [*params, compiler.dialect.time_zone]


def _kind(expression: Any) -> str | None:
    field = getattr(expression, "_output_field_or_none", None)
    return None if field is None else field.get_internal_type()


def _local(expression: Any) -> Any:
    if _kind(expression) != "DateTimeField":
        return expression
    return LocalTime(expression, expression.output_field)


def render_duration(node: DurationExpression, compiler: Compiler) -> Rendered:
    """Days of the local calendar: of 23 to 25 hours, where clocks are changed."""
    if compiler.dialect.use_tz or _kind(node) != "DateTimeField":
        return render_combined(node, compiler)
    local = node.copy()
    local.lhs, local.rhs = _local(node.lhs), _local(node.rhs)
    sql, params = render_combined(local, compiler)
    return f"({sql} AT TIME ZONE %s)", [*params, compiler.dialect.time_zone]


def _compared(render: Render) -> Render:
    """The comparison; of a date with a point in time, as of dates and times of one zone."""

    def rendered(node: lk.Lookup, compiler: Compiler) -> Rendered:
        kinds = {_kind(node.lhs), _kind(node.rhs)}
        if compiler.dialect.use_tz or kinds != {"DateField", "DateTimeField"}:
            return render(node, compiler)
        local = node.copy()
        local.lhs, local.rhs = _local(node.lhs), _local(node.rhs)
        return render(local, compiler)

    return rendered


LOCAL_TIME: dict[type, Any] = {
    LocalTime: render_local_time,
    DurationExpression: render_duration,
    lk.Exact: _compared(render_exact),
    lk.GreaterThan: _compared(comparison(">")),
    lk.GreaterThanOrEqual: _compared(comparison(">=")),
    lk.LessThan: _compared(comparison("<")),
    lk.LessThanOrEqual: _compared(comparison("<=")),
}
