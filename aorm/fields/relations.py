"""Fields that point to other models.

1. A relation stores the label of its target; it becomes a class when both models exist.
2. A foreign key's value is that of the field it points to, under `<name>_id`; conversions, types
   and checks of values are those of the target.
3. What stands on the classes (`book.author`, `author.books`) is made by higher layers, through
   `hooks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Unpack, overload

from aorm.errors import FieldError, ValidationError
from aorm.fields.base import BLANK_CHOICE_DASH, Field, N, V, is_expression
from aorm.fields.on_delete import OnDelete
from aorm.fields.registry import RECURSIVE, apps, hooks, lazy_related_operation
from aorm.fields.rels import (
    ForeignObjectRel,
    ManyToManyRel,
    ManyToOneRel,
    OneToOneRel,
    PathInfo,
    RelationCache,
)

if TYPE_CHECKING:
    from aorm.fields.keywords import ForeignKeyOptions, OneToOneOptions

# What a copy of a field for another model must derive anew.
DERIVED = (
    "related_model",
    "path_infos",
    "reverse_path_infos",
    "related_fields",
    "reverse_related_fields",
    "local_related_fields",
    "foreign_related_fields",
    "target_field",
    "cache_attname",
    "plain_types",
    "_related_name_cache",
)


class SettingsReference(str):
    """The label of a model that a setting names."""

    setting_name: str

    def __new__(cls, value: str, setting_name: str) -> SettingsReference:
        made = str.__new__(cls, value)
        made.setting_name = setting_name
        return made

    def __reduce__(self) -> Any:
        return (SettingsReference, (str(self), self.setting_name))


def check_target(field: Any, to: Any) -> Any:
    if isinstance(to, str):
        return to
    if not hasattr(to, "_meta"):
        kind = type(field).__name__
        raise TypeError(
            f"{kind}({to!r}) is invalid. First parameter to {kind} must be either a model, a "
            f"model name, or the string {RECURSIVE!r}"
        )
    return to


class RelatedField(RelationCache, Field[V, N]):
    """What all relations have in common."""

    one_to_many = False
    one_to_one = False
    many_to_many = False
    many_to_one = False
    is_relation = True
    remote_field: Any
    opts: Any
    swappable: bool = True

    def __init__(
        self,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: Any = None,
        **kwargs: Any,
    ) -> None:
        self._related_name = related_name
        self._related_query_name = related_query_name
        self._limit_choices_to = limit_choices_to
        super().__init__(**kwargs)

    def __copy__(self) -> Any:
        copied = super().__copy__()
        for name in DERIVED:
            copied.__dict__.pop(name, None)
        return copied

    # --- the target -------------------------------------------------------------------

    @cached_property
    def related_model(self) -> Any:
        """The model that is pointed to; still its label where it does not exist."""
        return self.remote_field.model

    @property
    def cache_name(self) -> str:
        return str(self.name)

    def get_cache_name(self) -> str:
        return self.cache_name

    def contribute_to_class(
        self, cls: Any, name: str, private_only: bool = False, **kwargs: Any
    ) -> None:
        super().contribute_to_class(cls, name, private_only=private_only, **kwargs)
        self.opts = options = cls._meta
        if options.abstract:
            return
        words = {
            "class": cls.__name__.lower(),
            "model_name": options.model_name,
            "app_label": options.app_label.lower(),
        }
        rel = self.remote_field
        related_name = rel.related_name or options.default_related_name
        if related_name:
            rel.related_name = str(related_name) % words
        if rel.related_query_name:
            rel.related_query_name = str(rel.related_query_name) % words
        lazy_related_operation(_resolve_target, cls, rel.model, field=self)

    def do_related_class(self, other: Any, cls: Any) -> None:
        """Take up the relation, now that both classes exist."""
        self.__dict__.pop("related_model", None)
        self.set_attributes_from_rel()
        self.contribute_to_related_class(other, self.remote_field)

    def set_attributes_from_rel(self) -> None:
        """Fill in what is named after the target."""
        options = self.remote_field.model._meta
        self.name = self.name or f"{options.model_name}_{options.pk.name}"
        if self.verbose_name is None:
            self.verbose_name = options.verbose_name
        self.remote_field.set_field_name()

    def contribute_to_related_class(self, cls: Any, related: Any) -> None:
        """Give the target its way back."""
        raise NotImplementedError

    def related_query_name(self) -> str:
        """The name of the way back in queries."""
        rel = self.remote_field
        return rel.related_query_name or rel.related_name or str(self.opts.model_name)

    @property
    def target_field(self) -> Any:
        """The one field that is pointed to.

        Raises:
            FieldError: there are several.
        """
        targets = self.path_infos[-1].target_fields
        if len(targets) > 1:
            raise FieldError(
                f"The relation {self} has multiple target fields, but only a single target "
                f"field was asked for: {', '.join(target.name for target in targets)}"
            )
        return targets[0]

    def get_limit_choices_to(self) -> Any:
        """What the choices are limited to: a dictionary of lookups or a Q."""
        limit = self.remote_field.limit_choices_to
        return limit() if callable(limit) else limit

    def get_choices(
        self,
        include_blank: bool = True,
        blank_choice: Sequence[tuple[Any, Any]] = BLANK_CHOICE_DASH,
        limit_choices_to: Any = None,
        ordering: Sequence[Any] = (),
    ) -> list[Any]:
        """The objects that the relation may lead to, as values of the field with their texts.

        Args:
            include_blank: whether `blank_choice` comes first.
            limit_choices_to: lookups or a Q, in place of those of the relation.
            ordering: the order, where it is not that of the model.
        """
        queryset, key = self._choice_objects(limit_choices_to, ordering)
        found: list[Any] = [(key(each), str(each)) for each in queryset]
        return [*blank_choice, *found] if include_blank else found

    async def aget_choices(
        self,
        include_blank: bool = True,
        blank_choice: Sequence[tuple[Any, Any]] = BLANK_CHOICE_DASH,
        limit_choices_to: Any = None,
        ordering: Sequence[Any] = (),
    ) -> list[Any]:
        queryset, key = self._choice_objects(limit_choices_to, ordering)
        found: list[Any] = [(key(each), str(each)) async for each in queryset]
        return [*blank_choice, *found] if include_blank else found

    def _choice_objects(self, limit: Any, ordering: Sequence[Any]) -> tuple[Any, Any]:
        limit = limit or self.get_limit_choices_to()
        key = attrgetter(self.remote_field.get_related_field().attname)
        return hooks.choices(self.remote_field.model, limit, ordering), key

    # --- paths ------------------------------------------------------------------------

    def get_path_info(self, filtered_relation: Any = None) -> list[PathInfo]:
        raise NotImplementedError

    def get_reverse_path_info(self, filtered_relation: Any = None) -> list[PathInfo]:
        raise NotImplementedError

    @cached_property
    def path_infos(self) -> list[PathInfo]:
        """The joins to the target."""
        return self.get_path_info()

    @cached_property
    def reverse_path_infos(self) -> list[PathInfo]:
        """The joins from the target to here."""
        return self.get_reverse_path_info()

    # --- the declaration --------------------------------------------------------------

    @property
    def swappable_setting(self) -> str | None:
        """The setting that may put another model in place of the target, or None."""
        if not self.swappable:
            return None
        to = self.remote_field.model
        label = to if isinstance(to, str) else to._meta.label
        return apps.get_swappable_settings_name(label)

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if self._limit_choices_to:
            kwargs["limit_choices_to"] = self._limit_choices_to
        if self._related_name is not None:
            kwargs["related_name"] = self._related_name
        if self._related_query_name is not None:
            kwargs["related_query_name"] = self._related_query_name
        return name, path, args, kwargs

    def _deconstructed_target(self) -> str:
        to = self.remote_field.model
        label = to.lower() if isinstance(to, str) else to._meta.label_lower
        setting = self.swappable_setting
        return label if setting is None else SettingsReference(label, setting)


def _resolve_target(model: Any, related: Any, field: Any) -> None:
    field.remote_field.model = related
    field.do_related_class(related, model)


class ForeignObject(RelatedField[V, N]):
    """A relation over any number of columns that are fields of their own.

    Args:
        to: the target model, or its label.
        on_delete: what becomes of this object when the target is deleted.
        from_fields: names of fields here (`"self"`: this field itself).
        to_fields: names of fields of the target (None: its primary key).
        db_constraint: whether the database watches over it: the fields of the target must be
            unique together, as those of a `CompositePrimaryKey` are.
    """

    requires_unique_target = True
    many_to_one = True
    rel_class: ClassVar[type[ForeignObjectRel]] = ForeignObjectRel

    @classmethod
    def _lookup_bases(cls) -> tuple[type, ...]:
        """Relations have lookups of their own: those of columns do not compare objects."""
        bases = cls.__mro__
        return bases[: bases.index(ForeignObject) + 1]

    def __init__(
        self,
        to: Any,
        on_delete: Any,
        from_fields: Any,
        to_fields: Any,
        rel: Any = None,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: Any = None,
        parent_link: bool = False,
        swappable: bool = True,
        db_constraint: bool = False,
        **kwargs: Any,
    ) -> None:
        if rel is None:
            rel = self.rel_class(
                self,
                check_target(self, to),
                related_name=related_name,
                related_query_name=related_query_name,
                limit_choices_to=limit_choices_to,
                parent_link=parent_link,
                on_delete=on_delete,
            )
        super().__init__(
            rel=rel,
            related_name=related_name,
            related_query_name=related_query_name,
            limit_choices_to=limit_choices_to,
            **kwargs,
        )
        self.from_fields = from_fields
        self.to_fields = to_fields
        self.swappable = swappable
        self.db_constraint = db_constraint

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        kwargs["on_delete"] = self.remote_field.on_delete
        kwargs["from_fields"] = self.from_fields
        kwargs["to_fields"] = self.to_fields
        if self.db_constraint:
            kwargs["db_constraint"] = True
        if self.remote_field.parent_link:
            kwargs["parent_link"] = True
        kwargs["to"] = self._deconstructed_target()
        return name, path, args, kwargs

    # --- pairs of fields --------------------------------------------------------------

    def resolve_related_fields(self) -> list[tuple[Any, Any]]:
        """Pairs of a field here and the field of the target that it points to.

        Raises:
            ValueError: the target does not exist.
            FieldError: the target has a field of this name only by a parent's table.
        """
        target = self.remote_field.model
        if isinstance(target, str):
            raise ValueError(f"Related model {target!r} cannot be resolved")
        pairs = []
        for own, other in zip(self.from_fields, self.to_fields, strict=True):
            local = self if own == RECURSIVE else self.opts.get_field(own)
            if other is None:
                pairs.append((local, target._meta.pk))
                continue
            remote = target._meta.get_field(other)
            if remote.model is not target and remote.model._meta.concrete_model is not (
                target._meta.concrete_model
            ):
                raise FieldError(
                    f"'{self.model._meta.label}.{self.name}' refers to field '{other}' which is "
                    f"not local to model '{target._meta.label}'."
                )
            pairs.append((local, remote))
        return pairs

    @cached_property
    def related_fields(self) -> list[tuple[Any, Any]]:
        return self.resolve_related_fields()

    @cached_property
    def reverse_related_fields(self) -> list[tuple[Any, Any]]:
        return [(remote, local) for local, remote in self.related_fields]

    @cached_property
    def local_related_fields(self) -> tuple[Any, ...]:
        return tuple(local for local, _ in self.related_fields)

    @cached_property
    def foreign_related_fields(self) -> tuple[Any, ...]:
        return tuple(remote for _, remote in self.related_fields if remote)

    def get_local_related_value(self, instance: Any) -> tuple[Any, ...]:
        """The instance's values that point to the target."""
        return self.get_instance_value_for_fields(instance, self.local_related_fields)

    def get_foreign_related_value(self, instance: Any) -> tuple[Any, ...]:
        """The target instance's values that are pointed to."""
        return self.get_instance_value_for_fields(instance, self.foreign_related_fields)

    @staticmethod
    def get_instance_value_for_fields(instance: Any, fields: Any) -> tuple[Any, ...]:
        """The instance's values of these fields.

        A child of the model that a field belongs to may have been given only its own link.
        """
        values = []
        options = instance._meta
        for field in fields:
            if field.primary_key and field.model is not options.model:
                link = options.get_ancestor_link(field.model)
                if not link or link.primary_key:
                    values.append(instance.pk)
                    continue
            values.append(getattr(instance, field.attname))
        return tuple(values)

    def get_joining_fields(self, reverse_join: bool = False) -> tuple[tuple[Any, Any], ...]:
        """Pairs of fields to join: of this model, and of the target."""
        return tuple(self.reverse_related_fields if reverse_join else self.related_fields)

    def get_reverse_joining_fields(self) -> tuple[tuple[Any, Any], ...]:
        return self.get_joining_fields(reverse_join=True)

    def get_attname_column(self) -> tuple[str, Any]:
        return self.get_attname(), None

    def get_extra_descriptor_filter(self, instance: Any) -> Any:
        """More conditions for what the relation of this instance leads to."""
        return {}

    def get_extra_restriction(self, alias: Any, related_alias: Any) -> Any:
        """More conditions for the join, or None."""
        return None

    # --- paths ------------------------------------------------------------------------

    def get_path_info(self, filtered_relation: Any = None) -> list[PathInfo]:
        return [
            PathInfo(
                from_opts=self.model._meta,
                to_opts=self.remote_field.model._meta,
                target_fields=self.foreign_related_fields,
                join_field=self,
                m2m=False,
                direct=True,
                filtered_relation=filtered_relation,
            )
        ]

    def get_reverse_path_info(self, filtered_relation: Any = None) -> list[PathInfo]:
        options = self.model._meta
        return [
            PathInfo(
                from_opts=self.remote_field.model._meta,
                to_opts=options,
                target_fields=(options.pk,),
                join_field=self.remote_field,
                m2m=not self.unique,
                direct=False,
                filtered_relation=filtered_relation,
            )
        ]

    # --- classes ----------------------------------------------------------------------

    def contribute_to_class(
        self, cls: Any, name: str, private_only: bool = False, **kwargs: Any
    ) -> None:
        super().contribute_to_class(cls, name, private_only=private_only, **kwargs)
        if hooks.forward is not None:
            setattr(cls, self.name, hooks.forward(self))

    def contribute_to_related_class(self, cls: Any, related: Any) -> None:
        if related.hidden or related.related_model._meta.swapped:
            return
        if hooks.reverse is not None:
            setattr(cls._meta.concrete_model, related.get_accessor_name(), hooks.reverse(related))
        if self.remote_field.limit_choices_to:
            cls._meta.related_fkey_lookups.append(self.remote_field.limit_choices_to)


