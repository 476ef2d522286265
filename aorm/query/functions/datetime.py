"""Parts and beginnings of dates, times and points in time.

1. Under USE_TZ a point in time is looked at in a time zone: that of `tzinfo`, or the one that is
   in force when the query runs.  The zone is a parameter, so that a query fits every zone.
2. What has no point in time (a date, a time of day) has no zone, and refuses `tzinfo`.
3. A truncated point in time is a point in time again, and comes back as one of that zone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from aorm import timezone
from aorm.conf import settings
from aorm.errors import QueryTypeError, QueryValueError, listed
from aorm.fields.dates import DateField, DateTimeField, DurationField, TimeField
from aorm.fields.numbers import IntegerField
from aorm.query.expressions import Func, Transform
from aorm.query.lookups import YearExact, YearGt, YearGte, YearLt, YearLte

__all__ = [
    "Extract",
    "ExtractDay",
    "ExtractHour",
    "ExtractIsoWeekDay",
    "ExtractIsoYear",
    "ExtractMinute",
    "ExtractMonth",
    "ExtractQuarter",
    "ExtractSecond",
    "ExtractWeek",
    "ExtractWeekDay",
    "ExtractYear",
    "Now",
    "TimezoneMixin",
    "Trunc",
    "TruncBase",
    "TruncDate",
    "TruncDay",
    "TruncHour",
    "TruncMinute",
    "TruncMonth",
    "TruncQuarter",
    "TruncSecond",
    "TruncTime",
    "TruncWeek",
    "TruncYear",
]

_TIME_KINDS = frozenset({"hour", "minute", "second"})
_NOT_IN_DURATIONS = frozenset(
    {"year", "iso_year", "month", "week", "week_day", "iso_week_day", "quarter"}
)


#: What all databases can take of a date or time, and what PostgreSQL alone can (its section 9.9).
_PARTS = (
    frozenset({"day", "quarter"})
    | _TIME_KINDS
    | _NOT_IN_DURATIONS
    | {"century", "date", "decade", "dow", "doy", "epoch", "isodow", "isoyear", "julian"}
    | {"microseconds", "millennium", "milliseconds", "time"}
    | {"timezone", "timezone_hour", "timezone_minute"}
)


def _zone(given: Any) -> dt.tzinfo | None:
    if given is None or isinstance(given, dt.tzinfo):
        return given
    raise QueryTypeError(f"tzinfo must be a datetime.tzinfo, such as a ZoneInfo, not {given!r}")


def zone_name(zone: dt.tzinfo) -> str:
    """The name by which databases know a zone: an offset's own, or the key of one with history."""
    return zone.tzname(None) or str(zone)


class TimezoneMixin:
    """A function of a point in time that looks at it in a time zone."""

    tzinfo: dt.tzinfo | None = None

    def get_tzname(self) -> str | None:
        """The name of the zone; None where USE_TZ is off."""
        if not settings.USE_TZ:
            return None
        if self.tzinfo is None:
            return timezone.get_current_timezone_name()
        return zone_name(self.tzinfo)

    def _check_zone(self, field: Any) -> None:
        if self.tzinfo is not None and not isinstance(field, DateTimeField):
            raise QueryValueError("tzinfo can only be used with DateTimeField.")


# --- parts ---------------------------------------------------------------------------


