"""`explain_runtime()`: what a call made here would use, as the table of homes says.

Nothing is asked of a database, and nothing is opened: the answer is what is known in this moment.
"""

from __future__ import annotations

import threading
from typing import Any

from aorm.connections import lazy
from aorm.connections.atomic import database_of
from aorm.connections.connection import Pooled
from aorm.connections.stats import PoolStats, pool_stats
from aorm.connections.transaction import Block, Transaction
from aorm.connections.turns import open_block
from aorm.records import Record

DIRECTLY = "directly"
IN_WORKER = "in a worker thread, awaited"
SENT_AWAITED = "on the transaction's event loop, awaited"
SENT_BLOCKING = "on the transaction's event loop, this thread waits"
REFUSED = "not at all"


class ConnectionInUse(Record):
    """A connection: its number in this process, and PostgreSQL's process that serves it."""

    number: int
    server_process: int | None

    def __str__(self) -> str:
        process = f", process {self.server_process} of the server" if self.server_process else ""
        return f"number {self.number}{process}"


class TransactionInUse(Record):
    """A transaction: where it was opened, and what has become of it."""

    where: str  # file:line
    innermost: str  # the same of the innermost block that is open here
    state: str  # "open", "to be rolled back" or "ended"
    savepoints: int  # nested blocks that are open here
    of_test: bool  # around all code, by aorm.testing
    waits_for: str | None  # file:line of somebody else's nested block, which must be closed first

    def __str__(self) -> str:
        lines = [f"opened at {self.where}, {self.state}"]
        if self.of_test:
            lines.append("of a test: around all code, rolled back at its end")
        if self.savepoints:
            lines.append(f"nested blocks: {self.savepoints}, the innermost of {self.innermost}")
        if self.waits_for:
            lines.append(f"waits for the nested block opened at {self.waits_for}")
        return "\n".join(lines)


class Runtime(Record):
    """What a call would use; `str()` of it is a table."""

    alias: str
    url: str  # without the password
    thread: str
    thread_id: int
    loop: Any  # the event loop that runs on this thread, or None
    driver: str
    runs: str  # where the statement runs, seen from here
    home: Any  # the event loop of the transaction's connection; None for none
    pool: PoolStats | None  # None where there is none yet
    connection: ConnectionInUse | None  # None: a new one, or the first to become free
    transaction: TransactionInUse | None
    problem: str | None  # why the call would be refused

    def __str__(self) -> str:
        lines = [
            ("database", f"{self.alias}, {self.url}"),
            ("thread", f"{self.thread} ({self.thread_id})"),
            ("event loop", _shown(self.loop)),
            ("driver", self.driver),
            ("runs", self.runs),
            ("pool", "none yet" if self.pool is None else _figures(self.pool)),
            ("connection", str(self.connection or _NEXT)),
            ("transaction", str(self.transaction or "none: each statement commits on its own")),
        ]
        if self.transaction is not None and self.transaction.state != "ended":
            lines.insert(3, ("home", _shown(self.home)))
        if self.problem is not None:
            lines.append(("problem", self.problem))
        return "\n".join(_row(name, text) for name, text in lines)


_NEXT = "a new one, or the first that becomes free"


def _row(name: str, text: str) -> str:
    return f"{name:12}" + text.replace("\n", "\n" + " " * 12)


def _figures(pool: PoolStats) -> str:
    owner = "threads" if pool.owner == "threads" else "the event loop"
    return (
        f"of {owner}: {pool.size} of {pool.limit} connections, {pool.idle} idle, {pool.used} in"
        f" use, {pool.connecting} on their way, {pool.waiting} calls waiting"
    )


def _shown(loop: Any) -> str:
    return "none: synchronous" if loop is None else f"{type(loop).__name__} at {id(loop):#x}"


def explain_runtime(using: Any = "default") -> Runtime:
    """Which thread, loop, pool, connection and transaction a call made here would use.

    On a thread with a running event loop that is a call of the asynchronous API, elsewhere one of
    the synchronous API.  Nothing is sent and nothing is opened.

    Args:
        using: the alias of the database.

    Raises:
        ConnectionDoesNotExist: there is no such alias.
    """
    database = database_of(using)
    block = database.block()
    thread = threading.current_thread()
    loop = lazy.running_loop()
    parts = _without(database, loop) if block is None else _within(block, loop)
    return Runtime(
        alias=database.alias,
        url=database.url,
        thread=thread.name,
        thread_id=threading.get_ident(),
        loop=loop,
        **parts,
    )


def _without(database: Any, loop: Any) -> dict[str, Any]:
    """What a call outside of all transactions would use."""
    address = database.address
    pool = database.sync_pool if loop is None else database.async_pools.get(loop)
    idle = [] if pool is None else pool.state.idle
    return {
        "driver": address.sync_driver if loop is None else address.async_driver,
        "runs": DIRECTLY,
        "home": None,
        "pool": _pool(pool, loop),
        "connection": _connection(idle[-1]) if idle else None,
        "transaction": None,
        "problem": None,
    }


def _within(block: Block, loop: Any) -> dict[str, Any]:
    """What a call inside of a transaction would use."""
    transaction = block.transaction
    home, address = transaction.home, transaction.database.address
    problem = _problem(transaction)
    return {
        "driver": address.sync_driver if home is None else address.async_driver,
        "runs": _way(home, loop) if problem is None else REFUSED,
        "home": home,
        "pool": _pool(transaction.pool, home),
        "connection": None if transaction.ended else _connection(transaction.connection),
        "transaction": _transaction(block),
        "problem": problem,
    }


def _way(home: Any, loop: Any) -> str:
    if home is loop:
        return DIRECTLY
    if home is None:
        return IN_WORKER
    return SENT_BLOCKING if loop is None else SENT_AWAITED


def _problem(transaction: Transaction) -> str | None:
    if transaction.ended:
        return "the transaction has ended: await this code inside of it, or start it detached"
    if transaction.needs_rollback:
        return "the block has to be rolled back: end it"
    if transaction.home is not None and not transaction.home.is_running():
        return "the event loop of the transaction has stopped"
    return None


def _transaction(block: Block) -> TransactionInUse:
    transaction = block.transaction
    inner = open_block(block)
    obstacle = None if inner is None else transaction.turns.obstacle(inner)
    state = "to be rolled back" if transaction.needs_rollback else "open"
    return TransactionInUse(
        where=transaction.root.where,
        innermost=transaction.root.where if inner is None else inner.where,
        state="ended" if transaction.ended else state,
        savepoints=_depth(inner),
        of_test=transaction.root is transaction.database.around,
        waits_for=None if obstacle is None else obstacle.where,
    )


def _depth(block: Block | None) -> int:
    depth = 0
    while block is not None and block.parent is not None:
        block = block.parent
        depth += 1
    return depth


def _pool(pool: Any, loop: Any) -> PoolStats | None:
    return None if pool is None else pool_stats(_owner(loop), pool.state)


def _owner(loop: Any) -> str:
    return "threads" if loop is None else f"loop {loop!r}"


def _connection(connection: Pooled) -> ConnectionInUse:
    return ConnectionInUse(connection.number, connection.server_process())
