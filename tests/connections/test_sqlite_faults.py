"""What can go wrong with a file: another process's lock, no permission, no space."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aorm import steps
from aorm.connections import Database, astream, atomic, connections, run, stream
from aorm.errors import OperationalError, TransactionManagementError
from aorm.steps import Fetch

NOBODY = 65534
HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("INSERT INTO item VALUES (100, 'theirs')")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
print("free", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def database(configured, request):
    return configured("sqlite", **getattr(request, "param", {}))


@contextmanager
def held_by_another_process(database: Database) -> Iterator[subprocess.Popen[str]]:
    """The file is locked by a writer, until it reads a line."""
    command = [sys.executable, "-c", HOLDER, database.address.name]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "locked\n"
        try:
            yield process
        finally:
            process.kill()


def let_go(process: subprocess.Popen[str]) -> None:
    print(file=process.stdin, flush=True)


@pytest.mark.parametrize("database", [{"busy_timeout": 0.1}], indirect=True)
async def test_a_lock_of_another_process_is_an_error_after_a_while(face, rows):
    with held_by_another_process(face.database) as process:
        with pytest.raises(OperationalError, match=r"database is locked.*busy_timeout"):
            await face.insert(1)
        with pytest.raises(OperationalError, match="database is locked"):
            async with face.atomic():
                pytest.fail("it began")
        assert await face.numbers() == []  # readers are not in its way
        let_go(process)
        assert process.stdout.readline() == "free\n"
        async with face.atomic():
            await face.insert(2)
        await face.insert(3)
    assert rows() == [2, 3, 100]


@pytest.mark.parametrize("database", [{"busy_timeout": 20}], indirect=True)
async def test_a_short_lock_of_another_process_is_waited_for(face, rows):
    with held_by_another_process(face.database) as process:
        let_go(process)
        await face.insert(1)
    assert rows() == [1, 100]


@pytest.mark.parametrize("database", [{"busy_timeout": 0.1}], indirect=True)
def test_a_locked_file_is_worth_another_try(database, make_insert, rows):
    around = Database("around", "sqlite://:memory:")
    attempts = []
    with held_by_another_process(database) as process:

        @atomic(around, retries=1)
        def work():
            attempts.append(1)
            if len(attempts) == 2:
                let_go(process)
                assert process.stdout.readline() == "free\n"
            run(make_insert(database, 1), database)

        work()
    around.close()
    assert attempts == [1, 1]
    assert rows() == [1, 100]


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may write everything; so be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def read_only_file(database, make_insert) -> Iterator[Path]:
    """A database that nobody may write, with one row."""
    run(make_insert(database, 1), database)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.execute("PRAGMA journal_mode=delete")
    database.close()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "shop.db"
        path.write_bytes(Path(database.address.name).read_bytes())
        path.chmod(0o444)
        Path(directory).chmod(0o555)
        try:
            yield path
        finally:
            Path(directory).chmod(0o755)


async def test_a_file_that_may_only_be_read(read_only_file, face):
    database = Database("default", f"sqlite:///{read_only_file}")
    connections.configure({"default": database})
    face.database = database
    with unprivileged():
        assert await face.numbers() == [1]
        with pytest.raises(OperationalError, match="readonly"):
            await face.insert(2)
        with pytest.raises(OperationalError, match="readonly"):
            async with face.atomic():
                await face.insert(2)
        async with face.atomic(read_only=True):
            assert await face.numbers() == [1]
        await face.call(database.close, database.aclose)


@pytest.mark.parametrize("database", [{"pool_size": 1}], indirect=True)
async def test_a_full_disk_undoes_the_transaction(face, rows):
    database = face.database
    pages = await face.call(database.execute, database.aexecute, "PRAGMA page_count")
    limit = f"PRAGMA max_page_count={pages[0][0] + 5}"
    await face.call(database.execute, database.aexecute, limit)
    big = "x" * 100_000
    await face.insert(1)
    with pytest.raises(OperationalError, match="full"):
        async with face.atomic():
            await face.insert(2)
            await face.insert(3, big)
    async with face.atomic():
        with pytest.raises(OperationalError, match="full"):
            await face.insert(4, big)
        with pytest.raises(TransactionManagementError):  # nothing is kept beside the transaction
            await face.insert(5)
    with pytest.raises(OperationalError, match="full"):
        await face.insert(6, big)
    await face.insert(7)
    assert rows() == [1, 7]


@pytest.mark.parametrize("written", ["in the block", "in a nested block"])
async def test_a_stream_shows_what_was_there_when_it_was_asked_for(face, rows, written):
    database = face.database
    for number in range(1, 7):
        await face.insert(number)
    statement = Fetch("SELECT id FROM item ORDER BY id", ())
    changes = [
        "INSERT INTO item VALUES (50, NULL)",
        "DELETE FROM item WHERE id = 5",
        "UPDATE item SET id = 60 WHERE id = 6",
    ]

    def read():
        seen = []
        for piece in stream(statement, database, 2):
            seen += [row[0] for row in piece]
            if changes:
                with atomic(savepoint=written == "in a nested block"):
                    run(steps.execute(changes.pop()), database)
        return seen

    async def aread():
        seen = []
        async for piece in astream(statement, database, 2):
            seen += [row[0] for row in piece]
            if changes:
                async with atomic(savepoint=written == "in a nested block"):
                    await database.aexecute(changes.pop())
        return seen

    async with face.atomic():
        assert await face.call(read, aread) == [1, 2, 3, 4, 5, 6]
    assert changes == []
    assert rows() == [1, 2, 3, 4, 50, 60]


async def test_a_stream_goes_on_after_a_rolled_back_savepoint(face):
    database = face.database
    for number in range(1, 7):
        await face.insert(number)
    statement = Fetch("SELECT id FROM item ORDER BY id", ())

    def read():
        pieces = stream(statement, database, 2)
        seen = list(next(pieces))
        with pytest.raises(ZeroDivisionError), atomic():
            run(steps.execute("DELETE FROM item"), database)
            raise ZeroDivisionError
        for piece in pieces:
            seen += piece
        return [row[0] for row in seen]

    async def aread():
        pieces = astream(statement, database, 2)
        seen = list(await anext(pieces))
        with pytest.raises(ZeroDivisionError):
            async with atomic():
                await database.aexecute("DELETE FROM item")
                raise ZeroDivisionError
        async for piece in pieces:
            seen += piece
        return [row[0] for row in seen]

    async with face.atomic():
        assert await face.call(read, aread) == [1, 2, 3, 4, 5, 6]
    assert await face.numbers() == [1, 2, 3, 4, 5, 6]
