"""Who holds the connections of a full pool, for the error that says so."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from time import monotonic
from typing import Any

from aorm.connections.connection import Pooled
from aorm.errors import PoolTimeout


def timeout_error(alias: str, limit: int, seconds: float, used: Iterable[Any]) -> PoolTimeout:
    """The error for a wait that took too long."""
    held = sorted(used, key=lambda connection: connection.used_at)
    lines = "".join(f"\n  {_described(connection)}" for connection in held)
    return PoolTimeout(
        f"no connection to {alias!r} became free within {seconds:g} s;"
        f" all {limit} are in use (option pool_size), by:{lines}"
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
