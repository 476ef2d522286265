"""Databases, pools, transactions, and the two places where operations meet a database."""

from aorm.connections.atomic import Atomic, Using, atomic, database_of
from aorm.connections.bridge import async_to_sync, sync_to_async
from aorm.connections.capture import CapturedQuery, capture_queries
from aorm.connections.current import detached
from aorm.connections.databases import Database, Databases, connections
from aorm.connections.explain import Runtime, explain_runtime
from aorm.connections.manual import (
    aget_rollback,
    aon_commit,
    asavepoint,
    asavepoint_commit,
    asavepoint_create,
    asavepoint_rollback,
    aset_rollback,
    clean_savepoints,
    commit,
    get_autocommit,
    get_connection,
    get_rollback,
    mark_for_rollback_on_error,
    on_commit,
    rollback,
    savepoint,
    savepoint_commit,
    savepoint_create,
    savepoint_rollback,
    set_autocommit,
    set_rollback,
)
from aorm.connections.positions import after_position, on_primary
from aorm.connections.reading import (
    aread,
    aread_stream,
    awrite_position,
    read,
    read_stream,
    write_position,
)
from aorm.connections.run import arun, astream, run, stream
from aorm.connections.transaction import Block

__all__ = [
    "Atomic",
    "Block",
    "CapturedQuery",
    "Database",
    "Databases",
    "Runtime",
    "Using",
    "after_position",
    "aget_rollback",
    "aon_commit",
    "aread",
    "aread_stream",
    "arun",
    "asavepoint",
    "asavepoint_commit",
    "asavepoint_create",
    "asavepoint_rollback",
    "aset_rollback",
    "astream",
    "async_to_sync",
    "atomic",
    "awrite_position",
    "capture_queries",
    "clean_savepoints",
    "commit",
    "connections",
    "database_of",
    "detached",
    "explain_runtime",
    "get_autocommit",
    "get_connection",
    "get_rollback",
    "mark_for_rollback_on_error",
    "on_commit",
    "on_primary",
    "read",
    "read_stream",
    "rollback",
    "run",
    "savepoint",
    "savepoint_commit",
    "savepoint_create",
    "savepoint_rollback",
    "set_autocommit",
    "set_rollback",
    "stream",
    "sync_to_async",
    "write_position",
]
