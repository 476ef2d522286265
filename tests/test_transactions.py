"""Transactions on either face, and those that cross from one to the other."""

from __future__ import annotations

import asyncio
from contextvars import Context

import pytest
from shop.models import Author
from support import committed, needs

import aorm
from aorm.errors import IntegrityError, SynchronousOnlyOperation, TransactionManagementError

pytestmark = [pytest.mark.usefixtures("database"), committed]


class Undo(Exception):
    """Leaves a block by raising."""


async def names(ask) -> list[str]:
    return await ask(list, Author.objects.values_list("name", flat=True))


# --- one face ----------------------------------------------------------------------------


async def test_a_block_commits_at_its_end(ask):
    async with ask.atomic():
        await ask(Author.objects.create, name="Ada")
    assert await names(ask) == ["Ada"]


async def test_an_exception_rolls_the_block_back(ask):
    with pytest.raises(Undo):
        async with ask.atomic():
            await ask(Author.objects.create, name="Ada")
            raise Undo
    assert await names(ask) == []


async def test_an_inner_block_is_a_savepoint(ask):
    async with ask.atomic():
        await ask(Author.objects.create, name="outer")
        with pytest.raises(Undo):
            async with ask.atomic():
                await ask(Author.objects.create, name="inner")
                raise Undo
        await ask(Author.objects.create, name="later")
    assert await names(ask) == ["later", "outer"]


async def test_a_savepoint_survives_an_integrity_error(ask):
    async with ask.atomic():
        await ask(Author.objects.create, name="Ada")
        with pytest.raises(IntegrityError):
            async with ask.atomic():
                await ask(Author.objects.create, name="Ada")
        await ask(Author.objects.create, name="Brian")
    assert await names(ask) == ["Ada", "Brian"]


async def test_an_error_without_a_savepoint_breaks_the_transaction(ask):
    with pytest.raises(TransactionManagementError):
        async with ask.atomic():
            await ask(Author.objects.create, name="Ada")
            with pytest.raises(IntegrityError):
                async with ask.atomic(savepoint=False):
                    await ask(Author.objects.create, name="Ada")
            await names(ask)
    assert await names(ask) == []


async def test_set_rollback_ends_a_block_quietly_without_its_changes(ask):
    async with ask.atomic():
        await ask(Author.objects.create, name="Ada")
        await ask(aorm.set_rollback, True)
    assert await names(ask) == []


async def test_a_durable_block_must_be_the_outermost(ask):
    async with ask.atomic(durable=True):
        with pytest.raises(RuntimeError, match="durable"):
            async with ask.atomic(durable=True):
                pass


async def test_on_commit_runs_after_the_outermost_commit_only(ask):
    happened: list[str] = []

    async def later(what: str) -> None:
        def hook() -> None:
            happened.append(what)

        await ask(aorm.on_commit, hook)

    async with ask.atomic():
        await later("outer")
        async with ask.atomic():
            await later("inner")
        with pytest.raises(Undo):
            async with ask.atomic():
                await later("undone")
                raise Undo
        assert happened == []
    assert happened == ["outer", "inner"]


async def test_the_statements_of_a_transaction_are_captured(ask):
    with ask.queries() as queries:
        async with ask.atomic():
            await ask(Author.objects.count)
            async with ask.atomic():
                await ask(Author.objects.count)
    words = [query.sql.split()[0] for query in queries]
    assert words == ["BEGIN", "SELECT", "SAVEPOINT", "SELECT", "RELEASE", "COMMIT"]


def test_atomic_decorates_a_function():
    @aorm.atomic
    def fails() -> None:
        Author.objects.create(name="Ada")
        raise Undo

    with pytest.raises(Undo):
        fails()
    assert Author.objects.count() == 0


async def test_atomic_decorates_a_coroutine_function():
    @aorm.atomic()
    async def fails() -> None:
        await Author.objects.acreate(name="Ada")
        raise Undo

    with pytest.raises(Undo):
        await fails()
    assert await Author.objects.acount() == 0


# --- crossing ------------------------------------------------------------------------------


@pytest.mark.parametrize("carry", [aorm.sync_to_async, None], ids=["sync_to_async", "to_thread"])
@pytest.mark.parametrize("undone", [False, True], ids=["commit", "rollback"])
async def test_a_transaction_goes_along_into_a_thread(carry, undone):
    def legacy() -> int:
        Author.objects.create(name="in a thread")
        return Author.objects.count()

    async def block() -> None:
        async with aorm.atomic():
            await Author.objects.acreate(name="on the loop")
            in_thread = carry(legacy)() if carry else asyncio.to_thread(legacy)
            assert await in_thread == 2
            if undone:
                raise Undo

    if undone:
        with pytest.raises(Undo):
            await block()
    else:
        await block()
    assert await Author.objects.acount() == (0 if undone else 2)


