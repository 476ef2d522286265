"""Each face honours an override of the other.

1. Where the nearest class that defines one method of a pair does not define its twin, the new
   class of models, QuerySets or managers gets a twin that runs that override: a synchronous one
   in a worker thread, an asynchronous one on the loop that the code came from, in the same
   transaction.
2. A twin calls the override of the class that it was made for, not of the instance's class: so
   `super()` goes on upwards on whichever face it is used, and nothing runs twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from aorm.connections import async_to_sync, sync_to_async

MODEL_METHODS = (
    *("save", "delete", "refresh_from_db"),
    *("full_clean", "clean_fields", "validate_unique", "validate_constraints"),
)
QUERYSET_METHODS = (
    *("get", "first", "last", "earliest", "latest", "exists", "count", "contains"),
    *("aggregate", "in_bulk", "explain", "page"),
    *("create", "get_or_create", "update_or_create", "update", "delete"),
    *("bulk_create", "bulk_update", "bulk_upsert", "insert_from", "copy_from"),
)


def bridge_faces(cls: Any, methods: Iterable[str]) -> None:
    """Give a new class the twins that it lacks."""
    for name in methods:
        twin = f"a{name}"
        nearest, nearest_twin = _distance(cls, name), _distance(cls, twin)
        if nearest < nearest_twin:
            setattr(cls, twin, _in_thread(cls, name, twin))
        elif nearest_twin < nearest:
            setattr(cls, name, _on_loop(cls, name, twin))


def _distance(cls: type, name: str) -> int:
    for distance, base in enumerate(cls.__mro__):
        if name in vars(base):
            return distance
    return len(cls.__mro__)


def _in_thread(cls: Any, name: str, twin: str) -> Callable[..., Any]:
    @wraps(getattr(cls, name))
    async def awaited(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await sync_to_async(getattr(cls, name))(self, *args, **kwargs)

    return _named(awaited, cls, twin)


def _on_loop(cls: Any, name: str, twin: str) -> Callable[..., Any]:
    @wraps(getattr(cls, twin))
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        return async_to_sync(getattr(cls, twin))(self, *args, **kwargs)

    return _named(called, cls, name)


def _named(function: Any, cls: type, name: str) -> Callable[..., Any]:
    function.__name__ = name
    function.__qualname__ = f"{cls.__qualname__}.{name}"
    # It is no longer what `wraps` took it for: the one is awaited, the other is not.
    del function.__wrapped__
    made: Callable[..., Any] = function
    return made
