"""Functions of the rows around a row: for use in `Window`."""

from __future__ import annotations

from typing import Any

from aorm.errors import QueryValueError
from aorm.fields.numbers import FloatField, IntegerField
from aorm.query.expressions import Func, Value, value_or_expression

__all__ = [
    "CumeDist",
    "DenseRank",
    "FirstValue",
    "Lag",
    "LastValue",
    "Lead",
    "NthValue",
    "Ntile",
    "PercentRank",
    "Rank",
    "RowNumber",
]

_INTEGER, _FLOAT = IntegerField(), FloatField()


class _WindowFunction(Func):
    window_compatible = True


class _Count(_WindowFunction):
    def _resolve_output_field(self) -> Any:
        return _INTEGER


class _Share(_WindowFunction):
    def _resolve_output_field(self) -> Any:
        return _FLOAT


class _OfRow(_WindowFunction):
    """A value of another row."""

    def _resolve_output_field(self) -> Any:
        return self.source_expressions[0].output_field


class CumeDist(_Share):
    """The share of rows up to this one."""

    function = "CUME_DIST"


class DenseRank(_Count):
    """The rank without gaps."""

    function = "DENSE_RANK"


class FirstValue(_OfRow):
    """The value of the first row of the frame."""

    function = "FIRST_VALUE"
    arity = 1


class _Offset(_OfRow):
    def __init__(self, expression: Any, offset: int = 1, default: Any = None, **extra: Any) -> None:
        name = type(self).__name__
        if expression is None:
            raise QueryValueError(f"{name} requires a non-null source expression.")
        if offset is None or offset <= 0:
            raise QueryValueError(f"{name} requires a positive integer for the offset.")
        parts = [expression, Value(offset)]
        if default is not None:
            parts.append(value_or_expression(default))
        super().__init__(*parts, **extra)


class Lag(_Offset):
    """The value of the row so many rows before, or a default.

    Raises:
        ValueError: there is no expression, or the offset is not positive.
    """

    function = "LAG"


class LastValue(_OfRow):
    """The value of the last row of the frame."""

    function = "LAST_VALUE"
    arity = 1


class Lead(_Offset):
    """The value of the row so many rows after, or a default.

    Raises:
        ValueError: there is no expression, or the offset is not positive.
    """

    function = "LEAD"


class NthValue(_OfRow):
    """The value of the row with this number in the frame, counted from 1.

    Raises:
        ValueError: there is no expression, or the number is not positive.
    """

    function = "NTH_VALUE"

    def __init__(self, expression: Any, nth: int = 1, **extra: Any) -> None:
        name = type(self).__name__
        if expression is None:
            raise QueryValueError(f"{name} requires a non-null source expression.")
        if nth is None or nth <= 0:
            raise QueryValueError(f"{name} requires a positive integer as for nth.")
        super().__init__(expression, Value(nth), **extra)


class Ntile(_Count):
    """The number of the row's group, where rows are divided into so many groups of equal size.

    Raises:
        ValueError: the number of groups is not positive.
    """

    function = "NTILE"

    def __init__(self, num_buckets: int = 1, **extra: Any) -> None:
        if num_buckets <= 0:
            raise QueryValueError("num_buckets must be greater than 0.")
        super().__init__(Value(num_buckets), **extra)


class PercentRank(_Share):
    """The rank as a share of all rows."""

    function = "PERCENT_RANK"


class Rank(_Count):
    """The rank, with gaps behind equal ones."""

    function = "RANK"


class RowNumber(_Count):
    """The number of the row, counted from 1."""

    function = "ROW_NUMBER"
