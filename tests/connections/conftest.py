"""Databases for tests of the connection layer: each driver, an empty table, no models.

`face.run(operation)` drives an operation on one face; the synchronous one is a thread of its own
with a context of its own, as in `support.Ask`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from lines import LINKS, Link
from proxy import Proxy
from scene import Scene, scene_of

import aorm
from aorm import steps
from aorm.connections import Database, arun, atomic, connections, run

KINDS = ["sqlite", "memory", "postgresql", "psycopg"]
TABLE = "CREATE TABLE item (id integer PRIMARY KEY, name text UNIQUE)"


@pytest.fixture
def url_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """The URL of a database of this kind, with an empty table `item`."""

    def url_of(kind: str) -> str:
        if kind == "memory":
            return "sqlite://:memory:"
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / 'test.db'}"
        url: str = request.getfixturevalue("postgres_url")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS item")
        return url.replace("postgresql:", "postgresql+psycopg:") if kind == "psycopg" else url

    return url_of


@pytest.fixture
def configured(url_of: Callable[[str], str]) -> Iterator[Callable[..., Database]]:
    """Configures the default database: `configured(kind, **options)`."""
    made: list[Database] = []

    def configure(kind: str, **options: Any) -> Database:
        database = Database("default", url_of(kind), **options)
        connections.configure({"default": database})
        database.execute(TABLE)
        made.append(database)
        return database

    yield configure
    for database in made:
        database.close()
    connections.configure({})


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, configured: Callable[..., Database]) -> Database:
    """The default database, once for each pair of drivers."""
    return configured(request.param)


class Face:
    """One half of the API."""

    def __init__(self, name: str, database: Database) -> None:
        self.name = name
        self.database = database
        self._context = copy_context()
        self._thread = ThreadPoolExecutor(1, "sync-face")

    async def run(self, operation: Any) -> Any:
        if self.name == "async":
            return await arun(operation, self.database)
        return await self.in_thread(run, operation, self.database)

    async def in_thread(self, call: Callable[..., Any], *args: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._context.run, call, *args)

    async def call(self, sync: Callable[..., Any], twin: Callable[..., Any], *args: Any) -> Any:
        """Call a function of this face."""
        if self.name == "async":
            return await twin(*args)
        return await self.in_thread(sync, *args)

    async def plainly(self, call: Callable[..., Any], *args: Any) -> Any:
        """Call something without I/O where this face's context is."""
        return call(*args) if self.name == "async" else await self.in_thread(call, *args)

    @asynccontextmanager
    async def atomic(self, *args: Any, **options: Any) -> AsyncIterator[None]:
        block = atomic(*args, **options)
        if self.name == "async":
            async with block:
                yield
            return
        await self.in_thread(block.__enter__)
        try:
            yield
        except BaseException as error:
            await self.in_thread(block.__exit__, type(error), error, error.__traceback__)
            raise
        await self.in_thread(block.__exit__, None, None, None)

    async def insert(self, number: int, name: str | None = None) -> Any:
        return await self.run(insert(self.database, number, name))

    async def numbers(self) -> list[int]:
        return await self.run(numbers())

    def close(self) -> None:
        self._thread.submit(self._context.run, self.database.close).result()
        self._thread.shutdown()


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest, database: Database) -> Iterator[Face]:
    """Each half of the API in turn."""
    face = Face(request.param, database)
    yield face
    face.close()


def insert(database: Database, number: int, name: str | None = None) -> Any:
    """An operation that adds a row."""
    marks = ("?", "?") if database.vendor == "sqlite" else ("$1", "$2")
    return steps.execute(f"INSERT INTO item VALUES ({', '.join(marks)})", (number, name))


def numbers() -> Any:
    """An operation whose value is the sorted ids."""
    rows = yield from steps.fetch("SELECT id FROM item ORDER BY id")
    return [row[0] for row in rows]


@pytest.fixture
def rows(database: Database) -> Callable[[], list[int]]:
    """The ids that another connection sees: what is committed."""

    def read() -> list[int]:
        other = Database("other", database_url(database))
        other.address = database.address
        try:
            return [row[0] for row in other.execute("SELECT id FROM item ORDER BY id")]
        finally:
            other.close()

    def rows() -> list[int]:
        with ThreadPoolExecutor(1) as thread:  # which has a context of its own, and no loop
            return thread.submit(read).result()

    return rows


def database_url(database: Database) -> str:
    """Some URL of the same vendor; the address is copied from the database."""
    return "sqlite://:memory:" if database.vendor == "sqlite" else "postgresql:///any"


@pytest.fixture
def make_insert() -> Callable[..., Any]:
    return insert


@pytest.fixture
def make_numbers() -> Callable[..., Any]:
    return numbers


# --- faults -------------------------------------------------------------------------


@pytest.fixture(params=LINKS)
def make_link(
    request: pytest.FixtureRequest, url_of: Callable[[str], str]
) -> Iterator[Callable[..., Link]]:
    """Configures the default database behind a proxy, once for each driver of PostgreSQL."""
    made: list[Link] = []
    kind, face = LINKS[request.param]

    def make(**options: Any) -> Link:
        parts = urlsplit(url_of(kind))
        plain = urlunsplit(parts._replace(scheme="postgresql"))
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(TABLE)  # type: ignore[arg-type]
        proxy = Proxy(str(parts.hostname), int(parts.port or 5432))
        user = options.pop("user", parts.username)
        through = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{proxy.port}"))
        database = Database("default", through, **{"pool_size": 4} | options)
        connections.configure({"default": database})
        made.append(Link(database, Face(face, database), proxy, plain))
        return made[-1]

    yield make
    for link in made:
        link.close()
    connections.configure({})


@pytest.fixture
def link(make_link: Callable[..., Link]) -> Link:
    """The default database behind a proxy."""
    return make_link()


@pytest.fixture(params=["aiosqlite", "asyncpg", "psycopg"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """The shop with some rows on each asynchronous driver."""
    scene = scene_of(request.param, request, tmp_path)
    yield scene
    scene.close()
    aorm.close()
