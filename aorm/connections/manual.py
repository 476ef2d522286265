"""Transactions by hand: Django's functions, each with an asynchronous twin where it does I/O."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from aorm.connections import lazy
from aorm.connections.atomic import Using, database_of
from aorm.connections.bridge import is_asynchronous, refusal
from aorm.connections.callbacks import acall_back, call_back
from aorm.connections.databases import Database
from aorm.connections.immediate import Immediate
from aorm.connections.transaction import Block, Callback
from aorm.connections.turns import open_block
from aorm.errors import TransactionManagementError


def get_connection(using: Using = None) -> Database:
    """The database of an alias."""
    return database_of(using)


# --- on_commit -----------------------------------------------------------------------


def on_commit(callback: Callable[[], Any], using: Using = None, robust: bool = False) -> None:
    """Call a function, synchronous or not, after the current transaction has committed.

    Outside of a transaction it is called at once.  What is registered in a block that is rolled
    back is dropped.  The failure of a `robust` one is logged.
    """
    if _registered(callback, using, robust):
        return
    if lazy.running_loop() is not None and is_asynchronous(callback):
        raise refusal()
    call_back([Callback(callback, robust, None)])


async def aon_commit(
    callback: Callable[[], Any], using: Using = None, robust: bool = False
) -> None:
    """Call a function, synchronous or not, after the current transaction has committed."""
    if not _registered(callback, using, robust):
        await acall_back([Callback(callback, robust, None)])


def _registered(callback: Callable[[], Any], using: Using, robust: bool) -> bool:
    if not callable(callback):
        raise TypeError("on_commit()'s callback must be a callable.")
    inherited = database_of(using).block()
    block = open_block(inherited)
    if block is None:
        if inherited is not None:
            inherited.transaction.check()
        return False
    if block.transaction.manual and block.parent is None:
        raise TransactionManagementError(
            "on_commit() cannot be used in manual transaction management"
        )
    block.transaction.callbacks.append(Callback(callback, robust, block))
    return True


# --- the mark for rollback --------------------------------------------------------------


def get_rollback(using: Using = None) -> bool:
    """Whether the innermost block will be rolled back."""
    return _in_atomic(using).transaction.needs_rollback


def set_rollback(rollback: bool, using: Using = None) -> None:
    """Let the innermost block be rolled back on leaving it, or (False) undo such a mark."""
    transaction = _in_atomic(using).transaction
    if rollback:
        transaction.mark(None)
    else:
        transaction.unmark()


async def aget_rollback(using: Using = None) -> bool:
    """Whether the innermost block will be rolled back."""
    return get_rollback(using)


async def aset_rollback(rollback: bool, using: Using = None) -> None:
    """Let the innermost block be rolled back on leaving it, or (False) undo such a mark."""
    set_rollback(rollback, using)


def _in_atomic(using: Using) -> Block:
    return database_of(using).open_block(
        "The rollback flag doesn't work outside of an 'atomic' block."
    )


class mark_for_rollback_on_error(Immediate[None]):
    """A block, `with` or `async with`, whose failure leaves the transaction to be rolled back.

    For what consists of one statement: it needs no savepoint, and outside of a transaction nothing.
    """

    __slots__ = ("_using",)

    def __init__(self, using: Using = None) -> None:
        self._using = using

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        block = open_block(database_of(self._using).block())
        if error is not None and block is not None and block.transaction.usable:
            block.transaction.mark(error)


# --- savepoints, and transactions without autocommit ------------------------------------------


def savepoint_create(using: Using = None) -> str:
    """Make a savepoint; the answer is its name, for the other two."""
    return database_of(using).savepoint()


def savepoint_commit(sid: str, using: Using = None) -> None:
    """Keep what happened since a savepoint."""
    database_of(using).savepoint_commit(sid)


def savepoint_rollback(sid: str, using: Using = None) -> None:
    """Undo what happened since a savepoint, with what went wrong in it."""
    database_of(using).savepoint_rollback(sid)


async def asavepoint_create(using: Using = None) -> str:
    """Make a savepoint; the answer is its name, for the other two."""
    return await database_of(using).asavepoint()


async def asavepoint_commit(sid: str, using: Using = None) -> None:
    """Keep what happened since a savepoint."""
    await database_of(using).asavepoint_commit(sid)


async def asavepoint_rollback(sid: str, using: Using = None) -> None:
    """Undo what happened since a savepoint, with what went wrong in it."""
    await database_of(using).asavepoint_rollback(sid)


# the names that they had before Django 6.1
savepoint = savepoint_create
asavepoint = asavepoint_create


def clean_savepoints(using: Using = None) -> None:
    """Let the names of savepoints begin anew."""
    database_of(using).clean_savepoints()


def get_autocommit(using: Using = None) -> bool:
    """Whether each statement commits on its own."""
    return database_of(using).get_autocommit()


def set_autocommit(autocommit: bool, using: Using = None) -> None:
    """With False, what follows in this context is one transaction up to `commit` or `rollback`."""
    database_of(using).set_autocommit(autocommit)


async def aset_autocommit(autocommit: bool, using: Using = None) -> None:
    """With False, what follows in this context is one transaction up to `commit` or `rollback`."""
    await database_of(using).aset_autocommit(autocommit)


def commit(using: Using = None) -> None:
    """Commit, and begin the next transaction; needs `set_autocommit(False)`."""
    database_of(using).commit()


async def acommit(using: Using = None) -> None:
    """Commit, and begin the next transaction; needs `set_autocommit(False)`."""
    await database_of(using).acommit()


def rollback(using: Using = None) -> None:
    """Roll back, and begin the next transaction; needs `set_autocommit(False)`."""
    database_of(using).rollback()


async def arollback(using: Using = None) -> None:
    """Roll back, and begin the next transaction; needs `set_autocommit(False)`."""
    await database_of(using).arollback()
