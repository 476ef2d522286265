"""Shapes: the hashable part of what a query is made from, without its values.

1. Two uses of a query with equal shapes have the same structure and the same SQL.
2. The shape of a plain value is its type; of None, True and False it is the value, because
   these steer the structure (`isnull=True`, `exact=None`).
3. The shape of a list says which types are in it, never how long it is.
4. Expressions and conditions know their own shape; that of a query set is its query.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Collection, Hashable, Iterator
from typing import Any

PLAIN = frozenset(
    {
        int,
        str,
        float,
        bytes,
        decimal.Decimal,
        datetime.datetime,
        datetime.date,
        datetime.time,
        datetime.timedelta,
        uuid.UUID,
    }
)
CONSTANT = frozenset({bool, type(None)})
LISTS = (list, tuple, set, frozenset, range)
LIST_TYPES = frozenset({list, tuple, set, frozenset})
_PLAIN_ITEMS = PLAIN | CONSTANT


#: Kinds of options that stand for themselves in a shape: no two values of them are mistaken.
SIMPLE = frozenset({str, bool, type(None)})
_SETTLED = _PLAIN_ITEMS | LIST_TYPES


class ItemShapes(tuple[Any, ...]):
    """The shapes of a list's items, where these hold expressions: each is an argument itself."""

    __slots__ = ()


_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


def normalised(value: Any) -> Any:
    """The value in a form that can be read twice: an iterator becomes a list."""
    if type(value) in _SETTLED or hasattr(value, "parametrised"):
        return value
    if isinstance(value, Iterator) or type(value) in _VIEWS:
        return list(value)
    return value


def shape_of(value: Any) -> Hashable:
    """The shape of a (normalised) value."""
    kind: type = type(value)
    if kind in PLAIN:
        return kind
    if kind in CONSTANT:
        return (value,)
    if hasattr(value, "parametrised"):
        shape: Hashable = value.shape
        return shape
    if hasattr(value, "as_subquery"):
        return (SubqueryShape, value.as_subquery()[0], getattr(value, "_db", None))
    if kind in LIST_TYPES or isinstance(value, LISTS):
        return list_shape(value) or (list, ItemShapes(map(shape_of, value)))
    return kind


def list_shape(items: Collection[Any]) -> Hashable:
    """The shape of a list of values; None where an item is an expression or the like."""
    kinds = frozenset(map(type, items))
    if kinds <= _PLAIN_ITEMS or not any(map(is_structural, items)):
        return (list, kinds)
    return None


def has_structure(items: Collection[Any]) -> bool:
    """Whether one of the items is no value."""
    return list_shape(items) is None


class SubqueryShape:
    """Marks the shape of a query set that stands in the place of a value."""


def is_structural(value: Any) -> bool:
    """Whether a value is no value, but an expression, a condition, a query set, or has one."""
    if isinstance(value, list | tuple):
        return any(map(is_structural, value))
    return hasattr(value, "parametrised") or hasattr(value, "as_subquery")


def freeze(value: Any) -> Hashable:
    """A hashable stand-in for an option of an expression."""
    if type(value) in SIMPLE:
        return (type(value), value)
    if hasattr(value, "parametrised"):
        return value.shape  # type: ignore[no-any-return]
    if isinstance(value, list | tuple):
        return tuple(map(freeze, value))
    if isinstance(value, dict):
        return tuple((key, freeze(item)) for key, item in value.items())
    if isinstance(value, set):
        return frozenset(map(freeze, value))
    if hasattr(value, "get_internal_type"):
        return field_key(value)
    try:
        hash(value)
    except TypeError:
        return (type(value), repr(value))
    return (type(value), value)


def field_key(field: Any) -> Hashable:
    """What distinguishes an output field: itself when it belongs to a model, else its options."""
    if field is None:
        return None
    if getattr(field, "model", None) is not None:
        return field  # type: ignore[no-any-return]
    found: Hashable = field.__dict__.get("_shape_key")
    if found is None:
        _, path, args, kwargs = field.deconstruct()
        found = (type(field), path, freeze(args), freeze(kwargs))
        field.__dict__["_shape_key"] = found
    return found
