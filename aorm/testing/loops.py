"""An event loop on a thread of its own: home of what outlives the loop of a single test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from aorm.connections import Database

R = TypeVar("R")


class LoopThread:
    """A loop that runs until `close`; it has connections of these databases."""

    def __init__(self) -> None:
        self.databases: set[Database] = set()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._turn, name="aorm-testing", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """What the coroutine returns, awaited on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def close(self) -> None:
        """Close the connections, stop the loop, and wait for its thread."""
        for database in self.databases:
            self.run(database.aclose())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def _turn(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
