"""A transaction at home: its statements and blocks, taking turns, on a thread or on a loop.

1. `call` runs one function of the connection in a block's turn; `perform` runs commands; `open` and
   `close` nest blocks; `close_cursor` ends a result.  Both classes have the same, one of them
   awaited.
2. Waiting for a statement has the statement's own end; waiting for a nested block of somebody else
   has a limit, and the error names the block.  Many short blocks one after another are no reason
   to give up: the limit is for one that stays.
3. The end of a block is never cut short by cancellation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any

from aorm.connections import capture, lazy
from aorm.connections.transaction import Block, Callback, Transaction
from aorm.connections.turns import Turns, Waiting
from aorm.errors import TransactionManagementError


def obstructed(block: Block, obstacle: Block, seconds: float) -> TransactionManagementError:
    """The error for a wait behind a nested block that took too long."""
    return TransactionManagementError(
        f"waited {seconds:g} s (option block_timeout) for the block opened at {obstacle.where},"
        f" which is nested in the block opened at {block.where} and still open; statements of the"
        " outer block, and of others inside it, wait until it is closed"
    )


class Patience:
    """Whether a waiter's limit has passed behind one and the same block."""

    __slots__ = ("_block", "_obstacle", "_turns")

    def __init__(self, turns: Turns, block: Block) -> None:
        self._turns = turns
        self._block = block
        self._obstacle = turns.obstacle(block)

    def ends(self) -> Block | None:
        """Asked each time the limit has passed: the block that was in the way all the time."""
        before, self._obstacle = self._obstacle, self._turns.obstacle(self._block)
        return self._obstacle if self._obstacle is before else None


