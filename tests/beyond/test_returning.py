"""`returning()`: what UPDATE, DELETE and INSERT give back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from query.spelling import interned
from shop.models import Author, Book, Cover, Stock, Tag
from support import Ask

from aorm.errors import FieldError
from aorm.models import Count, F, Value
from aorm.models.functions import Upper
from aorm.sql.change import compile_delete, compile_update
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE

BOOKS = interned(Book)


def change(queryset: Any, dialect: Any, **values: Any) -> tuple[str, tuple[Any, ...]]:
    """The UPDATE and its parameters."""
    assigned, _ = queryset._assigned(values)
    compiled = compile_update(assigned._query, dialect)
    return compiled.sql, tuple(compiled.bind(assigned._values))


@pytest.mark.parametrize(
    ("dialect", "text", "params"),
    [
        (
            SQLITE,
            'UPDATE "shop_book" SET "pages" = ("shop_book"."pages" + ?) WHERE "shop_book"."title"'
            ' = ? RETURNING "shop_book"."id", "shop_book"."pages", ("shop_book"."pages" * ?)'
            ' AS "double"',
            (1, "t", 2),
        ),
        (
            POSTGRESQL,
            'UPDATE "shop_book" SET "pages" = ("shop_book"."pages" + $1::integer) WHERE'
            ' "shop_book"."title" = $2 RETURNING "shop_book"."id", "shop_book"."pages",'
            ' ("shop_book"."pages" * $3::integer) AS "double"',
            (1, "t", 2),
        ),
    ],
    ids=["sqlite", "postgresql"],
)
def test_an_update_that_returns_is_one_statement(dialect: Any, text: str, params: Any) -> None:
    for _ in range(2):
        rows = BOOKS.filter(title="t").returning("id", "pages", double=F("pages") * 2)
        assert change(rows, dialect, pages=F("pages") + 1) == (text, params)


def test_a_second_use_makes_no_second_query() -> None:
    def made() -> Any:
        return BOOKS.filter(pages=1).returning("id", loud=Upper("title"))._query

    assert made() is made()


async def test_rows_after_an_update(ask: Ask, library: Any) -> None:
    rows = Book.objects.filter(author__name="Bob").returning("title", "price")
    found = sorted(await ask(rows.update, price=F("price") * 2))
    assert found == [("b1", Decimal("10.00")), ("b2", Decimal("30.00"))]
    assert found[0].price == Decimal("10.00")


async def test_objects_after_an_update(ask: Ask, library: Any) -> None:
    with ask.queries() as queries:
        (book,) = await ask(Book.objects.filter(title="a1").returning().update, pages=1)
    assert len(queries) == 1
    assert (type(book), book.pk, book.pages, book.title) == (Book, library[0].pk, 1, "a1")
    book.pages = 2
    await ask(book.save)
    assert (await ask(Book.objects.get, pk=book.pk)).pages == 2


async def test_single_values_and_expressions(ask: Ask, library: Any) -> None:
    rows = Book.objects.filter(title__startswith="b")
    assert sorted(await ask(rows.returning("title", flat=True).update, pages=1)) == ["b1", "b2"]
    loud = rows.returning("pages", loud=Upper("title"))
    assert {row.loud for row in await ask(loud.update, pages=2)} == {"B1", "B2"}


async def test_columns_of_related_objects(ask: Ask, library: Any) -> None:
    rows = Book.objects.filter(pages__lt=100).returning("title", "author__name")
    assert await ask(rows.update, pages=7) == [("b1", "Bob")]
    assert await ask(rows.delete) == [("b1", "Bob")]
    assert not await ask(Book.objects.filter(title="b1").exists)


async def test_a_sliced_update_returns_its_rows(ask: Ask, library: Any) -> None:
    rows = Book.objects.order_by("-pages")[:2].returning("title", "author__name")
    assert sorted(await ask(rows.update, rating=1)) == [("a2", "Ada"), ("a3", "Ada")]


async def test_deleted_rows(ask: Ask, library: Any) -> None:
    tags = [await ask(Tag.objects.create, name=name) for name in ("x", "y", "z")]
    await ask(library[0].tags.add, *tags)
    gone = await ask(Stock.objects.returning().delete)
    assert gone == []
    gone = await ask(Tag.objects.exclude(name="y").returning("name", flat=True).delete)
    assert sorted(gone) == ["x", "z"]
    assert await ask(library[0].tags.count) == 1


async def test_a_deletion_that_nothing_depends_on_is_one_statement(ask: Ask, library: Any) -> None:
    await ask(Cover.objects.create, book=library[0], artist="A")
    with ask.queries() as queries:
        (cover,) = await ask(Cover.objects.filter(artist="A").returning().delete)
    assert (type(cover), cover.artist, len(queries)) == (Cover, "A", 1)


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=["sqlite", "postgresql"])
def test_the_text_of_a_deletion(dialect: Any) -> None:
    query = interned(Cover).filter(artist="A").returning("book_id")._query
    mark = "?" if dialect is SQLITE else "$1"
    assert compile_delete(query, dialect).sql == (
        f'DELETE FROM "shop_cover" WHERE "shop_cover"."artist" = {mark}'
        ' RETURNING "shop_cover"."book_id"'
    )


async def test_no_row_is_an_empty_list(ask: Ask, library: Any) -> None:
    for rows in (Book.objects.filter(pages=-1), Book.objects.none()):
        assert await ask(rows.returning("id").update, pages=1) == []
        assert await ask(rows.returning("author__name").update, pages=1) == []
        assert await ask(rows.returning("id").delete) == []


async def test_known_relations_are_prefetched(ask: Ask, library: Any) -> None:
    rows = Author.objects.filter(name="Bob").prefetch_related("books").returning()
    (bob,) = await ask(rows.update, age=1)
    assert sorted(book.title for book in bob._prefetched_objects_cache["books"]) == ["b1", "b2"]


def test_wrong_names_are_refused_at_the_call(database: Any) -> None:
    with pytest.raises(FieldError, match="Cannot resolve keyword 'nam' into field"):
        Book.objects.returning("nam")
    with pytest.raises(FieldError, match="single rows"):
        Book.objects.returning(number=Count("tags"))
    with pytest.raises(TypeError, match="flat"):
        Book.objects.returning("id", "title", flat=True)
    with pytest.raises(TypeError, match="one field"):
        Book.objects.returning(flat=True)
    with pytest.raises(TypeError, match="non-expression"):
        Book.objects.returning(one=1)
    with pytest.raises(TypeError, match="update"):
        list(Book.objects.returning("id", one=Value(1)))


async def test_rows_that_were_inserted(ask: Ask, library: Any) -> None:
    tags = [Tag(name="x"), Tag(name="y")]
    rows = await ask(Tag.objects.returning("id", "name").bulk_create, tags)
    assert [(tag.pk, tag.name) for tag in tags] == rows
    again = [Tag(name="y"), Tag(name="z")]
    rows = await ask(Tag.objects.returning("name").bulk_create, again, ignore_conflicts=True)
    assert rows == [("z",)]
    rows = await ask(
        Tag.objects.returning(loud=Upper("name")).bulk_create, again[:1], ignore_conflicts=True
    )
    assert rows == []
    (made,) = await ask(Tag.objects.returning().bulk_create, [Tag(name="w")])
    assert (type(made), made.name, made._state.adding) == (Tag, "w", False)
