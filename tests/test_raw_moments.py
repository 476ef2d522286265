"""Moments in statements of the user's own: what goes in, and what comes out, by the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from shop.models import Author, Book
from support import Ask, needs

import aorm
from aorm.errors import ImproperlyConfigured

SUMMER = datetime(2024, 7, 1, 12, 30)
FIND = "SELECT added FROM shop_book WHERE added = %s"


@pytest.fixture
def local(database: Any) -> Iterator[None]:
    aorm.settings.USE_TZ, aorm.settings.TIME_ZONE = False, "Africa/Nairobi"
    yield
    del aorm.settings.USE_TZ, aorm.settings.TIME_ZONE


@pytest.fixture
def paris(database: Any) -> Iterator[Any]:
    """`paris()` lets the database be in Paris up to the end of the test."""
    yield lambda: database.settings_dict.__setitem__("TIME_ZONE", "Europe/Paris")
    database.settings_dict["TIME_ZONE"] = None


async def _book_added_at(ask: Ask, moment: datetime) -> None:
    author = await ask(Author.objects.create, name="a")
    book = await ask(Book.objects.create, title="t", author=author)
    await ask(Book.objects.filter(pk=book.pk).update, added=moment)


@needs("time_zones")
@pytest.mark.usefixtures("local")
async def test_without_use_tz_naive_moments_are_local(ask: Ask, database: Any) -> None:
    await _book_added_at(ask, SUMMER)
    rows = await ask(database.execute, FIND, [SUMMER])
    assert [tuple(row) for row in rows] == [(SUMMER,)]
    later = SUMMER.replace(hour=13)
    await ask(database.execute, "UPDATE shop_book SET added = %s", [later])
    assert (await ask(Book.objects.get)).added == later


@needs("time_zones")
async def test_under_use_tz_moments_are_in_utc_or_in_the_zone_of_the_database(
    ask: Ask, database: Any, paris: Callable[[], None]
) -> None:
    moment = SUMMER.replace(tzinfo=UTC)
    await _book_added_at(ask, moment)
    ((found,),) = await ask(database.execute, FIND, [moment])
    assert (found, found.tzinfo) == (moment, UTC)
    paris()
    ((found,),) = await ask(database.execute, FIND, [moment])
    assert (found, str(found.tzinfo), found.hour) == (moment, "Europe/Paris", 14)


@needs("time_zones")
def test_a_zone_that_is_not_there_is_refused(database: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="Europe/Nowhere"):
        database.settings_dict["TIME_ZONE"] = "Europe/Nowhere"


@needs("inline_foreign_keys_only")
def test_sqlite_has_no_zone_of_its_own(database: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="UTC"):
        database.settings_dict["TIME_ZONE"] = "Europe/Paris"
