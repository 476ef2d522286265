"""Values as SQL text."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from aorm.sql.literals import literal
from aorm.steps import Operation, fetch
from sql_writes.models import Everything

MOMENT = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc)  # noqa: UP017


@pytest.mark.parametrize(
    ("value", "sqlite", "postgresql"),
    [
        (None, "NULL", "NULL"),
        (True, "1", "true"),
        (7, "7", "7"),
        (-7, "(-7)", "(-7)"),
        (1.5, "1.5", "1.5"),
        (float("inf"), "9e999", "'inf'::double precision"),
        ("it's", "'it''s'", "'it''s'"),
        ("back\\slash'", "'back\\slash'''", "E'back\\\\slash'''"),
        (b"\x00a", "X'0061'", "'\\x0061'::bytea"),
        (Decimal("1E+2"), "100", "100"),
        (datetime.date(2024, 2, 29), "'2024-02-29'", "'2024-02-29'::date"),
        (
            MOMENT,
            "'2024-02-29 12:30:00'",
            "'2024-02-29T12:30:00+00:00'::timestamp with time zone",
        ),
        (
            datetime.timedelta(days=-1, seconds=2),
            "(-86398000000)",
            "'-1 days 2.000000 seconds'::interval",
        ),
        (
            uuid.UUID(int=5),
            "'00000000000000000000000000000005'",
            "'00000000-0000-0000-0000-000000000005'::uuid",
        ),
    ],
)
def test_literals(value: Any, sqlite: str, postgresql: str) -> None:
    assert literal(value, SQLITE) == sqlite
    assert literal(value, POSTGRESQL) == postgresql


def test_field_decides_where_it_is_known() -> None:
    json = Everything._meta.get_field("json")
    assert literal({"a": "'"}, SQLITE, json) == """'{"a": "''"}'"""
    assert literal({"a": 1}, POSTGRESQL, json) == """'{"a": 1}'::jsonb"""
    assert literal("7", POSTGRESQL, Everything._meta.get_field("integer")) == "7"


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="null character"):
        literal("\0", SQLITE)
    with pytest.raises(TypeError, match="object cannot be written as SQL"):
        literal(object(), POSTGRESQL)


@pytest.mark.parametrize("value", ['it\'s \\ "x" %s $1 ?', "é\n\t", -1.5e-300, 2**62, b"\xff\x00"])
def test_database_reads_what_was_meant(
    value: Any, database: Any, perform: Callable[[Operation[Any]], Any]
) -> None:
    (row,) = perform(fetch(f"SELECT {literal(value, database.dialect)}"))
    assert row[0] == value or float(row[0]) == value
