"""The configured databases: `connections["default"]` is a `Database`.

1. A `Database` may be made at import time and used from any thread and loop: one pool of
   synchronous connections, and one of asynchronous ones for each running loop, made on first use.
2. The child of a fork abandons the pools: it neither uses nor closes what belongs to the parent.
3. The pool of a loop that has closed is abandoned as soon as another loop needs one.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakSet

from aorm.conf import settings
from aorm.connections import capture, lazy, moments
from aorm.connections.bridge import async_side, refusal, sync_side
from aorm.connections.by_hand import ByHand
from aorm.connections.current import current_block
from aorm.connections.foreign_keys import ForeignKeys
from aorm.connections.gate import forget_gates
from aorm.connections.inside import Inside
from aorm.connections.pool import Pool
from aorm.connections.positions import SCOPE, wrote
from aorm.connections.raw import Cursor, native
from aorm.connections.replicas import Replica, Replicas
from aorm.connections.stats import DatabaseStats, database_stats, pool_stats
from aorm.connections.transaction import Block
from aorm.connections.turns import open_block
from aorm.connections.urls import parse
from aorm.connections.workers import forget_workers
from aorm.connections.wrappers import ExecuteWrappers
from aorm.errors import ConnectionDoesNotExist, listed

_all_databases: WeakSet[Database] = WeakSet()
_abandoned: list[Any] = []  # in the child of a fork: kept, so that nothing is closed


class Operations:
    """What Django keeps under `connection.ops`, as far as raw SQL needs it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def quote_name(self, name: str) -> str:
        """The name as it is written in SQL."""
        return str(self._database.dialect.quote(name))

    def max_name_length(self) -> int:
        """How many characters of a name are written; longer ones are shortened."""
        found: int = self._database.dialect.max_name_length
        return found

    def integer_field_range(self, internal_type: str) -> tuple[int, int]:
        """The least and the greatest integer that a column of this type of field holds."""
        found: tuple[int, int] = self._database.dialect.integer_range(internal_type)
        return found

    def adapt_datefield_value(self, value: Any) -> Any:
        """A date as the database's columns keep it."""
        return self._database.dialect.adapted("DateField", value)

    def adapt_datetimefield_value(self, value: Any) -> Any:
        """A moment as the database's columns keep it."""
        return self._database.dialect.adapted("DateTimeField", value)

    def adapt_timefield_value(self, value: Any) -> Any:
        """A time of day as the database's columns keep it."""
        return self._database.dialect.adapted("TimeField", value)


