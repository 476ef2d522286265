"""What `Meta.order_with_respect_to` puts on model classes: neighbours, and the order as a list.

1. An object of the ordered model knows `get_next_in_order()` and `get_previous_in_order()`.
2. The object that they point to has `get_MODEL_order()`, a QuerySet of keys, and
   `set_MODEL_order(keys)`, which writes the places of those that belong to it.
3. What a generic foreign key orders is reached through the generic relation that leads back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from aorm.fields.order_wrt import ORDER, group_attnames
from aorm.fields.registry import lazy_related_operation
from aorm.operations.places import group_of, in_group

Rows = Callable[[Any, Any], Any]


def add_order_methods(model: Any) -> None:
    """Give an ordered model, and the one that it points to, the methods of the order."""
    for name, is_next in (("next", True), ("previous", False)):
        method, twin = _neighbour(model, is_next)
        setattr(model, f"get_{name}_in_order", _named(method, model, f"get_{name}_in_order"))
        setattr(model, f"aget_{name}_in_order", _named(twin, model, f"aget_{name}_in_order"))
    relation = model._meta.order_with_respect_to.remote_field
    # A generic foreign key points to no model in particular: see `add_order_through`.
    if getattr(relation, "model", None) is not None:

        def add(model: Any, related: Any) -> None:
            _add_to_related(model, related, partial(_pointing_to, model))

        lazy_related_operation(add, model, relation.model)


def add_order_through(relation: str, model: Any, related: Any) -> None:
    """Give a model the methods of the order of what it reaches by a generic relation."""

    def rows(owner: Any, using: Any) -> Any:
        found = getattr(owner, relation).all()
        return (found.using(using) if using else found).order_by(ORDER)

    _add_to_related(model, related, rows)


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


def _add_to_related(model: Any, related: Any, rows: Rows) -> None:
    """Add the methods; `rows` are those that point to an object, on a database."""
    name = f"{model._meta.model_name}_order"
    for method in (_get_order, _aget_order, _set_order, _aset_order):
        prefix = method.__name__.removeprefix("_").removesuffix("_order")
        bound = partial(method, model, rows)
        setattr(related, f"{prefix}_{name}", _as_method(bound, method, related, f"{prefix}_{name}"))


def _get_order(model: Any, rows: Rows, owner: Any) -> Any:
    """The keys of the objects that point here, in their order: a QuerySet."""
    return rows(owner, None).values_list(model._meta.pk.name, flat=True)


async def _aget_order(model: Any, rows: Rows, owner: Any) -> Any:
    return await _get_order(model, rows, owner)


def _set_order(
    model: Any, rows: Rows, owner: Any, id_list: Iterable[Any], using: Any = None
) -> None:
    """Put the objects with these keys in this order; those that do not point here stay.

    Args:
        id_list: their primary keys.
        using: the alias of the database.
    """
    rows(owner, using).bulk_update(_placed(model, id_list), [ORDER])


async def _aset_order(
    model: Any, rows: Rows, owner: Any, id_list: Iterable[Any], using: Any = None
) -> None:
    await rows(owner, using).abulk_update(_placed(model, id_list), [ORDER])


def _placed(model: Any, id_list: Iterable[Any]) -> list[Any]:
    return [model(pk=key, **{ORDER: place}) for place, key in enumerate(id_list)]


def _pointing_to(model: Any, owner: Any, using: Any) -> Any:
    """The objects that point to this one, in their order."""
    field = model._meta.order_with_respect_to
    values = field.get_foreign_related_value(owner)
    rows = model._default_manager.db_manager(using).all()
    return in_group(rows, group_attnames(model._meta) or (), values).order_by(ORDER)


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


__all__ = ["add_order_methods", "add_order_through"]
