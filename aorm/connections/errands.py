"""Work that is sent to the event loop of a transaction, and waited for elsewhere.

1. Who waits looks from time to time whether the loop still turns: a loop that is blocked by its own
   thread, perhaps waiting for this very waiter, would never answer.
2. A waiter that is cancelled cancels the work, and waits until that has ended: what it finds then
   is a known state.
"""

from __future__ import annotations

import threading
from collections.abc import Coroutine
from typing import Any

from aorm.connections import lazy
from aorm.connections.transaction import Transaction
from aorm.errors import TransactionManagementError
from aorm.late import futures


class Errand:
    """A coroutine on its way to a transaction's loop."""

    __slots__ = ("_loop", "_task", "_transaction", "_work", "done", "future")

    def __init__(self, work: Coroutine[Any, Any, Any], transaction: Transaction) -> None:
        self._transaction = transaction
        home: Any = transaction.home
        self._loop = home
        self._work = work
        self._task: Any = None
        self.future: Any = futures.Future()
        self.done = threading.Event()
        try:
            if not self._loop.is_running():
                raise stopped(transaction)
            # the task copies the context of this thread, so captures see what it runs
            self._call(self._start)
        except BaseException:
            work.close()
            raise

    def _call(self, function: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # it has closed
            raise stopped(self._transaction) from None

    def _start(self) -> None:
        self._task = self._loop.create_task(self._work)
        self._task.add_done_callback(self._finish)

    def _finish(self, task: Any) -> None:
        if task.cancelled():
            self.future.set_exception(Cancelled(stopped(self._transaction)))
        elif task.exception() is not None:
            self.future.set_exception(task.exception())
        else:
            self.future.set_result(task.result())
        self.done.set()

    def cancel(self) -> None:
        """End the work, if it has not ended."""
        self._call(self._cancel)

    def _cancel(self) -> None:
        self._task.cancel()

    def result(self) -> Any:
        """What the work gave."""
        try:
            return self.future.result()
        except Cancelled as cancelled:
            raise cancelled.error from None

    # --- waiting ---------------------------------------------------------------------

    def wait(self) -> Any:
        """Block this thread until the work is done."""
        pulse = Pulse(self._transaction, self._call)
        try:
            while not self.done.wait(pulse.seconds):
                pulse.check()
        except BaseException:
            self.cancel()
            raise
        return self.result()

    async def awaited(self) -> Any:
        """Wait on another loop until the work is done."""
        asyncio = lazy.asyncio_module()
        done = asyncio.wrap_future(self.future)
        try:
            await self._watched(done)
        except asyncio.CancelledError:
            self.cancel()
            await _uncancelled(self._watched(done))
            raise
        finally:
            if done.done():
                done.exception()  # it is told by `result`
        return self.result()

    async def _watched(self, done: Any) -> None:
        pulse = Pulse(self._transaction, self._call)
        wait = lazy.asyncio_module().wait
        while not done.done():
            await wait([done], timeout=pulse.seconds)
            if not done.done():
                pulse.check()


class Cancelled(Exception):
    """The loop has cancelled the work, as it does with all its tasks at its end."""

    def __init__(self, error: TransactionManagementError) -> None:
        super().__init__(error)
        self.error = error


class Pulse:
    """Whether the loop of a transaction still turns."""

    __slots__ = ("_answered", "_call", "_transaction", "seconds")

    def __init__(self, transaction: Transaction, call: Any) -> None:
        self._transaction = transaction
        self._call = call
        self.seconds: float = transaction.database.address["block_timeout"]
        self._answered = threading.Event()
        call(self._answered.set)

    def check(self) -> None:
        """Asked each time `seconds` have passed; TransactionManagementError if it stands still."""
        loop: Any = self._transaction.home
        if not loop.is_running():
            raise stopped(self._transaction)
        if not self._answered.is_set():
            raise TransactionManagementError(
                f"the event loop of the transaction opened at {self._transaction.root.where} did"
                f" not answer for {self.seconds:g} s (option block_timeout): its thread is blocked;"
                " a coroutine must await the threads that use its transaction, not join them"
            )
        self._answered.clear()
        self._call(self._answered.set)


def stopped(transaction: Transaction) -> TransactionManagementError:
    """The error for a transaction whose loop does not run any more."""
    return TransactionManagementError(
        f"the event loop of the transaction opened at {transaction.root.where} has stopped,"
        " so the transaction can only be rolled back"
    )


async def _uncancelled(work: Coroutine[Any, Any, None]) -> None:
    """Await to the end, whatever cancels the caller, who has been cancelled already."""
    asyncio = lazy.asyncio_module()
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            continue
        except TransactionManagementError:
            return  # the loop is gone, and the work with it
