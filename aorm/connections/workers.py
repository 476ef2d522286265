"""Threads of aorm's own, where a coroutine's use of a synchronous connection runs.

1. The event loop's own threads will not do: user code may hold all of them while it waits for a
   transaction whose next statement needs one.
2. Whoever comes here has the turn on a connection, so there are never more threads at work than
   connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aorm.late import futures

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

MOST = 1000  # a number that is not reached: connections are bounded

_executor: ThreadPoolExecutor | None = None


def workers() -> ThreadPoolExecutor:
    """The executor; its threads are started when they are needed, and used again."""
    global _executor
    if _executor is None:
        _executor = futures.ThreadPoolExecutor(MOST, "aorm-worker")
    return _executor


def forget_workers() -> None:
    """In the child of a fork: the parent's threads are not here."""
    global _executor
    _executor = None
