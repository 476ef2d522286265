"""What a relation may lead to, as choices of a form."""

from __future__ import annotations

import pytest
from shop.models import Author, Book

AUTHOR = Book._meta.get_field("author")
BOOKS = Author._meta.get_field("books")
BLANK = ("", "---------")


@pytest.fixture
def books(database) -> list[Book]:
    authors = [Author.objects.create(name=name) for name in ("Ada", "Bea")]
    return [Book.objects.create(title=f"of {each.name}", author=each) for each in authors]


def expected(*objs):
    return [(each.pk, str(each)) for each in objs]


async def test_a_relation_offers_its_targets(ask, books):
    ada, bea = (each.author for each in books)
    assert await ask(AUTHOR.get_choices, ordering=["name"]) == [BLANK, *expected(ada, bea)]
    found = await ask(AUTHOR.get_choices, include_blank=False, limit_choices_to={"name": "Bea"})
    assert found == expected(bea)


async def test_the_way_back_offers_what_may_point_here(ask, books):
    found = await ask(BOOKS.get_choices, include_blank=False, ordering=["-title"])
    assert found == expected(*reversed(books))
