"""The table of homes: how a transaction is used from where the code runs.

| caller                        | home: a loop              | home: none (a thread)      |
|-------------------------------|---------------------------|----------------------------|
| coroutine on that loop        | direct                    | in a worker thread, awaited |
| coroutine on another loop     | sent to it, awaited       | in a worker thread, awaited |
| thread without a running loop | sent to it, blocked on    | direct                     |
| synchronous call on a loop's thread | SynchronousOnlyOperation, whatever the home    |

Each class here has the four methods of the sides.  `sync_to_async` and `async_to_sync` are those
of asgiref, loaded when they are called.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from functools import partial
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from aorm.connections import lazy
from aorm.connections.sides import to_the_end
from aorm.connections.transaction import Block, Callback, Transaction, is_ours
from aorm.errors import SynchronousOnlyOperation, TransactionManagementError
from aorm.late import inspect

P = ParamSpec("P")
R = TypeVar("R")

# how to write on a loop what has no twin with an `a` in front
_TWINS = {
    "__enter__": "`async with`",
    "__exit__": "`async with`",
    "__iter__": "`async for`, or `await` the queryset",
    "__len__": "`len(await queryset)`",
    "__bool__": "`await queryset.aexists()`",
    "__getitem__": "`(await queryset)[...]`",
    "__next__": "`async for`",
    "stream": "`async for`",
}


class FromThread:
    """The transaction of a loop, used by a thread that waits."""

    __slots__ = ("_side", "_transaction")

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._side = transaction.side

    def call(self, block: Block, method: Callable[..., Any], *arguments: Any) -> Any:
        return self._sent(self._side.call(block, method, *arguments))

    def perform(self, block: Block, commands: Any) -> Any:
        return self._sent(self._side.perform(block, commands))

    def open(self, block: Block, savepoint: bool, owner: Any, place: tuple[str, int]) -> Block:
        opened: Block = self._sent(self._side.open(block, savepoint, owner, place))
        return opened

    def close(self, block: Block, failed: bool) -> list[Callback]:
        callbacks: list[Callback] = self._sent(self._side.close(block, failed))
        return callbacks

    def _sent(self, work: Coroutine[Any, Any, Any]) -> Any:
        started = threading.Event()
        future = _send(work, self._transaction, started)
        try:
            self._wait_for_start(future, started)
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _wait_for_start(self, future: Any, started: threading.Event) -> None:
        # a loop that does not turn is blocked by its own thread, perhaps waiting for this one
        timeout = self._transaction.database.address["block_timeout"]
        if not started.wait(timeout) and not future.done():
            raise TransactionManagementError(
                f"the event loop of the transaction opened at {self._transaction.root.where} did"
                f" not answer for {timeout:g} s: its thread is blocked; a coroutine must await"
                " the threads that use its transaction, not join them"
            )


class FromOtherLoop:
    """The transaction of a loop, used by a coroutine of another one."""

    __slots__ = ("_side", "_transaction")

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._side = transaction.side

    async def call(self, block: Block, method: Callable[..., Any], *arguments: Any) -> Any:
        return await self._sent(self._side.call(block, method, *arguments))

    async def perform(self, block: Block, commands: Any) -> Any:
        return await self._sent(self._side.perform(block, commands))

    async def open(
        self, block: Block, savepoint: bool, owner: Any, place: tuple[str, int]
    ) -> Block:
        opened: Block = await self._sent(self._side.open(block, savepoint, owner, place))
        return opened

    async def close(self, block: Block, failed: bool) -> list[Callback]:
        callbacks: list[Callback] = await to_the_end(self._sent(self._side.close(block, failed)))
        return callbacks

    async def _sent(self, work: Coroutine[Any, Any, Any]) -> Any:
        future = _send(work, self._transaction, threading.Event())
        return await lazy.asyncio_module().wrap_future(future)


class FromLoop:
    """A transaction without a loop, used by a coroutine: each step in a worker thread."""

    __slots__ = ("_side",)

    def __init__(self, transaction: Transaction) -> None:
        self._side = transaction.side

    async def call(self, block: Block, method: Callable[..., Any], *arguments: Any) -> Any:
        return await _in_thread(self._side.call, block, method, *arguments)

    async def perform(self, block: Block, commands: Any) -> Any:
        return await _in_thread(self._side.perform, block, commands)

    async def open(
        self, block: Block, savepoint: bool, owner: Any, place: tuple[str, int]
    ) -> Block:
        opened: Block = await _in_thread(self._side.open, block, savepoint, owner, place)
        return opened

    async def close(self, block: Block, failed: bool) -> list[Callback]:
        callbacks: list[Callback] = await _in_thread(self._side.close, block, failed)
        return callbacks


def sync_side(transaction: Transaction) -> Any:
    """How a thread without a running loop uses this transaction."""
    return transaction.side if transaction.home is None else FromThread(transaction)


def async_side(transaction: Transaction) -> Any:
    """How a coroutine uses this transaction."""
    home = transaction.home
    if home is None:
        return FromLoop(transaction)
    return transaction.side if home is lazy.running_loop() else FromOtherLoop(transaction)


def _send(work: Coroutine[Any, Any, Any], transaction: Transaction, started: Any) -> Any:
    loop = transaction.home
    assert loop is not None
    if not loop.is_running():
        work.close()
        raise TransactionManagementError(
            f"the event loop of the transaction opened at {transaction.root.where} has stopped,"
            " so the transaction can only be rolled back"
        )

    async def begun() -> Any:
        started.set()
        return await work

    # the task copies the context of this thread, so captures see what it runs
    return lazy.asyncio_module().run_coroutine_threadsafe(begun(), loop)


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    loop: Any = lazy.running_loop()
    call = partial(copy_context().run, function, *arguments)
    # a thread cannot be cancelled: its end is awaited, so that the turn is not left behind
    return await to_the_end(loop.run_in_executor(None, call))


# --- user code ---------------------------------------------------------------------


def call_from_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call user code from synchronous code; what it returns is awaited when it has to be."""
    result = function(*arguments)
    return _awaited(result) if inspect.isawaitable(result) else result


