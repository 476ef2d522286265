"""Driving an operation on the thread of an aiosqlite connection, in one hop.

A hop to the thread and back costs more than most statements, so the thread runs an operation's
statements and blocks until the operation ends or asks for user code, which runs on the loop.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import Any

from aorm.connections import capture, lazy
from aorm.connections.bridge import call_from_loop
from aorm.connections.callbacks import acall_back
from aorm.connections.current import CURRENT, enter
from aorm.connections.inside import note_failed_write
from aorm.connections.sides import AsyncSide, perform, to_the_end
from aorm.connections.transaction import Block, Transaction, begin_sql, place_of_caller
from aorm.errors import Error
from aorm.steps import Call, Enter, Leave, Operation, Read, Statement


class Finished:
    """The operation has ended, with this value."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Drive:
    """One operation on its way; `block` is the innermost one that it is in."""

    __slots__ = ("block", "callbacks", "connection", "database", "ended", "inner", "operation")

    def __init__(self, operation: Operation[Any], database: Any, block: Block | None) -> None:
        self.operation = operation
        self.database = database
        self.block = block
        self.ended = False
        self.callbacks: list[Any] = []
        self.connection: Any = None
        self.inner: Any = None

    def start(self, connection: Any, step: Any) -> Any:
        """Runs on the thread of the connection, first of all; answers as `go` does."""
        self.connection = connection
        self.inner = connection.inner
        if capture.watching:
            self.inner = capture.watched(self.inner, self.database.alias)
        return self.go(step)

    def go(self, step: Any) -> Any:
        """Runs on the thread: answers Finished, or the step that the loop must do."""
        operation, inner = self.operation, self.inner
        try:
            while True:
                try:
                    kind = type(step)
                    if kind is Read:
                        self._check()
                        reply: Any = self._read(step)
                    elif issubclass(kind, Statement):
                        self._check()
                        reply = getattr(inner, step.method)(step.sql, step.params)
                    elif kind is Enter:
                        reply = self._enter(step)
                    elif kind is Leave:
                        self._leave(step)
                        reply = None
                        if self.callbacks:
                            return step
                    else:
                        return step
                except BaseException as error:
                    self._note(step, error)
                    step = operation.throw(error)
                else:
                    step = operation.send(reply)
        except BaseException as error:
            return self._end(error)

    def _end(self, error: BaseException) -> Finished:
        self.ended = True
        if isinstance(error, StopIteration):
            return Finished(error.value)
        raise error

    def throw(self, error: BaseException) -> Any:
        """Runs on the thread: user code failed."""
        try:
            step = self.operation.throw(error)
        except BaseException as raised:
            return self._end(raised)
        return self.go(step)

    def send(self, reply: Any) -> Any:
        """Runs on the thread: the reply of user code."""
        try:
            step = self.operation.send(reply)
        except BaseException as raised:
            return self._end(raised)
        return self.go(step)

    def _check(self) -> None:
        if self.connection.inner.interrupted:
            raise lazy.asyncio_module().CancelledError
        if self.block is not None and not self.block.transaction.usable:
            self.block.transaction.check()

    def _read(self, step: Read) -> list[Any]:
        if self.block is None:
            return self.inner.read(step)  # type: ignore[no-any-return]
        # in a transaction the cursor is not ours alone
        return step.decode(self.inner.fetch(step.sql, step.params), step.common)

    def _enter(self, step: Enter) -> Block:
        place = place_of_caller()
        if self.block is None:
            transaction = Transaction(
                self.database, None, self.connection, self.connection.loop, None, place
            )
            transaction.side = AsyncSide(transaction)
            # the turn is ours while the thread drives
            transaction.turns.busy = True
            self.inner.begin(begin_sql("sqlite", None, False, None))
            self.block = transaction.root
        else:
            opening = self.block.transaction.opening(self.block, step.savepoint, None, place)
            self.block = perform(opening, self.inner)
        return self.block

    def _leave(self, step: Leave) -> None:
        block = self.block
        assert block is not None
        self.block = block.parent
        if block.closed:
            return
        transaction = block.transaction
        if block.parent is None:
            self.callbacks = perform(transaction.ending(step.failed), self.inner)
        else:
            perform(transaction.closing(block, step.failed), self.inner)

    def _note(self, step: Any, error: BaseException) -> None:
        if self.block is None:
            return
        self.block.transaction.note(error)
        if isinstance(step, Statement) and isinstance(error, Error):
            note_failed_write(self.block, step.sql, error)


async def drive_inside(operation: Operation[Any], step: Any, block: Block) -> Any:
    """Drive an operation inside an open transaction, in one turn up to each call of user code."""
    transaction = block.transaction
    driving = Drive(operation, transaction.database, block)
    driving.connection = connection = transaction.connection
    return await driven(driving, await _hop(driving, driving.start, connection, step))


async def thrown(driving: Drive, error: BaseException) -> Any:
    """The rest of an operation into which a failure is thrown where it stopped for user code."""
    await _called_first(driving, error)
    return await driven(driving, await _hop(driving, driving.throw, error))


async def driven(driving: Drive, outcome: Any) -> Any:
    """The rest of an operation that has come this far."""
    while type(outcome) is not Finished:
        try:
            reply = await _beside(driving, outcome)
        except BaseException as error:
            outcome = await _hop(driving, driving.throw, error)
        else:
            outcome = await _hop(driving, driving.send, reply)
    return outcome.value


async def _hop(driving: Drive, function: Any, *arguments: Any) -> Any:
    side = None
    if driving.block is not None:
        side = driving.block.transaction.side
        await side.take(driving.block)
    try:
        return await driving.connection.hop(copy_context().run, function, *arguments)
    except lazy.asyncio_module().CancelledError as error:
        return await _told(driving, error)
    finally:
        if side is None and driving.block is not None:
            side = driving.block.transaction.side
        if side is not None:
            side.free()


async def _told(driving: Drive, cancelled: BaseException) -> Any:
    """A cancelled operation that had not begun, or has stopped at user code, cleans up."""
    if driving.ended:
        raise cancelled
    await _called_first(driving, cancelled)
    return await to_the_end(driving.connection.hop(copy_context().run, driving.throw, cancelled))


async def _called_first(driving: Drive, cancelled: BaseException) -> None:
    """A commit that was cancelled is done: its callbacks are called before the cancellation."""
    callbacks, driving.callbacks = driving.callbacks, []
    if not callbacks:
        return
    try:
        await to_the_end(acall_back(callbacks))
    except Exception as error:
        cancelled.__cause__ = error


async def _beside(driving: Drive, step: Any) -> Any:
    """What the loop does between two hops: user code, in the block that the operation is in."""
    before = CURRENT.get()
    if driving.block is not None:
        enter(driving.database, driving.block)
    try:
        if type(step) is Leave:
            callbacks, driving.callbacks = driving.callbacks, []
            return await acall_back(callbacks)
        if type(step) is Call:
            return await call_from_loop(step.function, *step.arguments)
        raise TypeError(f"not a step: {step!r}")
    finally:
        CURRENT.set(before)
