"""The SQL of filtered relations, and what they refuse."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from shop.models import Author, Book

from aorm.errors import FieldError
from aorm.models import Case, Count, Exists, F, FilteredRelation, OuterRef, Q, Value, When
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from query.spelling import DIALECTS, interned, spelt, where

AUTHORS = interned(Author)
LONG = AUTHORS.annotate(long=FilteredRelation("books", condition=Q(books__pages__gt=100)))
ON = '"shop_book" "long" ON ("shop_author"."id" = "long"."author_id" AND ("long"."pages" > %s))'
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)


def joins(queryset: Any, dialect: Any) -> str:
    """What stands between FROM and WHERE."""
    sql = spelt(queryset, dialect)[0]
    return sql.partition(" FROM ")[2].partition(" WHERE ")[0].partition(" ORDER BY ")[0]


def on(dialect: Any, text: str = ON) -> str:
    return text % ("?" if dialect is SQLITE else "$1")


@each_dialect
def test_relation_that_nothing_uses_is_not_joined(dialect: Any) -> None:
    assert joins(LONG, dialect) == '"shop_author"'


@each_dialect
def test_condition_stands_in_the_join(dialect: Any) -> None:
    filtered = LONG.filter(long__title="t")
    assert joins(filtered, dialect) == f'"shop_author" INNER JOIN {on(dialect)}'
    assert spelt(filtered, dialect)[1] == (100, "t")
    optional = LONG.filter(long__isnull=True)
    assert joins(optional, dialect) == f'"shop_author" LEFT OUTER JOIN {on(dialect)}'
    values = LONG.values("name", "long__title").order_by("long__pages")
    assert joins(values, dialect) == f'"shop_author" LEFT OUTER JOIN {on(dialect)}'


@each_dialect
def test_every_use_is_about_the_same_rows(dialect: Any) -> None:
    queryset = LONG.filter(long__title="t").filter(long__rating=1).order_by("long__price")
    assert joins(queryset, dialect) == f'"shop_author" INNER JOIN {on(dialect)}'
    assert joins(queryset.filter(books__title="x"), dialect).count("JOIN") == 2


@each_dialect
def test_condition_on_tables_that_stand_before(dialect: Any) -> None:
    books = interned(Book).annotate(
        namesake=FilteredRelation("author", condition=Q(author__name=F("editor__name")))
    )
    assert joins(books.filter(namesake__age=3), dialect) == (
        '"shop_book" LEFT OUTER JOIN "shop_author" ON ("shop_book"."editor_id" ='
        ' "shop_author"."id") INNER JOIN "shop_author" "namesake" ON ("shop_book"."author_id" ='
        ' "namesake"."id" AND ("namesake"."name" = "shop_author"."name"))'
    )


@each_dialect
def test_relation_behind_a_relation(dialect: Any) -> None:
    authors = AUTHORS.annotate(
        by=FilteredRelation("books__editor", condition=Q(books__pages__gt=100))
    )
    text = joins(authors.filter(by__age=3), dialect)
    assert text == on(
        dialect,
        '"shop_author" INNER JOIN "shop_book" ON ("shop_author"."id" = "shop_book"."author_id")'
        ' INNER JOIN "shop_author" "by" ON ("shop_book"."editor_id" = "by"."id" AND'
        ' ("shop_book"."pages" > %s))',
    )


@each_dialect
def test_relation_behind_a_filtered_relation(dialect: Any) -> None:
    authors = LONG.annotate(by=FilteredRelation("long__editor", condition=Q(long__editor__age=7)))
    sql = spelt(authors.filter(by__name="e"), dialect)
    assert sql[1] == (100, 7, "e")
    assert 'INNER JOIN "shop_author" "by" ON ("long"."editor_id" = "by"."id"' in sql[0]


@each_dialect
def test_exclude_is_a_subquery(dialect: Any) -> None:
    sql, params = where(LONG.exclude(long__title="t"), dialect)
    assert sql == on(
        dialect,
        'NOT (EXISTS(SELECT 1 FROM "shop_author" "U0" INNER JOIN "shop_book" "U1" ON ("U0"."id" ='
        ' "U1"."author_id" AND ("U1"."pages" > %s)) WHERE "U1"."title" = '
        + ("?" if dialect is SQLITE else "$2")
        + ' AND "U0"."id" = "shop_author"."id"))',
    )
    assert params == (100, "t")


@each_dialect
def test_as_an_operand(dialect: Any) -> None:
    books = interned(Book).filter(pages=9, author__in=LONG.filter(long__title="t"))
    sql, params = spelt(books, dialect)
    assert params == (9, 100, "t")
    assert 'ON ("U0"."id" = "U1"."author_id" AND ("U1"."pages" > ' in sql


@each_dialect
def test_outer_reference_in_the_condition(dialect: Any) -> None:
    inner = AUTHORS.annotate(
        same=FilteredRelation("books", condition=Q(books__pages=OuterRef("pages")))
    ).filter(same__title="t")
    sql, params = spelt(interned(Book).filter(Exists(inner)), dialect)
    assert '"U1"."pages" = "shop_book"."pages"' in sql
    assert params == ("t",)


def test_second_use_has_the_same_query() -> None:
    def long(pages: int) -> Any:
        return AUTHORS.annotate(
            long=FilteredRelation("books", condition=Q(books__pages__gt=pages))
        ).filter(long__title="t")

    assert long(3)._query is long(4)._query
    assert long(4)._values == (4, "t")


@each_dialect
def test_values_are_converted_at_the_call(dialect: Any) -> None:
    long = AUTHORS.annotate(long=FilteredRelation("books", condition=Q(books__pages__gt="3")))
    assert spelt(long.filter(long__isnull=False), dialect)[1] == (3,)
    with pytest.raises(ValueError, match="many"):
        AUTHORS.annotate(long=FilteredRelation("books", condition=Q(books__pages__gt="many")))


@each_dialect
def test_two_querysets_joined_by_or(dialect: Any) -> None:
    both = LONG.filter(long__title="t") | LONG.filter(long__rating=2)
    sql, params = spelt(both, dialect)
    assert sql.count("JOIN") == 2
    assert params == (100, 100, "t", 2.0)


@each_dialect
def test_pickled_query_is_the_same(dialect: Any) -> None:
    queryset = LONG.filter(long__title="t")
    again = AUTHORS.all()
    again.query = pickle.loads(pickle.dumps(queryset.query))
    assert spelt(again, dialect) == spelt(queryset, dialect)


@each_dialect
def test_condition_that_no_row_or_every_row_satisfies(dialect: Any) -> None:
    never = AUTHORS.annotate(none=FilteredRelation("books", condition=Q(books__pk__in=[])))
    assert joins(never.values("none__title"), dialect).endswith("AND (1 = 0))")
    always = AUTHORS.annotate(every=FilteredRelation("books", condition=~Q(books__pk__in=[])))
    assert joins(always.values("every__title"), dialect).endswith("AND (1 = 1))")


@each_dialect
def test_grouping(dialect: Any) -> None:
    counted = LONG.annotate(n=Count("long"), m=Count("books"))
    text = spelt(counted, dialect)[0]
    assert 'COUNT("long"."id") AS "n", COUNT("shop_book"."id") AS "m"' in text


def test_postgresql_has_typed_values_in_joins() -> None:
    marked = AUTHORS.annotate(
        some=FilteredRelation("books", condition=Q(Case(When(books__pages=1, then=Value(True)))))
    )
    assert " AND (CASE WHEN " in joins(marked.values("some__title"), POSTGRESQL)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: FilteredRelation(""), "relation_name cannot be empty"),
        (lambda: FilteredRelation("books", condition=F("x")), r"must be a Q\(\) instance"),
    ],
)
def test_refused_when_made(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize(
    ("name", "relation", "condition", "error", "text"),
    [
        ("a.b", "books", Q(), ValueError, "aliases with periods"),
        ("a b", "books", Q(), ValueError, "whitespace"),
        ("x", "books__title__icontains", Q(), ValueError, "cannot contain lookups"),
        ("x", "books__title", Q(), ValueError, "no relation"),
        ("x", "nonsense", Q(), FieldError, "nonsense"),
        ("x", "books", Q(books__nonsense=1), FieldError, "nonsense"),
        ("x", "books__editor", Q(books__author__name__contains="b"), ValueError, "outside the"),
        ("x", "books", Q(books__editor__name__contains="b"), ValueError, "deeper than"),
        ("x", "books", Q(books__editor__name="b"), ValueError, "deeper than"),
        ("x", "books", Q(books__title=F("books__editor__name")), ValueError, "deeper than"),
        ("x", "books", Q(books__in=Book.objects.all()), ValueError, "QuerySet within"),
        ("x", "books", Q(Q(books__in=[Book.objects.all()])), ValueError, "QuerySet within"),
        ("name", "books", Q(), ValueError, "conflicts with a field"),
    ],
)
def test_refused_at_the_call(
    name: str, relation: str, condition: Any, error: Any, text: str
) -> None:
    with pytest.raises(error, match=text):
        AUTHORS.annotate(**{name: FilteredRelation(relation, condition=condition)})


def test_what_cannot_be_combined_with_them() -> None:
    with pytest.raises(ValueError, match=r"only\(\) is not supported with FilteredRelation"):
        LONG.only("long__title")
    with pytest.raises(ValueError, match=r"prefetch_related\(\) is not supported"):
        LONG.prefetch_related("long__editor")
    with pytest.raises(FieldError, match="long"):
        spelt(LONG.select_related("nonsense"), SQLITE)


def test_equality() -> None:
    one = FilteredRelation("books", condition=Q(books__pages=1))
    assert one == FilteredRelation("books", condition=Q(books__pages=1))
    assert one != FilteredRelation("books", condition=Q(books__pages=2))
    assert one != "books"
    assert hash(one) == hash(FilteredRelation("books", condition=Q(books__pages=1)))
    assert "books" in repr(one)
