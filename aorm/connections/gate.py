"""One writer at a time, in order, for each SQLite file of this process.

SQLite itself lets writers of one file race for its lock and tells the losers 'database is locked'.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any
from weakref import WeakValueDictionary


class WriterGate:
    """A fair lock: whoever waits longest goes next.  Any thread may release it.

    Who finds it free takes the one token that it has, and puts it back if nobody waits: that needs
    no other lock, which would cost three times as much.
    """

    __slots__ = ("__weakref__", "_free", "_mutex", "_waiting")

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._free = [True]
        self._waiting: deque[tuple[threading.Lock, Any]] = deque()

    def acquire(self, timeout: float, writer: object) -> bool:
        """Wait for the turn to write; False when it did not come in time, or was given up."""
        try:
            return self._free.pop()
        except IndexError:
            pass
        with self._mutex:
            turn = threading.Lock()
            turn.acquire()
            entry = (turn, writer)
            self._waiting.append(entry)
            # Somebody may have put it back without having seen that we wait.
            self._hand_over()
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
        if self._waiting:
            with self._mutex:
                if self._waiting:
                    self._serve()
                    return
        self._free.append(True)
        if self._waiting:
            with self._mutex:
                self._hand_over()

    def _hand_over(self) -> None:
        """Serve the first in line, if there is one and the token is still there."""
        if not self._waiting:
            return
        try:
            self._free.pop()
        except IndexError:
            return
        self._serve()

    def _serve(self) -> None:
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
