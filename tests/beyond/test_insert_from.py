"""`insert_from`: rows of a query become rows of a table."""

from __future__ import annotations

from typing import Any

import pytest
from shop.models import Author, Book, Shelf, Shop, Stock, Tag
from support import Ask

from aorm.errors import FieldError, QueryTypeError, QueryValueError
from aorm.models import CTE, Count, F, Sum, Value, with_cte
from aorm.models.functions import Concat, Lower, Upper


async def test_the_statement(ask: Ask, library: Any, database: Any) -> None:
    rows = Book.objects.filter(pages__gt=100).order_by()
    with ask.queries() as queries:
        assert await ask(Tag.objects.insert_from, rows, {"name": "title"}) == 3
        assert await ask(Shop.objects.insert_from, rows.filter(pages=0), {"name": F("title")}) == 0
    mark = "?" if database.vendor == "sqlite" else "$1"
    assert queries[0].sql == (
        'INSERT INTO "shop_tag" ("name") SELECT "shop_book"."title" FROM "shop_book" WHERE'
        f' "shop_book"."pages" > {mark}'
    )
    assert len(queries) == 2
    names = await ask(list, Tag.objects.values_list("name", flat=True))
    assert names == ["a2", "a3", "b2"]


async def test_shared_fields_and_defaults(ask: Ask, library: Any) -> None:
    ada = await ask(Author.objects.get, name="Ada")
    fields = {"title": Concat(F("title"), Value("!")), "author": F("author"), "pages": F("pages")}
    assert await ask(Book.objects.insert_from, Book.objects.filter(author=ada), fields) == 3
    made = await ask(Book.objects.get, title="a1!")
    assert (made.author_id, made.pages, made.price, made.details) == (ada.pk, 100, 0, {})
    assert (made.available, made.binding, made.rating) == (True, "s", None)
    assert made.added is not None
    assert await ask(Book.objects.count) == 8


async def test_values_by_name_and_by_place(ask: Ask, library: Any) -> None:
    await ask(Shop.objects.create, name="s")
    rows = Author.objects.filter(age=36).values(title=F("name"), author=F("pk"))
    assert await ask(Book.objects.insert_from, rows) == 1
    assert await ask(Book.objects.filter(title="Ada", author__name="Ada").exists)
    places = (
        Book.objects.values("author").annotate(number=Count("pk")).values_list("author", "number")
    )
    assert await ask(Shelf.objects.insert_from, places.order_by(), ["room", "place"]) == 2
    found = await ask(list, Shelf.objects.order_by("place").values_list("place", "label"))
    assert found == [(2, ""), (4, "")]


async def test_objects_of_another_model_with_fields_of_the_same_name(
    ask: Ask, library: Any
) -> None:
    assert await ask(Tag.objects.insert_from, Author.objects.all()) == 3
    assert await ask(Tag.objects.insert_from, Shop.objects) == 0
    assert await ask(Shop.objects.insert_from, Author.objects.filter(age=36), ["name"]) == 1
    assert await ask(list, Shop.objects.values_list("name", flat=True)) == ["Ada"]


async def test_conflicts(ask: Ask, library: Any) -> None:
    rows, lower = Author.objects.order_by(), {"name": Lower("name")}
    await ask(Tag.objects.create, name="ada")
    assert await ask(Tag.objects.insert_from, rows, lower, ignore_conflicts=True) == 2
    changed = await ask(
        Author.objects.insert_from,
        rows,
        {"name": "name", "age": F("age") + 1, "email": Value("e@x")},
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["age", "email"],
    )
    assert changed == 3
    ada = await ask(Author.objects.select_related("mentor").get, name="Ada")
    assert (ada.age, ada.email, ada.mentor.name) == (37, "e@x", "Old")


async def test_what_is_returned(ask: Ask, library: Any) -> None:
    rows, lower = Author.objects.filter(age__lt=50), {"name": Lower("name")}
    found = await ask(Tag.objects.returning("name", loud=Upper("name")).insert_from, rows, lower)
    assert sorted(found) == [("ada", "ADA"), ("bob", "BOB")]
    (tag,) = await ask(
        Tag.objects.returning().insert_from, Author.objects.filter(age=70), {"name": "email"}
    )
    assert (type(tag), tag.name) == (Tag, "")
    assert await ask(Tag.objects.returning("name").insert_from, Author.objects.none()) == []


async def test_combined_and_common_rows(ask: Ask, library: Any) -> None:
    authors = Author.objects.values_list("name")
    rows = authors.filter(age=36).union(Book.objects.filter(pages=50).values_list("title"))
    assert await ask(Tag.objects.insert_from, rows, ["name"]) == 2
    totals = CTE(Book.objects.values("author_id").annotate(total=Sum("pages")), name="totals")
    rich = totals.join(Author, id=totals.col.author_id).filter(age=40).values("name")
    rows = with_cte(totals, select=rich.annotate(pages=totals.col.total))
    made = {"title": "name", "author": Value(library[0].author_id), "pages": "pages"}
    assert await ask(Book.objects.insert_from, rows, made) == 1
    assert (await ask(Book.objects.get, title="Bob")).pages == 200


def test_what_does_not_fit_is_refused(database: Any) -> None:
    rows = Author.objects.values("name", "age")
    with pytest.raises(FieldError, match="no column 'age' to insert into; there are id, name"):
        Tag.objects.insert_from(rows)
    with pytest.raises(QueryValueError, match=r"1 fields \(name\) for 2 columns"):
        Tag.objects.insert_from(rows, ["name"])
    with pytest.raises(FieldError, match=r"needs a column for Book\.author"):
        Book.objects.insert_from(Author.objects.values(title=F("name")))
    with pytest.raises(FieldError, match=r"needs a column for Tag\.name"):
        Tag.objects.insert_from(Author.objects.values("id"))
    with pytest.raises(FieldError, match=r"needs a column for Shelf\.place"):
        Shelf.objects.insert_from(Author.objects.values(room=F("id")))
    with pytest.raises(FieldError, match="share no fields"):
        Stock.objects.insert_from(Tag.objects.all())
    with pytest.raises(FieldError, match="twice"):
        Author.objects.insert_from(rows, ["name", "name"])
    with pytest.raises(QueryTypeError, match="takes a QuerySet"):
        Tag.objects.insert_from(["a"])
    with pytest.raises(QueryTypeError, match="list of names"):
        Tag.objects.insert_from(rows, "name")
    with pytest.raises(QueryValueError, match="database 'other'"):
        Tag.objects.insert_from(rows.using("other"), {"name": "name"})
    with pytest.raises(ValueError, match="mutually exclusive"):
        Tag.objects.insert_from(rows, ignore_conflicts=True, update_conflicts=True)
