"""SQL of the user's own, streams, and captured statements."""

from __future__ import annotations

import asyncio
import datetime
import decimal

import pytest

from aorm import steps
from aorm.connections import Database, arun, astream, atomic, capture_queries, run, stream
from aorm.connections.raw import native
from aorm.errors import IntegrityError, InterfaceError, ProgrammingError


def test_cursor(database):
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO item VALUES (%s, %s)", [1, "50%"])
        assert cursor.rowcount == 1
        cursor.executemany("INSERT INTO item VALUES (%s, %s)", [(2, "b"), (3, "c")])
        assert cursor.rowcount == 2
        cursor.execute("SELECT id, name FROM item WHERE name LIKE '%%c' OR id = %s", [1])
        assert [column[0] for column in cursor.description] == ["id", "name"]
        assert cursor.fetchall() == [(1, "50%"), (3, "c")]
        cursor.execute("SELECT id FROM item WHERE name LIKE '%b'")
        assert cursor.fetchone() == (2,)
        assert cursor.fetchone() is None
        cursor.execute("SELECT id FROM item ORDER BY id")
        assert cursor.fetchmany(2) == [(1,), (2,)]
        assert list(cursor) == [(3,)]
        cursor.execute("SELECT id FROM item WHERE id = %(n)s OR id = %(n)s", {"n": 2})
        assert cursor.fetchall() == [(2,)]


def test_cursor_without_a_result(database):
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM item")
        with pytest.raises(InterfaceError):
            cursor.fetchall()


def test_cursor_joins_the_transaction(database, rows):
    with pytest.raises(ZeroDivisionError), atomic(), database.cursor() as cursor:
        cursor.execute("INSERT INTO item VALUES (1, 'a')")
        raise ZeroDivisionError
    assert rows() == []


def test_lastrowid_on_sqlite(configured):
    with configured("sqlite").cursor() as cursor:
        cursor.execute("INSERT INTO item (name) VALUES ('a')")
        assert cursor.lastrowid == 1


def test_cursor_takes_usual_types(database):
    with database.cursor() as cursor:
        values = [decimal.Decimal("1.5"), datetime.date(2024, 1, 2), True, None, b"x"]
        cursor.execute("SELECT " + ", ".join(["%s"] * 5), values)
        assert len(cursor.fetchone()) == 5


async def test_execute(face):
    database = face.database
    call = (database.execute, database.aexecute)
    assert await face.call(*call, "INSERT INTO item VALUES (%s, %s)", (1, "a")) == 1
    found = await face.call(*call, "SELECT id, name FROM item")
    assert [tuple(row) for row in found] == [(1, "a")]
    with pytest.raises(IntegrityError):
        await face.call(*call, "INSERT INTO item VALUES (1, 'a')")


def test_placeholders():
    assert native("sqlite", "a = %s AND b LIKE '%%'", [1]) == ("a = ? AND b LIKE '%'", (1,))
    assert native("postgresql", "%s, %s", [1, 2]) == ("$1, $2", (1, 2))
    assert native("postgresql", "%(b)s, %(a)s", {"a": 1, "b": 2}) == ("$1, $2", [2, 1])
    assert native("sqlite", "a LIKE '%'", None) == ("a LIKE '%'", ())
    assert native("postgresql", "a = $1", [1]) == ("a = $1", (1,))


@pytest.mark.parametrize(
    ("sql", "params"), [("%s %s", [1]), ("%s %d", [1]), ("%(a)s", {"b": 1}), ("%s", {"a": 1})]
)
def test_wrong_placeholders(sql, params):
    with pytest.raises(ProgrammingError):
        native("sqlite", sql, params)


def test_quote_name(configured):
    class Dialect:
        def quote(self, name):
            return f'"{name}"'

    assert configured("memory", dialect=Dialect()).ops.quote_name("a") == '"a"'


# --- streams ---------------------------------------------------------------------------


@pytest.fixture
def filled(database):
    with database.cursor() as cursor:
        cursor.executemany("INSERT INTO item VALUES (%s, %s)", [(n, str(n)) for n in range(10)])
    return database


