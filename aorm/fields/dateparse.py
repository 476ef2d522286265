"""Dates, times and durations as text.

Parsers return None for a text of another form, and raise ValueError for one of the right form
that names no date, time or duration.
"""

from __future__ import annotations

import datetime as dt
import re

from aorm.functional import LatePattern
from aorm.timezone import get_fixed_timezone, utc

# What ISO 8601 does not allow, but people write: single digits.
_DATE = r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{1,2})"
    r"(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,6})\d{0,6})?)?"
)
_ZONE = r"\s*(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?"
_date = LatePattern(_DATE + r"\Z", re.ASCII)
_time = LatePattern(_TIME + r"\Z", re.ASCII)
_datetime = LatePattern(_DATE + "[T ]" + _TIME + _ZONE + r"\Z", re.ASCII)

_SECONDS = r"(?P<seconds>\d+)(?:[.,](?P<fraction>\d{1,6})\d{0,6})?"
_clock_duration = LatePattern(
    r"(?:(?P<days>-?\d+)(?: days?(?:, | |\Z)| (?=\S)))?"
    rf"(?:(?P<sign>[-+]?)(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?{_SECONDS})?\Z",
    re.ASCII,
)
_NUMBER = r"\d+(?:[.,]\d+)?"
_iso_duration = LatePattern(
    r"(?P<sign>[-+]?)P(?=.)"
    rf"(?:(?P<weeks>{_NUMBER})W)?(?:(?P<days>{_NUMBER})D)?"
    rf"(?:T(?=.)(?:(?P<hours>{_NUMBER})H)?(?:(?P<minutes>{_NUMBER})M)?"
    rf"(?:(?P<seconds>{_NUMBER})S)?)?\Z",
    re.ASCII,
)


def parse_date(value: str) -> dt.date | None:
    """The date that a text names."""
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        found = _date.match(value)
    if found is None:
        return None
    return dt.date(*map(int, found.groups()))


def parse_time(value: str) -> dt.time | None:
    """The time that a text names; an offset from UTC is left out."""
    try:
        return dt.time.fromisoformat(value).replace(tzinfo=None)
    except ValueError:
        found = _time.match(value)
    return None if found is None else dt.time(*_clock(found))


def parse_datetime(value: str) -> dt.datetime | None:
    """The date and time that a text names, aware where it has an offset from UTC."""
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError:
        found = _datetime.match(value)
    if found is None:
        return None
    year, month, day = int(found["year"]), int(found["month"]), int(found["day"])
    return dt.datetime(year, month, day, *_clock(found), tzinfo=_offset(found["zone"]))


def _clock(found: re.Match[str]) -> tuple[int, int, int, int]:
    fraction = (found["fraction"] or "").ljust(6, "0")
    return int(found["hour"]), int(found["minute"]), int(found["second"] or 0), int(fraction)


def _offset(zone: str | None) -> dt.tzinfo | None:
    if zone is None:
        return None
    if zone == "Z":
        return utc
    minutes = 60 * int(zone[1:3]) + (int(zone[-2:]) if len(zone) > 3 else 0)
    return get_fixed_timezone(-minutes if zone[0] == "-" else minutes)


# --- durations ---------------------------------------------------------------------


def parse_duration(value: str) -> dt.timedelta | None:
    """The duration of `[days ][[hours:]minutes:]seconds[.fraction]`, ISO 8601, or PostgreSQL."""
    found = _clock_duration.match(value) if value else None
    if found is not None:
        return _clock_length(found)
    found = _iso_duration.match(value)
    if found is None:
        return None
    sign = -1 if found["sign"] == "-" else 1
    lengths = {
        unit: float(number.replace(",", "."))
        for unit, number in found.groupdict().items()
        if unit != "sign" and number
    }
    return sign * dt.timedelta(**lengths)


def _clock_length(found: re.Match[str]) -> dt.timedelta:
    days = dt.timedelta(days=int(found["days"] or 0))
    clock = dt.timedelta(
        hours=int(found["hours"] or 0),
        minutes=int(found["minutes"] or 0),
        seconds=int(found["seconds"] or 0),
        microseconds=int((found["fraction"] or "").ljust(6, "0")),
    )
    return days - clock if found["sign"] == "-" else days + clock


def duration_string(duration: dt.timedelta) -> str:
    """The duration as `[days ]HH:MM:SS[.ffffff]`, which `parse_duration` reads."""
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours:02d}:{minutes:02d}:{seconds:02d}"
    if duration.days:
        text = f"{duration.days} {text}"
    if duration.microseconds:
        text += f".{duration.microseconds:06d}"
    return text


def duration_microseconds(duration: dt.timedelta) -> int:
    """The duration as a whole number of microseconds."""
    return (duration.days * 86_400 + duration.seconds) * 1_000_000 + duration.microseconds
