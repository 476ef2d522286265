"""What `Meta.order_with_respect_to` puts on model classes: neighbours, and the order as a list.

1. An object of the ordered model knows `get_next_in_order()` and `get_previous_in_order()`.
2. The object that they point to has `get_MODEL_order()`, a QuerySet of keys, and
   `set_MODEL_order(keys)`, which writes the places of those that belong to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from aorm.fields.order_wrt import ORDER, group_attnames
from aorm.fields.registry import lazy_related_operation
from aorm.operations.places import group_of, in_group


def add_order_methods(model: Any) -> None:
    """Give an ordered model, and the one that it points to, the methods of the order."""
    for name, is_next in (("next", True), ("previous", False)):
        method, twin = _neighbour(model, is_next)
        setattr(model, f"get_{name}_in_order", _named(method, model, f"get_{name}_in_order"))
        setattr(model, f"aget_{name}_in_order", _named(twin, model, f"aget_{name}_in_order"))
    relation = model._meta.order_with_respect_to.remote_field
    # A generic foreign key points to no model in particular.
    if getattr(relation, "model", None) is not None:
        lazy_related_operation(_add_to_related, model, relation.model)


def _neighbour(model: Any, is_next: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    lookup, sign = (f"{ORDER}__gt", "") if is_next else (f"{ORDER}__lt", "-")

    def beyond(self: Any) -> Any:
        attnames = group_attnames(model._meta) or ()
        rows = type(self)._default_manager.using(self._state.db)
        place = rows.filter(pk=self.pk).values(ORDER)[:1]
        group = in_group(rows, attnames, group_of(self, attnames))
        return group.filter(**{lookup: place}).order_by(f"{sign}{ORDER}")[:1]

    def method(self: Any) -> Any:
        return beyond(self).get()

    async def twin(self: Any) -> Any:
        return await beyond(self).aget()

    where = "behind" if is_next else "before"
    method.__doc__ = f"""The object that stands {where} this one, of those that it is ordered with.

        Raises:
            DoesNotExist: there is none.
        """
    return method, twin


def _add_to_related(model: Any, related: Any) -> None:
    name = f"{model._meta.model_name}_order"
    for method in (_get_order, _aget_order, _set_order, _aset_order):
        prefix = method.__name__.removeprefix("_").removesuffix("_order")
        bound = partial(method, model)
        setattr(related, f"{prefix}_{name}", _as_method(bound, method, related, f"{prefix}_{name}"))


def _get_order(model: Any, owner: Any) -> Any:
    """The keys of the objects that point here, in their order: a QuerySet."""
    return _pointing_to(model, model._default_manager, owner).values_list(
        model._meta.pk.name, flat=True
    )


async def _aget_order(model: Any, owner: Any) -> Any:
    return await _get_order(model, owner)


def _set_order(model: Any, owner: Any, id_list: Iterable[Any], using: Any = None) -> None:
    """Put the objects with these keys in this order; those that do not point here stay.

    Args:
        id_list: their primary keys.
        using: the alias of the database.
    """
    rows, objs = _to_place(model, owner, id_list, using)
    rows.bulk_update(objs, [ORDER])


async def _aset_order(model: Any, owner: Any, id_list: Iterable[Any], using: Any = None) -> None:
    rows, objs = _to_place(model, owner, id_list, using)
    await rows.abulk_update(objs, [ORDER])


def _to_place(model: Any, owner: Any, id_list: Iterable[Any], using: Any) -> tuple[Any, list[Any]]:
    rows = _pointing_to(model, model._default_manager.db_manager(using), owner)
    return rows, [model(pk=key, **{ORDER: place}) for place, key in enumerate(id_list)]


def _pointing_to(model: Any, manager: Any, owner: Any) -> Any:
    field = model._meta.order_with_respect_to
    values = field.get_foreign_related_value(owner)
    return in_group(manager.all(), group_attnames(model._meta) or (), values).order_by(ORDER)


def _as_method(bound: Any, method: Any, cls: Any, name: str) -> Callable[..., Any]:
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        return bound(self, *args, **kwargs)

    called.__doc__ = method.__doc__
    return _named(called, cls, name)


def _named(function: Any, cls: type, name: str) -> Callable[..., Any]:
    function.__name__ = name
    function.__qualname__ = f"{cls.__qualname__}.{name}"
    made: Callable[..., Any] = function
    return made


__all__ = ["add_order_methods"]
