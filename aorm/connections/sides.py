"""A transaction at home: its statements and blocks, taking turns, on a thread or on a loop.

1. `call` runs one function of the connection in a block's turn; `perform` runs commands; `open` and
   `close` nest blocks.  Both classes have the same four, one of them awaited.
2. Waiting for a statement has the statement's own end; waiting for a nested block of somebody else
   has a limit, and the error names the block.
3. The end of a block is never cut short by cancellation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any

from aorm.connections import capture, lazy
from aorm.connections.transaction import Block, Callback, Transaction
from aorm.connections.turns import Waiting
from aorm.errors import TransactionManagementError


def obstructed(block: Block, obstacle: Block, seconds: float) -> TransactionManagementError:
    """The error for a wait behind a nested block that took too long."""
    return TransactionManagementError(
        f"waited {seconds:g} s (option block_timeout) for the block opened at {obstacle.where},"
        f" which is nested in the block opened at {block.where} and still open; statements of the"
        " outer block, and of others inside it, wait until it is closed"
    )


class SyncSide:
    """A transaction on a synchronous connection; may be used from any thread."""

    __slots__ = ("_mutex", "_timeout", "connection", "transaction", "turns")

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.turns = transaction.turns
        self.connection = transaction.connection
        self._mutex = threading.Lock()
        self._timeout: float = transaction.database.address["block_timeout"]

    def call(self, block: Block, method: Callable[..., Any], *arguments: Any) -> Any:
        """Run one statement: `method` is of the connection, `block` is where the caller is."""
        self._take(block)
        try:
            if not self.transaction.usable:
                self.transaction.check()
            try:
                return method(*arguments)
            except BaseException as error:
                self.transaction.note(error)
                raise
        finally:
            self._free()

    def perform(self, block: Block, commands: Generator[str, None, Any]) -> Any:
        """Run commands that control the transaction, in one turn."""
        self._take(block)
        try:
            return perform(commands, self._control())
        finally:
            self._free()

    def open(self, block: Block, savepoint: bool, owner: Any, place: tuple[str, int]) -> Block:
        """Open a block inside this one."""
        opened: Block = self.perform(
            block, self.transaction.opening(block, savepoint, owner, place)
        )
        return opened

    def close(self, block: Block, failed: bool) -> list[Callback]:
        """Close a block; closing the outermost one ends the transaction.

        The answer is what is to be called after a commit.
        """
        if block.closed:
            return []
        obstacle = self._take_for_closing(block)
        failed = failed or obstacle is not None
        callbacks: list[Callback] = []
        try:
            if block.parent is not None:
                perform(self.transaction.closing(block, failed), self._control())
            else:
                callbacks = perform(self.transaction.ending(failed), self._control())
        finally:
            self._free()
            if block.parent is None:
                self.transaction.give_back()
        if obstacle is not None:
            raise obstacle
        return callbacks

    def _control(self) -> Any:
        if capture.watching:
            return capture.watched(self.connection, self.transaction.database.alias)
        return self.connection

    def _take_for_closing(self, block: Block) -> TransactionManagementError | None:
        try:
            self._take(block)
        except TransactionManagementError as error:
            with self._mutex:
                self.transaction.give_up_inside(block)
            self._take(block)
            return error
        return None

    def _take(self, block: Block) -> None:
        with self._mutex:
            if self.turns.take(block):
                return
            served = threading.Event()
            waiting = Waiting(block, served.set)
            self.turns.line.append(waiting)
        try:
            while not served.wait(self._timeout):
                with self._mutex:
                    obstacle = self.turns.obstacle(block)
                    if obstacle is not None and self.turns.leave(waiting):
                        raise obstructed(block, obstacle, self._timeout)
        except TransactionManagementError:
            raise
        except BaseException:  # KeyboardInterrupt
            with self._mutex:
                left = self.turns.leave(waiting)
            if not left:
                self._free()
            raise

    def _free(self) -> None:
        with self._mutex:
            following = self.turns.free()
        if following is not None:
            following.wake()


class AsyncSide:
    """A transaction on an asynchronous connection; used on its loop only."""

    __slots__ = ("_timeout", "connection", "loop", "transaction", "turns")

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.turns = transaction.turns
        self.connection = transaction.connection
        self.loop: Any = transaction.home
        self._timeout: float = transaction.database.address["block_timeout"]

    async def call(self, block: Block, method: Callable[..., Any], *arguments: Any) -> Any:
        """Run one statement: `method` is of the connection, `block` is where the caller is."""
        turns = self.turns
        if turns.busy or block is not turns.top:
            await self.take(block)
        else:
            turns.busy = True
        try:
            if not self.transaction.usable:
                self.transaction.check()
            try:
                return await method(*arguments)
            except BaseException as error:
                self.transaction.note(error)
                raise
        finally:
            if turns.line:
                self.free()
            else:
                turns.busy = False

    async def perform(self, block: Block, commands: Generator[str, None, Any]) -> Any:
        """Run commands that control the transaction, in one turn."""
        await self.take(block)
        try:
            return await aperform(commands, self._control())
        except BaseException as error:
            self.transaction.note(error)
            raise
        finally:
            self.free()

    async def open(
        self, block: Block, savepoint: bool, owner: Any, place: tuple[str, int]
    ) -> Block:
        """Open a block inside this one."""
        opened: Block = await self.perform(
            block, self.transaction.opening(block, savepoint, owner, place)
        )
        return opened

    async def close(self, block: Block, failed: bool) -> list[Callback]:
        """Close a block; closing the outermost one ends the transaction.

        The answer is what is to be called after a commit.
        """
        if block.closed:
            return []
        callbacks: list[Callback] = await to_the_end(self._close(block, failed))
        return callbacks

    async def _close(self, block: Block, failed: bool) -> list[Callback]:
        obstacle = await self._take_for_closing(block)
        failed = failed or obstacle is not None
        callbacks: list[Callback] = []
        try:
            if block.parent is not None:
                await aperform(self.transaction.closing(block, failed), self._control())
            else:
                callbacks = await aperform(self.transaction.ending(failed), self._control())
        finally:
            self.free()
            if block.parent is None:
                self.transaction.give_back()
        if obstacle is not None:
            raise obstacle
        return callbacks

    def _control(self) -> Any:
        if capture.watching:
            return capture.watched(self.connection, self.transaction.database.alias)
        return self.connection

    async def _take_for_closing(self, block: Block) -> TransactionManagementError | None:
        try:
            await self.take(block)
        except TransactionManagementError as error:
            self.transaction.give_up_inside(block)
            await self.take(block)
            return error
        return None

    async def take(self, block: Block) -> None:
        """Wait for the turn."""
        if self.turns.take(block):
            return
        served = self.loop.create_future()
        waiting = Waiting(block, lambda: served.done() or served.set_result(None))
        self.turns.line.append(waiting)
        timer = self.loop.call_later(self._timeout, self._give_up, waiting, served)
        try:
            await served
        except BaseException as error:
            # cancelled while waiting; the turn may have come in the same moment
            if not self.turns.leave(waiting) and not isinstance(error, TransactionManagementError):
                self.free()
            raise
        finally:
            timer.cancel()

    def _give_up(self, waiting: Waiting, served: Any) -> None:
        obstacle = self.turns.obstacle(waiting.block)
        if served.done() or obstacle is None:
            return
        self.turns.leave(waiting)
        served.set_exception(obstructed(waiting.block, obstacle, self._timeout))

    def free(self) -> None:
        """Give the turn back."""
        following = self.turns.free()
        if following is not None:
            following.wake()


def perform(commands: Generator[str, None, Any], connection: Any) -> Any:
    """Run the commands that a generator asks for; the answer is its value."""
    try:
        sql = next(commands)
        while True:
            try:
                (connection.end if sql in ("COMMIT", "ROLLBACK") else connection.command)(sql)
            except BaseException as error:
                sql = commands.throw(error)
            else:
                sql = next(commands)
    except StopIteration as done:
        return done.value


async def aperform(commands: Generator[str, None, Any], connection: Any) -> Any:
    """The same, awaited."""
    try:
        sql = next(commands)
        while True:
            try:
                await (connection.end if sql in ("COMMIT", "ROLLBACK") else connection.command)(sql)
            except BaseException as error:
                sql = commands.throw(error)
            else:
                sql = next(commands)
    except StopIteration as done:
        return done.value


async def to_the_end(work: Any) -> Any:
    """Await to the end, whatever cancels the caller; the cancellation goes on afterwards."""
    asyncio = lazy.asyncio_module()
    task = asyncio.ensure_future(work)
    cancelled = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if not task.cancelled():
                cancelled = error
        except BaseException:
            break
    if cancelled is not None:
        failure = None if task.cancelled() else task.exception()
        raise cancelled from failure
    return task.result()


def begin(
    database: Any, pool: Any, connection: Any, sql: str, owner: Any, place: tuple[str, int]
) -> Transaction:
    """Begin a transaction on a borrowed connection of this thread."""
    transaction = Transaction(database, pool, connection, None, owner, place)
    transaction.side = SyncSide(transaction)
    transaction.side._control().begin(sql)
    return transaction


async def abegin(
    database: Any, pool: Any, connection: Any, sql: str, owner: Any, place: tuple[str, int]
) -> Transaction:
    """Begin a transaction on a borrowed connection of the running loop."""
    transaction = Transaction(database, pool, connection, lazy.running_loop(), owner, place)
    transaction.side = AsyncSide(transaction)
    await transaction.side._control().begin(sql)
    return transaction
