"""The transaction of a test: what runs in it sees what it would see without it.

1. Its outermost block stands for autocommit.  A statement outside of `atomic()` that fails leaves
   nothing behind and lets the next ones run, as it would on its own.
2. The blocks right inside of it stand for transactions: each is a savepoint, and where it is
   released, PostgreSQL checks deferred constraints as COMMIT would.
3. It is never committed.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from weakref import WeakSet

from aorm.connections.sides import AsyncSide, SyncSide, finished, to_the_end
from aorm.connections.transaction import Block, Transaction
from aorm.connections.turns import open_block
from aorm.errors import Error

READS = ("SELECT", "(SELECT", "VALUES", "EXPLAIN", "SHOW")

SAVE = "SAVEPOINT aorm_alone"
KEEP = "RELEASE SAVEPOINT aorm_alone"
UNDO = "ROLLBACK TO SAVEPOINT aorm_alone; RELEASE SAVEPOINT aorm_alone"
# PostgreSQL changes no table of which constraints are still to be checked: none are where a
# transaction begins, but here there are those of what the test did before
CHANGES = ("ALTER", "CREATE", "DROP", "TRUNCATE")
SETTLE = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"
# afterwards constraints are deferred as they were: the rollback undoes SET CONSTRAINTS
CHECK = (
    "SAVEPOINT aorm_check; SET CONSTRAINTS ALL IMMEDIATE;"
    " ROLLBACK TO SAVEPOINT aorm_check; RELEASE SAVEPOINT aorm_check; "
)


class _OfATest:
    """The owner of a test's outermost block: durable blocks may be opened inside of it."""

    _from_testcase = True


OF_A_TEST = _OfATest()


class TransactionOfTest(Transaction):
    """A transaction that is around all code, and rolled back at its end."""

    __slots__ = ("bare", "forgiven")

    def __init__(
        self, database: Any, pool: Any, connection: Any, home: Any, place: tuple[str, int]
    ) -> None:
        super().__init__(database, pool, connection, home, OF_A_TEST, place)
        self.bare = connection
        self.forgiven: WeakSet[BaseException] = WeakSet()  # failures that left nothing half done
        if database.vendor == "postgresql":
            self.connection = (AsyncAlone if connection.is_async else Alone)(connection, self)
        self.side = AsyncSide(self) if home is not None else SyncSide(self)

    @property
    def outside(self) -> bool:
        """Whether what runs now is in no block but the test's."""
        return self.turns.top is self.root

    def mark(self, cause: BaseException | None) -> None:
        """As for any transaction, unless code outside of `atomic()` is the reason."""
        if cause in self.forgiven or (self.outside and self._goes_on(cause)):
            return
        super().mark(cause)

    def _goes_on(self, cause: BaseException | None) -> bool:
        if self.ended or self.bare.lost:
            return False
        # SQLite undoes a failed statement itself, and all when a writing one is interrupted
        return cause is None or (self.database.vendor == "sqlite" and not self.bare.idle())

    def opening(
        self, parent: Block, savepoint: bool, owner: Any, place: tuple[str, int]
    ) -> Generator[str, None, Block]:
        """Open a nested block; the outermost ones of the test are savepoints in any case."""
        return super().opening(parent, savepoint or open_block(parent) is self.root, owner, place)

    def give_back(self) -> None:
        """It has ended: return the connection."""
        self.pool.give(self.bare)


class _Around:
    """A connection of PostgreSQL whose statements leave nothing behind when they fail."""

    def __init__(self, connection: Any, transaction: TransactionOfTest) -> None:
        self.connection = connection
        self.transaction = transaction

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def _checked(self, sql: str) -> str:
        if sql.startswith("RELEASE") and self.transaction.outside:
            return CHECK + sql
        return sql

    def _forgive(self, error: BaseException) -> None:
        if hasattr(error, "__weakref__"):  # KeyboardInterrupt has none, and ends the tests
            self.transaction.forgiven.add(error)


class Alone(_Around):
    """A synchronous one."""

    def _run(self, method: Any, sql: str, *params: Any) -> Any:
        if not self.transaction.outside:
            return self._settled(method, sql, *params)
        self.connection.command(SAVE)
        try:
            result = self._settled(method, sql, *params)
            self.connection.command(KEEP if sql.startswith(READS) else CHECK + KEEP)
        except BaseException as error:
            if self._undo():
                self._forgive(error)
            raise
        return result

    def _settled(self, method: Any, sql: str, *params: Any) -> Any:
        if sql.startswith(CHANGES):
            self.connection.command(SETTLE)
        return method(sql, *params)

    def _undo(self) -> bool:
        try:
            self.connection.command(UNDO)
        except Error:
            return False  # the connection is lost, or in doubt
        return True

    def fetch(self, sql: str, params: Any) -> Any:
        return self._run(self.connection.fetch, sql, params)

    def execute(self, sql: str, params: Any) -> Any:
        return self._run(self.connection.execute, sql, params)

    def execute_many(self, sql: str, rows: Any) -> Any:
        return self._run(self.connection.execute_many, sql, rows)

    def raw(self, sql: str, params: Any) -> Any:
        return self._run(self.connection.raw, sql, params)

    def cursor(self, sql: str, params: Any) -> Any:
        return self._run(self.connection.cursor, sql, params)

    def copy_in(self, sql: str, data: str) -> Any:
        return self._run(self.connection.copy_in, sql, data)

    def copy_out(self, sql: str, write: Any) -> Any:
        return self._run(self.connection.copy_out, sql, write)

    def command(self, sql: str) -> Any:
        return self.connection.command(self._checked(sql))


class AsyncAlone(_Around):
    """An asynchronous one."""

    async def _run(self, method: Any, sql: str, *params: Any) -> Any:
        if not self.transaction.outside:
            return await self._settled(method, sql, *params)
        command = self.connection.command
        try:
            await to_the_end(command(SAVE))
            result = await self._settled(method, sql, *params)
            keeping, cancelled = await finished(
                command(KEEP if sql.startswith(READS) else CHECK + KEEP)
            )
            keeping.result()
        except BaseException as error:
            undoing, cancelled = await finished(self._undo())
            if undoing.result():
                self._forgive(cancelled or error)
            if cancelled is not None:
                raise cancelled from error
            raise
        if cancelled is not None:
            self._forgive(cancelled)
            raise cancelled
        return result

    async def _settled(self, method: Any, sql: str, *params: Any) -> Any:
        if sql.startswith(CHANGES):
            await to_the_end(self.connection.command(SETTLE))
        return await method(sql, *params)

    async def _undo(self) -> bool:
        try:
            await self.connection.command(UNDO)
        except Error:
            return False  # the connection is lost, or in doubt
        return True

    async def fetch(self, sql: str, params: Any) -> Any:
        return await self._run(self.connection.fetch, sql, params)

    async def execute(self, sql: str, params: Any) -> Any:
        return await self._run(self.connection.execute, sql, params)

    async def execute_many(self, sql: str, rows: Any) -> Any:
        return await self._run(self.connection.execute_many, sql, rows)

    async def raw(self, sql: str, params: Any) -> Any:
        return await self._run(self.connection.raw, sql, params)

    async def cursor(self, sql: str, params: Any) -> Any:
        return await self._run(self.connection.cursor, sql, params)

    async def copy_in(self, sql: str, data: str) -> Any:
        return await self._run(self.connection.copy_in, sql, data)

    async def copy_out(self, sql: str, write: Any) -> Any:
        return await self._run(self.connection.copy_out, sql, write)

    async def command(self, sql: str) -> Any:
        return await self.connection.command(self._checked(sql))
