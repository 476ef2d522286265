"""Ranges of values, as both drivers give them to users: `Range` and its kinds.

psycopg and asyncpg each have a class of ranges; aorm has its own, so that the same type comes back
on both faces and code needs neither driver.  A range never changes.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from functools import total_ordering
from typing import Any, Generic, TypeVar

T = TypeVar("T")

BOUNDS = ("[)", "(]", "()", "[]")
EMPTY = "empty"


@total_ordering
class Range(Generic[T]):
    """The values between two bounds.

    Args:
        lower: the least value; None: there is no limit.
        upper: the greatest value; None: there is no limit.
        bounds: whether the bounds themselves belong to it: `[` and `]` say that they do.
        empty: a range in which nothing is.

    Raises:
        ValueError: the bounds are none of the four forms.
    """

    __slots__ = ("_bounds", "_lower", "_upper")

    _lower: T | None
    _upper: T | None
    _bounds: str

    def __init__(
        self,
        lower: T | None = None,
        upper: T | None = None,
        bounds: str = "[)",
        empty: bool = False,
    ) -> None:
        if bounds not in BOUNDS:
            raise ValueError(f"bounds must be one of {', '.join(BOUNDS)}, not {bounds!r}")
        if empty:
            self._lower, self._upper, self._bounds = None, None, EMPTY
            return
        # PostgreSQL has it the same way: a missing bound never belongs to the range.
        self._lower, self._upper = lower, upper
        first = "(" if lower is None else bounds[0]
        last = ")" if upper is None else bounds[1]
        self._bounds = first + last

    @property
    def lower(self) -> T | None:
        """The lower bound; None where there is none, and of an empty range."""
        return self._lower

    @property
    def upper(self) -> T | None:
        """The upper bound; None where there is none, and of an empty range."""
        return self._upper

    @property
    def bounds(self) -> str | None:
        """`[)`, `(]`, `()` or `[]`; None of an empty range."""
        return None if self.isempty else self._bounds

    @property
    def isempty(self) -> bool:
        """Whether nothing is in it."""
        return self._bounds == EMPTY

    @property
    def lower_inf(self) -> bool:
        """Whether there is no lower bound."""
        return not self.isempty and self._lower is None

    @property
    def upper_inf(self) -> bool:
        """Whether there is no upper bound."""
        return not self.isempty and self._upper is None

    @property
    def lower_inc(self) -> bool:
        """Whether the lower bound belongs to it."""
        return self._bounds[0] == "["

    @property
    def upper_inc(self) -> bool:
        """Whether the upper bound belongs to it."""
        return self._bounds[1] == "]"

    def __contains__(self, value: Any) -> bool:
        if value is None or self.isempty:
            return False
        if self._lower is not None and (
            value < self._lower or (value == self._lower and not self.lower_inc)
        ):
            return False
        return self._upper is None or not (
            value > self._upper or (value == self._upper and not self.upper_inc)
        )

    def __bool__(self) -> bool:
        return not self.isempty

    def _parts(self) -> tuple[Any, ...]:
        return (self._lower, self._upper, self._bounds)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Range):
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __lt__(self, other: object) -> bool:
        """By the lower bound, then the upper one; an empty range comes first, as in SQL."""
        if not isinstance(other, Range):
            return NotImplemented
        return self._order() < other._order()

    def _order(self) -> tuple[Any, ...]:
        if self.isempty:
            return (0,)
        lower = (0,) if self._lower is None else (1, self._lower, not self.lower_inc)
        upper = (1,) if self._upper is None else (0, self._upper, self.upper_inc)
        return (1, lower, upper)

    def __reduce__(self) -> Any:
        bounds = "[)" if self.isempty else self._bounds
        return (type(self), (self._lower, self._upper, bounds, self.isempty))

    def __repr__(self) -> str:
        if self.isempty:
            return f"{type(self).__name__}(empty=True)"
        return f"{type(self).__name__}({self._lower!r}, {self._upper!r}, {self._bounds!r})"

    def __str__(self) -> str:
        if self.isempty:
            return EMPTY
        lower = "" if self._lower is None else self._lower
        upper = "" if self._upper is None else self._upper
        return f"{self._bounds[0]}{lower}, {upper}{self._bounds[1]}"


class NumericRange(Range[int | float | Decimal]):
    """A range of numbers."""

    __slots__ = ()


class DateRange(Range[datetime.date]):
    """A range of dates."""

    __slots__ = ()


class DateTimeRange(Range[datetime.datetime]):
    """A range of naive points in time."""

    __slots__ = ()


class DateTimeTZRange(Range[datetime.datetime]):
    """A range of points in time."""

    __slots__ = ()
