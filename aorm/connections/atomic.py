"""`atomic()`: all that happens in the block is kept, or nothing.

1. One object serves `with`, `async with` and the decoration of both kinds of functions, any number
   of times; a decorated function opens a block of its own on each call.
2. The block may be left in another context than the one where it was entered: the object remembers
   what it opened.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, TypeAlias, TypeVar, overload

from aorm.connections import lazy
from aorm.connections.bound import BoundDatabase
from aorm.connections.bridge import async_side, refusal, sync_side
from aorm.connections.callbacks import aclose_and_call_back, call_back
from aorm.connections.current import current_block, enter, entered_block, leave
from aorm.connections.databases import Database, connections
from aorm.connections.sides import abegin, begin
from aorm.connections.transaction import Block, begin_sql, place_of_caller
from aorm.connections.turns import open_block
from aorm.errors import (
    DatabaseError,
    NotSupportedError,
    OperationalError,
    TransactionManagementError,
)
from aorm.late import inspect, random

F = TypeVar("F", bound=Callable[..., Any])

#: What says where something is done: an alias, a database, or a transaction.
Using: TypeAlias = "str | Database | Block | Atomic | None"

ISOLATION_LEVELS = ("read uncommitted", "read committed", "repeatable read", "serializable")
WORTH_RETRYING = ("40001", "40P01")  # serialization failure, deadlock
LONGEST_PAUSE = 1.0  # seconds


class Atomic:
    """What `atomic()` returns."""

    def __init__(
        self,
        using: Using,
        savepoint: bool,
        durable: bool,
        isolation: str | None,
        read_only: bool,
        deferrable: bool | None,
        retries: int,
    ) -> None:
        if isolation is not None and isolation.lower() not in ISOLATION_LEVELS:
            raise ValueError(
                f"unknown isolation level {isolation!r}; there are {', '.join(ISOLATION_LEVELS)}"
            )
        if retries < 0:
            raise ValueError(f"retries={retries}: there are no fewer than none")
        self.using: Using = "default" if using is None else using
        self.savepoint = savepoint
        self.durable = durable
        self.isolation = isolation
        self.read_only = read_only
        self.deferrable = deferrable
        self.retries = retries
        self._from_testcase = False
        self._decorates = False
        self._opened: list[Block] = []

    # --- entering and leaving ---------------------------------------------------------

    def __enter__(self) -> Block:
        if lazy.running_loop() is not None:
            raise refusal()
        database, outer = self._outer()
        place = place_of_caller()
        if outer is not None:
            side = sync_side(outer.transaction)
            return self._entered(database, side.open(outer, self.savepoint, self, place))
        source = self._source(database)
        pool = source.sync_pool or source.make_sync_pool()
        connection = pool.take()
        try:
            transaction = begin(database, pool, connection, self._begin(database), self, place)
        except BaseException:
            pool.give(connection)
            raise
        return self._entered(database, transaction.root)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if lazy.running_loop() is not None:
            raise refusal()
        block = self._left()
        callbacks = sync_side(block.transaction).close(block, kind is not None)
        if callbacks:
            call_back(callbacks)

    async def __aenter__(self) -> Block:
        database, outer = self._outer()
        place = place_of_caller()
        if outer is not None:
            side = async_side(outer.transaction)
            opened = await side.open(outer, self.savepoint, self, place)
            return self._entered_by_task(database, opened)
        source = self._source(database)
        pool = source.async_pools.get(lazy.running_loop()) or source.make_async_pool()
        connection = pool.take() or await pool.acquire()
        try:
            begun = self._begin(database)
            transaction = await abegin(database, pool, connection, begun, self, place)
        except BaseException:
            pool.give(connection)
            raise
        return self._entered_by_task(database, transaction.root)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        block = self._left()
        await aclose_and_call_back(async_side(block.transaction), block, kind is not None)

    def _outer(self) -> tuple[Database, Block | None]:
        if self.retries and not self._decorates:
            raise TransactionManagementError(
                "a `with` block cannot be run again: retries are for a decorated function,"
                " @atomic(retries=...)"
            )
        database = database_of(self.using)
        inherited = current_block(database)
        outer = open_block(inherited)
        if inherited is not None and outer is None:
            inherited.transaction.check()
        if outer is None:
            return database, None
        if not _ends_here(outer):
            return database, outer
        if self.retries:
            raise TransactionManagementError("a block with retries cannot be inside another one")
        if self.durable:
            raise RuntimeError(
                "A durable atomic block cannot be nested within another atomic block."
            )
        writes = not getattr(outer.transaction.root.owner, "read_only", False)
        if self.isolation or self.deferrable is not None or (self.read_only and writes):
            raise TransactionManagementError(
                "isolation, read_only and deferrable are set where a transaction begins; this one"
                f" began at {outer.transaction.root.where}"
            )
        return database, outer

    def _source(self, database: Database) -> Database:
        """Whose connection a transaction begins on."""
        return database

    def _begin(self, database: Database) -> str:
        if database.vendor == "sqlite" and (self.isolation or "serializable") != "serializable":
            raise NotSupportedError("transactions of SQLite are always serializable")
        return begin_sql(database.vendor, self.isolation, self.read_only, self.deferrable)

    def _entered(self, database: Database, block: Block) -> Block:
        database = database.unbound
        self._opened.append(block)
        block.before = entered_block(database)
        enter(database, block)
        if self._from_testcase:
            database.around = block  # code that does not inherit it is in it as well
        return block

    def _entered_by_task(self, database: Database, block: Block) -> Block:
        block.entered_by = weakref.ref(lazy.asyncio_module().current_task())
        return self._entered(database, block)

    @property
    def block(self) -> Block:
        """The block that was entered last and is open; TransactionManagementError without one."""
        for block in reversed(self._opened):
            if not block.closed:
                return block
        raise TransactionManagementError("this transaction is not open: it was not entered yet")

    def _left(self) -> Block:
        database = database_of(self.using).unbound
        block = current_block(database)
        if block is None or block.owner is not self or block not in self._opened:
            block = self._opened[-1]
        self._opened.remove(block)
        if database.around is block:
            outer = block.parent
            database.around = None if outer is None or _ends_here(outer) else outer
        leave(database, block)
        leave(block.transaction.database, block)  # another one after `configure` inside the block
        return block

    # --- as a decorator ---------------------------------------------------------------

    def __call__(self, function: F) -> F:
        """The function inside a block of its own on each call."""
        inner: Any
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def inner(*args: Any, **kwargs: Any) -> Any:
                for attempt in range(self.retries + 1):
                    try:
                        async with self._again():
                            return await function(*args, **kwargs)
                    except DatabaseError as error:
                        self._give_up_or_go_on(error, attempt)
                    await lazy.asyncio_module().sleep(_pause(attempt))

        else:

            @wraps(function)
            def inner(*args: Any, **kwargs: Any) -> Any:
                for attempt in range(self.retries + 1):
                    try:
                        with self._again():
                            return function(*args, **kwargs)
                    except DatabaseError as error:
                        self._give_up_or_go_on(error, attempt)
                    time.sleep(_pause(attempt))

        return inner  # type: ignore[no-any-return]

    def _again(self) -> Atomic:
        again = Atomic(
            self.using,
            self.savepoint,
            self.durable,
            self.isolation,
            self.read_only,
            self.deferrable,
            self.retries,
        )
        again._from_testcase = self._from_testcase
        again._decorates = True
        return again

    def _give_up_or_go_on(self, error: DatabaseError, attempt: int) -> None:
        if attempt >= self.retries or not _is_worth_retrying(error):
            raise error


def _ends_here(outer: Block) -> bool:
    """Whether a commit inside of this block would end with it, and not with a test's."""
    return not getattr(outer.owner, "_from_testcase", False)


