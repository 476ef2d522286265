"""Calling what `on_commit` was given, after the commit and outside of the transaction.

1. In order, on the side where the transaction was opened; coroutine functions are awaited.
2. On a loop a synchronous function that was registered on a loop is called there; one that was
   registered by a thread is called in a thread, where it may use the synchronous API.
3. The failure of a `robust` one is logged; another's is raised, and those after it are not called.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable
from typing import Any

from aorm.connections.bridge import call_from_loop, call_from_thread
from aorm.connections.transaction import Callback

_log = logging.getLogger("aorm.backends.base")


def call_back(callbacks: Iterable[Callback]) -> None:
    """Call them from a thread."""
    for callback in callbacks:
        try:
            call_from_thread(callback.function)
        except Exception as error:
            if not callback.robust:
                raise
            _report(callback.function, error)


async def acall_back(callbacks: Iterable[Callback]) -> None:
    """Call them on a loop."""
    for callback in callbacks:
        try:
            await _called(callback)
        except Exception as error:
            if not callback.robust:
                raise
            _report(callback.function, error)


async def _called(callback: Callback) -> None:
    if not callback.on_loop:
        await call_from_loop(callback.function)
        return
    result = callback.function()
    if inspect.isawaitable(result):
        await result


def _report(function: Any, error: Exception) -> None:
    name = getattr(function, "__qualname__", repr(function))
    _log.error(f"Error calling {name} in on_commit() ({error}).", exc_info=True)
