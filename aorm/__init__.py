"""aorm: Django's query language, natively asynchronous, without Django."""

from aorm.garbage import Uncollected

with Uncollected():  # all of it stays: 7 % of the time
    from aorm import errors, models
    from aorm.conf import settings
    from aorm.configure import configure
    from aorm.connections import (
        after_position,
        aget_rollback,
        aon_commit,
        aset_rollback,
        async_to_sync,
        atomic,
        awrite_position,
        capture_queries,
        connections,
        detached,
        explain_runtime,
        get_rollback,
        on_commit,
        on_primary,
        set_rollback,
        sync_to_async,
        write_position,
    )
    from aorm.fields.registry import apps, isolate_apps
    from aorm.operations.routing import router
    from aorm.tables import aclose, acreate_tables, adrop_tables, close, create_tables, drop_tables

__version__ = "0.1.0"

__all__ = [
    "aclose",
    "acreate_tables",
    "adrop_tables",
    "after_position",
    "aget_rollback",
    "aon_commit",
    "apps",
    "aset_rollback",
    "async_to_sync",
    "atomic",
    "awrite_position",
    "capture_queries",
    "close",
    "configure",
    "connections",
    "create_tables",
    "detached",
    "drop_tables",
    "errors",
    "explain_runtime",
    "get_rollback",
    "isolate_apps",
    "models",
    "on_commit",
    "on_primary",
    "router",
    "set_rollback",
    "settings",
    "sync_to_async",
    "write_position",
]