class ForeignKey(ForeignObject[V, N]):
    """Many of these objects point to one of the target.

    Type checkers know the target from the class; from a label only as it is written down:
    `ForeignKey["Author"]("Author", ...)`, `ForeignKey["Author | None"]("Author", null=True, ...)`.

    Args:
        to: the target model, its label, or `"self"`.
        on_delete: what becomes of this object when the target is deleted.
        related_name: the way back (`%(class)s` and `%(app_label)s` are filled in); one that
            ends with `+` means that there is none.
        related_query_name: the name of the way back in queries.
        limit_choices_to: lookups or a Q that a valid target matches.
        parent_link: this is how the model's rows belong to those of its parent's table.
        to_field: the field of the target that is pointed to; its primary key where not given.
        db_constraint: whether the database watches over it.
    """

    descriptor_class = None
    rel_class = ManyToOneRel
    empty_strings_allowed = False
    default_error_messages: ClassVar[Mapping[str, Any]] = {
        "invalid": "%(model)s instance with %(field)s %(value)r is not a valid choice."
    }
    description = "Foreign Key (type determined by related field)"

    @overload
    def __init__(
        self,
        to: type[V] | str,
        on_delete: Any,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: Any = None,
        parent_link: bool = False,
        to_field: str | None = None,
        db_constraint: bool = True,
        *,
        null: N = ...,
        **options: Unpack[ForeignKeyOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        to: type[V] | str,
        on_delete: Any,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: Any = None,
        parent_link: bool = False,
        to_field: str | None = None,
        db_constraint: bool = True,
        *,
        null: bool,
        **options: Unpack[ForeignKeyOptions],
    ) -> None: ...
    def __init__(
        self,
        to: Any,
        on_delete: Any,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: Any = None,
        parent_link: bool = False,
        to_field: str | None = None,
        db_constraint: bool = True,
        **kwargs: Any,
    ) -> None:
        check_target(self, to)
        if not isinstance(to, str):
            # A target that is a class has a primary key, unless it is abstract.
            to_field = to_field or (to._meta.pk and to._meta.pk.name)
        if not isinstance(on_delete, OnDelete):
            raise TypeError(
                f"on_delete must be callable. {on_delete!r} is none of CASCADE, PROTECT, RESTRICT, "
                "SET_NULL, SET_DEFAULT, SET(...), DO_NOTHING, DB_CASCADE, DB_SET_NULL, "
                "DB_SET_DEFAULT"
            )
        rel = self.rel_class(
            self,
            to,
            to_field,
            related_name=related_name,
            related_query_name=related_query_name,
            limit_choices_to=limit_choices_to,
            parent_link=parent_link,
            on_delete=on_delete,
        )
        kwargs.setdefault("db_index", True)
        super().__init__(
            to,
            on_delete,
            from_fields=[RECURSIVE],
            to_fields=[to_field],
            rel=rel,
            related_name=related_name,
            related_query_name=related_query_name,
            limit_choices_to=limit_choices_to,
            **kwargs,
        )
        self.db_constraint = db_constraint

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["to_fields"], kwargs["from_fields"]
        # An index is what a foreign key has unless told otherwise.
        if self.db_index:
            kwargs.pop("db_index", None)
        else:
            kwargs["db_index"] = False
        kwargs.pop("db_constraint", None)
        if self.db_constraint is not True:
            kwargs["db_constraint"] = self.db_constraint
        # The primary key is what is pointed to unless told otherwise.
        field_name = self.remote_field.field_name
        options = getattr(self.remote_field.model, "_meta", None)
        if field_name and (
            not options or (options.pk is not None and field_name != options.pk.name)
        ):
            kwargs["to_field"] = field_name
        return name, path, args, kwargs

    def clone(self) -> Any:
        _, _, args, kwargs = self.deconstruct()
        kwargs["to"] = self.remote_field.model
        return type(self)(*args, **kwargs)

    # --- names and target -------------------------------------------------------------

    def get_attname(self) -> str:
        return f"{self.name}_id"

    def get_attname_column(self) -> tuple[str, Any]:
        attname = self.get_attname()
        return attname, self.db_column or attname

    @property
    def target_field(self) -> Any:
        """The field that is pointed to."""
        return self.foreign_related_fields[0]

    @property
    def value_field(self) -> Any:
        """The column at the end of a chain of foreign keys: whose kind the values are.

        Raises:
            ValueError: the chain leads back to this field.
        """
        field: Any = self.target_field
        while isinstance(field, ForeignKey):
            field = field.target_field
            if field is self:
                raise ValueError("Cannot resolve output_field.")
        return field

    def contribute_to_related_class(self, cls: Any, related: Any) -> None:
        super().contribute_to_related_class(cls, related)
        if self.remote_field.field_name is None:
            self.remote_field.field_name = cls._meta.pk.name

    # --- values -----------------------------------------------------------------------

    @property
    def plain_types(self) -> frozenset[type]:  # type: ignore[override]
        if isinstance(self.remote_field.model, str):
            return frozenset()
        found: frozenset[type] = self.target_field.plain_types
        return found

    def get_default(self) -> Any:
        """The default; of a model instance, the value that is pointed to."""
        default = super().get_default()
        target = self.remote_field.model
        if isinstance(target, type) and isinstance(default, target):
            return getattr(default, self.target_field.attname)
        return default

    def to_python(self, value: Any) -> Any:
        return self.target_field.to_python(value)

    def get_prep_value(self, value: Any) -> Any:
        return self.target_field.get_prep_value(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return self.target_field.get_db_prep_value(value, connection, prepared)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if value is None or is_expression(value):
            return value
        return self.target_field.get_db_prep_save(value, connection=connection)

    def validate(self, value: Any, model_instance: Any) -> None:
        """Check that the target exists and is among the limited choices."""
        if self.remote_field.parent_link:
            return
        super().validate(value, model_instance)
        if value is None or hooks.exists is None:
            return
        if not hooks.exists(self, value, model_instance):
            raise self.missing(value)

    def missing(self, value: Any) -> ValidationError:
        """The error for a value that points to nothing."""
        rel = self.remote_field
        return ValidationError(
            self.error_messages["invalid"],
            code="invalid",
            params={
                "model": rel.model._meta.verbose_name,
                "pk": value,
                "field": rel.field_name,
                "value": value,
            },
        )

    # --- types in the database --------------------------------------------------------

    def db_type(self, connection: Any) -> str | None:
        found: str | None = self.target_field.rel_db_type(connection=connection)
        return found

    def rel_db_type(self, connection: Any) -> str | None:
        found: str | None = self.target_field.rel_db_type(connection=connection)
        return found

    def cast_db_type(self, connection: Any) -> str | None:
        found: str | None = self.target_field.cast_db_type(connection=connection)
        return found

    def db_check(self, connection: Any) -> str | None:
        return None

    def db_type_suffix(self, connection: Any) -> str | None:
        return None

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters: dict[str, Any] = dict(self.target_field.db_parameters(connection))
        return {**parameters, "type": self.db_type(connection), "check": None}


class OneToOneField(ForeignKey[V, N]):
    """A foreign key that no two objects share: the way back leads to one object."""

    many_to_one = False
    one_to_one = True
    rel_class = OneToOneRel
    description = "One-to-one relationship"

    @overload
    def __init__(
        self,
        to: type[V] | str,
        on_delete: Any,
        to_field: str | None = None,
        *,
        null: N = ...,
        **options: Unpack[OneToOneOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        to: type[V] | str,
        on_delete: Any,
        to_field: str | None = None,
        *,
        null: bool,
        **options: Unpack[OneToOneOptions],
    ) -> None: ...
    def __init__(self, to: Any, on_delete: Any, to_field: str | None = None, **kwargs: Any) -> None:
        kwargs["unique"] = True
        super().__init__(to, on_delete, to_field=to_field, **kwargs)

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("unique", None)
        return name, path, args, kwargs

    def save_form_data(self, instance: Any, data: Any) -> None:
        target = self.remote_field.model
        setattr(instance, self.name if isinstance(data, target) else self.attname, data)


def is_composite_relation(field: Any) -> bool:
    """Whether a field is a relation over columns that are fields of their own."""
    return isinstance(field, ForeignObject) and field.column is None


__all__ = [
    "ForeignKey",
    "ForeignObject",
    "ForeignObjectRel",
    "ManyToManyRel",
    "ManyToOneRel",
    "OneToOneField",
    "OneToOneRel",
    "PathInfo",
    "RelatedField",
    "SettingsReference",
    "check_target",
    "is_composite_relation",
]
