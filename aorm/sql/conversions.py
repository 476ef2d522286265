"""Results of expressions that need another conversion than their output field says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from aorm import timezone
from aorm.query.expressions import Expression
from aorm.query.functions.datetime import TruncBase
from aorm.sql.dialect import Conversion, Dialect

Found = Callable[[Any, Dialect, "Conversion | None"], "Conversion | None"]


def trunc_conversion(
    node: TruncBase, dialect: Dialect, usual: Conversion | None
) -> Conversion | None:
    """A truncated point in time is one of the zone that it was truncated in."""
    if not dialect.use_tz or node.output_field.get_internal_type() != "DateTimeField":
        return usual
    before, own = (usual.function if usual is not None else None), node.tzinfo

    def convert(value: Any) -> Any:
        if before is not None:
            value = before(value)
        if not isinstance(value, dt.datetime):
            return value
        return value.astimezone(timezone.get_current_timezone() if own is None else own)

    return Conversion("in_zone({0})", {"in_zone": convert}, convert)


CONVERSIONS: dict[type, Found] = {TruncBase: trunc_conversion}


def special_conversion(
    expression: Any, dialect: Dialect, usual: Conversion | None
) -> Conversion | None:
    """The conversion of an expression; `usual` is that of its output field."""
    kind = type(expression)
    own = getattr(kind, "convert_value", None)
    if own is not None and own is not Expression.convert_value:
        return _converted_by(expression.convert_value, expression, dialect, usual)
    for base in kind.__mro__:
        found = CONVERSIONS.get(base)
        if found is not None:
            return found(expression, dialect, usual)
    return usual


def _converted_by(
    theirs: Callable[[Any, Any, Any], Any],
    expression: Any,
    dialect: Dialect,
    usual: Conversion | None,
) -> Conversion:
    """The conversion of an expression of the user, who has the last word."""
    before = usual.function if usual is not None else None

    def convert(value: Any) -> Any:
        return theirs(value if before is None else before(value), expression, dialect)

    return Conversion("convert_value({0})", {"convert_value": convert}, convert)