class Extract(TimezoneMixin, Transform):
    """A part of a date, a time, a point in time or a duration, as an integer.

    Args:
        expression: what it is a part of.
        lookup_name: the part: "year", "iso_year", "quarter", "month", "week", "day",
            "week_day" (1 is Sunday), "iso_week_day" (1 is Monday), "hour", "minute", "second".
        tzinfo: the time zone for points in time.

    Raises:
        ValueError: there is no such part in what was given.
    """

    def __init__(
        self,
        expression: Any,
        lookup_name: str | None = None,
        tzinfo: dt.tzinfo | None = None,
        **extra: Any,
    ) -> None:
        if self.lookup_name is None:
            if lookup_name is None:
                raise QueryValueError("lookup_name must be provided")
            if lookup_name not in _PARTS:
                raise QueryValueError(
                    f"Invalid lookup_name: {lookup_name!r}; parts are {listed(_PARTS)}"
                )
            self.lookup_name = lookup_name
        self.tzinfo = _zone(tzinfo)
        super().__init__(expression, **extra)

    def _resolve_output_field(self) -> Any:
        return _INTEGER

    def mapped(self, change: Callable[[Any], Any]) -> Any:
        # A reference to an outer query becomes a column without `resolve`.
        changed = super().mapped(change)
        if changed is not self:
            changed._check(changed.lhs._output_field_or_none)
        return changed

    def _check(self, field: Any) -> None:
        name = self.lookup_name
        if field is None:
            return
        if not isinstance(field, DateField | TimeField | DurationField):
            raise QueryValueError(
                "Extract input expression must be DateField, DateTimeField, TimeField, or "
                "DurationField."
            )
        if type(field) is DateField and name in _TIME_KINDS:
            raise QueryValueError(
                f"Cannot extract time component {name!r} from DateField {field.name!r}."
            )
        if isinstance(field, DurationField) and name in _NOT_IN_DURATIONS:
            raise QueryValueError(
                f"Cannot extract component {name!r} from DurationField {field.name!r}."
            )
        self._check_zone(field)

    # --- years as bounds --------------------------------------------------------------

    @property
    def bounded_by_year(self) -> bool:
        """Whether a comparison with a year is one of the column with the bounds of that year."""
        return False

    def bounds_of(self, field: Any, year: int) -> tuple[Any, Any]:
        """The first and the last value of a field in a year, in the zone in force."""
        first, last = self._days_of(year)
        if not isinstance(field, DateTimeField):
            return first, last
        start = dt.datetime.combine(first, dt.time.min)
        end = dt.datetime.combine(last, dt.time.max)
        if not settings.USE_TZ:
            return start, end
        return timezone.make_aware(start), timezone.make_aware(end)

    def _days_of(self, year: int) -> tuple[dt.date, dt.date]:
        return dt.date(year, 1, 1), dt.date(year, 12, 31)


_INTEGER = IntegerField()


class _YearBounds(Extract):
    @property
    def bounded_by_year(self) -> bool:
        return self.tzinfo is None


class ExtractYear(_YearBounds):
    """The year."""

    lookup_name = "year"


class ExtractIsoYear(_YearBounds):
    """The year that the week belongs to, as ISO 8601 counts weeks."""

    lookup_name = "iso_year"

    def _days_of(self, year: int) -> tuple[dt.date, dt.date]:
        first = dt.date.fromisocalendar(year, 1, 1)
        # The 28th of December is always in the last week of its year.
        weeks = dt.date(year, 12, 28).isocalendar()[1]
        try:
            last = dt.date.fromisocalendar(year, weeks, 7)
        except (ValueError, OverflowError):
            last = dt.date.max
        return first, last


class ExtractMonth(Extract):
    """The month, from 1 to 12."""

    lookup_name = "month"


class ExtractDay(Extract):
    """The day of the month."""

    lookup_name = "day"


class ExtractWeek(Extract):
    """The number of the week, as ISO 8601 counts: weeks begin on Mondays."""

    lookup_name = "week"


class ExtractWeekDay(Extract):
    """The day of the week, from 1 for Sunday to 7."""

    lookup_name = "week_day"


class ExtractIsoWeekDay(Extract):
    """The day of the week, from 1 for Monday to 7."""

    lookup_name = "iso_week_day"


class ExtractQuarter(Extract):
    """The quarter, from 1 to 4."""

    lookup_name = "quarter"


class ExtractHour(Extract):
    """The hour."""

    lookup_name = "hour"


class ExtractMinute(Extract):
    """The minute."""

    lookup_name = "minute"


class ExtractSecond(Extract):
    """The second, without its fraction."""

    lookup_name = "second"


for _part in (
    ExtractYear,
    ExtractIsoYear,
    ExtractMonth,
    ExtractDay,
    ExtractWeekDay,
    ExtractIsoWeekDay,
    ExtractWeek,
    ExtractQuarter,
):
    DateField.register_lookup(_part)
for _clock_part in (ExtractHour, ExtractMinute, ExtractSecond):
    TimeField.register_lookup(_clock_part)
    DateTimeField.register_lookup(_clock_part)
for _transform in (ExtractYear, ExtractIsoYear):
    for _lookup in (YearExact, YearGt, YearGte, YearLt, YearLte):
        _transform.register_lookup(_lookup)


