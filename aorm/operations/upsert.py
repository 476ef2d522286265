"""Creating objects, or updating the rows that they collide with: the defaults of `bulk_upsert`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aorm.errors import QueryValueError, listed
from aorm.fields.base import Field


def unique_names(model: Any, objs: Sequence[Any]) -> list[str]:
    """By what `bulk_upsert` knows the rows again where nobody says.

    That is the primary key where all objects have one, else the only other unique field or group
    of fields of the model.  QueryValueError where there are none, or several.
    """
    opts = model._meta
    if all(obj._is_pk_set() for obj in objs):
        return ["pk"]
    keys = {field.name for field in opts.pk_fields}
    groups: list[tuple[str, ...]] = [
        (field.name,)
        for field in opts.local_concrete_fields
        if field.unique and not field.primary_key
    ]
    groups += [tuple(group) for group in opts.unique_together]
    groups += [tuple(constraint.fields) for constraint in opts.total_unique_constraints]
    groups = [group for group in dict.fromkeys(groups) if set(group) != keys]
    if len(groups) == 1:
        return list(groups[0])
    shown = "; ".join(listed(group) for group in groups) or "none besides the primary key"
    raise QueryValueError(
        f"bulk_upsert() cannot tell by which fields a row of {opts.object_name} is known again:"
        f" name them in unique_fields (unique are: {shown})"
    )


def updated_names(model: Any, unique: Iterable[str]) -> list[str]:
    """What `bulk_upsert` updates where nobody says: all fields but the key and the unique ones.

    A moment that is set when an object is made stays as it is; so does what the database computes.
    """
    opts = model._meta
    names = {opts.pk.name if name == "pk" else name for name in unique}
    keys = set(opts.pk_fields)
    found = [
        field.name
        for field in opts.local_concrete_fields
        if field not in keys
        and field.name not in names
        and field.attname not in names
        and not field.generated
        and not getattr(field, "auto_now_add", False)
    ]
    # The database gives back only rows that it has written.
    own = [name for name in unique if name != "pk" and opts.get_field(name) not in keys]
    if not found and not own:
        raise QueryValueError(
            f"{opts.object_name} has no fields besides its key that bulk_upsert() could update:"
            " use bulk_create(ignore_conflicts=True)"
        )
    return found or own


def last_of_each(
    model: Any, objs: Sequence[Any], unique: Sequence[str]
) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """The objects without those that a later one overwrites; pairs of these two.

    One statement cannot write a row twice.
    """
    opts = model._meta
    fields: list[Field[Any]] = []
    for name in unique:
        fields.extend(opts.pk_fields if name == "pk" else [opts.get_field(name)])
    last: dict[Any, Any] = {}
    keys = []
    for obj in objs:
        key: Any = tuple(field.get_prep_value(getattr(obj, field.attname)) for field in fields)
        if None in key or not _is_hashable(key):
            key = (last_of_each, id(obj))  # equal to no other
        keys.append(key)
        last[key] = obj
    pairs = [(obj, last[key]) for obj, key in zip(objs, keys, strict=True) if last[key] is not obj]
    return list(last.values()), pairs


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def share_key(earlier: Any, last: Any) -> None:
    """Let an object that was overwritten stand for the same row as the one that was written."""
    for field in type(last)._meta.pk_fields:
        setattr(earlier, field.attname, getattr(last, field.attname))
    earlier._state.adding = False
    earlier._state.db = last._state.db
