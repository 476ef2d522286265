"""Lookups, conditions, orders, slices, and what spans relations."""

from __future__ import annotations

import datetime

import pytest
from shop.models import Author, Book, Shop, Stock, Tag

from aorm.models import Case, Exists, F, OuterRef, Q, Subquery, Value, When
from aorm.models.functions import Coalesce, Length, Lower, Upper

pytestmark = pytest.mark.usefixtures("library")


@pytest.fixture
def library(database) -> None:
    """Three authors, five books, three tags, one shop."""
    ada, brian, chen = (
        Author.objects.create(name=name, age=age)
        for name, age in [("Ada", 36), ("Brian", 81), ("Chen", None)]
    )
    maths, code, travel = (Tag.objects.create(name=name) for name in ("maths", "code", "travel"))
    books = [
        ("Notes", ada, 66, datetime.date(1843, 9, 5), [maths, code]),
        ("Letters", ada, 400, datetime.date(1852, 1, 31), []),
        ("C", brian, 228, datetime.date(1978, 2, 22), [code]),
        ("Unix", brian, 190, datetime.date(2019, 10, 18), [code, travel]),
        ("Silk", chen, 0, None, [travel]),
    ]
    for title, author, pages, published, tags in books:
        book = Book.objects.create(title=title, author=author, pages=pages, published=published)
        book.tags.set(tags)
    Book.objects.filter(title="Unix").update(editor=ada)
    shop = Shop.objects.create(name="Corner")
    for title, copies in [("Notes", 1), ("Unix", 7)]:
        Stock.objects.create(shop=shop, book=Book.objects.get(title=title), copies=copies)


async def titles(ask, queryset) -> list[str]:
    return await ask(list, queryset.order_by("title").values_list("title", flat=True))


ALL = ["C", "Letters", "Notes", "Silk", "Unix"]

LOOKUPS = [
    ({"title": "C"}, ["C"]),
    ({"title__exact": "c"}, []),
    ({"title__iexact": "c"}, ["C"]),
    ({"title__contains": "i"}, ["Silk", "Unix"]),
    ({"title__icontains": "N"}, ["Notes", "Unix"]),
    ({"title__startswith": "No"}, ["Notes"]),
    ({"title__istartswith": "no"}, ["Notes"]),
    ({"title__endswith": "s"}, ["Letters", "Notes"]),
    ({"title__regex": "^[CU]"}, ["C", "Unix"]),
    ({"title__iregex": "^[cu]"}, ["C", "Unix"]),
    ({"title__in": ["C", "Silk", "none of them"]}, ["C", "Silk"]),
    ({"title__in": []}, []),
    ({"pages__gt": 228}, ["Letters"]),
    ({"pages__gte": 228}, ["C", "Letters"]),
    ({"pages__lt": 66}, ["Silk"]),
    ({"pages__range": (66, 200)}, ["Notes", "Unix"]),
    ({"pages": "66"}, ["Notes"]),
    ({"published": None}, ["Silk"]),
    ({"published__isnull": False}, ["C", "Letters", "Notes", "Unix"]),
    ({"published__year": 1978}, ["C"]),
    ({"published__year__gte": 1978}, ["C", "Unix"]),
    ({"published__month__in": [1, 2]}, ["C", "Letters"]),
    ({"published__lt": datetime.date(1850, 1, 1)}, ["Notes"]),
    ({"binding": Book.Binding.HARD}, []),
    ({"author__name": "Ada"}, ["Letters", "Notes"]),
    ({"author__name__startswith": "B", "pages__gt": 200}, ["C"]),
    ({"author__age": None}, ["Silk"]),
    ({"editor__name": "Ada"}, ["Unix"]),
    ({"editor__isnull": True, "pages__gt": 100}, ["C", "Letters"]),
    ({"tags__name": "code"}, ["C", "Notes", "Unix"]),
    ({"tags__isnull": True}, ["Letters"]),
    ({"shops__name": "Corner"}, ["Notes", "Unix"]),
    ({"stock__copies__gt": 5}, ["Unix"]),
    ({"pages__gt": F("author__age")}, ["C", "Letters", "Notes", "Unix"]),
    ({"pages__gt": F("author__age") * 3}, ["Letters"]),
]


@pytest.mark.parametrize(("condition", "expected"), LOOKUPS, ids=lambda value: str(value)[:50])
async def test_lookup(ask, condition, expected):
    assert await titles(ask, Book.objects.filter(**condition)) == expected


