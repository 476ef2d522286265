"""The first rows of each group: `Lateral` joins and `top()`."""

from __future__ import annotations

from typing import Any

import pytest
from query.spelling import interned, spelt
from shop.models import Author, Book
from support import Ask

from aorm.errors import NotSupportedError
from aorm.models import Count, F, Lateral, OuterRef, Q
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE

AUTHORS, BOOKS = interned(Author), interned(Book)


def best(number: int = 2, name: str = "best") -> Lateral:
    rows = BOOKS.filter(author=OuterRef("pk"), pages__gt=0).order_by("-pages")[:number]
    return Lateral(rows.values("title", "pages"), name=name)


@pytest.mark.parametrize(
    ("dialect", "text", "params"),
    [
        (
            SQLITE,
            'SELECT "shop_author"."name", "best"."title" AS "title1" FROM "shop_author" INNER JOIN'
            ' (WITH "rows" ("title", "pages", "key0") AS (SELECT "U0"."title", "U0"."pages",'
            ' "U0"."id" AS "key0" FROM "shop_book" "U0") SELECT * FROM "rows") "best" ON'
            ' ("best"."key0" IN (SELECT "U0"."id" FROM "shop_book" "U0" WHERE "U0"."author_id" ='
            ' "shop_author"."id" AND "U0"."pages" > ? ORDER BY "U0"."pages" DESC LIMIT 2))'
            ' WHERE "shop_author"."age" = ?',
            (0, 5),
        ),
        (
            POSTGRESQL,
            'SELECT "shop_author"."name", "best"."title" AS "title1" FROM "shop_author" INNER JOIN'
            ' LATERAL (SELECT "U0"."title", "U0"."pages" FROM "shop_book" "U0" WHERE'
            ' "U0"."author_id" = "shop_author"."id" AND "U0"."pages" > $1 ORDER BY "U0"."pages"'
            ' DESC LIMIT 2) "best" ("title", "pages") ON (1 = 1) WHERE "shop_author"."age" = $2',
            (0, 5),
        ),
    ],
    ids=["sqlite", "postgresql"],
)
def test_the_text_of_a_join(dialect: Any, text: str, params: Any) -> None:
    for _ in range(2):
        table = best()
        rows = table.join(AUTHORS.filter(age=5)).values_list("name", table.col.title)
        assert spelt(rows, dialect) == (text, params)


def test_a_second_use_makes_no_second_query() -> None:
    assert best(1).join(AUTHORS)._query is best(1).join(AUTHORS)._query


async def test_the_first_rows_of_each_row(ask: Ask, library: Any) -> None:
    table = best()
    rows = table.join(Author).values_list("name", table.col.title).order_by("name", "-title1")
    assert await ask(list, rows) == [("Ada", "a3"), ("Ada", "a2"), ("Bob", "b2"), ("Bob", "b1")]
    objects = table.join(Author).annotate(pages=table.col.pages).filter(pages__gt=100)
    found = await ask(list, objects.order_by("pages"))
    assert [(a.name, a.pages) for a in found] == [("Bob", 150), ("Ada", 200), ("Ada", 300)]
    assert await ask(objects.count) == 3


async def test_rows_without_any(ask: Ask, library: Any) -> None:
    table = best(1)
    rows = table.left_join(Author.objects.order_by("name"), Q(age__gt=36))
    rows = rows.annotate(title=table.col.title).values_list("name", "title")
    assert await ask(list, rows) == [("Ada", None), ("Bob", "b2"), ("Old", None)]


async def test_objects_and_expressions_of_the_subquery(ask: Ask, library: Any) -> None:
    books = Book.objects.filter(author=OuterRef("pk"), pages__lt=OuterRef("age") * 5)
    table = Lateral(books.annotate(twice=F("pages") * 2).order_by("-pages")[:1])
    rows = table.join(Author).annotate(twice=table.col.twice, key=table.col.pk)
    found = await ask(list, rows.order_by("name"))
    assert [(a.name, a.twice, a.key) for a in found] == [
        ("Ada", 200, library[0].pk),
        ("Bob", 300, library[4].pk),
    ]


async def test_two_subqueries(ask: Ask, library: Any) -> None:
    most, least = (
        best(1, "most"),
        Lateral(Book.objects.filter(author=OuterRef("pk")).order_by("pages")[:1], name="least"),
    )
    rows = least.join(most.join(Author)).values_list("name", most.col.title, least.col.title)
    assert await ask(list, rows.order_by("name")) == [("Ada", "a3", "a1"), ("Bob", "b2", "b1")]


def test_what_sqlite_cannot_is_said(library: Any, database: Any) -> None:
    groups = Book.objects.filter(author=OuterRef("pk")).values("rating")
    table = Lateral(groups.annotate(number=Count("pk")).order_by("-number")[:1])
    rows = table.join(Author).values_list("name", table.col.number).order_by("name")
    if database.dialect.capabilities.lateral:
        assert list(rows) == [("Ada", 1), ("Bob", 1)]
    else:
        with pytest.raises(NotSupportedError, match="Subquery instead"):
            list(rows)


async def test_the_top_of_each_group(ask: Ask, library: Any) -> None:
    rows = Book.objects.order_by("-pages").top(1, "author")
    assert [book.title for book in await ask(list, rows)] == ["a3", "b2"]
    rows = Book.objects.order_by("pages").top(2, "author__name").values_list("title", flat=True)
    assert await ask(list, rows) == ["b1", "a1", "b2", "a2"]
    assert await ask(rows.count) == 4
    assert await ask(Book.objects.filter(pk__in=rows.values("pk")).count) == 4
