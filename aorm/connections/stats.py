"""What `Database.stats()` answers: how full the pools are, and how long others waited for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aorm.records import Record


class PoolStats(Record):
    """One pool at one moment; `size` is `idle + used + connecting`, and at most `limit`.

    Attributes:
        owner: "threads" for the pool of synchronous connections, else the loop's description.
        limit: the option `pool_size`.
        waiting: who waits for a connection right now.
        waits: how often somebody had to wait since the pool was made.
        wait_seconds: how long they waited, all together.
        longest_wait: the longest of these waits, in seconds.
    """

    owner: str
    limit: int
    size: int
    idle: int
    used: int
    connecting: int
    waiting: int
    waits: int
    wait_seconds: float
    longest_wait: float


class DatabaseStats(Record):
    """All pools of one database in this process, and their sums (the longest of `longest_wait`)."""

    pools: tuple[PoolStats, ...]
    size: int
    idle: int
    used: int
    connecting: int
    waiting: int
    waits: int
    wait_seconds: float
    longest_wait: float


SUMMED = ("size", "idle", "used", "connecting", "waiting", "waits", "wait_seconds")


def pool_stats(owner: str, state: Any) -> PoolStats:
    """The figures of one pool."""
    idle, used, connecting = len(state.idle), len(state.used), state.connecting
    return PoolStats(
        owner,
        state.limit,
        idle + used + connecting,
        idle,
        used,
        connecting,
        len(state.waiting),
        state.waits,
        state.wait_seconds,
        state.longest_wait,
    )


def database_stats(pools: Iterable[PoolStats]) -> DatabaseStats:
    """The figures of a database, of those of its pools."""
    found = tuple(pools)
    sums: dict[str, Any] = {name: sum(getattr(pool, name) for pool in found) for name in SUMMED}
    longest = max((pool.longest_wait for pool in found), default=0.0)
    return DatabaseStats(pools=found, longest_wait=longest, **sums)
