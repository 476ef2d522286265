"""`rolled_back()`: a transaction around all code of the process, undone at its end."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from aorm.connections import Database, connections, lazy
from aorm.connections.bridge import refusal
from aorm.connections.transaction import begin_sql, place_of_caller
from aorm.errors import IntegrityError, TransactionManagementError, listed
from aorm.testing.transaction import TransactionOfTest


class rolled_back:
    """A block, `with` or `async with`, after which the databases are as they were before.

    All code is in its transaction: of every task, thread and event loop, whatever its context.
    There `atomic()` is a savepoint, and what happens outside of `atomic()` fails or succeeds
    statement by statement, as it would without the block.  `on_commit` callbacks are not called:
    see `capture_on_commit_callbacks`.

    The transaction is at home where the block was opened: `with` takes a synchronous connection,
    `async with` one of the running loop.

    Args:
        using: aliases; all databases without any.  Aliases of one and the same database share one
            transaction.

    Raises:
        TransactionManagementError: this code is in a transaction already.
        IntegrityError: at the end, rows of SQLite that point to nothing.
    """

    def __init__(self, *using: str) -> None:
        self.using = using
        self.place: tuple[str, int] | None = None
        self._begun: list[TransactionOfTest] = []
        self._inside: list[Database] = []

    def __enter__(self) -> None:
        if lazy.running_loop() is not None:
            raise refusal()
        place = self.place or place_of_caller()
        try:
            for databases in self._groups():
                self._begin(databases, place)
        except BaseException:
            self._end(failed=True)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if lazy.running_loop() is not None:
            raise refusal()
        self._end(failed=kind is not None)

    async def __aenter__(self) -> None:
        place = self.place or place_of_caller()
        try:
            for databases in self._groups():
                await self._abegin(databases, place)
        except BaseException:
            await self._aend(failed=True)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._aend(failed=kind is not None)

    # --- beginning ---------------------------------------------------------------------

    def _groups(self) -> list[list[Database]]:
        """The databases, those together that are one and the same."""
        groups: dict[Any, list[Database]] = {}
        for alias in self.using or connections:
            database = connections[alias]
            block = database.block()
            if block is not None:
                raise TransactionManagementError(
                    f"{alias!r} is in the transaction opened at {block.transaction.root.where}"
                )
            address = database.address
            where = (address["host"], address["port"]) if database.vendor != "sqlite" else ()
            groups.setdefault((database.vendor, address.target, where), []).append(database)
        return list(groups.values())

    def _begin(self, databases: list[Database], place: tuple[str, int]) -> None:
        database = databases[0]
        pool = database.sync_pool or database.make_sync_pool()
        connection = pool.take()
        try:
            transaction = TransactionOfTest(database, pool, connection, None, place)
            connection.begin(begin_sql(database.vendor, None, False, None))
        except BaseException:
            pool.give(connection)
            raise
        self._has_begun(databases, transaction)

    async def _abegin(self, databases: list[Database], place: tuple[str, int]) -> None:
        database, loop = databases[0], lazy.running_loop()
        pool = database.async_pools.get(loop) or database.make_async_pool()
        connection = pool.take() or await pool.acquire()
        try:
            transaction = TransactionOfTest(database, pool, connection, loop, place)
            await connection.begin(begin_sql(database.vendor, None, False, None))
            if database.vendor == "sqlite":
                # what the test has done so far outlasts a statement that is cancelled
                await connection.command("SAVEPOINT aorm_test")
        except BaseException:
            pool.give(connection)
            raise
        self._has_begun(databases, transaction)

    def _has_begun(self, databases: list[Database], transaction: TransactionOfTest) -> None:
        self._begun.append(transaction)
        self._inside += databases
        for database in databases:
            database.around = transaction.root

    # --- ending ------------------------------------------------------------------------

    def _end(self, failed: bool) -> None:
        faults: list[Exception] = []
        while self._begun:
            transaction = self._begun.pop()
            side, root = transaction.side, transaction.root
            try:
                if not failed and _is_checked(transaction):
                    faults += _complaints(side.call(root, transaction.bare.raw, ORPHANS, ()))
                self._let_go(transaction)
                side.close(root, failed=True)
                if not _is_configured(transaction.database):
                    transaction.database.close()
            except Exception as error:
                faults.append(error)
        _raise(faults)

    async def _aend(self, failed: bool) -> None:
        faults: list[Exception] = []
        while self._begun:
            transaction = self._begun.pop()
            side, root = transaction.side, transaction.root
            try:
                if not failed and _is_checked(transaction):
                    faults += _complaints(await side.call(root, transaction.bare.raw, ORPHANS, ()))
                self._let_go(transaction)
                await side.close(root, failed=True)
                if not _is_configured(transaction.database):
                    await transaction.database.aclose()
            except Exception as error:
                faults.append(error)
        _raise(faults)

    def _let_go(self, transaction: TransactionOfTest) -> None:
        for database in self._inside:
            if database.around is transaction.root:
                database.around = None


ORPHANS = "PRAGMA foreign_key_check"


def _is_checked(transaction: TransactionOfTest) -> bool:
    # PostgreSQL has checked at the end of each statement or block
    return transaction.database.vendor == "sqlite" and transaction.usable and transaction.outside


def _is_configured(database: Database) -> bool:
    return database.alias in connections and connections[database.alias] is database


def _complaints(orphans: Any) -> list[Exception]:
    if not orphans.rows:
        return []
    tables = listed({f"{table} (to {parent})" for table, _, parent, _ in orphans.rows})
    return [IntegrityError(f"at the end of the test rows point to nothing, in: {tables}")]


def _raise(faults: list[Exception]) -> None:
    if faults:
        raise faults[0]
