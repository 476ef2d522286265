"""psycopg behind the protocol, both of its sides: raw cursors (`$1`), autocommit, explicit BEGIN.

1. One cursor of a connection is used again and again: psycopg's set-up of a cursor costs more than
   the pool.  It is dropped after a large result, which it would keep.
2. JSON comes as text, timestamps aware in UTC, as asyncpg gives them.
"""

from __future__ import annotations

import selectors
from collections.abc import Awaitable, Callable, Iterable, Sequence
from inspect import isawaitable
from itertools import count
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.string import TextLoader

from aorm.connections.connection import Params, RawResult, Rows
from aorm.connections.drivers.errors import by_name, by_state, is_fatal
from aorm.connections.drivers.outcome import (
    NOWHERE,
    READS,
    WHERE,
    WHICH,
    Identified,
    asettle,
    place_of,
    settle,
)
from aorm.connections.drivers.patience import PatientAsyncConnection, PatientConnection
from aorm.connections.urls import KEEPALIVE, Address
from aorm.errors import Error, InternalError, OperationalError, QueryTypeError
from aorm.steps import Read

LARGE = 1000  # rows
PREPARE_AFTER = 2  # executions
IDLE = int(TransactionStatus.IDLE)  # looking it up in its enum takes longer than the comparison

_cursor_numbers = count(1)


def opener(address: Address, functions: Iterable[Any], owner: object) -> Callable[[], Connection]:
    """A function that opens connections."""
    settings = _settings(address)

    def open_connection() -> Connection:
        try:
            raw = PatientConnection.connect(autocommit=True, **settings)
        except psycopg.Error as error:
            raise converted(error) from error
        _prepare(raw, address)
        return Connection(raw, open_connection, address["connect_timeout"])

    return open_connection


def async_opener(
    address: Address, functions: Iterable[Any], owner: object
) -> Callable[[], Awaitable[AsyncConnection]]:
    """A coroutine function that opens connections."""
    settings = _settings(address)

    async def open_connection() -> AsyncConnection:
        try:
            raw = await PatientAsyncConnection.connect(autocommit=True, **settings)
        except psycopg.Error as error:
            raise converted(error) from error
        _prepare(raw, address)
        return AsyncConnection(raw, open_connection, address["connect_timeout"])

    return open_connection


def _settings(address: Address) -> dict[str, Any]:
    given = {
        "host": address["host"],
        "port": address["port"],
        "user": address["user"],
        "password": address["password"],
        "dbname": address.name or None,
        "application_name": address["application_name"],
        "connect_timeout": max(2, round(address["connect_timeout"])),  # libpq's least is 2
        "client_encoding": "utf8",
        "keepalives_idle": KEEPALIVE.idle,
        "keepalives_interval": KEEPALIVE.interval,
        "keepalives_count": KEEPALIVE.count,
        **{name: address[name] for name in ("sslmode", "sslrootcert", "sslcert", "sslkey")},
    }
    if server := address.server_settings():
        given["options"] = " ".join(f"-c {k}={_escaped(v)}" for k, v in server.items())
    return {name: value for name, value in given.items() if value is not None}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _prepare(raw: PatientConnection | PatientAsyncConnection, address: Address) -> None:
    raw.patience = address.patience
    raw.stop_within = address["connect_timeout"]
    raw.adapters.register_loader("json", TextLoader)
    raw.adapters.register_loader("jsonb", TextLoader)
    if address["pgbouncer"] == "transaction" or not address["prepared_statements"]:
        raw.prepare_threshold = None
    else:
        raw.prepare_threshold = PREPARE_AFTER
        raw.prepared_max = address["prepared_statements"]


def converted(error: psycopg.Error) -> Error:
    """The exception of aorm for one of psycopg."""
    kind = by_state(error.sqlstate) if error.sqlstate else by_name(error)
    return kind(str(error))


def _is_stale(error: psycopg.Error) -> bool:
    # a prepared statement whose table has changed since; outside of a transaction it can be retried
    return error.sqlstate == "0A000" and "cached plan" in str(error)


