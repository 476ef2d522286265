"""What every driver does alike."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import subprocess
import sys
import uuid

import pytest

from aorm import steps
from aorm.connections import Database, arun, connections, run
from aorm.connections.drivers.errors import by_state
from aorm.errors import (
    DataError,
    ImproperlyConfigured,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)


def mark(database, number=1):
    return "?" if database.vendor == "sqlite" else f"${number}"


async def test_fetch_gives_a_list_of_rows(face):
    await face.insert(1, "a")
    await face.insert(2, "b")
    rows = await face.run(steps.fetch("SELECT id, name FROM item ORDER BY id"))
    assert isinstance(rows, list)
    assert [tuple(row) for row in rows] == [(1, "a"), (2, "b")]


async def test_execute_gives_the_number_of_rows(face):
    await face.insert(1)
    await face.insert(2)
    assert await face.run(steps.execute("UPDATE item SET name = NULL")) == 2
    sql = f"DELETE FROM item WHERE id > {mark(face.database)}"
    assert await face.run(steps.execute(sql, (5,))) == 0


async def test_execute_many(face):
    marks = f"{mark(face.database, 1)}, {mark(face.database, 2)}"
    sql = f"INSERT INTO item VALUES ({marks})"
    await face.run(steps.execute_many(sql, [(n, str(n)) for n in range(5)]))
    assert await face.numbers() == [0, 1, 2, 3, 4]


async def test_execute_many_is_all_or_nothing(face):
    marks = f"{mark(face.database, 1)}, {mark(face.database, 2)}"
    sql = f"INSERT INTO item VALUES ({marks})"
    with pytest.raises(IntegrityError):
        await face.run(steps.execute_many(sql, [(1, "a"), (2, "b"), (1, "c")]))
    assert await face.numbers() == []


async def test_returning(face):
    sql = f"INSERT INTO item VALUES ({mark(face.database)}, 'x') RETURNING id"
    rows = await face.run(steps.fetch(sql, (7,)))
    assert [tuple(row) for row in rows] == [(7,)]
    assert await face.numbers() == [7]


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("INSERT INTO item VALUES (1, 'a')", IntegrityError),
        ("INSERT INTO nowhere VALUES (1)", (ProgrammingError, OperationalError)),
        ("SELEC 1", (ProgrammingError, OperationalError)),
    ],
)
async def test_errors_are_ours_with_the_drivers_as_cause(face, sql, error):
    await face.insert(1, "a")
    with pytest.raises(error) as caught:
        await face.run(steps.execute(sql))
    assert type(caught.value).__module__ == "aorm.errors"
    assert type(caught.value.__cause__).__module__.partition(".")[0] in (
        "sqlite3",
        "asyncpg",
        "psycopg",
    )
    assert await face.numbers() == [1]


async def test_an_operation_may_catch_an_error_and_go_on(face):
    def operation():
        try:
            yield from steps.execute("INSERT INTO nowhere VALUES (1)")
        except (ProgrammingError, OperationalError):
            return (yield from steps.fetch("SELECT 1"))

    assert [tuple(row) for row in await face.run(operation())] == [(1,)]


async def test_too_large_an_integer_is_a_data_error(face):
    if face.database.vendor == "sqlite":
        with pytest.raises(DataError):
            await face.run(steps.fetch("SELECT ?", (2**70,)))
    else:
        with pytest.raises(DataError):
            await face.run(steps.fetch("SELECT id FROM item WHERE id = $1::int4", (2**40,)))


async def test_an_operation_without_steps_needs_no_connection():
    def operation():
        return 5
        yield

    database = Database("none", "postgresql://nowhere.invalid/none")
    assert await arun(operation(), database) == 5
    assert run(operation(), database) == 5


def both_faces(sql, database):
    return run(steps.fetch(sql), database), asyncio.run(arun(steps.fetch(sql), database))


TYPES = [
    ("1.50::numeric", decimal.Decimal("1.50")),
    ("'00000000-0000-0000-0000-000000000001'::uuid", uuid.UUID(int=1)),
    ("'\\x01'::bytea", b"\x01"),
    ("'1 day'::interval", datetime.timedelta(days=1)),
    ("'2024-01-02'::date", datetime.date(2024, 1, 2)),
    ("'{\"a\": 1}'::jsonb", '{"a": 1}'),
    ("'[1]'::json", "[1]"),
    ("ARRAY[1, 2]", [1, 2]),
    ("true", True),
]


@pytest.mark.parametrize("kind", ["postgresql", "psycopg"])
def test_drivers_of_postgresql_agree_on_types(configured, kind):
    database = configured(kind)
    sql = "SELECT " + ", ".join(text for text, _ in TYPES)
    for rows in both_faces(sql, database):
        assert list(rows[0]) == [value for _, value in TYPES]


@pytest.mark.parametrize("kind", ["postgresql", "psycopg"])
def test_timestamps_come_in_utc(configured, kind):
    database = configured(kind)
    sql = "SELECT '2024-01-02 03:04:05+02'::timestamptz"
    for rows in both_faces(sql, database):
        assert rows[0][0] == datetime.datetime(2024, 1, 2, 1, 4, 5, tzinfo=datetime.UTC)
        assert rows[0][0].tzinfo is datetime.UTC


async def test_a_prepared_statement_survives_a_change_of_its_table(face):
    for _ in range(5):
        await face.run(steps.fetch("SELECT * FROM item"))
    await face.run(steps.execute("ALTER TABLE item ADD COLUMN extra integer"))
    await face.insert(1) if face.database.vendor != "sqlite" else None
    rows = await face.run(steps.fetch("SELECT * FROM item"))
    assert all(len(row) == 3 for row in rows)


def test_sqlite_functions_and_aggregates(configured, tmp_path):
    class Longest:
        def __init__(self):
            self.value = ""

        def step(self, value):
            self.value = max(self.value, value, key=len)

        def finalize(self):
            return self.value

    class Dialect:
        connection_functions = (
            ("shout", 1, lambda text: text.upper() + "!", True),
            ("longest", 1, Longest, False),
        )

    database = configured("sqlite", dialect=Dialect())
    rows = run(
        steps.fetch("SELECT shout('a'), longest(x) FROM (SELECT 'a' x UNION SELECT 'bb')"), database
    )
    assert rows == [("A!", "bb")]
    rows = asyncio.run(arun(steps.fetch("SELECT shout('b')"), database))
    assert rows == [("B!",)]


def test_foreign_keys_and_journal_mode(configured):
    database = configured("sqlite")
    assert database.execute("PRAGMA foreign_keys") == [(1,)]
    assert database.execute("PRAGMA journal_mode") == [("wal",)]


def test_memory_database_is_shared_by_threads_and_loops(configured, make_insert, make_numbers):
    database = configured("memory")
    run(make_insert(database, 1), database)
    asyncio.run(arun(make_insert(database, 2), database))

    async def read():
        inside = await arun(make_numbers(), database)
        return inside, await asyncio.to_thread(run, make_numbers(), database)

    assert asyncio.run(read()) == ([1, 2], [1, 2])


def test_memory_database_survives_close(configured, make_insert, make_numbers):
    database = configured("memory")
    run(make_insert(database, 1), database)
    database.close()
    assert run(make_numbers(), database) == [1]


def test_import_loads_no_driver_and_no_asyncio():
    code = (
        "import sys, aorm.connections;"
        "print({'asyncio', 'sqlite3', 'aiosqlite', 'psycopg', 'asyncpg'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_missing_driver_names_the_pip_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "aorm.connections.drivers.psycopg", raising=False)
    database = Database("default", "postgresql:///x")
    with pytest.raises(ImproperlyConfigured, match=r'pip install "aorm\[postgres\]"'):
        database.execute("SELECT 1")


def test_unreachable_server_is_an_operational_error():
    database = Database("default", "postgresql://127.0.0.1:1/x")
    with pytest.raises(OperationalError):
        database.execute("SELECT 1")
    with pytest.raises(OperationalError):
        asyncio.run(database.aexecute("SELECT 1"))
    assert database.sync_pool.state.size == 0


def test_sqlstates():
    assert by_state("23505") is IntegrityError
    assert by_state("22003") is DataError
    assert by_state("40001") is OperationalError


def test_unknown_alias_names_the_known_ones(configured):
    configured("memory")
    with pytest.raises(ImproperlyConfigured, match=r"'nope'.*default"):
        connections["nope"]
