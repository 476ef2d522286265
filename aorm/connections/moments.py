"""Moments in raw statements on PostgreSQL, whose columns keep them with a time zone.

Without USE_TZ a naive moment is local time (TIME_ZONE), where the session would take it for UTC.
With it, results are in the time zone of the database (`settings_dict["TIME_ZONE"]`, else UTC).
SQLite keeps texts, which are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from aorm.connections.connection import RawResult
from aorm.errors import ImproperlyConfigured
from aorm.late import zoneinfo


class DatabaseSettings(dict[str, Any]):
    """`connection.settings_dict`: what Django keeps there, as far as aorm has a use for it."""

    def __init__(self, vendor: str) -> None:
        super().__init__(TIME_ZONE=None)
        self._vendor = vendor

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "TIME_ZONE" and value is not None:
            if self._vendor == "sqlite":
                raise ImproperlyConfigured(
                    "a database of SQLite has no TIME_ZONE: under USE_TZ it keeps moments in UTC,"
                    " else in the setting TIME_ZONE"
                )
            zone_of(value)
        super().__setitem__(name, value)


def zone_of(name: str) -> tzinfo:
    """The time zone of a name; ImproperlyConfigured where there is none."""
    if name == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise ImproperlyConfigured(f"there is no time zone {name!r}") from error


def given(params: Sequence[Any], dialect: Any) -> Sequence[Any]:
    """The values of a statement, with naive moments as what they mean."""
    if dialect.use_tz or not any(_is_naive(value) for value in params):
        return params
    zone = zone_of(dialect.time_zone)
    return [value.replace(tzinfo=zone) if _is_naive(value) else value for value in params]


def _is_naive(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is None


def returned(result: RawResult, dialect: Any, zone_name: str) -> RawResult:
    """The result with its moments as the settings want them: naive and local, or in a zone."""
    if not result.rows or not any(_is_moment(value) for row in result.rows for value in row):
        return result
    zone = zone_of(zone_name)

    def shown(value: Any) -> Any:
        if not _is_moment(value):
            return value
        moved = value.astimezone(zone)
        return moved if dialect.use_tz else moved.replace(tzinfo=None)

    rows = [tuple(map(shown, row)) for row in result.rows]
    return RawResult(rows, result.rowcount, result.description, result.lastrowid)


def _is_moment(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None
