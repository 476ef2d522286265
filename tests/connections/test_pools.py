"""Pools: limits, waiting, what is closed and when."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import warnings
from contextvars import Context

import pytest

from aorm import steps
from aorm.connections import arun, atomic, run
from aorm.connections.pool_state import PoolState
from aorm.errors import OperationalError, PoolTimeout

KINDS = ["sqlite", "postgresql", "psycopg"]
SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i FROM n) SELECT sum(i) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
}


def state_of(database):
    return next(iter(database.async_pools.values())).state


@pytest.mark.parametrize("kind", KINDS)
def test_full_async_pool_names_its_holders(configured, kind):
    database = configured(kind, pool_size=1, pool_timeout=0.05)

    async def main():
        asyncio.current_task().set_name("holder")
        async with atomic(read_only=True):
            await arun(steps.fetch("SELECT 41 + 1"), database)
            with pytest.raises(PoolTimeout) as caught:
                await asyncio.create_task(outside(), context=empty)
        return str(caught.value)

    async def outside():
        await arun(steps.fetch("SELECT 1"), database)

    empty = Context()
    text = asyncio.run(main())
    assert "task holder" in text
    assert "in a transaction" in text
    assert "SELECT 41 + 1" in text


@pytest.mark.parametrize("kind", KINDS)
def test_full_sync_pool_names_its_holders(configured, kind):
    database = configured(kind, pool_size=1, pool_timeout=0.05)
    with atomic(read_only=True):
        run(steps.fetch("SELECT 41 + 1"), database)
        failures = []

        def outside():
            with pytest.raises(
                PoolTimeout, match=r"MainThread.*in a transaction.*41 \+ 1"
            ) as caught:
                run(steps.fetch("SELECT 1"), database)
            failures.append(caught.value)

        thread = threading.Thread(target=outside)
        thread.start()
        thread.join()
    assert len(failures) == 1
    assert run(steps.fetch("SELECT 1"), database)


@pytest.mark.parametrize("kind", KINDS)
def test_many_tasks_share_few_connections(configured, kind, make_insert, make_numbers):
    database = configured(kind, pool_size=3)

    async def main():
        await asyncio.gather(*[arun(make_insert(database, n), database) for n in range(50)])
        assert state_of(database).size <= 3
        assert not state_of(database).used
        return await arun(make_numbers(), database)

    assert asyncio.run(main()) == list(range(50))


@pytest.mark.parametrize("kind", [*KINDS, "memory"])
def test_many_threads_share_few_connections(configured, kind, make_insert, make_numbers):
    database = configured(kind, pool_size=3)

    def work(start):
        for number in range(start, start + 10):
            run(make_insert(database, number), database)
            run(make_numbers(), database)

    threads = [threading.Thread(target=work, args=(n * 10,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run(make_numbers(), database) == list(range(80))
    assert database.sync_pool.state.size <= 3
    assert not database.sync_pool.state.used


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancelled_statement_leaves_the_pool_at_its_full_size(configured, kind):
    database = configured(kind, pool_size=1)

    async def main():
        task = asyncio.create_task(arun(steps.fetch(SLOW[database.vendor]), database))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 0.1)
        assert state_of(database).used
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not state_of(database).used
        rows = await arun(steps.fetch("SELECT 1"), database)
        assert rows[0][0] == 1
        assert state_of(database).size == 1
        await database.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_cancelled_inside_a_block_rolls_back(configured, kind, make_insert, make_numbers):
    database = configured(kind, pool_size=1)

    async def write():
        async with atomic():
            await arun(make_insert(database, 1), database)
            await arun(steps.fetch(SLOW[database.vendor]), database)

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await write()
        return await arun(make_numbers(), database)

    assert asyncio.run(main()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancelled_operation_with_a_block_rolls_back(configured, kind, make_insert, make_numbers):
    database = configured(kind, pool_size=1)

    def operation():
        yield from make_insert(database, 1)
        yield from steps.fetch(SLOW[database.vendor])

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await arun(steps.in_block(operation()), database)
        return await arun(make_numbers(), database)

    assert asyncio.run(main()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancelled_wait_for_a_connection(configured, kind):
    database = configured(kind, pool_size=1)

    async def main():
        async with atomic():
            operation = steps.fetch("SELECT 1")
            waiting = asyncio.create_task(arun(operation, database), context=Context())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert not state_of(database).waiting
        assert (await arun(steps.fetch("SELECT 1"), database))[0][0] == 1

    asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_run_has_a_pool_of_its_own(configured, kind, make_numbers):
    database = configured(kind)
    for _ in range(3):
        assert asyncio.run(arun(make_numbers(), database)) == []
    assert len(database.async_pools) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_pool_of_a_closed_loop_is_dropped_quietly(configured, kind, make_numbers):
    database = configured(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(arun(make_numbers(), database))
        database.close()
        assert not database.async_pools
        gc.collect()


@pytest.mark.parametrize("kind", KINDS)
def test_loops_in_several_threads(configured, kind, make_insert, make_numbers):
    database = configured(kind)

    def work(number):
        asyncio.run(arun(make_insert(database, number), database))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run(make_numbers(), database) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["postgresql", "psycopg"])
def test_killed_idle_connections_cost_one_error_at_most(configured, kind):
    database = configured(kind)
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    async def main():
        sleeps = [arun(steps.fetch("SELECT pg_sleep(0.05)"), database) for _ in range(4)]
        await asyncio.gather(*sleeps)
        await asyncio.to_thread(run, steps.fetch(kill), database)
        failures = 0
        for _ in range(6):
            try:
                await arun(steps.fetch("SELECT 1"), database)
            except OperationalError:
                failures += 1
        assert failures <= 1
        await database.aclose()

    asyncio.run(main())


def test_an_old_connection_is_replaced(configured):
    database = configured("sqlite", pool_max_age=0)
    run(steps.fetch("SELECT 1"), database)
    first = database.sync_pool.state.idle[0]
    run(steps.fetch("SELECT 1"), database)
    assert database.sync_pool.state.idle[0] is not first
    assert first.lost


def test_an_open_transaction_of_raw_sql_is_not_given_to_the_next_one(configured, make_numbers):
    database = configured("postgresql", pool_size=1)
    database.execute("BEGIN")
    database.execute("INSERT INTO item VALUES (1)")
    assert run(make_numbers(), database) in ([], [1])
    assert database.sync_pool.state.size == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("kind", KINDS)
def test_a_fork_abandons_the_pools(configured, kind, make_insert, make_numbers):
    database = configured(kind)
    run(make_insert(database, 1), database)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other tests leave threads behind
        child = os.fork()
    if child == 0:
        status = 1
        try:
            run(make_insert(database, 2), database)
            status = 0 if database.sync_pool.state.size == 1 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run(make_numbers(), database) == [1, 2]


def test_the_interpreter_ends_quietly_without_aclose(url_of):
    code = f"""
