"""Generic relations: a foreign key to an object of any model, and the way back.

1. A `GenericForeignKey` has no column: two other fields of its model say which content type,
   and which key.
2. A `GenericRelation` joins by the key and restricts the join to the content type. That is
   looked up by a subquery inside the statement: a query is compiled once for all databases of a
   kind, and each of them numbers its content types itself.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from aorm.contrib.contenttypes.descriptors import (
    GenericForeignKeyDescriptor,
    PointedToDescriptor,
    ReverseGenericManyToOneDescriptor,
)
from aorm.contrib.contenttypes.managers import type_condition
from aorm.contrib.contenttypes.models import ContentType, options_of
from aorm.fields.base import Field
from aorm.fields.on_delete import CASCADE, DO_NOTHING
from aorm.fields.relations import ForeignObject
from aorm.fields.rels import ForeignObjectRel, PathInfo, RelationCache
from aorm.models.ordered import add_order_through
from aorm.query.conditions import Q
from aorm.query.expressions import Col, Expression
from aorm.steps import Operation


class GenericForeignKey(RelationCache, Field[Any]):
    """A foreign key to an object of any model.

    Args:
        ct_field: the name of the foreign key to `ContentType`.
        fk_field: the name of the field with the object's primary key.
        for_concrete_model: a proxy counts as the model whose table it shows.
    """

    many_to_many = False
    many_to_one = True
    one_to_many = False
    one_to_one = False
    derived_from_model = (*Field.derived_from_model, "cache_attname", "columns")

    def __init__(
        self,
        ct_field: str = "content_type",
        fk_field: str = "object_id",
        for_concrete_model: bool = True,
    ) -> None:
        super().__init__(editable=False)
        self.ct_field = ct_field
        self.fk_field = fk_field
        self.for_concrete_model = for_concrete_model
        self.is_relation = True

    def contribute_to_class(
        self, cls: Any, name: str, private_only: bool = True, **kwargs: Any
    ) -> None:
        super().contribute_to_class(cls, name, private_only=True, **kwargs)
        setattr(cls, name, GenericForeignKeyDescriptor(self))

    def get_attname_column(self) -> tuple[str, Any]:
        return self.get_attname(), None

    @property
    def cache_name(self) -> str:
        return str(self.name)

    @cached_property
    def columns(self) -> tuple[str, str]:
        """Under which names an instance holds the content type's key and the object's."""
        options = self.model._meta
        return options.get_field(self.ct_field).attname, options.get_field(self.fk_field).attname

    def get_content_type(
        self, obj: Any = None, id: Any = None, using: str | None = None, model: Any = None
    ) -> Any:
        """The content type of an object, of a model, or with a key.

        Raises:
            ValueError: none of them is given.
        """
        if obj is not None:
            manager = ContentType.objects.db_manager(obj._state.db)
            return manager.get_for_model(obj, for_concrete_model=self.for_concrete_model)
        manager = ContentType.objects.db_manager(using)
        if id is not None:
            return manager.get_for_id(id)
        if model is not None:
            return manager.get_for_model(model, for_concrete_model=self.for_concrete_model)
        raise ValueError("Impossible arguments to GFK.get_content_type!")

    def keep(self, instance: Any, value: Any) -> None:
        """Let this be the object that the instance's columns name now."""
        self.set_cached_value(instance, value)
        self.note(instance)

    def note(self, instance: Any) -> None:
        """Note for which columns the object is kept."""
        instance.__dict__[self.noted] = [getattr(instance, name) for name in self.columns]

    @property
    def noted(self) -> str:
        """Where the columns are noted for which an object is kept."""
        return GenericForeignKeyDescriptor.note_of(self.cache_attname)

    def settle(self, instance: Any, using: str) -> Operation[None]:
        """Before it is saved, give an instance what could not be known at the assignment.

        That is the content type where it would have taken a query on an event loop, and the key
        of an object that was saved since.
        """
        value = self.get_cached_value(instance, default=None)
        if value is None or not getattr(type(instance), self.name).is_cached(instance):
            return
        content_type, key = (getattr(instance, name) for name in self.columns)
        if content_type is None:
            manager = ContentType.objects.db_manager(using)
            found = yield from manager._for_model(value, self.for_concrete_model)
            setattr(instance, self.ct_field, found)
        if key is None:
            setattr(instance, self.fk_field, value.pk)
        self.note(instance)


class GenericRel(ForeignObjectRel):
    """The other side of a `GenericRelation`; queries may go there if it was given a name."""

    def __init__(
        self,
        field: Any,
        to: Any,
        related_query_name: str | None = None,
        limit_choices_to: Any = None,
    ) -> None:
        super().__init__(
            field,
            to,
            related_name=related_query_name or "+",
            related_query_name=related_query_name,
            limit_choices_to=limit_choices_to,
            on_delete=DO_NOTHING,
        )

    @property
    def lookup_target(self) -> Any:
        """What values of a lookup on the relation are compared with."""
        return self.model._meta.pk