async def call_from_loop(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call user code from a coroutine: coroutine functions here, others in a worker thread.

    What has both faces says so by an attribute `asynchronous`.
    """
    function = getattr(function, "asynchronous", function)
    if inspect.iscoroutinefunction(function):
        return await function(*arguments)
    result = await sync_to_async(function)(*arguments)
    return await result if inspect.isawaitable(result) else result


def _awaited(result: Awaitable[Any]) -> Any:
    async def awaiting() -> Any:
        return await result

    return async_to_sync(awaiting)()


def sync_to_async(
    function: Callable[P, R], *, thread_sensitive: bool = True
) -> Callable[P, Coroutine[Any, Any, R]]:
    """A coroutine function that calls a synchronous one in a worker thread, in the same
    transaction (asgiref's)."""
    wrapped: Callable[P, Coroutine[Any, Any, R]] = lazy.asgiref().sync_to_async(
        function, thread_sensitive=thread_sensitive
    )
    return wrapped


def async_to_sync(function: Callable[P, Awaitable[R]]) -> Callable[P, R]:
    """A function that runs a coroutine function and waits for it, in the same transaction
    (asgiref's)."""
    wrapped: Callable[P, R] = lazy.asgiref().async_to_sync(function)
    return wrapped


# --- the fourth row of the table -----------------------------------------------------


def refusal() -> SynchronousOnlyOperation:
    """The error for a synchronous call on the thread of a running loop: it names the twin."""
    frame: FrameType | None = sys._getframe(1)
    name = ""
    while frame is not None and is_ours(frame):
        name = frame.f_code.co_name
        frame = frame.f_back
    other = "the asynchronous API" if name.startswith("_") else f"`await ....a{name}()`"
    twin = _TWINS.get(name, other)
    return SynchronousOnlyOperation(
        f"{name}() would block the event loop that runs on this thread; use {twin}, or call it"
        " in a thread: `await aorm.sync_to_async(function)()`"
    )
