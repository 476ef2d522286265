"""Keyset pagination: every order, forwards and backwards, on both databases and faces."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from query.spelling import interned, spelt
from shop.models import Author, Book, Shelf, Tag
from support import Ask

from aorm.errors import QueryTypeError, QueryValueError
from aorm.models import Count, F, Q, Window
from aorm.models.functions import Length, Lower, RowNumber
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE

BOOKS = interned(Book)


def behind(queryset: Any, dialect: Any, *values: Any) -> tuple[str, tuple[Any, ...]]:
    """The condition and the order of the page behind a row with these values."""
    rows = queryset._ordered_for_pages(dialect, False)._behind(values, False, dialect)
    sql, params = spelt(rows, dialect)
    return sql.partition(" WHERE ")[2], params


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (
            SQLITE,
            '("shop_book"."pages", "shop_book"."id") > (?, ?)'
            ' ORDER BY "shop_book"."pages" ASC, "shop_book"."id" ASC',
        ),
        (
            POSTGRESQL,
            '("shop_book"."pages", "shop_book"."id") > ($1, $2)'
            ' ORDER BY "shop_book"."pages" ASC, "shop_book"."id" ASC',
        ),
    ],
    ids=["sqlite", "postgresql"],
)
def test_one_direction_is_a_comparison_of_rows(dialect: Any, text: str) -> None:
    for _ in range(2):
        assert behind(BOOKS.order_by("pages"), dialect, 5, 7) == (text, (5, 7))


@pytest.mark.parametrize(
    ("dialect", "text", "params"),
    [
        (
            SQLITE,
            '"shop_book"."rating" > ? OR ("shop_book"."rating" = ? AND "shop_book"."pages" < ?) OR'
            ' ("shop_book"."rating" = ? AND "shop_book"."pages" = ? AND "shop_book"."id" < ?)'
            ' ORDER BY "shop_book"."rating" ASC, "shop_book"."pages" DESC, "shop_book"."id" DESC',
            (1.5, 1.5, 3, 1.5, 3, 9),
        ),
        (
            POSTGRESQL,
            '("shop_book"."rating" > $1 OR "shop_book"."rating" IS NULL) OR ("shop_book"."rating"'
            ' = $1 AND "shop_book"."pages" < $2) OR ("shop_book"."rating" = $1 AND'
            ' "shop_book"."pages" = $2 AND "shop_book"."id" < $3) ORDER BY "shop_book"."rating"'
            ' ASC, "shop_book"."pages" DESC, "shop_book"."id" DESC',
            (1.5, 3, 9),
        ),
    ],
    ids=["sqlite", "postgresql"],
)
def test_nulls_stand_where_the_database_has_them(dialect: Any, text: str, params: Any) -> None:
    assert behind(BOOKS.order_by("rating", "-pages"), dialect, 1.5, 3, 9) == (text, params)


def test_a_second_page_is_built_by_look_ups() -> None:
    def made(number: int) -> Any:
        rows = BOOKS.order_by("-rating")._ordered_for_pages(SQLITE, False)
        return rows._behind((1.5 * number, number), False, SQLITE)._query

    assert made(1) is made(2)


@pytest.fixture
def many(database: Any) -> None:
    authors = [Author(name=name, age=age) for name, age in (("A", 1), ("B", None), ("C", 3))]
    authors[2].mentor = None
    Author.objects.bulk_create(authors)
    authors[0].mentor = authors[1]
    authors[0].save()
    Book.objects.bulk_create(
        [
            Book(
                title=f"{'tT'[n % 2]}{n // 4}-{n}",
                author=authors[n % 3],
                editor=authors[n % 2] if n % 3 else None,
                pages=n % 5,
                price=n // 3,
                rating=None if n % 4 == 0 else (n % 3) / 4,
                published=None if n % 3 == 0 else dt.date(2020, 1, 1 + n % 7),
            )
            for n in range(23)
        ]
    )


ORDERS: list[tuple[Any, ...]] = [
    (),
    ("pk",),
    ("-pk",),
    ("title",),
    ("-rating",),
    ("rating", "-pages"),
    ("-pages", "published", "price"),
    (F("rating").asc(nulls_first=True), F("published").desc(nulls_last=True)),
    (F("rating").desc(nulls_first=True), "pages"),
    ("author", "-price"),
    ("-author__name", "pages"),
    ("editor__age", "rating"),
    ("-editor", "-rating"),
    (Lower("title").desc(), "rating"),
    (Length("title") + F("pages"), "-rating"),
    ("added",),
]


async def walked(ask: Ask, queryset: Any, size: int) -> list[Any]:
    """All results, page by page, and back again."""
    pages = [await ask(queryset.page, size=size)]
    while pages[-1].has_next:
        pages.append(await ask(queryset.page, after=pages[-1].next, size=size))
    found = [item for page in pages for item in page]
    back = [pages[-1]]
    while back[-1].has_previous:
        back.append(await ask(queryset.page, before=back[-1].previous, size=size))
    again = [item for page in reversed(back) for item in page]
    assert again == found
    assert all(len(page) == size for page in pages[:-1])
    return found


@pytest.mark.parametrize("order", ORDERS, ids=str)
async def test_pages_are_the_results_in_their_order(ask: Ask, many: None, order: Any) -> None:
    queryset = Book.objects.order_by(*order)
    found = await walked(ask, queryset, 4)
    assert len(found) == len(set(found)) == 23
    if order:
        ranked = list(await ask(list, queryset.values_list(*_keys(order), "pk")))
        expected = [row[:-1] for row in ranked]
        rank = {row[-1]: row[:-1] for row in ranked}
        assert [rank[book.pk] for book in found] == expected


def _keys(order: Any) -> list[Any]:
    keys: list[Any] = []
    for term in order:
        if isinstance(term, str):
            keys.append(term.lstrip("-"))
        else:
            keys.append(getattr(term, "expression", term))
    return keys


async def test_aggregates_and_groups(ask: Ask, many: None) -> None:
    counted = Author.objects.annotate(number=Count("books")).order_by("-number")
    assert len(await walked(ask, counted, 1)) == 3
    groups = Book.objects.values("pages").annotate(number=Count("pk")).order_by("-number")
    found = await walked(ask, groups, 2)
    assert found == sorted(found, key=lambda row: (-row["number"], -row["pages"]))
    assert len(found) == 5


async def test_windows(ask: Ask, many: None) -> None:
    number = Window(RowNumber(), partition_by="author", order_by="pk")
    rows = Book.objects.annotate(number=number).order_by("number", "author")
    assert len({book.pk for book in await walked(ask, rows, 5)}) == 23


async def test_forms_of_results(ask: Ask, many: None) -> None:
    rows = Book.objects.order_by("-rating")
    for queryset in (
        rows.values("title", "pk"),
        rows.values_list("pk", flat=True),
        rows.values_list("pk", "title", named=True),
        rows.only("title"),
        rows.filter(Q(tags=None) | Q(pages__gte=0)).distinct(),
        rows.select_related("author", "editor"),
    ):
        assert len(await walked(ask, queryset, 6)) == 23


async def test_keys_of_several_columns(ask: Ask, database: Any) -> None:
    objs = [Shelf(room=n % 3, place=n, label="ab"[n % 2]) for n in range(10)]
    await ask(Shelf.objects.bulk_create, objs)
    found = await walked(ask, Shelf.objects.order_by("-label"), 3)
    assert sorted(shelf.place for shelf in found) == list(range(10))


async def test_rows_that_come_and_go_move_no_other(ask: Ask, many: None) -> None:
    rows = Book.objects.order_by("pk")
    first = await ask(rows.page, size=5)
    await ask(first[-1].delete)
    await ask(first[0].delete)
    second = await ask(rows.page, after=first.next, size=5)
    everything = await ask(list, rows)
    assert list(second) == everything[3:8]


async def test_behind_the_end_the_way_leads_back(ask: Ask, many: None) -> None:
    rows = Book.objects.order_by("pk")
    everything = await ask(list, rows)
    page = await ask(rows.page, size=23)
    assert (page.next, page.previous, len(page)) == (None, None, 23)
    empty = await ask(rows.page, after=page.cursor(-1), size=3)
    assert (list(empty), empty.has_next, empty.has_previous) == ([], False, True)
    back = await ask(rows.page, before=empty.previous, size=3)
    assert list(back) == everything[-3:]
    before = await ask(rows.page, before=page.cursor(0), size=3)
    assert (list(before), before.has_next) == ([], True)
    assert list(await ask(rows.page, after=before.next, size=3)) == everything[:3]


async def test_each_item_has_a_cursor(ask: Ask, many: None) -> None:
    rows = Book.objects.order_by("-pages")
    page = await ask(rows.page, size=10)
    assert list(await ask(rows.page, after=page.cursor(3), size=2)) == page[4:6]
    assert page.cursor(9) == page.cursor(-1) == page.next
    with pytest.raises(IndexError):
        page.cursor(10)


async def test_related_objects_are_prefetched(ask: Ask, many: None) -> None:
    page = await ask(Author.objects.prefetch_related("books").page, size=2)
    assert all("books" in author._prefetched_objects_cache for author in page)
    empty = await ask(Author.objects.none().page)
    assert (list(empty), empty.has_next, empty.has_previous) == ([], False, False)


async def test_related_managers_have_pages(ask: Ask, many: None) -> None:
    author = await ask(Author.objects.get, name="A")
    page = await ask(author.books.order_by("-pages").page, size=3)
    assert all(book.author is author for book in page)


async def test_other_cursors_are_refused(ask: Ask, many: None) -> None:
    rows = Book.objects.order_by("title")
    cursor = (await ask(rows.page, size=2)).next
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    changed = ("B" if cursor[9] == "A" else "A").join((cursor[:9], cursor[10:]))
    for wrong in ("", "a", "%%%", "é", cursor[:-4], cursor + "AAAA", changed):
        with pytest.raises(QueryValueError, match="was not made by this query"):
            await ask(rows.page, after=wrong)
    for other in (rows.reverse(), Book.objects.order_by("pages"), Tag.objects.all()):
        with pytest.raises(QueryValueError, match="another model or another order"):
            await ask(other.page, before=cursor)
    assert await ask(rows.filter(pages=1).page, after=cursor)


def test_what_has_no_pages(database: Any) -> None:
    rows = Book.objects.order_by("pk")
    for size in (0, -1, "5", True, 2.0):
        with pytest.raises(QueryValueError, match="above 0"):
            rows.page(size=size)  # type: ignore[arg-type]
    with pytest.raises(QueryValueError, match="not both"):
        rows.page(after="a", before="b")
    with pytest.raises(QueryValueError, match="text"):
        rows.page(after=5)  # type: ignore[arg-type]
    with pytest.raises(QueryTypeError, match="before slicing"):
        rows[:5].page()
    with pytest.raises(QueryTypeError, match="random"):
        Book.objects.order_by("?").page()
    with pytest.raises(QueryTypeError, match="JSON"):
        Book.objects.order_by("details").page()
    with pytest.raises(QueryTypeError, match="apart"):
        Book.objects.values("pages").distinct().page()