SQL = "SELECT id FROM item ORDER BY id"


def flat(lists):
    return [[row[0] for row in rows] for rows in lists]


def test_stream(filled):
    assert flat(stream(steps.Fetch(SQL), filled, 4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    with atomic():
        assert flat(stream(steps.Fetch(SQL), filled, 5)) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_astream(filled):
    async def read():
        return [rows async for rows in astream(steps.Fetch(SQL), filled, 4)]

    async def main():
        async with atomic():
            inside = await read()
        return flat(await read()), flat(inside)

    expected = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert asyncio.run(main()) == (expected, expected)


def test_a_stream_left_early_gives_its_connection_back(filled):
    pieces = stream(steps.Fetch(SQL), filled, 3)
    next(pieces)
    pieces.close()
    assert not filled.sync_pool.state.used

    async def main():
        pieces = astream(steps.Fetch(SQL), filled, 3)
        await anext(pieces)
        await pieces.aclose()
        assert not next(iter(filled.async_pools.values())).state.used

    asyncio.run(main())


@pytest.mark.parametrize("inside", [False, True])
def test_statements_between_the_pieces_of_a_stream(filled, make_insert, rows, inside):
    def read_and_write():
        pieces = stream(steps.Fetch(SQL), filled, 5)
        assert flat([next(pieces)]) == [[0, 1, 2, 3, 4]]
        run(make_insert(filled, -1), filled)
        assert flat(pieces) == [[5, 6, 7, 8, 9]]

    if inside:
        with atomic():
            read_and_write()
    else:
        read_and_write()
    assert rows() == [-1, *range(10)]


def test_stream_errors_are_ours(database):
    for _ in range(2):
        with pytest.raises(Exception, match="nowhere") as caught:
            list(stream(steps.Fetch("SELECT * FROM nowhere"), database, 5))
        assert type(caught.value).__module__ == "aorm.errors"
    assert not database.sync_pool.state.used


# --- capture ---------------------------------------------------------------------------


async def test_capture_sees_statements_with_their_values(face):
    capture = capture_queries()
    queries = await face.plainly(capture.__enter__)
    await face.insert(1, "a")
    async with face.atomic():
        with pytest.raises(ZeroDivisionError):
            async with face.atomic():
                raise ZeroDivisionError
        async with face.atomic():
            await face.numbers()
    await face.plainly(capture.__exit__, None, None, None)
    await face.insert(2)
    words = [" ".join(query.sql.split()[:2]).replace(" IMMEDIATE", "") for query in queries]
    assert words == [
        "INSERT INTO",
        "BEGIN",
        "SAVEPOINT aorm_1",
        "ROLLBACK TO",
        "RELEASE SAVEPOINT",
        "SAVEPOINT aorm_2",
        "SELECT id",
        "RELEASE SAVEPOINT",
        "COMMIT",
    ]
    assert tuple(queries[0].params) == (1, "a")
    assert all(query.seconds > 0 for query in queries)


def test_capture_is_of_one_alias_and_one_context(configured, make_numbers):
    database = configured("memory")
    other = Database("other", "sqlite://:memory:")
    with capture_queries() as queries, capture_queries(using=None) as everything:
        run(make_numbers(), database)
        other.execute("SELECT 1")
    assert (len(queries), len(everything)) == (1, 2)

    async def main():
        task = asyncio.create_task(arun(make_numbers(), database))
        with capture_queries() as queries:
            await task  # was started before
        return queries

    assert asyncio.run(main()) == []
    other.close()


async def test_operations_that_fail_are_captured(face):
    await face.insert(1)
    capture = capture_queries()
    queries = await face.plainly(capture.__enter__)
    with pytest.raises(IntegrityError):
        await face.insert(1)
    await face.plainly(capture.__exit__, None, None, None)
    assert len(queries) == 1


async def test_outside_of_a_transaction_no_foreign_key_waits(ask, database):
    assert await ask(database.disable_constraint_checking) is False
    await ask(database.enable_constraint_checking)
    await ask(database.check_constraints)
