"""Windows: a function over the rows around each row."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from aorm.errors import QueryTypeError, QueryValueError
from aorm.query.expressions import Expression, ExpressionList, OrderByList, expression_of

__all__ = ["RowRange", "ValueRange", "Window", "WindowFrame", "WindowFrameExclusion"]


class WindowFrameExclusion(Enum):
    """Which rows near the current one a frame leaves out."""

    CURRENT_ROW = "CURRENT ROW"
    GROUP = "GROUP"
    TIES = "TIES"
    NO_OTHERS = "NO OTHERS"

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}.{self.name}"


class WindowFrame(Expression):
    """The rows around the current one that a function sees, from a start to an end.

    Args:
        start: negative for what precedes, 0 for the current row, None for all before.
        end: positive for what follows, 0 for the current row, None for all after.
        exclusion: a `WindowFrameExclusion`.

    Raises:
        TypeError: the exclusion is none.
        ValueError: start and end are no such numbers.
    """

    frame_type = ""
    _start_is, _end_is = "an integer", "an integer"

    def __init__(
        self,
        start: int | None = None,
        end: int | None = None,
        exclusion: WindowFrameExclusion | None = None,
    ) -> None:
        if exclusion is not None and not isinstance(exclusion, WindowFrameExclusion):
            raise QueryTypeError(
                f"{type(self).__qualname__}.exclusion must be a WindowFrameExclusion instance."
            )
        super().__init__()
        self._check(start, end)
        self.start, self.end, self.exclusion = start, end, exclusion

    def _check(self, start: Any, end: Any) -> None:
        for name, value, kind in (("start", start, self._start_is), ("end", end, self._end_is)):
            if value is not None and not (type(value) is int and self._allows(name, value)):
                raise QueryValueError(
                    f"{name} argument must be {kind}, zero, or None, but got '{value}'."
                )

    def _allows(self, name: str, value: int) -> bool:
        return True

    def resolve(self, scope: Any) -> Any:
        return self

    def get_group_by_cols(self) -> list[Any]:
        return []

    @property
    def sql(self) -> str:
        """The frame's words; its numbers are ints and belong to the structure."""
        start, end = _bound(self.start, "PRECEDING"), _bound(self.end, "FOLLOWING")
        text = f"{self.frame_type} BETWEEN {start} AND {end}"
        return text if self.exclusion is None else f"{text} EXCLUDE {self.exclusion.value}"

    def __str__(self) -> str:
        return self.sql

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


def _bound(value: int | None, side: str) -> str:
    if value is None:
        return f"UNBOUNDED {side}"
    if value == 0:
        return "CURRENT ROW"
    return f"{-value} PRECEDING" if value < 0 else f"{value} FOLLOWING"


class RowRange(WindowFrame):
    """A frame that counts rows."""

    frame_type = "ROWS"

    def _check(self, start: Any, end: Any) -> None:
        super()._check(start, end)
        if start is not None and end is not None and start > end:
            raise QueryValueError("start cannot be greater than end.")


class ValueRange(WindowFrame):
    """A frame that measures the distance of the value that the window is ordered by."""

    frame_type = "RANGE"
    _start_is, _end_is = "a negative integer", "a positive integer"

    def _allows(self, name: str, value: int) -> bool:
        return value <= 0 if name == "start" else value >= 0


class Window(Expression):
    """A function over the rows around each row.

    Args:
        expression: an aggregate or a function of `aorm.query.functions.window`.
        partition_by: an expression or several: only rows with the same values are seen.
        order_by: a name, an expression, or several: the order of the rows.
        frame: a `RowRange` or `ValueRange`.

    Raises:
        ValueError: the expression cannot stand in a window, or the order is none.
    """

    operands = ("source_expression", "partition_by", "order_by", "frame")
    contains_aggregate = False
    contains_over_clause = True

    def __init__(
        self,
        expression: Any,
        partition_by: Any = None,
        order_by: Any = None,
        frame: WindowFrame | None = None,
        output_field: Any = None,
    ) -> None:
        if not getattr(expression, "window_compatible", False):
            raise QueryValueError(
                f"Expression {type(expression).__name__!r} isn't compatible with OVER clauses."
            )
        super().__init__(output_field)
        if partition_by is not None:
            if not isinstance(partition_by, list | tuple):
                partition_by = (partition_by,)
            partition_by = ExpressionList(*map(expression_of, partition_by))
        self.source_expression = expression
        self.partition_by = partition_by
        self.order_by = OrderByList.from_param("Window.order_by", order_by)
        self.frame = frame

    def set_source_expressions(self, expressions: Sequence[Any]) -> None:
        self.source_expression, self.partition_by, self.order_by, self.frame = expressions

    def _resolve_output_field(self) -> Any:
        return self.source_expression.output_field

    def get_group_by_cols(self) -> list[Any]:
        found: list[Any] = []
        for part in (self.partition_by, self.order_by):
            if part is not None:
                for expression in part.source_expressions:
                    found.extend(expression.get_group_by_cols())
        return found

    def __str__(self) -> str:
        parts: list[str] = []
        if self.partition_by is not None:
            parts.append(f"PARTITION BY {_shown(self.partition_by)}")
        if self.order_by is not None:
            parts.append(_shown(self.order_by))
        if self.frame is not None:
            parts.append(str(self.frame))
        return f"{self.source_expression!s} OVER ({' '.join(parts)})"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


def _shown(expressions: ExpressionList) -> str:
    return ", ".join(map(str, expressions.source_expressions))
