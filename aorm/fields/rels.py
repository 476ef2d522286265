"""The reverse side of relations, and the joins that a relation stands for.

A `rel` is what `remote_field` of a relation field holds before and after its target is
resolved: where it points, how the way back is named, and what deletion means for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from aorm.errors import FieldDoesNotExist, FieldError
from aorm.fields.base import BLANK_CHOICE_DASH
from aorm.fields.on_delete import OnDelete
from aorm.fields.registry import hooks
from aorm.records import Record


class PathInfo(Record):
    """One join on the way along a relation."""

    from_opts: Any
    to_opts: Any
    target_fields: tuple[Any, ...]
    join_field: Any
    m2m: bool
    direct: bool
    filtered_relation: Any = None


_MISSING = object()
#: With it behind the name of a kept object stand the column's values to which it was assigned
#: before it had a key; it is what is meant as long as the column keeps them.
ASSIGNED = "_for"


class RelationCache:
    """Where an instance keeps the object, or the objects, that a relation leads to.

    They are plain entries of the instance's `__dict__`, so that loading a relation costs one
    look-up.
    """

    @property
    def cache_name(self) -> str:
        raise NotImplementedError

    @cached_property
    def cache_attname(self) -> str:
        return f"_{self.cache_name}_cache"

    def get_cache_name(self) -> str:
        return self.cache_name

    def get_cached_value(self, instance: Any, default: Any = _MISSING) -> Any:
        """The object that is kept; KeyError without one and without a default."""
        if default is _MISSING:
            return instance.__dict__[self.cache_attname]
        return instance.__dict__.get(self.cache_attname, default)

    def is_cached(self, instance: Any) -> bool:
        return self.cache_attname in instance.__dict__

    def set_cached_value(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.cache_attname] = value

    def delete_cached_value(self, instance: Any) -> None:
        del instance.__dict__[self.cache_attname]


class ForeignObjectRel(RelationCache):
    """The way back along a `ForeignObject`; the base of all rels."""

    # What distinguishes a rel from a field, for those who go through get_fields().
    auto_created = True
    concrete = False
    editable = False
    is_relation = True
    # There may be nobody who points here.
    null = True
    empty_strings_allowed = False
    multiple = True
    symmetrical = False
    through: Any = None
    through_fields: Any = None
    field_name: str | None = None

    def __init__(
        self,
        field: Any,
        to: Any,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: Any = None,
        parent_link: bool = False,
        on_delete: OnDelete | None = None,
    ) -> None:
        self.field = field
        self.model = to
        self.related_name = related_name
        self.related_query_name = related_query_name
        self.limit_choices_to: Any = {} if limit_choices_to is None else limit_choices_to
        self.parent_link = parent_link
        self.on_delete = on_delete

    # --- flags and names --------------------------------------------------------------

    @property
    def hidden(self) -> bool:
        """Whether there is no way back: `related_name` ends with `+`."""
        return bool(self.related_name) and str(self.related_name).endswith("+")

    def is_hidden(self) -> bool:
        return self.hidden

    @property
    def name(self) -> str:
        """What queries call it."""
        return str(self.field.related_query_name())

    @property
    def remote_field(self) -> Any:
        return self.field

    @property
    def related_model(self) -> Any:
        """The model that declares the field."""
        if not self.field.model:
            raise AttributeError(
                "This property can't be accessed before self.field.contribute_to_class has "
                "been called."
            )
        return self.field.model

    @property
    def target_field(self) -> Any:
        """The field of the declaring model that identifies what is found."""
        targets = self.path_infos[-1].target_fields
        if len(targets) > 1:
            raise FieldError(
                f"{self} leads to {len(targets)} target fields, where one is needed: "
                + ", ".join(target.name for target in targets)
            )
        return targets[0]

    @property
    def many_to_many(self) -> bool:
        return bool(self.field.many_to_many)

    @property
    def many_to_one(self) -> bool:
        return bool(self.field.one_to_many)

    @property
    def one_to_many(self) -> bool:
        return bool(self.field.many_to_one)

    @property
    def one_to_one(self) -> bool:
        return bool(self.field.one_to_one)

    @property
    def choices(self) -> None:
        return None

    @property
    def verbose_name(self) -> Any:
        return self.field.verbose_name

    def get_accessor_name(self, model: Any = None) -> str | None:
        """The attribute by which instances reach back; None for a symmetrical relation.

        Args:
            model: the class to name it after, where it is not the declaring one.
        """
        declaring = model or self.related_model
        if self.symmetrical and declaring is self.model:
            return None
        if self.related_name:
            return self.related_name
        suffix = "_set" if self.multiple else ""
        return f"{declaring._meta.model_name}{suffix}"

    @cached_property
    def accessor_name(self) -> str | None:
        return self.get_accessor_name()

    @property
    def cache_name(self) -> str:
        return self.get_accessor_name() or self.field.name

    # --- what the field answers for both sides ----------------------------------------

    def get_lookup(self, lookup_name: str) -> Any:
        return self.field.get_lookup(lookup_name)

    def get_lookups(self) -> Any:
        return self.field.get_lookups()

    def get_transform(self, name: str) -> Any:
        return self.field.get_transform(name)

    def get_internal_type(self) -> str:
        return str(self.field.get_internal_type())

    @property
    def db_type(self) -> Any:
        return self.field.db_type

    def get_choices(
        self,
        include_blank: bool = True,
        blank_choice: Sequence[tuple[Any, Any]] = BLANK_CHOICE_DASH,
        limit_choices_to: Any = None,
        ordering: Sequence[Any] = (),
    ) -> list[Any]:
        """The objects that may point here, as keys with their texts.

        Args:
            include_blank: whether `blank_choice` comes first.
            limit_choices_to: lookups or a Q, in place of those of the relation.
            ordering: the order, where it is not that of the model.
        """
        queryset = self._choices(limit_choices_to, ordering)
        found = [(each.pk, str(each)) for each in queryset]
        return [*blank_choice, *found] if include_blank else found

    async def aget_choices(
        self,
        include_blank: bool = True,
        blank_choice: Sequence[tuple[Any, Any]] = BLANK_CHOICE_DASH,
        limit_choices_to: Any = None,
        ordering: Sequence[Any] = (),
    ) -> list[Any]:
        queryset = self._choices(limit_choices_to, ordering)
        found = [(each.pk, str(each)) async for each in queryset]
        return [*blank_choice, *found] if include_blank else found

    def _choices(self, limit: Any, ordering: Sequence[Any]) -> Any:
        return hooks.choices(self.related_model, limit or self.limit_choices_to, ordering)

    def get_joining_fields(self) -> tuple[tuple[Any, Any], ...]:
        """Pairs of fields to join: of the target, and of the declaring model."""
        pairs: tuple[tuple[Any, Any], ...] = self.field.get_reverse_joining_fields()
        return pairs

    def get_extra_restriction(self, alias: Any, related_alias: Any) -> Any:
        return self.field.get_extra_restriction(related_alias, alias)

    def get_path_info(self, filtered_relation: Any = None) -> list[PathInfo]:
        found: list[PathInfo] = self.field.get_reverse_path_info(filtered_relation)
        return found

    @cached_property
    def path_infos(self) -> list[PathInfo]:
        found: list[PathInfo] = self.field.reverse_path_infos
        return found

    @property
    def reverse_path_infos(self) -> list[PathInfo]:
        found: list[PathInfo] = self.field.path_infos
        return found

    def set_field_name(self) -> None:
        """Settle on the field that is pointed to; a ForeignObject has its own pairs."""
        self.field_name = None

    def get_related_field(self) -> Any:
        """The field of the target that is pointed to."""
        return self.field.foreign_related_fields[0]

    # --- identity ---------------------------------------------------------------------

    @property
    def identity(self) -> tuple[Any, ...]:
        return (
            self.field,
            self.model,
            self.related_name,
            self.related_query_name,
            _hashable(self.limit_choices_to),
            self.parent_link,
            self.on_delete,
            self.symmetrical,
            self.multiple,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ForeignObjectRel):
            return NotImplemented
        return self is other or (type(self) is type(other) and self.identity == other.identity)

    def __hash__(self) -> int:
        # Equal rels have equal fields; the rest would only make hashing slower.
        return hash((self.field, self.related_name))

    def __repr__(self) -> str:
        model = self.related_model
        return f"<{type(self).__name__}: {model._meta.app_label}.{model._meta.model_name}>"

    def __copy__(self) -> Any:
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        for derived in ("cache_attname", "accessor_name", "path_infos"):
            copied.__dict__.pop(derived, None)
        return copied

    def __reduce__(self) -> Any:
        if getattr(self.field, "model", None) is not None and self.field.remote_field is self:
            return (_remote_field_of, (self.field,))
        return super().__reduce__()


class ManyToOneRel(ForeignObjectRel):
    """The way back along a `ForeignKey`; `field_name` is what it points to."""

    def __init__(
        self,
        field: Any,
        to: Any,
        field_name: str | None,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: Any = None,
        parent_link: bool = False,
        on_delete: OnDelete | None = None,
    ) -> None:
        super().__init__(
            field, to, related_name, related_query_name, limit_choices_to, parent_link, on_delete
        )
        self.field_name = field_name

    @property
    def identity(self) -> tuple[Any, ...]:
        return (*super().identity, self.field_name)

    def get_related_field(self) -> Any:
        found = self.model._meta.get_field(self.field_name)
        if not found.concrete:
            raise FieldDoesNotExist(
                f"{self.model._meta.object_name} has no column named '{self.field_name}'"
            )
        return found

    def set_field_name(self) -> None:
        self.field_name = self.field_name or self.model._meta.pk.name


class OneToOneRel(ManyToOneRel):
    """The way back along a `OneToOneField`: one object, or none."""

    multiple = False


class ManyToManyRel(ForeignObjectRel):
    """The way back along a `ManyToManyField`, through the same intermediate model."""

    def __init__(
        self,
        field: Any,
        to: Any,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: Any = None,
        symmetrical: bool = True,
        through: Any = None,
        through_fields: Any = None,
        db_constraint: bool = True,
    ) -> None:
        super().__init__(field, to, related_name, related_query_name, limit_choices_to)
        if through is not None and not db_constraint:
            raise ValueError("Can't supply a through model and db_constraint=False")
        if through_fields and not through:
            raise ValueError("Cannot specify through_fields without a through model")
        self.symmetrical = symmetrical
        self.through = through
        self.through_fields = through_fields
        self.db_constraint = db_constraint

    @property
    def identity(self) -> tuple[Any, ...]:
        return (*super().identity, self.through, _hashable(self.through_fields), self.db_constraint)

    def get_related_field(self) -> Any:
        """The field of the target that the intermediate model points to."""
        for field in self.through._meta.fields:
            rel = getattr(field, "remote_field", None)
            if rel and rel.model == self.model:
                return rel.get_related_field()
        raise FieldError(
            f"{self.through._meta.label} has no foreign key to {self.model._meta.label}"
        )


def _remote_field_of(field: Any) -> Any:
    return field.remote_field


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _hashable(item)) for key, item in sorted(value.items()))
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    return value
