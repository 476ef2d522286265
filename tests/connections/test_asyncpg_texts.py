"""Values that asyncpg reads as text: as through psycopg, beside types it cannot read so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aorm import steps
from aorm.connections import arun
from aorm.errors import DataError

MOMENT = datetime(2024, 2, 29, 12, 30, 5, 70_000, tzinfo=UTC)
ROWS = [
    ("'2024-02-29 14:30:05.07+02'::timestamptz", [MOMENT]),
    ("'2024-02-29 12:30:05.07'::timestamp", [MOMENT.replace(tzinfo=None)]),
    ("1.50::numeric(20,2), NULL::numeric, 7::numeric", [Decimal("1.50"), None, Decimal(7)]),
    ("'0001-01-01 00:00:00.5+00'::timestamptz", [datetime(1, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)]),
    (
        "'2024-02-29 12:30:05.07+00'::timestamptz, ARRAY[1.5, NULL]",
        [MOMENT, [Decimal("1.5"), None]],
    ),
]


@pytest.mark.parametrize("kind", ["postgresql", "psycopg"])
@pytest.mark.parametrize(("columns", "values"), ROWS)
def test_values_are_the_same_on_both_drivers(configured, kind, columns, values):
    database = configured(kind)
    rows = asyncio.run(arun(steps.fetch(f"SELECT {columns}"), database))
    assert list(rows[0]) == values
    assert [str(value) for value in rows[0]] == [str(value) for value in values]


@pytest.mark.parametrize("kind", ["postgresql", "psycopg"])
@pytest.mark.parametrize("text", ["infinity", "0044-03-15 BC", "10044-03-15"])
def test_moments_that_python_cannot_hold_are_refused(configured, kind, text):
    database = configured(kind)

    async def main():
        with pytest.raises(DataError):
            await arun(steps.fetch(f"SELECT '{text}'::timestamptz"), database)
        return await arun(steps.fetch("SELECT 1"), database)

    assert asyncio.run(main())[0][0] == 1


def test_ranges_and_composites_beside_moments(configured):
    database = configured("postgresql")

    async def main():
        await arun(steps.fetch("SELECT now(), 1.5"), database)
        rows = await arun(
            steps.fetch("SELECT $1::timestamptz, numrange(1, 2), ROW(1.5, 'a')", (MOMENT,)),
            database,
        )
        return rows[0]

    moment, span, row = asyncio.run(main())
    assert moment == MOMENT
    assert (span.lower, span.upper) == (Decimal(1), Decimal(2))
    assert tuple(row) == (Decimal("1.5"), "a")


@pytest.mark.parametrize("kind", ["postgresql", "psycopg"])
def test_parameters_beside_such_columns(configured, kind):
    database = configured(kind)
    sql = "SELECT $1::timestamptz, $2::numeric, $3::timestamp, $4::numeric[]"
    values = (MOMENT, Decimal("2.50"), MOMENT.replace(tzinfo=None), [Decimal("1.0"), None])
    rows = asyncio.run(arun(steps.fetch(sql, values), database))
    assert list(rows[0]) == list(values)


def test_a_wrong_parameter_is_a_data_error(configured):
    database = configured("postgresql")

    async def main():
        with pytest.raises(DataError, match="expected a datetime, got str"):
            await arun(steps.fetch("SELECT $1::timestamptz", ("now",)), database)
        with pytest.raises(DataError, match="without time zone"):
            await arun(steps.fetch("SELECT $1::timestamp", (MOMENT,)), database)

    asyncio.run(main())
