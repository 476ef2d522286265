"""Where operations meet a database: `run` for threads, `arun` for coroutines.

1. An operation is started before a connection is borrowed, and always driven to its end: replies
   are sent into it, failures are thrown into it.
2. Inside of an open transaction of the database its statements go to that connection, in turns.
3. A block inside an operation (`Enter`) is in the context while user code (`Call`) runs, so what
   that code does is part of it.
4. On aiosqlite everything between two calls of user code is one hop: see `hops`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any, TypeVar

from aorm.connections import capture, hops, lazy
from aorm.connections.bridge import (
    async_side,
    call_from_loop,
    call_from_thread,
    refusal,
    sync_side,
)
from aorm.connections.callbacks import aclose_and_call_back, call_back
from aorm.connections.current import current_block, enter, leave
from aorm.connections.inside import Inside
from aorm.connections.positions import SCOPE, wrote
from aorm.connections.sides import abegin, begin
from aorm.connections.transaction import Block, begin_sql, place_of_caller
from aorm.errors import TransactionManagementError
from aorm.steps import (
    Call,
    CopyIn,
    CopyOut,
    Doing,
    Enter,
    Leave,
    Operation,
    Read,
    Rest,
    Single,
    Statement,
)

R = TypeVar("R")


def run(operation: Doing[R], database: Any, writes: bool = True) -> R:
    """Drive an operation from synchronous code; the answer is its value.

    One that does not write leaves what later reads have to see (see `positions`) as it is.

    Raises SynchronousOnlyOperation on the thread of a running event loop, and what the operation
    raises.
    """
    drive: Any
    step: Any
    if type(operation) is Single:
        step, drive = operation.step, _ask
    else:
        try:
            step, drive = operation.send(None), _drive  # type: ignore[union-attr]
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
    if lazy.running_loop() is not None:
        _drop(operation)
        raise refusal()
    block = current_block(database)
    if block is not None:
        inside = block.inside
        if inside is None or capture.watching:
            inside = _inside(block)
        if database.is_bound:
            with database.staying(block):
                return drive(operation, step, inside, database.unbound)  # type: ignore[no-any-return]
        return drive(operation, step, inside, database)  # type: ignore[no-any-return]
    pool = database.sync_pool or database.make_sync_pool()
    try:
        connection = pool.take()
    except BaseException:
        _drop(operation)
        raise
    try:
        target = capture.watched(connection, database.alias) if capture.watching else connection
        return drive(operation, step, target, database)  # type: ignore[no-any-return]
    finally:
        if writes and database.replicas is not None:
            wrote(database, SCOPE.get())
        pool.give(connection)


def _drop(operation: Any) -> None:
    """An operation that was started and will not run."""
    if type(operation) is not Single:
        operation.close()


def _inside(block: Block) -> Inside:
    """The block for this thread; kept where it is the same for every thread."""
    inside = Inside(sync_side(block.transaction), block)
    if block.transaction.home is None and not capture.watching:
        block.inside = inside
    return inside


def _ask(single: Single[Any], step: Statement, target: Any, database: Any) -> Any:
    """As `_drive`, for an operation of one statement."""
    try:
        if type(step) is Read:
            reply = target.read(step)
        else:
            reply = getattr(target, step.method)(step.sql, step.params)
    except BaseException as error:
        if type(target) is Inside:
            target.note(step, error)
        raise
    value = single.finish(reply)
    if type(value) is not Rest:
        return value
    rest = value.operation
    try:
        return _drive(rest, rest.send(None), target, database)
    except StopIteration as done:
        return done.value


def _drive(operation: Operation[Any], step: Any, target: Any, database: Any) -> Any:
    send = operation.send
    try:
        while True:
            try:
                kind = type(step)
                if kind is Read:
                    reply = target.read(step)
                elif issubclass(kind, Statement):
                    reply = getattr(target, step.method)(step.sql, step.params)
                elif kind is Call:
                    reply = call_from_thread(step.function, *step.arguments)
                elif kind is CopyIn:
                    reply = target.copy_in(step.sql, step.data)
                elif kind is CopyOut:
                    reply = target.copy_out(step.sql, step.write)
                elif kind is Enter:
                    target = _entered(target, step.savepoint, database)
                    reply = target.block
                elif kind is Leave:
                    inside, target, reply = target, target.outer, None
                    _left(inside, step, database)
                else:
                    raise TypeError(f"not a step: {step!r}")
            except BaseException as error:
                if type(target) is Inside:
                    target.note(step, error)
                step = operation.throw(error)
            else:
                step = send(reply)
    except StopIteration as done:
        return done.value


def _entered(target: Any, savepoint: bool, database: Any) -> Inside:
    place = place_of_caller()
    if type(target) is Inside:
        block = target.side.open(target.block, savepoint, None, place)
        inside = Inside(target.side, block, target)
    else:
        connection = getattr(target, "connection", target)  # not what captures it
        sql = begin_sql(database.vendor, None, False, None)
        transaction = begin(database, None, connection, sql, None, place)
        inside = Inside(transaction.side, transaction.root, target)
    enter(database, inside.block)
    return inside


def _left(inside: Inside, step: Leave, database: Any) -> None:
    leave(database, inside.block)
    callbacks = inside.side.close(inside.block, step.failed)
    if callbacks:
        call_back(callbacks)


async def arun(operation: Doing[R], database: Any, writes: bool = True) -> R:
    """Drive an operation from a coroutine; the answer is its value."""
    drive: Any
    step: Any
    if type(operation) is Single:
        step, drive = operation.step, _aask
    else:
        try:
            step, drive = operation.send(None), _adrive  # type: ignore[union-attr]
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
    block = current_block(database)
    if block is not None:
        if database.is_bound:
            with database.staying(block):
                return await _adrive_inside(drive, operation, step, block, database.unbound)  # type: ignore[no-any-return]
        return await _adrive_inside(drive, operation, step, block, database)  # type: ignore[no-any-return]
    pool = database.async_pools.get(lazy.running_loop()) or database.make_async_pool()
    if database.hops:
        if drive is _adrive:
            return await pool.perform(operation, step, database)  # type: ignore[no-any-return]
        if not capture.watching:
            return await pool.ask(operation, database)  # type: ignore[no-any-return]
        operation = iter(operation)
        return await pool.perform(operation, operation.send(None), database)  # type: ignore[no-any-return]
    connection = pool.take()
    if connection is None:
        try:
            connection = await pool.acquire()
        except BaseException:
            _drop(operation)
            raise
    try:
        target = capture.watched(connection, database.alias) if capture.watching else connection
        return await drive(operation, step, target, database)  # type: ignore[no-any-return]
    finally:
        if writes and database.replicas is not None:
            wrote(database, SCOPE.get())
        pool.give(connection)


def _adrive_inside(drive: Any, operation: Any, step: Any, block: Block, database: Any) -> Any:
    side = async_side(block.transaction)
    if side is block.transaction.side and hasattr(side.connection, "inner"):
        if type(step) is Read and drive is _aask:
            # results are made on the thread, not on the loop
            operation = iter(operation)
            step, drive = operation.send(None), _adrive
        if drive is _adrive:
            return hops.drive_inside(operation, step, block)
    return drive(operation, step, Inside(side, block), database)


async def _aask(single: Single[Any], step: Statement, target: Any, database: Any) -> Any:
    """As `_adrive`, for an operation of one statement."""
    try:
        reply = await getattr(target, step.method)(step.sql, step.params)
        if type(step) is Read:
            reply = step.decode(reply, step.common)
    except BaseException as error:
        if type(target) is Inside:
            target.note(step, error)
        raise
    value = single.finish(reply)
    if type(value) is not Rest:
        return value
    rest = value.operation
    try:
        return await _adrive(rest, rest.send(None), target, database)
    except StopIteration as done:
        return done.value


async def _adrive(operation: Operation[Any], step: Any, target: Any, database: Any) -> Any:
    send = operation.send
    try:
        while True:
            try:
                kind = type(step)
                if kind is Read:
                    rows = await target.fetch(step.sql, step.params)
                    reply = step.decode(rows, step.common)
                elif issubclass(kind, Statement):
                    reply = await getattr(target, step.method)(step.sql, step.params)
                elif kind is Call:
                    reply = await call_from_loop(step.function, *step.arguments)
                elif kind is CopyIn:
                    reply = await target.copy_in(step.sql, step.data)
                elif kind is CopyOut:
                    reply = await target.copy_out(step.sql, step.write)
                elif kind is Enter:
                    target = await _aentered(target, step.savepoint, database)
                    reply = target.block
                elif kind is Leave:
                    inside, target, reply = target, target.outer, None
                    await _aleft(inside, step, database)
                else:
                    raise TypeError(f"not a step: {step!r}")
            except BaseException as error:
                if type(target) is Inside:
                    target.note(step, error)
                step = operation.throw(error)
            else:
                step = send(reply)
    except StopIteration as done:
        return done.value


async def _aentered(target: Any, savepoint: bool, database: Any) -> Inside:
    place = place_of_caller()
    if type(target) is Inside:
        block = await target.side.open(target.block, savepoint, None, place)
        inside = Inside(target.side, block, target)
    else:
        connection = getattr(target, "connection", target)  # not what captures it
        sql = begin_sql(database.vendor, None, False, None)
        transaction = await abegin(database, None, connection, sql, None, place)
        inside = Inside(transaction.side, transaction.root, target)
    enter(database, inside.block)
    return inside


async def _aleft(inside: Inside, step: Leave, database: Any) -> None:
    leave(database, inside.block)
    await aclose_and_call_back(inside.side, inside.block, step.failed)


# --- streams -----------------------------------------------------------------------


def stream(statement: Statement, database: Any, size: int) -> Iterator[list[Any]]:
    """The rows of a statement in lists of at most `size`, by a cursor of the server.

    Outside of a transaction the connection is kept until the end, or until the iterator is closed.
    """
    if lazy.running_loop() is not None:
        raise refusal()
    block = current_block(database)
    if block is not None:
        yield from _pieces(Inside(sync_side(block.transaction), block), statement, size)
        return
    pool = database.sync_pool or database.make_sync_pool()
    connection = pool.take()
    try:
        target = capture.watched(connection, database.alias) if capture.watching else connection
        yield from _pieces(target, statement, size)
    finally:
        pool.give(connection)


def _pieces(target: Any, statement: Statement, size: int) -> Iterator[list[Any]]:
    inside = type(target) is Inside
    cursor = target.cursor(statement.sql, statement.params)
    try:
        while True:
            rows = (
                target.side.call(target.block, cursor.fetch, size) if inside else cursor.fetch(size)
            )
            if rows:
                yield rows
            if len(rows) < size:
                return
    finally:
        if not inside:
            cursor.close()
        else:
            _close_inside(target, cursor)


def _close_inside(target: Any, cursor: Any) -> None:
    if _can_be_closed_now(target.block):
        try:
            target.side.close_cursor(target.block, cursor)
            return
        except TransactionManagementError:
            pass  # it has ended, or failed, while the turn was waited for
    cursor.forget()


def _can_be_closed_now(block: Block) -> bool:
    """Whether a result can be closed by the server, without waiting for others.

    A generator that was left unfinished is closed when nobody refers to it any more: by then its
    block may have ended, and what runs must not be held up by it, nor fail with it.
    """
    transaction = block.transaction
    return transaction.usable and not block.closed and not transaction.turns.busy


async def astream(statement: Statement, database: Any, size: int) -> AsyncIterator[list[Any]]:
    """The same for `async for`; who breaks out early should `aclose()` the iterator."""
    block = current_block(database)
    if block is not None:
        inside = Inside(async_side(block.transaction), block)
        async with aclosing(_apieces(inside, statement, size)) as pieces:
            async for rows in pieces:
                yield rows
        return
    pool = database.async_pools.get(lazy.running_loop()) or database.make_async_pool()
    connection = pool.take() or await pool.acquire()
    try:
        target = capture.watched(connection, database.alias) if capture.watching else connection
        async with aclosing(_apieces(target, statement, size)) as pieces:
            async for rows in pieces:
                yield rows
    finally:
        pool.give(connection)


async def _apieces(target: Any, statement: Statement, size: int) -> AsyncGenerator[list[Any], None]:
    inside = type(target) is Inside
    opening = target.acursor if inside else target.cursor
    cursor = await opening(statement.sql, statement.params)
    try:
        while True:
            rows = await (
                target.side.call(target.block, cursor.fetch, size) if inside else cursor.fetch(size)
            )
            if rows:
                yield rows
            if len(rows) < size:
                return
    finally:
        if not inside:
            await cursor.close()
        else:
            await _aclose_inside(target, cursor)


async def _aclose_inside(target: Any, cursor: Any) -> None:
    if _can_be_closed_now(target.block):
        try:
            await target.side.close_cursor(target.block, cursor)
            return
        except TransactionManagementError:
            pass  # it has ended, or failed, while the turn was waited for
        except BaseException:
            cursor.forget()
            raise
    cursor.forget()
