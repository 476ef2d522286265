"""The table of homes: how a transaction is used from where the code runs.

| caller                        | home: a loop              | home: none (a thread)      |
|-------------------------------|---------------------------|----------------------------|
| coroutine on that loop        | direct                    | in a worker thread, awaited |
| coroutine on another loop     | sent to it, awaited       | in a worker thread, awaited |
| thread without a running loop | sent to it, blocked on    | direct                     |
| synchronous call on a loop's thread | SynchronousOnlyOperation, whatever the home    |

Each class here has the methods of the sides.  `sync_to_async` and `async_to_sync` are those
of asgiref, loaded when they are called.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from functools import partial
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from aorm.connections import lazy
from aorm.connections.errands import Errand
from aorm.connections.sides import Patience, ended, to_the_end
from aorm.connections.transaction import Block, Callback, Transaction, is_ours
from aorm.connections.workers import workers
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

    def close_cursor(self, block: Block, cursor: Any) -> None:
        self._sent(self._side.close_cursor(block, cursor))

    def perform(self, block: Block, commands: Any) -> Any:
        return self._sent(self._side.perform(block, commands))

    def open(self, block: Block, savepoint: bool, owner: Any, place: tuple[str, int]) -> Block:
        opened: Block = self._sent(self._side.open(block, savepoint, owner, place))
        return opened

    def close(self, block: Block, failed: bool) -> list[Callback]:
        callbacks: list[Callback] = self._sent(self._side.close(block, failed))
        return callbacks

    def _sent(self, work: Coroutine[Any, Any, Any]) -> Any:
        return Errand(work, self._transaction).wait()


class FromOtherLoop:
    """The transaction of a loop, used by a coroutine of another one."""

    __slots__ = ("_side", "_transaction")

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._side = transaction.side

    async def call(self, block: Block, method: Callable[..., Any], *arguments: Any) -> Any:
        return await self._sent(self._side.call(block, method, *arguments))

    async def close_cursor(self, block: Block, cursor: Any) -> None:
        await self._sent(self._side.close_cursor(block, cursor))

    async def perform(self, block: Block, commands: Any) -> Any:
        return await self._sent(self._side.perform(block, commands))

    async def open(
        self, block: Block, savepoint: bool, owner: Any, place: tuple[str, int]
    ) -> Block:
        opened: list[Block] = []

        async def opening() -> None:
            opened.append(await self._side.open(block, savepoint, owner, place))

        try:
            await self._sent(opening())
        except BaseException:
            if opened:  # and cancelled in the same moment
                await self.close(opened[0], True)
            raise
        return opened[0]

    async def close(self, block: Block, failed: bool) -> list[Callback]:
        return await ended(self._sent(self._side.close(block, failed)))

    async def _sent(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await Errand(work, self._transaction).awaited()


class FromLoop:
    """A transaction without a loop, used by a coroutine: each step in a worker thread.

    The turn is waited for on the loop, so that no thread is held by who only waits.
    """

    __slots__ = ("_side",)

    def __init__(self, transaction: Transaction) -> None:
        self._side = transaction.side

    async def call(self, block: Block, method: Callable[..., Any], *arguments: Any) -> Any:
        await self._take(block)
        return await self._called_in_turn(method, *arguments)

    async def close_cursor(self, block: Block, cursor: Any) -> None:
        await self._take(block)
        if block.closed:
            self._side.free()
            cursor.forget()
        else:
            await self._called_in_turn(cursor.close)

    async def _called_in_turn(self, method: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await _in_worker(self._side.call_in_turn, method, *arguments)
        except lazy.asyncio_module().CancelledError as error:
            self._side.transaction.note(error)  # for the thread it was a success
            raise

    async def perform(self, block: Block, commands: Any) -> Any:
        await self._take(block)
        return await _in_worker(self._side.perform_in_turn, commands)

    async def open(
        self, block: Block, savepoint: bool, owner: Any, place: tuple[str, int]
    ) -> Block:
        opened: list[Block] = []

        def opening() -> None:
            commands = self._side.transaction.opening(block, savepoint, owner, place)
            opened.append(self._side.perform_in_turn(commands))

        await self._take(block)
        try:
            await _in_worker(opening)
        except BaseException:
            if opened:  # and cancelled in the same moment
                await self.close(opened[0], True)
            raise
        return opened[0]

    async def close(self, block: Block, failed: bool) -> list[Callback]:
        if block.closed:
            return []
        return await ended(self._close(block, failed))

    async def _close(self, block: Block, failed: bool) -> list[Callback]:
        obstacle = None
        try:
            await self._take(block)
        except TransactionManagementError as error:
            obstacle = error
            self._side.give_up_inside(block)
            await self._take(block)
        callbacks: list[Callback] = await _in_worker(
            self._side.close_in_turn, block, failed, obstacle
        )
        return callbacks

    async def _take(self, block: Block) -> None:
        side, loop = self._side, lazy.running_loop()
        assert loop is not None
        served = loop.create_future()
        waiting = side.line_up(block, lambda: _set_from_thread(loop, served))
        if waiting is None:
            return
        patience = Patience(side.turns, block)
        try:
            while not served.done():
                await lazy.asyncio_module().wait([served], timeout=side.timeout)
                error = None if served.done() else side.give_up(waiting, patience)
                if error is not None:
                    raise error
        except TransactionManagementError:
            raise
        except BaseException:  # cancelled
            side.leave(waiting)
            raise


def _set_from_thread(loop: Any, future: Any) -> None:
    loop.call_soon_threadsafe(lambda: future.done() or future.set_result(None))


def sync_side(transaction: Transaction) -> Any:
    """How a thread without a running loop uses this transaction."""
    return transaction.side if transaction.home is None else FromThread(transaction)


def async_side(transaction: Transaction) -> Any:
    """How a coroutine uses this transaction."""
    home = transaction.home
    if home is None:
        return FromLoop(transaction)
    return transaction.side if home is lazy.running_loop() else FromOtherLoop(transaction)


async def _in_worker(function: Callable[..., Any], *arguments: Any) -> Any:
    loop: Any = lazy.running_loop()
    call = partial(copy_context().run, function, *arguments)
    # a thread cannot be cancelled: its end is awaited, so that the turn is not left behind
    return await to_the_end(loop.run_in_executor(workers(), call))


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
    if is_asynchronous(function):
        return await function(*arguments)
    result = await sync_to_async(function)(*arguments)
    return await result if inspect.isawaitable(result) else result


def is_asynchronous(function: Callable[..., Any]) -> bool:
    """Whether it is a coroutine function, or an object or a partial that calls one."""
    if isinstance(function, partial):
        return is_asynchronous(function.func)
    call = getattr(function, "__call__", None)  # noqa: B004  to look what it is
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


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
