"""The managers that stand for the many objects of a relation.

1. A manager class is made once per relation and kind of default manager; a manager itself is
   made at each access and holds only its instance.
2. What changes the relation is written once as an operation, in one transaction; the pair of
   methods that runs it is one line each.
3. Prefetched objects are what `all()` gives, until the relation is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, partial
from types import FunctionType
from typing import Any, ClassVar, TypeVar

from aorm.connections import arun, connections, run
from aorm.late import inspect
from aorm.models.fetch_modes import own_fetch_mode
from aorm.models.manager import BaseManager, M
from aorm.models.queryset import QuerySet
from aorm.operations.origins import database_of
from aorm.operations.prefetch import PREFETCHED, Plan, fetch_all, only_queryset
from aorm.operations.prefetch_keys import distinct, key_of
from aorm.operations.routing import router
from aorm.operations.saving import TwoFaces, save_step
from aorm.query.conditions import Q
from aorm.query.draft import Draft
from aorm.query.expressions import F, Slots
from aorm.query.filters import Scope, add_q
from aorm.steps import Operation, call, in_block

R = TypeVar("R")
_new = object.__new__


def _keep(instance: Any, cache_name: str, queryset: Any) -> None:
    instance.__dict__.setdefault(PREFETCHED, {})[cache_name] = queryset


def together(operation: Operation[R]) -> Operation[R]:
    """In one transaction: the caller's where one is open."""
    return in_block(operation, savepoint=False)


def given(objs: Iterable[Any]) -> Iterable[Any]:
    """What the caller gave, read before a transaction begins: what cannot be read is an error."""
    return objs if isinstance(objs, QuerySet) else tuple(objs)


def listed(objs: Iterable[Any]) -> Operation[tuple[Any, ...]]:
    """What the caller gave, a QuerySet fetched by the same face."""
    return tuple((yield from fetch_all(objs)) if isinstance(objs, QuerySet) else objs)


