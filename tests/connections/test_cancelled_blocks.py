"""Blocks whose inner ones are cancelled, cancelled COMMITs, endless statements, and storms."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from functools import partial
from random import Random

import pytest
from cancellation import PATIENCE, WAYS, Run, interrupted, interrupted_when
from scene import LATER, POOL_SIZE, named, run
from shop.models import Author, Book, Tag

import aorm
from aorm import transaction
from aorm.connections.drivers import aiosqlite
from aorm.errors import IntegrityError
from aorm.models import F
from aorm.testing import rolled_back

MORE = 1 + int(float(os.environ.get("AORM_TEST_SECONDS", "0")))
STORM = {"aiosqlite": 1000 * MORE, "asyncpg": 250 * MORE, "psycopg": 250 * MORE}  # interruptions


# --- blocks that go on ------------------------------------------------------------------------


async def inner_block():
    async with aorm.atomic():
        await Author.objects.acreate(name="Inner")
        await Author.objects.filter(name="Inner").aupdate(age=1)


async def inner_stream():
    async with aorm.atomic():
        await Author.objects.acreate(name="Inner", age=1)
        async for _ in Author.objects.order_by("pk").aiterator(chunk_size=1):
            pass


async def inner_blocks():
    async with aorm.atomic():
        await Author.objects.acreate(name="Inner", age=0)
        async with aorm.atomic():
            await Author.objects.filter(name="Inner").aupdate(age=1)


@pytest.mark.parametrize("way", ["early", "late", "twice", "by a timeout"])
@pytest.mark.parametrize("work", **named([inner_block, inner_stream, inner_blocks]))
def test_an_interrupted_nested_block_is_undone_and_the_outer_goes_on(scene, work, way):
    names = [name for name, *_ in scene.before[0]]

    async def outer(number: int) -> Run:
        async with aorm.atomic():
            await Author.objects.acreate(name="Before")
            run = await interrupted(work, way, number)
            await Author.objects.acreate(name="Behind")
            return run

    async def main() -> None:
        for number in range(1, 100):
            run = await outer(number)
            found = {name: age for name, age, *_ in scene.state()[0]}
            inner = {"Inner"} if "Inner" in found else set()
            assert found.keys() == {*names, "Before", "Behind", *inner}
            assert found.get("Inner", 1) == 1
            scene.pool_is_whole()
            await scene.witness.quiet()
            scene.reset()
            if not run.interrupted:
                assert inner
                return

    run(main())


LONG = {
    "sqlite": "INSERT INTO shop_tag (name) WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL"
    " SELECT i + 1 FROM n WHERE i < 300000) SELECT 'x' || max(i) FROM n",
    "postgresql": "INSERT INTO shop_tag (name) SELECT 'x' FROM pg_sleep(600)",
}


async def long_write():
    database = aorm.connections["default"]
    async with aorm.atomic():
        await Author.objects.acreate(name="Undone")
        await database.aexecute(LONG[database.vendor])


async def long_write_after_a_savepoint():
    database = aorm.connections["default"]
    name = await transaction.asavepoint()
    await Author.objects.acreate(name="Undone")
    try:
        await database.aexecute(LONG[database.vendor])
    finally:
        await transaction.asavepoint_rollback(name)


@pytest.mark.parametrize("way", ["early", "by a timeout"])
@pytest.mark.parametrize("work", **named([long_write, long_write_after_a_savepoint]))
def test_a_long_write_in_a_nested_block_is_interrupted_and_the_outer_goes_on(
    scene, work, way, monkeypatch
):
    # however slow the machine is: what is tested is that SQLite is not interrupted
    monkeypatch.setattr(aiosqlite, "PATIENCE", 600)
    names = {name for name, *_ in scene.before[0]}

    def is_running() -> bool:
        block = scene.database.block()
        return block.transaction.connection.last_sql() == LONG[scene.database.vendor]

    async def main() -> None:
        titles = []
        async with aorm.atomic():
            await Author.objects.acreate(name="Before")
            async for book in Book.objects.order_by("pk").aiterator(chunk_size=1):
                if not titles:
                    run = await interrupted_when(is_running, work, way)
                    assert run.error is not None
                titles.append(book.title)
            await Author.objects.acreate(name="Behind")
        assert titles == [
            title async for title in Book.objects.order_by("pk").values_list("title", flat=True)
        ]
        assert {name for name, *_ in scene.state()[0]} == {*names, "Before", "Behind"}
        assert scene.state()[1:] == scene.before[1:]
        scene.pool_is_whole()
        await scene.witness.quiet()

    run(main())


async def plain_write(name):
    await Author.objects.acreate(name=name)


async def write_in_a_block(name):
    await Author.objects.aupdate_or_create(name=name, defaults={"age": 1})


@pytest.mark.parametrize("way", ["early", "late", "twice", "again and again", "by a timeout"])
@pytest.mark.parametrize("work", **named([plain_write, write_in_a_block]))
def test_interrupted_in_a_test_that_is_rolled_back_what_it_did_before_stays(scene, work, way):
    async def main() -> None:
        kept = {name for name, *_ in scene.before[0]}
        async with rolled_back():
            for number in range(1, 100):
                name = f"n{number}"
                run = await interrupted(partial(work, name), way, number)
                names = {author.name async for author in Author.objects.all()}
                if run.error is None:
                    assert name in names
                assert names - {name} == kept
                kept = names
                if not run.interrupted:
                    break
            else:
                raise AssertionError("it never ended by itself")
        assert scene.state() == scene.before
        scene.pool_is_whole()
        await scene.witness.quiet()

    run(main())


# --- COMMIT -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_interrupted_while_it_commits_it_is_committed_and_called_back(scene, way):
    done, called = [], []

    async def work() -> None:
        async with aorm.atomic():
            await Author.objects.acreate(name="New")
            transaction.on_commit(call)
            transaction.on_commit(call)
            done.append(True)

    async def call() -> None:
        called.append(True)

    async def main() -> None:
        interruptions = 0
        for number in range(1, 100):
            done.clear()
            called.clear()
            await scene.warm()
            run = await interrupted(work, way, number)
            assert (scene.state() != scene.before) == bool(done)
            assert called == done * 2
            interruptions += bool(done) and run.error is not None
            scene.pool_is_whole()
            scene.reset()
            if not run.interrupted:
                break
        assert interruptions or way in LATER

    run(main())


@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"by its task group"}))
def test_interrupted_while_a_commit_fails_the_cause_is_told(scene, way):
    done = []

    async def work() -> None:
        async with aorm.atomic():
            await Book.objects.acreate(title="Nobody's", author_id=-99)
            done.append(True)

    async def main() -> None:
        for number in range(1, 100):
            done.clear()
            await scene.warm()
            try:
                run = await interrupted(work, way, number)
            except IntegrityError:
                assert done
                return
            assert run.error is not None
            cause = run.error.__cause__
            if way == "by a timeout":
                cause = cause.__cause__
            assert isinstance(cause, IntegrityError) == bool(done)
            assert scene.state() == scene.before
            scene.pool_is_whole()

    run(main())


# --- what runs on the server ----------------------------------------------------------------

ENDLESS = {
    "sqlite": "INSERT INTO shop_tag (name) WITH RECURSIVE n(i) AS"
    " (VALUES(1) UNION ALL SELECT i FROM n) SELECT 'x' || max(i) FROM n",
    "postgresql": "INSERT INTO shop_tag (name) SELECT 'x' FROM pg_sleep(600)",
}


async def endless():
    database = aorm.connections["default"]
    await database.aexecute(ENDLESS[database.vendor])


async def endless_in_a_block():
    async with aorm.atomic():
        await Author.objects.acreate(name="Undone")
        await endless()


async def endless_in_a_nested_block():
    async with aorm.atomic():
        await Author.objects.acreate(name="Undone")
        async with aorm.atomic():
            await endless()


async def endless_in_a_task():
    async with aorm.atomic(), asyncio.TaskGroup() as group:
        group.create_task(endless())
        group.create_task(Author.objects.acreate(name="Undone"))


@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"late"}))
@pytest.mark.parametrize(
    "work", **named([endless, endless_in_a_block, endless_in_a_nested_block, endless_in_a_task])
)
def test_an_interrupted_statement_stops_on_the_server(scene, work, way, monkeypatch):
    monkeypatch.setattr(aiosqlite, "PATIENCE", 0.01)
    sign = "locked" if scene.driver == "aiosqlite" else "pg_sleep"

    async def main() -> None:
        await scene.warm()
        run = await interrupted_when(lambda: sign in scene.witness.disturbance(), work, way)
        scene.pool_is_whole()
        assert run.error is not None
        await scene.witness.quiet()
        assert scene.state() == scene.before
        await scene.all_can_be_taken()

    run(main())


@pytest.mark.parametrize("work", **named([endless, endless_in_a_block]))
def test_an_interruption_just_before_a_statement_begins_is_not_lost(scene, work):
    if scene.driver != "aiosqlite":
        pytest.skip("a server takes the cancellation of a statement that it has got")
    prepared, gone_on = threading.Event(), threading.Event()

    def authorize(action: int, *_: object) -> int:
        if action == sqlite3.SQLITE_RECURSIVE:
            prepared.set()
            gone_on.wait()
        return sqlite3.SQLITE_OK

    async def main() -> None:
        await scene.warm()
        (pool,) = scene.database.async_pools.values()
        (connection,) = pool.state.idle
        connection.inner.raw_connection.set_authorizer(authorize)
        task = asyncio.create_task(work())
        while not prepared.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        while not connection.inner.interrupted:  # noqa: ASYNC110
            await asyncio.sleep(0)
        gone_on.set()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.cancelled()
        scene.pool_is_whole()
        await scene.witness.quiet()
        assert scene.state() == scene.before

    run(main())


# --- all at once ------------------------------------------------------------------------------


async def pay(token: str) -> None:
    """One from Ann to Bob, and a row that tells so."""
    async with aorm.atomic():
        await Author.objects.filter(name="Ann").aupdate(age=F("age") - 1)
        await Tag.objects.acreate(name=token)
        await Author.objects.filter(name="Bob").aupdate(age=F("age") + 1)


async def pay_in_nested_blocks(token: str) -> None:
    async with aorm.atomic():
        await Author.objects.filter(name="Ann").aupdate(age=F("age") - 1)
        async with aorm.atomic():
            await Tag.objects.acreate(name=token)
        async with aorm.atomic():
            await Author.objects.filter(name="Bob").aupdate(age=F("age") + 1)


async def look(token: str) -> None:
    async for author in Author.objects.order_by("pk").aiterator(chunk_size=1):
        assert author.name
    assert await Tag.objects.filter(name=token).acount() == 0


@pytest.mark.parametrize("seed", range(2))
def test_a_storm_of_interruptions_under_contention_leaks_nothing(scene, seed):
    random = Random(seed)
    paid, interruptions, numbers = set(), 0, iter(range(100_000))

    async def worker() -> None:
        nonlocal interruptions
        while interruptions < STORM[scene.driver]:
            token = f"token{next(numbers)}"
            kind = random.choice([pay, pay, pay_in_nested_blocks, look])
            way, number = random.choice(list(WAYS)), random.randint(1, 15)
            done = await interrupted(lambda: kind(token), way, number)  # noqa: B023
            interruptions += done.error is not None
            if done.error is None and kind is not look:
                paid.add(token)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(8 * POOL_SIZE):
                group.create_task(worker())
        scene.pool_is_whole()
        await scene.witness.quiet()
        ages = {name: age for name, age, *_ in scene.state()[0]}
        tokens = {name for (name,) in scene.state()[1] if name.startswith("token")}
        assert paid <= tokens
        assert ages["Bob"] - 30 == 30 - ages["Ann"] == len(tokens)
        await scene.all_can_be_taken()

    run(main())
