"""The base of what stands on model classes for relations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class RelationDescriptor(property):
    """A descriptor whose getter is a function that is made for the relation.

    A property, because CPython calls the function of one without looking for it; so the
    descriptor itself is what it gives on a class.
    """

    rel: Any

    def __init__(self) -> None:
        super().__init__(self._first)

    def _getter(self) -> Callable[[Any], Any]:
        """A function that gives what an instance has there."""
        raise NotImplementedError

    def _first(self, instance: Any) -> Any:
        # What the relation leads to may not be known before it is used.
        getter = self._getter()
        super().__init__(getter)
        return getter(instance)
