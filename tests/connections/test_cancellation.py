"""Cancelled at every suspension: all is done or nothing, and nothing is left behind."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any

import pytest
import uvloop
from cancellation import (
    WAYS,
    PostgresWitness,
    Run,
    SqliteWitness,
    Witness,
    interrupted,
    interrupted_when,
    sweep,
)
from shop.models import Author, Book, Tag

import aorm
from aorm import transaction
from aorm.errors import IntegrityError
from aorm.models import F, Sum

DRIVERS = ["aiosqlite", "asyncpg", "psycopg"]
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
LATER = ("by a timeout", "by its task group")  # they cancel some turns of the loop later
POOL_SIZE = 2
BOOKS = [-1, -2, -3, -4, -5, -6]

# table and what of it is compared: not keys that the database gives
TABLES = {
    "shop_author": "name, age, email, mentor_id",
    "shop_tag": "name",
    "shop_book": "id, title, author_id, editor_id, pages",
    "shop_cover": "book_id, artist",
    "shop_book_tags": "book_id, tag_id",
    "shop_author_friends": "from_author_id, to_author_id",
    "shop_shelf": "room, place, label",
}
State = list[list[tuple[Any, ...]]]


class Scene:
    """The shop with some rows on one driver, and a witness."""

    def __init__(self, driver: str, witness: Witness) -> None:
        self.driver = driver
        self.witness = witness
        self.database = aorm.connections["default"]
        for table in TABLES:
            witness.script(
                f"DROP TABLE IF EXISTS kept_{table}",
                f"CREATE TABLE kept_{table} AS SELECT * FROM {table}",
            )
        self.before = self.state()

    def state(self) -> State:
        """What is committed."""
        queries = (f"SELECT {columns} FROM {table}" for table, columns in TABLES.items())
        return [sorted(self.witness.rows(query), key=repr) for query in queries]

    def reset(self) -> None:
        """Back to the rows of the beginning."""
        if self.state() != self.before:
            self.witness.script(
                *(f"DELETE FROM {table}" for table in reversed(TABLES)),
                *(f"INSERT INTO {table} SELECT * FROM kept_{table}" for table in TABLES),
            )

    def close(self) -> None:
        self.witness.script(*(f"DROP TABLE kept_{table}" for table in TABLES))
        self.witness.close()

    # --- what must hold after an interruption ---------------------------------------------

    def pool_is_whole(self) -> None:
        """All connections can be taken at once; one that is being made goes to the next."""
        for pool in self.database.async_pools.values():
            assert not pool.state.used
            assert not pool.state.waiting
            assert not pool.state.connecting or self.driver == "aiosqlite"

    async def all_can_be_taken(self) -> None:
        """As many tasks as the pool has connections are in a transaction at the same time."""
        together = asyncio.Barrier(POOL_SIZE)

        async def hold() -> None:
            async with aorm.atomic(read_only=True):
                await Author.objects.acount()
                await together.wait()

        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            for _ in range(POOL_SIZE):
                group.create_task(hold())

    async def sweep(
        self,
        work: Callable[[], Awaitable[Any]],
        way: str,
        *,
        prepare: Callable[[], Awaitable[Any]] | None = None,
        around: Callable[[], Any] = nullcontext,
    ) -> int:
        """Interrupt an operation everywhere; each time all of it has happened, or nothing."""
        await self.warm()
        await work()
        self.pool_is_whole()
        after = self.state()
        self.reset()
        prepare = prepare or self.warm

        async def prepared() -> Any:
            return await work()

        async def check(run: Run) -> None:
            self.pool_is_whole()
            await self.witness.quiet()
            state = self.state()
            if run.error is None:
                assert state == after
                assert not run.interrupted or way in LATER
            else:
                assert state in (self.before, after)
            self.reset()
            await prepare()

        await prepare()
        suspensions = await sweep(prepared, way, check, around)
        await self.all_can_be_taken()
        return suspensions

    @asynccontextmanager
    async def full_pool(self) -> AsyncIterator[None]:
        """All connections are in use, until somebody waits for one."""
        together = asyncio.Barrier(POOL_SIZE + 1)
        release = asyncio.Event()
        (pool,) = self.database.async_pools.values()

        async def hold() -> None:
            async with aorm.atomic(read_only=True):
                await Author.objects.acount()
                await together.wait()
                await release.wait()

        async def release_for_who_waits() -> None:
            while not pool.state.waiting:  # noqa: ASYNC110
                await asyncio.sleep(0)
            release.set()

        async with asyncio.TaskGroup() as group:
            for _ in range(POOL_SIZE):
                group.create_task(hold())
            await together.wait()
            releasing = group.create_task(release_for_who_waits())
            yield
            releasing.cancel()
            release.set()

    async def warm(self) -> None:
        """A connection is there."""
        await Author.objects.acount()

    async def cold(self) -> None:
        """No connection is there."""
        await self.database.aclose()


def scene_of(driver: str, request: pytest.FixtureRequest, path: Any, **options: Any) -> Scene:
    options = {"pool_size": POOL_SIZE, "pool_timeout": 5} | options
    if driver == "aiosqlite":
        file = path / "shop.db"
        shutil.copyfile(request.getfixturevalue("shop_on_sqlite"), file)
        aorm.configure(f"sqlite:///{file}", **options)
    else:
        url = request.getfixturevalue("shop_on_postgresql")
        scheme = "postgresql+psycopg:" if driver == "psycopg" else "postgresql:"
        aorm.configure(url.replace("postgresql:", scheme), **options)
    fill()
    witness = SqliteWitness(str(file)) if driver == "aiosqlite" else PostgresWitness(url)
    return Scene(driver, witness)


def fill() -> None:
    """Rows with negative keys, which the database's own never meet."""
    names = {-1: "Ann", -2: "Bob", -3: "Cid", -4: "Dot"}
    Author.objects.bulk_create(Author(id=n, name=name, age=30) for n, name in names.items())
    Tag.objects.bulk_create(Tag(id=-n, name=f"tag{n}") for n in range(1, 5))
    Book.objects.bulk_create(
        Book(id=-n, title=f"Book {n}", author_id=-(n % 2) - 1, pages=100) for n in range(1, 7)
    )
    for book in Book.objects.all():
        book.tags.set([-1, -2])


