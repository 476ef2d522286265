"""Which fields of an object were changed since it was loaded or saved: `Meta.track_changes`.

1. An object of such a model remembers the values of its columns; others remember nothing, and
   cost nothing.
2. Values that can be changed in place (documents, arrays) are remembered as copies.
"""

from __future__ import annotations

import copy
import datetime
import decimal
import uuid
from collections.abc import Collection
from typing import Any

#: Where an object keeps the values, by attname.
REMEMBERED = "_remembered_values"

_UNCHANGEABLE = frozenset(
    {
        *(int, str, float, bool, bytes, complex, type(None), decimal.Decimal, uuid.UUID),
        *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta),
    }
)


def remember(instance: Any, names: Collection[str] | None = None) -> None:
    """Note the values that these fields of an instance have now.

    Args:
        names: names or attnames; None means all.
    """
    held = instance.__dict__
    values = dict(held.get(REMEMBERED) or ())
    for attname, field in type(instance)._meta._columns_by_attname.items():
        if attname in held and (names is None or attname in names or field.name in names):
            value = held[attname]
            values[attname] = value if type(value) in _UNCHANGEABLE else copy.deepcopy(value)
    # A new one each time: copies of the object share the old one.
    held[REMEMBERED] = values


def changed_fields(instance: Any) -> list[Any]:
    """The fields whose values are others than the remembered ones; none of the primary key."""
    held = instance.__dict__
    values = held.get(REMEMBERED) or {}
    options = type(instance)._meta
    left_out = {*options.pk_fields, options.version_field}
    return [
        field
        for attname, field in options._columns_by_attname.items()
        if attname in held
        and not (field.generated or field.primary_key or field in left_out)
        and not (attname in values and _same(values[attname], held[attname]))
    ]


def _same(old: Any, new: Any) -> bool:
    # 1, 1.0 and True are equal, and are not the same document.
    return old is new or (type(old) is type(new) and bool(old == new))


__all__ = ["REMEMBERED", "changed_fields", "remember"]
