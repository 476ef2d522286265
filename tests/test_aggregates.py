"""Aggregates over everything and over groups."""

from __future__ import annotations

from decimal import Decimal

import pytest
from shop.models import Author, Book, Tag
from support import needs

from aorm.errors import NotSupportedError
from aorm.models import Avg, Count, F, Max, Min, Q, StdDev, Sum, Variance
from aorm.models.functions import Coalesce

pytestmark = pytest.mark.usefixtures("library")


@pytest.fixture
def library(database) -> None:
    ada = Author.objects.create(name="Ada", age=36)
    brian = Author.objects.create(name="Brian", age=80)
    Author.objects.create(name="Chen")
    tag = Tag.objects.create(name="code")
    for title, author, pages, price in [
        ("Notes", ada, 60, "10.00"),
        ("Letters", ada, 400, "20.50"),
        ("C", brian, 230, "30.00"),
    ]:
        book = Book.objects.create(title=title, author=author, pages=pages, price=price)
        book.tags.add(tag)


async def test_aggregates_over_everything(ask):
    assert await ask(
        Book.objects.aggregate,
        Count("pk"),
        total=Sum("pages"),
        shortest=Min("pages"),
        longest=Max("pages"),
        mean=Avg("pages"),
        worth=Sum("price"),
    ) == {
        "pk__count": 3,
        "total": 690,
        "shortest": 60,
        "longest": 400,
        "mean": 230.0,
        "worth": Decimal("60.50"),
    }


async def test_aggregates_over_nothing(ask):
    nothing = Book.objects.filter(title="none")
    result = await ask(
        nothing.aggregate, n=Count("pk"), total=Sum("pages"), zero=Sum("pages", default=0)
    )
    assert result == {"n": 0, "total": None, "zero": 0}


async def test_an_aggregate_counts_only_what_its_filter_admits(ask):
    result = await ask(
        Book.objects.aggregate,
        thick=Count("pk", filter=Q(pages__gt=100)),
        by_ada=Sum("pages", filter=Q(author__name="Ada")),
    )
    assert result == {"thick": 2, "by_ada": 460}


async def test_distinct_counts_each_value_once(ask):
    result = await ask(
        Book.objects.aggregate, books=Count("author"), authors=Count("author", distinct=True)
    )
    assert result == {"books": 3, "authors": 2}


async def test_deviation_and_variance(ask):
    result = await ask(Book.objects.aggregate, s=StdDev("pages"), v=Variance("pages"))
    assert result["v"] == pytest.approx(19266.6667)
    assert result["s"] == pytest.approx(138.8044)


async def test_an_annotation_groups_by_the_object(ask):
    authors = Author.objects.annotate(written=Count("books"), pages=Sum("books__pages"))
    by_name = authors.order_by("name")
    assert [(a.name, a.written, a.pages) for a in await ask(list, by_name)] == [
        ("Ada", 2, 460),
        ("Brian", 1, 230),
        ("Chen", 0, None),
    ]


async def test_values_before_annotate_group_by_these_values(ask):
    groups = Book.objects.values("author__name").annotate(n=Count("pk")).order_by("author__name")
    assert await ask(list, groups) == [
        {"author__name": "Ada", "n": 2},
        {"author__name": "Brian", "n": 1},
    ]


async def test_a_filter_after_annotate_is_having(ask):
    prolific = Author.objects.annotate(n=Count("books")).filter(n__gt=1)
    assert [author.name for author in await ask(list, prolific)] == ["Ada"]


async def test_a_filter_before_annotate_narrows_what_is_counted(ask):
    authors = Author.objects.filter(books__pages__gt=100).annotate(n=Count("books"))
    authors = authors.order_by("name")
    assert [(a.name, a.n) for a in await ask(list, authors)] == [("Ada", 1), ("Brian", 1)]


async def test_order_by_an_aggregate(ask):
    authors = Author.objects.annotate(n=Coalesce(Sum("books__pages"), 0)).order_by("-n")
    assert [author.name for author in await ask(list, authors)] == ["Ada", "Brian", "Chen"]


async def test_arithmetic_over_aggregates(ask):
    result = await ask(Book.objects.aggregate, each=Sum("pages") / Count("pk"))
    assert result == {"each": 230}
    authors = Author.objects.annotate(n=Count("books")).annotate(twice=F("n") * 2)
    authors = authors.order_by("name")
    assert [author.twice for author in await ask(list, authors)] == [4, 2, 0]


async def test_an_aggregate_of_an_annotation(ask):
    per_author = Author.objects.annotate(n=Count("books"))
    assert await ask(per_author.aggregate, most=Max("n"), mean=Avg("n")) == {"most": 2, "mean": 1.0}


async def test_count_of_a_grouped_queryset_counts_its_rows(ask):
    groups = Book.objects.values("author").annotate(n=Count("pk"))
    assert await ask(groups.count) == 2


async def test_an_aggregate_of_a_slice_sees_only_the_slice(ask):
    longest = Book.objects.order_by("-pages")[:2]
    assert await ask(longest.aggregate, Sum("pages")) == {"pages__sum": 630}


@needs("inline_foreign_keys_only")  # SQLite, which has no type for dates
@pytest.mark.parametrize("aggregate", [Sum, Avg, StdDev, Variance])
@pytest.mark.parametrize("field", ["published", "added"])
async def test_dates_that_are_texts_are_not_added_up(ask, aggregate, field):
    with pytest.raises(NotSupportedError, match=f"does not support {aggregate.__name__} on date"):
        await ask(Book.objects.aggregate, aggregate(field))
