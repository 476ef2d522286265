"""The time zone in force, and aware and naive datetimes.

1. The default zone is the setting TIME_ZONE; `activate` and `override` put another one in force,
   for the running context (task or thread) alone.
2. Whether `now()` is aware says the setting USE_TZ.
"""

from __future__ import annotations

import datetime as dt
from contextlib import ContextDecorator
from contextvars import ContextVar
from types import TracebackType

from aorm.conf import settings
from aorm.late import zoneinfo

__all__ = [
    "activate",
    "deactivate",
    "get_current_timezone",
    "get_current_timezone_name",
    "get_default_timezone",
    "get_default_timezone_name",
    "get_fixed_timezone",
    "is_aware",
    "is_naive",
    "localdate",
    "localtime",
    "make_aware",
    "make_naive",
    "now",
    "override",
    "utc",
]

utc = dt.timezone.utc  # noqa: UP017 - the name that Python 3.11 added is the same object

_active: ContextVar[dt.tzinfo | None] = ContextVar("aorm_active_timezone", default=None)
_default: tuple[int, dt.tzinfo] | None = None


# --- zones -------------------------------------------------------------------------


def get_fixed_timezone(offset: dt.timedelta | float) -> dt.tzinfo:
    """The zone that is so many minutes (or this timedelta) ahead of UTC."""
    if isinstance(offset, dt.timedelta):
        offset = offset.total_seconds() // 60
    sign = "-" if offset < 0 else "+"
    hours, minutes = divmod(abs(int(offset)), 60)
    return dt.timezone(dt.timedelta(minutes=offset), f"{sign}{hours:02d}{minutes:02d}")


def get_default_timezone() -> dt.tzinfo:
    """The zone of the setting TIME_ZONE."""
    global _default
    known = _default
    generation = settings.generation
    if known is None or known[0] != generation:
        known = _default = (generation, zoneinfo.ZoneInfo(settings.TIME_ZONE))
    return known[1]


def get_default_timezone_name() -> str:
    """The name of the zone of the setting TIME_ZONE."""
    return _get_timezone_name(get_default_timezone())


def get_current_timezone() -> dt.tzinfo:
    """The zone in force: the activated one, or the default."""
    return _active.get() or get_default_timezone()


def get_current_timezone_name() -> str:
    """The name of the zone in force."""
    return _get_timezone_name(get_current_timezone())


def _get_timezone_name(zone: dt.tzinfo) -> str:
    """A fixed zone's own name for itself, or the key of one with a history."""
    return zone.tzname(None) or str(zone)


def activate(timezone: dt.tzinfo | str) -> None:
    """Put a zone in force.

    Raises:
        ValueError: it is neither a zone nor a text.
        zoneinfo.ZoneInfoNotFoundError: there is no zone of this name.
    """
    _active.set(_zone(timezone))


def deactivate() -> None:
    """Put the default zone in force."""
    _active.set(None)


def _zone(timezone: dt.tzinfo | str) -> dt.tzinfo:
    if isinstance(timezone, dt.tzinfo):
        return timezone
    if isinstance(timezone, str):
        return zoneinfo.ZoneInfo(timezone)
    raise ValueError(f"Invalid timezone: {timezone!r}")


class override(ContextDecorator):
    """Put a zone in force in a `with` block or a function; None: the default zone."""

    def __init__(self, timezone: dt.tzinfo | str | None) -> None:
        self.timezone = timezone
        # A decorated function may run inside itself.
        self._before: list[dt.tzinfo | None] = []

    def __enter__(self) -> None:
        self._before.append(_active.get())
        if self.timezone is None:
            deactivate()
        else:
            activate(self.timezone)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _active.set(self._before.pop())


# --- datetimes ---------------------------------------------------------------------


def now() -> dt.datetime:
    """The present: aware and in UTC, or naive and local where USE_TZ is off."""
    return dt.datetime.now(tz=utc) if settings.USE_TZ else dt.datetime.now()


def is_aware(value: dt.datetime | dt.time) -> bool:
    """Whether the value knows its offset from UTC."""
    return value.utcoffset() is not None


def is_naive(value: dt.datetime | dt.time) -> bool:
    """Whether the value does not know its offset from UTC."""
    return value.utcoffset() is None


def localtime(value: dt.datetime | None = None, timezone: dt.tzinfo | None = None) -> dt.datetime:
    """An aware datetime (the present) in a zone (that in force).

    Raises:
        ValueError: the datetime is naive.
    """
    value = now() if value is None else value
    timezone = get_current_timezone() if timezone is None else timezone
    if is_naive(value):
        raise ValueError("localtime() cannot be applied to a naive datetime")
    return value.astimezone(timezone)


def localdate(value: dt.datetime | None = None, timezone: dt.tzinfo | None = None) -> dt.date:
    """The day of an aware datetime (the present) in a zone (that in force).

    Raises:
        ValueError: the datetime is naive.
    """
    return localtime(value, timezone).date()


def make_aware(value: dt.datetime, timezone: dt.tzinfo | None = None) -> dt.datetime:
    """A naive datetime as one of a zone (that in force).

    Raises:
        ValueError: the datetime is aware.
    """
    if is_aware(value):
        raise ValueError(f"make_aware expects a naive datetime, got {value}")
    return value.replace(tzinfo=get_current_timezone() if timezone is None else timezone)


def make_naive(value: dt.datetime, timezone: dt.tzinfo | None = None) -> dt.datetime:
    """What a clock in a zone (that in force) shows at an aware datetime.

    Raises:
        ValueError: the datetime is naive.
    """
    if is_naive(value):
        raise ValueError("make_naive() cannot be applied to a naive datetime")
    zone = get_current_timezone() if timezone is None else timezone
    return value.astimezone(zone).replace(tzinfo=None)