import asyncio
from aorm import steps
from aorm.connections import Database, arun, run
databases = [Database("a", u) for u in {[url_of("sqlite"), url_of("postgresql")]!r}]
async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # drivers are imported here
    for database in databases:
        await arun(steps.fetch("SELECT 1"), database)
for database in databases:
    run(steps.fetch("SELECT 1"), database)
asyncio.run(main())
"""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


# --- the decisions alone ------------------------------------------------------------------


def test_state_hands_over_in_order():
    state: PoolState[str, str] = PoolState(1)
    assert state.take() is None
    assert state.reserve()
    state.connected("c")
    assert not state.reserve()
    state.waiting.extend(["first", "second"])
    assert state.give("c") == "first"
    assert state.give("c") == "second"
    assert state.give("c") is None
    assert state.take() == "c"


def test_state_gives_the_place_of_a_dropped_connection_to_who_waits():
    state: PoolState[str, str] = PoolState(1)
    state.reserve()
    state.connected("c")
    state.waiting.append("first")
    assert state.drop("c") == "first"
    assert (state.size, state.connecting) == (1, 1)
    assert state.failed() is None
    assert state.size == 0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_sync_connection_on_its_way_is_closed_with_the_others(configured, kind):
    database = configured(kind)
    database.close()
    pool = database.make_sync_pool()
    connect, begun, go = pool._connect, threading.Event(), threading.Event()

    def slowly():
        begun.set()
        assert go.wait(20)
        return connect()

    pool._connect = slowly
    taken = []
    thread = threading.Thread(target=lambda: taken.append(pool.take()))
    thread.start()
    assert begun.wait(20)
    database.close()
    go.set()
    thread.join()
    (connection,) = taken
    # who was waiting for it may use it
    assert connection.fetch("SELECT 1", ()) == [(1,)]
    pool.give(connection)
    assert pool.state.size == 0
    assert connection.lost
    run(steps.fetch("SELECT 2"), database)
    assert pool.state.size == 0
    assert database.sync_pool.state.size == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_async_connection_on_its_way_is_closed_with_the_others(configured, kind):
    database = configured(kind)

    async def main():
        pool = database.make_async_pool()
        connect, begun, go = pool._connect, asyncio.Event(), asyncio.Event()

        async def slowly():
            begun.set()
            await go.wait()
            return await connect()

        pool._connect = slowly
        task = asyncio.create_task(pool.acquire())
        await begun.wait()
        await pool.aclose()
        go.set()
        connection = await task
        assert [tuple(row) for row in await connection.fetch("SELECT 1", ())] == [(1,)]
        pool.give(connection)
        assert pool.state.size == 0
        assert connection.lost

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_connection_that_comes_back_while_its_pool_is_closed_is_closed(configured, kind):
    database = configured(kind)
    pool = database.make_sync_pool()
    connection = pool.take()
    idle = type(connection).idle

    class Late(type(connection)):
        """Found sound just before the pool is closed."""

        __slots__ = ()

        def idle(self):
            sound = idle(self)
            self.__class__ = type(self).__mro__[1]
            database.close()
            self.broken = False
            return sound

    connection.__class__ = Late
    pool.give(connection)
    assert pool.state.size == 0
    assert connection.lost
