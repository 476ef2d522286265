"""The line of jobs in front of SQLite's threads: order, growth, limits, cancelled jobs."""

from __future__ import annotations

import asyncio
from functools import partial
from importlib import import_module

import pytest
from cancellation import WAYS, interrupted

from aorm import steps
from aorm.connections import arun, atomic, on_commit
from aorm.errors import OperationalError, PoolTimeout

SLOW = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i FROM n) SELECT sum(i) FROM n"


@pytest.fixture
def pool_of():
    return lambda database: next(iter(database.async_pools.values()))


def test_short_jobs_stay_on_few_threads(configured, pool_of, monkeypatch):
    # as on a machine that has time
    monkeypatch.setattr(import_module("aorm.connections.jobs"), "GROW_AFTER", 60)
    database = configured("sqlite", pool_size=10)

    async def main():
        await arun(steps.fetch("SELECT 1"), database)
        found = await asyncio.gather(
            *[arun(steps.fetch("SELECT ?", (n,)), database) for n in range(300)]
        )
        assert [rows[0][0] for rows in found] == list(range(300))
        return pool_of(database).state

    state = asyncio.run(main())
    assert state.size == 1
    assert not state.used
    assert not state.waiting


def test_a_long_job_does_not_hold_up_the_line(configured):
    database = configured("sqlite", pool_size=2)

    async def main():
        await arun(steps.fetch("SELECT 1"), database)
        endless = asyncio.create_task(arun(steps.fetch(SLOW), database))
        await asyncio.sleep(0)
        short = await asyncio.gather(
            *[arun(steps.fetch("SELECT ?", (n,)), database) for n in range(20)]
        )
        assert not endless.done()
        endless.cancel()
        with pytest.raises(asyncio.CancelledError):
            await endless
        return [rows[0][0] for rows in short]

    assert asyncio.run(main()) == list(range(20))


def test_jobs_run_in_the_order_in_which_they_came(configured, make_insert):
    database = configured("sqlite", pool_size=1)
    finished = []

    async def job(number):
        await arun(make_insert(database, number), database)
        finished.append(number)

    async def main():
        await asyncio.gather(*map(job, range(50)))

    asyncio.run(main())
    assert finished == list(range(50))


def test_a_job_that_waits_too_long_names_the_holders(configured):
    database = configured("sqlite", pool_size=1, pool_timeout=0.05)

    async def main():
        await arun(steps.fetch("SELECT 1"), database)
        endless = asyncio.create_task(arun(steps.fetch(SLOW), database), name="endless")
        await asyncio.sleep(0)
        with pytest.raises(PoolTimeout, match="task endless"):
            await arun(steps.fetch("SELECT 1"), database)
        endless.cancel()
        with pytest.raises(asyncio.CancelledError):
            await endless
        return await arun(steps.fetch("SELECT 1"), database)

    assert asyncio.run(main())[0][0] == 1


def test_a_job_cancelled_in_line_is_never_begun(configured, make_insert, make_numbers, pool_of):
    database = configured("sqlite", pool_size=1)

    async def main():
        await arun(steps.fetch("SELECT 1"), database)
        endless = asyncio.create_task(arun(steps.fetch(SLOW), database))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(arun(make_insert(database, n), database)) for n in range(4)]
        await asyncio.sleep(0)
        for task in (*waiting[:2], endless):
            task.cancel()
        outcomes = await asyncio.gather(endless, *waiting, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in outcomes] == [
            *(True, True, True),
            *(False, False),
        ]
        assert not pool_of(database).state.waiting
        return await arun(make_numbers(), database)

    assert asyncio.run(main()) == [2, 3]


def test_a_cancelled_job_interrupts_no_other(configured, make_insert, make_numbers):
    database = configured("sqlite", pool_size=1)

    async def main():
        tasks = [
            asyncio.create_task(arun(make_insert(database, number), database))
            for number in range(60)
        ]
        await tasks[0]
        for task in tasks[1::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        kept = [number for number, each in enumerate(outcomes) if each is None or each == 1]
        assert not any(isinstance(each, OperationalError) for each in outcomes)
        return set(range(0, 60, 2)), set(kept), set(await arun(make_numbers(), database))

    wanted, kept, stored = asyncio.run(main())
    assert wanted <= kept <= stored


def test_a_transaction_gets_its_turn_among_jobs(configured, make_insert, make_numbers):
    database = configured("sqlite", pool_size=1)

    async def transfer():
        async with atomic():
            await arun(make_insert(database, 1000), database)
            await arun(make_insert(database, 1001), database)

    async def main():
        jobs = [arun(make_insert(database, number), database) for number in range(40)]
        await asyncio.gather(*jobs[:20], transfer(), *jobs[20:])
        return await arun(make_numbers(), database)

    assert asyncio.run(main()) == [*range(40), 1000, 1001]


def test_a_failing_connection_fails_the_job(configured, tmp_path):
    database = configured("sqlite", pool_size=2)

    async def main():
        await arun(steps.fetch("SELECT 1"), database)
        endless = asyncio.create_task(arun(steps.fetch(SLOW), database))
        await asyncio.sleep(0)
        pool = next(iter(database.async_pools.values()))

        async def refuse():
            raise OperationalError("no more files")

        pool._connect = refuse
        with pytest.raises(OperationalError, match="no more files"):
            await arun(steps.fetch("SELECT 1"), database)
        endless.cancel()
        with pytest.raises(asyncio.CancelledError):
            await endless
        assert pool.state.size == 1

    asyncio.run(main())


@pytest.mark.parametrize("way", sorted(WAYS))
def test_callbacks_of_an_operations_own_block_are_called_when_it_committed(
    configured, make_insert, make_numbers, way
):
    database = configured("sqlite", pool_size=1)

    def saved(number, called):
        yield from make_insert(database, number)
        yield from steps.call(on_commit, lambda: called.append(number))

    async def main():
        for number in range(1, 100):
            called = []
            work = partial(saving, number, called)
            run = await interrupted(work, way, number)
            committed = number in await arun(make_numbers(), database)
            assert called == [number] * committed
            if not run.interrupted:
                return number
        raise AssertionError("it never ended by itself")

    def saving(number, called):
        return arun(steps.in_block(saved(number, called)), database)

    assert asyncio.run(main()) > 2
