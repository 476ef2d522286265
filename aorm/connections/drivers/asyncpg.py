"""asyncpg behind the protocol: prepared statements of our own, the shortest way to the server.

1. `Connection.fetch` spends more time above its protocol object than aorm does in all (measured:
   a fourth of a small fetch), so statements are prepared by the public API and run on
   the protocol object directly, as asyncpg's own `PreparedStatement` does.
2. A connection is used by one task at a time; pools and turns see to that.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from inspect import isawaitable
from itertools import count
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from asyncpg import exceptions

from aorm.connections.connection import Params, RawResult, Rows
from aorm.connections.drivers.aside import Aside
from aorm.connections.drivers.asyncpg_texts import prepare
from aorm.connections.drivers.errors import by_name, by_state, is_fatal
from aorm.connections.drivers.outcome import (
    NOWHERE,
    READS,
    WHERE,
    WHICH,
    Identified,
    asettle,
    place_of,
)
from aorm.connections.urls import KEEPALIVE, Address
from aorm.errors import DataError, Error, InterfaceError, InternalError, OperationalError

CLOSE_TIMEOUT = 2.0  # seconds

FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # among others: an idle connection that the server has ended
    OSError,
    asyncio.TimeoutError,
    ArithmeticError,  # a value that Python's type cannot hold
    ValueError,
)

_numbers = count(1)


def opener(
    address: Address, functions: Iterable[Any], owner: object
) -> Callable[[], Awaitable[Connection]]:
    """A coroutine function that opens connections."""
    settings = _settings(address)
    kept = 0 if address["pgbouncer"] == "transaction" else address["prepared_statements"]

    kind = Connection if address.patience is None else PatientConnection

    async def open_connection() -> Connection:
        try:
            raw = await asyncpg.connect(**settings)
            _keep_alive(raw._transport)
            return kind(raw, kept, open_connection, address)
        except FAILURES as error:
            raise converted(error) from error

    return open_connection


def _settings(address: Address) -> dict[str, Any]:
    server = address.server_settings()
    if server:
        server["DateStyle"] = "ISO"  # see asyncpg_texts
    if address["application_name"]:
        server["application_name"] = address["application_name"]
    given = {
        "host": address["host"],
        "port": address["port"],
        "user": address["user"],
        "password": address["password"],
        "database": address.name or None,
        "timeout": address["connect_timeout"],
        "server_settings": server,
        "statement_cache_size": 0,  # ours is used instead
        "dsn": _ssl_dsn(address),
    }
    return {name: value for name, value in given.items() if value is not None}


def _keep_alive(transport: Any) -> None:
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE.idle),
        ("TCP_KEEPINTVL", KEEPALIVE.interval),
        ("TCP_KEEPCNT", KEEPALIVE.count),
    ):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _ssl_dsn(address: Address) -> str | None:
    # asyncpg takes the names of certificate files only from a URL
    names = ("sslmode", "sslrootcert", "sslcert", "sslkey")
    query = "&".join(f"{name}={address[name]}" for name in names if address[name])
    return f"postgresql://?{query}" if query else None


def converted(error: BaseException) -> Error:
    """The exception of aorm for one of asyncpg."""
    state = getattr(error, "sqlstate", None)
    if isinstance(error, asyncpg.PostgresError) and state:
        return by_state(state)(str(error))
    if isinstance(error, exceptions.DataError | ArithmeticError | ValueError):
        return DataError(str(error))
    if isinstance(error, asyncpg.InterfaceError):
        return InterfaceError(str(error))
    if isinstance(error, OSError | TimeoutError):
        return OperationalError(str(error) or "no answer from the server in time")
    return by_name(error)(str(error))


class Connection(Identified):
    """One connection with the statements that were prepared on it."""

    __slots__ = ("_kept", "_protocol", "_statements", "raw_connection")

    is_async = True

    def __init__(self, raw: Any, kept: int, reopen: Any, address: Address) -> None:
        super().__init__(reopen, address["connect_timeout"])
        self.raw_connection = raw
        self._protocol = raw._protocol
        self._statements: dict[str, Any] = {}
        self._kept = kept

    async def _prepared(self, sql: str) -> Any:
        """The statement's state inside of asyncpg."""
        if not self._kept:
            # no name, so that it needs no session: PgBouncer may switch servers in between
            return await self.raw_connection._get_statement(sql, None, named=False)
        statements = self._statements
        if len(statements) >= self._kept:
            del statements[next(iter(statements))]  # the oldest; used ones are moved to the end
        # with a name of its own: without one, asyncpg would have the server parse it each time
        name = f"aorm_{next(_numbers)}"
        statement = statements[sql] = await prepare(self.raw_connection, sql, name)
        return statement._state

    async def _run(self, sql: str, params: Params, extra: bool) -> Any:
        statement = self._statements.get(sql)
        state = await self._prepared(sql) if statement is None else statement._state
        try:
            return await self._protocol.bind_execute(state, params, "", 0, extra, None)
        except exceptions.OutdatedSchemaCacheError:
            self._statements.clear()
            await self.raw_connection.reload_schema_state()
            raise
        except exceptions.InvalidCachedStatementError:
            self._statements.clear()
            if self._protocol.is_in_transaction():
                raise
            state = await self._prepared(sql)
            return await self._protocol.bind_execute(state, params, "", 0, extra, None)

    async def fetch(self, sql: str, params: Params) -> Rows:
        """All rows."""
        self.sql = sql
        if self.asks and sql[0] not in READS:
            self._ask()
        try:
            # as in _run, without its frame: most statements are found here
            statement = self._statements.get(sql)
            if statement is None:
                return await self._run(sql, params, False)  # type: ignore[no-any-return]
            try:
                return await self._protocol.bind_execute(  # type: ignore[no-any-return]
                    statement._state, params, "", 0, False, None
                )
            except (
                exceptions.InvalidCachedStatementError,
                exceptions.OutdatedSchemaCacheError,
            ):
                return await self._run(sql, params, False)  # type: ignore[no-any-return]
        except FAILURES as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

    async def execute(self, sql: str, params: Params) -> int:
        """The number of changed rows."""
        self.sql = sql
        if self.asks and sql[0] not in READS:
            self._ask()
        try:
            if not params:
                status = await self._protocol.query(sql, None)
                if sql.startswith("ALTER "):
                    # what was prepared is of no use to the rest of the transaction
                    self._statements.clear()
                return _changed(status)
            # as in fetch
            statement = self._statements.get(sql)
            if statement is None:
                _, status, _ = await self._run(sql, params, True)
            else:
                try:
                    _, status, _ = await self._protocol.bind_execute(
                        statement._state, params, "", 0, True, None
                    )
                except (
                    exceptions.InvalidCachedStatementError,
                    exceptions.OutdatedSchemaCacheError,
                ):
                    _, status, _ = await self._run(sql, params, True)
            return _changed(status.decode())
        except FAILURES as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        """Once for each row of values; all of them or none."""
        self.sql = sql
        if self.asks:
            self._ask()
        try:
            await self.raw_connection.executemany(sql, rows)
        except FAILURES as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

    async def raw(self, sql: str, params: Params) -> RawResult:
        """A statement of the user's own."""
        self.sql = sql
        if self.asks and sql[:1] not in READS:
            self._ask()
        try:
            if not params and not _may_return_rows(sql):
                return RawResult(None, _changed(await self._protocol.query(sql, None)))
            statement = await self.raw_connection.prepare(sql)
            rows = await statement.fetch(*params)
            columns = statement.get_attributes()
            rowcount = _changed(statement.get_statusmsg())
            described = tuple((c.name, c.type.oid, *[None] * 5) for c in columns)
            plain = list(map(tuple, rows)) if columns else None  # as the synchronous face has them
            return RawResult(plain, rowcount, described or None)
        except FAILURES as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

    async def copy_in(self, sql: str, data: str) -> int:
        """The number of rows that COPY has read from these lines."""
        if self.asks:
            self._ask()
        self.sql = sql
        try:
            return _changed(
                await self._protocol.copy_in(sql, None, data.encode(), None, None, None)
            )
        except FAILURES as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

    async def copy_out(self, sql: str, write: Callable[[bytes], Any]) -> int:
        """The number of rows that COPY has written, each piece to this function.

        When that fails the rest is read and dropped, so that the transaction can go on.
        """
        self.sql = sql
        failures: list[Exception] = []

        async def take(piece: bytes) -> None:
            if failures:
                return
            try:
                done = write(bytes(piece))
                if isawaitable(done):
                    await done
            except Exception as error:
                failures.append(error)

        try:
            count = _changed(await self._protocol.copy_out(sql, take, None))
        except FAILURES as error:
            raise self._converted(error) from error
        except BaseException:
            # asyncpg would wait for the end of a COPY that it has seen already
            self.broken = True
            self.terminate()
            raise
        if failures:
            raise failures[0]
        return count

    async def cursor(self, sql: str, params: Params) -> Cursor:
        """Rows piece by piece, by a portal of the server."""
        self.sql = sql
        cursor = Cursor(self)
        await cursor.open(sql, params)
        return cursor

    async def command(self, sql: str) -> None:
        """A statement that controls the transaction."""
        self.sql = sql
        try:
            status = await self._protocol.query(sql, None)
        except FAILURES as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise
        # the server answers COMMIT of a failed transaction with ROLLBACK, and no error
        if sql == "COMMIT" and status == "ROLLBACK":
            raise InternalError("the transaction was rolled back: a statement in it had failed")

    async def begin(self, sql: str) -> None:
        """Start a transaction; the first one asks where it is."""
        if self.place is None:
            await self._locate()
        await self.command(sql)
        self.began(sql)

    async def end(self, sql: str) -> None:
        """COMMIT or ROLLBACK; when the answer to COMMIT is lost, the server is asked again."""
        self.asks = False
        try:
            await self.command(sql)
        except Error as error:
            if sql != "COMMIT" or not self.lost:
                raise
            await asettle(self, error)

    async def _locate(self) -> None:
        try:
            self.place = place_of(await self.fetch(WHERE, ()))
        except Error:
            if self.lost:
                raise
            self.place = NOWHERE

    def _ask(self) -> None:
        self.asks = False
        if self.raw_connection.is_closed():
            return
        Aside(self.raw_connection._transport, self._protocol, self._identify).ask(WHICH)

    def _identify(self, xid: str) -> None:
        self.xid = xid

    async def ping(self) -> None:
        """Ask the server whether it is there."""
        with self.limited(self.patience):
            await self.command("")

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """End the connection when the block takes longer: the server does not answer any more."""
        raw = self.raw_connection
        timer = raw._loop.call_later(seconds, raw.terminate)
        try:
            yield
        except Error as error:
            if raw._loop.time() < timer.when():
                raise
            raise OperationalError(f"no answer from the server within {seconds:g} s") from error
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Say good-bye, and wait for it, not for long; a statement that was cancelled is stopped
        on the server first."""
        self.lost = True
        try:
            await self.raw_connection.close(timeout=CLOSE_TIMEOUT)
        except FAILURES:
            self.raw_connection.terminate()

    def server_process(self) -> int | None:
        """The number of PostgreSQL's process."""
        return int(self.raw_connection.get_server_pid())

    def idle(self) -> bool:
        """In no transaction, and sound."""
        return not (self.broken or self.lost or self._protocol.is_in_transaction())

    def quiet(self) -> bool:
        """Whether the server has not closed it."""
        return not self.raw_connection.is_closed()

    def terminate(self) -> None:
        """Close without waiting, also when the loop is gone."""
        self.lost = True
        raw = self.raw_connection
        if raw._loop.is_closed():
            _close_without_loop(raw)
        elif not raw.is_closed():
            raw.terminate()

    def _converted(self, error: BaseException) -> Error:
        state = getattr(error, "sqlstate", None)
        gone = self.raw_connection.is_closed()
        if gone or is_fatal(state) or isinstance(error, asyncpg.InternalClientError | OSError):
            self.lost = True
            return OperationalError(str(error))
        return converted(error)


