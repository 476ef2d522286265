"""UPDATE and DELETE of rows that joins and slices choose, with values from other tables."""

from __future__ import annotations

from typing import Any

import pytest
from query.spelling import interned
from shop.models import Author, Book
from support import Ask

from aorm.errors import FieldError
from aorm.models import F, Value
from aorm.models.functions import Concat
from aorm.sql.change import compile_delete
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from beyond.test_returning import change

BOOKS = interned(Book)
MARKS = {SQLITE: ("?", "?", "?"), POSTGRESQL: ("$1", "$2::integer", "$3")}
each_dialect = pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=lambda d: d.vendor)


@each_dialect
def test_a_value_of_another_table_comes_from_a_subquery(dialect: Any) -> None:
    one, two, three = MARKS[dialect]
    for _ in range(2):
        sql, params = change(
            BOOKS.filter(title="t"), dialect, pages=F("author__age") + 5, rating=1.5
        )
        assert sql == (
            f'UPDATE "shop_book" SET "rating" = {one}, "pages" = "source"."new0" FROM'
            f' (SELECT "U0"."id", ("U1"."age" + {two}) AS "new0" FROM "shop_book" "U0"'
            ' INNER JOIN "shop_author" "U1" ON ("U0"."author_id" = "U1"."id")'
            f' WHERE "U0"."title" = {three}) "source" WHERE "shop_book"."id" = "source"."id"'
        )
        assert params == (1.5, 5, "t")


@each_dialect
def test_a_slice_is_deleted_by_its_keys(dialect: Any) -> None:
    rows = BOOKS.order_by("-pages")[:3]
    compiled = compile_delete(rows._query, dialect)
    assert compiled.sql == (
        'DELETE FROM "shop_book" WHERE "shop_book"."id" IN (SELECT "U0"."id" FROM "shop_book" "U0"'
        ' ORDER BY "U0"."pages" DESC LIMIT 3)'
    )
    assert compiled.bind(rows._values) == ()


def test_a_queue_takes_rows_that_nobody_holds() -> None:
    rows = BOOKS.filter(pages=1).select_for_update(skip_locked=True).order_by("id")[:5]
    sql, params = change(rows, POSTGRESQL, pages=2)
    assert sql == (
        'UPDATE "shop_book" SET "pages" = $1 WHERE "shop_book"."id" IN (WITH "keys" AS MATERIALIZED'
        ' (SELECT "U0"."id" FROM "shop_book" "U0" WHERE "U0"."pages" = $2 ORDER BY "U0"."id" ASC'
        ' LIMIT 5 FOR UPDATE SKIP LOCKED) SELECT * FROM "keys")'
    )
    assert params == (2, 1)
    assert "FOR UPDATE" not in change(rows, SQLITE, pages=2)[0]


async def test_values_of_related_rows(ask: Ask, library: Any) -> None:
    changed = await ask(Book.objects.update, pages=F("author__mentor__age") + F("pages"))
    assert changed == 5
    found = await ask(list, Book.objects.order_by("title").values_list("pages", flat=True))
    assert found == [170, 270, 370, 120, 220]


async def test_annotations_over_joins_and_own_values_together(ask: Ask, library: Any) -> None:
    rows = Book.objects.annotate(by=Concat(F("author__name"), Value(": "), F("title")))
    assert await ask(rows.filter(by__startswith="Bob").update, title=F("by"), pages=1) == 2
    found = await ask(list, Book.objects.filter(pages=1).values_list("title", flat=True))
    assert sorted(found) == ["Bob: b1", "Bob: b2"]


async def test_the_value_of_a_missing_relation_is_null(ask: Ask, library: Any) -> None:
    assert await ask(Author.objects.update, age=F("mentor__age")) == 3
    ages = await ask(list, Author.objects.order_by("name").values_list("age", flat=True))
    assert ages == [70, 70, None]


async def test_the_rows_of_a_slice_are_changed_alone(ask: Ask, library: Any) -> None:
    assert await ask(Book.objects.order_by("-pages")[1:3].update, pages=0) == 2
    found = await ask(list, Book.objects.filter(pages=0).values_list("title", flat=True))
    assert sorted(found) == ["a2", "b2"]
    joined = Book.objects.filter(pages__gt=0).order_by("pages")[:1]
    assert await ask(joined.update, pages=F("author__age")) == 1
    assert (await ask(Book.objects.get, title="b1")).pages == 40


async def test_the_rows_of_a_slice_are_deleted_alone(ask: Ask, library: Any) -> None:
    count, by_model = await ask(Book.objects.order_by("title")[:2].delete)
    assert (count, by_model) == (2, {"shop.Book": 2})
    assert await ask(Book.objects.count) == 3
    await ask(Author.objects.order_by("-name")[:1].delete)
    names = await ask(list, Author.objects.values_list("name", flat=True))
    assert names == ["Ada", "Bob"]


def test_a_value_of_several_rows_is_refused(database: Any) -> None:
    with pytest.raises(FieldError, match=r"lead to several rows \(age=F\(books__pages\)\)"):
        Author.objects.update(age=F("books__pages"))
