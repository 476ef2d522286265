"""A face of a database behind a proxy, and the server's own point of view."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from proxy import Proxy

from aorm import steps
from aorm.connections import Database
from aorm.errors import OperationalError

# the drivers of PostgreSQL: (kind of URL, face)
LINKS = {
    "asyncpg": ("postgresql", "async"),
    "psycopg_async": ("psycopg", "async"),
    "psycopg": ("psycopg", "sync"),
}


class Link:
    """What a test of faults has at hand; `face` is as in the fixtures of the connections."""

    def __init__(self, database: Database, face: Any, proxy: Proxy, url: str) -> None:
        self.database = database
        self.face = face
        self.proxy = proxy
        self._url = url
        self.server = psycopg.connect(url, autocommit=True)
        self._faces: list[Any] = []

    def reconnect(self) -> None:
        """After a restart of the server."""
        self.server.close()
        self.server = psycopg.connect(self._url, autocommit=True)

    async def pid(self) -> int:
        """The backend of the next connection."""
        rows = await self.face.run(steps.fetch("SELECT pg_backend_pid()"))
        return int(rows[0][0])

    def kill(self, pid: int) -> None:
        """End a backend, and wait for its end."""
        self.server.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    async def runs(self, pid: int) -> None:
        """Wait until a backend is at work."""
        sql = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active'"
        async with asyncio.timeout(20):
            while self.server.execute(sql, [pid]).fetchone() is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def ends(self, pid: int) -> None:
        """Wait until a backend has ended."""
        sql = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
        async with asyncio.timeout(20):
            while self.server.execute(sql, [pid]).fetchone():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def another_face(self) -> Any:
        """One more of the same half of the API, with a context of its own."""
        if self.face.name == "async":
            return self.face
        self._faces.append(type(self.face)("sync", self.database))
        return self._faces[-1]

    async def busy(self, count: int) -> list[int]:
        """Use some connections at once; the backends."""
        arrived, all_arrived = 0, asyncio.Event()

        def arrive() -> None:
            nonlocal arrived
            arrived += 1
            if arrived == count:
                all_arrived.set()

        async def use() -> int:
            face = self.another_face()
            try:
                async with face.atomic():
                    rows = await face.run(steps.fetch("SELECT pg_backend_pid()"))
                    arrive()
                    await all_arrived.wait()
            except OperationalError:
                arrive()
                raise
            return int(rows[0][0])

        tasks = [asyncio.create_task(use()) for _ in range(count)]
        await asyncio.wait(tasks)
        return [task.result() for task in tasks]

    def rows(self) -> list[int]:
        """What is committed."""
        return [n for (n,) in self.server.execute("SELECT id FROM item ORDER BY id")]

    def state(self) -> Any:
        """The pool's."""
        if self.face.name == "sync":
            pool: Any = self.database.sync_pool
        else:
            pool = next(iter(self.database.async_pools.values()))
        return pool.state

    async def serves(self) -> None:
        """Statements and transactions work, and nothing stays lent."""
        await self.face.run(steps.fetch("SELECT 1"))
        async with self.face.atomic():
            await self.face.insert(99)
        assert 99 in self.rows()
        assert not self.state().used
        assert self.state().connecting == 0

    def close(self) -> None:
        """Let go of everything."""
        for face in (self.face, *self._faces):
            face.close()
        self.proxy.close()
        self.server.close()