class GenericRelation(ForeignObject):
    """The objects of one model whose generic foreign key points here.

    Args:
        to: the model with the generic foreign key.
        object_id_field: the field of it with the key.
        content_type_field: its foreign key to `ContentType`.
        for_concrete_model: a proxy counts as the model whose table it shows.
        related_query_name: the name of the way back in queries; there is none without it.
        limit_choices_to: as of `ForeignKey`.
    """

    many_to_many = False
    many_to_one = False
    one_to_many = True
    one_to_one = False
    empty_strings_allowed = False
    rel_class = GenericRel

    #: Whether it came from a parent with a table of its own, which has the way back.
    mti_inherited = False

    def __init__(
        self,
        to: Any,
        object_id_field: str = "object_id",
        content_type_field: str = "content_type",
        for_concrete_model: bool = True,
        related_query_name: str | None = None,
        limit_choices_to: Any = None,
        **kwargs: Any,
    ) -> None:
        kwargs.update(null=True, blank=True, editable=False, serialize=False)
        super().__init__(
            to,
            CASCADE,
            from_fields=[object_id_field],
            to_fields=[],
            rel=GenericRel(self, to, related_query_name, limit_choices_to),
            **kwargs,
        )
        self.object_id_field_name = object_id_field
        self.content_type_field_name = content_type_field
        self.for_concrete_model = for_concrete_model

    # --- classes ----------------------------------------------------------------------

    def contribute_to_class(
        self, cls: Any, name: str, private_only: bool = True, **kwargs: Any
    ) -> None:
        if self.mti_inherited:
            # The way back leads to the parent, whose field this is a copy of.
            self.remote_field.related_name = "+"
            self.remote_field.related_query_name = None
        super().contribute_to_class(cls, name, private_only=True, **kwargs)
        setattr(cls, self.name, ReverseGenericManyToOneDescriptor(self.remote_field))

    def contribute_to_related_class(self, cls: Any, related: Any) -> None:
        if not related.hidden:
            setattr(cls, related.get_accessor_name(), PointedToDescriptor(related))
        order = cls._meta.order_with_respect_to
        mine = (self.content_type_field_name, self.object_id_field_name)
        if isinstance(order, GenericForeignKey) and (order.ct_field, order.fk_field) == mine:
            add_order_through(self.name, cls, self.model)

    def set_attributes_from_rel(self) -> None:
        """Nothing is named after the other model."""

    def get_internal_type(self) -> str:
        return "ManyToManyField"

    def value_to_string(self, obj: Any) -> str:
        """The keys of the related objects, as a list in JSON."""
        return json.dumps([each.pk for each in getattr(obj, self.name).all()])

    # --- joins ------------------------------------------------------------------------

    @property
    def lookup_target(self) -> Any:
        """What values of a lookup on the way back are compared with."""
        return self.model._meta.pk

    def resolve_related_fields(self) -> list[tuple[Any, Any]]:
        options = self.remote_field.model._meta
        return [(options.get_field(self.object_id_field_name), self.model._meta.pk)]

    def get_path_info(self, filtered_relation: Any = None) -> list[PathInfo]:
        options = self.remote_field.model._meta
        holder = options.get_field(self.object_id_field_name).model
        inherited = holder._meta.concrete_model is not options.concrete_model
        to_options = holder._meta if inherited else options
        step = PathInfo(
            from_opts=self.model._meta,
            to_opts=to_options,
            target_fields=(to_options.pk,),
            join_field=self.remote_field,
            m2m=True,
            direct=False,
            filtered_relation=filtered_relation,
        )
        return [step, *(options.get_path_from_parent(holder) if inherited else ())]

    def get_reverse_path_info(self, filtered_relation: Any = None) -> list[PathInfo]:
        options = self.model._meta
        return [
            PathInfo(
                from_opts=self.remote_field.model._meta,
                to_opts=options,
                target_fields=(options.pk,),
                join_field=self,
                m2m=not self.unique,
                direct=False,
                filtered_relation=filtered_relation,
            )
        ]

    def get_extra_restriction(self, alias: Any, related_alias: Any) -> Any:
        field = self.remote_field.model._meta.get_field(self.content_type_field_name)
        return OfContentType(
            Col(related_alias, field), options_of(self.model, self.for_concrete_model).model
        )

    # --- deletion ---------------------------------------------------------------------

    def bulk_related_objects(self, objs: Any, using: str = "default") -> Any:
        """The QuerySet of the objects that point to any of these."""
        return self.remote_field.model._base_manager.using(using).filter(
            type_condition(self, self.model, using),
            Q((f"{self.object_id_field_name}__in", [obj.pk for obj in objs])),
        )


class OfContentType(Expression):
    """The condition that a column holds the content type of a model."""

    operands = ("column",)
    conditional = True
    lasting = True  # its values never change

    def __init__(self, column: Col, model: Any) -> None:
        super().__init__()
        self.column = column
        self.model = model

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> tuple[str, list[Any]]:
        types, quote = ContentType._meta, compiler.quote
        pk, app_label, model = (
            quote(types.get_field(name).column) for name in ("id", "app_label", "model")
        )
        column, params = compiler.compile(self.column)
        sql = (
            f"{column} = (SELECT U.{pk} FROM {quote(types.db_table)} U"  # noqa: S608 - all quoted
            f" WHERE U.{app_label} = %s AND U.{model} = %s)"
        )
        return sql, [*params, self.model._meta.app_label, self.model._meta.model_name]


__all__ = ["GenericForeignKey", "GenericRel", "GenericRelation"]
