"""What functions give, on every database and face."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from shop.models import Author, Book

from aorm import timezone
from aorm.models import F, JSONNull, Value, Window
from aorm.models import functions as f

UTC = ZoneInfo("UTC")
MELBOURNE = ZoneInfo("Australia/Melbourne")
MOMENT = dt.datetime(2015, 12, 31, 23, 30, 10, 5, tzinfo=UTC)
DETAILS: list[Any] = [
    {"a": 1, "list": ["x", {"deep": None}], "text": "[1]", "yes": True},
    {"a": 20, "none": None, 'qu"ote': "v"},
    [1, 2, 3],
    "word",
    7,
]


@pytest.fixture
def books(database: Any) -> None:
    author = Author.objects.create(name="Ada")
    for number, details in enumerate(DETAILS):
        Book.objects.create(
            title=f"b{number}", author=author, details=details, published=dt.date(2016, 2, 29)
        )
    Book.objects.update(added=MOMENT)


async def one(ask: Any, expression: Any, title: str = "b0") -> Any:
    """The value of an expression for one book."""
    return await ask(Book.objects.filter(title=title).values_list(expression, flat=True).get)


async def found(ask: Any, **lookups: Any) -> list[int]:
    titles = Book.objects.filter(**lookups).order_by("title").values_list("title", flat=True)
    return [int(title[1:]) for title in await ask(list, titles)]


RESULTS = [
    (f.ExtractYear("added"), 2015),
    (f.ExtractYear("added", tzinfo=MELBOURNE), 2016),
    (f.ExtractIsoYear("published"), 2016),
    (f.ExtractWeekDay("published"), 2),
    (f.ExtractSecond("added"), 10),
    (f.TruncDate("added", tzinfo=MELBOURNE), dt.date(2016, 1, 1)),
    (f.TruncTime("added"), dt.time(23, 30, 10, 5)),
    (f.TruncMonth("published"), dt.date(2016, 2, 1)),
    (f.TruncDay("added", tzinfo=MELBOURNE), dt.datetime(2016, 1, 1, tzinfo=MELBOURNE)),
    (F("added") + dt.timedelta(days=1), MOMENT + dt.timedelta(days=1)),
    (F("added") - Value(MOMENT), dt.timedelta(0)),
    (f.Concat("title", Value(":"), Value(None)), "b0:"),
    (f.Left("title", 1), "b"),
    (f.LPad("title", 4, Value("xy")), "xyb0"),
    (f.StrIndex("title", Value("0")), 2),
    (f.Repeat("title", 2), "b0b0"),
    (F("title")[1:], "0"),
    (f.Round(Value(Decimal("2.345")), 2), Decimal("2.35")),
    (f.NullIf("title", Value("b0")), None),
    (f.JSONArray("title", f.JSONObject(n="pages")), ["b0", {"n": 0}]),
    (F("details__list"), ["x", {"deep": None}]),
    (F("details__list__-1"), {"deep": None}),
    (F("details__text"), "[1]"),
    (F("details__yes"), True),
    (F("details__missing"), None),
    (Window(f.RowNumber(), order_by="title"), 1),
]


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize(("expression", "expected"), RESULTS, ids=lambda value: repr(value)[:40])
async def test_value(ask: Any, expression: Any, expected: Any) -> None:
    assert await one(ask, expression) == expected


LOOKUPS = [
    ({"details__a": 1}, [0]),
    ({"details__a__gt": 1}, [1]),
    ({"details__a__in": [1, "x"]}, [0]),
    ({"details__list__0": "x"}, [0]),
    ({"details__list__1": {"deep": None}}, [0]),
    ({"details__list__1__deep": None}, [0]),
    ({"details__yes": True}, [0]),
    ({"details__none": JSONNull()}, [1]),
    ({"details__none__isnull": False}, [1]),
    ({'details__qu"ote__startswith': "v"}, [1]),
    ({"details__has_key": "a"}, [0, 1]),
    ({"details__has_key": 'qu"ote'}, [1]),
    ({"details__has_any_keys": ['qu"ote', "list"]}, [0, 1]),
    ({"details__has_keys": ['qu"ote', "list"]}, []),
    ({'details__qu"ote': "v"}, [1]),
    ({"details__has_keys": ["a", "list"]}, [0]),
    ({"details__has_any_keys": ["list", "none"]}, [0, 1]),
    ({"details__has_key": F("details__list__1__deep")}, [0]),
    ({"details": 7}, [4]),
    ({"details__in": ["word", [1, 2, 3]]}, [2, 3]),
    ({"details__0": 1}, [2]),
    ({"details__text__icontains": "1"}, [0]),
    ({"added__year": 2015, "published__month": 2}, [0, 1, 2, 3, 4]),
    ({"added__date": dt.date(2016, 1, 1)}, []),
    ({"added": f.TruncYear("added")}, []),
]


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize(("lookups", "expected"), LOOKUPS, ids=lambda value: str(value)[:40])
async def test_lookup(ask: Any, lookups: dict[str, Any], expected: list[int]) -> None:
    assert await found(ask, **lookups) == expected


@pytest.mark.usefixtures("books")
def test_zone_in_force_is_that_of_the_run() -> None:
    days = Book.objects.order_by("title").values_list(f.TruncDay("added"), flat=True)
    assert days[0] == dt.datetime(2015, 12, 31, tzinfo=UTC)
    with timezone.override(MELBOURNE):
        there = days.all()[0]
    assert there == dt.datetime(2016, 1, 1, tzinfo=MELBOURNE)
    assert there.tzinfo is MELBOURNE


@pytest.mark.usefixtures("books")
def test_truncated_moment_compares_as_the_moment_it_is() -> None:
    Book.objects.filter(title="b1").update(added=dt.datetime(2016, 1, 1, tzinfo=MELBOURNE))
    with timezone.override(MELBOURNE):
        assert Book.objects.get(added=f.TruncYear("added")).title == "b1"


@pytest.mark.usefixtures("books")
async def test_now_is_the_present(ask: Any) -> None:
    now = await one(ask, f.Now())
    assert abs(now - dt.datetime.now(UTC)) < dt.timedelta(minutes=1)
