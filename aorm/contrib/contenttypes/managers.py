"""The managers of the objects that point to an instance generically."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, ClassVar

from aorm.contrib.contenttypes.models import ContentType, options_of
from aorm.models.manager import BaseManager
from aorm.models.queryset import QuerySet
from aorm.models.related_managers import RelatedManager, listed, made, narrowed, together
from aorm.operations.origins import database_of
from aorm.operations.prefetch import Plan
from aorm.operations.prefetch_keys import key_named
from aorm.operations.saving import TwoFaces, save_step
from aorm.query.conditions import Q
from aorm.steps import Operation, call


def type_condition(relation: Any, model: Any, using: str | None) -> Q:
    """The condition that an object points to the content type of a model.

    Args:
        relation: the `GenericRelation`.
        using: the alias of the database.
    """
    name = relation.content_type_field_name
    known = ContentType.objects.db_manager(using).known(model, relation.for_concrete_model)
    if known is not None:
        return Q((name, known.pk))
    options = options_of(model, relation.for_concrete_model)
    found = ContentType.objects.filter(app_label=options.app_label, model=options.model_name)
    return Q((f"{name}__in", found.values("pk")))


class GenericRelatedObjectManager(RelatedManager[Any]):
    """`animal.tags`."""

    rel: ClassVar[Any]
    #: The generic foreign key of the related model that comes back here, or None.
    _forward: ClassVar[Any]

    @classmethod
    def _by(cls, superclass: type[BaseManager[Any]]) -> Any:
        return create_generic_related_manager(superclass, cls.rel)

    def __str__(self) -> str:
        return repr(self)

    # --- reading ------------------------------------------------------------------------

    def _filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.instance._is_pk_set():
            return queryset.none()
        using = self._db or database_of(self.instance)
        return queryset.filter(
            type_condition(self.field, self.instance, using),
            Q((self.field.object_id_field_name, self.instance.pk)),
        )

    def _types(self, instances: Sequence[Any]) -> Any:
        return ContentType.objects.db_manager(database_of(instances[0]))

    def _before_prefetch(self, instances: Sequence[Any]) -> Operation[None]:
        models = dict.fromkeys(map(type, instances))
        yield from self._types(instances)._for_models(models, self.field.for_concrete_model)

    def get_prefetch_querysets(
        self, instances: Sequence[Any], querysets: Sequence[Any] | None = None
    ) -> Plan:
        """How to fetch the objects that point to any of these instances."""
        queryset = self._prefetch_base(instances, querysets)
        field = self.field
        types = self._types(instances).get_for_models(
            *dict.fromkeys(map(type, instances)), for_concrete_models=field.for_concrete_model
        )
        keys: dict[Any, dict[Any, None]] = {}
        for each in instances:
            keys.setdefault(types[type(each)].pk, {})[each.pk] = None
        type_name, key_name = field.content_type_field_name, field.object_id_field_name
        conditions = [
            Q((type_name, type_id), (f"{key_name}__in", list(found)))
            for type_id, found in keys.items()
        ]
        options = self.model._meta
        type_column = options.get_field(type_name).attname
        key_column = options.get_field(key_name).attname
        to_python = instances[0]._meta.pk.to_python

        def related_key(related: Any) -> Any:
            return getattr(related, type_column), to_python(getattr(related, key_column))

        def instance_key(instance: Any) -> Any:
            return types[type(instance)].pk, instance.pk

        return Plan.make(
            narrowed(queryset, Q.create(conditions, Q.OR), {}, per=[type_name, key_name]),
            related_key,
            instance_key,
            single=False,
            cache_name=self._prefetch_cache_name,
        )

    # --- what an object that points here holds ------------------------------------------

    def _columns(self) -> Operation[dict[str, Any]]:
        """The values of the two fields.

        Raises:
            ValueError: the instance has no key yet.
        """
        if not self.instance._is_pk_set():
            raise ValueError(
                f"{type(self.instance).__name__!r} instance needs to have a primary key value "
                "before this relationship can be used."
            )
        field = self.field
        manager = ContentType.objects.db_manager(self._written())
        found = yield from manager._for_model(self.instance, field.for_concrete_model)
        return {field.content_type_field_name: found, field.object_id_field_name: self.instance.pk}

    def _keep_in(self, obj: Any) -> None:
        if self._forward is not None:
            self._forward.keep(obj, self.instance)

    # --- add ------------------------------------------------------------------------------

    def add(self, *objs: Any, bulk: bool = True) -> None:
        """Let these objects point here.

        Args:
            bulk: by one UPDATE, which calls no `save()`; else save each object.

        Raises:
            TypeError: an object of another model.
            ValueError: an unsaved object, and `bulk`.
        """
        self._run(self._add(objs, bulk))

    async def aadd(self, *objs: Any, bulk: bool = True) -> None:
        await self._arun(self._add(objs, bulk))

    def _add(self, objs: Sequence[Any], bulk: bool) -> Operation[None]:
        self._remove_prefetched_objects()
        database = self._written()
        for obj in objs:
            self._of_model(obj)
            if bulk and (obj._state.adding or obj._state.db != database):
                raise ValueError(
                    f"{obj!r} instance isn't saved. Use bulk=False or save the object first."
                )
        values = yield from self._columns()
        for obj in objs:
            for name, value in values.items():
                setattr(obj, name, value)
            self._keep_in(obj)
        if not bulk:
            yield from together(self._save_all(objs, database))
        elif objs:
            queryset = self.model._base_manager.using(database)
            queryset = queryset.filter(pk__in={obj.pk for obj in objs})
            yield from queryset._doing("update", **values)

    def _save_all(self, objs: Iterable[Any], database: str) -> Operation[None]:
        for obj in objs:
            yield from save_step(obj, using=database)

    # --- create ---------------------------------------------------------------------------

    def create(self, **kwargs: Any) -> Any:
        """Create an object that points here."""
        return self._run(self._related("create", kwargs))

    async def acreate(self, **kwargs: Any) -> Any:
        return await self._arun(self._related("create", kwargs))

    def get_or_create(self, **kwargs: Any) -> Any:
        """Among the objects that point here, get the one that matches or create it."""
        return self._run(self._related("get_or_create", kwargs))

    async def aget_or_create(self, **kwargs: Any) -> Any:
        return await self._arun(self._related("get_or_create", kwargs))

    def update_or_create(self, **kwargs: Any) -> Any:
        """Among the objects that point here, update the one that matches or create it."""
        return self._run(self._related("update_or_create", kwargs))

    async def aupdate_or_create(self, **kwargs: Any) -> Any:
        return await self._arun(self._related("update_or_create", kwargs))

    def _related(self, method: str, values: dict[str, Any]) -> Operation[Any]:
        """What a method of the superclass does, for an object that points here."""
        columns = yield from self._columns()
        self._remove_prefetched_objects()
        result = yield from self._inherited(method, **{**values, **columns})
        self._keep_in(result if method == "create" else result[0])
        return result

    # --- remove ---------------------------------------------------------------------------

    def remove(self, *objs: Any, bulk: bool = True) -> None:
        """Delete these objects, as far as they point here.

        Args:
            bulk: with few statements; else delete each object by its own `delete()`.
        """
        self._run(self._remove(objs, bulk))

    async def aremove(self, *objs: Any, bulk: bool = True) -> None:
        await self._arun(self._remove(objs, bulk))

    def _remove(self, objs: Sequence[Any], bulk: bool) -> Operation[None]:
        if objs:
            queryset = self._all_here().filter(pk__in={obj.pk for obj in objs})
            yield from self._delete(queryset, bulk)

    def clear(self, *, bulk: bool = True) -> None:
        """Delete all objects that point here; `bulk` as for `remove`."""
        self._run(self._clear(bulk))

    async def aclear(self, *, bulk: bool = True) -> None:
        await self._arun(self._clear(bulk))

    def _clear(self, bulk: bool) -> Operation[None]:
        yield from self._delete(self._all_here(), bulk)

    def _all_here(self) -> QuerySet[Any]:
        """What is related in the database, whatever was prefetched."""
        return self._apply_rel_filters(self._all_related()).using(self._written())

    def _delete(self, queryset: QuerySet[Any], bulk: bool) -> Operation[None]:
        self._remove_prefetched_objects()
        if bulk:
            yield from queryset._doing("delete")
        else:
            yield from together(self._delete_each(queryset))

    def _delete_each(self, queryset: QuerySet[Any]) -> Operation[None]:
        for obj in (yield from queryset._fetch_operation()):
            yield from call(TwoFaces(obj.delete, obj.adelete))

    # --- set ------------------------------------------------------------------------------

    def set(self, objs: Iterable[Any], *, bulk: bool = True, clear: bool = False) -> None:
        """Let exactly these objects point here; others that do are deleted.

        Args:
            bulk: as for `add` and `remove`.
            clear: delete all first, instead of only those that are not among them.
        """
        self._run(self._set(objs, bulk, clear))

    async def aset(self, objs: Iterable[Any], *, bulk: bool = True, clear: bool = False) -> None:
        await self._arun(self._set(objs, bulk, clear))

    def _set(self, objs: Iterable[Any], bulk: bool, clear: bool) -> Operation[None]:
        yield from together(self._replace((yield from listed(objs)), bulk, clear))

    def _replace(self, objs: Sequence[Any], bulk: bool, clear: bool) -> Operation[None]:
        if clear:
            yield from self._clear(bulk)
            yield from self._add(objs, bulk)
            return
        old = dict.fromkeys((yield from self._all_here()._fetch_operation()))
        new = []
        for obj in objs:
            if obj in old:
                del old[obj]
            else:
                new.append(obj)
        yield from self._remove(tuple(old), bulk)
        yield from self._add(new, bulk)


class PointedToManager(RelatedManager[Any]):
    """The objects of one model that an instance points to generically: one, or none.

    It is read only: an object is pointed to through the generic foreign key.
    """

    rel: ClassVar[Any]

    @classmethod
    def _by(cls, superclass: type[BaseManager[Any]]) -> Any:
        return create_pointed_to_manager(superclass, cls.rel)

    def __str__(self) -> str:
        return f"{self.instance!r}.{self._prefetch_cache_name}"

    def _filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.instance._is_pk_set():
            return queryset.none()
        return queryset.filter(**{self.field.name: self.instance})

    def get_prefetch_querysets(
        self, instances: Sequence[Any], querysets: Sequence[Any] | None = None
    ) -> Plan:
        """How to fetch the objects that any of these instances point to."""
        queryset = self._prefetch_base(instances, querysets)
        name, column = self.field.name, "_prefetch_related_val_pk"
        return Plan.make(
            narrowed(queryset, Q((f"{name}__in", list(instances))), {column: f"{name}__pk"}),
            key_named(self.model, (column,)),
            attrgetter("pk"),
            single=False,
            cache_name=self._prefetch_cache_name,
        )


def create_pointed_to_manager(superclass: type[BaseManager[Any]], rel: Any) -> Any:
    """The class of the managers of the way back along one generic relation."""
    return made(
        PointedToManager,
        superclass,
        rel.related_model,
        rel=rel,
        field=rel.field,
        _owner=rel.model,
        _prefetch_cache_name=rel.get_accessor_name(),
    )


def create_generic_related_manager(superclass: type[BaseManager[Any]], rel: Any) -> Any:
    """The class of the managers of one generic relation."""
    return made(
        GenericRelatedObjectManager,
        superclass,
        rel.model,
        rel=rel,
        field=rel.field,
        _forward=_forward(rel),
        _owner=rel.field.model,
        _prefetch_cache_name=rel.field.name,
    )


def _forward(rel: Any) -> Any:
    """The generic foreign key that says by the same fields where an object points."""
    names = (rel.field.content_type_field_name, rel.field.object_id_field_name)
    for field in rel.model._meta.private_fields:
        own = getattr(field, "ct_field", None), getattr(field, "fk_field", None)
        if own == names and field.for_concrete_model == rel.field.for_concrete_model:
            return field
    return None


__all__ = [
    "GenericRelatedObjectManager",
    "PointedToManager",
    "create_generic_related_manager",
    "create_pointed_to_manager",
    "type_condition",
]
