"""`explain_runtime` says what really happens; each answer is compared with the connection."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

import aorm
from aorm import steps
from aorm.connections import (
    arun,
    async_to_sync,
    atomic,
    detached,
    explain_runtime,
    run,
    set_rollback,
    sync_to_async,
)
from aorm.errors import ConnectionDoesNotExist, TransactionManagementError
from aorm.testing import rolled_back


@pytest.fixture
def mark(database):
    """Functions that leave a mark on the connection that serves them, or say whose mark it has.

    The mark is the process of PostgreSQL's server, or a table that only one connection of SQLite
    sees.
    """

    class Mark:
        def operation(self, name):
            if database.vendor == "postgresql":
                rows = yield from steps.fetch("SELECT pg_backend_pid()")
                return rows[0][0]
            sql = "SELECT name FROM temp.sqlite_master"
            rows = yield from steps.fetch(sql)
            if not rows:
                yield from steps.execute(f"CREATE TEMP TABLE {name} (id)")
                rows = yield from steps.fetch(sql)
            return rows[0][0]

        def here(self, name="first"):
            return run(self.operation(name), database)

        async def on_loop(self, name="first"):
            return await arun(self.operation(name), database)

    return Mark()


def process(runtime, database):
    """What the mark has to be, if the answer is right; None where any is."""
    return runtime.connection.server_process if database.vendor == "postgresql" else None


def agrees(runtime, mark, database):
    expected = process(runtime, database)
    return expected is None or expected == mark


def in_thread(call, *arguments):
    results = []
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: results.append(context.run(call, *arguments)))
    thread.start()
    thread.join()
    return results[0]


# --- outside of transactions --------------------------------------------------------------


def test_synchronous_code(database, mark):
    mark.here()
    runtime = explain_runtime()
    assert runtime.thread_id == threading.get_ident()
    assert runtime.thread == threading.current_thread().name
    assert (runtime.loop, runtime.home, runtime.transaction) == (None, None, None)
    assert runtime.driver == database.address.sync_driver
    assert runtime.runs == "directly"
    assert (runtime.pool.owner, runtime.pool.idle, runtime.pool.used) == ("threads", 1, 0)
    assert agrees(runtime, mark.here(), database)
    assert explain_runtime() == runtime


def test_a_coroutine(database, mark):
    async def main():
        await mark.on_loop()
        runtime = explain_runtime()
        assert runtime.loop is asyncio.get_running_loop()
        assert runtime.driver == database.address.async_driver
        assert runtime.runs == "directly"
        assert runtime.pool in database.stats().pools
        assert (runtime.pool.idle, runtime.pool.used) == (1, 0)
        assert agrees(runtime, await mark.on_loop(), database)
        await database.aclose()

    asyncio.run(main())


def test_before_the_first_call_nothing_is_opened(database):
    database.close()
    runtime = explain_runtime()
    assert (runtime.pool, runtime.connection) == (None, None)
    assert database.sync_pool is None
    assert "none yet" in str(runtime)


# --- inside of them: the table of homes ------------------------------------------------------


def test_inside_of_a_transaction_the_connection_is_its_own(database, mark):
    with atomic():
        first = mark.here("inside")
        runtime = explain_runtime()
        assert (runtime.runs, runtime.home) == ("directly", None)
        assert runtime.pool.used == 1
        assert agrees(runtime, first, database)
        assert in_thread(mark.here) == first
        assert in_thread(explain_runtime).connection == runtime.connection
        with detached():
            outside = explain_runtime()
            assert outside.transaction is None
            assert outside.connection != runtime.connection


def test_a_coroutine_uses_a_synchronous_transaction_in_a_worker_thread(database, mark):
    async def main():
        runtime = explain_runtime()
        assert runtime.runs == "in a worker thread, awaited"
        assert runtime.driver == database.address.sync_driver
        assert runtime.home is None
        return runtime, await mark.on_loop()

    with atomic():
        first = mark.here("inside")
        for runtime, mine in (asyncio.run(main()), async_to_sync(main)()):
            assert mine == first
            assert agrees(runtime, mine, database)
            assert runtime.connection == explain_runtime().connection


def test_a_thread_uses_the_transaction_of_a_loop_there(database, mark):
    def legacy():
        runtime = explain_runtime()
        assert runtime.runs == "on the transaction's event loop, this thread waits"
        assert runtime.driver == database.address.async_driver
        return runtime, mark.here()

    async def main():
        loop = asyncio.get_running_loop()
        async with atomic():
            first = await mark.on_loop("inside")
            here = explain_runtime()
            assert (here.runs, here.home) == ("directly", loop)
            for call in sync_to_async(legacy), lambda: asyncio.to_thread(legacy):
                runtime, mine = await call()
                assert runtime.home is loop
                assert runtime.loop is None
                assert mine == first
                assert agrees(runtime, mine, database)
                assert runtime.connection == here.connection
        await database.aclose()

    asyncio.run(main())


def test_a_coroutine_of_another_loop_uses_the_transaction_of_a_loop_there(database, mark):
    async def other():
        runtime = explain_runtime()
        assert runtime.runs == "on the transaction's event loop, awaited"
        assert runtime.loop is asyncio.get_running_loop()
        return runtime, await mark.on_loop()

    async def main():
        async with atomic():
            first = await mark.on_loop("inside")
            runtime, mine = await asyncio.to_thread(lambda: asyncio.run(other()))
            assert runtime.home is asyncio.get_running_loop()
            assert mine == first
            assert agrees(runtime, mine, database)
        await database.aclose()

    asyncio.run(main())


# --- the state of transactions ------------------------------------------------------------------


def test_blocks_are_counted_and_named():
    with atomic():
        runtime = explain_runtime().transaction
        assert (runtime.savepoints, runtime.state, runtime.waits_for) == (0, "open", None)
        with atomic():
            inner = explain_runtime().transaction
            assert inner.savepoints == 1
            assert inner.where == runtime.where
            assert inner.innermost != runtime.where
    assert explain_runtime().transaction is None


@pytest.fixture(autouse=True)
def _everywhere(database):
    """Each of these tests runs on each database."""


def test_a_transaction_that_must_roll_back_refuses(mark):
    with atomic():
        set_rollback(True)
        runtime = explain_runtime()
        assert runtime.transaction.state == "to be rolled back"
        assert runtime.runs == "not at all"
        assert "end it" in runtime.problem
        with pytest.raises(TransactionManagementError):
            mark.here()


def test_after_its_end_whoever_inherited_it_is_refused(mark):
    contexts = []
    with atomic():
        contexts.append(contextvars.copy_context())
    runtime = contexts[0].run(explain_runtime)
    assert runtime.transaction.state == "ended"
    assert (runtime.runs, runtime.connection) == ("not at all", None)
    with pytest.raises(TransactionManagementError, match="has ended"):
        contexts[0].run(mark.here)


def test_a_stopped_loop_is_a_problem(mark):
    contexts = []

    async def main():
        await atomic().__aenter__()
        contexts.append(contextvars.copy_context())

    asyncio.run(main())
    runtime = contexts[0].run(explain_runtime)
    assert runtime.problem == "the event loop of the transaction has stopped"
    with pytest.raises(TransactionManagementError, match="has stopped"):
        contexts[0].run(mark.here)


def test_the_block_that_is_in_the_way_is_named(database):
    async def main():
        opened, leave = asyncio.Event(), asyncio.Event()

        async def stay():
            async with atomic():
                opened.set()
                await leave.wait()

        async with atomic():
            task = asyncio.create_task(stay())
            await opened.wait()
            runtime = explain_runtime()
            assert "test_explain.py" in runtime.transaction.waits_for
            assert "waits for the nested block" in str(runtime)
            leave.set()
            await task
            assert explain_runtime().transaction.waits_for is None
        await database.aclose()

    asyncio.run(main())


def test_the_transaction_of_a_test(database, mark):
    with rolled_back():
        first = mark.here("inside")
        runtime = explain_runtime()
        assert runtime.transaction.of_test
        assert agrees(runtime, first, database)
        assert "of a test" in str(runtime)
    with atomic():
        assert not explain_runtime().transaction.of_test


# --- how it looks -------------------------------------------------------------------------------


def test_it_is_shown_as_a_table(database):
    with atomic(), atomic():
        lines = str(explain_runtime()).splitlines()
    names = [line[:12].strip() for line in lines]
    assert names == [
        "database",
        "thread",
        "event loop",
        "home",
        "driver",
        "runs",
        "pool",
        "connection",
        "transaction",
        "",
    ]
    assert lines[0] == f"database    default, {database.url}"
    assert lines[-2].endswith(", open")
    assert lines[-1].startswith("            nested blocks: 1, the innermost of ")


def test_the_password_is_not_shown(configured):
    aorm.configure("postgresql://user:secret@nowhere.invalid/shop")
    assert "secret" not in f"{explain_runtime()} {explain_runtime()!r}"


def test_an_unknown_alias_is_an_error():
    with pytest.raises(ConnectionDoesNotExist, match="nowhere"):
        explain_runtime("nowhere")
