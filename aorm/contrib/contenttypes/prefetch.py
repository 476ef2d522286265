"""`GenericPrefetch`: a lookup through a generic foreign key with QuerySets of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aorm.operations.prefetch import Prefetch


class GenericPrefetch(Prefetch):
    """A lookup for `prefetch_related()` that ends at a generic foreign key.

    Args:
        lookup: the path.
        querysets: what to fetch with, at most one for each model.
        to_attr: the attribute that gets the object; by default the relation has it.

    Raises:
        ValueError: a QuerySet does not give model instances.
    """

    def __init__(self, lookup: str, querysets: Sequence[Any], to_attr: str | None = None) -> None:
        # Each is looked at, and pickled, as a Prefetch would do with its own.
        self._each = [Prefetch(lookup, queryset) for queryset in querysets]
        super().__init__(lookup, to_attr=to_attr)

    @property
    def querysets(self) -> list[Any]:
        return [each.queryset for each in self._each]

    def get_current_querysets(self, level: int) -> list[Any] | None:
        if self.get_current_prefetch_to(level) == self.prefetch_to:
            return self.querysets
        return None


__all__ = ["GenericPrefetch"]
