"""`bulk_upsert`: objects are inserted, or their rows updated."""

from __future__ import annotations

from typing import Any

import pytest
from shop.models import Author, Book, Shelf, Shop, Stock, Tag
from support import Ask

from aorm.errors import QueryValueError
from aorm.models.functions import Upper


async def test_new_and_known_rows(ask: Ask, library: Any) -> None:
    ada = await ask(Author.objects.get, name="Ada")
    objs = [Author(name="Ada", age=37, email="a@x"), Author(name="New", age=1)]
    found = await ask(Author.objects.bulk_upsert, objs)
    assert found == objs
    assert objs[0].pk == ada.pk
    rows = await ask(list, Author.objects.values_list("name", "age", "mentor"))
    assert rows == [("Ada", 37, None), ("Bob", 40, ada.mentor_id), ("New", 1, None), rows[3]]
    assert (await ask(Author.objects.get, pk=objs[1].pk)).name == "New"


async def test_named_fields(ask: Ask, library: Any) -> None:
    ada = await ask(Author.objects.get, name="Ada")
    changed = Author(name="Ada", age=37, email="a@x")
    await ask(
        Author.objects.bulk_upsert, [changed], unique_fields=["name"], update_fields=["email"]
    )
    await ask(ada.refresh_from_db)
    assert (ada.email, ada.age) == ("a@x", 36)


async def test_the_last_object_of_a_row_counts(ask: Ask, library: Any) -> None:
    objs = [Tag(name="x"), Tag(name="y"), Tag(name="x")]
    await ask(Tag.objects.bulk_upsert, objs)
    assert objs[0].pk == objs[2].pk != objs[1].pk
    assert await ask(Tag.objects.count) == 2
    authors = [Author(name="n", age=1), Author(name="n", age=2)]
    await ask(Author.objects.bulk_upsert, authors)
    assert (await ask(Author.objects.get, name="n")).age == 2


async def test_rows_are_known_by_their_key(ask: Ask, library: Any) -> None:
    await ask(Shelf.objects.bulk_upsert, [Shelf(room=1, place=1, label="a")])
    await ask(
        Shelf.objects.bulk_upsert, [Shelf(room=1, place=1, label="b"), Shelf(room=1, place=2)]
    )
    rows = await ask(list, Shelf.objects.order_by("place").values_list("place", "label"))
    assert rows == [(1, "b"), (2, "")]
    library[0].pages = 1
    await ask(Book.objects.bulk_upsert, library)
    assert (await ask(Book.objects.get, pk=library[0].pk)).pages == 1


async def test_what_is_returned(ask: Ask, library: Any) -> None:
    objs = [Author(name="Ada", age=37), Author(name="New", age=1)]
    rows = await ask(Author.objects.returning("name", loud=Upper("name")).bulk_upsert, objs)
    assert sorted(rows) == [("Ada", "ADA"), ("New", "NEW")]
    assert await ask(Author.objects.returning("name", flat=True).bulk_upsert, objs) == [
        "Ada",
        "New",
    ]


def test_what_is_not_clear_is_refused(database: Any) -> None:
    with pytest.raises(QueryValueError, match="unique are: none besides the primary key"):
        Shop.objects.bulk_upsert([Shop(name="s")])
    with pytest.raises(QueryValueError, match="positive"):
        Tag.objects.bulk_upsert([Tag(name="x")], batch_size=-1)
    assert Stock.objects.bulk_upsert([]) == []
