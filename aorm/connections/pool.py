"""The pool of synchronous connections: one for each database and process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from threading import get_ident
from time import monotonic
from typing import Any

from aorm.connections.connection import EXPIRED, LOOK_AFTER
from aorm.connections.holders import deadlock_error, timeout_error
from aorm.connections.pool_state import PoolState
from aorm.connections.urls import Address


class Waiter:
    """A thread that waits; `served` is set together with what it gets."""

    __slots__ = ("connection", "served")

    def __init__(self) -> None:
        self.served = threading.Event()
        self.connection: Any = None


class Pool:
    """Lends connections to threads."""

    __slots__ = (
        "_closed",
        "_connect",
        "_lock",
        "address",
        "alias",
        "look_after",
        "max_age",
        "ping_after",
        "state",
    )

    def __init__(self, alias: str, address: Address, connect: Callable[[], Any]) -> None:
        self.alias = alias
        self.address = address
        self.max_age = address["pool_max_age"]
        self.ping_after = min(address["ping_after"], address["pool_max_idle"])
        self.look_after = min(LOOK_AFTER, self.ping_after)
        self.state: PoolState[Any, Waiter] = PoolState(address["pool_size"])
        self._connect = connect
        self._closed = False  # from then on it keeps nothing
        self._lock = threading.Lock()

    def take(self) -> Any:
        """A connection; waits for one when all are in use.  PoolTimeout when none becomes free."""
        now = monotonic()
        while True:
            try:
                # No lock, which would take as long as all else that is done here.
                connection = self.state.idle.pop()
            except IndexError:
                return self._acquire()
            if now - connection.used_at < self.look_after and now < connection.expires:
                connection.used_at = now
                connection.holder = get_ident()
                return connection
            if self._survives(connection, now):
                return connection

    def give(self, connection: Any) -> None:
        """Take a connection back; one in doubt is closed."""
        if not connection.idle() or connection.expires == EXPIRED:
            self._drop(connection)
            return
        connection.holder = None
        state = self.state
        if not (state.waiting or self._closed):
            state.idle.append(connection)
            if not (state.waiting or self._closed):
                return
            # Somebody got in line, or closed the pool, just before it was there.
            connection = state.take()
            if connection is None:
                return
        with self._lock:
            closed = self._closed
            waiter = None if closed else state.give(connection)
        if closed:
            self._drop(connection)
        elif waiter is not None:
            waiter.connection = connection
            waiter.served.set()

    def close(self) -> None:
        """Close what is idle; what is in use, or on its way, is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle = self.state.expire()
            used = tuple(self.state.used)
        for connection in idle:
            connection.terminate()
        for connection in used:
            connection.broken = True

    def _survives(self, connection: Any, now: float) -> bool:
        idle_for = now - connection.used_at
        connection.used_at = now
        connection.holder = get_ident()
        if now < connection.expires and idle_for < self.address["pool_max_idle"]:
            try:
                if idle_for >= self.ping_after or not connection.quiet():
                    connection.ping()
            except Exception:
                connection.lost = True
            else:
                return True
        self._drop(connection)
        return False

    def _acquire(self) -> Any:
        with self._lock:
            connection = self.state.take()
            if connection is not None:
                return self._held(connection)
            if self.state.reserve():
                waiter = None
            else:
                if self.state.all_held_by(get_ident()):
                    raise deadlock_error(self.alias, self.state.limit, self.state.used)
                waiter = Waiter()
                self.state.waiting.append(waiter)
                # Whoever gave a connection back without having seen the waiter is seen here.
                connection = self.state.take()
                if connection is not None:
                    self.state.waiting.remove(waiter)
                    return self._held(connection)
        if waiter is not None:
            self._wait(waiter)
            if waiter.connection is not None:
                return self._held(waiter.connection)
        return self._connected()

    def _wait(self, waiter: Waiter) -> None:
        timeout = self.address["pool_timeout"]
        since = monotonic()
        try:
            served = waiter.served.wait(timeout)
        except BaseException:  # KeyboardInterrupt
            self._abandon(waiter)
            raise
        finally:
            with self._lock:
                self.state.note_wait(monotonic() - since)
        if served:
            return
        with self._lock:
            left = self.state.leave(waiter)
            used = list(self.state.used)
        if left:
            raise timeout_error(self.alias, self.state.limit, timeout, used)
        waiter.served.wait()  # it was served at the last moment

    def _abandon(self, waiter: Waiter) -> None:
        with self._lock:
            left = self.state.leave(waiter)
        if left:
            return
        waiter.served.wait()
        if waiter.connection is not None:
            self.give(waiter.connection)
        else:
            self._failed()

    def _connected(self) -> Any:
        try:
            connection = self._connect()
        except BaseException:
            self._failed()
            raise
        connection.expires = monotonic() + self.max_age
        with self._lock:
            self.state.connected(connection)
        return self._held(connection)

    def _held(self, connection: Any) -> Any:
        connection.used_at = monotonic()
        connection.holder = get_ident()
        return connection

    def _failed(self) -> None:
        with self._lock:
            waiter = self.state.failed()
        if waiter is not None:
            waiter.served.set()

    def _drop(self, connection: Any) -> None:
        with self._lock:
            # a lost connection mostly means a lost server: its sisters would fail one by one
            expired = self.state.expire() if connection.lost else []
            if connection.lost:
                for sister in self.state.used:
                    sister.expires = EXPIRED
            waiter = self.state.drop(connection)
        if waiter is not None:
            waiter.served.set()
        for closing in (connection, *expired):
            closing.terminate()
