"""Functions around each statement: `with connection.execute_wrapper(wrapper): ...`.

1. A wrapper is `wrapper(execute, sql, params, many, context)`; it calls `execute` with the other
   four, changed or not, and gives back what that gives.  It may raise instead, or ask nothing.
2. On an asynchronous connection `execute` gives an awaitable, which the wrapper hands back, or
   awaits where it is a coroutine function itself.  SQLite's statements run on a thread of their
   connection, and so do the wrappers around them: there they have to be plain functions.
3. They hold in this context and in those that inherit it (tasks, threads); the first is the
   outermost.  COPY, BEGIN, COMMIT and their kin are sent without them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

from aorm.connections import capture
from aorm.connections.connection import RawResult
from aorm.connections.immediate import Immediate
from aorm.errors import InterfaceError, QueryTypeError
from aorm.late import inspect
from aorm.steps import Read

Wrapper = Callable[..., Any]

_NOTHING: dict[str, Callable[[], Any]] = {
    "fetch": list,
    "execute": int,
    "insert": list,
    "execute_many": int,
    "raw": lambda: RawResult(None, -1),
}


class ExecuteWrapper(Immediate[None]):
    """The block, `with` or `async with`, in which a wrapper is called."""

    def __init__(self, database: Any, wrapper: Wrapper) -> None:
        self._entry = (database.alias, partial(_around, database, wrapper))

    def __enter__(self) -> None:
        capture.add_around(self._entry)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        capture.remove_around(self._entry)


class ExecuteWrappers:
    """The part of a `Database` that knows the functions around its statements."""

    alias: str

    def execute_wrapper(self, wrapper: Wrapper) -> ExecuteWrapper:
        """A block in which `wrapper(execute, sql, params, many, context)` is around each statement.

        `many` is whether `params` are those of several runs, None where there are none;
        `context["connection"]` is this database.
        """
        return ExecuteWrapper(self, wrapper)

    @property
    def execute_wrappers(self) -> list[Wrapper]:
        """The wrappers of this context, the outermost first."""
        entries: Any = capture.AROUND.get()
        return [around.args[1] for alias, around in entries if alias == self.alias]


def _around(database: Any, wrapper: Wrapper, connection: Any) -> Any:
    kind = AsyncWrapped if connection.is_async else Wrapped
    return kind(connection, wrapper, {"connection": database})


class _Around:
    def __init__(self, connection: Any, wrapper: Wrapper, context: dict[str, Any]) -> None:
        self.connection = connection
        self.wrapper = wrapper
        self.context = context

    # What is sent without it; an asynchronous connection gives what is awaited.

    def copy_in(self, sql: str, data: str) -> Any:
        return self.connection.copy_in(sql, data)

    def copy_out(self, sql: str, write: Any) -> Any:
        return self.connection.copy_out(sql, write)

    def begin(self, sql: str) -> Any:
        return self.connection.begin(sql)

    def command(self, sql: str) -> Any:
        return self.connection.command(sql)

    def end(self, sql: str) -> Any:
        return self.connection.end(sql)

    def _given(self, name: str, sql: str, params: Any) -> Any:
        """What the wrapper gives for a statement."""
        method = getattr(self.connection, name)

        def execute(sql: str, params: Any, many: bool, context: Any) -> Any:
            return method(sql, () if params is None else params)

        many = name == "execute_many"
        return self.wrapper(execute, sql, params or None, many, self.context)


def _result(name: str, given: Any) -> Any:
    """The result, where the wrapper gave one; else that of a statement that found nothing."""
    if given is not None:
        return given
    if name not in _NOTHING:
        raise InterfaceError("a wrapper asked nothing, so that there is nothing to stream")
    return _NOTHING[name]()


class Wrapped(_Around):
    """A synchronous connection with a wrapper around its statements."""

    is_async = False

    def _called(self, name: str, sql: str, params: Any) -> Any:
        given = self._given(name, sql, params)
        if inspect.isawaitable(given):
            getattr(given, "close", int)()
            raise QueryTypeError(
                f"{self.wrapper!r} is asynchronous, and cannot be around a statement on a thread"
            )
        return _result(name, given)

    def fetch(self, sql: str, params: Any) -> Any:
        return self._called("fetch", sql, params)

    def read(self, step: Read) -> list[Any]:
        return step.decode(self.fetch(step.sql, step.params), step.common)

    def execute(self, sql: str, params: Any) -> Any:
        return self._called("execute", sql, params)

    def insert(self, sql: str, params: Any) -> Any:
        return self._called("insert", sql, params)

    def execute_many(self, sql: str, rows: Any) -> Any:
        return self._called("execute_many", sql, rows)

    def raw(self, sql: str, params: Any) -> Any:
        return self._called("raw", sql, params)

    def cursor(self, sql: str, params: Any) -> Any:
        return self._called("cursor", sql, params)


class AsyncWrapped(_Around):
    """An asynchronous connection with a wrapper around its statements."""

    is_async = True

    async def _called(self, name: str, sql: str, params: Any) -> Any:
        given = self._given(name, sql, params)
        return _result(name, await given if inspect.isawaitable(given) else given)

    async def fetch(self, sql: str, params: Any) -> Any:
        return await self._called("fetch", sql, params)

    async def execute(self, sql: str, params: Any) -> Any:
        return await self._called("execute", sql, params)

    async def insert(self, sql: str, params: Any) -> Any:
        return await self._called("insert", sql, params)

    async def execute_many(self, sql: str, rows: Any) -> Any:
        return await self._called("execute_many", sql, rows)

    async def raw(self, sql: str, params: Any) -> Any:
        return await self._called("raw", sql, params)

    async def cursor(self, sql: str, params: Any) -> Any:
        return await self._called("cursor", sql, params)
