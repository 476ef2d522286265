"""The places of new objects whose model is ordered with respect to a relation: the last ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aorm.fields.order_wrt import ORDER
from aorm.operations.prefetch import fetch_all
from aorm.query.aggregates import Max
from aorm.steps import Operation

Group = tuple[Any, ...]


def group_of(instance: Any, attnames: Sequence[str]) -> Group:
    """The values that an instance has in common with those that it is ordered with."""
    return tuple([getattr(instance, name) for name in attnames])


def in_group(queryset: Any, attnames: Sequence[str], group: Group) -> Any:
    """The objects that are ordered together."""
    conditions: dict[str, Any] = {}
    for name, value in zip(attnames, group, strict=True):
        conditions[f"{name}__isnull" if value is None else name] = True if value is None else value
    return queryset.filter(**conditions)


def take_last_place(
    model: Any, instance: Any, attnames: Sequence[str], using: str
) -> Operation[None]:
    """Put a new instance behind those that it is ordered with."""
    rows = in_group(model._base_manager.using(using), attnames, group_of(instance, attnames))
    found = yield from rows._aggregate_operation({"last": Max(ORDER)})
    setattr(instance, ORDER, _next(found["last"]))


def take_last_places(
    model: Any, instances: Iterable[Any], attnames: Sequence[str], using: str
) -> Operation[None]:
    """Put new instances that have no place yet behind those that they are ordered with."""
    waiting: dict[Group, list[Any]] = {}
    for instance in instances:
        if getattr(instance, ORDER) is None:
            waiting.setdefault(group_of(instance, attnames), []).append(instance)
    # Groups that differ in the last column alone are asked for together.
    asked: dict[Group, list[Any]] = {}
    for group in waiting:
        asked.setdefault((*group[:-1], group[-1] is None), []).append(group[-1])
    last: dict[Group, int] = {}
    for (*prefix, without), values in asked.items():
        rows = in_group(model._base_manager.using(using), attnames[:-1], tuple(prefix))
        condition = (
            {f"{attnames[-1]}__isnull": True} if without else {f"{attnames[-1]}__in": values}
        )
        found = yield from fetch_all(
            rows.filter(**condition)
            .order_by()
            .values_list(attnames[-1])
            .annotate(last_place=Max(ORDER))
        )
        last.update({(*prefix, value): place for value, place in found})
    for group, members in waiting.items():
        for place, instance in enumerate(members, _next(last.get(group))):
            setattr(instance, ORDER, place)


def _next(last: int | None) -> int:
    return 0 if last is None else last + 1
