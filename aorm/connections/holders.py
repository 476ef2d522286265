"""Who holds the connections of a full pool, for the error that says so."""

from __future__ import annotations

import threading
from collections.abc import Collection
from time import monotonic
from typing import Any

from aorm.connections.connection import Pooled
from aorm.errors import PoolDeadlock, PoolTimeout


def timeout_error(alias: str, limit: int, seconds: float, used: Collection[Any]) -> PoolTimeout:
    """The error for a wait that took too long."""
    held = sorted(used, key=lambda connection: connection.used_at)
    lines = "".join(f"\n  {_described(connection)}" for connection in held)
    return PoolTimeout(
        f"no connection to {alias!r} became free within {seconds:g} s;"
        f" all {limit} are in use (option pool_size), by:{lines}"
    )


def deadlock_error(alias: str, limit: int, used: Collection[Any]) -> PoolDeadlock:
    """The error for a wait that could never end."""
    lines = "".join(f"\n  {_described(connection)}" for connection in used)
    return PoolDeadlock(
        f"{_name(next(iter(used)).holder)} holds all {limit} connections to {alias!r} itself and"
        " asks for one more; end the stream or transaction first, work inside of the transaction,"
        f" or raise the option pool_size.  They are:{lines}"
    )


def _described(connection: Pooled) -> str:
    seconds = monotonic() - connection.used_at
    open_block = "in a transaction" if not connection.idle() else "in no transaction"
    last = " ".join(connection.last_sql().split())
    return f"{_name(connection.holder)} for {seconds:.1f} s, {open_block}, last: {last[:80]!r}"


def _name(holder: Any) -> str:
    if isinstance(holder, int):
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        return f"thread {names.get(holder, 'that has ended')}"
    return f"task {holder.get_name()}" if holder is not None else "a callback of the loop"