class SyncSide:
    """A transaction on a synchronous connection; may be used from any thread."""

    __slots__ = ("_mutex", "connection", "timeout", "transaction", "turns")

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.turns = transaction.turns
        self.connection = transaction.connection
        self._mutex = threading.Lock()
        self.timeout: float = transaction.database.address["block_timeout"]

    def call(self, block: Block, method: Callable[..., Any], *arguments: Any) -> Any:
        """Run one statement: `method` is of the connection, `block` is where the caller is."""
        turns = self.turns
        with self._mutex:
            at_once = not turns.busy and block is turns.top
            if at_once:
                turns.busy = True
        if not at_once:
            self._take(block)
        # as in call_in_turn, without its frame: each statement of a transaction comes through here
        try:
            if not self.transaction.usable:
                self.transaction.check()
            try:
                return method(*arguments)
            except BaseException as error:
                self.transaction.note(error)
                raise
        finally:
            self.free()

    def perform(self, block: Block, commands: Generator[str, None, Any]) -> Any:
        """Run commands that control the transaction, in one turn."""
        self._take(block)
        return self.perform_in_turn(commands)

    def close_cursor(self, block: Block, cursor: Any) -> None:
        """Close a result that was read inside of a block; after its end there is nothing to do."""
        self._take(block)
        if block.closed:
            self.free()
            cursor.forget()
        else:
            self.call_in_turn(cursor.close)

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
        return self.close_in_turn(block, failed, obstacle)

    # --- for who has the turn; it is given back at the end ------------------------------

    def call_in_turn(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Run one statement."""
        try:
            if not self.transaction.usable:
                self.transaction.check()
            try:
                return method(*arguments)
            except BaseException as error:
                self.transaction.note(error)
                raise
        finally:
            self.free()

    def perform_in_turn(self, commands: Generator[str, None, Any]) -> Any:
        """Run commands that control the transaction."""
        try:
            return perform(commands, self._control())
        finally:
            self.free()

    def close_in_turn(
        self, block: Block, failed: bool, obstacle: TransactionManagementError | None
    ) -> list[Callback]:
        """Close a block, rolled back if another one was in the way."""
        failed = failed or obstacle is not None
        callbacks: list[Callback] = []
        try:
            if block.parent is not None:
                perform(self.transaction.closing(block, failed), self._control())
            else:
                callbacks = perform(self.transaction.ending(failed), self._control())
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

    def _take_for_closing(self, block: Block) -> TransactionManagementError | None:
        try:
            self._take(block)
        except TransactionManagementError as error:
            self.give_up_inside(block)
            self._take(block)
            return error
        return None

    # --- taking turns ------------------------------------------------------------------

    def line_up(self, block: Block, wake: Callable[[], Any]) -> Waiting | None:
        """Take the turn, or a place in the line, from which `wake` is called."""
        with self._mutex:
            if self.turns.take(block):
                return None
            waiting = Waiting(block, wake)
            self.turns.line.append(waiting)
            return waiting

    def give_up(self, waiting: Waiting, patience: Patience) -> TransactionManagementError | None:
        """After each limit: the error of a waiter that has left the line, if it has."""
        with self._mutex:
            obstacle = patience.ends()
            if obstacle is None or not self.turns.leave(waiting):
                return None
        return obstructed(waiting.block, obstacle, self.timeout)

    def leave(self, waiting: Waiting) -> None:
        """Leave the line, or give back the turn that has come already."""
        with self._mutex:
            left = self.turns.leave(waiting)
        if not left:
            self.free()

    def give_up_inside(self, block: Block) -> None:
        """The blocks inside of this one count as closed."""
        with self._mutex:
            self.transaction.give_up_inside(block)

    def free(self) -> None:
        """Give the turn back."""
        with self._mutex:
            if not self.turns.line:
                self.turns.busy = False
                return
            following = self.turns.free()
        if following is not None:
            following.wake()

    def _take(self, block: Block) -> None:
        with self._mutex:
            if self.turns.take(block):
                return
        served = threading.Event()
        waiting = self.line_up(block, served.set)
        if waiting is None:
            return
        patience = Patience(self.turns, block)
        try:
            while not served.wait(self.timeout):
                error = self.give_up(waiting, patience)
                if error is not None:
                    raise error
        except TransactionManagementError:
            raise
        except BaseException:  # KeyboardInterrupt
            self.leave(waiting)
            raise


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

    async def close_cursor(self, block: Block, cursor: Any) -> None:
        """Close a result that was read inside of a block; after its end there is nothing to do.

        Who is cancelled then must not leave a mark on what the block was nested in.
        """
        await self.take(block)
        try:
            if block.closed or not self.transaction.usable:
                cursor.forget()
                return
            try:
                await cursor.close()
            except BaseException as error:
                self.transaction.note(error)
                raise
        finally:
            self.free()

    async def perform(self, block: Block, commands: Generator[str, None, Any]) -> Any:
        """Run commands that control the transaction, in one turn."""
        await self.take(block)
        return await self._perform_in_turn(commands)

    async def _perform_in_turn(self, commands: Generator[str, None, Any]) -> Any:
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
        """Open a block inside this one; cancelled meanwhile, it is rolled back at once."""
        opening = self.transaction.opening(block, savepoint, owner, place)
        await self.take(block)
        if not savepoint:
            return await self._perform_in_turn(opening)  # type: ignore[no-any-return]
        # cancelled in the middle, a savepoint would leave the whole transaction in doubt
        task, cancelled = await finished(self._perform_in_turn(opening))
        if cancelled is not None:
            if _failure(task) is None:
                await self.close(task.result(), True)
            raise cancelled
        return task.result()  # type: ignore[no-any-return]

    async def close(self, block: Block, failed: bool) -> list[Callback]:
        """Close a block; closing the outermost one ends the transaction.

        The answer is what is to be called after a commit.
        """
        if block.closed:
            return []
        return await ended(self._close(block, failed))

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
        patience = Patience(self.turns, block)
        timer = self.loop.call_later(self._timeout, self._give_up, waiting, served, patience)
        try:
            await served
        except BaseException as error:
            # cancelled while waiting; the turn may have come in the same moment
            if not self.turns.leave(waiting) and not isinstance(error, TransactionManagementError):
                self.free()
            raise
        finally:
            timer.cancel()

    def _give_up(self, waiting: Waiting, served: Any, patience: Patience) -> None:
        if served.done():
            return
        obstacle = patience.ends()
        if obstacle is None:
            self.loop.call_later(self._timeout, self._give_up, waiting, served, patience)
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


async def finished(work: Any) -> tuple[Any, BaseException | None]:
    """Await to the end: the task that did the work, and what cancelled the caller meanwhile."""
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
    return task, cancelled


async def to_the_end(work: Any) -> Any:
    """Await to the end, whatever cancels the caller; the cancellation goes on afterwards."""
    task, cancelled = await finished(work)
    if cancelled is not None:
        raise cancelled from _failure(task)
    return task.result()


async def ended(work: Any) -> list[Callback]:
    """The same for the end of a block, which answers what is to be called after a commit.

    A cancellation goes on after that: it is in the answer, as the last to be called.
    """
    task, cancelled = await finished(work)
    failure = _failure(task)
    if cancelled is not None and (failure is not None or not task.result()):
        raise cancelled from failure
    callbacks: list[Callback] = task.result()
    return callbacks if cancelled is None else [*callbacks, _going_on(cancelled)]


def _failure(task: Any) -> BaseException | None:
    error: BaseException | None = None if task.cancelled() else task.exception()
    return error


def _going_on(cancelled: BaseException) -> Callback:
    async def go_on() -> None:
        raise cancelled

    return Callback(go_on, False, None)


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
