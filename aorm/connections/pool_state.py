"""What a pool decides, apart from how it waits and connects.

1. `size = idle + used + connecting`, and never more than the limit.
2. Who waits is served in order; a newcomer does not overtake, since nothing is idle while somebody
   waits.
3. What is handed to a waiter is a connection, or None: the right to make one.
4. `idle` stays the same list, so that threads may take from it and give to it without a lock; what
   is used is whatever else is there.
"""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Generic, TypeVar

C = TypeVar("C")
W = TypeVar("W")
K = TypeVar("K")


class PoolState(Generic[C, W]):
    """The connections of one pool and those who wait for one."""

    __slots__ = (
        "connecting",
        "idle",
        "limit",
        "longest_wait",
        "there",
        "wait_seconds",
        "waiting",
        "waits",
    )

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.idle: list[C] = []
        self.there: set[C] = set()
        self.connecting = 0
        self.waiting: deque[W] = deque()
        self.waits = 0
        self.wait_seconds = self.longest_wait = 0.0

    def note_wait(self, seconds: float) -> None:
        """Somebody waited this long, served or not."""
        self.waits += 1
        self.wait_seconds += seconds
        if seconds > self.longest_wait:
            self.longest_wait = seconds

    def all_held_by(self, holder: object) -> bool:
        """Whether this holder has every connection itself, so that it would wait for ever."""
        used = self.used
        if holder is None or len(used) < self.limit:
            return False
        return all(getattr(connection, "holder", None) == holder for connection in used)

    @property
    def used(self) -> set[C]:
        """The connections that somebody has right now."""
        return self.there.difference(self.idle)

    @property
    def size(self) -> int:
        """Connections that are there or on their way."""
        return len(self.there) + self.connecting

    def take(self) -> C | None:
        """The connection that was used last, now in use; None when none is idle."""
        try:
            return self.idle.pop()
        except IndexError:
            return None

    def reserve(self) -> bool:
        """Whether one more connection may be made; it then counts as connecting."""
        if self.size >= self.limit:
            return False
        self.connecting += 1
        return True

    def connected(self, connection: C) -> None:
        """A reserved connection is there, in use."""
        self.connecting -= 1
        self.there.add(connection)

    def failed(self) -> W | None:
        """A reserved connection could not be made; the answer is who may try instead."""
        self.connecting -= 1
        return self._next_to_connect()

    def give(self, connection: C) -> W | None:
        """A sound connection comes back; the answer is who has it now, if anybody waits."""
        waiter = self.next()
        if waiter is not None:
            return waiter
        self.idle.append(connection)
        return None

    def drop(self, connection: C) -> W | None:
        """A connection in use is gone; the answer is who may make another."""
        self.there.discard(connection)
        return self._next_to_connect()

    def expire(self) -> list[C]:
        """Forget all idle connections; the answer is what to close."""
        expired = []
        while (connection := self.take()) is not None:
            expired.append(connection)
        self.there.difference_update(expired)
        return expired

    def next(self) -> W | None:
        """Who is first in line, and now is not in it any more."""
        return self.waiting.popleft() if self.waiting else None

    def leave(self, waiter: W) -> bool:
        """A waiter gives up; False when it was served already."""
        try:
            self.waiting.remove(waiter)
        except ValueError:
            return False
        return True

    def _next_to_connect(self) -> W | None:
        if not self.waiting or not self.reserve():
            return None
        waiter = self.next()
        if waiter is None:
            self.connecting -= 1
        return waiter


class SharedState(PoolState[C, W]):
    """The same where other threads take from the line too; `mutex` guards it."""

    __slots__ = ("mutex",)

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.mutex = Lock()

    def next(self) -> W | None:
        """Who is first in line, and now is not in it any more."""
        with self.mutex:
            return super().next()

    def note_wait(self, seconds: float) -> None:
        """Somebody waited this long, served or not."""
        with self.mutex:
            super().note_wait(seconds)

    def leave(self, waiter: W) -> bool:
        """A waiter gives up; False when it was served already."""
        with self.mutex:
            return super().leave(waiter)

    def first(self, kind: type[K]) -> K | None:
        """Who is first in line, if it is of this kind."""
        with self.mutex:
            first = self.waiting[0] if self.waiting else None
        return first if isinstance(first, kind) else None

    def next_of(self, kind: type[K]) -> K | None:
        """Who is first in line, if it is of this kind, and now is not in it any more."""
        with self.mutex:
            first = self.waiting[0] if self.waiting else None
            if not isinstance(first, kind):
                return None
            self.waiting.popleft()
            return first