class _Shared(Identified):
    """What both sides have in common."""

    __slots__ = ("_cursor", "_pgconn", "raw_connection")

    raw_connection: Any
    _cursor: Any
    _pgconn: Any

    def server_process(self) -> int | None:
        """The number of PostgreSQL's process."""
        return int(self._pgconn.backend_pid)

    def idle(self) -> bool:
        """In no transaction, and sound."""
        return self._pgconn.transaction_status == IDLE and not (self.broken or self.lost)

    def terminate(self) -> None:
        """Close without waiting."""
        self.lost = True
        self._pgconn.finish()

    def _converted(self, error: psycopg.Error) -> Error:
        if is_fatal(error.sqlstate) or self.raw_connection.closed:
            self.lost = True
            return OperationalError(str(error))
        return converted(error)

    def quiet(self) -> bool:
        """Whether the server has sent nothing since: it would say good-bye."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._pgconn.socket, selectors.EVENT_READ)
            return not selector.select(0)

    def _may_retry(self, error: psycopg.Error) -> bool:
        return _is_stale(error) and self._pgconn.transaction_status == IDLE

    def _raw_result(self, cursor: Any, rows: Rows | None) -> RawResult:
        described = cursor.description
        description = described and tuple(tuple(column) for column in described)
        return RawResult(rows, cursor.rowcount, description)


class Connection(_Shared):
    """A connection that blocks its thread."""

    __slots__ = ()

    def __init__(self, raw: psycopg.Connection[Any], reopen: Any, patience: float) -> None:
        super().__init__(reopen, patience)
        self.raw_connection = raw
        self._pgconn = raw.pgconn
        self._cursor = psycopg.RawCursor(raw)

    def read(self, step: Read) -> list[Any]:
        """Results of all rows."""
        return step.decode(self.fetch(step.sql, step.params), step.common)

    def fetch(self, sql: str, params: Params) -> Rows:
        """All rows."""
        if self.asks and sql[0] not in READS:
            self._ask()
        self.sql = sql
        try:
            cursor = self._cursor
            rows: Rows = cursor.execute(sql, params).fetchall()
        except psycopg.Error as error:
            if self._may_retry(error):
                self._forget_statements()
                return self.fetch(sql, params)
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise
        if len(rows) > LARGE:
            self._cursor = psycopg.RawCursor(self.raw_connection)
        return rows

    def execute(self, sql: str, params: Params) -> int:
        """The number of changed rows."""
        if self.asks and sql[0] not in READS:
            self._ask()
        self.sql = sql
        try:
            changed: int = self._cursor.execute(sql, params).rowcount
        except psycopg.Error as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise
        if sql.startswith("ALTER "):
            # what was prepared is of no use to the rest of the transaction
            self._forget_statements()
        return changed

    def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        """Once for each row of values; all of them or none."""
        if self.asks:
            self._ask()
        self.sql = sql
        try:
            with self.raw_connection.transaction():
                self._cursor.executemany(sql, rows)
        except psycopg.Error as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

    def raw(self, sql: str, params: Params) -> RawResult:
        """A statement of the user's own."""
        if self.asks and sql[:1] not in READS:
            self._ask()
        self.sql = sql
        try:
            # without parameters the simple protocol is used, which takes several statements
            cursor = psycopg.RawCursor(self.raw_connection).execute(sql, params or None)
            return self._raw_result(cursor, cursor.fetchall() if cursor.description else None)
        except psycopg.Error as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

    def copy_in(self, sql: str, data: str) -> int:
        """The number of rows that COPY has read from these lines."""
        if self.asks:
            self._ask()
        self.sql = sql
        try:
            cursor = psycopg.RawCursor(self.raw_connection)
            with cursor.copy(sql) as copy:
                copy.write(data)
            return cursor.rowcount
        except psycopg.Error as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

    def copy_out(self, sql: str, write: Callable[[bytes], Any]) -> int:
        """The number of rows that COPY has written, each piece to this function.

        When that fails the rest is read and dropped, so that the transaction can go on.
        """
        self.sql = sql
        failures: list[Exception] = []
        try:
            cursor = psycopg.RawCursor(self.raw_connection)
            with cursor.copy(sql) as copy:
                for piece in copy:
                    if not failures:
                        try:
                            _refuse_coroutine(write(bytes(piece)))
                        except Exception as error:
                            failures.append(error)
        except psycopg.Error as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise
        if failures:
            raise failures[0]
        return cursor.rowcount

    def cursor(self, sql: str, params: Params) -> Cursor:
        """Rows piece by piece, by a cursor of the server."""
        self.sql = sql
        return Cursor(self, sql, params)

    def command(self, sql: str) -> None:
        """A statement that controls the transaction."""
        self.sql = sql
        try:
            self._cursor.execute(sql, None, prepare=False)
        except psycopg.Error as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

    def begin(self, sql: str) -> None:
        """Start a transaction; the first one asks where it is."""
        if self.place is None:
            self._locate()
        self.command(sql)
        self.began(sql)

    def end(self, sql: str) -> None:
        """COMMIT or ROLLBACK; when the answer to COMMIT is lost, the server is asked again."""
        self.asks = False
        try:
            self.command(sql)
        except Error as error:
            if sql != "COMMIT" or not self.lost:
                raise
            settle(self, error)
        else:
            _check_committed(sql, self._cursor.statusmessage)

    def _locate(self) -> None:
        try:
            self.place = place_of(self.fetch(WHERE, ()))
        except Error:
            if self.lost:
                raise
            self.place = NOWHERE

    def _ask(self) -> None:
        self.asks = False
        self.xid = (self.fetch(WHICH, ()))[0][0]

    def ping(self) -> None:
        """Ask the server whether it is there."""
        raw: PatientConnection = self.raw_connection
        patience, raw.patience = raw.patience, self.patience
        try:
            self.command("")
        finally:
            raw.patience = patience

    def _forget_statements(self) -> None:
        self.raw_connection._prepared.clear()


