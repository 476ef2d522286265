"""A model's table as it will be: a stand-in for the model class, which no registry knows."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any


def with_fields(model: Any, fields: Sequence[Any], renamed: Mapping[str, str]) -> Any:
    """The table with these local fields in place of its own.

    Args:
        renamed: new names of fields by their old ones, for indexes and constraints over fields.
    """
    changed = _stand_in(model)
    opts = changed._meta
    opts.local_fields = [_copied(field, changed) for field in fields]
    opts.pk = next((field for field in opts.local_fields if field.primary_key), opts.pk)
    kept = {field.name for field in fields} | set(renamed)
    opts.unique_together = tuple(
        tuple(renamed.get(name, name) for name in group)
        for group in opts.unique_together
        if kept.issuperset(group)
    )
    opts.indexes = [_renamed(each, renamed) for each in opts.indexes if _fits(each, kept)]
    opts.constraints = [_renamed(each, renamed) for each in opts.constraints if _fits(each, kept)]
    return changed


def with_options(model: Any, **options: Any) -> Any:
    """The table with other `indexes`, `constraints`, `unique_together` or `db_table`."""
    changed = _stand_in(model)
    changed._meta.__dict__.update(options)
    return changed


def _stand_in(model: Any) -> Any:
    opts = copy.copy(model._meta)
    opts._expire_cache()
    return type(model.__name__, (), {"_meta": opts, "__module__": model.__module__})


def _copied(field: Any, model: Any) -> Any:
    twin = copy.copy(field)
    twin.model = model
    return twin


def _fits(each: Any, kept: set[str]) -> bool:
    return kept.issuperset(name.removeprefix("-") for name in getattr(each, "fields", ()))


def _renamed(each: Any, renamed: Mapping[str, str]) -> Any:
    if not renamed or not getattr(each, "fields", ()):
        return each
    twin = copy.copy(each)
    twin.fields = type(each.fields)(renamed.get(name, name) for name in each.fields)
    if hasattr(each, "fields_orders"):
        twin.fields_orders = [
            (renamed.get(name, name), order) for name, order in each.fields_orders
        ]
    return twin
