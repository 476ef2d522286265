"""Transactions where the context does not reach: dependencies, fixtures, generators."""

from __future__ import annotations

import asyncio
from contextvars import Context

import pytest
from shop.models import Author, Book

import aorm
from aorm.errors import TransactionManagementError
from aorm.models.signals import post_save

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.aorm(commit=True)]


class Undo(Exception):
    """Leaves a block by raising."""


async def elsewhere(coroutine):
    """Await in a task whose context is empty."""
    return await asyncio.get_running_loop().create_task(coroutine, context=Context())


async def in_empty_thread(function, *args):
    """Call in a thread whose context is empty."""
    return await asyncio.to_thread(Context().run, function, *args)


async def committed():
    names = Author.objects.values_list("name", flat=True)
    return [name async for name in names.order_by("name")]


@pytest.fixture(params=["entered object", "what it gave"])
def opened(request):
    """Opens a transaction in another task; the answer closes it, and what `using` takes."""

    async def opened():
        block = aorm.atomic()
        given = await elsewhere(block.__aenter__())
        return block, block if request.param == "entered object" else given

    return opened


async def close(block, error=None):
    await elsewhere(block.__aexit__(error and type(error), error, None))


# --- using(transaction) ----------------------------------------------------------------------


@pytest.mark.parametrize("error", [None, Undo()], ids=["commit", "rollback"])
async def test_a_queryset_writes_and_reads_in_the_transaction_it_is_given(opened, error):
    block, tx = await opened()
    ada = await Author.objects.using(tx).acreate(name="Ada")
    await Author.objects.using(tx).filter(pk=ada.pk).aupdate(name="Ada L.")
    await Author.objects.using(tx).abulk_create([Author(name="Brian")])
    assert await Author.objects.using(tx).acount() == 2
    assert sorted([each.name async for each in Author.objects.using(tx).aiterator()]) == [
        "Ada L.",
        "Brian",
    ]
    await close(block, error)
    assert await committed() == ([] if error else ["Ada L.", "Brian"])


@pytest.mark.parametrize("error", [None, Undo()], ids=["commit", "rollback"])
async def test_objects_are_saved_refreshed_and_deleted_in_it(opened, error):
    kept = await Author.objects.acreate(name="kept")
    gone = await Author.objects.acreate(name="gone")
    block, tx = await opened()
    kept.name = "changed"
    await kept.asave(using=tx)
    await kept.arefresh_from_db(using=tx)
    await gone.adelete(using=tx)
    assert await Author.objects.using(tx).acount() == 1
    await close(block, error)
    assert await committed() == (["gone", "kept"] if error else ["changed"])


async def test_it_is_used_from_threads_without_its_context(opened):
    block, tx = await opened()

    def legacy():
        Author.objects.using(tx).create(name="in a thread")
        author = Author(name="saved")
        author.save(using=tx)
        author.refresh_from_db(using=tx)
        with aorm.atomic(using=tx):
            Author.objects.create(name="by its block")
        return [each.name for each in Author.objects.using(tx).iterator()]

    assert len(await in_empty_thread(legacy)) == 3
    await close(block)
    assert await committed() == ["by its block", "in a thread", "saved"]


async def test_a_threads_transaction_is_used_from_a_loop():
    block = aorm.atomic()
    tx = await in_empty_thread(block.__enter__)
    await Author.objects.using(tx).acreate(name="Ada")
    async with aorm.atomic(using=tx):
        await Author.objects.acreate(name="Brian")
    assert await Author.objects.using(block).acount() == 2
    await in_empty_thread(block.__exit__, None, None, None)
    assert await committed() == ["Ada", "Brian"]


async def test_a_block_inside_of_it_is_a_savepoint_for_all_code_in_it(opened):
    block, tx = await opened()
    await Author.objects.using(tx).acreate(name="before")
    with pytest.raises(Undo):
        async with aorm.atomic(using=tx):
            await Author.objects.acreate(name="undone")
            raise Undo
    async with aorm.atomic(using=tx):
        # further inside than the block that is named, so it need not wait for it
        await Author.objects.using(tx).acreate(name="nested")
    await close(block)
    assert await committed() == ["before", "nested"]


async def test_a_block_inside_of_it_is_left_to_where_the_code_was_before(opened):
    block, tx = await opened()
    async with aorm.atomic(using=tx):
        assert aorm.connections["default"].in_atomic_block
    assert not aorm.connections["default"].in_atomic_block
    await close(block, Undo())


async def test_related_objects_are_prefetched_in_it(opened):
    block, tx = await opened()
    async with aorm.atomic(using=tx):
        author = await Author.objects.acreate(name="Ada")
        await Book.objects.acreate(title="Notes", author=author)
    found = [each async for each in Author.objects.using(tx).prefetch_related("books")]
    assert [book.title for book in found[0].books.all()] == ["Notes"]
    await close(block, Undo())


async def test_what_was_loaded_in_it_does_not_hold_on_to_it(opened):
    await Author.objects.acreate(name="Ada")
    block, tx = await opened()
    author = await Author.objects.using(tx).aget()
    assert type(author._state.db) is str
    await close(block)
    author.name = "Ada L."
    await author.asave()
    assert await committed() == ["Ada L."]


