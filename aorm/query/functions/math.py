"""Mathematical functions."""

from __future__ import annotations

from typing import Any

from aorm.fields.numbers import DecimalField, FloatField, IntegerField
from aorm.query.expressions import Func, Transform, Value, value_or_expression

__all__ = [
    "ACos",
    "ASin",
    "ATan",
    "ATan2",
    "Abs",
    "Ceil",
    "Cos",
    "Cot",
    "Degrees",
    "Exp",
    "Floor",
    "Ln",
    "Log",
    "Mod",
    "Pi",
    "Power",
    "Radians",
    "Round",
    "Sign",
    "Sin",
    "Sqrt",
    "Tan",
]

_FLOAT, _DECIMAL = FloatField(), DecimalField()


class _Real:
    """The result is a real number: a decimal of decimals, else a float."""

    def _resolve_output_field(self) -> Any:
        fields = self.get_source_fields()  # type: ignore[attr-defined]
        if any(isinstance(field, DecimalField) for field in fields):
            return _DECIMAL
        if any(isinstance(field, IntegerField) for field in fields):
            return _FLOAT
        return super()._resolve_output_field()  # type: ignore[misc]


class ExactInput:
    """A function that PostgreSQL has for exact numbers alone."""


class Abs(Transform):
    """The absolute value."""

    function = "ABS"
    lookup_name = "abs"


class ACos(_Real, Transform):
    """The arc cosine, in radians."""

    function = "ACOS"
    lookup_name = "acos"


class ASin(_Real, Transform):
    """The arc sine, in radians."""

    function = "ASIN"
    lookup_name = "asin"


class ATan(_Real, Transform):
    """The arc tangent, in radians."""

    function = "ATAN"
    lookup_name = "atan"


class ATan2(_Real, Func):
    """The angle of the point (second argument, first argument), in radians."""

    function = "ATAN2"
    arity = 2


class Ceil(Transform):
    """The least whole number that is not smaller."""

    function = "CEILING"
    lookup_name = "ceil"


class Cos(_Real, Transform):
    """The cosine of an angle in radians."""

    function = "COS"
    lookup_name = "cos"


class Cot(_Real, Transform):
    """The cotangent of an angle in radians."""

    function = "COT"
    lookup_name = "cot"


class Degrees(_Real, Transform):
    """An angle in degrees, from radians."""

    function = "DEGREES"
    lookup_name = "degrees"


class Exp(_Real, Transform):
    """The power of e."""

    function = "EXP"
    lookup_name = "exp"


class Floor(Transform):
    """The greatest whole number that is not greater."""

    function = "FLOOR"
    lookup_name = "floor"


class Ln(_Real, Transform):
    """The natural logarithm."""

    function = "LN"
    lookup_name = "ln"


class Log(ExactInput, _Real, Func):
    """The logarithm of the second argument, to the base of the first."""

    function = "LOG"
    arity = 2


class Mod(ExactInput, _Real, Func):
    """The remainder of a division, with the sign of the dividend."""

    function = "MOD"
    arity = 2


class Pi(_Real, Func):
    """The number pi."""

    function = "PI"
    arity = 0

    def _resolve_output_field(self) -> Any:
        return _FLOAT


class Power(_Real, Func):
    """The first argument to the power of the second."""

    function = "POWER"
    arity = 2


class Radians(_Real, Transform):
    """An angle in radians, from degrees."""

    function = "RADIANS"
    lookup_name = "radians"


class Round(ExactInput, Transform):
    """A number rounded to so many places behind the point; -1 stands for tens, and so on.

    SQLite has no negative precision.
    """

    function = "ROUND"
    lookup_name = "round"
    arity = None  # type: ignore[assignment]  # the base says 1

    def __init__(self, expression: Any, precision: Any = 0, **extra: Any) -> None:
        number = precision.value if isinstance(precision, Value) else precision
        #: Part of the structure, because a database may not be able to do it.
        self.to_tens = isinstance(number, int) and number < 0
        places = [] if type(precision) is int and precision == 0 else [precision]
        super().__init__(expression, *map(value_or_expression, places), **extra)

    def _resolve_output_field(self) -> Any:
        return self.lhs._output_field_or_none


class Sign(Transform):
    """-1, 0 or 1 for a negative number, zero, or a positive one."""

    function = "SIGN"
    lookup_name = "sign"


class Sin(_Real, Transform):
    """The sine of an angle in radians."""

    function = "SIN"
    lookup_name = "sin"


class Sqrt(_Real, Transform):
    """The square root."""

    function = "SQRT"
    lookup_name = "sqrt"


class Tan(_Real, Transform):
    """The tangent of an angle in radians."""

    function = "TAN"
    lookup_name = "tan"
