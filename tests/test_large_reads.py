"""Results of more rows than are fetched at a time: the same as of few."""

from __future__ import annotations

import pytest
from shop.models import Author, Book
from support import committed

from aorm.connections import connections
from aorm.testing import assert_num_queries

pytestmark = committed

MANY = 1203  # more than two pieces, and not a whole number of them
PIECE = 500


async def filled(ask):
    """The titles of many books."""
    author = await ask(Author.objects.create, name="Ada")
    titles = [f"Book {number:04}" for number in range(MANY)]
    await ask(Book.objects.bulk_create, [Book(title=title, author=author) for title in titles])
    return titles


async def test_all_rows_come_once_and_in_order(ask):
    shelf = await filled(ask)
    books = Book.objects.order_by("title")
    assert [book.title for book in await ask(list, books)] == shelf
    assert await ask(list, books.values_list("title", flat=True)) == shelf
    assert await ask(list, books.values("title")) == [{"title": title} for title in shelf]


@pytest.mark.parametrize("number", [0, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE])
async def test_the_number_of_rows_does_not_matter(ask, number):
    shelf = await filled(ask)
    books = Book.objects.order_by("title")[:number]
    assert [book.title for book in await ask(list, books)] == shelf[:number]


async def test_what_is_loaded_later_is_loaded_for_all_pieces_at_once(ask):
    await filled(ask)
    books = await ask(list, Book.objects.order_by("title"))
    with assert_num_queries(1):
        if ask.face == "sync":
            names = await ask.in_thread(lambda: [book.author.name for book in books])
        else:
            await books[-1].afetch_related("author")
            names = [book.author.name for book in books]
    assert names == ["Ada"] * MANY


async def test_unusual_values_in_a_later_piece_are_read(ask, database):
    await filled(ask)
    if database.vendor != "sqlite":
        pytest.skip("the server refuses them")
    sql = "UPDATE shop_book SET published = '2026-01-02 00:00:00' WHERE title = 'Book 1100'"
    await ask(database.execute, sql)
    found = await ask(list, Book.objects.order_by("title").values_list("published", flat=True))
    assert [day.isoformat() for day in found if day] == ["2026-01-02"]


class Picky(Book):
    class Meta:
        proxy = True

    @classmethod
    def from_db(cls, db, field_names, values, **options):
        loaded = super().from_db(db, field_names, values, **options)
        if loaded.title == "Book 0600":
            raise RuntimeError("not this one")
        return loaded


async def test_a_failure_in_the_middle_leaves_nothing_open(ask, database):
    await filled(ask)
    with pytest.raises(RuntimeError, match="not this one"):
        await ask(list, Picky.objects.order_by("title"))
    # a result that is still read would keep the table
    await ask(Book.objects.all().delete)
    await ask(database.execute, "CREATE INDEX of_its_own ON shop_book (pages)")
    await ask(database.execute, "DROP INDEX of_its_own")
    assert await ask(Book.objects.count) == 0


ASKED = []


class Asking(Book):
    class Meta:
        proxy = True

    @classmethod
    def from_db(cls, db, field_names, values, **options):
        ASKED.append(connections[db].execute("SELECT 1"))
        return super().from_db(db, field_names, values, **options)


async def test_code_of_a_model_may_ask_while_its_rows_are_read(ask, database):
    shelf = await filled(ask)
    if ask.face == "async":
        pytest.skip("a synchronous call would block the loop")
    ASKED.clear()
    async with ask.atomic():
        found = await ask(list, Asking.objects.order_by("title"))
    assert [book.title for book in found] == shelf
    assert len(ASKED) == MANY


async def test_breaking_out_of_a_loop_keeps_the_results(ask):
    shelf = await filled(ask)
    if ask.face == "sync":
        pytest.skip("about async for")
    books = Book.objects.order_by("title")
    with assert_num_queries(1):
        async for book in books:
            assert book.title == shelf[0]
            break
        assert [book.title async for book in books] == shelf
        found = aiter(books)
        assert (await anext(found)).title == shelf[0]
        assert len([book async for book in found]) == MANY - 1
        assert await anext(found, None) is None