CONDITIONS = [
    (Q(title="C") | Q(pages=0), ["C", "Silk"]),
    (Q(title="C") & Q(pages=0), []),
    (Q(title="C") ^ Q(pages__gt=200), ["Letters"]),
    (~Q(author__name="Ada"), ["C", "Silk", "Unix"]),
    (~(Q(title="C") | Q(title="Silk")), ["Letters", "Notes", "Unix"]),
    (Q(published__year__lt=1900) | Q(published=None), ["Letters", "Notes", "Silk"]),
    (Q(), ALL),
    (~Q(pk__in=[]), ALL),
    (Q(author__name="Ada") | Q(editor__name="Ada"), ["Letters", "Notes", "Unix"]),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS, ids=str)
async def test_condition(ask, condition, expected):
    assert await titles(ask, Book.objects.filter(condition)) == expected


# --- relations of many ---------------------------------------------------------------


async def test_one_filter_means_the_same_related_object(ask):
    authors = Author.objects.filter(books__title="Notes", books__pages__gt=100)
    assert await ask(list, authors) == []


async def test_two_filters_may_mean_different_related_objects(ask):
    authors = Author.objects.filter(books__title="Notes").filter(books__pages__gt=100)
    assert [author.name for author in await ask(list, authors)] == ["Ada"]


async def test_exclude_across_many_drops_whoever_has_a_match(ask):
    without = Book.objects.exclude(tags__name="code")
    assert await titles(ask, without) == ["Letters", "Silk"]


async def test_a_join_repeats_rows_unless_distinct(ask):
    coders = Author.objects.filter(books__tags__name="code")
    assert [a.name for a in await ask(list, coders)] == ["Ada", "Brian", "Brian"]
    assert [a.name for a in await ask(list, coders.distinct())] == ["Ada", "Brian"]


async def test_a_queryset_as_a_value_is_a_subquery(ask):
    old = Author.objects.filter(age__gt=40)
    with ask.queries() as queries:
        assert await titles(ask, Book.objects.filter(author__in=old)) == ["C", "Unix"]
    assert len(queries) == 1


async def test_an_object_as_a_value_is_its_key(ask):
    ada = await ask(Author.objects.get, name="Ada")
    assert await titles(ask, Book.objects.filter(author=ada)) == ["Letters", "Notes"]
    assert await titles(ask, Book.objects.filter(author__in=[ada])) == ["Letters", "Notes"]


# --- subqueries and expressions --------------------------------------------------------


async def test_exists_of_an_outer_reference(ask):
    in_stock = Exists(Stock.objects.filter(book=OuterRef("pk")))
    assert await titles(ask, Book.objects.filter(in_stock)) == ["Notes", "Unix"]
    assert await titles(ask, Book.objects.filter(~in_stock)) == ["C", "Letters", "Silk"]


async def test_a_subquery_as_an_annotation(ask):
    longest = Book.objects.filter(author=OuterRef("pk")).order_by("-pages").values("title")[:1]
    authors = Author.objects.annotate(longest=Subquery(longest)).values_list("name", "longest")
    assert await ask(list, authors) == [("Ada", "Letters"), ("Brian", "C"), ("Chen", "Silk")]


async def test_case_when(ask):
    size = Case(
        When(pages=0, then=Value("empty")),
        When(pages__lt=200, then=Value("thin")),
        default=Value("thick"),
    )
    found = Book.objects.annotate(size=size).order_by("title").values_list("title", "size")
    assert await ask(list, found) == [
        ("C", "thick"),
        ("Letters", "thick"),
        ("Notes", "thin"),
        ("Silk", "empty"),
        ("Unix", "thin"),
    ]


async def test_functions(ask):
    found = Author.objects.annotate(
        years=Coalesce("age", 0), low=Lower("name"), up=Upper("name"), length=Length("name")
    ).values_list("years", "low", "up", "length")
    assert await ask(list, found) == [
        (36, "ada", "ADA", 3),
        (81, "brian", "BRIAN", 5),
        (0, "chen", "CHEN", 4),
    ]


async def test_a_filter_on_an_annotation(ask):
    long_names = Author.objects.annotate(length=Length("name")).filter(length__gt=3)
    assert [a.name for a in await ask(list, long_names)] == ["Brian", "Chen"]


