"""Dates, times and durations as text."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest

from aorm.fields.dateparse import (
    duration_microseconds,
    duration_string,
    parse_date,
    parse_datetime,
    parse_duration,
    parse_time,
)


def zone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (parse_date, "2012-04-23", date(2012, 4, 23)),
        (parse_date, "2012-4-9", date(2012, 4, 9)),
        (parse_date, "2012423", None),
        (parse_time, "09:15:00", time(9, 15)),
        (parse_time, "4:8:16", time(4, 8, 16)),
        (parse_time, "10:20:30,400", time(10, 20, 30, 400000)),
        (parse_time, "00:05:23+04:00", time(0, 5, 23)),
        (parse_time, "00:05:", None),
        (parse_time, "4:18:101", None),
        (parse_datetime, "2012-04-23", datetime(2012, 4, 23)),
        (parse_datetime, "2012-4-9 4:8:16", datetime(2012, 4, 9, 4, 8, 16)),
        (parse_datetime, "2012-04-23T09:15:00Z", datetime(2012, 4, 23, 9, 15, tzinfo=UTC)),
        (parse_datetime, "2012-4-9 4:8:16Z", datetime(2012, 4, 9, 4, 8, 16, tzinfo=UTC)),
        (parse_datetime, "2012-4-9 4:8-0320", datetime(2012, 4, 9, 4, 8, tzinfo=zone(-200))),
        (parse_datetime, "2012-04-23T10:20 +02", datetime(2012, 4, 23, 10, 20, tzinfo=zone(120))),
        (parse_datetime, "20120423091500", None),
        (parse_duration, "30", timedelta(seconds=30)),
        (parse_duration, "15:30.0001", timedelta(minutes=15, seconds=30, microseconds=100)),
        (parse_duration, "4 10:15:30", timedelta(days=4, hours=10, minutes=15, seconds=30)),
        (parse_duration, "4 days, 0:00:01", timedelta(days=4, seconds=1)),
        (parse_duration, "1 day", timedelta(days=1)),
        (parse_duration, "-4 days -15:00:30", timedelta(days=-4, hours=-15, seconds=-30)),
        (parse_duration, "-4 15:30", timedelta(days=-4, minutes=15, seconds=30)),
        (parse_duration, "-01:-01", None),
        (parse_duration, "P1W1DT2H", timedelta(days=8, hours=2)),
        (parse_duration, "-P0,5D", timedelta(hours=-12)),
        (parse_duration, "P4Y", None),
        (parse_duration, "P", None),
        (parse_duration, "", None),
    ],
)
def test_texts_are_read(parse, text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("parse", "text"),
    [(parse_date, "2012-04-56"), (parse_time, "09:15:90"), (parse_datetime, "2012-04-56T09:15:90")],
)
def test_right_form_of_nothing_is_an_error(parse, text):
    with pytest.raises(ValueError, match=r"must be in|out of range"):
        parse(text)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=1, minutes=3, seconds=5), "01:03:05"),
        (timedelta(days=1, hours=1, microseconds=12345), "1 01:00:00.012345"),
        (timedelta(days=-1, hours=1, minutes=3, seconds=5), "-1 01:03:05"),
    ],
)
def test_durations_are_written_as_they_are_read(duration, text):
    assert duration_string(duration) == text
    assert parse_duration(text) == duration


def test_microseconds_are_exact():
    for duration in (timedelta.max, timedelta.min, timedelta.resolution):
        assert timedelta(microseconds=duration_microseconds(duration)) == duration
