"""The managers of many-to-many fields, seen from either side.

1. The rows between are written through the intermediate model, never through the objects.
2. Rows that are there already are left alone: an automatic intermediate table ignores
   conflicts, another one is asked first which rows it has.
3. `m2m_changed` is sent from inside the transaction, and only where somebody listens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Never, Unpack, overload

from aorm.connections import connections
from aorm.fields.registry import hooks
from aorm.models.manager import BaseManager, M, Manager
from aorm.models.queryset import QuerySet
from aorm.models.related_managers import RelatedManager, given, listed, made, narrowed, together
from aorm.operations.prefetch import Plan
from aorm.operations.prefetch_keys import distinct, key_named, key_of
from aorm.operations.routing import router
from aorm.operations.signals import m2m_changed, send_steps
from aorm.query.conditions import Q
from aorm.steps import Operation

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal
    from typing import TypeAlias
    from uuid import UUID

    from aorm.fields.base import V
    from aorm.fields.keywords import ManyToManyOptions
    from aorm.fields.relations import RelatedField
    from aorm.models.related import ManyToManyDescriptor

    #: What may stand for an object: its primary key.
    Key: TypeAlias = int | str | bytes | UUID | Decimal | date

_new = object.__new__


class ManyToManyManager(RelatedManager[M]):
    """`book.tags` or `tag.books`."""

    #: The attname of what the rows between hold of an instance.
    _key: ClassVar[str]
    _key_is_pk: ClassVar[bool]
    rel: ClassVar[Any]
    reverse: ClassVar[bool]
    symmetrical: ClassVar[bool]
    through: ClassVar[Any]
    #: What the related model's queries call this instance's model.
    query_field_name: ClassVar[str]
    source_field: ClassVar[Any]
    target_field: ClassVar[Any]
    source_field_name: ClassVar[str]
    target_field_name: ClassVar[str]
    #: Whether the relation is set as a fixture says.
    _raw: bool = False

    @classmethod
    def _of(cls, instance: Any) -> Any:
        if instance.__dict__.get(cls._key) is None or not (cls._key_is_pk or instance._is_pk_set()):
            cls._check(instance)
        if not cls._start_plain:
            return super()._of(instance)
        manager = _new(cls)
        manager.instance = instance
        return manager

    @classmethod
    def _made_with(cls) -> str | None:
        return cls._key if cls._start_plain and cls._key_is_pk else None

    @classmethod
    def _check(cls, instance: Any) -> None:
        """Refuse an instance that cannot be related to anything yet."""
        for field in cls.source_field.foreign_related_fields:
            if getattr(instance, field.attname) is None:
                raise ValueError(
                    f'"{instance!r}" needs to have a value for field "{field.name}" before this '
                    "many-to-many relationship can be used."
                )
        if not instance._is_pk_set():
            raise ValueError(
                f"{type(instance).__name__!r} instance needs to have a primary key value before "
                "a many-to-many relationship can be used."
            )

    @classmethod
    def _by(cls, superclass: type[BaseManager[Any]]) -> Any:
        return create_forward_many_to_many_manager(superclass, cls.rel, reverse=cls.reverse)

    def __str__(self) -> str:
        return f"{self.instance!r}.{self._prefetch_cache_name}"

    # --- reading ------------------------------------------------------------------------

    @property
    def related_val(self) -> tuple[Any, ...]:
        """The values of the intermediate rows that are this instance's."""
        values: tuple[Any, ...] = self.source_field.get_foreign_related_value(self.instance)
        return values

    @property
    def core_filters(self) -> dict[str, Any]:
        """What makes an object one of this instance's."""
        return {
            f"{self.query_field_name}__{field.name}": value
            for field, value in zip(
                self.source_field.foreign_related_fields, self.related_val, strict=True
            )
        }

    def _filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # A later filter() on the relation means the same intermediate rows.
        return queryset._next_is_sticky().filter(**self.core_filters)

    def get_prefetch_querysets(
        self, instances: Sequence[Any], querysets: Sequence[Any] | None = None
    ) -> Plan:
        """How to fetch the objects that are related to any of these instances."""
        queryset = self._prefetch_base(instances, querysets)
        fields = self.source_field.foreign_related_fields
        key = key_of(fields)
        keys = key.values(instances)
        wanted: Any = distinct(keys)
        name = f"{self.query_field_name}__{fields[0].name}__in"
        if len(fields) > 1:
            name, wanted = f"{self.query_field_name}__in", list(instances)
        # Which instance each row was found for; the joins are those of the condition.
        columns = {
            f"_prefetch_related_val_{local.attname}": f"{self.query_field_name}__{target.name}"
            for local, target in self.source_field.related_fields
        }
        return Plan.make(
            narrowed(queryset, Q((name, wanted)), columns),
            key_named(self.model, columns),
            key,
            single=False,
            cache_name=self._prefetch_cache_name,
            keys=keys,
        )

    def _between(self) -> QuerySet[Any] | None:
        """The intermediate rows, where counting them is counting the related objects.

        They are where the database makes sure that each has its object, and where nothing but
        the relation narrows the objects down.
        """
        if self._superclass is not Manager or not self.target_field.db_constraint:
            return None
        if self._prefetched() is not None:
            return None
        database = self._db or router.db_for_read(self.through, instance=self.instance)
        if not connections[database].features.supports_foreign_keys:
            return None
        manager = self.through._base_manager.db_manager(database, hints={"instance": self.instance})
        found = {self.source_field_name: self.related_val[0]}
        if self.target_field.null:
            found[f"{self.target_field_name}__isnull"] = False
        rows: QuerySet[Any] = manager.filter(**found)
        return rows

    def count(self) -> int:
        """The number of related objects."""
        rows = self._between()
        return (self.get_queryset() if rows is None else rows).count()

    async def acount(self) -> int:
        rows = self._between()
        return await (self.get_queryset() if rows is None else rows).acount()

    def exists(self) -> bool:
        """Whether there are related objects."""
        rows = self._between()
        return (self.get_queryset() if rows is None else rows).exists()

    async def aexists(self) -> bool:
        rows = self._between()
        return await (self.get_queryset() if rows is None else rows).aexists()

    # --- where it is written ------------------------------------------------------------

    def _written(self) -> str:
        return router.db_for_write(self.through, instance=self.instance)

    def _created_on(self) -> str:
        # With the rows between, which are written in the same transaction.
        return router.db_for_write(type(self.instance), instance=self.instance)

    # --- add ------------------------------------------------------------------------------

    def add(self, *objs: M | Key, through_defaults: Mapping[str, Any] | None = None) -> None:
        """Relate these objects, given as such or by their keys.

        Args:
            through_defaults: more values for the new intermediate rows; callables are called.

        Raises:
            TypeError: an object of another model.
            ValueError: an unsaved object, or one of another database.
        """
        self._run(self._add(objs, through_defaults))

    async def aadd(self, *objs: M | Key, through_defaults: Mapping[str, Any] | None = None) -> None:
        await self._arun(self._add(objs, through_defaults))

    def _add(
        self,
        objs: Sequence[Any],
        defaults: Mapping[str, Any] | None,
        database: str | None = None,
    ) -> Operation[None]:
        self._remove_prefetched_objects()
        if objs:
            database = database or self._written()
            yield from together(self._add_both_ways(objs, defaults, database))

    def _add_both_ways(
        self, objs: Sequence[Any], defaults: Mapping[str, Any] | None, database: str
    ) -> Operation[None]:
        source, target = self.source_field_name, self.target_field_name
        yield from self._add_items(source, target, objs, defaults, database)
        if self.symmetrical:
            yield from self._add_items(target, source, objs, defaults, database)

    def _add_items(
        self,
        source_name: str,
        target_name: str,
        objs: Sequence[Any],
        defaults: Mapping[str, Any] | None,
        database: str,
    ) -> Operation[None]:
        wanted = self._target_ids(target_name, objs)
        announce = (
            self.reverse or source_name == self.source_field_name
        ) and m2m_changed.has_listeners(self.through)
        ignore = self.through._meta.auto_created is not False
        if not ignore or announce:
            wanted = yield from self._missing(source_name, target_name, database, wanted)
        values = {
            name: value() if callable(value) else value for name, value in (defaults or {}).items()
        }
        source = self.through._meta.get_field(source_name).attname
        target = self.through._meta.get_field(target_name).attname
        rows = [
            self.through(**values, **{source: self.related_val[0], target: each}) for each in wanted
        ]
        if announce:
            yield from self._announce("pre_add", set(wanted), database)
        if rows:
            between = self.through._default_manager.using(database)
            yield from between._doing("bulk_create", rows, ignore_conflicts=ignore)
        if announce:
            yield from self._announce("post_add", set(wanted), database)

    def _target_ids(self, target_name: str, objs: Sequence[Any]) -> dict[Any, None]:
        """The keys of the objects, each once, in their order."""
        field = self.through._meta.get_field(target_name)
        found: dict[Any, None] = {}
        for obj in objs:
            if isinstance(obj, self.model):
                if not router.allow_relation(obj, self.instance):
                    raise ValueError(
                        f'Cannot add "{obj!r}": instance is on database '
                        f'"{self.instance._state.db}", value is on database "{obj._state.db}"'
                    )
                value = field.get_foreign_related_value(obj)[0]
                if value is None:
                    raise ValueError(
                        f'Cannot add "{obj!r}": the value for field "{target_name}" is None'
                    )
            elif isinstance(obj, hooks.model):
                raise TypeError(f"'{self.model._meta.object_name}' instance expected, got {obj!r}")
            else:
                value = field.get_prep_value(obj)
            found[value] = None
        return found

    def _missing(
        self, source_name: str, target_name: str, database: str, wanted: dict[Any, None]
    ) -> Operation[dict[Any, None]]:
        """Those of the wanted keys that have no intermediate row yet."""
        rows = (
            self.through._default_manager.using(database)
            .filter(**{source_name: self.related_val[0], f"{target_name}__in": list(wanted)})
            .values_list(target_name, flat=True)
        )
        there = set((yield from rows._fetch_operation()))
        return {each: None for each in wanted if each not in there}

    def _announce(self, action: str, keys: set[Any] | None, database: str) -> Operation[None]:
        yield from send_steps(
            m2m_changed,
            self.through,
            action=action,
            instance=self.instance,
            reverse=self.reverse,
            model=self.model,
            pk_set=keys,
            using=database,
            raw=self._raw,
        )

    # --- remove ---------------------------------------------------------------------------

    def remove(self, *objs: M | Key) -> None:
        """Let go of these objects, given as such or by their keys."""
        self._run(self._remove(objs))

    async def aremove(self, *objs: M | Key) -> None:
        await self._arun(self._remove(objs))

    def _remove(self, objs: Sequence[Any]) -> Operation[None]:
        self._remove_prefetched_objects()
        if objs:
            keys = {
                self.target_field.get_foreign_related_value(obj)[0]
                if isinstance(obj, self.model)
                else self.target_field.get_prep_value(obj)
                for obj in objs
            }
            yield from together(self._remove_keys(keys))

    def _remove_keys(self, keys: set[Any]) -> Operation[None]:
        database = self._written()
        yield from self._announce("pre_remove", keys, database)
        related = self._all_related()
        found: Any = list(keys)
        if related._query.where:
            # Only what the manager shows can be removed through it.
            target = self.target_field.target_field.attname
            found = related.using(database).filter(**{f"{target}__in": found})
        yield from self._delete_rows(self._rows_of(found), database)
        yield from self._announce("post_remove", keys, database)

    def _rows_of(self, targets: Any) -> Q:
        """The condition for intermediate rows of these targets; None for all."""
        found = Q((self.source_field_name, self.related_val[0]))
        if targets is not None:
            found &= Q((f"{self.target_field_name}__in", targets))
        if self.symmetrical:
            back = Q((self.target_field_name, self.related_val[0]))
            if targets is not None:
                back &= Q((f"{self.source_field_name}__in", targets))
            found |= back
        return found

    def _delete_rows(self, rows: Q, database: str) -> Operation[None]:
        queryset = self.through._default_manager.using(database).filter(rows)
        yield from queryset._doing("delete")

    def clear(self) -> None:
        """Let go of all objects."""
        self._run(self._clear())

    async def aclear(self) -> None:
        await self._arun(self._clear())

    def _clear(self) -> Operation[None]:
        yield from together(self._clear_rows())

    def _clear_rows(self) -> Operation[None]:
        database = self._written()
        yield from self._announce("pre_clear", None, database)
        self._remove_prefetched_objects()
        related = self._all_related().using(database)
        yield from self._delete_rows(
            self._rows_of(related if related._query.where else None), database
        )
        yield from self._announce("post_clear", None, database)

    # --- set ------------------------------------------------------------------------------

    def set(
        self,
        objs: Iterable[M | Key],
        *,
        clear: bool = False,
        through_defaults: Mapping[str, Any] | None = None,
    ) -> None:
        """Relate exactly these objects.

        Args:
            clear: let go of all first, instead of only of those that are not among them.
            through_defaults: as for `add`.
        """
        self._run(together(self._set(given(objs), clear, through_defaults)))

    def set_base(
        self,
        objs: Iterable[Any],
        *,
        clear: bool = False,
        through_defaults: Mapping[str, Any] | None = None,
        raw: bool = False,
    ) -> None:
        """As `set`; `raw` tells the receivers of `m2m_changed` that a fixture is loaded."""
        self._raw = raw
        self.set(objs, clear=clear, through_defaults=through_defaults)

    async def aset_base(
        self,
        objs: Iterable[Any],
        *,
        clear: bool = False,
        through_defaults: Mapping[str, Any] | None = None,
        raw: bool = False,
    ) -> None:
        self._raw = raw
        await self.aset(objs, clear=clear, through_defaults=through_defaults)

    async def aset(
        self,
        objs: Iterable[M | Key],
        *,
        clear: bool = False,
        through_defaults: Mapping[str, Any] | None = None,
    ) -> None:
        await self._arun(together(self._set(given(objs), clear, through_defaults)))

    def _set(
        self, objs: Iterable[Any], clear: bool, defaults: Mapping[str, Any] | None
    ) -> Operation[None]:
        objs = yield from listed(objs)
        if clear:
            yield from self._clear()
            yield from self._add(objs, defaults)
            return
        target = self.target_field.target_field
        queryset = self.get_queryset().using(self._written())
        keys = yield from queryset.values_list(target.attname, flat=True)._fetch_operation()
        old = set(keys)
        new = []
        for obj in objs:
            key = (
                self.target_field.get_foreign_related_value(obj)[0]
                if isinstance(obj, self.model)
                else self.target_field.get_prep_value(obj)
            )
            if key in old:
                old.remove(key)
            else:
                new.append(obj)
        yield from self._remove(tuple(old))
        yield from self._add(new, defaults)

    # --- create ---------------------------------------------------------------------------

    def create(self, *, through_defaults: Mapping[str, Any] | None = None, **kwargs: Any) -> M:
        """Create an object and relate it."""
        return self._run(together(self._create(kwargs, through_defaults)), self._created_on())

    async def acreate(
        self, *, through_defaults: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> M:
        return await self._arun(
            together(self._create(kwargs, through_defaults)), self._created_on()
        )

    def _create(self, values: dict[str, Any], defaults: Mapping[str, Any] | None) -> Operation[M]:
        obj: M = yield from self._inherited("create", **values)
        yield from self._add((obj,), defaults, self._created_on())
        return obj

    def get_or_create(
        self, *, through_defaults: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> tuple[M, bool]:
        """Among the related objects, get the one that matches; or create and relate it."""
        return self._run(
            together(self._found_or_created("get_or_create", kwargs, through_defaults)),
            self._created_on(),
        )

    async def aget_or_create(
        self, *, through_defaults: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> tuple[M, bool]:
        return await self._arun(
            together(self._found_or_created("get_or_create", kwargs, through_defaults)),
            self._created_on(),
        )

    def update_or_create(
        self, *, through_defaults: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> tuple[M, bool]:
        """Among the related objects, update the one that matches; or create and relate it."""
        return self._run(
            together(self._found_or_created("update_or_create", kwargs, through_defaults)),
            self._created_on(),
        )

    async def aupdate_or_create(
        self, *, through_defaults: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> tuple[M, bool]:
        return await self._arun(
            together(self._found_or_created("update_or_create", kwargs, through_defaults)),
            self._created_on(),
        )

    def _found_or_created(
        self, method: str, values: dict[str, Any], defaults: Mapping[str, Any] | None
    ) -> Operation[tuple[M, bool]]:
        obj, created = yield from self._inherited(method, **values)
        if created:
            yield from self._add((obj,), defaults, self._created_on())
        return obj, created


def create_forward_many_to_many_manager(
    superclass: type[BaseManager[Any]], rel: Any, reverse: bool
) -> Any:
    """The class of the managers of one side of a many-to-many field."""
    field, through = rel.field, rel.through
    owner = rel.model if reverse else rel.related_model
    source, target = field.m2m_field_name(), field.m2m_reverse_field_name()
    if reverse:
        source, target = target, source
    key = through._meta.get_field(source).foreign_related_fields[0].attname
    return made(
        ManyToManyManager,
        superclass,
        rel.related_model if reverse else rel.model,
        rel=rel,
        field=field,
        reverse=reverse,
        symmetrical=not reverse and rel.symmetrical,
        through=through,
        query_field_name=field.name if reverse else field.related_query_name(),
        source_field_name=source,
        target_field_name=target,
        source_field=through._meta.get_field(source),
        target_field=through._meta.get_field(target),
        _owner=owner,
        _key=key,
        _key_is_pk=key == owner._meta.pk.attname,
        _prefetch_cache_name=rel.accessor_name if reverse else field.name,
    )


# --- for type checkers --------------------------------------------------------------------

if TYPE_CHECKING:

    class ManyRelatedManager(ManyToManyManager[M], Manager[M]):  # type: ignore[misc]
        """A class as `made` makes it: the related model's manager as well."""

    class ManyToManyField(RelatedField[ManyRelatedManager[V]]):
        """The field, with the types of what `hooks.many` puts on the class.

        They are not where the field is, because fields know nothing of managers.
        """

        def __init__(
            self,
            to: type[V] | str,
            related_name: str | None = None,
            related_query_name: str | None = None,
            limit_choices_to: Any = None,
            symmetrical: bool | None = None,
            through: Any = None,
            through_fields: Any = None,
            db_constraint: bool = True,
            db_table: str | None = None,
            swappable: bool = True,
            **kwargs: Unpack[ManyToManyOptions],
        ) -> None: ...

        @overload  # type: ignore[override]
        def __get__(self, instance: None, owner: Any) -> ManyToManyDescriptor: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> ManyRelatedManager[V]: ...
        def __get__(self, instance: object, owner: Any) -> Any: ...

        # There is no assigning: `book.tags.set(...)`.
        def __set__(self, instance: object, value: Never) -> None: ...  # type: ignore[override]

else:
    from aorm.fields.many_to_many import ManyToManyField

__all__ = ["ManyToManyField", "ManyToManyManager", "create_forward_many_to_many_manager"]