class RelatedManager(BaseManager[M]):
    """What both kinds of managers have: an instance, prefetched objects, two faces."""

    #: The classes that `manager(manager="name")` made.
    _variants: ClassVar[dict[type, Any]]
    _superclass: ClassVar[Any]
    _prefetch_cache_name: ClassVar[str]
    _start_plain: ClassVar[bool]
    #: The model whose instances have the manager.
    _owner: ClassVar[Any]
    field: ClassVar[Any]
    instance: Any

    do_not_call_in_templates = True

    @classmethod
    def _of(cls, instance: Any) -> Any:
        """The manager of an instance; no constructor runs that has nothing to do."""
        if cls._start_plain:
            manager = _new(cls)
        else:
            manager = cls()
            manager.name, manager._db, manager._hints = None, None, {}
            manager.model = cls.model
        manager.instance = instance
        return manager

    @classmethod
    def _made_with(cls) -> str | None:
        """What an instance must have for `_of` to do nothing but to make a manager that holds it:
        the name of a value, "" for none; None where it does more.
        """
        return "" if cls._start_plain else None

    def __call__(self, *, manager: str) -> Any:
        """The same relation through another manager of the related model, by its name."""
        kind = type(getattr(self.model, manager))
        made = self._variants.get(kind)
        if made is None:
            made = self._variants[kind] = self._by(kind)
        return made._of(self.instance)

    @classmethod
    def _by(cls, superclass: type[BaseManager[Any]]) -> Any:
        """The class of the managers of this relation that extends another manager class."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, type(self))
            and other.instance == self.instance
            and other._db == self._db
        )

    __hash__ = BaseManager.__hash__

    # --- reading ------------------------------------------------------------------------

    def get_queryset(self) -> QuerySet[M]:
        instance = self.instance
        own = instance.__dict__.get(PREFETCHED)
        if own is not None and (found := own.get(self._prefetch_cache_name)) is not None:
            return found  # type: ignore[no-any-return]
        if self._inherits(type(instance)) and (found := self._prefetched()) is not None:
            return found
        self._check_instance()
        queryset = self._apply_rel_filters(self._all_related())
        mode = own_fetch_mode(instance)
        return queryset if mode is None else queryset.fetch_mode(mode)

    def _all(self) -> QuerySet[M]:
        """All related objects: those that were prefetched, where they were."""
        try:
            found = self.instance._prefetched_objects_cache[self._prefetch_cache_name]
        except (AttributeError, KeyError):
            return self.get_queryset()
        return found  # type: ignore[no-any-return]

    def _prefetched(self) -> QuerySet[Any] | None:
        """The prefetched objects: the instance's own, or those of a part of it that is kept."""
        for part in self._parts():
            found: QuerySet[Any] | None = part.__dict__.get(PREFETCHED, {}).get(
                self._prefetch_cache_name
            )
            if found is not None:
                return found
        return None

    def _parts(self) -> list[Any]:
        """The instance, and the objects of its parents' tables that it keeps."""
        parts = [self.instance]
        for part in parts:
            if self._inherits(type(part)):
                for link in type(part)._meta.concrete_model._meta.parents.values():
                    parent = link and part.__dict__.get(link.cache_attname)
                    if parent is not None:
                        parts.append(parent)
        return parts

    @classmethod
    def _inherits(cls, model: Any) -> bool:
        """Whether the relation is one of a parent of this model."""
        if model is cls._owner:
            return False
        return model._meta.concrete_model is not cls._owner._meta.concrete_model

    def _all_related(self) -> QuerySet[Any]:
        """All that the manager's class would give without the relation."""
        return super().get_queryset()

    def _check_instance(self) -> None:
        """Refuse an instance that nothing can be related to yet."""

    def _apply_rel_filters(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those objects of a QuerySet that are related to the instance."""
        queryset._add_hints(instance=self.instance)
        if self._db:
            queryset = queryset.using(self._db)
        return self._filtered(queryset)

    def _filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        raise NotImplementedError

    def _hold(
        self,
        instances: Sequence[Any],
        keys: Sequence[Any],
        lists: Sequence[list[Any]],
        given: Any,
        cache_name: str,
        fresh: bool,
    ) -> None:
        """Give instances of one model, starting with this one, QuerySets of prefetched objects.

        Args:
            keys: the values of the instances by which objects are related to them.
            lists: the objects of each instance.
            given: the QuerySet that they were fetched with, or None for the manager's own.
            cache_name: what an instance keeps them under.
            fresh: whether the instances keep nothing yet.
        """
        base = self._all_related() if given is None else given
        if base._query.is_sliced:
            for instance, objects in zip(instances, lists, strict=True):
                queryset = base._chain()
                queryset._prefetch_done = True
                queryset._result_cache = objects
                _keep(instance, cache_name, queryset)
            return
        template = self._apply_rel_filters(base)
        if template._prefetch_related_lookups:
            # They were followed with those of all the others.
            template._prefetch_done = True
        mark = len(base._values)
        alike = type(keys[0]) in (int, str) and template._values[mark:] == (keys[0],)
        if not alike or router.routers or (database_of(self.instance) or "default") != "default":
            for instance, objects in zip(instances, lists, strict=True):
                queryset = self._of(instance)._apply_rel_filters(base)
                queryset._prefetch_done = True
                queryset._result_cache = objects
                _keep(instance, cache_name, queryset)
            return
        # They differ in the one value, which is bound as it is, and in what refers to it;
        # there is nobody who would ask for hints.
        shared = template.__dict__
        shared.pop("_hints", None)
        cls, model, values = type(template), template.model, base._values
        query, db = template._query, template._db
        more = {
            name: value
            for name, value in shared.items()
            if name not in ("model", "_query", "_values", "_db", "_result_cache", "_is_plain")
        }
        knows = more.pop("_known_related_objects", None) is not None
        plain = cls._plainly_cloned and not more and not knows
        owner: Any = type(self.instance)
        # Of a dictionary of the instance's attributes there is no need then.
        usual = fresh and not more and owner.__setattr__ is object.__setattr__
        new = partial(_new, cls)
        for instance, key, objects in zip(instances, keys, lists, strict=True):
            queryset = new()
            queryset.model = model
            queryset._query = query
            queryset._values = (*values, key) if values else (key,)
            queryset._db = db
            queryset._result_cache = objects
            queryset._is_plain = plain
            if knows:
                queryset._known_related_objects = {self.field: {key: instance}}
            if usual:
                instance._prefetched_objects_cache = {cache_name: queryset}
                continue
            queryset.__dict__.update(more)
            _keep(instance, cache_name, queryset)

    def _prefetch_base(
        self, instances: Sequence[Any], querysets: Sequence[Any] | None
    ) -> QuerySet[Any]:
        queryset = only_queryset(querysets)
        if queryset is None:
            queryset = self._all_related()
            mode = own_fetch_mode(instances[0])
            if mode is not None:
                queryset = queryset.fetch_mode(mode)
        queryset._add_hints(instance=instances[0])
        database = queryset._db or self._db
        based: QuerySet[Any] = queryset.using(database) if database else queryset
        return based

    def _remove_prefetched_objects(self) -> None:
        for part in self._parts():
            part.__dict__.get(PREFETCHED, {}).pop(self._prefetch_cache_name, None)

    # --- running ------------------------------------------------------------------------

    def _written(self) -> str:
        """The alias of the database that changes of the relation go to."""
        return router.db_for_write(self.model, instance=self.instance)

    def _created_on(self) -> str:
        """The alias of the database that new related objects go to."""
        return self._written()

    def _run(self, operation: Operation[R], database: str | None = None) -> R:
        return run(operation, connections[database or self._written()])

    async def _arun(self, operation: Operation[R], database: str | None = None) -> R:
        return await arun(operation, connections[database or self._written()])

    def _inherited(self, method: str, **values: Any) -> Operation[Any]:
        """`create` and its like as the superclass has it, on the database that is written.

        An override by the user is called; what is QuerySet's own goes on as an operation.
        """
        manager = self.db_manager(self._created_on())
        if _is_stock(self._superclass, method):
            return (yield from manager.get_queryset()._doing(method, **values))
        above = super(RelatedManager, manager)
        override = TwoFaces(getattr(above, method), getattr(above, f"a{method}"), **values)
        return (yield from call(override))

    def _of_model(self, obj: Any) -> None:
        if not isinstance(obj, self.model):
            raise TypeError(f"'{self.model._meta.object_name}' instance expected, got {obj!r}")


def agree_on_database(instance: Any, value: Any) -> None:
    """Give a new object the database of the one that it is related to.

    Raises:
        ValueError: the routers do not allow the relation.
    """
    mine, other = instance._state, value._state
    if mine.db is None:
        mine.db = router.db_for_write(type(instance), instance=value)
    if other.db is None:
        other.db = router.db_for_write(type(value), instance=instance)
    if not router.allow_relation(value, instance):
        raise ValueError(
            f'Cannot assign "{value!r}": the current database router prevents this relation.'
        )


def narrowed(
    queryset: QuerySet[Any], condition: Q, columns: dict[str, str], per: Sequence[str] = ()
) -> QuerySet[Any]:
    """A QuerySet under a condition about the same rows of relations that it has joined already.

    Args:
        columns: more columns of those rows, by the names that the objects get them under.
        per: names of what a slice is taken for each value of, instead of those columns.
    """

    def apply(draft: Draft, slots: Slots) -> None:
        add_q(draft, condition.parametrised(slots), reuse_all=True)
        for name, path in columns.items():
            draft.annotations[name] = F(path).resolve(Scope(draft, reuse=set(draft.joins)))
            if draft.annotation_mask is not None:
                draft.annotation_mask = (*draft.annotation_mask, name)
        if draft.is_sliced:
            scope = Scope(draft, reuse=set(draft.joins))
            draft.per = tuple(F(path).resolve(scope) for path in per or columns.values())

    values: list[Any] = []
    key = ("prefetch", condition.keyed(values), *columns.items())
    return queryset._step(key, values, apply)


@cache
def _is_stock(manager_class: Any, method: str) -> bool:
    """Whether a manager's method, on both faces, is the one that QuerySet has."""
    return all(
        inspect.unwrap(getattr(manager_class, name)) is inspect.unwrap(getattr(QuerySet, name))
        for name in (method, f"a{method}")
    )


def _own(function: Any) -> Any:
    """A copy of a function, in which CPython remembers the classes of this use alone."""
    return FunctionType(function.__code__.replace(), function.__globals__, function.__name__)


def made(
    kind: type[RelatedManager[Any]], superclass: type[BaseManager[Any]], model: Any, **members: Any
) -> Any:
    """A manager class for one relation, which extends the related model's own manager class."""
    plain = superclass.__init__ is BaseManager.__init__
    if superclass.all is BaseManager.all:
        members["all"] = _own(RelatedManager._all)
    return type(
        kind.__name__,
        (kind, superclass),
        {
            "__module__": kind.__module__,
            "_superclass": superclass,
            "_start_plain": plain,
            "_variants": {},
            "_constructor_args": ((), {}),
            "model": model,
            "name": None,
            "_db": None,
            "_hints": {},
            **members,
        },
    )


# --- the many objects that point here -----------------------------------------------------


class ReverseManyToOneManager(RelatedManager[Any]):
    """`author.books`: objects whose foreign key is this instance."""

    rel: ClassVar[Any]

    @classmethod
    def _by(cls, superclass: type[BaseManager[Any]]) -> Any:
        return create_reverse_many_to_one_manager(superclass, cls.rel)

    def __str__(self) -> str:
        return f"{self.instance!r}.{self.rel.get_accessor_name()}"

    @property
    def core_filters(self) -> dict[str, Any]:
        """What makes an object one of this instance's."""
        return {self.field.name: self.instance}

    def _check_instance(self) -> None:
        if not self.instance._is_pk_set():
            raise ValueError(
                f"{type(self.instance).__name__!r} instance needs to have a primary key value "
                "before this relationship can be used."
            )

    def _check_key(self) -> None:
        """Refuse to change the relation of an instance without the value that is pointed to."""
        for field in self.field.foreign_related_fields:
            if getattr(self.instance, field.attname) is None:
                raise ValueError(
                    f'"{self.instance!r}" needs to have a value for field "{field.attname}" '
                    "before this relationship can be used."
                )

    def _filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        field = self.field
        values = field.get_foreign_related_value(self.instance)
        if None in values:
            return queryset.none()
        if len(values) == 1:
            queryset = queryset.filter(**{field.name: values[0]})
        else:
            queryset = queryset.filter(**self.core_filters)
        if field.many_to_one:
            # What points here is given its object without a query.
            key = values[0] if len(values) == 1 else values
            queryset._carry(_known_related_objects={field: {key: self.instance}})
        return queryset

    def get_prefetch_querysets(
        self, instances: Sequence[Any], querysets: Sequence[Any] | None = None
    ) -> Plan:
        """How to fetch the objects that point to any of these instances."""
        field = self.field
        queryset = self._prefetch_base(instances, querysets)
        key = key_of(field.foreign_related_fields)
        keys = key.values(instances)
        wanted: list[Any] = list(instances)
        if len(field.foreign_related_fields) == 1:
            wanted = distinct(keys)
        return Plan.make(
            narrowed(
                queryset,
                Q((f"{field.name}__in", wanted)),
                {},
                per=[each.name for each in field.local_related_fields],
            ),
            key_of(field.local_related_fields),
            key,
            single=False,
            cache_name=self._prefetch_cache_name,
            link=field,
            keys=keys,
        )

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
        self._check_key()
        self._remove_prefetched_objects()
        database = self._written()
        for obj in objs:
            self._of_model(obj)
            if not (bulk and obj._state.adding):
                agree_on_database(obj, self.instance)
            if bulk and (obj._state.adding or obj._state.db != database):
                raise ValueError(
                    f"{obj!r} instance isn't saved. Use bulk=False or save the object first."
                )
        for obj in objs:
            setattr(obj, self.field.name, self.instance)
        if not bulk:
            yield from together(self._save_all(objs, database))
        elif objs:
            queryset = self.model._base_manager.using(database)
            queryset = queryset.filter(pk__in={obj.pk for obj in objs})
            yield from queryset._doing("update", **{self.field.name: self.instance})

    def _save_all(self, objs: Iterable[Any], database: str, **options: Any) -> Operation[None]:
        for obj in objs:
            yield from save_step(obj, using=database, **options)

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
        self._check_key()
        self._remove_prefetched_objects()
        return self._inherited(method, **{**values, **self.core_filters})

    # --- set ------------------------------------------------------------------------------

    def set(self, objs: Iterable[Any], *, bulk: bool = True, clear: bool = False) -> None:
        """Let exactly these objects point here.

        Args:
            bulk: as for `add`.
            clear: let go of all first, instead of only of those that are not among them.
        """
        self._run(self._set(given(objs), bulk, clear))

    async def aset(self, objs: Iterable[Any], *, bulk: bool = True, clear: bool = False) -> None:
        await self._arun(self._set(given(objs), bulk, clear))

    def _set(self, objs: Iterable[Any], bulk: bool, clear: bool) -> Operation[None]:
        yield from self._add((yield from listed(objs)), bulk)


class NullableReverseManyToOneManager(ReverseManyToOneManager):
    """The same where the foreign key may be null: objects can be let go."""

    def remove(self, *objs: Any, bulk: bool = True) -> None:
        """Let these objects no longer point here.

        Raises:
            TypeError: an object of another model.
            DoesNotExist: an object does not point here.
        """
        self._run(self._remove(objs, bulk))

    async def aremove(self, *objs: Any, bulk: bool = True) -> None:
        await self._arun(self._remove(objs, bulk))

    def _remove(self, objs: Sequence[Any], bulk: bool) -> Operation[None]:
        if not objs:
            return
        self._check_key()
        value = self.field.get_foreign_related_value(self.instance)
        for obj in objs:
            self._of_model(obj)
            if self.field.get_local_related_value(obj) != value:
                raise self.field.remote_field.model.DoesNotExist(
                    f"{obj!r} is not related to {self.instance!r}."
                )
        found = self.get_queryset().filter(pk__in={obj.pk for obj in objs})
        yield from self._let_go(found, bulk)

    def clear(self, *, bulk: bool = True) -> None:
        """Let no object point here any more."""
        self._run(self._clear(bulk))

    async def aclear(self, *, bulk: bool = True) -> None:
        await self._arun(self._clear(bulk))

    def _clear(self, bulk: bool) -> Operation[None]:
        self._check_key()
        yield from self._let_go(self.get_queryset(), bulk)

    def _let_go(self, queryset: QuerySet[Any], bulk: bool) -> Operation[None]:
        self._remove_prefetched_objects()
        database = self._written()
        queryset = queryset.using(database)
        if bulk:
            yield from queryset._doing("update", **{self.field.name: None})
        else:
            yield from together(self._let_go_each(queryset, database))

    def _let_go_each(self, queryset: QuerySet[Any], database: str) -> Operation[None]:
        objs = list((yield from queryset._fetch_operation()))
        for obj in objs:
            setattr(obj, self.field.name, None)
        yield from self._save_all(objs, database, update_fields=[self.field.name])

    def _set(self, objs: Iterable[Any], bulk: bool, clear: bool) -> Operation[None]:
        self._check_key()
        yield from together(self._replace((yield from listed(objs)), bulk, clear))

    def _replace(self, objs: Sequence[Any], bulk: bool, clear: bool) -> Operation[None]:
        if clear:
            yield from self._clear(bulk)
            yield from self._add(objs, bulk)
            return
        queryset = self.get_queryset().using(self._written())
        old = dict.fromkeys((yield from queryset._fetch_operation()))
        new = []
        for obj in objs:
            if obj in old:
                del old[obj]
            else:
                new.append(obj)
        yield from self._remove(tuple(old), bulk)
        yield from self._add(new, bulk)


def create_reverse_many_to_one_manager(superclass: type[BaseManager[Any]], rel: Any) -> Any:
    """The class of the managers of one reverse relation."""
    field = rel.field
    kind = NullableReverseManyToOneManager if field.null else ReverseManyToOneManager
    return made(
        kind,
        superclass,
        rel.related_model,
        rel=rel,
        field=field,
        _owner=rel.model,
        _prefetch_cache_name=rel.cache_name,
    )
