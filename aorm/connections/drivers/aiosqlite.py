"""aiosqlite behind the protocol: a whole function runs on the connection's thread in one hop.

1. `hop(function, *arguments)` is the only way to the thread; `inner` is the connection there.
2. A cancelled hop interrupts SQLite and waits until the thread is done: what happens next finds
   the connection in a known state.  SQLite rolls a whole transaction back when a statement that
   writes is interrupted (https://www.sqlite.org/c3ref/interrupt.html), so where a savepoint is to
   go on, the statement has some time to end by itself.
3. The thread is a daemon: the end of the interpreter waits for none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from queue import SimpleQueue
from threading import Thread, get_ident
from typing import Any

import aiosqlite

from aorm.connections.connection import Params, Pooled, RawResult, Rows
from aorm.connections.drivers import sqlite
from aorm.connections.repeated import Repeated
from aorm.connections.urls import Address

PATIENCE = 1.0  # seconds that a cancelled statement has if its interruption would cost a savepoint

Job = tuple[Any, Callable[..., Any], tuple[Any, ...]]


def opener(
    address: Address, functions: Iterable[Any], owner: object
) -> Callable[[], Awaitable[Connection]]:
    """A coroutine function that opens connections; see `sqlite.opener`."""
    connect = sqlite.opener(address, functions, owner)

    async def open_connection() -> Connection:
        opened: list[sqlite.Connection] = []

        def opening() -> sqlite.Connection:
            opened.append(connect())
            return opened[0]

        thread = ConnectionThread(opening)
        loop = asyncio.get_running_loop()
        try:
            return Connection(await thread, thread, loop)
        except BaseException:
            thread.jobs.put((None, _terminate, (opened,)))
            thread.end()
            raise

    return open_connection


def _terminate(opened: list[sqlite.Connection]) -> None:
    for connection in opened:
        connection.terminate()


def _answer(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


def _work(jobs: SimpleQueue[Job | None]) -> None:
    while (job := jobs.get()) is not None:
        future, function, arguments = job
        if future is not None and future.cancelled():
            continue
        try:
            outcome = function(*arguments)
            reply: Callable[..., None] = _answer
        except BaseException as error:
            outcome, reply = error, _fail
        if future is not None:
            try:
                future.get_loop().call_soon_threadsafe(reply, future, outcome)
            except RuntimeError:
                outcome = None  # the loop has closed: nobody waits for it
        del job, future, function, arguments, outcome


class ConnectionThread(aiosqlite.Connection):
    """aiosqlite's connection, reduced to its thread and what runs there."""

    def __init__(self, connect: Callable[[], sqlite.Connection]) -> None:
        super().__init__(connect, 0)  # type: ignore[arg-type]
        self._connect_inner = connect
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = Thread(target=_work, args=(self.jobs,), name="aorm-sqlite", daemon=True)

    def __await__(self) -> Any:
        self._thread.start()
        future = asyncio.get_running_loop().create_future()
        self.jobs.put((future, self._connect_inner, ()))
        return future.__await__()

    def end(self) -> None:
        """End the thread when it has done what it was given."""
        self.jobs.put(None)

    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return self._thread.ident is not None and self._thread.ident == get_ident()


class Connection(Pooled):
    """One SQLite connection with its thread, used from one event loop."""

    __slots__ = ("inner", "job", "loop", "put", "thread")

    is_async = True

    def __init__(
        self,
        inner: sqlite.Connection,
        thread: ConnectionThread,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__()
        self.inner = inner
        self.thread = thread
        self.put = thread.jobs.put
        self.job: Any = None  # what the pool lets the thread do; see `jobs`
        self.loop = loop

    async def hop(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function on the connection's thread."""
        future = self.loop.create_future()
        self.put((future, function, arguments))
        try:
            return await future
        except asyncio.CancelledError:
            # what has ended needs no interruption, which would hit results that are still read
            if future.cancelled():
                await self._interrupt()
            raise

    async def _interrupt(self) -> None:
        inner = self.inner
        inner.stop()
        with Repeated(self.loop, inner.interrupt, PATIENCE if inner.savepoints else 0):
            await self._interruption_ends()
        if inner.interrupted:  # once more, after the end
            await self._interruption_ends()

    async def _interruption_ends(self) -> None:
        done = self.loop.create_future()
        self.put((done, self.inner.interruption_ends, ()))
        while not done.done():
            try:
                await asyncio.shield(done)
            except asyncio.CancelledError:
                continue  # once is enough: the first one goes on when the thread is done

    async def fetch(self, sql: str, params: Params) -> Rows:
        """All rows."""
        return await self.hop(self.inner.fetch, sql, params)  # type: ignore[no-any-return]

    async def execute(self, sql: str, params: Params) -> int:
        """The number of changed rows."""
        return await self.hop(self.inner.execute, sql, params)  # type: ignore[no-any-return]

    async def insert(self, sql: str, params: Params) -> Rows:
        """The key of a new row."""
        return await self.hop(self.inner.insert, sql, params)  # type: ignore[no-any-return]

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        """Once for each row of values."""
        await self.hop(self.inner.execute_many, sql, rows)

    async def raw(self, sql: str, params: Params) -> RawResult:
        """A statement of the user's own."""
        return await self.hop(self.inner.raw, sql, params)  # type: ignore[no-any-return]

    async def cursor(self, sql: str, params: Params) -> Cursor:
        """Rows piece by piece."""
        opened: list[sqlite.Cursor] = []

        def opening() -> None:
            opened.append(self.inner.cursor(sql, params))

        try:
            await self.hop(opening)
        except BaseException:
            for cursor in opened:
                Cursor(self, cursor).forget()
            raise
        return Cursor(self, opened[0])

    async def begin(self, sql: str) -> None:
        """Start a transaction."""
        await self.hop(self.inner.begin, sql)

    async def command(self, sql: str) -> None:
        """A statement that controls the transaction."""
        await self.hop(self.inner.command, sql)

    async def end(self, sql: str) -> None:
        """COMMIT or ROLLBACK."""
        await self.hop(self.inner.end, sql)

    async def ping(self) -> None:
        """A file does not go away."""

    async def close(self) -> None:
        """Close, and wait for it."""
        self.lost = True
        await self.hop(self.inner.terminate)
        self.thread.end()

    def last_sql(self) -> str:
        """The statement that was sent last."""
        return self.inner.sql

    def idle(self) -> bool:
        """In no transaction, and sound."""
        return not (self.broken or self.lost) and self.inner.idle()

    def terminate(self) -> None:
        """Close on the thread when it is done; do not wait."""
        if not self.lost:
            self.lost = True
            self.inner.interrupt()
            self.put((None, self.inner.terminate, ()))
            self.thread.end()


class Cursor:
    """A result that is read piece by piece."""

    __slots__ = ("_connection", "_cursor")

    def __init__(self, connection: Connection, cursor: sqlite.Cursor) -> None:
        self._connection = connection
        self._cursor = cursor

    async def fetch(self, size: int) -> Rows:
        """The next rows, at most `size`."""
        return await self._connection.hop(self._cursor.fetch, size)  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Forget what was not read."""
        await self._connection.hop(self._cursor.close)

    def forget(self) -> None:
        """The same before whatever the thread does next, without waiting."""
        self._connection.put((None, self._cursor.close, ()))