class AsyncConnection(_Shared):
    """A connection that belongs to an event loop."""

    __slots__ = ()

    is_async = True

    def __init__(self, raw: psycopg.AsyncConnection[Any], reopen: Any, patience: float) -> None:
        super().__init__(reopen, patience)
        self.raw_connection = raw
        self._pgconn = raw.pgconn
        self._cursor = psycopg.AsyncRawCursor(raw)

    async def fetch(self, sql: str, params: Params) -> Rows:
        """All rows."""
        if self.asks and sql[0] not in READS:
            await self._ask()
        self.sql = sql
        try:
            cursor = await self._cursor.execute(sql, params)
            rows: Rows = await cursor.fetchall()
        except psycopg.Error as error:
            if self._may_retry(error):
                self.raw_connection._prepared.clear()
                return await self.fetch(sql, params)
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise
        if len(rows) > LARGE:
            self._cursor = psycopg.AsyncRawCursor(self.raw_connection)
        return rows

    async def execute(self, sql: str, params: Params) -> int:
        """The number of changed rows."""
        if self.asks and sql[0] not in READS:
            await self._ask()
        self.sql = sql
        try:
            cursor = await self._cursor.execute(sql, params)
        except psycopg.Error as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise
        if sql.startswith("ALTER "):
            self.raw_connection._prepared.clear()
        return cursor.rowcount  # type: ignore[no-any-return]

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        """Once for each row of values; all of them or none."""
        if self.asks:
            await self._ask()
        self.sql = sql
        try:
            async with self.raw_connection.transaction():
                await self._cursor.executemany(sql, rows)
        except psycopg.Error as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

    async def raw(self, sql: str, params: Params) -> RawResult:
        """A statement of the user's own."""
        if self.asks and sql[:1] not in READS:
            await self._ask()
        self.sql = sql
        try:
            cursor = psycopg.AsyncRawCursor(self.raw_connection)
            await cursor.execute(sql, params or None)
            rows = await cursor.fetchall() if cursor.description else None
            return self._raw_result(cursor, rows)
        except psycopg.Error as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

    async def copy_in(self, sql: str, data: str) -> int:
        """The number of rows that COPY has read from these lines."""
        if self.asks:
            await self._ask()
        self.sql = sql
        try:
            cursor = psycopg.AsyncRawCursor(self.raw_connection)
            async with cursor.copy(sql) as copy:
                await copy.write(data)
            return cursor.rowcount
        except psycopg.Error as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

    async def copy_out(self, sql: str, write: Callable[[bytes], Any]) -> int:
        """The same as on the other side."""
        self.sql = sql
        failures: list[Exception] = []
        try:
            cursor = psycopg.AsyncRawCursor(self.raw_connection)
            async with cursor.copy(sql) as copy:
                async for piece in copy:
                    if not failures:
                        try:
                            done = write(bytes(piece))
                            if isawaitable(done):
                                await done
                        except Exception as error:
                            failures.append(error)
        except psycopg.Error as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise
        if failures:
            raise failures[0]
        return cursor.rowcount

    async def cursor(self, sql: str, params: Params) -> AsyncCursor:
        """Rows piece by piece, by a cursor of the server."""
        self.sql = sql
        cursor = AsyncCursor(self)
        await cursor.open(sql, params)
        return cursor

    async def command(self, sql: str) -> None:
        """A statement that controls the transaction."""
        self.sql = sql
        try:
            await self._cursor.execute(sql, None, prepare=False)
        except psycopg.Error as error:
            raise self._converted(error) from error
        except BaseException:
            self.broken = True
            raise

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
        else:
            _check_committed(sql, self._cursor.statusmessage)

    async def _locate(self) -> None:
        try:
            self.place = place_of(await self.fetch(WHERE, ()))
        except Error:
            if self.lost:
                raise
            self.place = NOWHERE

    async def _ask(self) -> None:
        self.asks = False
        self.xid = (await self.fetch(WHICH, ()))[0][0]

    async def ping(self) -> None:
        """Ask the server whether it is there."""
        raw: PatientAsyncConnection = self.raw_connection
        patience, raw.patience = raw.patience, self.patience
        try:
            await self.command("")
        finally:
            raw.patience = patience

    async def close(self) -> None:
        """Close; libpq says good-bye without waiting."""
        self.lost = True
        await self.raw_connection.close()


