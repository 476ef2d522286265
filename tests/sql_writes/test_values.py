"""How values are bound and read."""

from __future__ import annotations

import datetime
import math
import uuid
from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aorm import models
from aorm.sql.dialects import json_text
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from sql_writes.models import Author, Book, Everything

UTC = datetime.timezone.utc  # noqa: UP017
BERLIN = datetime.timezone(datetime.timedelta(hours=1))
NAIVE = datetime.datetime(2024, 2, 29, 12, 30, 0, 7)
CHICAGO = {"use_tz": False, "time_zone": "America/Chicago"}


def field(name: str) -> Any:
    return Everything._meta.get_field(name)


def bound(dialect: Any, target: Any, value: Any) -> Any:
    adapt = dialect.adapter(target)
    return value if adapt is None else adapt(value)


@pytest.mark.parametrize(
    ("name", "value", "sqlite"),
    [
        ("moment", NAIVE.replace(tzinfo=BERLIN), "2024-02-29 11:30:00.000007"),
        ("moment", NAIVE, "2024-02-29 12:30:00.000007"),
        ("day", datetime.date(2024, 2, 29), "2024-02-29"),
        ("clock", datetime.time(1, 2), "01:02:00"),
        ("duration", datetime.timedelta(days=-1, microseconds=1), -86399999999),
        ("price", Decimal("2.5"), 2.5),
        ("price", Decimal("2.00"), 2),
        ("price", Decimal(2**63), float(2**63)),
        ("uuid", uuid.UUID(int=255), f"{255:032x}"),
        ("json", {"a": [1, None]}, '{"a": [1, null]}'),
        ("char", None, None),
        ("moment", None, None),
        ("price", None, None),
    ],
)
def test_sqlite_binds_what_django_stores(name: str, value: Any, sqlite: Any) -> None:
    made = bound(SQLITE, field(name), value)
    assert made == sqlite
    assert type(made) is type(sqlite)


def test_postgresql_binds_json_as_text_and_the_rest_as_it_is() -> None:
    assert bound(POSTGRESQL, field("json"), {"a": 1}) == '{"a": 1}'
    for name, value in [("price", Decimal("2.5")), ("uuid", uuid.UUID(int=1)), ("boolean", True)]:
        assert bound(POSTGRESQL, field(name), value) is value


def test_members_of_enumerations_are_bound_as_their_values() -> None:
    class Colour(models.TextChoices):
        RED = "r"

    class Level(models.IntegerChoices):
        HIGH = 3

    assert type(bound(POSTGRESQL, field("char"), Colour.RED)) is str
    assert type(bound(POSTGRESQL, field("integer"), Level.HIGH)) is int


def test_without_time_zones_aware_values_are_refused_by_sqlite() -> None:
    dialect = SQLITE.for_settings(**CHICAGO)
    assert bound(dialect, field("moment"), NAIVE) == "2024-02-29 12:30:00.000007"
    with pytest.raises(ValueError, match="does not support timezone-aware datetimes when USE_TZ"):
        bound(dialect, field("moment"), NAIVE.replace(tzinfo=UTC))
    with pytest.raises(ValueError, match="does not support timezone-aware times"):
        bound(dialect, field("clock"), datetime.time(1, tzinfo=UTC))


def test_without_time_zones_postgresql_means_those_of_the_settings() -> None:
    dialect = POSTGRESQL.for_settings(**CHICAGO)
    made = bound(dialect, field("moment"), NAIVE)
    assert made.astimezone(UTC).replace(tzinfo=None) == NAIVE + datetime.timedelta(hours=6)
    assert dialect.conversion(field("moment")).function(made) == NAIVE


@pytest.mark.parametrize(
    ("name", "stored", "value"),
    [
        ("boolean", 1, True),
        ("day", "2024-02-29", datetime.date(2024, 2, 29)),
        ("clock", "01:02:03.000004", datetime.time(1, 2, 3, 4)),
        ("moment", "2024-02-29 12:30:00.000007", NAIVE.replace(tzinfo=UTC)),
        ("duration", -1, datetime.timedelta(microseconds=-1)),
        ("price", 5, Decimal("5.0000")),
        ("price", 2**60 + 1, Decimal(f"{2**60 + 1}.0000")),
        ("price", 2.5, Decimal("2.5000")),
        ("price", 1234567890123.4, Decimal("1234567890123.4000")),
        ("number", 0.1, Decimal("0.1")),
        ("uuid", f"{255:032x}", uuid.UUID(int=255)),
        ("json", '{"a": [1, null]}', {"a": [1, None]}),
    ],
)
def test_sqlite_reads_what_it_wrote(name: str, stored: Any, value: Any) -> None:
    conversion = SQLITE.conversion(field(name))
    assert conversion is not None
    by_template = eval(conversion.template.format("stored"), dict(conversion.names), locals())
    for made in (by_template, conversion.function(stored)):
        assert repr(made) == repr(value)
    assert conversion.function(None) is None


