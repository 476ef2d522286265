"""The pools of asynchronous connections: one for each database and event loop.

1. Only the loop's own thread touches its pool, so there are no locks, and there is no await
   between 'assigned' and 'registered'.
2. Closing is never waited for, except in `aclose`: a dropped connection leaves its place at once.
3. When the loop has closed, the pool is abandoned: sockets are closed without touching the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from aorm.connections.connection import EXPIRED, LOOK_AFTER
from aorm.connections.holders import deadlock_error, timeout_error
from aorm.connections.pool_state import PoolState
from aorm.connections.urls import Address
from aorm.errors import OperationalError

Waiter = asyncio.Future[Any]


class AsyncPool:
    """Lends connections to the tasks of one loop."""

    __slots__ = (
        "_closed",
        "_closing",
        "_connect",
        "_ended",
        "address",
        "alias",
        "look_after",
        "loop",
        "max_age",
        "ping_after",
        "state",
    )

    def __init__(self, alias: str, address: Address, connect: Callable[[], Awaitable[Any]]) -> None:
        self.alias = alias
        self.address = address
        self.loop = asyncio.get_running_loop()
        self.max_age = address["pool_max_age"]
        self.ping_after = min(address["ping_after"], address["pool_max_idle"])
        self.look_after = min(LOOK_AFTER, self.ping_after)
        self.state: PoolState[Any, Any] = self._state(address["pool_size"])
        self._connect = connect
        self._closed = False  # from then on it keeps nothing
        self._closing: set[asyncio.Task[None]] = set()
        self._ended = False

    def _state(self, limit: int) -> PoolState[Any, Any]:
        return PoolState(limit)

    def take(self) -> Any | None:
        """A connection that is idle and fresh, or None: then ask `acquire`."""
        state = self.state
        if not state.idle:
            return None
        connection = state.idle[-1]
        now = monotonic()
        if now - connection.used_at >= self.look_after or now >= connection.expires:
            return None
        del state.idle[-1]
        connection.used_at = now
        connection.holder = asyncio.current_task()
        return connection

    def give(self, connection: Any) -> None:
        """Take a connection back; one in doubt is closed."""
        if not connection.idle() or connection.expires == EXPIRED:
            self._drop(connection)
            return
        connection.holder = None
        state = self.state
        if state.waiting:
            waiter = state.give(connection)
            if waiter is not None:
                self._serve(waiter, connection)
        else:
            state.idle.append(connection)

    async def acquire(self) -> Any:
        """A connection; waits for one when all are in use.  PoolTimeout when none becomes free."""
        while True:
            connection = self.take()
            if connection is not None:
                return connection
            connection = self.state.take()
            if connection is None:
                return await self._wait_or_connect()
            if await self._survives(connection):
                return connection

    async def aclose(self) -> None:
        """Close what is idle, and wait for it.

        What is in use, or on its way, is closed when it comes back.
        """
        self._closed = True
        for connection in self.state.used:
            connection.broken = True
        for connection in self.state.expire():
            self._close(connection)
        while self._closing:
            await asyncio.wait(self._closing)
        self._ended = True

    def abandon(self) -> None:
        """The loop has closed: let go of everything, quietly."""
        for connection in (*self.state.expire(), *self.state.used):
            connection.terminate()
        self.state.there.clear()

    def _serve(self, waiter: Waiter, connection: Any | None) -> None:
        # a cancelled waiter has not left the line yet: the next one gets it
        while waiter.done():
            following = self.state.failed() if connection is None else self.state.give(connection)
            if following is None:
                return
            waiter = following
        waiter.set_result(connection)

    async def _wait_or_connect(self) -> Any:
        if not self.state.reserve():
            connection = await self._wait()
            if connection is not None:
                return self._held(connection)
        return await self._connected()

    async def _wait(self) -> Any | None:
        if self.state.all_held_by(asyncio.current_task()):
            raise deadlock_error(self.alias, self.state.limit, self.state.used)
        waiter: Waiter = self.loop.create_future()
        self.state.waiting.append(waiter)
        since = monotonic()
        timeout = self.address["pool_timeout"]
        timer = self.loop.call_later(timeout, _expire, waiter)
        try:
            return await waiter
        except TimeoutError:
            self.state.leave(waiter)
            raise timeout_error(self.alias, self.state.limit, timeout, self.state.used) from None
        except BaseException:
            if not self.state.leave(waiter) and waiter.done() and not waiter.cancelled():
                self._return(waiter.result())
            raise
        finally:
            timer.cancel()
            self.state.note_wait(monotonic() - since)

    def _return(self, connection: Any | None) -> None:
        if connection is not None:
            self.give(connection)
        else:
            self._failed()

    async def _connected(self) -> Any:
        timeout = self.address["connect_timeout"]
        try:
            async with asyncio.timeout(timeout):
                connection = await self._connect()
        except TimeoutError as error:
            self._failed()
            raise OperationalError(f"no connection to {self.alias!r} in {timeout:g} s") from error
        except BaseException:
            self._failed()
            raise
        connection.expires = monotonic() + self.max_age
        connection.broken = self._closed
        self.state.connected(connection)
        return self._held(connection)

    def _held(self, connection: Any) -> Any:
        connection.used_at = monotonic()
        connection.holder = asyncio.current_task()
        return connection

    async def _survives(self, connection: Any) -> bool:
        now = monotonic()
        idle_for = now - connection.used_at
        self._held(connection)
        if now < connection.expires and idle_for < self.address["pool_max_idle"]:
            try:
                if idle_for >= self.ping_after or not connection.quiet():
                    await connection.ping()
            except Exception:
                connection.lost = True
            except BaseException:
                connection.broken = True
                self._drop(connection)
                raise
            else:
                return True
        self._drop(connection)
        return False

    def _failed(self) -> None:
        waiter = self.state.failed()
        if waiter is not None:
            self._serve(waiter, None)

    def _drop(self, connection: Any) -> None:
        # a lost connection mostly means a lost server: its sisters would fail one by one
        expired = self.state.expire() if connection.lost else []
        if connection.lost:
            for sister in self.state.used:
                sister.expires = EXPIRED
        waiter = self.state.drop(connection)
        if waiter is not None:
            self._serve(waiter, None)
        for closing in (connection, *expired):
            self._close(closing)

    def _close(self, connection: Any) -> None:
        # after `aclose` nobody would wait for a task
        if connection.lost or self._ended or self.loop.is_closed():
            connection.terminate()
            return
        task = self.loop.create_task(_closed(connection))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _expire(waiter: Waiter) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


async def _closed(connection: Any) -> None:
    try:
        await connection.close()
    except BaseException:
        connection.terminate()
        raise
