"""Where reads meet a database that may have replicas; the rest is in `run`.

Inside of a transaction, and where there are no replicas, these are `run` and `stream`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from typing import Any, TypeVar

from aorm.connections.current import current_block
from aorm.connections.databases import connections
from aorm.connections.positions import marks_here, token_of
from aorm.connections.replicas import Plan, choice, position_of, reading
from aorm.connections.run import arun, astream, run, stream
from aorm.errors import Error
from aorm.steps import Doing, Statement

R = TypeVar("R")


def read(operation: Doing[R], database: Any) -> R:
    """Drive an operation that only reads from synchronous code, as `run` does."""
    if database.replicas is None or current_block(database) is not None:
        return run(operation, database, False)
    return _followed(reading(operation, database))


async def aread(operation: Doing[R], database: Any) -> R:
    """Drive an operation that only reads from a coroutine, as `arun` does."""
    if database.replicas is None or current_block(database) is not None:
        return await arun(operation, database, False)
    return await _afollowed(reading(operation, database))


def _followed(plan: Plan[R]) -> R:
    try:
        place, operation = next(plan)
        while True:
            try:
                reply = run(operation, place, False)
            except BaseException as error:
                place, operation = plan.throw(error)
            else:
                place, operation = plan.send(reply)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


async def _afollowed(plan: Plan[R]) -> R:
    try:
        place, operation = next(plan)
        while True:
            try:
                reply = await arun(operation, place, False)
            except BaseException as error:
                place, operation = plan.throw(error)
            else:
                place, operation = plan.send(reply)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


# --- streams -----------------------------------------------------------------------


def read_stream(statement: Statement, database: Any, size: int) -> Iterator[list[Any]]:
    """The rows of a statement in lists, as `stream` gives them.

    The primary takes the place of a replica only before the first rows.
    """
    replica = None
    if database.replicas is not None and current_block(database) is None:
        replica = _followed(choice(database))
    if replica is not None:
        with closing(stream(statement, replica.database, size)) as pieces:  # type: ignore[type-var]
            try:
                first = next(pieces, None)
            except Error as error:
                if not replica.excuses(error):
                    raise
            else:
                if first is not None:
                    yield first
                    yield from pieces
                return
    yield from stream(statement, database, size)


async def aread_stream(statement: Statement, database: Any, size: int) -> AsyncIterator[list[Any]]:
    """The same for `async for`; who breaks out early should `aclose()` the iterator."""
    replica = None
    if database.replicas is not None and current_block(database) is None:
        replica = await _afollowed(choice(database))
    if replica is not None:
        async with aclosing(astream(statement, replica.database, size)) as pieces:  # type: ignore[type-var]
            try:
                first = await anext(pieces, None)
            except Error as error:
                if not replica.excuses(error):
                    raise
            else:
                if first is not None:
                    yield first
                    async for rows in pieces:
                        yield rows
                return
    async with aclosing(astream(statement, database, size)) as pieces:  # type: ignore[type-var]
        async for rows in pieces:
            yield rows


# --- positions ---------------------------------------------------------------------


def write_position() -> str:
    """What this code has written so far, as a token for `after_position`.

    It stands for the writes of the innermost `after_position` and what that began with, of the
    process outside of all; it is empty where nothing was written, or no database has replicas.
    It fits into a cookie or a header.
    """
    return _followed(_positions())


async def awrite_position() -> str:
    return await _afollowed(_positions())


def _positions() -> Plan[str]:
    positions = {}
    for alias, database in connections.items():
        if database.replicas is not None:
            position = yield from position_of(database, marks_here(database))
            if position:
                positions[alias] = position
    return token_of(positions)
