"""Functions and aggregates that every SQLite connection gets.

1. NULL among the arguments gives NULL; a time zone may be NULL, and then nothing is converted.
2. Points in time are texts as the columns hold them: in UTC under use_tz, else local.  A text
   that is none gives NULL.
3. What is mathematics here may be in a build of SQLite or not; these behave the same everywhere,
   and fail outside of the domain of a function, as PostgreSQL does.
"""

from __future__ import annotations

import datetime as dt
import math
import operator
import re
import time
import uuid
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from aorm.late import hashlib, random, secrets, zoneinfo

UTC = dt.timezone.utc  # noqa: UP017 (the object that Python 3.11 added is the same)
_MICROSECOND = dt.timedelta(microseconds=1)
_ZERO_DAY = dt.date(1900, 1, 1)
_DATE_LENGTH = len("2000-01-01")
_OFFSET = r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)?(?::?(\d\d))?"


def _unless_null(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any) -> Any:
        for argument in args:
            if argument is None:
                return None
        return function(*args)

    return call


# --- dates and times -------------------------------------------------------------


@cache
def time_zone(name: str) -> dt.tzinfo:
    """The zone of a name of the time zone database, or of an offset such as `UTC+05:30`."""
    if name.upper() == "UTC":
        return UTC
    offset = re.fullmatch(_OFFSET, name)
    if offset is None:
        return zoneinfo.ZoneInfo(name)
    sign, hours, minutes, seconds = offset.groups(default="0")
    distance = dt.timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    return dt.timezone(-distance if sign == "-" else distance)


def _point(text: Any, zone: str | None = None) -> dt.datetime | None:
    """The naive local time of a text; None where it is no point in time."""
    try:
        found = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    if zone is not None:
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(time_zone(zone))
    return found.replace(tzinfo=None)


def _clock(text: Any, zone: str | None = None) -> dt.time | None:
    """The time of day of a text, which may have a date."""
    try:
        return dt.time.fromisoformat(text)
    except (TypeError, ValueError):
        found = _point(text, zone)
        return None if found is None else found.time()


_DATE_PARTS: dict[str, Callable[[Any], int]] = {
    "year": operator.attrgetter("year"),
    "month": operator.attrgetter("month"),
    "day": operator.attrgetter("day"),
    "quarter": lambda day: (day.month + 2) // 3,
    "week": lambda day: int(day.isocalendar()[1]),
    "iso_year": lambda day: int(day.isocalendar()[0]),
    "week_day": lambda day: int(day.isoweekday() % 7 + 1),
    "iso_week_day": lambda day: int(day.isoweekday()),
}
_TIME_PARTS: dict[str, Callable[[Any], int]] = {
    "hour": operator.attrgetter("hour"),
    "minute": operator.attrgetter("minute"),
    "second": operator.attrgetter("second"),
    "microsecond": operator.attrgetter("microsecond"),
}
_PARTS = {**_DATE_PARTS, **_TIME_PARTS}


def datetime_extract(part: str, text: Any, zone: str | None = None) -> int | None:
    """A part of a date or of a point in time."""
    found = _point(text, zone)
    return None if found is None else _PARTS[part](found)


def time_extract(part: str, text: Any, zone: str | None = None) -> int | None:
    """A part of a time of day."""
    found = _clock(text, zone)
    return None if found is None else _TIME_PARTS[part](found)


def _first_day(unit: str, day: dt.date) -> dt.date:
    if unit == "year":
        return dt.date(day.year, 1, 1)
    if unit == "quarter":
        return dt.date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    if unit == "month":
        return dt.date(day.year, day.month, 1)
    if unit == "week":
        return day - dt.timedelta(days=day.weekday())
    if unit == "day":
        return day
    raise ValueError(f"{unit!r} is no unit of dates; they are year, quarter, month, week, day")


def _first_moment(unit: str, clock: Any) -> Any:
    if unit == "hour":
        return clock.replace(minute=0, second=0, microsecond=0)
    if unit == "minute":
        return clock.replace(second=0, microsecond=0)
    if unit == "second":
        return clock.replace(microsecond=0)
    raise ValueError(f"{unit!r} is no unit of times; they are hour, minute, second")


def date_trunc(unit: str, text: Any, zone: str | None = None) -> str | None:
    """The first day of the year, month, ... as a date."""
    found = _point(text, zone)
    return None if found is None else _first_day(unit, found.date()).isoformat()


