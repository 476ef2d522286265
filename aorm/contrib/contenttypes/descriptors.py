"""What stands on model classes for generic relations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NoReturn

from aorm.connections.lazy import running_loop
from aorm.contrib.contenttypes.managers import (
    create_generic_related_manager,
    create_pointed_to_manager,
)
from aorm.contrib.contenttypes.models import ContentType, options_of
from aorm.errors import ObjectDoesNotExist
from aorm.fields.rels import ASSIGNED
from aorm.models.fetch_modes import fetch_mode_of, own_fetch_mode
from aorm.models.related import ReverseManyToOneDescriptor
from aorm.models.related_object import not_loaded
from aorm.operations.origins import database_of
from aorm.operations.prefetch import Plan, fetch_all
from aorm.steps import Operation


class GenericRows:
    """The objects of several QuerySets, where one is expected."""

    _prefetch_related_lookups = ()

    def __init__(self, querysets: Sequence[Any], db: str | None) -> None:
        self.querysets = querysets
        self.db = db

    def __iter__(self) -> Iterator[Any]:
        for queryset in self.querysets:
            yield from queryset

    def _fetch_operation(self) -> Operation[list[Any]]:
        found: list[Any] = []
        for queryset in self.querysets:
            found.extend((yield from fetch_all(queryset, self.db)))
        return found


class GenericForeignKeyDescriptor:
    """`tag.content_object`.

    An object is kept together with the columns that it was kept for, and counts as long as the
    instance has these.
    """

    def __init__(self, field: Any) -> None:
        self.field = field
        self.name = field.name

    @staticmethod
    def note_of(cache_attname: str) -> str:
        return f"{cache_attname}{ASSIGNED}"

    # --- giving -----------------------------------------------------------------------

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """The object, loaded where it has to be, or None; the descriptor itself on a class.

        Raises:
            RelationNotLoaded: it would have to be loaded, and an event loop runs.
        """
        if instance is None:
            return self
        if not self.is_cached(instance):
            if None in self._columns(instance):
                return None
            fetch_mode_of(instance).fetch(self, instance)
        return self.field.get_cached_value(instance)

    def _columns(self, instance: Any) -> list[Any]:
        return [getattr(instance, name) for name in self.field.columns]

    def is_cached(self, instance: Any) -> bool:
        """Whether the object can be had without a query."""
        if not self.field.is_cached(instance):
            return False
        noted: Any = instance.__dict__.get(self.field.noted)
        return bool(noted == self._columns(instance))

    def fetch_one(self, instance: Any) -> None:
        """Load the object of this instance."""
        if running_loop() is not None:
            not_loaded(instance, self.name, joined=False)
        type_id, key = self._columns(instance)
        database = database_of(instance)
        content_type = self.field.get_content_type(id=type_id, using=database)
        found = None
        try:
            queryset = content_type._base_queryset(database)
            mode = own_fetch_mode(instance)
            found = (queryset if mode is None else queryset.fetch_mode(mode)).get(pk=key)
        except (ObjectDoesNotExist, LookupError):
            pass  # the object, or its model, is gone: nothing keeps the columns from outliving it
        self.field.keep(instance, found)

    def fetch_many(self, instances: Sequence[Any]) -> None:
        """Load the objects of those instances that lack them, one query for each model."""
        missing = [each for each in instances if not self.is_cached(each)]
        if not missing:
            return
        if running_loop() is not None:
            not_loaded(missing[0], self.name, joined=False)
        rows, related_key, instance_key = self.get_prefetch_querysets(missing)[:3]
        found = {related_key(each): each for each in rows}
        for each in missing:
            self.field.keep(each, found.get(instance_key(each)))

    # --- prefetching ------------------------------------------------------------------

    def _before_prefetch(self, instances: Sequence[Any]) -> Operation[None]:
        manager = ContentType.objects.db_manager(database_of(instances[0]))
        name = self.field.columns[0]
        ids = dict.fromkeys(getattr(each, name) for each in instances)
        yield from manager._for_ids([id for id in ids if id is not None])

    def get_prefetch_querysets(
        self, instances: Sequence[Any], querysets: Sequence[Any] | None = None
    ) -> Plan:
        """How to fetch the objects of many instances, by at most one QuerySet for each model."""
        field = self.field
        database = database_of(instances[0])
        given = self._by_model(querysets or ())
        mode = own_fetch_mode(instances[0])
        wanted: dict[Any, dict[Any, None]] = {}
        for type_id, key in map(self._columns, instances):
            if type_id is not None and key is not None:
                wanted.setdefault(type_id, {})[key] = None
        models = {}
        chosen = []
        for type_id, keys in wanted.items():
            model = field.get_content_type(id=type_id, using=database).model_class()
            if model is None:
                continue
            models[type_id] = model
            queryset = given.get(self._counted_as(model))
            if queryset is None:
                queryset = model._base_manager.using(database)
                queryset = queryset if mode is None else queryset.fetch_mode(mode)
            chosen.append(queryset.filter(pk__in=list(keys)))

        def related_key(related: Any) -> Any:
            return self._counted_as(related), related.pk

        def instance_key(instance: Any) -> Any:
            type_id, key = self._columns(instance)
            model = models.get(type_id)
            if model is None or key is None:
                return None
            return self._counted_as(model), model._meta.pk.to_python(key)

        return Plan.make(
            GenericRows(chosen, database),
            related_key,
            instance_key,
            single=True,
            cache_name=field.name,
            cache=field.cache_attname,
            local=field.columns,
            noted=True,
        )

    def _counted_as(self, model: Any) -> Any:
        return options_of(model, self.field.for_concrete_model).model

    def _by_model(self, querysets: Sequence[Any]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for queryset in querysets:
            model = self._counted_as(queryset.model)
            if model in found:
                raise ValueError("Only one queryset is allowed for each content type.")
            found[model] = queryset
        return found

    # --- taking -----------------------------------------------------------------------

    def __set__(self, instance: Any, value: Any) -> None:
        """Relate the instance to an object of any model, or to none: sets both columns.

        On an event loop a content type that was never asked for is found out when the instance
        is saved.
        """
        field = self.field
        content_type = key = None
        if value is not None:
            manager = ContentType.objects.db_manager(database_of(value))
            content_type = manager.known(value, field.for_concrete_model)
            if content_type is None and running_loop() is None:
                content_type = manager.get_for_model(value, field.for_concrete_model)
            key = value.pk
        setattr(instance, field.ct_field, content_type)
        setattr(instance, field.fk_field, key)
        field.keep(instance, value)

    def __reduce__(self) -> Any:
        return getattr, (self.field.model, self.name)


class ReverseGenericManyToOneDescriptor(ReverseManyToOneDescriptor):
    """`animal.tags`: the manager of the objects that point here generically."""

    @cached_property
    def related_manager_cls(self) -> Any:
        return create_generic_related_manager(type(self.rel.model._default_manager), self.rel)

    def _refusal(self) -> tuple[str, str]:
        return ("reverse side of a generic relation", self.field.name)

    def __set__(self, instance: Any, value: Any) -> NoReturn:
        super().__set__(instance, value)


class PointedToDescriptor(ReverseManyToOneDescriptor):
    """`tag.animal`, the way back that `related_query_name` asks for: a manager that is read."""

    @cached_property
    def related_manager_cls(self) -> Any:
        return create_pointed_to_manager(type(self.field.model._default_manager), self.rel)


__all__ = [
    "GenericForeignKeyDescriptor",
    "PointedToDescriptor",
    "ReverseGenericManyToOneDescriptor",
]
