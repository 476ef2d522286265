"""Reads on a streaming replica of PostgreSQL: which it may answer, and when the primary does.

The replica lags behind for as long as a test wants: its replay is paused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

import psycopg
import pytest
import shop.models
from shop.models import Author, Book
from support import Ask

import aorm
from aorm.connections import aread, connections, read
from aorm.errors import (
    DataError,
    ImproperlyConfigured,
    QueryValueError,
    ValidationError,
)
from aorm.steps import Operation, call, execute, fetch

REPLAYED = "pg_last_wal_replay_lsn"
WHERE = "SELECT pg_is_in_recovery()"


@pytest.fixture
def ask(lag: Any, face: str) -> Iterator[Ask]:
    asking = Ask(face)
    yield asking
    asking.close()


@asynccontextmanager
async def inside(ask: Ask, block: Any) -> AsyncIterator[None]:
    """A block as this face opens it."""
    if ask.face == "async":
        async with block:
            yield
        return
    await ask.in_thread(block.__enter__)
    try:
        yield
    finally:
        await ask.in_thread(block.__exit__, None, None, None)


@contextmanager
def asked(ask: Ask) -> Iterator[dict[str, list[Any]]]:
    """The statements that this face sends, by alias."""
    captures = {alias: aorm.capture_queries(alias) for alias in ("default", "replica")}
    run: Any = ask._context.run if ask.face == "sync" else (lambda call, *args: call(*args))
    yield {alias: run(capture.__enter__) for alias, capture in captures.items()}
    for capture in captures.values():
        run(capture.__exit__, None, None, None)


async def operate(ask: Ask, operation: Operation[Any]) -> Any:
    """Run an operation that says of itself that it reads."""
    database = connections["default"]
    if ask.face == "async":
        return await aread(operation, database)
    return await ask.in_thread(read, operation, database)


async def is_answered_by_replica(ask: Ask) -> bool:
    rows = await operate(ask, fetch(WHERE))
    return bool(rows[0][0])


# --- which of them answers -------------------------------------------------------------


async def test_a_read_goes_to_the_replica(ask):
    with asked(ask) as statements:
        assert await ask(Author.objects.count) == 0
        assert await ask(list, Author.objects.all()) == []
    assert len(statements["replica"]) == 2
    assert statements["default"] == []


async def test_a_write_is_read_though_the_replica_lags(ask, lag):
    lag.pause()
    await ask(Author.objects.create, name="Ada")
    for _ in range(3):
        assert [author.name for author in await ask(list, Author.objects.all())] == ["Ada"]
    assert lag.on_replica("SELECT count(*) FROM shop_author") == [(0,)]


async def test_a_committed_block_is_read_though_the_replica_lags(ask, lag):
    lag.pause()
    async with ask.atomic():
        author = await ask(Author.objects.create, name="Ada")
        author.name = "Eve"
        await ask(author.save)
    assert await ask(Author.objects.filter(name="Eve").exists)


async def test_sql_by_hand_is_a_write(ask, lag):
    lag.pause()
    await ask(connections["default"].execute, "INSERT INTO shop_tag (name) VALUES ('a')")
    assert await ask(shop.models.Tag.objects.count) == 1


async def test_the_first_read_after_a_write_asks_the_primary_for_the_position(ask):
    await ask(Author.objects.create, name="Ada")
    with asked(ask) as statements:
        await ask(Author.objects.count)
    assert statements["replica"] == []
    position, count = statements["default"]
    assert "pg_current_wal_insert_lsn" in position.sql
    assert "COUNT" in count.sql


async def test_a_replica_that_lags_is_asked_what_it_has(ask, lag):
    lag.pause()
    await ask(Author.objects.create, name="Ada")
    await ask(Author.objects.count)
    with asked(ask) as statements:
        await ask(Author.objects.count)
    assert [REPLAYED in each.sql for each in statements["replica"]] == [True]
    assert len(statements["default"]) == 1


async def test_what_a_replica_has_reached_is_remembered(ask, lag):
    await ask(Author.objects.create, name="Ada")
    await ask(Author.objects.count)
    lag.catch_up()
    with asked(ask) as statements:
        for _ in range(3):
            assert await ask(Author.objects.count) == 1
    assert statements["default"] == []
    assert [REPLAYED in each.sql for each in statements["replica"]] == [True, False, False, False]


async def test_a_transaction_stays_on_the_primary(ask):
    async with ask.atomic():
        with asked(ask) as statements:
            await ask(Author.objects.count)
            await ask(list, Author.objects.select_for_update())
    assert statements["replica"] == []
    assert len(statements["default"]) == 2


async def test_a_block_that_was_rolled_back_or_read_only_has_written_nothing(ask):
    with pytest.raises(LookupError):
        async with ask.atomic():
            await ask(Author.objects.create, name="Ada")
            raise LookupError
    async with ask.atomic(read_only=True):
        await ask(Author.objects.count)
    assert await is_answered_by_replica(ask)


async def test_the_position_is_not_asked_for_by_who_writes(ask):
    with asked(ask) as statements:
        await ask(Author.objects.create, name="Ada")
        await ask(Author.objects.update, age=1)
    assert len(statements["default"]) == 2


async def test_a_transaction_on_the_replica_is_not_joined(ask):
    async with ask.atomic(using="replica"):
        assert not await is_answered_by_replica(ask)
    assert await is_answered_by_replica(ask)


async def test_a_block_on_the_primary(ask):
    async with inside(ask, aorm.on_primary()):
        assert not await is_answered_by_replica(ask)
        async with inside(ask, aorm.after_position()):
            assert not await is_answered_by_replica(ask)
    assert await is_answered_by_replica(ask)


async def test_checks_and_refreshing_ask_the_primary(ask, lag):
    lag.pause()
    with psycopg.connect(lag.primary) as other:
        other.execute("INSERT INTO shop_author (id, name, email) VALUES (1, 'Ada', '')")
    assert not await ask(Author.objects.exists)
    await ask(Author(pk=1).refresh_from_db)
    with pytest.raises(ValidationError):
        await ask(Author(name="Ada").validate_unique)


async def test_objects_of_a_replica_are_of_the_database(ask, lag):
    await ask(Book.objects.create, title="Sagas", author=await ask(Author.objects.create, name="A"))
    await ask(Author.objects.count)
    lag.catch_up()
    with asked(ask) as statements:
        book = await ask(Book.objects.select_related("author").get)
        (author,) = await ask(list, Author.objects.prefetch_related("books"))
        assert list(author.books.all()) == [book]
        assert await ask(book.author.books.count) == 1
    assert statements["default"] == []
    assert book._state.db == author._state.db == "default"
    book.title = "Eddas"
    await ask(book.save)
    await ask(book.delete)


async def test_a_stream_comes_from_the_replica(ask, lag):
    await ask(Author.objects.bulk_create, [Author(name=f"{n}") for n in range(5)])
    await ask(Author.objects.count)
    lag.catch_up()
    with asked(ask) as statements:
        if ask.face == "async":
            names = [each.name async for each in Author.objects.aiterator(2)]
        else:
            names = [each.name for each in await ask(list, Author.objects.iterator(2))]
    assert names == ["0", "1", "2", "3", "4"]
    assert statements["default"] == []


async def test_an_object_that_was_read_from_a_replica_by_name_is_written_to_the_primary(ask, lag):
    await ask(Author.objects.create, name="Ada")
    lag.catch_up()
    author = await ask(Author.objects.using("replica").get)
    assert author._state.db == "replica"
    author.name = "Eve"
    await ask(author.save)
    book = Book(title="Sagas", author=await ask(Author.objects.get))
    book.author = author  # of one database, under two names
    await ask(book.save)
    assert await ask(author.books.create, title="Eddas", pages=1)
    assert await ask(author.delete) == (3, {"shop.Book": 2, "shop.Author": 1})


# --- whose writes ------------------------------------------------------------------------


async def test_writes_of_other_tasks_and_threads_count(ask, lag):
    lag.pause()
    await asyncio.gather(Author.objects.acreate(name="a"), Author.objects.acreate(name="b"))
    await asyncio.to_thread(Author.objects.create, name="c")
    assert await ask(Author.objects.count) == 3


@pytest.mark.parametrize("in_block", [False, True])
async def test_many_tasks_and_threads_read_what_they_wrote(lag, in_block):
    """With a replica that is always a little behind."""

    async def in_task(number: int) -> None:
        async with aorm.after_position() if in_block else nullcontext():
            for turn in range(20):
                name = f"task {number} {turn}"
                await Author.objects.acreate(name=name)
                for _ in range(3):
                    assert await Author.objects.filter(name=name).aexists()

    def in_thread(number: int) -> None:
        with aorm.after_position() if in_block else nullcontext():
            for turn in range(20):
                name = f"thread {number} {turn}"
                with aorm.atomic():
                    Author.objects.create(name=name)
                for _ in range(3):
                    assert Author.objects.filter(name=name).exists()

    threads = [asyncio.to_thread(in_thread, number) for number in range(4)]
    with aorm.capture_queries("replica") as answered:
        await asyncio.gather(*map(in_task, range(4)), *threads)
    assert answered


async def test_in_a_block_only_its_own_writes_count(ask, lag):
    lag.pause()
    await Author.objects.acreate(name="of another")
    async with inside(ask, aorm.after_position()):
        assert await ask(Author.objects.count) == 0
        await ask(Author.objects.create, name="own")
        assert await ask(Author.objects.count) == 2


@pytest.mark.parametrize("way", ["task", "thread"])
async def test_what_is_started_in_a_block_writes_for_it(ask, lag, way):
    lag.pause()
    async with aorm.after_position():
        if way == "task":
            await asyncio.create_task(Author.objects.acreate(name="Ada"))
        else:
            await aorm.sync_to_async(Author.objects.create)(name="Ada")
        assert await Author.objects.acount() == 1
    async with aorm.after_position():
        assert await Author.objects.acount() == 0


async def test_what_a_block_writes_counts_around_it(ask, lag):
    lag.pause()
    async with inside(ask, aorm.after_position()):
        async with inside(ask, aorm.after_position()):
            await ask(Author.objects.create, name="Ada")
        assert await ask(Author.objects.count) == 1
    assert await ask(Author.objects.count) == 1


async def test_a_transaction_writes_for_the_block_where_it_began(ask, lag):
    lag.pause()
    block = aorm.after_position()
    async with inside(ask, block):
        async with ask.atomic(), inside(ask, aorm.after_position()):
            await ask(Author.objects.create, name="Ada")
        assert await ask(Author.objects.count) == 1


async def test_a_position_is_carried_to_another_process(ask, lag):
    lag.pause()
    async with inside(ask, aorm.after_position()):
        assert await ask(aorm.write_position) == ""
        await ask(Author.objects.create, name="Ada")
        token = await ask(aorm.write_position)
    assert token.startswith("default=")
    async with inside(ask, aorm.after_position(token)):
        assert await ask(Author.objects.count) == 1
        assert await ask(aorm.write_position) == token
    lag.catch_up()
    async with inside(ask, aorm.after_position(token)):
        assert await is_answered_by_replica(ask)
        assert await ask(Author.objects.count) == 1


async def test_a_position_of_a_block_stays_when_it_writes(ask, lag):
    """What a primary says after a failover may be less than the token."""
    async with inside(ask, aorm.after_position("default=7FFFFFFFFFFFFFFF")):
        await ask(Author.objects.create, name="Ada")
        assert await ask(aorm.write_position) == "default=7FFFFFFFFFFFFFFF"
        lag.catch_up()
        assert not await is_answered_by_replica(ask)


@pytest.mark.parametrize(
    "token", ["x", "default=", "default=xyz", "default=-1", "a=1&b", "=" * 999]
)
def test_a_false_token_is_an_error(token):
    with pytest.raises(QueryValueError, match="write_position"):
        aorm.after_position(token)


async def test_a_token_of_a_database_that_is_not_there_says_nothing(ask):
    async with inside(ask, aorm.after_position("gone=1F")):
        assert await is_answered_by_replica(ask)


# --- when it does not answer ---------------------------------------------------------------


@pytest.mark.parametrize("options", [{"replica_retry": 3600}])
async def test_a_replica_that_is_down_is_left_alone_for_a_while(ask, lag):
    await ask(Author.objects.count)
    lag.replica.stop()
    try:
        assert await ask(Author.objects.count) == 0
    finally:
        lag.replica.start()
    assert not await is_answered_by_replica(ask)


@pytest.mark.parametrize("options", [{"replica_retry": 0}])
async def test_a_replica_that_was_down_is_tried_again(ask, lag):
    lag.replica.stop()
    try:
        for _ in range(2):
            assert await ask(Author.objects.count) == 0
    finally:
        lag.replica.start()
    assert await is_answered_by_replica(ask)


@pytest.mark.parametrize("options", [{"replica_retry": 0}])
async def test_what_a_restarted_replica_has_is_asked_anew(ask, lag):
    await ask(Author.objects.create, name="Ada")
    await ask(Author.objects.count)
    lag.catch_up()
    assert await is_answered_by_replica(ask)
    lag.replica.stop()
    lag.replica.start()
    await ask(Author.objects.count)
    lag.catch_up()
    with asked(ask) as statements:
        assert await ask(Author.objects.count) == 1
    assert REPLAYED in statements["replica"][0].sql


async def test_an_operation_goes_on_at_the_primary_when_the_replica_is_lost(ask, lag):
    def operation() -> Operation[Any]:
        first = yield from fetch(WHERE)
        yield from call(lag.end_connections)
        return (*first, *(yield from fetch(WHERE)), *(yield from fetch(WHERE)))

    assert [tuple(row) for row in await operate(ask, operation())] == [(True,), (False,), (False,)]


async def test_an_operation_that_writes_after_all_goes_on_at_the_primary(ask):
    def operation() -> Operation[Any]:
        first = yield from fetch(WHERE)
        yield from fetch("INSERT INTO shop_tag (name) VALUES ('a') RETURNING id")
        count = yield from execute("DELETE FROM shop_tag")
        return first[0][0], count

    assert await operate(ask, operation()) == (True, 1)


async def test_an_operation_that_begins_with_a_change_runs_on_the_primary(ask):
    assert await operate(ask, execute("DELETE FROM shop_tag")) == 0


async def test_a_stream_of_a_replica_that_is_down_comes_from_the_primary(ask, lag):
    await ask(Author.objects.count)
    lag.end_connections()
    if ask.face == "async":
        assert [each async for each in Author.objects.aiterator()] == []
    else:
        assert await ask(list, Author.objects.iterator()) == []


async def test_an_error_of_the_query_is_raised_and_not_asked_again(ask):
    with asked(ask) as statements, pytest.raises(DataError):
        await operate(ask, fetch("SELECT 1 / 0"))
    assert len(statements["replica"]) == 1
    assert statements["default"] == []


async def test_an_operation_handles_its_own_failures_on_a_replica(ask):
    def operation() -> Operation[Any]:
        try:
            yield from fetch("SELECT 1 / 0")
        except DataError:
            return (yield from fetch(WHERE))

    assert await operate(ask, operation()) == [(True,)]


async def test_an_empty_query_asks_nobody(ask):
    with asked(ask) as statements:
        assert await ask(list, Author.objects.none()) == []
    assert statements == {"default": [], "replica": []}


async def test_a_cancelled_read_gives_its_connection_back(lag):
    started = asyncio.Event()

    async def wait() -> None:
        started.set()
        await aread(fetch("SELECT pg_sleep(60)"), connections["default"])

    task = asyncio.create_task(wait())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert connections["replica"].stats().used == 0


# --- configuration ---------------------------------------------------------------------------


PG = "postgresql://user@localhost/name"


@pytest.fixture
def configured() -> Iterator[None]:
    """A test configures what is nowhere."""
    before = dict(connections)
    yield
    connections.configure(before)


@pytest.mark.parametrize(
    ("replicas", "message"),
    [
        ({"default": ["gone"]}, "'gone'"),
        ({"gone": ["a"]}, "'gone'"),
        ({"default": ["default"]}, "primary"),
        ({"default": ["a"], "b": "a"}, "already"),
        ({"default": ["a"], "a": "b"}, "primary"),
        ({"a": ["default"]}, "primary"),
        ({"default": "file"}, "only PostgreSQL"),
    ],
)
@pytest.mark.usefixtures("configured")
def test_replicas_that_make_no_sense_are_refused(replicas, message):
    urls = {"default": PG, "a": PG, "b": PG, "file": "sqlite://:memory:"}
    with pytest.raises(ImproperlyConfigured, match=message):
        aorm.configure(urls, replicas=replicas)


@pytest.mark.usefixtures("configured")
def test_replicas_take_turns():
    urls = {"default": PG, "a": PG, "b": PG}
    aorm.configure(urls, replicas={"default": ["a", "b"]})
    replicas = connections["default"].replicas
    firsts = [next(replicas.in_turn()).database.alias for _ in range(4)]
    assert firsts == ["a", "b", "a", "b"]
