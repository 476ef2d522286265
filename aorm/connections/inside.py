"""Where the statements of an operation go: a connection, or a block of an open transaction.

`Inside` has a connection's three methods, so whoever drives an operation need not know which it is.
What it returns is a reply, or what is awaited for it, as its side is.
"""

from __future__ import annotations

from typing import Any

from aorm.connections import capture
from aorm.connections.transaction import Block
from aorm.errors import Error
from aorm.steps import Read, Statement, Step

READS = ("SELECT", "(SELECT", "WITH", "VALUES", "EXPLAIN", "PRAGMA")


class Inside:
    """A block, seen from one place."""

    __slots__ = ("block", "connection", "outer", "side")

    def __init__(self, side: Any, block: Block, outer: Any = None) -> None:
        self.side = side
        self.block = block
        self.outer = outer  # what it was before an operation entered this block
        self.connection = block.transaction.connection
        if capture.watching:
            alias = block.transaction.database.alias
            self.connection = capture.watched(self.connection, alias)

    def fetch(self, sql: str, params: Any) -> Any:
        return self.side.call(self.block, self.connection.fetch, sql, params)

    def read(self, step: Read) -> list[Any]:
        # the turn is free while results are made: code of the user's may run there
        return step.decode(self.fetch(step.sql, step.params), step.common)

    def execute(self, sql: str, params: Any) -> Any:
        return self.side.call(self.block, self.connection.execute, sql, params)

    def insert(self, sql: str, params: Any) -> Any:
        return self.side.call(self.block, self.connection.insert, sql, params)

    def execute_many(self, sql: str, rows: Any) -> Any:
        return self.side.call(self.block, self.connection.execute_many, sql, rows)

    def raw(self, sql: str, params: Any) -> Any:
        return self.side.call(self.block, self.connection.raw, sql, params)

    def copy_in(self, sql: str, data: str) -> Any:
        return self.side.call(self.block, self.connection.copy_in, sql, data)

    def copy_out(self, sql: str, write: Any) -> Any:
        return self.side.call(self.block, self.connection.copy_out, sql, write)

    def cursor(self, sql: str, params: Any) -> Any:
        return self.side.call(self.block, self.connection.cursor, sql, params)

    async def acursor(self, sql: str, params: Any) -> Any:
        """The same from a coroutine, which may be cancelled in the moment when the result is there.

        Where another thread or loop has opened it, nobody else would know of it.
        """
        opened: list[Any] = []
        connection = self.connection

        def opening() -> None:
            opened.append(connection.cursor(sql, params))

        async def aopening() -> None:
            opened.append(await connection.cursor(sql, params))

        is_async = self.block.transaction.connection.is_async
        try:
            await self.side.call(self.block, aopening if is_async else opening)
        except BaseException:
            for cursor in opened:
                cursor.forget()
            raise
        return opened[0]

    def note(self, step: Step, error: BaseException) -> None:
        """A step failed: an operation that could not write leaves the block in need of a rollback.

        PostgreSQL says so itself for each failed statement; SQLite would go on.
        """
        if isinstance(step, Statement) and isinstance(error, Error):
            note_failed_write(self.block, step.sql, error)


def note_failed_write(block: Block, sql: str, error: Error) -> None:
    """Mark the transaction after a failed write, unless it is marked already."""
    transaction = block.transaction
    if transaction.usable and not sql.startswith(READS):
        transaction.mark(error)
