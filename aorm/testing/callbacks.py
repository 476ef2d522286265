"""`capture_on_commit_callbacks`: what would be called if the test's transaction were committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from aorm.connections import connections, lazy
from aorm.connections.bridge import refusal
from aorm.connections.callbacks import acall_back, call_back
from aorm.connections.transaction import Callback
from aorm.errors import TransactionManagementError
from aorm.testing.transaction import TransactionOfTest


class capture_on_commit_callbacks:
    """A block, `with` or `async with`, whose value is the list of the functions that `on_commit`
    was given in it, filled at its end.

    What is undone inside of the block is not in the list.

    Args:
        using: the alias of the database.
        execute: call them at the end of the block, and those that they register, too; on a loop
            with `async with` only.  They are not called when the block fails.

    Raises:
        TransactionManagementError: the code is not in a test's transaction.
    """

    def __init__(self, using: str = "default", execute: bool = False) -> None:
        self.using = using
        self.execute = execute

    def __enter__(self) -> list[Callable[[], Any]]:
        if self.execute and lazy.running_loop() is not None:
            raise refusal()
        return self._begin()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for callback in self._registered():
            if self.execute and kind is None:
                call_back([callback])

    async def __aenter__(self) -> list[Callable[[], Any]]:
        return self._begin()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for callback in self._registered():
            if self.execute and kind is None:
                await acall_back([callback])

    def _begin(self) -> list[Callable[[], Any]]:
        around = connections[self.using].around
        if around is None or not isinstance(around.transaction, TransactionOfTest):
            raise TransactionManagementError(
                f"{self.using!r} is not in a test's transaction (aorm.testing.rolled_back);"
                " without one, callbacks are called when their transaction commits"
            )
        self._transaction = around.transaction
        self._start = len(self._transaction.callbacks)
        self._functions: list[Callable[[], Any]] = []
        return self._functions

    def _registered(self) -> Iterator[Callback]:
        position = self._start
        while position < len(self._transaction.callbacks):  # they may register others
            callback = self._transaction.callbacks[position]
            self._functions.append(callback.function)
            position += 1
            yield callback
