"""Every way from synchronous code to asynchronous code and back, inside of one transaction."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from functools import partial

import anyio
import asgiref.sync
import pytest
from anyio import from_thread, to_thread

from aorm.connections import arun, async_to_sync, atomic, on_commit, run, sync_to_async
from aorm.errors import TransactionManagementError


class Boom(Exception):
    pass


async def by_executor(function, *args):
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, partial(copy_context().run, function, *args))


def in_thread(function, *args):
    """Call in a thread of its own that inherits the context; the answer, or the failure."""
    outcome = []
    context = copy_context()

    def call():
        try:
            outcome.append((context.run(function, *args), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    value, error = outcome[0]
    if error is not None:
        raise error
    return value


async def on_another_loop(function, *args):
    return await asyncio.to_thread(in_new_loop, function, *args)


def in_new_loop(function, *args):
    return asyncio.run(function(*args))


# from a coroutine to a thread
TO_SYNC = {
    "sync_to_async": lambda function, *args: sync_to_async(function)(*args),
    "sync_to_async any thread": lambda function, *args: sync_to_async(
        function, thread_sensitive=False
    )(*args),
    "asgiref": lambda function, *args: asgiref.sync.sync_to_async(function)(*args),
    "asgiref any thread": lambda function, *args: asgiref.sync.sync_to_async(
        function, thread_sensitive=False
    )(*args),
    "to_thread": asyncio.to_thread,
    "anyio": to_thread.run_sync,
    "executor": by_executor,
}
# from a thread to a coroutine
TO_ASYNC = {
    "async_to_sync": lambda function, *args: async_to_sync(function)(*args),
    "asgiref": lambda function, *args: asgiref.sync.async_to_sync(function)(*args),
    "asyncio.run": in_new_loop,
    "anyio.run": lambda function, *args: anyio.run(function, *args),
}


def ways_back(there):
    """The bridges that work in a thread that was reached by this one."""
    if there in ("sync_to_async", "asgiref"):
        # asgiref has one thread for these, which a loop of its own could not use once more
        return [TO_ASYNC["async_to_sync"], TO_ASYNC["asgiref"]]
    return [*TO_ASYNC.values(), *([from_thread.run] if there == "anyio" else [])]


class Journey:
    """Rows that are written on either side, and read on the other."""

    def __init__(self, database, make_insert, make_numbers):
        self.database = database
        self.insert = make_insert
        self.numbers = make_numbers
        self.count = 0

    @property
    def expected(self):
        return list(range(1, self.count + 1))

    def visit(self):
        self.count += 1
        with atomic():
            run(self.insert(self.database, self.count), self.database)
        with pytest.raises(Boom), atomic():
            run(self.insert(self.database, self.count + 1000), self.database)
            raise Boom
        assert run(self.numbers(), self.database) == self.expected

    async def avisit(self):
        self.count += 1
        async with atomic():
            await arun(self.insert(self.database, self.count), self.database)
        with pytest.raises(Boom):
            async with atomic():
                await arun(self.insert(self.database, self.count + 1000), self.database)
                raise Boom
        assert await arun(self.numbers(), self.database) == self.expected

    # there and back, three levels deep

    async def from_loop(self, there, fails=False):
        await self.avisit()
        for back in ways_back(there):
            await TO_SYNC[there](self.in_thread, there, back, fails)
        await self.avisit()

    def in_thread(self, there, back, fails):
        self.visit()
        back(self.on_inner_loop, there, fails)
        self.visit()

    async def on_inner_loop(self, there, fails):
        await self.avisit()
        await TO_SYNC[there](self.deepest, fails)
        await self.avisit()

    def deepest(self, fails):
        self.visit()
        if fails:
            raise Boom


@pytest.fixture
def journey(database, make_insert, make_numbers):
    return Journey(database, make_insert, make_numbers)


@pytest.mark.parametrize("there", TO_SYNC)
def test_a_loops_transaction_goes_there_and_back(journey, rows, there):
    called = []

    async def main():
        async with atomic():
            await journey.from_loop(there)
            on_commit(lambda: called.append(rows()))

    asyncio.run(main())
    assert rows() == journey.expected
    assert called == [journey.expected]


@pytest.mark.parametrize("there", TO_SYNC)
def test_a_threads_transaction_goes_there_and_back(journey, rows, there):
    called = []
    with atomic():
        for back in TO_ASYNC.values():
            journey.visit()
            back(journey.from_loop, there)
        on_commit(lambda: called.append(rows()))
    assert rows() == journey.expected
    assert called == [journey.expected]


@pytest.mark.parametrize("there", TO_SYNC)
def test_a_failure_crosses_all_borders_and_undoes_a_loops_transaction(journey, rows, there):
    async def main():
        with pytest.raises(Boom):
            async with atomic():
                await journey.from_loop(there, fails=True)
        journey.count = 0
        async with atomic():  # and the connection is as good as new
            await journey.from_loop(there)

    asyncio.run(main())
    assert rows() == journey.expected


@pytest.mark.parametrize("there", TO_SYNC)
def test_a_failure_crosses_all_borders_and_undoes_a_threads_transaction(journey, rows, there):
    with pytest.raises(Boom), atomic():
        async_to_sync(journey.from_loop)(there, fails=True)
    assert rows() == []


@pytest.mark.parametrize("home", ["loop", "thread"])
def test_a_block_that_fails_behind_a_border_is_undone_alone(journey, rows, home):
    def undone():
        with atomic():
            run(journey.insert(journey.database, 500), journey.database)
            async_to_sync(also_undone)()

    async def also_undone():
        async with atomic():
            await arun(journey.insert(journey.database, 501), journey.database)
            raise Boom

    async def main():
        async with atomic():
            await journey.avisit()
            with pytest.raises(Boom):
                await sync_to_async(undone)()
            await journey.avisit()

    def block():
        with atomic():
            journey.visit()
            with pytest.raises(Boom):
                undone()
            journey.visit()

    asyncio.run(main()) if home == "loop" else block()
    assert rows() == [1, 2]


# --- many at once --------------------------------------------------------------------------


def test_nested_blocks_of_many_coroutines_in_a_threads_transaction(database, rows, make_insert):
    async def one(number):
        async with atomic():
            await arun(make_insert(database, number), database)
            if number % 2:
                raise Boom

    async def main():
        return await asyncio.gather(*(one(number) for number in range(100)), return_exceptions=True)

    with atomic():
        asyncio.run(main())
    assert rows() == list(range(0, 100, 2))


def test_nested_blocks_of_threads_and_coroutines_in_a_loops_transaction(
    database, rows, make_insert
):
    def in_thread(number):
        with atomic():
            run(make_insert(database, number), database)
            if number % 2:
                raise Boom

    async def on_loop(number):
        async with atomic():
            await arun(make_insert(database, number), database)
            if number % 2:
                raise Boom

    async def main():
        async with atomic():
            await asyncio.gather(
                *(on_loop(number) for number in range(20)),
                *(asyncio.to_thread(in_thread, number) for number in range(20, 40)),
                *(on_another_loop(on_loop, number) for number in range(40, 60)),
                return_exceptions=True,
            )

    asyncio.run(main())
    assert rows() == list(range(0, 60, 2))


# --- waits that cannot end -------------------------------------------------------------------


def start_thread(function):
    """Start a thread that inherits the context; the answer is the thread and its failures."""
    failures = []
    context = copy_context()

    def call():
        try:
            context.run(function)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    return thread, failures


async def until(condition):
    while not condition():  # noqa: ASYNC110  nobody sets an event for it
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "psycopg"])
def test_a_loop_that_is_blocked_after_it_took_the_errand(configured, make_numbers, kind):
    database = configured(kind, block_timeout=0.1)

    async def main():
        async with atomic():
            context = copy_context()
            async with atomic():
                thread, failures = start_thread(lambda: context.run(run, make_numbers(), database))
                turns = database.block().transaction.turns
                await until(lambda: turns.line)  # the thread's statement waits for this block
                thread.join()  # the mistake: and so the block waits for the thread
        return failures

    (failure,) = asyncio.run(main())
    assert isinstance(failure, TransactionManagementError)
    assert "must await the threads" in str(failure)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "psycopg"])
def test_a_coroutine_of_another_loop_does_not_wait_for_a_blocked_one(
    configured, make_numbers, kind
):
    database = configured(kind, block_timeout=0.1)

    async def main():
        async with atomic():
            thread, failures = start_thread(lambda: asyncio.run(arun(make_numbers(), database)))
            thread.join()  # the mistake
        return failures

    (failure,) = asyncio.run(main())
    assert isinstance(failure, TransactionManagementError)
    assert "must await the threads" in str(failure)


@pytest.mark.parametrize("home", ["loop", "thread"])
def test_who_waits_for_its_own_inner_block_is_told_its_place(configured, make_numbers, home):
    database = configured("sqlite", block_timeout=0.1)

    def block():
        with atomic():
            outside = copy_context()
            with atomic():
                outside.run(run, make_numbers(), database)

    async def main():
        async with atomic():
            outside = copy_context()
            async with atomic():
                task = asyncio.get_running_loop().create_task(
                    arun(make_numbers(), database), context=outside
                )
                await task

    with pytest.raises(TransactionManagementError, match=r"test_bridges\.py:\d+, which is nested"):
        asyncio.run(main()) if home == "loop" else block()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "psycopg"])
def test_a_loop_that_ends_while_a_thread_waits_for_it(configured, make_numbers, kind):
    database = configured(kind, block_timeout=0.1)
    started = []

    async def main():
        outer = atomic()
        await outer.__aenter__()
        context = copy_context()
        await atomic().__aenter__()  # in whose way the thread's statement is
        started.append(start_thread(lambda: context.run(run, make_numbers(), database)))
        turns = database.block().transaction.turns
        await until(lambda: turns.line)

    asyncio.run(main())
    thread, failures = started[0]
    thread.join()
    assert isinstance(failures[0], TransactionManagementError)
    assert "has stopped" in str(failures[0])


# --- cancellation across borders -------------------------------------------------------------


@pytest.mark.parametrize("home", ["loop", "thread"])
def test_a_cancelled_wait_for_a_nested_block_leaves_nothing_behind(
    database, rows, make_insert, home
):
    """Behind the border, so through another loop or a worker thread."""

    async def nested():
        async with atomic():
            await arun(make_insert(database, 5), database)

    async def cancelled():
        task = asyncio.create_task(nested())
        turns = database.block().transaction.turns
        await until(lambda: turns.line)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def main():
        async with atomic():
            outside = copy_context()
            async with atomic():
                await by_executor(partial(outside.run, asyncio.run, cancelled()))
                await arun(make_insert(database, 1), database)
            await arun(make_insert(database, 2), database)

    def block():
        with atomic():
            outside = copy_context()
            with atomic():
                outside.run(asyncio.run, cancelled())
                run(make_insert(database, 1), database)
            run(make_insert(database, 2), database)

    asyncio.run(main()) if home == "loop" else block()
    assert rows() == [1, 2]


@pytest.mark.parametrize("home", ["loop", "thread"])
@pytest.mark.parametrize("steps", range(1, 12))
def test_a_nested_block_cancelled_on_its_way_is_undone(database, rows, make_insert, home, steps):
    """The outer block must never wait for a nested one that nobody will close."""

    async def nested():
        async with atomic():
            await arun(make_insert(database, 5), database)

    async def cancelled():
        task = asyncio.create_task(nested())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    async def main():
        async with atomic():
            await arun(make_insert(database, 1), database)
            try:
                return await on_another_loop(cancelled)
            finally:
                assert database.block().transaction.turns.top.parent is None

    def block():
        with atomic():
            run(make_insert(database, 1), database)
            try:
                return asyncio.run(cancelled())
            finally:
                assert database.block().transaction.turns.top.parent is None

    was_cancelled = asyncio.run(main()) if home == "loop" else block()
    # cancelled in its last statement, the nested block has been kept before
    assert rows() in ([[], [1], [1, 5]] if was_cancelled else [[1, 5]])