def datetime_trunc(unit: str, text: Any, zone: str | None = None) -> str | None:
    """The first moment of the year, ..., second in the zone, as columns hold points in time."""
    found = _point(text, zone)
    if found is None:
        return None
    if unit in _TIME_PARTS:
        first = _first_moment(unit, found)
    else:
        first = dt.datetime.combine(_first_day(unit, found.date()), dt.time.min)
    if zone is not None:
        first = first.replace(tzinfo=time_zone(zone)).astimezone(UTC).replace(tzinfo=None)
    return str(first.isoformat(" "))


def time_trunc(unit: str, text: Any, zone: str | None = None) -> str | None:
    """The first moment of the hour, minute or second, as a time of day."""
    found = _clock(text, zone)
    return None if found is None else str(_first_moment(unit, found).isoformat())


def cast_date(text: Any, zone: str | None = None) -> str | None:
    """The date of a point in time, in the zone."""
    found = _point(text, zone)
    return None if found is None else found.date().isoformat()


def cast_time(text: Any, zone: str | None = None) -> str | None:
    """The time of day of a point in time, in the zone."""
    found = _clock(text, zone)
    return None if found is None else found.isoformat()


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def _operand(value: Any) -> Any:
    """A duration or a number as it is, a text as a point in time."""
    if not isinstance(value, str):
        return value
    try:
        return dt.datetime.combine(_ZERO_DAY, dt.time.fromisoformat(value))
    except ValueError:
        return dt.datetime.fromisoformat(value).replace(tzinfo=None)


def _microseconds(value: dt.timedelta) -> int:
    return value // _MICROSECOND


@_unless_null
def dtdelta(operation: str, left: Any, right: Any) -> Any:
    """Arithmetic of points in time (texts) and durations (microseconds).

    The result is a text in the form of the columns, or microseconds.  Times of day go round at
    midnight.
    """
    try:
        first, second = _operand(left), _operand(right)
    except ValueError:
        return None
    points = [isinstance(value, dt.datetime) for value in (first, second)]
    if not any(points):
        result = _ARITHMETIC[operation](first, second)
        return round(result) if isinstance(result, float) else result
    if all(points):
        return _microseconds(first - second)
    # sqlite gives a duration that was computed as a float
    first, second = (
        value if isinstance(value, dt.datetime) else dt.timedelta(microseconds=round(value))
        for value in (first, second)
    )
    moved = _ARITHMETIC[operation](first, second)
    text: str = left if points[0] else right
    if ":" in text and "-" not in text[:10]:
        return str(moved.time().isoformat())
    if len(text) == _DATE_LENGTH and moved.time() == dt.time.min:
        return str(moved.date().isoformat())  # comparable with other dates, as texts
    return str(moved.isoformat(" "))


@_unless_null
def timestamp_diff(left: Any, right: Any) -> int | None:
    """The microseconds from the right one to the left one of two dates, times or points."""
    try:
        return _microseconds(_operand(left) - _operand(right))
    except (TypeError, ValueError):
        return None


# --- texts -----------------------------------------------------------------------


def regexp(pattern: Any, text: Any) -> bool:
    """What `text REGEXP pattern` calls."""
    return re.search(str(pattern), str(text)) is not None


def lpad(text: Any, length: int, fill: str) -> str:
    shown = str(text)
    missing = max(length - len(shown), 0)
    return ((fill * missing)[:missing] + shown)[: max(length, 0)]


def rpad(text: Any, length: int, fill: str) -> str:
    return (str(text) + fill * max(length, 0))[: max(length, 0)]


def _digest(name: str) -> Callable[[Any], str]:
    def digest(value: Any) -> str:
        data = value if isinstance(value, bytes) else str(value).encode()
        return hashlib.new(name, data, usedforsecurity=False).hexdigest()

    return digest


# --- numbers ---------------------------------------------------------------------


def _power(base: Any, exponent: Any) -> Any:
    result = base**exponent
    if isinstance(result, complex):
        raise ValueError("a negative number to a fractional power")
    return result


def _random() -> float:
    return random.random()


def _uuid4() -> str:
    return uuid.uuid4().hex