# --- beginnings ------------------------------------------------------------------------


class TruncBase(TimezoneMixin, Transform):
    """The beginning of the year, month, ... that a value lies in."""

    kind: str = ""
    _fixed_field: Any = None

    def __init__(
        self,
        expression: Any,
        output_field: Any = None,
        tzinfo: dt.tzinfo | None = None,
        **extra: Any,
    ) -> None:
        self.tzinfo = _zone(tzinfo)
        super().__init__(expression, output_field=output_field, **extra)

    @property  # type: ignore[misc]
    def output_field(self) -> Any:
        if self._fixed_field is not None:
            return self._fixed_field
        return super().output_field

    def mapped(self, change: Callable[[Any], Any]) -> Any:
        # A reference to an outer query becomes a column without `resolve`.
        changed = super().mapped(change)
        if changed is not self:
            changed._check(changed.lhs._output_field_or_none)
        return changed

    def _check(self, field: Any) -> None:
        if field is None:
            return
        if not isinstance(field, DateField | TimeField):
            raise QueryTypeError(f"{field.name!r} isn't a DateField, TimeField, or DateTimeField.")
        output = self.output_field
        if not isinstance(output, DateField | TimeField):
            raise QueryValueError(
                "output_field must be either DateField, TimeField, or DateTimeField"
            )
        if self._cannot_be(field, output):
            chosen = self._fixed_field is not None or type(output) is not type(field)
            target = type(output).__name__ if chosen else "DateTimeField"
            raise QueryValueError(
                f"Cannot truncate {type(field).__name__} {field.name!r} to {target}"
            )
        self._check_zone(field)

    def _cannot_be(self, field: Any, output: Any) -> bool:
        """Whether the result would have a part that the operand does not have."""
        if isinstance(field, DateTimeField):
            return False
        lacking = _TIME_KINDS | {"time"} if isinstance(field, DateField) else _DATE_KINDS
        return isinstance(output, DateTimeField) or self.kind in lacking


_DATE_KINDS = frozenset({"year", "quarter", "month", "week", "day", "date"})


_UNITS = (_DATE_KINDS - {"date"}) | _TIME_KINDS


class Trunc(TruncBase):
    """The beginning of the unit of time that a value lies in.

    Args:
        expression: a date, a time or a point in time.
        kind: "year", "quarter", "month", "week", "day", "hour", "minute" or "second".
        output_field: what the result is, where it is not of the kind of the operand.
        tzinfo: the time zone for points in time.

    Raises:
        TypeError: the operand is none of these.
        ValueError: the operand does not have such units.
    """

    def __init__(
        self,
        expression: Any,
        kind: str,
        output_field: Any = None,
        tzinfo: dt.tzinfo | None = None,
        **extra: Any,
    ) -> None:
        if kind not in _UNITS:
            raise QueryValueError(f"Invalid kind: {kind!r}; units are {listed(_UNITS)}")
        self.kind = kind
        super().__init__(expression, output_field=output_field, tzinfo=tzinfo, **extra)


class TruncYear(TruncBase):
    """The beginning of the year."""

    kind = "year"


class TruncQuarter(TruncBase):
    """The beginning of the quarter."""

    kind = "quarter"


class TruncMonth(TruncBase):
    """The beginning of the month."""

    kind = "month"


class TruncWeek(TruncBase):
    """The Monday of the week."""

    kind = "week"


class TruncDay(TruncBase):
    """The beginning of the day."""

    kind = "day"


class TruncDate(TruncBase):
    """The date of a point in time."""

    kind = "date"
    lookup_name = "date"
    _fixed_field = DateField()


class TruncTime(TruncBase):
    """The time of day of a point in time."""

    kind = "time"
    lookup_name = "time"
    _fixed_field = TimeField()


class TruncHour(TruncBase):
    """The beginning of the hour."""

    kind = "hour"


class TruncMinute(TruncBase):
    """The beginning of the minute."""

    kind = "minute"


class TruncSecond(TruncBase):
    """The beginning of the second."""

    kind = "second"


DateTimeField.register_lookup(TruncDate)
DateTimeField.register_lookup(TruncTime)


class Now(Func):
    """The present, by the clock of the database."""

    arity = 0

    def _resolve_output_field(self) -> Any:
        return _PRESENT


_PRESENT = DateTimeField()
