"""Calling what `on_commit` was given, after the commit and outside of the transaction.

1. In order, on the side where the transaction was opened.  There it is user code as any other: on a
   loop coroutine functions are awaited and others run in a worker thread, where the synchronous API
   is; in a thread coroutine functions are run to their end.
2. A commit that was cancelled is done all the same, so they are called before the cancellation
   goes on.  A coroutine function may be cancelled while it runs; those after it are called.
3. The failure of a `robust` one is logged; another's is raised, and those after it are not called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from aorm.connections import lazy
from aorm.connections.bridge import call_from_loop, call_from_thread, is_asynchronous
from aorm.connections.sides import to_the_end
from aorm.connections.transaction import Block, Callback
from aorm.late import logging

_LOG = "aorm.backends.base"


def call_back(callbacks: Iterable[Callback]) -> None:
    """Call them from a thread."""
    for callback in callbacks:
        try:
            call_from_thread(callback.function)
        except Exception as error:
            if not callback.robust:
                raise
            _report(callback, error)


async def aclose_and_call_back(side: Any, block: Block, failed: bool) -> None:
    """Close a block from a coroutine, and call what was waiting for its commit."""
    try:
        callbacks = await side.close(block, failed)
    except lazy.asyncio_module().CancelledError as cancelled:
        transaction = block.transaction
        if block.parent is None and transaction.committed:
            await _acall_then(transaction.callbacks, cancelled)
        raise
    if callbacks:
        await acall_back(callbacks)


async def acall_back(callbacks: Sequence[Callback]) -> None:
    """Call them on a loop."""
    for number, callback in enumerate(callbacks):
        try:
            await _acall(callback.function)
        except lazy.asyncio_module().CancelledError as cancelled:
            await _acall_then(callbacks[number + 1 :], cancelled)
        except Exception as error:
            if not callback.robust:
                raise
            _report(callback, error)


async def _acall(function: Callable[[], Any]) -> None:
    calling = call_from_loop(function)
    # a thread cannot be cancelled, only be left alone, or never be started
    await (calling if is_asynchronous(function) else to_the_end(calling))


async def _acall_then(callbacks: Sequence[Callback], cancelled: BaseException) -> NoReturn:
    """Call them before a cancellation goes on."""
    try:
        await to_the_end(acall_back(callbacks))
    except Exception as error:
        raise cancelled from error
    raise cancelled


def _report(callback: Callback, error: Exception) -> None:
    name = getattr(callback.function, "__qualname__", repr(callback.function))
    when = " during transaction" if callback.block is not None else ""
    logging.getLogger(_LOG).error(
        f"Error calling {name} in on_commit(){when} ({error}).",
        exc_info=True,
    )
