"""Loading related objects beforehand: `Prefetch` and the functions for objects at hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aorm.connections import aread, connections, read
from aorm.models.fetch_modes import fetch_mode_of, live_peers
from aorm.operations.origins import database_of
from aorm.operations.prefetch import (
    Prefetch,
    get_prefetcher,
    normalize_prefetch_lookups,
    prefetch_related_objects_operation,
)
from aorm.operations.routing import DEFAULT_DB_ALIAS
from aorm.steps import Operation


def _database(instances: Sequence[Any]) -> Any:
    return connections[database_of(instances[0]) or DEFAULT_DB_ALIAS]


def prefetch_related_objects(
    model_instances: Iterable[Any], *related_lookups: str | Prefetch
) -> None:
    """Load related objects for these instances, where they are not there yet.

    Args:
        model_instances: instances of one model.
        related_lookups: as for `QuerySet.prefetch_related()`.
    """
    instances = list(model_instances)
    if instances:
        operation = prefetch_related_objects_operation(instances, related_lookups)
        read(operation, _database(instances))


async def aprefetch_related_objects(
    model_instances: Iterable[Any], *related_lookups: str | Prefetch
) -> None:
    instances = list(model_instances)
    if instances:
        operation = prefetch_related_objects_operation(instances, related_lookups)
        await aread(operation, _database(instances))


class RelatedFetching:
    """The methods of a model that load its relations by name."""

    def fetch_related(self, *names: str | Prefetch) -> None:
        """Load relations that are not there yet, for all objects of the same result.

        Under `FETCH_ONE` only those of this object are loaded.

        Args:
            names: as for `QuerySet.prefetch_related()`.
        """
        read(_fetch_related(self, names), _database([self]))

    async def afetch_related(self, *names: str | Prefetch) -> None:
        await aread(_fetch_related(self, names), _database([self]))


def _fetch_related(instance: Any, names: Sequence[str | Prefetch]) -> Operation[None]:
    instances = live_peers(instance) if fetch_mode_of(instance).track_peers else [instance]
    yield from prefetch_related_objects_operation(instances, names)


__all__ = [
    "Prefetch",
    "RelatedFetching",
    "aprefetch_related_objects",
    "get_prefetcher",
    "normalize_prefetch_lookups",
    "prefetch_related_objects",
]
