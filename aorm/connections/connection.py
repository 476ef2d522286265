"""What the pools and runners ask of a driver's connection: two small protocols.

1. SQL of a database is the same for both of its drivers: `$1` on PostgreSQL, `?` on SQLite.
2. A driver's exception leaves as one of `aorm.errors`, with the original as its cause.
3. `lost` says that the connection is gone; `idle()` that it may go back to the pool.
4. `copy_in` and `copy_out` are of databases that have the capability `copy`.
5. `terminate()` closes at once, waits for nothing, and may be called when the loop is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Protocol

from aorm.records import Record
from aorm.steps import Read

_numbers = count(1)

Rows = list[Any]
Params = Sequence[Any]


LOOK_AFTER = 0.1  # seconds: one that was idle for longer is looked at, without asking the server
EXPIRED = 0.0  # `expires` of a connection that is not to be used again


class RawResult(Record):
    """What a statement of the user's own gave: `rows` is None where there can be none."""

    rows: Rows | None
    rowcount: int
    description: tuple[tuple[Any, ...], ...] | None = None
    lastrowid: int | None = None


class Pooled:
    """What a pool notes on a connection; drivers' connections derive from it."""

    __slots__ = ("broken", "expires", "holder", "lost", "number", "sql", "used_at")

    is_async = False

    def __init__(self) -> None:
        self.number = next(_numbers)  # among all connections of this process
        self.expires = 0.0
        self.used_at = 0.0
        self.holder: Any = None
        self.sql = ""
        self.lost = False
        self.broken = False  # in doubt, though perhaps not gone: never used again

    def last_sql(self) -> str:
        """The statement that was sent last."""
        return self.sql

    def server_process(self) -> int | None:
        """The number of the server's process that serves it, where there is one."""
        return None

    def idle(self) -> bool:
        """Whether the connection may be used by the next one: sound, and in no transaction."""
        raise NotImplementedError

    def quiet(self) -> bool:
        """Whether nothing speaks against the connection, as far as can be seen from here."""
        return True

    def terminate(self) -> None:
        """Close without waiting."""
        raise NotImplementedError


class SyncCursor(Protocol):
    """A result that is read piece by piece; `forget` closes it without asking the server."""

    def fetch(self, size: int) -> Rows: ...
    def close(self) -> None: ...
    def forget(self) -> None: ...


class AsyncCursor(Protocol):
    """The same, awaited."""

    async def fetch(self, size: int) -> Rows: ...
    async def close(self) -> None: ...
    def forget(self) -> None: ...


class SyncConnection(Protocol):
    """A connection that blocks its thread."""

    expires: float
    used_at: float
    holder: Any
    sql: str
    lost: bool
    is_async: bool
    broken: bool

    def fetch(self, sql: str, params: Params) -> Rows: ...
    def read(self, step: Read) -> list[Any]: ...
    def execute(self, sql: str, params: Params) -> int: ...
    def insert(self, sql: str, params: Params) -> Rows: ...
    def execute_many(self, sql: str, rows: Sequence[Params]) -> None: ...
    def raw(self, sql: str, params: Params) -> RawResult: ...
    def copy_in(self, sql: str, data: str) -> int: ...
    def copy_out(self, sql: str, write: Callable[[bytes], Any]) -> int: ...
    def cursor(self, sql: str, params: Params) -> SyncCursor: ...
    def begin(self, sql: str) -> None: ...
    def command(self, sql: str) -> None: ...
    def end(self, sql: str) -> None: ...
    def ping(self) -> None: ...
    def idle(self) -> bool: ...
    def quiet(self) -> bool: ...
    def terminate(self) -> None: ...


class AsyncConnection(Protocol):
    """A connection that belongs to an event loop."""

    expires: float
    used_at: float
    holder: Any
    sql: str
    lost: bool
    is_async: bool
    broken: bool

    async def fetch(self, sql: str, params: Params) -> Rows: ...
    async def execute(self, sql: str, params: Params) -> int: ...
    async def insert(self, sql: str, params: Params) -> Rows: ...
    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None: ...
    async def raw(self, sql: str, params: Params) -> RawResult: ...
    async def copy_in(self, sql: str, data: str) -> int: ...
    async def copy_out(self, sql: str, write: Callable[[bytes], Any]) -> int: ...
    async def cursor(self, sql: str, params: Params) -> AsyncCursor: ...
    async def begin(self, sql: str) -> None: ...
    async def command(self, sql: str) -> None: ...
    async def end(self, sql: str) -> None: ...
    async def ping(self) -> None: ...
    async def close(self) -> None: ...
    def idle(self) -> bool: ...
    def quiet(self) -> bool: ...
    def terminate(self) -> None: ...
