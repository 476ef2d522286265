"""What SQLite connections get besides SQLite's own functions."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from aorm.sql.dialects.sqlite_functions import FUNCTIONS


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:")
    for name, count, function, deterministic in FUNCTIONS:
        if isinstance(function, type):
            made.create_aggregate(name, count, function)
        else:
            made.create_function(name, count, function, deterministic=deterministic)
    yield made
    made.close()


MOMENT = "'2024-01-07 23:30:15.25'"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (f"aorm_datetime_extract('hour', {MOMENT}, 'Asia/Kathmandu')", 5),
        (f"aorm_datetime_extract('day', {MOMENT}, 'UTC+00:30')", 8),
        (f"aorm_datetime_extract('day', {MOMENT}, NULL)", 7),
        (f"aorm_datetime_extract('week_day', {MOMENT}, NULL)", 1),
        (f"aorm_datetime_extract('iso_week_day', {MOMENT}, NULL)", 7),
        ("aorm_date_extract('quarter', '2024-12-31')", 4),
        ("aorm_date_extract('iso_year', '2024-12-31')", 2025),
        ("aorm_date_extract('week', '2024-12-31')", 1),
        ("aorm_date_extract('week', NULL)", None),
        ("aorm_date_extract('year', 'nonsense')", None),
        ("aorm_time_extract('second', '01:02:03.5')", 3),
        (f"aorm_datetime_trunc('week', {MOMENT}, 'Europe/Berlin')", "2024-01-07 23:00:00"),
        (f"aorm_datetime_trunc('minute', {MOMENT}, NULL)", "2024-01-07 23:30:00"),
        ("aorm_date_trunc('quarter', '2024-12-31')", "2024-10-01"),
        ("aorm_time_trunc('hour', '01:02:03.5')", "01:00:00"),
        (f"aorm_datetime_cast_date({MOMENT}, 'Europe/Berlin')", "2024-01-08"),
        (f"aorm_datetime_cast_time({MOMENT}, '-0300')", "20:30:15.250000"),
        ("aorm_dtdelta('+', '2024-01-01', 86400000000)", "2024-01-02"),
        ("aorm_dtdelta('+', '2024-01-01', 3600000000)", "2024-01-01 01:00:00"),
        ("aorm_dtdelta('-', '2024-01-01 00:00:00.5', 1000000)", "2023-12-31 23:59:59.500000"),
        ("aorm_dtdelta('+', 3600000000, '23:30:00')", "00:30:00"),
        ("aorm_dtdelta('*', 10, 2.5)", 25),
        ("aorm_dtdelta('-', '2024-01-02', '2024-01-01')", 86400000000),
        ("aorm_timestamp_diff('2024-01-02', '2024-01-01 12:00:00')", 43200000000),
        ("aorm_timestamp_diff(NULL, '12:00:00')", None),
        ("'abc' REGEXP '(?i)B'", 1),
        ("NULL REGEXP 'b'", None),
        ("LPAD('abc', 5, 'xy')", "xyabc"),
        ("RPAD('abc', 2, 'x')", "ab"),
        ("REPEAT('ab', -1)", ""),
        ("REVERSE('abc')", "cba"),
        ("SHA224('a')", "abd37534c7d9a2efb9465de931cd7055ffdb8879563ae98078d6d6d5"),
        ("POWER(2, 10)", 1024),
        ("LOG(2, 8)", 3.0),
        ("SIGN(-2.5)", -1),
        ("CEILING(1.2)", 2),
        ("BITXOR(6, 3)", 5),
        ("SQRT(NULL)", None),
    ],
)
def test_functions(connection: sqlite3.Connection, expression: str, value: Any) -> None:
    assert connection.execute(f"SELECT {expression}").fetchone() == (value,)


@pytest.mark.parametrize(
    ("aggregate", "values", "result"),
    [
        ("VAR_POP", [2, 4, 9, None], 26 / 3),
        ("VAR_SAMP", [2, 4, 9], 13),
        ("VAR_SAMP", [2], None),
        ("STDDEV_POP", [2, 4, 9], math.sqrt(26 / 3)),
        ("STDDEV_SAMP", [2, 4, 9], math.sqrt(13)),
        ("STDDEV_POP", [], None),
        ("BIT_AND", [6, 3, None], 2),
        ("BIT_OR", [6, 3], 7),
        ("BIT_XOR", [6, 3], 5),
        ("ANY_VALUE", [None, 3], 3),
        ("ANY_VALUE", [None], None),
    ],
)
def test_aggregates(
    connection: sqlite3.Connection, aggregate: str, values: list[Any], result: Any
) -> None:
    rows = " UNION ALL ".join(f"SELECT {'NULL' if v is None else v} AS x" for v in values)
    found = connection.execute(
        f"SELECT {aggregate}(x) FROM ({rows or 'SELECT 1 AS x WHERE 0'})"
    ).fetchone()[0]
    assert found == (result if result is None else pytest.approx(result))


def test_uuids_of_version_seven_sort_by_time(connection: sqlite3.Connection) -> None:
    (first,) = connection.execute("SELECT aorm_uuid7()").fetchone()
    assert (len(first), first[12]) == (32, "7")
