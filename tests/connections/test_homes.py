"""The table of homes: one transaction, used from wherever the code runs."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context

import pytest

from aorm.connections import (
    arun,
    async_to_sync,
    atomic,
    capture_queries,
    on_commit,
    run,
    sync_to_async,
)
from aorm.errors import IntegrityError, SynchronousOnlyOperation, TransactionManagementError


class Boom(Exception):
    pass


@pytest.fixture
def use(database, make_insert, make_numbers):
    """Functions that write in a nested block, undo another, and read what is there."""

    class Use:
        def sync(self, number):
            with atomic():
                run(make_insert(database, number), database)
            with pytest.raises(Boom), atomic():
                run(make_insert(database, number + 1000), database)
                raise Boom
            return run(make_numbers(), database)

        async def coroutine(self, number):
            async with atomic():
                await arun(make_insert(database, number), database)
            with pytest.raises(Boom):
                async with atomic():
                    await arun(make_insert(database, number + 1000), database)
                    raise Boom
            return await arun(make_numbers(), database)

    return Use()


def in_thread(function, *args):
    """Call in a thread of its own that inherits the context."""
    result = []
    context = copy_context()
    thread = threading.Thread(target=lambda: result.append(context.run(function, *args)))
    thread.start()
    thread.join()
    return result[0]


def finish(block_rolls_back, rows, expected):
    assert rows() == ([] if block_rolls_back else expected)


@pytest.fixture(params=[False, True], ids=["commit", "rollback"])
def rolls_back(request):
    return request.param


def home_loop(rolls_back, inside):
    """Run `inside` in a transaction whose home is a loop."""

    async def main():
        try:
            async with atomic():
                await inside()
                if rolls_back:
                    raise Boom
        except Boom:
            pass

    asyncio.run(main())


def home_sync(rolls_back, inside):
    """Run `inside` in a transaction whose home is none."""
    try:
        with atomic():
            inside()
            if rolls_back:
                raise Boom
    except Boom:
        pass


def test_home_loop_coroutine_on_it(use, rows, rolls_back):
    async def inside():
        assert await use.coroutine(1) == [1]
        assert await asyncio.create_task(use.coroutine(2)) == [1, 2]

    home_loop(rolls_back, inside)
    finish(rolls_back, rows, [1, 2])


def test_home_loop_coroutine_on_another_loop(use, rows, rolls_back):
    async def inside():
        await use.coroutine(1)
        seen = await asyncio.to_thread(lambda: asyncio.run(use.coroutine(2)))
        assert seen == [1, 2]
        assert await use.coroutine(3) == [1, 2, 3]

    home_loop(rolls_back, inside)
    finish(rolls_back, rows, [1, 2, 3])


@pytest.mark.parametrize("bridge", [asyncio.to_thread, lambda f, *a: sync_to_async(f)(*a)])
def test_home_loop_thread(use, rows, rolls_back, bridge):
    async def inside():
        await use.coroutine(1)
        assert await bridge(use.sync, 2) == [1, 2]
        assert await use.coroutine(3) == [1, 2, 3]

    home_loop(rolls_back, inside)
    finish(rolls_back, rows, [1, 2, 3])


def test_home_sync_coroutine_by_async_to_sync(use, rows, rolls_back):
    def inside():
        use.sync(1)
        assert async_to_sync(use.coroutine)(2) == [1, 2]
        assert use.sync(3) == [1, 2, 3]

    home_sync(rolls_back, inside)
    finish(rolls_back, rows, [1, 2, 3])


def test_home_sync_coroutine_on_a_loop_in_another_thread(use, rows, rolls_back):
    def inside():
        use.sync(1)
        assert in_thread(lambda: asyncio.run(use.coroutine(2))) == [1, 2]

    home_sync(rolls_back, inside)
    finish(rolls_back, rows, [1, 2])


def test_home_sync_thread(use, rows, rolls_back):
    def inside():
        use.sync(1)
        assert in_thread(use.sync, 2) == [1, 2]

    home_sync(rolls_back, inside)
    finish(rolls_back, rows, [1, 2])


def test_home_sync_coroutine_on_the_same_thread(use, rows, rolls_back):
    def inside():
        use.sync(1)
        assert asyncio.run(use.coroutine(2)) == [1, 2]

    home_sync(rolls_back, inside)
    finish(rolls_back, rows, [1, 2])


def test_sync_calls_on_a_loops_thread_are_refused(database, use, make_numbers):
    async def inside():
        with pytest.raises(SynchronousOnlyOperation, match="arun"):
            run(make_numbers(), database)
        with pytest.raises(SynchronousOnlyOperation, match="async with"), atomic():
            pass
        with pytest.raises(SynchronousOnlyOperation, match="aexecute"):
            database.execute("SELECT 1")

    home_loop(False, inside)
    home_sync(False, lambda: asyncio.run(inside()))
    asyncio.run(inside())


def test_several_levels_deep(database, rows, make_insert, make_numbers):
    def level_1():
        run(make_insert(database, 1), database)
        return async_to_sync(level_2)()

    async def level_2():
        await arun(make_insert(database, 2), database)
        return await sync_to_async(level_3)()

    def level_3():
        run(make_insert(database, 3), database)
        return run(make_numbers(), database)

    async def main():
        async with atomic():
            assert await sync_to_async(level_1)() == [1, 2, 3]

    asyncio.run(main())
    with atomic():
        database.execute("DELETE FROM item")
        assert level_1() == [1, 2, 3]
    assert rows() == [1, 2, 3]


def test_exceptions_cross_the_borders(database, rows, make_insert):
    def insert():
        run(make_insert(database, 1), database)

    async def main():
        async with atomic():
            await sync_to_async(insert)()
            with pytest.raises(IntegrityError):
                await sync_to_async(insert)()
            with pytest.raises(TransactionManagementError):
                await arun(make_insert(database, 2), database)

    asyncio.run(main())
    assert rows() == []


def test_on_commit_of_a_thread_runs_after_the_loops_commit(database, rows, make_insert):
    seen = []

    def legacy():
        run(make_insert(database, 1), database)
        # registered by a thread, so called in one: the synchronous API is there
        on_commit(lambda: seen.append(database.execute("SELECT id FROM item")))

    async def main():
        async with atomic():
            await sync_to_async(legacy)()
            assert seen == []

    asyncio.run(main())
    assert [[tuple(row) for row in rows] for rows in seen] == [[(1,)]]


def test_captures_follow_the_code(database, make_insert, make_numbers):
    async def main():
        with capture_queries() as queries:
            async with atomic():
                await asyncio.create_task(arun(make_insert(database, 1), database))
                await asyncio.to_thread(run, make_numbers(), database)
        return [query.sql.split()[0] for query in queries]

    assert asyncio.run(main()) == ["BEGIN", "INSERT", "SELECT", "COMMIT"]


def test_a_stopped_loop_is_an_error_that_says_so(database, make_numbers):
    contexts = []

    async def main():
        await atomic().__aenter__()
        contexts.append(copy_context())

    asyncio.run(main())
    with pytest.raises(TransactionManagementError, match="has stopped"):
        contexts[0].run(run, make_numbers(), database)


def test_a_blocked_loop_is_an_error_that_says_so(configured, make_numbers):
    database = configured("postgresql", block_timeout=0.05)

    async def main():
        failures = []
        async with atomic():
            context = copy_context()

            def use():
                with pytest.raises(TransactionManagementError, match="must await") as caught:
                    context.run(run, make_numbers(), database)
                failures.append(caught.value)

            thread = threading.Thread(target=use)
            thread.start()
            thread.join()  # the mistake: the loop's thread waits for one that waits for the loop
        return failures

    assert len(asyncio.run(main())) == 1
