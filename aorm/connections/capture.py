"""Which statements run: `with capture_queries() as queries: ...`.

1. The list grows while it is open, in this context and in those that inherit it (tasks, threads);
   that of `capture_everywhere` in all contexts.
2. A statement is listed when it is sent, so what fails or is cancelled is seen as well.
3. While nobody captures, the cost is one look at `watching`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from time import perf_counter
from types import TracebackType
from typing import Any

from aorm.connections.immediate import Immediate
from aorm.steps import Read

Listeners = tuple[tuple[str | None, list["CapturedQuery"]], ...]

#: What stands between: an alias, and what makes a connection of one of that database.
Around = tuple[str, Callable[[Any], Any]]
AROUND: ContextVar[tuple[Around, ...]] = ContextVar("aorm_wrappers", default=())

_LISTENERS: ContextVar[Listeners] = ContextVar("aorm_captures", default=())
_everywhere: Listeners = ()
_counting = threading.Lock()

watching = 0  # captures, and functions around statements, that are open anywhere


def add_around(entry: Around) -> None:
    """From now on let this stand between, in this context, inside of the others."""
    global watching
    AROUND.set((*AROUND.get(), entry))
    with _counting:
        watching += 1


def remove_around(entry: Around) -> None:
    """From now on no longer."""
    global watching
    AROUND.set(tuple(each for each in AROUND.get() if each is not entry))
    with _counting:
        watching -= 1


class CapturedQuery:
    """One statement: its text, its values, and the seconds it took."""

    __slots__ = ("params", "seconds", "sql")

    def __init__(self, sql: str, params: Sequence[Any]) -> None:
        self.sql = sql
        self.params = params
        self.seconds = 0.0

    def __repr__(self) -> str:
        return f"<{self.sql!r} {self.seconds * 1000:.2f} ms>"


class capture_queries(Immediate[list[CapturedQuery]]):
    """A block, `with` or `async with`, whose value is the list of statements that ran in it.

    `using` is the alias of one database, or None for all.
    """

    def __init__(self, using: str | None = "default") -> None:
        self.using = using
        self.queries: list[CapturedQuery] = []

    def __enter__(self) -> list[CapturedQuery]:
        global watching
        self.queries = []
        _LISTENERS.set((*_LISTENERS.get(), (self.using, self.queries)))
        with _counting:
            watching += 1
        return self.queries

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        global watching
        _LISTENERS.set(tuple(e for e in _LISTENERS.get() if e[1] is not self.queries))
        with _counting:
            watching -= 1


class capture_everywhere(capture_queries):
    """The same for all that runs in this process, whatever its context."""

    def __enter__(self) -> list[CapturedQuery]:
        global watching, _everywhere
        self.queries = []
        with _counting:
            _everywhere = (*_everywhere, (self.using, self.queries))
            watching += 1
        return self.queries

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        global watching, _everywhere
        with _counting:
            _everywhere = tuple(e for e in _everywhere if e[1] is not self.queries)
            watching -= 1


def watched(connection: Any, alias: str) -> Any:
    """The connection, or one in its place that lists what goes through it."""
    listeners = (*_LISTENERS.get(), *_everywhere)
    lists = [queries for using, queries in listeners if using is None or using == alias]
    if lists:
        connection = (AsyncRecording if connection.is_async else Recording)(connection, lists)
    for wanted, around in reversed(AROUND.get()):
        if wanted == alias:
            connection = around(connection)
    return connection


class _Noting:
    def __init__(self, connection: Any, lists: list[list[CapturedQuery]]) -> None:
        self.connection = connection
        self.lists = lists

    def note(self, sql: str, params: Sequence[Any] = ()) -> CapturedQuery:
        query = CapturedQuery(sql, params)
        for queries in self.lists:
            queries.append(query)
        return query


class Recording(_Noting):
    """A synchronous connection that lists what goes through it."""

    is_async = False

    def _timed(self, method: Any, sql: str, *params: Any) -> Any:
        query = self.note(sql, *params)
        started = perf_counter()
        try:
            return method(sql, *params)
        finally:
            query.seconds = perf_counter() - started

    def fetch(self, sql: str, params: Any) -> Any:
        return self._timed(self.connection.fetch, sql, params)

    def read(self, step: Read) -> list[Any]:
        query = self.note(step.sql, step.params)
        started = perf_counter()
        try:
            return self.connection.read(step)  # type: ignore[no-any-return]
        finally:
            query.seconds = perf_counter() - started

    def execute(self, sql: str, params: Any) -> Any:
        return self._timed(self.connection.execute, sql, params)

    def insert(self, sql: str, params: Any) -> Any:
        return self._timed(self.connection.insert, sql, params)

    def execute_many(self, sql: str, rows: Any) -> Any:
        return self._timed(self.connection.execute_many, sql, rows)

    def raw(self, sql: str, params: Any) -> Any:
        return self._timed(self.connection.raw, sql, params)

    def cursor(self, sql: str, params: Any) -> Any:
        return self._timed(self.connection.cursor, sql, params)

    def copy_in(self, sql: str, data: str) -> Any:
        return self._timed(lambda sql: self.connection.copy_in(sql, data), sql)

    def copy_out(self, sql: str, write: Any) -> Any:
        return self._timed(lambda sql: self.connection.copy_out(sql, write), sql)

    def begin(self, sql: str) -> Any:
        return self._timed(self.connection.begin, sql)

    def command(self, sql: str) -> Any:
        return self._timed(self.connection.command, sql)

    def end(self, sql: str) -> Any:
        return self._timed(self.connection.end, sql)


class AsyncRecording(_Noting):
    """An asynchronous connection that lists what goes through it."""

    is_async = True

    async def _timed(self, method: Any, sql: str, *params: Any) -> Any:
        query = self.note(sql, *params)
        started = perf_counter()
        try:
            return await method(sql, *params)
        finally:
            query.seconds = perf_counter() - started

    async def fetch(self, sql: str, params: Any) -> Any:
        return await self._timed(self.connection.fetch, sql, params)

    async def execute(self, sql: str, params: Any) -> Any:
        return await self._timed(self.connection.execute, sql, params)

    async def insert(self, sql: str, params: Any) -> Any:
        return await self._timed(self.connection.insert, sql, params)

    async def execute_many(self, sql: str, rows: Any) -> Any:
        return await self._timed(self.connection.execute_many, sql, rows)

    async def raw(self, sql: str, params: Any) -> Any:
        return await self._timed(self.connection.raw, sql, params)

    async def cursor(self, sql: str, params: Any) -> Any:
        return await self._timed(self.connection.cursor, sql, params)

    async def copy_in(self, sql: str, data: str) -> Any:
        return await self._timed(lambda sql: self.connection.copy_in(sql, data), sql)

    async def copy_out(self, sql: str, write: Any) -> Any:
        return await self._timed(lambda sql: self.connection.copy_out(sql, write), sql)

    async def begin(self, sql: str) -> Any:
        return await self._timed(self.connection.begin, sql)

    async def command(self, sql: str) -> Any:
        return await self._timed(self.connection.command, sql)

    async def end(self, sql: str) -> Any:
        return await self._timed(self.connection.end, sql)
