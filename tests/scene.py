"""The shop with some rows on one driver, and what must hold there after an interruption."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import server
from cancellation import PATIENCE, PostgresWitness, Run, SqliteWitness, Witness, sweep
from shop.models import Author, Book, Tag

import aorm

LATER = ("by a timeout", "by its task group")  # they cancel some turns of the loop later
POOL_SIZE = 2

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
        self._others = max(0, witness.connections() - self._size())

    def _size(self) -> int:
        """The connections of all pools."""
        pools = [*self.database.async_pools.values(), self.database.sync_pool]
        return sum(pool.state.size for pool in pools if pool is not None)

    async def quiet(self) -> None:
        """Wait until nothing of what was interrupted goes on.

        A server that has yet to read a statement looks idle: so connections that the pool has
        dropped must be gone.
        """
        await self.witness.quiet()
        end = time.monotonic() + PATIENCE
        while self.witness.connections() > self._others + self._size():
            assert time.monotonic() < end, "a connection that was dropped is still there"
            await asyncio.sleep(0)
        await self.witness.quiet()

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
        """Leave the tables empty."""
        self.witness.script(
            *(f"DROP TABLE kept_{table}" for table in TABLES),
            *(f"DELETE FROM {table}" for table in reversed(TABLES)),
        )
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
            run.forget_frames()
            await self.quiet()
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


def scene_of(driver: str, request: pytest.FixtureRequest, path: Path, **options: Any) -> Scene:
    options = {"pool_size": POOL_SIZE, "pool_timeout": 5} | options
    if driver == "aiosqlite":
        file = path / "shop.db"
        shutil.copyfile(request.getfixturevalue("shop_on_sqlite"), file)
        aorm.configure(f"sqlite:///{file}", **options)
    else:
        name = request.getfixturevalue("shop_on_postgresql").address.name
        url = server.with_database(request.getfixturevalue("postgres_server"), name)
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


def named(functions: list[Any]) -> dict[str, Any]:
    """Arguments of `parametrize`: functions under their names."""
    return {"argvalues": functions, "ids": [function.__name__ for function in functions]}


def run(main: Coroutine[Any, Any, Any], loop: str = "asyncio") -> None:
    """Run a test on a loop of its own, and close the databases at the end."""

    async def then_close() -> None:
        try:
            await main
        finally:
            await aorm.aclose()

    factory = None if loop == "asyncio" else pytest.importorskip(loop).new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(then_close())
