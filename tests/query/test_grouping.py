"""What GROUP BY names, and what aggregates over groups need of the query below them."""

from __future__ import annotations

from typing import Any

import pytest
from shop.models import Author, Book, Tag
from support import needs

from aorm.errors import FieldError, NotSupportedError
from aorm.models import Case, Count, F, Max, OuterRef, Q, Subquery, Sum, Value, When
from aorm.models.functions import Coalesce, Length
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from query.spelling import DIALECTS, interned, spelt

BOOKS = interned(Book)
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)


@pytest.fixture
def books(database: Any) -> None:
    ada, bob = (Author.objects.create(name=name) for name in ("ada", "bob"))
    tags = [Tag.objects.create(name=name) for name in ("a", "b")]
    for number in range(4):
        author = bob if number == 3 else ada
        book = Book.objects.create(
            title=f"t{number}", binding="hs"[number % 2], author=author, pages=number
        )
        book.tags.set(tags[: number % 3])


def group_by(queryset: Any, dialect: Any) -> str:
    return spelt(queryset, dialect)[0].partition(" GROUP BY ")[2].partition(" ORDER ")[0]


@each_dialect
def test_selected_expressions_are_grouped_by_name(dialect: Any) -> None:
    grouped = BOOKS.values(size=Length("title")).annotate(number=Count("*"))
    assert group_by(grouped, dialect) == '"size"'


@each_dialect
def test_a_name_that_a_joined_table_has_as_well_is_spelt_out(dialect: Any) -> None:
    grouped = BOOKS.filter(author__age=3).annotate(age=F("pages") + 1).values("age")
    assert '"age"' not in group_by(grouped.annotate(number=Count("*")), dialect)


def test_groups_of_a_subquery(books: None) -> None:
    count = Book.objects.filter(author=OuterRef("author"), pages__gt=0).order_by()
    per_author = count.values("author").annotate(n=Count("pk")).values("n")
    found = Book.objects.values_list(Subquery(per_author)).annotate(n=Count("*"))
    assert sorted(found) == [(1, 1), (2, 3)]
    assert sorted(Book.objects.values_list(per_author).annotate(n=Count("*"))) == [(1, 1), (2, 3)]


def test_counting_groups(books: None) -> None:
    grouped = Book.objects.values("binding").annotate(number=Count("pk"))
    assert grouped.count() == len(grouped) == 2
    assert grouped.order_by("pages").count() == len(grouped.order_by("pages")) == 4
    assert Book.objects.annotate(number=Count("tags")).filter(number__gt=1).count() == 1
    assert Book.objects.annotate(tag=F("tags__name"), n=Count("shops")).count() == 5


def test_counting_leaves_out_what_nothing_needs(books: None, database: Any) -> None:
    counted = Book.objects.annotate(number=Count("tags"))
    assert counted.count() == 4
    aggregated = counted.aggregate(most=Max("number"), books=Count("pk"))
    assert aggregated == {"most": 2, "books": 4}


def test_aggregates_may_name_earlier_ones_of_the_same_call(books: None) -> None:
    found = Book.objects.aggregate(number=Count("pk"), double=F("number") * 2)
    assert found == {"number": 4, "double": 8}
    assert Book.objects.aggregate() == {}
    empty = Book.objects.none().aggregate(total=Coalesce(Sum("pages"), Value(7)), n=Count("pk"))
    assert empty == {"total": 7, "n": 0}


def test_branches_over_aggregates(books: None) -> None:
    case = Case(When(binding="s", then=Value(0)), default=Count("tags"))
    found = Book.objects.annotate(n=case).order_by("pages").values_list("n", flat=True)
    assert list(found) == [0, 0, 2, 0]


def test_conditions_on_groups_beside_conditions_on_rows(books: None) -> None:
    tag = Tag.objects.filter(name="b")
    found = Book.objects.annotate(n=Count("tags")).filter(Q(tags__in=tag) | Q(n__gt=5))
    assert list(found.values_list("pages", flat=True)) == [2]


def test_queries_with_annotations_on_the_right_side(books: None) -> None:
    many = Book.objects.annotate(n=Count("tags"), size=Length("title")).filter(n__gte=1)
    some = Book.objects.filter(pk__in=many.alias(more=F("size")))
    assert sorted(some.values_list("pages", flat=True)) == [1, 2]
    assert Author.objects.filter(books__in=many).distinct().get().name == "ada"


def test_aggregates_over_an_alias_are_refused() -> None:
    with pytest.raises(Exception, match="Cannot aggregate over the 'size' alias"):
        Book.objects.alias(size=Length("title")).aggregate(Sum("size"))


@each_dialect
def test_ordering_columns_of_a_distinct_subquery_stay_inside(dialect: Any) -> None:
    titles = Book.objects.values("pk").distinct().order_by("title")[:3]
    sql, params = spelt(BOOKS.filter(pk__in=titles), dialect)
    assert 'IN (WITH "ordered" ("c0", "c1") AS (SELECT DISTINCT' in sql
    assert ' LIMIT 3) SELECT "c0" FROM "ordered")' in sql
    assert params == ()


def test_fields_of_distinct_bring_their_joins() -> None:
    sql, _ = spelt(BOOKS.distinct("editor__mentor"), POSTGRESQL)
    assert 'LEFT OUTER JOIN "shop_author" ON ("shop_book"."editor_id" = "shop_author"."id")' in sql
    with pytest.raises(NotImplementedError):
        spelt(BOOKS.annotate(n=Count("tags")).distinct("pages"), POSTGRESQL)


def test_objects_that_are_known_stay_known_in_combined_queries(books: None) -> None:
    ada, bob = Author.objects.order_by("name")
    together = list(ada.books.all() | bob.books.all())
    assert {id(book.author) for book in together} == {id(ada), id(bob)}


def test_distinct_on_names_is_refused_where_the_database_has_none() -> None:
    with pytest.raises(NotSupportedError, match=r"DISTINCT ON fields is not supported.*Subquery"):
        spelt(BOOKS.distinct("pages"), SQLITE)


@pytest.mark.parametrize("name", ["nonsense", "author__nonsense", "-pages", F("pages")])
def test_distinct_on_unknown_names_is_refused_at_the_call(name: Any) -> None:
    with pytest.raises(FieldError):
        BOOKS.distinct(name)


def test_distinct_on_a_relation_goes_with_the_order_of_its_model() -> None:
    sql, _ = spelt(Book.objects.order_by("-author", "title").distinct("author"), POSTGRESQL)
    assert sql.startswith('SELECT DISTINCT ON ("shop_author"."name", "shop_book"."author_id") ')
    assert sql.endswith(
        ' ORDER BY "shop_author"."name" DESC, "shop_book"."author_id" DESC, "shop_book"."title" ASC'
    )


@needs("distinct_on")
async def test_distinct_on_a_relation_keeps_the_first_row_of_each(ask: Any, books: None) -> None:
    rows = Book.objects.order_by("author", "-title").distinct("author")
    found = await ask(list, rows.values_list("author__name", "title"))
    every = await ask(list, Book.objects.values_list("author__name", "title"))
    assert found == sorted(
        {name: max(t for n, t in every if n == name) for name, _ in every}.items()
    )