@pytest.mark.parametrize("undone", [False, True], ids=["commit", "rollback"])
def test_a_synchronous_transaction_goes_along_onto_a_loop(undone):
    async def new() -> int:
        async with aorm.atomic():
            await Author.objects.acreate(name="on a loop")
        return await Author.objects.acount()

    def block() -> None:
        with aorm.atomic():
            Author.objects.create(name="in the thread")
            assert aorm.async_to_sync(new)() == 2
            if undone:
                raise Undo

    if undone:
        with pytest.raises(Undo):
            block()
    else:
        block()
    assert Author.objects.count() == (0 if undone else 2)


async def test_there_and_back_again():
    async def inner() -> None:
        async with aorm.atomic():
            await Author.objects.acreate(name="back on the loop")

    def middle() -> None:
        with aorm.atomic():
            Author.objects.create(name="in a thread")
            aorm.async_to_sync(inner)()

    with pytest.raises(Undo):
        async with aorm.atomic():
            await aorm.sync_to_async(middle)()
            assert await Author.objects.acount() == 2
            raise Undo
    assert await Author.objects.acount() == 0


async def test_statements_under_gather_queue_up_on_the_transactions_connection():
    with pytest.raises(Undo):
        async with aorm.atomic():
            await asyncio.gather(*(Author.objects.acreate(name=f"a{n}") for n in range(10)))
            assert await Author.objects.acount() == 10
            raise Undo
    assert await Author.objects.acount() == 0


async def test_nested_blocks_under_gather_stay_properly_nested():
    async def one(number: int) -> None:
        async with aorm.atomic():
            await Author.objects.acreate(name=f"a{number}")
            await asyncio.sleep(0)
            if number % 2:
                raise Undo

    async with aorm.atomic():
        results = await asyncio.gather(*(one(n) for n in range(6)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), Undo] * 3
    found = [author.name async for author in Author.objects.all()]
    assert found == ["a0", "a2", "a4"]


async def test_outside_of_a_block_gather_runs_in_parallel():
    await asyncio.gather(*(Author.objects.acreate(name=f"a{n}") for n in range(20)))
    assert await Author.objects.acount() == 20


async def test_a_synchronous_call_on_a_running_loop_names_the_twin():
    with pytest.raises(SynchronousOnlyOperation, match="aget"):
        Author.objects.get(name="Ada")
    with pytest.raises(SynchronousOnlyOperation, match=r"acreate"):
        Author.objects.create(name="Ada")


# --- by hand -----------------------------------------------------------------------------


async def test_a_database_makes_savepoints_by_hand(ask):
    database = aorm.connections["default"]
    async with ask.atomic():
        await ask(Author.objects.create, name="Ada")
        kept = await ask(database.savepoint)
        await ask(Author.objects.create, name="Bob")
        undone = await ask(database.savepoint)
        await ask(Author.objects.create, name="Cyd")
        await ask(database.savepoint_rollback, undone)
        await ask(database.savepoint_commit, kept)
    assert await names(ask) == ["Ada", "Bob"]


async def test_savepoints_by_hand_need_a_transaction(ask):
    with pytest.raises(TransactionManagementError, match=r"atomic\(\)"):
        await ask(aorm.connections["default"].savepoint)


@needs("select_for_update")
async def test_rows_can_be_locked_in_a_transaction_only(ask):
    await ask(Author.objects.create, name="Ada")
    locked = Author.objects.select_for_update()
    iterator = locked.iterator if ask.face == "sync" else locked.aiterator
    for call in ((list, locked), (locked.get,), (locked.first,), (list, iterator())):
        with pytest.raises(TransactionManagementError, match="outside of a transaction"):
            await ask(*call)
    async with ask.atomic():
        assert len(await ask(list, locked)) == 1


@needs("select_for_update")
async def test_tables_to_lock_are_named(ask):
    async with ask.atomic():
        with ask.queries() as queries:
            await ask(list, Author.objects.select_for_update(of=("self",)).values("name"))
    assert queries[-1].sql.endswith('FOR UPDATE OF "shop_author"')


def test_code_of_every_context_is_in_the_transaction_of_a_test_case():
    block = aorm.atomic()
    block._from_testcase = True
    with pytest.raises(Undo), block:
        Author.objects.create(name="Ada")
        assert Context().run(Author.objects.count) == 1
        Context().run(lambda: Author.objects.create(name="Bob"))
        raise Undo
    assert Context().run(Author.objects.count) == 0
