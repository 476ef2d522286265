"""`rolled_back`: what code inside of it sees, from wherever it runs, and that nothing is left."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest
from shop.models import Author, Book
from support import committed

import aorm
from aorm.errors import (
    IntegrityError,
    SynchronousOnlyOperation,
    TransactionManagementError,
)
from aorm.testing import rolled_back

pytestmark = [pytest.mark.usefixtures("database"), committed]


class Undo(Exception):
    """Leaves a block by raising."""


def elsewhere(call: Any) -> Any:
    """Call in a thread that inherits no context."""
    results: list[Any] = []
    thread = threading.Thread(
        target=lambda: results.append(contextvars.Context().run(call)), daemon=True
    )
    thread.start()
    thread.join()
    return results[0]


def stored() -> list[str]:
    return elsewhere(lambda: list(Author.objects.order_by("name").values_list("name", flat=True)))


def create(name: str) -> Any:
    return Author.objects.create(name=name)


async def acreate(name: str) -> Any:
    return await Author.objects.acreate(name=name)


# --- found from everywhere -----------------------------------------------------------


def test_nothing_is_left_of_what_a_thread_wrote():
    with rolled_back():
        create("Ada")
        assert stored() == ["Ada"]
    assert stored() == []


async def test_nothing_is_left_of_what_a_coroutine_wrote():
    async with rolled_back():
        await acreate("Ada")
        assert await Author.objects.acount() == 1
    assert await Author.objects.acount() == 0


def test_a_thread_without_the_context_is_in_it():
    with rolled_back():
        elsewhere(lambda: create("Ada"))
        assert Author.objects.count() == 1
    assert stored() == []


def test_each_event_loop_is_in_it():
    with rolled_back():
        for name in "Ada", "Eve":
            asyncio.run(acreate(name))
        elsewhere(lambda: asyncio.run(acreate("Zoe")))
        assert stored() == ["Ada", "Eve", "Zoe"]
    assert stored() == []


async def test_tasks_and_threads_of_another_context_are_in_that_of_a_loop():
    async with rolled_back():
        await asyncio.create_task(acreate("Ada"), context=contextvars.Context())
        await asyncio.to_thread(lambda: elsewhere(lambda: create("Eve")))
        await asyncio.to_thread(lambda: elsewhere(lambda: asyncio.run(acreate("Zoe"))))
        assert await Author.objects.acount() == 3
    assert await Author.objects.acount() == 0


def test_detached_code_is_in_it():
    with rolled_back():
        with aorm.atomic(), aorm.detached():
            pass
        with aorm.detached():
            create("Ada")
    assert stored() == []


def test_synchronous_calls_on_a_loop_stay_refused():
    async def wrong() -> None:
        with pytest.raises(SynchronousOnlyOperation):
            create("Ada")
        with pytest.raises(SynchronousOnlyOperation), rolled_back():
            pass

    with rolled_back():
        asyncio.run(wrong())


def test_one_context_may_see_several_of_them_after_each_other():
    for name in "Ada", "Eve":
        with rolled_back():
            with aorm.atomic():
                create(name)
            assert Author.objects.get().name == name
    assert stored() == []


def test_it_is_not_nested():
    with (
        rolled_back(),
        pytest.raises(TransactionManagementError, match=r"test_rolled_back\.py:\d+"),
        rolled_back(),
    ):
        pass
    with aorm.atomic(), pytest.raises(TransactionManagementError, match="opened at"), rolled_back():
        pass


# --- blocks inside of it -----------------------------------------------------------------


async def test_blocks_commit_and_roll_back_inside_of_it(ask):
    async with rolled_back():
        async with ask.atomic():
            await ask(Author.objects.create, name="Ada")
        with pytest.raises(Undo):
            async with ask.atomic():
                await ask(Author.objects.create, name="Eve")
                raise Undo
        assert (await ask(Author.objects.get)).name == "Ada"
    assert await ask(Author.objects.count) == 0


async def _created_with_retries(ask, name):
    @aorm.atomic(retries=2)
    def create():
        Author.objects.create(name=name)

    @aorm.atomic(retries=2)
    async def acreate():
        await Author.objects.acreate(name=name)

    await (ask.in_thread(create) if ask.face == "sync" else acreate())


async def test_durable_blocks_and_options_of_transactions_are_allowed(ask):
    async with rolled_back():
        async with ask.atomic(durable=True):
            await ask(Author.objects.create, name="Ada")
        async with ask.atomic(isolation="serializable"):
            await ask(Author.objects.create, name="Eve")
        await _created_with_retries(ask, "Zoe")
        async with ask.atomic():
            with pytest.raises(RuntimeError, match="durable"):
                async with ask.atomic(durable=True):
                    pass
        assert await ask(Author.objects.count) == 3


async def test_a_block_without_savepoint_is_one_where_it_would_be_a_transaction(ask):
    async with rolled_back():
        with pytest.raises(Undo):
            async with ask.atomic(savepoint=False):
                await ask(Author.objects.create, name="Ada")
                raise Undo
        assert await ask(Author.objects.count) == 0


async def test_a_failed_statement_outside_of_blocks_leaves_the_rest_alone(ask):
    async with rolled_back():
        await ask(Author.objects.create, name="Ada")
        with pytest.raises(IntegrityError):
            await ask(Author.objects.create, name="Ada")
        await ask(Author.objects.create, name="Eve")
        with pytest.raises(aorm.errors.DatabaseError):
            await ask(aorm.connections["default"].execute, "SELECT nothing FROM nowhere")
        assert await ask(Author.objects.count) == 2
    assert await ask(Author.objects.count) == 0


async def test_a_failed_statement_inside_of_a_block_breaks_the_block(ask):
    async with rolled_back():
        await ask(Author.objects.create, name="Ada")
        async with ask.atomic():
            with pytest.raises(IntegrityError):
                await ask(Author.objects.create, name="Ada")
            with pytest.raises(TransactionManagementError):
                await ask(Author.objects.count)
        assert await ask(Author.objects.count) == 1


async def test_closing_all_connections_does_not_end_it(ask):
    async with rolled_back():
        await ask(Author.objects.create, name="Ada")
        await ask(aorm.close)
        assert await ask(Author.objects.count) == 1
    assert await ask(Author.objects.count) == 0


async def test_concurrent_blocks_take_turns():
    async def write(name: str) -> None:
        async with aorm.atomic():
            await acreate(name)
            await asyncio.sleep(0)
            if name == "b":
                raise Undo

    async with rolled_back():
        await asyncio.gather(*map(write, "abc"), return_exceptions=True)
        names = [author.name async for author in Author.objects.order_by("name")]
        assert names == ["a", "c"]


async def test_a_stream_is_read_inside_of_it():
    async with rolled_back():
        await Author.objects.abulk_create([Author(name=f"a{n}") for n in range(5)])
        found = [author.name async for author in Author.objects.order_by("name").aiterator(2)]
        assert found == ["a0", "a1", "a2", "a3", "a4"]
        assert await Author.objects.acount() == 5


# --- constraints --------------------------------------------------------------------------


def orphan() -> None:
    Book.objects.create(title="Nobody's", author_id=99)


def test_a_block_checks_deferred_constraints_where_it_would_commit(database):
    if database.vendor != "postgresql":
        pytest.skip("SQLite checks at the end of the test: see the next one")
    with rolled_back():
        with pytest.raises(IntegrityError), aorm.atomic():
            orphan()
        assert Book.objects.count() == 0
        with pytest.raises(IntegrityError):
            orphan()
        with aorm.atomic():  # constraints are deferred still
            book = Book(title="Ada's", author_id=98)
            book.save()
            Author.objects.create(pk=98, name="Ada")
        assert Book.objects.get() == book


async def test_tables_may_change_after_rows(ask):
    async with rolled_back():
        author = await ask(Author.objects.create, name="Ada")
        await ask(Book.objects.create, title="Notes", author=author)
        await ask(aorm.drop_tables, Book)
        execute = aorm.connections["default"].execute
        await ask(execute, "ALTER TABLE shop_author ADD COLUMN extra integer")
    assert await ask(Book.objects.count) == 0


async def test_orphans_on_sqlite_are_reported_at_the_end(database):
    if database.vendor != "sqlite":
        pytest.skip("PostgreSQL checks earlier")
    with pytest.raises(IntegrityError, match=r"shop_book \(to shop_author\)"):
        await asyncio.to_thread(_with_orphan)
    with pytest.raises(IntegrityError, match=r"shop_book \(to shop_author\)"):
        async with rolled_back():
            await Book.objects.acreate(title="Nobody's", author_id=99)
    assert await Book.objects.acount() == 0


def _with_orphan() -> None:
    with rolled_back():
        orphan()


# --- several databases -----------------------------------------------------------------------


@pytest.fixture
def two(database, tmp_path):
    """The database under two aliases, and another one."""
    from aorm.testing.databases import url_of

    url = url_of(database.address, database.address.name)
    aorm.configure({"default": url, "replica": url, "other": f"sqlite:///{tmp_path / 'other.db'}"})
    aorm.create_tables(Author, using="other")


@pytest.mark.usefixtures("two")
def test_all_databases_are_rolled_back():
    with rolled_back():
        Author.objects.create(name="Ada")
        Author.objects.using("other").create(name="Eve")
    assert not Author.objects.exists()
    assert not Author.objects.using("other").exists()


@pytest.mark.usefixtures("two")
def test_only_the_named_databases_are_rolled_back():
    with rolled_back("default"):
        Author.objects.create(name="Ada")
        Author.objects.using("other").create(name="Eve")
    assert not Author.objects.exists()
    assert Author.objects.using("other").exists()


@pytest.mark.usefixtures("two")
def test_aliases_of_one_database_share_a_transaction():
    for _ in range(2):
        with rolled_back():
            with aorm.atomic():
                Author.objects.create(name="Ada")
            with aorm.atomic(using="replica"):
                Author.objects.using("replica").create(name="Eve")
            assert Author.objects.using("replica").count() == 2
            assert Author.objects.count() == 2
        assert not Author.objects.using("replica").exists()
