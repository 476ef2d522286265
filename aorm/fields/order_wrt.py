"""The place of an object among those that point to the same one.

`Meta.order_with_respect_to` names the relation; the column `_order` holds the place.
"""

from __future__ import annotations

from typing import Any

from aorm.errors import FieldDoesNotExist, listed
from aorm.fields.numbers import IntegerField

ORDER = "_order"


class OrderWrt(IntegerField):
    """The column of places: it is `_order`, whatever it is declared as."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "name": ORDER, "editable": False})


def prepare_order(model: Any) -> None:
    """Give a model the column that its `order_with_respect_to` needs, and its ordering by it.

    Raises:
        FieldDoesNotExist: the model has no such field.
    """
    options = model._meta
    wanted = options.order_with_respect_to
    if not wanted:
        options.order_with_respect_to = None
        return
    field = options._forward_fields_map.get(wanted)
    if field is None:
        raise FieldDoesNotExist(
            f"{options.object_name} has no field named '{wanted}', with respect to which its "
            f"objects could be ordered; its fields are "
            f"{listed({each.name for each in options._forward_fields_map.values()})}"
        )
    options.order_with_respect_to = field
    options.ordering = (ORDER,)
    if not any(isinstance(each, OrderWrt) for each in options.local_fields):
        model.add_to_class(ORDER, OrderWrt())


def group_attnames(options: Any) -> tuple[str, ...] | None:
    """Which columns are equal in objects that are ordered together; None where none are."""
    field = options.order_with_respect_to
    if field is None:
        return None
    local = getattr(field, "local_related_fields", None)
    if local is not None:
        return tuple(each.attname for each in local)
    # A generic foreign key stands on two columns.
    return tuple(getattr(field, "columns", None) or (field.attname,))


__all__ = ["ORDER", "OrderWrt", "group_attnames", "prepare_order"]