class PatientConnection(Connection):
    """One with a statement timeout, which the server enforces, unless it is gone."""

    __slots__ = ("limit",)

    def __init__(self, raw: Any, kept: int, reopen: Any, address: Address) -> None:
        super().__init__(raw, kept, reopen, address)
        assert address.patience is not None
        self.limit = address.patience

    async def fetch(self, sql: str, params: Params) -> Rows:
        """All rows."""
        with self.limited(self.limit):
            return await super().fetch(sql, params)

    async def execute(self, sql: str, params: Params) -> int:
        """The number of changed rows."""
        with self.limited(self.limit):
            return await super().execute(sql, params)

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        """Once for each row of values; all of them or none."""
        with self.limited(self.limit):
            await super().execute_many(sql, rows)

    async def raw(self, sql: str, params: Params) -> RawResult:
        """A statement of the user's own."""
        with self.limited(self.limit):
            return await super().raw(sql, params)

    async def cursor(self, sql: str, params: Params) -> Cursor:
        """Rows piece by piece, by a portal of the server."""
        self.sql = sql
        cursor = PatientCursor(self)
        await cursor.open(sql, params)
        return cursor

    async def command(self, sql: str) -> None:
        """A statement that controls the transaction."""
        with self.limited(self.limit):
            await super().command(sql)


