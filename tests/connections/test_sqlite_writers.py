"""Many writers of one SQLite file: tasks, threads and processes; readers beside them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from aorm.connections import async_to_sync, atomic

TASKS, THREADS, PROCESSES = 20, 8, 2
TIMES = 10  # for each

# what another process does: it adds as often, each time reading before it writes
PROCESS = """
import sys
from aorm.connections import Database, atomic, connections

database = Database("default", sys.argv[1])
connections.configure({"default": database})
database.execute("SELECT value FROM counter")
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    with atomic():
        ((value,),) = database.execute("SELECT value FROM counter")
        database.execute("UPDATE counter SET value = %s", [value + 1])
database.close()
"""


@pytest.fixture
def database(configured):
    database = configured("sqlite")
    database.execute("CREATE TABLE counter (value integer)")
    database.execute("INSERT INTO counter VALUES (0)")
    return database


def add(database):
    for number in range(TIMES):
        if number % 2:
            database.execute("UPDATE counter SET value = value + 1")
            continue
        with atomic():
            ((value,),) = database.execute("SELECT value FROM counter")
            database.execute("UPDATE counter SET value = %s", [value + 1])


async def aadd(database):
    for number in range(TIMES):
        if number % 2:
            await database.aexecute("UPDATE counter SET value = value + 1")
            continue
        async with atomic():
            ((value,),) = await database.aexecute("SELECT value FROM counter")
            await database.aexecute("UPDATE counter SET value = %s", [value + 1])


def processes(url):
    command = [sys.executable, "-c", PROCESS, url, str(TIMES)]
    return [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(PROCESSES)]


def test_nothing_is_lost_and_nobody_is_told_that_the_database_is_locked(database, url_of):
    others = processes(url_of("sqlite"))

    async def main():
        with ThreadPoolExecutor(THREADS) as threads:
            loop = asyncio.get_running_loop()
            await asyncio.gather(
                *(loop.run_in_executor(threads, add, database) for _ in range(THREADS)),
                *(aadd(database) for _ in range(TASKS)),
            )
        await database.aclose()

    asyncio.run(main())
    for process in others:
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
    ((value,),) = database.execute("SELECT value FROM counter")
    assert value == (TASKS + THREADS + PROCESSES) * TIMES


@pytest.mark.parametrize("face", ["sync", "async"])
def test_readers_are_not_blocked_by_a_writer(database, face):
    written, read = threading.Event(), threading.Event()

    def write():
        with atomic():
            database.execute("UPDATE counter SET value = 1")
            written.set()
            assert read.wait(20)  # it would not come while the writer is in the readers' way

    writer = threading.Thread(target=write)
    writer.start()
    assert written.wait(20)
    execute = database.execute if face == "sync" else async_to_sync(database.aexecute)
    values = [tuple(row) for row in execute("SELECT value FROM counter")]
    with atomic(read_only=True):
        values += [tuple(row) for row in execute("SELECT value FROM counter")]
    read.set()
    writer.join()
    assert values == [(0,), (0,)]
    assert [tuple(row) for row in database.execute("SELECT value FROM counter")] == [(1,)]


def test_a_reader_sees_one_state_while_others_write(database):
    with atomic(read_only=True):
        before = [tuple(row) for row in database.execute("SELECT value FROM counter")]
        with ThreadPoolExecutor(1) as thread:  # whose context is its own
            thread.submit(database.execute, "UPDATE counter SET value = 5").result()
        after = [tuple(row) for row in database.execute("SELECT value FROM counter")]
    assert before == after == [(0,)]
    assert [tuple(row) for row in database.execute("SELECT value FROM counter")] == [(5,)]


def test_writers_wait_in_order_also_those_that_inherit_a_transaction(database):
    """A thread inside of the writer's transaction does not wait for the writer."""

    async def main():
        async with atomic():
            await database.aexecute("UPDATE counter SET value = value + 1")
            await asyncio.gather(
                *(asyncio.to_thread(copy_context().run, add, database) for _ in range(THREADS))
            )
        await database.aclose()

    asyncio.run(main())
    ((value,),) = database.execute("SELECT value FROM counter")
    assert value == 1 + THREADS * TIMES
