"""Slices that are taken for each instance, and conditions on windows."""

from __future__ import annotations

import pytest
from shop.models import Author, Book, Tag

from aorm.models import Count, F, Prefetch, Q, Window
from aorm.models.functions import Rank, RowNumber


@pytest.fixture
def authors(database) -> list[Author]:
    """Two authors with three books each, of rising numbers of pages; all have two tags."""
    authors = [Author.objects.create(name=name) for name in ("Ada", "Bea")]
    tags = [Tag.objects.create(name=name) for name in ("a", "b")]
    for number in range(6):
        author = authors[number % 2]
        book = Book.objects.create(title=f"{number}", author=author, pages=number)
        book.tags.set(tags)
    return authors


def titles(books):
    return [book.title for book in books]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (slice(1), [["4"], ["5"]]),
        (slice(1, None), [["2", "0"], ["3", "1"]]),
        (slice(1, 2), [["2"], ["3"]]),
    ],
)
async def test_each_instance_gets_its_own_slice(ask, authors, part, expected):
    lookup = Prefetch("books", Book.objects.order_by("-pages")[part], to_attr="some")
    with ask.queries() as queries:
        found = await ask(list, Author.objects.order_by("name").prefetch_related(lookup))
    assert [titles(each.some) for each in found] == expected
    assert len(queries) == 2


async def test_a_slice_through_a_many_to_many_field(ask, authors):
    lookup = Prefetch("tags", Tag.objects.order_by("-name")[:1], to_attr="last")
    found = await ask(list, Book.objects.prefetch_related(lookup))
    assert [[tag.name for tag in each.last] for each in found] == [["b"]] * 6


async def test_a_slice_is_what_the_manager_gives(ask, authors):
    lookup = Prefetch("books", Book.objects.order_by("title").select_related("author")[:2])
    found = await ask(list, Author.objects.order_by("name").prefetch_related(lookup))
    assert [titles(each.books.all()) for each in found] == [["0", "2"], ["1", "3"]]


def ranked():
    rank = Window(Rank(), partition_by="author", order_by="-pages")
    return Book.objects.annotate(rank=rank).order_by("title")


async def test_windows_can_be_filtered_by(ask, authors):
    assert titles(await ask(list, ranked().filter(rank=1))) == ["4", "5"]
    assert titles(await ask(list, ranked().exclude(rank=1).filter(author__name="Ada"))) == [
        "0",
        "2",
    ]
    assert titles(await ask(list, ranked().filter(Q(rank=1) | Q(title="0")))) == ["0", "4", "5"]
    assert titles(await ask(list, ranked().filter(rank__lte=F("pages") - 2)[:2])) == ["4", "5"]


async def test_what_is_counted_updated_and_deleted_minds_windows(ask, authors):
    assert await ask(ranked().filter(rank=1).count) == 2
    assert await ask(ranked().filter(rank=9).exists) is False
    assert await ask(ranked().filter(rank=1).order_by().update, pages=9) == 2
    assert (await ask(ranked().filter(rank=1).delete))[1]["shop.Book"] == 2
    assert await ask(Book.objects.count) == 4


async def test_values_and_groups_with_conditions_on_windows(ask, authors):
    values = ranked().filter(rank=1).values_list("title", "rank")
    assert await ask(list, values) == [("4", 1), ("5", 1)]
    number = Window(RowNumber(), order_by="name")
    grouped = Author.objects.annotate(n=Count("books"), number=number).filter(n=3, number=2)
    assert [each.name for each in await ask(list, grouped)] == ["Bea"]


async def test_a_subquery_minds_windows(ask, authors):
    best = ranked().filter(rank=1).order_by()
    found = Book.objects.filter(pk__in=best.values("pk")).order_by("title")
    assert titles(await ask(list, found)) == ["4", "5"]
