"""`atomic(retries=)`: decorated functions run again after conflicts."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from aorm import steps
from aorm.connections import aon_commit, arun, atomic, on_commit, run
from aorm.errors import OperationalError, TransactionManagementError

POSTGRES = ["postgresql", "psycopg"]
CONFLICT = "DO $$ BEGIN RAISE 'conflict' USING ERRCODE = '40001'; END $$"


def again(face, options, work, awork):
    """A decorated function of this face."""

    @atomic(**options)
    def sync():
        return work()

    @atomic(**options)
    async def twin():
        return await awork()

    return lambda: face.call(sync, twin)


@pytest.fixture
def postgres(database):
    if database.vendor == "sqlite":
        pytest.skip("writers of SQLite do not conflict")
    return database


@pytest.mark.parametrize("failures", [0, 1, 2])
async def test_a_function_runs_until_it_succeeds(postgres, face, rows, make_insert, failures):
    attempts, called = [], []

    def work():
        attempts.append(1)
        on_commit(partial(called.append, len(attempts)))
        run(make_insert(postgres, len(attempts)), postgres)
        if len(attempts) <= failures:
            run(steps.execute(CONFLICT), postgres)
        return "done"

    async def awork():
        attempts.append(1)
        await aon_commit(partial(called.append, len(attempts)))
        await arun(make_insert(postgres, len(attempts)), postgres)
        if len(attempts) <= failures:
            await arun(steps.execute(CONFLICT), postgres)
        return "done"

    assert await again(face, {"retries": 2}, work, awork)() == "done"
    assert len(attempts) == failures + 1
    assert rows() == called == [failures + 1]


async def test_the_last_failure_is_raised(postgres, face, rows):
    attempts = []

    def work():
        attempts.append(1)
        run(steps.execute(CONFLICT), postgres)

    async def awork():
        attempts.append(1)
        await arun(steps.execute(CONFLICT), postgres)

    with pytest.raises(OperationalError, match="conflict"):
        await again(face, {"retries": 1}, work, awork)()
    assert len(attempts) == 2


async def test_other_failures_are_raised_at_once(face, database):
    attempts = []

    def work():
        attempts.append(1)
        run(steps.execute("INSERT INTO nowhere VALUES (1)"), database)

    async def awork():
        attempts.append(1)
        await arun(steps.execute("INSERT INTO nowhere VALUES (1)"), database)

    with pytest.raises(Exception, match="nowhere"):
        await again(face, {"retries": 3}, work, awork)()
    assert len(attempts) == 1


async def test_it_refuses_to_run_inside_a_transaction(face):
    async def awork():
        pytest.fail("it ran")

    async with face.atomic():
        with pytest.raises(TransactionManagementError, match="retries"):
            await again(face, {"retries": 1}, lambda: pytest.fail("it ran"), awork)()


async def test_a_with_block_cannot_be_run_again(face):
    with pytest.raises(TransactionManagementError, match="decorated function"):
        async with face.atomic(retries=1):
            pytest.fail("it ran")
    assert await face.numbers() == []


def test_fewer_than_no_retries():
    with pytest.raises(ValueError, match="retries=-1"):
        atomic(retries=-1)


# --- real conflicts -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", POSTGRES)
def test_a_deadlock_of_tasks(configured, make_insert, kind):
    database = configured(kind)

    async def main():
        for number in (0, 1):
            await arun(make_insert(database, number), database)
        both = asyncio.Barrier(2)
        attempts = []

        @atomic(retries=5)
        async def work(number):
            first = number not in attempts
            attempts.append(number)
            await arun(_update(number, number), database)
            if first:
                await both.wait()
            await arun(_update(number, 1 - number), database)

        await asyncio.gather(work(0), work(1))
        assert len(attempts) >= 3  # who starts again may meet the other one again
        names = await arun(steps.fetch("SELECT DISTINCT left(name, 1) FROM item"), database)
        assert len(names) == 1

    asyncio.run(main())


def test_a_deadlock_of_threads(configured, make_insert):
    database = configured("psycopg")
    for number in (0, 1):
        run(make_insert(database, number), database)
    both = threading.Barrier(2)
    attempts = []

    @atomic(retries=5)
    def work(number):
        first = number not in attempts
        attempts.append(number)
        run(_update(number, number), database)
        if first:
            both.wait(20)
        run(_update(number, 1 - number), database)

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(attempts) >= 3  # who starts again may meet the other one again
    assert len(run(steps.fetch("SELECT DISTINCT left(name, 1) FROM item"), database)) == 1


def _update(number, row):
    sql = "UPDATE item SET name = $1 || id WHERE id = $2"
    return steps.execute(sql, (str(number), row))


@pytest.mark.parametrize("kind", POSTGRES)
def test_serialization_failures_of_many_tasks(configured, make_insert, kind):
    database = configured(kind)

    async def main():
        await arun(make_insert(database, 0, "0"), database)

        @atomic(isolation="serializable", retries=50)
        async def count():
            rows = await arun(steps.fetch("SELECT name FROM item WHERE id = 0"), database)
            sql = "UPDATE item SET name = $1 WHERE id = 0"
            await arun(steps.execute(sql, (str(int(rows[0][0]) + 1),)), database)

        await asyncio.gather(*[count() for _ in range(8)])
        return await arun(steps.fetch("SELECT name FROM item"), database)

    assert [tuple(row) for row in asyncio.run(main())] == [("8",)]