class Database(ByHand, ForeignKeys, ExecuteWrappers):
    """A database under its alias: configuration, dialect and pools.

    `dialect` is what the SQL layer needs to know of it; of that only `quote` and
    `connection_functions` are used here: tuples of (name, number of arguments, function or
    aggregate class, deterministic), made known to each connection of SQLite.
    """

    def __init__(self, alias: str, url: str, *, dialect: Any = None, **options: Any) -> None:
        self.alias = alias
        self.address = parse(url, options)
        self.vendor = self.address.vendor
        self._dialect = dialect
        self._generation = -1
        self._features: Any = None
        self.ops = Operations(self)
        self.settings_dict = moments.DatabaseSettings(self.vendor)
        self.hops = self.address.async_driver == "aiosqlite"
        self.sync_pool: Pool | None = None
        self.async_pools: dict[Any, Any] = {}
        self.around: Block | None = None  # a test's: all code is in it
        self.replicas: Replicas | None = None  # which answer reads in its place
        self.replica: Replica | None = None  # what is known of it, if it is one
        self._lock = threading.Lock()
        _all_databases.add(self)

    #: What makes schema editors and introspections of a database; see `aorm.schema`.
    schema_tools: Any = None

    #: Whether it stands for one transaction: see `bound`.
    is_bound = False

    @property
    def unbound(self) -> Database:
        """The database itself, where this one stands for a transaction."""
        return self

    def __repr__(self) -> str:
        return f"<Database {self.alias!r}: {self.address!r}>"

    @property
    def dialect(self) -> Any:
        """The dialect under the time zone settings that are in force."""
        if self._generation != settings.generation:
            self._generation = settings.generation
            if hasattr(self._dialect, "for_settings"):
                self._dialect = self._dialect.for_settings(settings.USE_TZ, settings.TIME_ZONE)
        return self._dialect

    def set_dialect(self, dialect: Any) -> None:
        """Hand in the dialect of this database's vendor."""
        self._dialect, self._generation = dialect, -1
        self._features = None

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        return repr(self.address)

    @property
    def timezone_name(self) -> str:
        """The time zone of the moments that statements of the user's own give."""
        own: str | None = self.settings_dict["TIME_ZONE"]
        return own or ("UTC" if settings.USE_TZ else settings.TIME_ZONE)

    @timezone_name.deleter
    def timezone_name(self) -> None:
        """Nothing is kept that would have to be forgotten."""

    @property
    def timezone(self) -> Any:
        """The time zone of that name."""
        return moments.zone_of(self.timezone_name)

    @timezone.deleter
    def timezone(self) -> None:
        """Nothing is kept that would have to be forgotten."""

    @property
    def data_types(self) -> Any:
        """The dialect's names of column types."""
        return self.dialect.data_types

    @property
    def data_type_check_constraints(self) -> Any:
        """The dialect's checks that make up for missing types."""
        return self.dialect.data_type_check_constraints

    @property
    def data_types_suffix(self) -> Any:
        """What the dialect writes after some types."""
        return self.dialect.data_types_suffix

    def schema_editor(self, collect_sql: bool = False, atomic: bool = True) -> Any:
        """What changes tables, `with` or `async with`: see `aorm.schema.SchemaEditor`."""
        return self.schema_tools.SchemaEditor(self, collect_sql, atomic)

    @property
    def introspection(self) -> Any:
        """What the database says about its tables: see `aorm.schema.Introspection`."""
        return self.schema_tools.Introspection(self)

    @property
    def features(self) -> Any:
        """What the database can do, in Django's words: see `aorm.schema.Features`."""
        if self._features is None:
            self._features = self.schema_tools.Features(self)
        return self._features

    def twin(self, **options: Any) -> Database:
        """The same database over connections with other options, in pools of its own."""
        twin = object.__new__(Database)
        twin.__dict__.update(
            self.__dict__,
            address=self.address.replaced(**options),
            sync_pool=None,
            async_pools={},
            _features=None,
            origin=self,  # an in-memory database lives as long as that
            _lock=threading.Lock(),
        )
        _all_databases.add(twin)
        return twin

    # --- pools ------------------------------------------------------------------------

    def make_sync_pool(self) -> Pool:
        """The pool of synchronous connections."""
        with self._lock:
            if self.sync_pool is None:
                connect = self._opener(self.address.sync_driver, "opener")
                self.sync_pool = Pool(self.alias, self.address, connect)
            return self.sync_pool

    def make_async_pool(self) -> Any:
        """The pool of the running loop."""
        loop = lazy.running_loop()
        with self._lock:
            for closed in [other for other in self.async_pools if other.is_closed()]:
                self.async_pools.pop(closed).abandon()
            if loop not in self.async_pools:
                name = self.address.async_driver
                connect = self._opener(name, "async_opener" if name == "psycopg" else "opener")
                make = lazy.jobs().JobPool if self.hops else lazy.async_pools().AsyncPool
                self.async_pools[loop] = make(self.alias, self.address, connect)
            return self.async_pools[loop]

    def _opener(self, driver: str, name: str) -> Callable[[], Any]:
        functions: Iterable[Any] = getattr(self.dialect, "connection_functions", ())
        opener: Callable[[], Any] = getattr(lazy.driver(driver), name)(
            self.address, functions, self.__dict__.get("origin", self)
        )
        replica = self.replica
        if replica is None:
            return opener

        def anew() -> Any:
            replica.forget()
            return opener()

        return anew

    def close(self) -> None:
        """Close the synchronous connections, and what is left of loops that have closed.

        Pools are made anew when they are needed.  A connection in use is closed when it comes back;
        a transaction of this code on a synchronous connection can then only be rolled back.
        """
        block = open_block(self.block())
        if block is not None and block.transaction.home is None:
            block.transaction.mark(None)
        with self._lock:
            pool, self.sync_pool = self.sync_pool, None
            closed = [loop for loop in self.async_pools if loop.is_closed()]
            left = [self.async_pools.pop(loop) for loop in closed]
        if pool is not None:
            pool.close()
        for async_pool in left:
            async_pool.abandon()

    async def aclose(self) -> None:
        """Close the connections of the running loop, and the synchronous ones."""
        pool = self.async_pools.pop(lazy.running_loop(), None)
        if pool is not None:
            await pool.aclose()
        self.close()

    def abandon(self) -> None:
        """After a fork, in the child: forget the parent's connections without touching them."""
        _abandoned.append((self.sync_pool, self.async_pools))
        self.sync_pool = None
        self.async_pools = {}
        self._lock = threading.Lock()

    def stats(self) -> DatabaseStats:
        """How full the pools of this process are, and how long others waited for them.

        It asks nobody and may be called from anywhere.
        """
        pools = [] if self.sync_pool is None else [pool_stats("threads", self.sync_pool.state)]
        for loop, pool in list(self.async_pools.items()):
            pools.append(pool_stats(f"loop {loop!r}", pool.state))
        return database_stats(pools)

    # --- statements of the user's own ---------------------------------------------------

    def execute(self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> Any:
        """Run SQL in the current transaction, or on its own: its rows, or how many it changed.

        Values are `%s` (or `%(name)s`) in the text, or in the database's own way (`?`, `$1`).
        """
        result = self.shown(self.run_raw(*native(self.vendor, sql, params)))
        return result.rowcount if result.rows is None else result.rows

    async def aexecute(
        self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None
    ) -> Any:
        """Run SQL in the current transaction, or on its own: its rows, or how many it changed."""
        result = self.shown(await self._arun_raw(*native(self.vendor, sql, params)))
        return result.rowcount if result.rows is None else result.rows

    def cursor(self) -> Cursor:
        """A PEP 249 cursor, for `with`; each of its statements runs as `execute` does."""
        return Cursor(self)

    def run_raw(self, sql: str, params: Sequence[Any]) -> Any:
        """Run one statement of the user's own, with the database's own placeholders."""
        if lazy.running_loop() is not None:
            raise refusal()
        params = self._given(params)
        block = self.block()
        if block is not None:
            return Inside(sync_side(block.transaction), block).raw(sql, params)
        pool = self.sync_pool or self.make_sync_pool()
        connection = pool.take()
        try:
            return self._watched(connection).raw(sql, params)
        finally:
            if self.replicas is not None:
                wrote(self, SCOPE.get())
            pool.give(connection)

    async def _arun_raw(self, sql: str, params: Sequence[Any]) -> Any:
        params = self._given(params)
        block = self.block()
        if block is not None:
            return await Inside(async_side(block.transaction), block).raw(sql, params)
        pool = self.async_pools.get(lazy.running_loop()) or self.make_async_pool()
        connection = pool.take() or await pool.acquire()
        try:
            return await self._watched(connection).raw(sql, params)
        finally:
            if self.replicas is not None:
                wrote(self, SCOPE.get())
            pool.give(connection)

    def _given(self, params: Sequence[Any]) -> Sequence[Any]:
        if self.vendor != "postgresql" or not params or self.dialect is None:
            return params
        return moments.given(params, self.dialect)

    def shown(self, result: Any) -> Any:
        """The result of a statement of the user's own, with its moments as the settings want."""
        if self.vendor != "postgresql" or self.dialect is None:
            return result
        return moments.returned(result, self.dialect, self.timezone_name)

    def _watched(self, connection: Any) -> Any:
        return capture.watched(connection, self.alias) if capture.watching else connection

    # --- the transaction of the running code ----------------------------------------------

    def block(self) -> Block | None:
        """The innermost block that this code has entered, which may have ended."""
        return current_block(self)

    @property
    def in_atomic_block(self) -> bool:
        """Whether this code is in an open `atomic()`."""
        block = open_block(self.block())
        return block is not None and not (block.transaction.manual and block.parent is None)

    @property
    def autocommit(self) -> bool:
        """Whether each statement of this code commits on its own."""
        return open_block(self.block()) is None

    @property
    def savepoint_ids(self) -> list[str | None]:
        """The savepoints of the nested blocks, outermost first; None for one without."""
        block = open_block(self.block())
        names: list[str | None] = []
        while block is not None and block.parent is not None:
            names.insert(0, block.savepoint)
            block = block.parent
        return names

    @property
    def needs_rollback(self) -> bool:
        """Whether the current transaction can only be rolled back."""
        block = open_block(self.block())
        return block is not None and block.transaction.needs_rollback

    @property
    def run_on_commit(self) -> list[tuple[set[str | None], Callable[[], Any], bool]]:
        """What waits for the commit: the savepoints it was registered in, function, robust."""
        block = open_block(self.block())
        if block is None:
            return []
        return [
            (_savepoints(callback.block), callback.function, callback.robust)
            for callback in block.transaction.callbacks
        ]


def _savepoints(block: Block | None) -> set[str | None]:
    names: set[str | None] = set()
    while block is not None and block.parent is not None:
        names.add(block.savepoint)
        block = block.parent
    return names


class Databases(dict[str, Database]):
    """All configured databases by alias."""

    def configure(self, databases: Mapping[str, Database]) -> None:
        """Replace what was configured; connections of databases that go are closed."""
        replaced = [old for alias, old in self.items() if databases.get(alias) is not old]
        self.clear()
        self.update(databases)
        for database in replaced:
            database.close()

    def __missing__(self, alias: str) -> Database:
        raise ConnectionDoesNotExist(
            f"no database is configured as {alias!r}; there are: {listed(self)}"
        )

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def all(self) -> list[Database]:
        """Every database, in the order of configuration."""
        return list(self.values())

    def close_all(self) -> None:
        """Close every database's synchronous connections."""
        for database in self.all():
            database.close()

    async def aclose_all(self) -> None:
        """Close every database's connections of the running loop, and the synchronous ones."""
        for database in self.all():
            await database.aclose()


connections = Databases()


def _after_fork_in_child() -> None:
    forget_gates()
    forget_workers()
    for database in list(_all_databases):
        database.abandon()


def _at_exit() -> None:
    for database in list(_all_databases):
        database.close()


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