async def test_user_code_called_by_an_operation_is_in_it(opened):
    block, tx = await opened()
    seen = []

    async def receiver(sender, instance, **kwargs):
        seen.append(await Author.objects.acount())

    post_save.connect(receiver, sender=Author)
    try:
        await Author.objects.using(tx).acreate(name="Ada")
    finally:
        post_save.disconnect(receiver, sender=Author)
    assert seen == [1]
    await close(block, Undo())
    assert await committed() == []


async def test_raw_sql_and_raw_querysets_run_in_it(opened):
    block, tx = await opened()
    await Author.objects.using(tx).acreate(name="Ada")
    found = Author.objects.raw("SELECT * FROM shop_author").using(tx)
    assert [each.name async for each in found] == ["Ada"]
    await close(block, Undo())


async def test_callbacks_and_marks_are_for_it(opened):
    block, tx = await opened()
    called = []
    await aorm.aon_commit(lambda: called.append("committed"), using=tx)
    assert called == []
    await close(block)
    assert called == ["committed"]

    block, tx = await opened()
    await Author.objects.using(tx).acreate(name="Ada")
    await aorm.aset_rollback(True, using=tx)
    await close(block)
    assert await committed() == []


async def test_an_ended_one_is_refused_with_its_place(opened):
    block, tx = await opened()
    books = Author.objects.using(tx)
    await close(block)
    with pytest.raises(TransactionManagementError, match=r"has ended|not open"):
        await books.acount()


def test_one_that_was_not_entered_is_refused():
    with pytest.raises(TransactionManagementError, match="not entered"):
        Author.objects.using(aorm.atomic())


def test_something_else_is_refused():
    with pytest.raises(TypeError, match="neither the alias of a database nor a transaction"):
        Author.objects.using(5)


async def test_another_transaction_of_the_code_is_left_alone(opened, database):
    if database.vendor == "sqlite":
        pytest.skip("one writer at a time")
    block, tx = await opened()
    with pytest.raises(Undo):
        async with aorm.atomic():
            await Author.objects.acreate(name="own")
            await Author.objects.using(tx).acreate(name="other")
            assert await Author.objects.acount() == 1
            raise Undo
    await close(block)
    assert await committed() == ["other"]


# --- entered here, left there ------------------------------------------------------------------


async def test_the_task_that_entered_is_outside_when_another_has_left():
    block = aorm.atomic()
    await block.__aenter__()
    await Author.objects.acreate(name="Ada")
    await close(block)
    await Author.objects.acreate(name="Brian")
    async with aorm.atomic():
        await Author.objects.acreate(name="Chris")
    assert await committed() == ["Ada", "Brian", "Chris"]


async def test_who_inherited_it_is_refused_after_another_has_left():
    block = aorm.atomic()
    await block.__aenter__()
    go_on = asyncio.Event()

    async def child():
        await go_on.wait()
        await Author.objects.acount()

    task = asyncio.create_task(child())
    await asyncio.sleep(0)
    await close(block)
    go_on.set()
    with pytest.raises(TransactionManagementError, match=r"test_using_transactions\.py:\d+"):
        await task


# --- generators --------------------------------------------------------------------------------


async def rows_in_a_block(names):
    async with aorm.atomic():
        for name in names:
            yield await Author.objects.acreate(name=name)


def rows_in_a_sync_block(names):
    with aorm.atomic():
        for name in names:
            yield Author.objects.create(name=name)


async def test_an_async_generator_that_is_read_to_its_end_commits():
    assert len([each async for each in rows_in_a_block(["Ada", "Brian"])]) == 2
    assert await committed() == ["Ada", "Brian"]


async def test_an_async_generator_that_is_closed_rolls_back():
    rows = rows_in_a_block(["Ada", "Brian"])
    async for _ in rows:
        break
    await rows.aclose()
    assert await committed() == []


async def finalised():
    """Until the loop has finalised the generators that nobody holds any more."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    while others:
        await asyncio.wait(others)
        others = asyncio.all_tasks() - {asyncio.current_task()}


async def test_an_async_generator_that_is_broken_out_of_rolls_back():
    async for _ in rows_in_a_block(["Ada", "Brian"]):
        break
    await asyncio.sleep(0)  # the loop's hook makes a task that closes it
    await finalised()
    assert await committed() == []
    await Author.objects.acreate(name="later")
    assert await committed() == ["later"]


async def test_a_generator_that_the_loop_finalises_at_its_end_rolls_back():
    held = rows_in_a_block(["Ada", "Brian"])

    def run():
        async def main():
            async for _ in held:
                break

        asyncio.run(main())

    await in_empty_thread(run)
    assert await committed() == []


def test_a_sync_generator_that_is_broken_out_of_rolls_back():
    for _ in rows_in_a_sync_block(["Ada", "Brian"]):
        break
    assert Author.objects.count() == 0


async def test_async_generators_in_turns_nest_their_blocks():
    async with aorm.atomic():
        first = rows_in_a_block(["Ada"])
        await anext(first)
        await first.aclose()
        second = rows_in_a_block(["Brian"])
        assert [each.name async for each in second] == ["Brian"]
    assert await committed() == ["Brian"]
