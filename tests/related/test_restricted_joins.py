"""Joins with a condition of their own, `get_extra_restriction`, whose values may change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import aorm
from related.restricted import ALL, Page, Text, language


@pytest.fixture
def pages(database: Any) -> Iterator[None]:
    aorm.create_tables(*ALL)
    for name in "one", "two":
        page = Page.objects.create(name=name)
        Text.objects.create(page=page, language="en", title=f"English {name}")
    Text.objects.create(page_id=1, language="fi", title="Suomi")
    yield
    aorm.drop_tables(*ALL)


async def in_language(ask: Any, wanted: str, queryset: Any) -> list[Any]:
    token = language.set(wanted)
    await ask.in_thread(language.set, wanted)
    try:
        return await ask(list, queryset)
    finally:
        language.reset(token)


@pytest.mark.usefixtures("pages")
async def test_the_values_of_a_restriction_are_those_of_each_use(ask):
    titles = Page.objects.order_by("pk").values_list("text__title", flat=True)
    assert await in_language(ask, "en", titles.all()) == ["English one", "English two"]
    assert await in_language(ask, "fi", titles.all()) == ["Suomi", None]
    assert await in_language(ask, "en", titles.all()) == ["English one", "English two"]


@pytest.mark.usefixtures("pages")
async def test_a_restriction_counts_in_conditions_and_inside_of_subqueries(ask):
    named = Page.objects.filter(text__title__startswith="S").order_by("pk")
    outer = Text.objects.filter(page__in=named).order_by("pk").values_list("language", flat=True)
    assert await in_language(ask, "en", named.all()) == []
    assert [page.name for page in await in_language(ask, "fi", named.all())] == ["one"]
    assert await in_language(ask, "fi", outer.all()) == ["en", "fi"]
    assert await in_language(ask, "en", outer.all()) == []


@pytest.mark.usefixtures("pages")
async def test_a_join_without_any_condition_is_refused(ask):
    with pytest.raises(ValueError, match="empty ON clause"):
        await ask(list, Page.objects.filter(broken__title="Suomi"))
