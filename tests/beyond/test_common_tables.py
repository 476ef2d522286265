"""Common table expressions: joined, read from, recursive, in subqueries and in changes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from query.spelling import DIALECTS, interned, spelt
from shop.models import Author, Book, Tag
from support import Ask

from aorm.errors import FieldError, QueryTypeError, QueryValueError
from aorm.models import CTE, Count, Exists, F, OuterRef, Q, Subquery, Sum, Value, with_cte
from aorm.models.functions import Concat
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from beyond.test_returning import change

AUTHORS, BOOKS = interned(Author), interned(Book)
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)


def totals(**options: Any) -> CTE:
    rows = BOOKS.filter(pages__gt=0).values("author_id").annotate(total=Sum("pages"))
    return CTE(rows, name="totals", **options)


def joined(**options: Any) -> Any:
    cte = totals(**options)
    rows = cte.join(AUTHORS.only("pk"), id=cte.col.author_id).annotate(total=cte.col.total)
    return with_cte(cte, select=rows.filter(total__gt=F("age") + 5))


@pytest.mark.parametrize(
    ("dialect", "first", "second"),
    [(SQLITE, "?", "?"), (POSTGRESQL, "$1", "$2::integer")],
    ids=["sqlite", "postgresql"],
)
def test_the_text_of_a_joined_table(dialect: Any, first: str, second: str) -> None:
    for materialized, words in ((None, ""), (True, "MATERIALIZED "), (False, "NOT MATERIALIZED ")):
        for _ in range(2):
            sql, params = spelt(joined(materialized=materialized), dialect)
            assert sql == (
                f'WITH "totals" ("author_id", "total") AS {words}(SELECT "shop_book"."author_id",'
                f' SUM("shop_book"."pages") AS "total" FROM "shop_book" WHERE "shop_book"."pages" >'
                f' {first} GROUP BY "shop_book"."author_id") SELECT "shop_author"."id",'
                ' "totals"."total" AS "total" FROM "shop_author" INNER JOIN "totals" ON'
                ' ("shop_author"."id" = "totals"."author_id") WHERE "totals"."total" >'
                f' ("shop_author"."age" + {second})'
            )
            assert params == (0, 5)


def tree(name: str = "tree") -> CTE:
    def make(cte: CTE) -> Any:
        start = Author.objects.filter(mentor=None).values(
            "id", path=F("name"), depth=Value(0), worth=Value(Decimal("1.5"))
        )
        step = cte.join(Author, mentor=cte.col.id).values(
            "id",
            path=Concat(cte.col.path, Value("/"), F("name")),
            depth=cte.col.depth + Value(1),
            worth=cte.col.worth + Value(Decimal("1")),
        )
        return start.union(step, all=True)

    return CTE.recursive(make, name=name)


def test_a_second_use_makes_no_second_query() -> None:
    assert joined()._query is joined()._query
    assert joined(materialized=True)._query is not joined()._query

    def recursive() -> Any:
        cte = tree()
        return with_cte(cte, select=cte.join(Author, id=cte.col.id).filter(pk=1))

    assert recursive()._query is recursive()._query


@each_dialect
def test_the_text_of_a_recursive_table(dialect: Any) -> None:
    cte = tree()
    sql, _ = spelt(with_cte(cte, select=cte), dialect)
    assert sql.startswith('WITH RECURSIVE "tree" ("id", "path", "depth", "worth") AS (SELECT ')
    assert sql.count(" UNION ALL ") == 1
    assert ('"path"::text' in sql) is (dialect is POSTGRESQL)


async def test_groups_joined_to_objects(ask: Ask, library: Any) -> None:
    cte = totals()
    rows = cte.join(Author, id=cte.col.author_id).annotate(total=cte.col.total)
    rows = with_cte(cte, select=rows.order_by("-total"))
    assert [(a.name, a.total) for a in await ask(list, rows)] == [("Ada", 600), ("Bob", 200)]
    assert await ask(rows.filter(total__gt=300).count) == 1
    assert await ask(rows.aggregate, whole=Sum("total")) == {"whole": 800}
    assert (await ask(rows.get, total=200)).name == "Bob"
    assert await ask(rows.filter(total=1).exists) is False
    assert (await ask(rows.page, size=1)).has_next


async def test_rows_without_a_match(ask: Ask, library: Any) -> None:
    cte = totals()
    rows = cte.left_join(Author.objects.order_by("name"), id=cte.col.author_id)
    rows = with_cte(cte, select=rows.annotate(total=cte.col.total).values_list("name", "total"))
    assert await ask(list, rows) == [("Ada", 600), ("Bob", 200), ("Old", None)]
    same = with_cte(cte, select=cte.join(Author, id=cte.col.author_id, _join_type="INNER JOIN"))
    assert await ask(same.count) == 2


async def test_conditions_across_relations_and_with_q(ask: Ask, library: Any) -> None:
    cte = totals()
    condition = Q(author__mentor__name="Old") & Q(author_id=cte.col.author_id)
    rows = cte.join(Book, condition, pages__lt=cte.col.total / 4)
    rows = with_cte(cte, select=rows.order_by("title").values_list("title", flat=True))
    assert await ask(list, rows) == ["a1"]


async def test_tables_that_are_read_from(ask: Ask, library: Any) -> None:
    cte = totals()
    rows = with_cte(cte, select=cte).order_by("total")
    found = await ask(list, rows)
    assert found == [
        {"author_id": library[3].author_id, "total": 200},
        {"author_id": library[0].author_id, "total": 600},
    ]
    assert await ask(list, rows.filter(total__gt=300).values_list("total", flat=True)) == [600]
    cheap = CTE(Book.objects.filter(price__lt=16).annotate(twice=F("pages") * 2), name="cheap")
    books = with_cte(cheap, select=cheap.queryset().select_related("author").order_by("-price"))
    found = await ask(list, books)
    assert [(b.title, b.author.name, b.twice) for b in found] == [
        ("b2", "Bob", 300),
        ("a1", "Ada", 200),
        ("b1", "Bob", 100),
    ]
    assert await ask(books.filter(author__name="Ada").count) == 1
    assert found[0].price == Decimal("15.00")


async def test_a_table_that_reads_from_another(ask: Ask, library: Any) -> None:
    first = totals()
    second = CTE(first.queryset().filter(total__gt=300).values("author_id"), name="many")
    rows = Author.objects.filter(pk__in=second.queryset())
    rows = with_cte(first, second, select=rows.values_list("name", flat=True))
    assert await ask(list, rows) == ["Ada"]


async def test_trees(ask: Ask, library: Any) -> None:
    last = await ask(Author.objects.create, name="Eve", mentor=library[3].author)
    cte = tree()
    rows = cte.join(Author, id=cte.col.id).annotate(
        path=cte.col.path, depth=cte.col.depth, worth=cte.col.worth
    )
    rows = with_cte(cte, select=rows.order_by("path"))
    found = [(a.path, a.depth, a.worth) for a in await ask(list, rows)]
    assert found == [
        ("Old", 0, Decimal("1.5")),
        ("Old/Ada", 1, Decimal("2.5")),
        ("Old/Bob", 1, Decimal("2.5")),
        ("Old/Bob/Eve", 2, Decimal("3.5")),
    ]
    assert (await ask(rows.filter(depth__gte=2).get)).pk == last.pk


async def test_tables_in_subqueries(ask: Ask, library: Any) -> None:
    cte = totals()
    rich = with_cte(cte, select=cte.queryset().filter(total__gt=300).values("author_id"))
    assert await ask(Book.objects.filter(author__in=rich).count) == 3
    found = with_cte(cte, select=cte.queryset().filter(author_id=OuterRef("author_id")))
    assert await ask(Book.objects.filter(Exists(found.filter(total__lt=300))).count) == 2
    rows = Book.objects.annotate(total=Subquery(found.values("total")))
    assert {b.total for b in await ask(list, rows)} == {600, 200}
    around = cte.join(Author, id=cte.col.author_id)
    many = Book.objects.filter(author=OuterRef("pk"), pages__gt=cte.col.total / Value(3))
    around = with_cte(cte, select=around.filter(Exists(many)).values_list("name", flat=True))
    assert await ask(list, around.order_by("name")) == ["Ada", "Bob"]


async def test_combined_rows(ask: Ask, library: Any) -> None:
    cte = totals()
    names = cte.join(Author, id=cte.col.author_id).values_list("name")
    rows = with_cte(cte, select=names.filter(age=36).union(names.filter(age=40)))
    assert sorted(await ask(list, rows)) == [("Ada",), ("Bob",)]
    one = with_cte(cte, select=names.filter(age=36))
    rows = one.union(Author.objects.filter(age=70).values_list("name"))
    assert sorted(await ask(list, rows)) == [("Ada",), ("Old",)]


async def test_changes(ask: Ask, library: Any) -> None:
    cte = totals()
    rows = with_cte(cte, select=cte.join(Author, id=cte.col.author_id))
    assert await ask(rows.update, age=cte.col.total) == 2
    found = await ask(list, Author.objects.values_list("name", "age"))
    assert found == [("Ada", 600), ("Bob", 200), ("Old", 70)]
    total = cte.queryset().filter(author_id=OuterRef("author_id")).values("total")
    every = with_cte(cte, select=Book.objects.all())
    assert await ask(every.update, pages=Subquery(total), rating=1) == 5
    assert await ask(Book.objects.filter(pages=600, rating=1).count) == 3
    gone = with_cte(cte, select=cte.join(Book, author_id=cte.col.author_id).filter(pages=200))
    assert (await ask(gone.delete))[0] == 2
    assert await ask(Book.objects.count) == 3


async def test_tables_without_rows(ask: Ask, library: Any) -> None:
    cte = CTE(Book.objects.none().values("author_id", "pages"))
    rows = cte.left_join(Author, id=cte.col.author_id).annotate(pages=cte.col.pages)
    found = await ask(list, with_cte(cte, select=rows))
    assert [a.pages for a in found] == [None] * 3


@each_dialect
def test_a_change_has_its_tables_in_the_subquery(dialect: Any) -> None:
    cte = totals()
    sql, _ = change(with_cte(cte, select=cte.join(AUTHORS, id=cte.col.author_id)), dialect, age=1)
    assert sql.startswith('UPDATE "shop_author" SET "age" = ')
    assert 'WHERE "shop_author"."id" IN (WITH "totals" (' in sql


def test_errors_say_what_helps(database: Any) -> None:
    cte = totals()
    with pytest.raises(FieldError, match=r"no column 'tot'; its columns are .*author_id.*total"):
        _ = cte.col.tot
    with pytest.raises(QueryValueError, match=r"with_cte\(cte, select=...\)"):
        list(cte.join(Author, id=cte.col.author_id))
    with pytest.raises(QueryValueError, match="with_cte"):
        list(Author.objects.filter(pk__in=cte.queryset().values("author_id")))
    with pytest.raises(QueryValueError, match="the name totals"):
        with_cte(cte, totals(), select=Author)
    with pytest.raises(QueryValueError, match="already"):
        cte.join(cte.join(Author, id=cte.col.author_id), id=cte.col.author_id)
    with pytest.raises(FieldError, match="Cannot resolve keyword 'nam'"):
        cte.join(Author, nam=cte.col.author_id)
    with pytest.raises(QueryTypeError, match="QuerySet"):
        CTE(Author)
    with pytest.raises(QueryTypeError, match="CTEs"):
        with_cte(Author.objects.all(), select=Author)  # type: ignore[arg-type]
    for name in ("", 'a"b', "a\0", 5):
        with pytest.raises(QueryValueError, match="cannot be the name"):
            CTE(Author.objects.all(), name=name)  # type: ignore[arg-type]
    with pytest.raises(QueryTypeError, match="union"):
        CTE.recursive(lambda cte: Author.objects.values("id"))
    with pytest.raises(QueryValueError, match="other numbers of columns"):
        CTE.recursive(
            lambda cte: Author.objects.values("id").union(
                cte.join(Author, mentor=cte.col.id).values("id", "name")
            )
        )
    with pytest.raises(QueryValueError, match="sliced"):
        looped = CTE.recursive(
            lambda cte: Author.objects.values("id").union(
                cte.join(Author, mentor=cte.col.id).values("id")[:2]
            )
        )
        list(with_cte(looped, select=looped))
    with pytest.raises(QueryValueError, match="joined by one of"):
        cte.join(Author, id=cte.col.author_id, _join_type="CROSS")


def test_strange_names_are_quoted(database: Any) -> None:
    cte = CTE(Tag.objects.annotate(number=Count("books")).values("number"), name="a; -- %s")
    assert list(with_cte(cte, select=cte)) == []


NAMES = [
    lambda rows: rows.filter(title="x"),
    lambda rows: rows.exclude(author__name="x"),
    lambda rows: rows.order_by("title"),
    lambda rows: rows.values("title"),
    lambda rows: rows.annotate(more=F("title")),
    lambda rows: rows.annotate(tags=Count("tags")),
    lambda rows: rows.aggregate(Sum("pages")),
    lambda rows: rows.filter(pk=1),
]


@pytest.mark.parametrize("step", NAMES)
def test_values_of_a_table_have_no_other_names_than_their_columns(step: Any) -> None:
    cte = totals()
    rows = with_cte(cte, select=cte)
    with pytest.raises(FieldError, match=r"Choices are: author_id, total$"):
        step(rows)
    with pytest.raises(FieldError, match=r"Choices are: author_id, double, total$"):
        step(rows.annotate(double=F("total") * 2))


def test_values_of_a_table_cannot_be_updated(database: Any) -> None:
    cte = totals()
    with pytest.raises(QueryTypeError, match="values of a common table"):
        with_cte(cte, select=cte).update(total=1)