async def test_an_alias_can_be_filtered_but_is_not_selected(ask):
    (brian,) = await ask(list, Author.objects.alias(n=Length("name")).filter(n=5))
    assert brian.name == "Brian"
    assert not hasattr(brian, "n")


# --- orders, slices, shapes --------------------------------------------------------------


async def test_order_across_a_relation(ask):
    ordered = Book.objects.order_by("-author__name", "pages").values_list("title", flat=True)
    assert await ask(list, ordered) == ["Silk", "Unix", "C", "Notes", "Letters"]


async def test_nulls_go_where_they_are_told(ask):
    ordered = Author.objects.order_by(F("age").desc(nulls_last=True))
    assert [a.name for a in await ask(list, ordered)] == ["Brian", "Ada", "Chen"]
    ordered = Author.objects.order_by(F("age").asc(nulls_first=True))
    assert [a.name for a in await ask(list, ordered)] == ["Chen", "Ada", "Brian"]


async def test_reverse_turns_the_order_round(ask):
    assert [a.name for a in await ask(list, Author.objects.reverse())] == ["Chen", "Brian", "Ada"]


async def test_slices_become_limits(ask):
    by_title = Book.objects.order_by("title")
    assert [b.title for b in await ask(list, by_title[1:3])] == ["Letters", "Notes"]
    assert [b.title for b in await ask(list, by_title[3:])] == ["Silk", "Unix"]
    assert [b.title for b in await ask(list, by_title[1:4][1:2])] == ["Notes"]


async def test_values_and_values_list(ask):
    ada = Author.objects.filter(name="Ada")
    assert await ask(list, ada.values("name", "age")) == [{"name": "Ada", "age": 36}]
    assert await ask(list, ada.values_list("name", "age")) == [("Ada", 36)]
    (row,) = await ask(list, ada.values_list("name", "age", named=True))
    assert (row.name, row.age) == ("Ada", 36)
    across = Book.objects.filter(title="C").values("author__name", "title")
    assert await ask(list, across) == [{"author__name": "Brian", "title": "C"}]


async def test_distinct_values(ask):
    names = Book.objects.order_by("author__name").values_list("author__name", flat=True)
    assert await ask(list, names.distinct()) == ["Ada", "Brian", "Chen"]


async def test_dates_are_distinct_and_ordered(ask):
    years = Book.objects.filter(published__year__lt=1900).dates("published", "year")
    assert await ask(list, years) == [datetime.date(1843, 1, 1), datetime.date(1852, 1, 1)]


async def test_or_and_and_of_querysets(ask):
    ada = Book.objects.filter(author__name="Ada")
    thick = Book.objects.filter(pages__gt=200)
    assert await titles(ask, ada | thick) == ["C", "Letters", "Notes"]
    assert await titles(ask, ada & thick) == ["Letters"]


async def test_chaining_never_changes_the_parent(ask):
    books = Book.objects.filter(pages__gt=0)
    books.filter(title="C").exclude(pages=1).order_by("title").distinct()[:1]
    assert await titles(ask, books) == ["C", "Letters", "Notes", "Unix"]


async def test_results_are_fetched_once(ask):
    authors = Author.objects.all()
    with ask.queries() as queries:
        first = await ask(list, authors)
        again = await ask(list, authors)
    assert len(queries) == 1
    assert [id(author) for author in first] == [id(author) for author in again]


async def test_a_custom_manager_narrows(ask):
    await ask(Book.objects.filter(title="C").update, available=False)
    assert await titles(ask, Book.on_sale.all()) == ["Letters", "Notes", "Silk", "Unix"]


@pytest.mark.parametrize(
    ("ages", "left"),
    [
        ([None], ["Ada", "Brian"]),
        ([36, None], ["Brian"]),
        ((None, 36, 81), []),
        ([36], ["Brian", "Chen"]),
    ],
)
async def test_none_in_an_excluded_list_excludes_rows_without_a_value(ask, ages, left) -> None:
    authors = Author.objects.order_by("name").values_list("name", flat=True)
    assert await ask(list, authors.exclude(age__in=ages)) == left
    assert await ask(list, authors.filter(~Q(age__in=ages) & Q(name__gt=""))) == left


async def test_none_in_a_list_finds_nothing(ask) -> None:
    assert await ask(list, Author.objects.filter(age__in=[None])) == []
    assert (await ask(Author.objects.get, age__in=[36, None])).name == "Ada"