class Cursor:
    """A cursor of the server; outside of a transaction it has one of its own."""

    __slots__ = ("_connection", "_cursor", "_own")

    def __init__(self, connection: Connection, sql: str, params: Params) -> None:
        self._connection = connection
        self._own = connection.idle()
        if self._own:
            connection.command("BEGIN")
        name = f"aorm_{next(_cursor_numbers)}"
        self._cursor = psycopg.RawServerCursor(connection.raw_connection, name)
        try:
            self._cursor.execute(sql, params)
        except psycopg.Error as error:
            failure = connection._converted(error)
            self.close()
            raise failure from error

    def fetch(self, size: int) -> Rows:
        """The next rows, at most `size`."""
        try:
            return self._cursor.fetchmany(size)
        except psycopg.Error as error:
            raise self._connection._converted(error) from error

    def close(self) -> None:
        """Forget what was not read."""
        self._cursor.close()
        if self._own and not self._connection.lost:
            self._connection.command("ROLLBACK")

    def forget(self) -> None:
        """The server does so at the end of the transaction."""
        self._cursor._close()


class AsyncCursor:
    """The same, awaited."""

    __slots__ = ("_connection", "_cursor", "_own")

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._own = connection.idle()
        name = f"aorm_{next(_cursor_numbers)}"
        self._cursor = psycopg.AsyncRawServerCursor(connection.raw_connection, name)

    async def open(self, sql: str, params: Params) -> None:
        """Declare the cursor."""
        try:
            if self._own:
                await self._connection.command("BEGIN")
            await self._cursor.execute(sql, params)
        except psycopg.Error as error:
            failure = self._connection._converted(error)
            await self.close()
            raise failure from error
        except BaseException:
            self._connection.broken = True
            await self.close()
            raise

    async def fetch(self, size: int) -> Rows:
        """The next rows, at most `size`."""
        try:
            return await self._cursor.fetchmany(size)
        except psycopg.Error as error:
            raise self._connection._converted(error) from error
        except BaseException:
            self._connection.broken = True
            raise

    async def close(self) -> None:
        """Forget what was not read; a connection in doubt is asked nothing more."""
        connection = self._connection
        try:
            if not (connection.broken or connection.lost):
                await self._cursor.close()
                if self._own:
                    await connection.command("ROLLBACK")
        except psycopg.Error as error:
            raise connection._converted(error) from error
        except BaseException:
            connection.broken = True
            raise
        finally:
            self.forget()

    def forget(self) -> None:
        """The server does so at the end of the transaction."""
        self._cursor._close()  # else it warns when it is deleted


def _refuse_coroutine(done: Any) -> None:
    if isawaitable(done):
        if hasattr(done, "close"):
            done.close()
        raise QueryTypeError(
            "a coroutine function cannot take what a synchronous connection sends: this call, or"
            " the transaction that it is in, has one"
        )


def _check_committed(sql: str, status: str | None) -> None:
    # the server answers COMMIT of a failed transaction with ROLLBACK, and no error
    if sql == "COMMIT" and status == "ROLLBACK":
        raise InternalError("the transaction was rolled back: a statement in it had failed")