def _is_worth_retrying(error: DatabaseError) -> bool:
    state = getattr(error.__cause__, "sqlstate", None)
    locked = isinstance(error, OperationalError) and "database is locked" in str(error)
    return state in WORTH_RETRYING or locked


def _pause(attempt: int) -> float:
    return min(LONGEST_PAUSE, 0.01 * 2.0**attempt) * random.uniform(0.5, 1.0)


def database_of(using: Using) -> Database:
    """The database of an alias; a `Database` is itself; a transaction, its own as seen from it."""
    if using is None or isinstance(using, str):
        return connections[using or "default"]
    if isinstance(using, Database):
        return using
    block = using.block if isinstance(using, Atomic) else using
    if not isinstance(block, Block):
        raise TypeError(f"neither the alias of a database nor a transaction: {using!r}")
    return BoundDatabase(block.transaction.database, block)


@overload
def atomic(using: F) -> F: ...


@overload
def atomic(
    using: Using = None,
    savepoint: bool = True,
    durable: bool = False,
    *,
    isolation: str | None = None,
    read_only: bool = False,
    deferrable: bool | None = None,
    retries: int = 0,
) -> Atomic: ...


def atomic(
    using: Any = None,
    savepoint: bool = True,
    durable: bool = False,
    *,
    isolation: str | None = None,
    read_only: bool = False,
    deferrable: bool | None = None,
    retries: int = 0,
) -> Any:
    """A block that is kept as a whole or not at all: for `with`, `async with`, or as a decorator.

    `using` is the alias of a database, or an open transaction that the block shall be in, wherever
    it was opened: what `with` gave, or the object that was entered.

    A nested block is a savepoint, unless `savepoint` is false: then its failure undoes the outer
    one.  A `durable` block refuses to be nested.  `isolation`, `read_only` and `deferrable` are of
    the transaction; nothing can be written in a `read_only` one.  With `retries`, a decorated
    function runs again, that many times, after a serialization failure, a deadlock, or a wait for
    SQLite's lock that took too long: on a transaction of its own, and with `on_commit` callbacks
    of its own.
    """
    options = (savepoint, durable, isolation, read_only, deferrable, retries)
    if callable(using) and not isinstance(using, Atomic):
        return Atomic(None, *options)(using)
    return Atomic(using, *options)