@pytest.fixture(params=DRIVERS)
def scene(
    request: pytest.FixtureRequest, tmp_path: Any, emptied: Callable[[], None]
) -> Iterator[Scene]:
    """The shop on each driver."""
    scene = scene_of(request.param, request, tmp_path)
    yield scene
    scene.close()
    aorm.close()


@pytest.fixture
def emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    """PostgreSQL's tables are empty before and after."""
    driver = request.node.callspec.params["scene"]
    url = request.getfixturevalue("shop_on_postgresql") if driver != "aiosqlite" else None
    yield
    if url:
        empty(url)


def empty(url: str) -> None:
    witness = PostgresWitness(url)
    names = ", ".join(f"{table}" for table in TABLES)
    try:
        witness.script(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
    finally:
        witness.close()


# --- operations --------------------------------------------------------------------------


async def get():
    await Book.objects.select_related("author").aget(pk=-3)


async def iterate():
    assert [book.pk async for book in Book.objects.order_by("-pk")] == BOOKS


async def stream():
    books = Book.objects.order_by("-pk").aiterator(chunk_size=2)
    assert [book.pk async for book in books] == BOOKS


async def stream_with_prefetch():
    books = Book.objects.order_by("-pk").prefetch_related("tags").aiterator(chunk_size=2)
    async for book in books:
        assert len(book.tags.all()) == 2


async def prefetch():
    authors = Author.objects.prefetch_related("books__tags")
    assert sum([len(author.books.all()) async for author in authors]) == 6


async def count():
    assert await Book.objects.acount() == 6
    assert await Book.objects.aexists()
    assert (await Book.objects.aaggregate(all=Sum("pages")))["all"] == 600


async def create():
    await Author.objects.acreate(name="New")


async def save():
    author = await Author.objects.aget(pk=-1)
    author.name = "Changed"
    await author.asave()


async def save_with_a_key():
    await Author(pk=77, name="Keyed").asave()


async def bulk_create():
    await Author.objects.abulk_create([Author(name=f"n{n}") for n in range(5)], batch_size=2)


async def bulk_update():
    books = [Book(id=n, title=f"New {n}") for n in BOOKS]
    await Book.objects.abulk_update(books, ["title"], batch_size=2)


async def get_or_create():
    await Author.objects.aget_or_create(name="Eve", defaults={"age": 1})


async def update_or_create():
    await Author.objects.aupdate_or_create(name="Ann", defaults={"age": 1})


async def update_or_create_a_new_one():
    await Author.objects.aupdate_or_create(name="Eve", defaults={"age": 1})


async def update():
    await Book.objects.filter(author__name="Ann").aupdate(pages=F("pages") + 1)


async def delete_with_cascade():
    await Author.objects.filter(name="Ann").adelete()


async def set_many_to_many():
    book = await Book.objects.aget(pk=-3)
    await book.tags.aset([-2, -3, -4])


async def raw_sql():
    await aorm.connections["default"].aexecute("UPDATE shop_author SET age = %s", [7])


OPERATIONS = [
    get,
    iterate,
    stream,
    stream_with_prefetch,
    prefetch,
    count,
    create,
    save,
    save_with_a_key,
    bulk_create,
    bulk_update,
    get_or_create,
    update_or_create,
    update_or_create_a_new_one,
    update,
    delete_with_cascade,
    set_many_to_many,
    raw_sql,
]


# --- blocks --------------------------------------------------------------------------------


async def block():
    async with aorm.atomic():
        await Author.objects.acreate(name="One")
        await Author.objects.acreate(name="Two")


async def nested_blocks():
    async with aorm.atomic():
        await Author.objects.acreate(name="One")
        async with aorm.atomic():
            await Author.objects.acreate(name="Two")
            async with aorm.atomic():
                await Author.objects.acreate(name="Three")
        with suppress(KeyError):
            async with aorm.atomic():
                await Author.objects.acreate(name="Undone")
                raise KeyError
        await Author.objects.acreate(name="Four")


async def block_that_fails():
    with suppress(KeyError):
        async with aorm.atomic():
            await Author.objects.acreate(name="Undone")
            raise KeyError


async def tasks_in_a_block():
    async with aorm.atomic():
        await asyncio.gather(*(Author.objects.acreate(name=f"n{n}") for n in range(3)))


async def savepoints_by_hand():
    async with aorm.atomic():
        await Author.objects.acreate(name="One")
        name = await transaction.asavepoint()
        await Author.objects.acreate(name="Undone")
        await transaction.asavepoint_rollback(name)
        name = await transaction.asavepoint()
        await Author.objects.acreate(name="Two")
        await transaction.asavepoint_commit(name)


async def turns_in_a_block():
    async with aorm.atomic(), asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(Author.objects.acreate(name=f"n{number}"))
        await asyncio.sleep(0)
        await Author.objects.acreate(name="Behind them")


async def sibling_blocks():
    async def sibling(name: str) -> None:
        async with aorm.atomic():
            await Author.objects.acreate(name=name)
            await Author.objects.filter(name=name).aupdate(age=1)

    async with aorm.atomic(), asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(sibling(f"n{number}"))
        await asyncio.sleep(0)
        await sibling("Behind them")


async def stream_in_a_block():
    async with aorm.atomic():
        await Author.objects.acreate(name="One")
        async for author in Author.objects.order_by("pk").aiterator(chunk_size=2):
            await Author.objects.filter(pk=author.pk).aupdate(age=F("age") + 1)


@aorm.atomic
async def decorated():
    await Author.objects.acreate(name="One")
    await Author.objects.filter(name="Ann").aupdate(age=99)


BLOCKS = [
    block,
    nested_blocks,
    block_that_fails,
    tasks_in_a_block,
    savepoints_by_hand,
    turns_in_a_block,
    sibling_blocks,
    stream_in_a_block,
    decorated,
]
SOME = [create, stream, bulk_create, delete_with_cascade, block, nested_blocks, block_that_fails]


def named(functions: list[Any]) -> dict[str, Any]:
    return {"argvalues": functions, "ids": [function.__name__ for function in functions]}


def run(main: Any, loop: str = "asyncio") -> None:
    async def then_close() -> None:
        try:
            await main
        finally:
            await aorm.aclose()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(then_close())


@pytest.mark.parametrize("way", ["early", "late", "twice"])
@pytest.mark.parametrize("work", **named(OPERATIONS + BLOCKS))
def test_interrupted_anywhere_it_is_done_or_not_begun(scene, work, way):
    run(scene.sweep(work, way))


@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"early", "late", "twice"}))
@pytest.mark.parametrize("work", **named(SOME))
def test_interrupted_in_every_way(scene, work, way):
    run(scene.sweep(work, way))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("work", **named([create, block]))
def test_interrupted_while_it_connects(scene, work, way):
    run(scene.sweep(work, way, prepare=scene.cold))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("work", **named([create, block]))
def test_interrupted_on_uvloop(scene, work, way):
    run(scene.sweep(work, way), "uvloop")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("work", **named([create, block]))
def test_interrupted_while_it_waits_for_a_connection(scene, work, way):
    run(scene.sweep(work, way, around=scene.full_pool))


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
def test_an_interrupted_statement_stops_on_the_server(scene, work, way):
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
