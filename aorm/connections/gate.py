"""One writer at a time, in order, for each SQLite file of this process.

SQLite itself lets writers of one file race for its lock and tells the losers 'database is locked'.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any
from weakref import WeakValueDictionary


class WriterGate:
    """A fair lock: whoever waits longest goes next.  Any thread may release it."""

    __slots__ = ("__weakref__", "_held", "_mutex", "_waiting")

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held = False
        self._waiting: deque[tuple[threading.Lock, Any]] = deque()

    def acquire(self, timeout: float, writer: object) -> bool:
        """Wait for the turn to write; False when it did not come in time, or was given up."""
        with self._mutex:
            if not self._held:
                self._held = True
                return True
            turn = threading.Lock()
            turn.acquire()
            entry = (turn, writer)
            self._waiting.append(entry)
        turn.acquire(timeout=timeout)
        with self._mutex:
            if entry in self._waiting:  # still in line: out of time, or given up
                self._waiting.remove(entry)
                return False
            return True  # also when it was handed over at the last moment

    def give_up(self, writer: object) -> None:
        """End the wait of this writer, if it waits; may be called from any thread."""
        with self._mutex:
            for turn, waiting in self._waiting:
                if waiting is writer and turn.locked():
                    turn.release()

    def release(self) -> None:
        """Hand over to the next in line."""
        with self._mutex:
            if not self._waiting:
                self._held = False
                return
            turn, _ = self._waiting.popleft()
            if turn.locked():  # else its writer has given up, but not yet left the line
                turn.release()


_gates: WeakValueDictionary[str, WriterGate] = WeakValueDictionary()
_making = threading.Lock()


def gate_of(name: str) -> WriterGate:
    """The gate of a file, shared by all databases of this process that mean it."""
    with _making:
        gate = _gates.get(name)
        if gate is None:
            gate = _gates[name] = WriterGate()
        return gate


def forget_gates() -> None:
    """In the child of a fork: its threads hold none of the parent's locks."""
    _gates.clear()
