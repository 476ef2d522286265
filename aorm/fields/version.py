"""Versions of rows, for optimistic locking.

1. A new row has the version 1; every UPDATE that aorm writes counts it up.
2. `save()`, `delete()` and `bulk_update()` of objects touch only rows whose version is the one that
   was loaded, and raise StaleObjectError where it is another.
3. `QuerySet.update()` and the like count, and ask for no version: they look at what is there.
"""

from __future__ import annotations

from typing import Any

from aorm.errors import ImproperlyConfigured
from aorm.fields.numbers import BigIntegerField


class VersionField(BigIntegerField):
    """A column that counts how often its row was changed: `version = models.VersionField()`."""

    description = "Version"

    def __init__(self, verbose_name: Any = None, name: str | None = None, **options: Any) -> None:
        super().__init__(verbose_name, name, **{"default": 1, "editable": False, **options})

    def contribute_to_class(
        self, cls: Any, name: str, private_only: bool = False, **kwargs: Any
    ) -> None:
        """Become the version of the model `cls`.

        Raises:
            ImproperlyConfigured: it has one already.
        """
        other = next((f for f in cls._meta.fields if isinstance(f, VersionField)), None)
        if other is not None:
            raise ImproperlyConfigured(
                f"{cls.__name__} has two versions, {other.name!r} and {name!r}: one is enough"
            )
        super().contribute_to_class(cls, name, private_only=private_only, **kwargs)


__all__ = ["VersionField"]
