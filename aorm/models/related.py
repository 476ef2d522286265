"""What stands on model classes for relations to many objects, and how relations are declared.

`hooks` of the registry is how the declarations below get their descriptors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any, NoReturn

from aorm.connections import on_primary
from aorm.fields.registry import hooks
from aorm.generated import getting
from aorm.models.manager import Manager
from aorm.models.many_to_many import create_forward_many_to_many_manager
from aorm.models.related_managers import create_reverse_many_to_one_manager
from aorm.models.related_object import (
    ForwardManyToOneDescriptor,
    ForwardOneToOneDescriptor,
    ReverseOneToOneDescriptor,
)
from aorm.models.relation import RelationDescriptor
from aorm.operations.routing import router

_new = object.__new__

_GETTER = """\
def manager(instance):
    {check}
    made = new()
    made.instance = instance
    return made
"""


class ReverseManyToOneDescriptor(RelationDescriptor):
    """`author.books`, of a foreign key on Book: the manager of the objects that point here."""

    def __init__(self, rel: Any) -> None:
        super().__init__()
        self.rel = rel
        self.field = rel.field

    @cached_property
    def related_manager_cls(self) -> Any:
        """The class of the managers, made from the related model's default manager."""
        return create_reverse_many_to_one_manager(
            type(self.rel.related_model._default_manager), self.rel
        )

    def _getter(self) -> Callable[[Any], Any]:
        kind = self.related_manager_cls
        key = kind._made_with()
        if key is None:
            return kind._of  # type: ignore[no-any-return]
        check = f"if {getting('instance', key)} is None: return of(instance)" if key else ""
        space: dict[str, Any] = {"new": partial(_new, kind), "of": kind._of}
        exec(_GETTER.format(check=check), space)
        getter: Callable[[Any], Any] = space["manager"]
        return getter

    def _refusal(self) -> tuple[str, str]:
        name = self.rel.get_accessor_name()
        return ("reverse side of a related set", name)

    def __set__(self, instance: Any, value: Any) -> NoReturn:
        """There is no assigning: `author.books.set(...)`."""
        side, name = self._refusal()
        raise TypeError(f"Direct assignment to the {side} is prohibited. Use {name}.set() instead.")


class ManyToManyDescriptor(ReverseManyToOneDescriptor):
    """`book.tags` and `tag.books`, both sides of a many-to-many field."""

    def __init__(self, rel: Any, reverse: bool = False) -> None:
        super().__init__(rel)
        self.reverse = reverse

    @property
    def through(self) -> Any:
        """The model between the two."""
        return self.rel.through

    @cached_property
    def related_manager_cls(self) -> Any:
        related = self.rel.related_model if self.reverse else self.rel.model
        return create_forward_many_to_many_manager(
            type(related._default_manager), self.rel, reverse=self.reverse
        )

    def _refusal(self) -> tuple[str, str]:
        if self.reverse:
            return ("reverse side of a many-to-many set", self.rel.get_accessor_name())
        return ("forward side of a many-to-many set", self.field.name)


# --- hooks --------------------------------------------------------------------------------


def forward(field: Any) -> Any:
    """The descriptor of a foreign key or a one-to-one field."""
    kind = ForwardOneToOneDescriptor if field.one_to_one else ForwardManyToOneDescriptor
    return kind(field)


def reverse(rel: Any) -> Any:
    """The descriptor of the way back."""
    return (ReverseManyToOneDescriptor if rel.multiple else ReverseOneToOneDescriptor)(rel)


def many(rel: Any, reverse: bool) -> Any:
    """The descriptor of either side of a many-to-many field."""
    return ManyToManyDescriptor(rel, reverse)


def exists(field: Any, value: Any, instance: Any) -> bool:
    """Whether the object that a foreign key's value names is there, and allowed."""
    database = router.db_for_read(field.remote_field.model, instance=instance)
    queryset = field.remote_field.model._base_manager.using(database).filter(
        **{field.remote_field.field_name: value}
    )
    with on_primary():
        return bool(queryset.complex_filter(field.get_limit_choices_to()).exists())


def choices(model: Any, limit: Any, ordering: Sequence[Any]) -> Any:
    """The objects that a relation may lead to.

    Args:
        limit: lookups or a Q that they match.
        ordering: their order, where it is not that of the model.
    """
    queryset = model._default_manager.complex_filter(limit or {})
    return queryset.order_by(*ordering) if ordering else queryset


hooks.forward = forward
hooks.choices = choices
hooks.reverse = reverse
hooks.many = many
hooks.manager = Manager
hooks.exists = exists

__all__ = [
    "ForwardManyToOneDescriptor",
    "ForwardOneToOneDescriptor",
    "ManyToManyDescriptor",
    "ReverseManyToOneDescriptor",
    "ReverseOneToOneDescriptor",
]