def _uuid7() -> str:
    """A UUID that sorts by the millisecond of its making (RFC 9562)."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"


# --- aggregates ------------------------------------------------------------------


class _Spread:
    """The sum of the squared distances from the mean, in one pass (Welford)."""

    least = 1

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def step(self, value: Any) -> None:
        if value is None:
            return
        self.count += 1
        distance = value - self.mean
        self.mean += distance / self.count
        self.squares += distance * (value - self.mean)

    def finalize(self) -> float | None:
        return self.result() if self.count >= self.least else None

    def result(self) -> float:
        return self.squares / (self.count + 1 - self.least)


class VarPop(_Spread):
    """The variance of a population."""


class VarSamp(_Spread):
    """The variance estimated from a sample."""

    least = 2


class StdDevPop(_Spread):
    """The standard deviation of a population."""

    def result(self) -> float:
        return math.sqrt(super().result())


class StdDevSamp(StdDevPop):
    """The standard deviation estimated from a sample."""

    least = 2


class _Fold:
    """Combines the values of a group, one after the other."""

    def __init__(self) -> None:
        self.value: Any = None

    def step(self, value: Any) -> None:
        if value is not None:
            self.value = value if self.value is None else self.combine(self.value, value)

    def combine(self, one: int, other: int) -> int:
        raise NotImplementedError

    def finalize(self) -> Any:
        return self.value


class BitAnd(_Fold):
    def combine(self, one: int, other: int) -> int:
        return one & other


class BitOr(_Fold):
    def combine(self, one: int, other: int) -> int:
        return one | other


class BitXor(_Fold):
    def combine(self, one: int, other: int) -> int:
        return one ^ other


class AnyValue:
    """Some value of the group: the first that is not null."""

    def __init__(self) -> None:
        self.value: Any = None

    def step(self, value: Any) -> None:
        if self.value is None:
            self.value = value

    def finalize(self) -> Any:
        return self.value


# --- what is registered ----------------------------------------------------------

_TIMES: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("aorm_date_extract", 2, datetime_extract),
    ("aorm_datetime_extract", 3, datetime_extract),
    ("aorm_time_extract", 2, time_extract),
    ("aorm_date_trunc", 2, date_trunc),
    ("aorm_date_trunc", 3, date_trunc),
    ("aorm_datetime_trunc", 3, datetime_trunc),
    ("aorm_time_trunc", 2, time_trunc),
    ("aorm_time_trunc", 3, time_trunc),
    ("aorm_datetime_cast_date", 2, cast_date),
    ("aorm_datetime_cast_time", 2, cast_time),
    ("aorm_dtdelta", 3, dtdelta),
    ("aorm_timestamp_diff", 2, timestamp_diff),
)
_PLAIN: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("regexp", 2, regexp),
    ("LPAD", 3, lpad),
    ("RPAD", 3, rpad),
    ("REPEAT", 2, lambda text, count: str(text) * max(count, 0)),
    ("REVERSE", 1, lambda text: str(text)[::-1]),
    *(
        (name, 1, _digest(name.lower()))
        for name in ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")
    ),
    ("ACOS", 1, math.acos),
    ("ASIN", 1, math.asin),
    ("ATAN", 1, math.atan),
    ("ATAN2", 2, math.atan2),
    ("BITXOR", 2, operator.xor),
    ("CEILING", 1, math.ceil),
    ("COS", 1, math.cos),
    ("COT", 1, lambda angle: 1 / math.tan(angle)),
    ("DEGREES", 1, math.degrees),
    ("EXP", 1, math.exp),
    ("FLOOR", 1, math.floor),
    ("LN", 1, math.log),
    ("LOG", 2, lambda base, value: math.log(value, base)),
    ("MOD", 2, math.fmod),
    ("PI", 0, lambda: math.pi),
    ("POWER", 2, _power),
    ("RADIANS", 1, math.radians),
    ("SIGN", 1, lambda value: (value > 0) - (value < 0)),
    ("SIN", 1, math.sin),
    ("SQRT", 1, math.sqrt),
    ("TAN", 1, math.tan),
)
_AGGREGATES: tuple[tuple[str, type], ...] = (
    ("ANY_VALUE", AnyValue),
    ("BIT_AND", BitAnd),
    ("BIT_OR", BitOr),
    ("BIT_XOR", BitXor),
    ("STDDEV_POP", StdDevPop),
    ("STDDEV_SAMP", StdDevSamp),
    ("VAR_POP", VarPop),
    ("VAR_SAMP", VarSamp),
)

#: Name, number of arguments, function (or aggregate: a class with `step` and `finalize`), and
#: whether it is deterministic.
FUNCTIONS: tuple[tuple[str, int, Any, bool], ...] = (
    *((name, count, function, True) for name, count, function in _TIMES),
    *((name, count, _unless_null(function), True) for name, count, function in _PLAIN),
    *((name, 1, aggregate, True) for name, aggregate in _AGGREGATES),
    ("RAND", 0, _random, False),
    ("aorm_uuid4", 0, _uuid4, False),
    ("aorm_uuid7", 0, _uuid7, False),
)
