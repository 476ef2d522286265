"""`assert_num_queries` and `capture_on_commit_callbacks`."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest
from shop.models import Author
from support import committed

import aorm
from aorm.errors import SynchronousOnlyOperation, TransactionManagementError
from aorm.testing import assert_num_queries, capture_on_commit_callbacks, rolled_back

pytestmark = [pytest.mark.usefixtures("database"), committed]


class Undo(Exception):
    """Leaves a block by raising."""


def test_the_right_number_passes():
    with assert_num_queries(2) as queries:
        Author.objects.create(name="Ada")
        Author.objects.count()
    assert [query.sql.split()[0] for query in queries] == ["INSERT", "SELECT"]


async def test_it_counts_on_a_loop():
    async with assert_num_queries(1):
        await Author.objects.acount()


def test_the_error_lists_the_statements():
    with pytest.raises(AssertionError) as caught, assert_num_queries(1):
        Author.objects.create(name="Ada")
        Author.objects.count()
    text, first, second = str(caught.value).splitlines()
    assert text == "expected 1 statement, but 2 ran"
    assert first.startswith('  1. INSERT INTO "shop_author"')
    assert "'Ada'" in first
    assert second.startswith("  2. SELECT COUNT(*)")


def test_no_statement_where_one_was_expected():
    expected = "expected 3 statements, but 0 ran"
    with pytest.raises(AssertionError, match=expected), assert_num_queries(3):
        pass


def test_a_failing_block_fails_with_its_own_error():
    with pytest.raises(Undo), assert_num_queries(3):
        raise Undo


def test_what_runs_in_another_context_counts():
    def elsewhere() -> None:
        contextvars.Context().run(Author.objects.count)

    with assert_num_queries(1):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()


def test_other_databases_do_not_count():
    with assert_num_queries(0, using="other"):
        Author.objects.count()
    with assert_num_queries(1, using=None):
        Author.objects.count()


async def test_a_block_of_a_test_counts_as_a_transaction_does(ask):
    for around in (aorm.detached(), rolled_back()):
        async with around:
            with assert_num_queries(3):
                async with ask.atomic():
                    await ask(Author.objects.create, name="Ada")
            with assert_num_queries(1):
                await ask(Author.objects.filter(name="Ada").update, age=36)
        await ask(Author.objects.all().delete)


# --- on_commit ---------------------------------------------------------------------------


async def test_callbacks_are_captured_and_not_called(ask):
    seen: list[int] = []
    first, second = (lambda: seen.append(1)), (lambda: seen.append(2))
    async with rolled_back():
        with capture_on_commit_callbacks() as callbacks:
            async with ask.atomic():
                await ask(aorm.on_commit, first)
            with pytest.raises(Undo):
                async with ask.atomic():
                    await ask(aorm.on_commit, first)
                    raise Undo
            async with ask.atomic():
                await ask(aorm.on_commit, second)
            assert callbacks == []
        assert callbacks == [first, second]
    assert seen == []


def test_captured_callbacks_are_called_at_the_end_of_the_block():
    seen: list[object] = []

    async def later() -> None:
        seen.append(await Author.objects.acount())

    def soon() -> None:
        seen.append(Author.objects.count())
        aorm.on_commit(later)

    with rolled_back():
        with capture_on_commit_callbacks(execute=True) as callbacks, aorm.atomic():
            Author.objects.create(name="Ada")
            aorm.on_commit(soon)
            assert seen == []
        assert seen == [1, 1]
        assert callbacks == [soon, later]
        with capture_on_commit_callbacks() as callbacks:
            pass
        assert callbacks == []


async def test_captured_callbacks_are_called_on_a_loop():
    seen: list[int] = []

    async def coroutine() -> None:
        seen.append(await Author.objects.acount())

    async with rolled_back():
        async with capture_on_commit_callbacks(execute=True), aorm.atomic():
            aorm.on_commit(coroutine)
            aorm.on_commit(lambda: seen.append(Author.objects.count()))
        assert seen == [0, 0]
        refused = capture_on_commit_callbacks(execute=True)
        with pytest.raises(SynchronousOnlyOperation), refused:
            pass


def test_callbacks_of_a_failing_block_are_not_called():
    with rolled_back():
        with pytest.raises(Undo), capture_on_commit_callbacks(execute=True) as callbacks:
            aorm.on_commit(pytest.fail)
            raise Undo
        assert callbacks == [pytest.fail]


def test_the_failure_of_a_robust_callback_is_logged(caplog):
    def boom() -> None:
        raise Undo

    with rolled_back():
        with capture_on_commit_callbacks(execute=True):
            aorm.on_commit(boom, robust=True)
        with pytest.raises(Undo), capture_on_commit_callbacks(execute=True):
            aorm.on_commit(boom)
    assert caplog.text.count("Error calling") == 1


async def test_capturing_needs_a_tests_transaction():
    capture = capture_on_commit_callbacks()
    with pytest.raises(TransactionManagementError, match="rolled_back"), capture:
        pass
    async with aorm.atomic():
        with pytest.raises(TransactionManagementError, match="rolled_back"):
            async with capture:
                pass


async def test_concurrent_readers_count_too():
    async with assert_num_queries(5):
        await asyncio.gather(*(Author.objects.acount() for _ in range(5)))