@given(
    st.one_of(
        st.floats(),
        st.decimals(-(10**9), 10**9, places=6).map(float),
        st.tuples(st.integers(-(10**7), 10**7), st.integers(1, 12)).map(
            lambda p: p[0] / 100 / p[1]
        ),
    ),
    st.integers(-2, 2),
)
def test_a_computed_number_has_the_15_digits_that_a_float_can_vouch_for(
    number: float, off: int
) -> None:
    for _ in range(abs(off)):
        number = math.nextafter(number, math.copysign(math.inf, off))
    conversion = SQLITE.conversion(("expression", field("price")))
    assert conversion is not None
    context = Context(prec=15, traps=[])
    expected = context.create_decimal_from_float(number)
    if not expected.is_finite():
        assert str(conversion.function(number)) == str(expected)
        return
    made = eval(conversion.template.format("number"), dict(conversion.names), {"number": number})
    assert made == expected
    assert conversion.function(number) == expected


@pytest.mark.parametrize(
    ("name", "stored", "value"),
    [
        ("moment", "2024-02-29T13:30:00.000007+01:00", NAIVE.replace(tzinfo=UTC)),
        ("moment", "2024-02-29", datetime.datetime(2024, 2, 29, tzinfo=UTC)),
        ("day", "2024-02-29 00:00:00", datetime.date(2024, 2, 29)),
        ("clock", "1900-01-01 01:02:03", datetime.time(1, 2, 3)),
        ("price", "2.5", Decimal("2.5000")),
        ("uuid", str(uuid.UUID(int=255)), uuid.UUID(int=255)),
        ("json", "no json", "no json"),
    ],
)
def test_sqlite_reads_what_others_wrote(name: str, stored: Any, value: Any) -> None:
    conversion = SQLITE.conversion(field(name))
    assert conversion is not None
    with pytest.raises((ValueError, TypeError)):
        eval(conversion.template.format("stored"), dict(conversion.names), locals())
    assert repr(conversion.function(stored)) == repr(value)


def test_expressions_keep_their_digits() -> None:
    target = ("expression", field("price"))
    assert bound(SQLITE, target, Decimal("1.23456789")) == 1.23456789
    assert SQLITE.conversion(target).function(1 / 3) == Decimal("0.333333333333333")
    assert SQLITE.conversion(("expression", field("real"))).function(2) == 2.0
    assert POSTGRESQL.conversion(("expression", field("integer"))).function(Decimal(2)) == 2


def test_relations_stand_for_what_they_point_to() -> None:
    assert SQLITE.conversion(Book._meta.get_field("author")) is None
    assert POSTGRESQL.adapter(Book._meta.get_field("author")) is POSTGRESQL.adapter(
        Author._meta.get_field("id")
    )


class Reversed(models.CharField):
    """A field of a user: the column holds the text backwards."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return f"<{connection.vendor} {value}>"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return value[::-1]


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=lambda d: d.vendor)
def test_fields_of_users_have_their_say(dialect: Any) -> None:
    own = Reversed(max_length=3)
    conversion = dialect.conversion(own)
    assert conversion.takes_none
    assert conversion.function(None) == f"<{dialect.vendor} None>"
    assert bound(dialect, own, "abc") == "cba"


@pytest.mark.parametrize("loads", [json_text.reader().loads, json_text.scan])
def test_json_is_read_without_loss(loads: Any) -> None:
    for text in ('{"a": 12345678901234567890123}', "[1.5, NaN]", ' {"é": "\\ud83d\\ude00"} '):
        assert repr(loads(text)) == repr(__import__("json").loads(text))
    for text in ("", "{", "1 2", "nothing"):
        with pytest.raises(ValueError, match=r".+"):
            loads(text)
