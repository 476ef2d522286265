"""What Django's `connection` does by hand: savepoints, and transactions without `atomic()`.

1. Savepoints by hand live inside of `atomic()` or of `set_autocommit(False)`.
2. `commit` and `rollback` belong to `set_autocommit(False)`; inside of `atomic()` they are errors.
"""

from __future__ import annotations

from typing import Any

from aorm.connections import lazy
from aorm.connections.bridge import async_side, refusal, sync_side
from aorm.connections.callbacks import aclose_and_call_back, call_back
from aorm.connections.current import enter, leave
from aorm.connections.sides import abegin, begin
from aorm.connections.transaction import Block, begin_sql, place_of_caller
from aorm.connections.turns import open_block
from aorm.errors import TransactionManagementError

FORBIDDEN = "This is forbidden when an 'atomic' block is active."
NO_SAVEPOINTS = "Savepoints need a transaction: use them inside of atomic()."


class ByHand:
    """The part of a `Database` that is for those who handle transactions themselves."""

    vendor: str
    sync_pool: Any
    make_sync_pool: Any
    async_pools: dict[Any, Any]
    make_async_pool: Any

    @property
    def in_atomic_block(self) -> bool:
        """Whether this code is in an open `atomic()`."""
        raise NotImplementedError

    def block(self) -> Block | None:
        """The innermost block that this code has entered, which may have ended."""
        raise NotImplementedError

    def open_block(self, what: str) -> Block:
        """The innermost open block; TransactionManagementError that says this without one."""
        inherited = self.block()
        block = open_block(inherited)
        if block is None:
            if inherited is not None:
                inherited.transaction.check()
            raise TransactionManagementError(what)
        return block

    # --- savepoints --------------------------------------------------------------------

    def savepoint(self) -> str:
        """Make a savepoint; the answer is its name, for the other two."""
        block, side = self._sync()
        name: str = side.perform(block, block.transaction.saving())
        return name

    def savepoint_commit(self, sid: str) -> None:
        """Keep what happened since a savepoint."""
        block, side = self._sync()
        side.perform(block, block.transaction.releasing(sid))

    def savepoint_rollback(self, sid: str) -> None:
        """Undo what happened since a savepoint, with what went wrong in it."""
        block, side = self._sync()
        side.perform(block, block.transaction.returning(sid))

    async def asavepoint(self) -> str:
        """Make a savepoint; the answer is its name, for the other two."""
        block, side = self._async()
        name: str = await side.perform(block, block.transaction.saving())
        return name

    async def asavepoint_commit(self, sid: str) -> None:
        """Keep what happened since a savepoint."""
        block, side = self._async()
        await side.perform(block, block.transaction.releasing(sid))

    async def asavepoint_rollback(self, sid: str) -> None:
        """Undo what happened since a savepoint, with what went wrong in it."""
        block, side = self._async()
        await side.perform(block, block.transaction.returning(sid))

    def clean_savepoints(self) -> None:
        """Let the names of savepoints begin anew."""
        block = open_block(self.block())
        if block is not None:
            block.transaction.forget_savepoints()

    def _sync(self) -> tuple[Block, Any]:
        if lazy.running_loop() is not None:
            raise refusal()
        block = self.open_block(NO_SAVEPOINTS)
        return block, sync_side(block.transaction)

    def _async(self) -> tuple[Block, Any]:
        block = self.open_block(NO_SAVEPOINTS)
        return block, async_side(block.transaction)

    # --- without autocommit --------------------------------------------------------------

    def get_autocommit(self) -> bool:
        """Whether each statement of this code commits on its own."""
        return open_block(self.block()) is None

    def set_autocommit(self, autocommit: bool) -> None:
        """With False, what follows in this context is one transaction up to `commit`."""
        if self.in_atomic_block:
            raise TransactionManagementError(FORBIDDEN)
        block = open_block(self.block())
        if autocommit and block is not None:
            _end(block, failed=False)
        elif not autocommit and block is None:
            self._begin_by_hand()

    async def aset_autocommit(self, autocommit: bool) -> None:
        if self.in_atomic_block:
            raise TransactionManagementError(FORBIDDEN)
        block = open_block(self.block())
        if autocommit and block is not None:
            await _aend(block, failed=False)
        elif not autocommit and block is None:
            await self._abegin_by_hand()

    def commit(self) -> None:
        """Commit, and begin the next transaction; needs `set_autocommit(False)`."""
        self._next_by_hand(failed=False)

    async def acommit(self) -> None:
        await self._anext_by_hand(failed=False)

    def rollback(self) -> None:
        """Roll back, and begin the next transaction; needs `set_autocommit(False)`."""
        self._next_by_hand(failed=True)

    async def arollback(self) -> None:
        await self._anext_by_hand(failed=True)

    def connect(self) -> None:
        """Connect now, where the next statement would; what is connected stays as it is."""
        if lazy.running_loop() is not None:
            raise refusal()
        pool = self.sync_pool or self.make_sync_pool()
        pool.give(pool.take())

    async def aconnect(self) -> None:
        pool = self._async_pool()
        pool.give(pool.take() or await pool.acquire())

    def _next_by_hand(self, failed: bool) -> None:
        block = self._block_by_hand()
        if block is not None:
            _end(block, failed)
            self._begin_by_hand()

    async def _anext_by_hand(self, failed: bool) -> None:
        block = self._block_by_hand()
        if block is not None:
            await _aend(block, failed)
            await self._abegin_by_hand()

    def _block_by_hand(self) -> Block | None:
        """None in autocommit, where everything is committed already."""
        if self.in_atomic_block:
            raise TransactionManagementError(FORBIDDEN)
        return open_block(self.block())

    def _begin_by_hand(self) -> None:
        if lazy.running_loop() is not None:
            raise refusal()
        pool = self.sync_pool or self.make_sync_pool()
        connection = pool.take()
        try:
            sql = begin_sql(self.vendor, None, False, None)
            transaction = begin(self, pool, connection, sql, None, place_of_caller())
        except BaseException:
            pool.give(connection)
            raise
        transaction.manual = True
        enter(self, transaction.root)

    async def _abegin_by_hand(self) -> None:
        pool = self._async_pool()
        connection = pool.take() or await pool.acquire()
        try:
            sql = begin_sql(self.vendor, None, False, None)
            transaction = await abegin(self, pool, connection, sql, None, place_of_caller())
        except BaseException:
            pool.give(connection)
            raise
        transaction.manual = True
        enter(self, transaction.root)

    def _async_pool(self) -> Any:
        return self.async_pools.get(lazy.running_loop()) or self.make_async_pool()


def _end(block: Block, failed: bool) -> None:
    leave(block.transaction.database, block)
    call_back(sync_side(block.transaction).close(block, failed))


async def _aend(block: Block, failed: bool) -> None:
    leave(block.transaction.database, block)
    await aclose_and_call_back(async_side(block.transaction), block, failed)