def _close_without_loop(raw: Any) -> None:
    # Transports ask their loop to close them; a closed loop cannot, so the socket is closed here.
    transport = raw._transport
    raw._aborted = True  # else its __del__ warns of a connection that nobody closed
    sock = getattr(transport, "_sock", None)
    if sock is not None:
        sock.close()
        transport._sock = None


class Cursor:
    """A portal of the server; outside of a transaction it has one of its own."""

    __slots__ = ("_connection", "_exhausted", "_name", "_own", "_state")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._own = connection.idle()
        self._name = f"aorm_{next(_numbers)}"
        self._exhausted = False

    async def open(self, sql: str, params: Params) -> None:
        """Bind the portal."""
        connection = self._connection
        if self._own:
            await connection.command("BEGIN")
        try:
            statement = connection._statements.get(sql)
            self._state = await connection._prepared(sql) if statement is None else statement._state
            await connection._protocol.bind(self._state, params, self._name, None)
        except FAILURES as error:
            if self._own and not connection.raw_connection.is_closed():
                await connection.command("ROLLBACK")
            raise connection._converted(error) from error
        except BaseException:
            connection.broken = True
            raise

    async def fetch(self, size: int) -> Rows:
        """The next rows, at most `size`."""
        if self._exhausted:
            return []
        protocol = self._connection._protocol
        try:
            rows: Rows
            rows, _, self._exhausted = await protocol.execute(
                self._state, self._name, size, True, None
            )
        except FAILURES as error:
            raise self._connection._converted(error) from error
        except BaseException:
            self._connection.broken = True
            raise
        return rows

    async def close(self) -> None:
        """Forget what was not read."""
        connection = self._connection
        if connection.lost or connection.broken:
            return
        if self._own:
            await connection.command("ROLLBACK")
        elif connection._protocol.is_in_transaction():
            await connection._protocol.close_portal(self._name, None)

    def forget(self) -> None:
        """The server does so at the end of the transaction."""


class PatientCursor(Cursor):
    """One with a statement timeout."""

    __slots__ = ()

    _connection: PatientConnection

    async def open(self, sql: str, params: Params) -> None:
        """Bind the portal."""
        with self._connection.limited(self._connection.limit):
            await super().open(sql, params)

    async def fetch(self, size: int) -> Rows:
        """The next rows, at most `size`."""
        with self._connection.limited(self._connection.limit):
            return await super().fetch(size)


def _changed(status: str) -> int:
    # "UPDATE 3", "INSERT 0 1", "CREATE TABLE"
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else -1


def _may_return_rows(sql: str) -> bool:
    first = sql.lstrip(" \n\t(").partition(" ")[0].upper()
    words = ("SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "FETCH")
    return first.strip() in words or " RETURNING " in sql.upper()
