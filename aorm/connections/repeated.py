"""Interruptions of SQLite are repeated: it forgets one that comes just before a statement begins.

Source: SQLite, 'Interrupt A Long-Running Query'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

AGAIN = 0.02  # seconds


class Repeated:
    """Calls a function after a delay in seconds, and then regularly until the block ends."""

    __slots__ = ("_delay", "_function", "_loop", "_timer")

    def __init__(self, loop: AbstractEventLoop, function: Callable[[], Any], delay: float) -> None:
        self._loop = loop
        self._function = function
        self._delay = delay

    def __enter__(self) -> None:
        if self._delay:
            self._timer = self._loop.call_later(self._delay, self._call)
        else:
            self._call()

    def _call(self) -> None:
        self._function()
        self._timer = self._loop.call_later(AGAIN, self._call)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
