"""`Model`: the base class of all models.

1. The values of columns are entries of the instance's `__dict__`, under their attnames; a
   missing one is deferred, and loaded when it is touched.
2. Every method that touches the database has an asynchronous twin.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from aorm import errors
from aorm.connections import arun, on_primary, run
from aorm.fields.base import LOOKUP_SEP, DatabaseDefault
from aorm.fields.registry import apps, hooks
from aorm.fields.tracking import changed_fields, remember
from aorm.models.construct import FILLER, filler, set_others, with_positional
from aorm.models.deferred import missing_attribute
from aorm.models.meta import ModelBase
from aorm.models.placing import place, placed
from aorm.models.prefetch import RelatedFetching
from aorm.models.state import (
    DEFERRED,
    PREFETCHED,
    Loaded,
    ModelState,
    mark_saved,
    own_state,
)
from aorm.models.validation import Validation
from aorm.operations import saving
from aorm.operations.deletion import delete_instance
from aorm.operations.saving import write_alias
from aorm.operations.signals import post_init, pre_init
from aorm.query.conditions import Q

if TYPE_CHECKING:
    from aorm.models.manager import Manager

    M = TypeVar("M")

    class _Objects:
        def __get__(self, instance: None, owner: type[M]) -> Manager[M]: ...


class Model(Validation, RelatedFetching, metaclass=ModelBase):
    """A class whose instances are rows of a table.

    Args:
        args: values of the columns, in their order.
        kwargs: values of columns, related objects, and settable properties, by name.

    Raises:
        TypeError: the model is abstract, or a keyword names nothing that it has.
    """

    # What an instance has none of its own of, without a look at the missing attribute's hook.
    _loaded: Loaded | None = None
    _own_state: ModelState | None = None

    if TYPE_CHECKING:
        # No declaration, which would hold for a model's own manager, too.
        objects = _Objects()
        _default_manager: ClassVar[Manager[Any]]
        _base_manager: ClassVar[Manager[Any]]

        class DoesNotExist(errors.ObjectDoesNotExist): ...

        class MultipleObjectsReturned(errors.MultipleObjectsReturned): ...

        class NotUpdated(errors.ObjectNotUpdated, errors.DatabaseError): ...

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cls = type(self)
        if pre_init.receivers:
            pre_init.send(sender=cls, args=args, kwargs=kwargs)
        fill = cls._meta.derived.get(FILLER) or filler(cls)
        if args:
            kwargs = with_positional(cls, args, kwargs)
        others = fill(self, **kwargs)
        if others:
            set_others(self, others)
        super().__init__()
        if post_init.receivers:
            post_init.send(sender=cls, instance=self)

    @classmethod
    def from_db(
        cls,
        db: str | None,
        field_names: Sequence[str],
        values: Sequence[Any],
        *,
        fetch_mode: Any = None,
    ) -> Self:
        """An instance of a loaded row; override it to look at, or change, what is loaded.

        Args:
            db: the alias of the database.
            field_names: the attnames of the columns that were loaded.
            values: their values.
            fetch_mode: how what was not loaded is loaded later.
        """
        fields = cls._meta.concrete_fields
        if len(values) != len(fields):
            given = dict(zip(field_names, values, strict=True))
            values = [given.get(field.attname, DEFERRED) for field in fields]
        made = cls(*values)
        made._loaded = Loaded(db, None, fetch_mode)
        return made

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Only what neither the instance nor its class has comes here.
            return missing_attribute(self, name)

    @property
    def _state(self) -> ModelState:
        return own_state(self)

    @_state.setter
    def _state(self, state: ModelState) -> None:
        self.__dict__["_own_state"] = state

    def _saved_to(self, db: str) -> None:
        mark_saved(self, db)

    # --- identity -----------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def __str__(self) -> str:
        return f"{type(self).__name__} object ({self.pk})"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Model):
            return NotImplemented
        if self._meta.concrete_model is not other._meta.concrete_model:
            return False
        key = self.pk
        return key is not None and bool(key == other.pk)

    def __hash__(self) -> int:
        if not self._is_pk_set():
            raise TypeError("Model instances without primary key value are unhashable")
        return hash(self.pk)

    def _get_pk_val(self, meta: Any = None) -> Any:
        return getattr(self, (meta or self._meta).pk.attname)

    def _set_pk_val(self, value: Any) -> None:
        options = self._meta
        for link in options.parents.values():
            if link and link is not options.pk:
                setattr(self, link.target_field.attname, value)
        setattr(self, options.pk.attname, value)

    #: The primary key, whatever its field is called.
    pk: Any = property(_get_pk_val, _set_pk_val)

    def _is_pk_set(self, meta: Any = None) -> bool:
        value = self._get_pk_val(meta)
        if isinstance(value, tuple):
            return not any(part is None or isinstance(part, DatabaseDefault) for part in value)
        return value is not None and not isinstance(value, DatabaseDefault)

    # --- copies -------------------------------------------------------------------------

    def __reduce__(self) -> Any:
        cls = type(self)
        options = cls._meta
        if (
            options.apps is apps
            and apps.all_models[options.app_label].get(options.model_name) is cls
        ):
            return (_model_by_label, (options.app_label, options.object_name), self.__getstate__())
        return (_new, (cls,), self.__getstate__())

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled and copied: the attributes, with a state of the copy's own."""
        state = dict(self.__dict__)
        if "_own_state" in state:
            state["_own_state"] = copy.copy(state["_own_state"])
        for name, value in state.items():
            if isinstance(value, memoryview):
                state[name] = bytes(value)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    # --- fields -------------------------------------------------------------------------

    def get_deferred_fields(self) -> set[str]:
        """The attnames of the columns that were not loaded."""
        return {name for name in self._meta._columns_by_attname if name not in self.__dict__}

    def get_changed_fields(self) -> set[str]:
        """The names of the fields that were changed since the object was loaded or saved.

        All of them where it has no row yet.

        Raises:
            ValueError: the model does not say `track_changes = True` in its Meta.
        """
        changed = saving.changed_only(self, False, False, None)
        if changed is None:
            return {field.name for field in self._meta.concrete_fields if not field.generated}
        return {field.name for field in changed_fields(self)}

    def serializable_value(self, field_name: str) -> Any:
        """The value of a field by its name; of a foreign key, the key."""
        field = self._meta._forward_fields_map.get(field_name)
        return getattr(self, field_name if field is None else field.attname)

    def prepare_database_save(self, field: Any) -> Any:
        """The value by which a field refers to this object.

        Raises:
            ValueError: it has not been saved.
        """
        if not self._is_pk_set():
            raise ValueError(f"Unsaved model instance {self!r} cannot be used in an ORM query.")
        return getattr(self, field.remote_field.get_related_field().attname)

    def resolve_display(self, field: Any) -> Any:
        """The label of the choice that is the value of a field."""
        return field.display(self)

    _get_FIELD_display = resolve_display

    # --- saving and deleting --------------------------------------------------------------

    def save(
        self,
        *,
        force_insert: bool | tuple[type[Any], ...] = False,
        force_update: bool = False,
        using: Any = None,
        update_fields: Iterable[str] | None = None,
        changed_only: bool = False,
    ) -> None:
        """Update the object's row, or insert one where there is none.

        Args:
            force_insert: insert; a tuple names the models, of this one and its parents, whose
                rows are inserted.
            force_update: update, or fail.
            using: the alias of the database, or an open transaction.
            update_fields: update only these fields.
            changed_only: update only what was changed since the object was loaded, and nothing
                where nothing was; the model says `track_changes = True` in its Meta.

        Raises:
            ValueError: the arguments contradict each other, or a related object is not saved.
            NotUpdated: a forced update found no row.
            StaleObjectError: the model has a `VersionField`, and the row is of another version.
        """
        if changed_only:
            update_fields = saving.changed_only(self, force_insert, force_update, update_fields)
        alias, database = place(using or write_alias(self))
        run(saving.save(self, alias, force_insert, force_update, update_fields), database)

    async def asave(
        self,
        *,
        force_insert: bool | tuple[type[Any], ...] = False,
        force_update: bool = False,
        using: Any = None,
        update_fields: Iterable[str] | None = None,
        changed_only: bool = False,
    ) -> None:
        if changed_only:
            update_fields = saving.changed_only(self, force_insert, force_update, update_fields)
        alias, database = place(using or write_alias(self))
        await arun(saving.save(self, alias, force_insert, force_update, update_fields), database)

    def save_base(
        self,
        raw: bool = False,
        force_insert: bool | tuple[type[Any], ...] = False,
        force_update: bool = False,
        using: Any = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Save without the checks of `save`; `raw` is for fixtures and leaves out the parents."""
        alias, database = place(using or write_alias(self))
        run(
            saving.save_base(self, alias, raw, force_insert, force_update, update_fields),
            database,
        )

    async def asave_base(
        self,
        raw: bool = False,
        force_insert: bool | tuple[type[Any], ...] = False,
        force_update: bool = False,
        using: Any = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        alias, database = place(using or write_alias(self))
        await arun(
            saving.save_base(self, alias, raw, force_insert, force_update, update_fields),
            database,
        )

    def _prepare_related_fields_for_save(self, operation_name: str, fields: Any = None) -> None:
        saving.check_related(self, operation_name, fields)

    def delete(self, using: Any = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Delete the object's row, and what goes with it.

        Args:
            using: the alias of the database, or an open transaction.
            keep_parents: leave the rows of the parents.

        Returns:
            The number of deleted rows, and the numbers by label of the model.

        Raises:
            ValueError: the object has no primary key.
            ProtectedError, RestrictedError: another object stands in the way.
        """
        self._refuse_without_key()
        alias, database = place(using or write_alias(self))
        return run(delete_instance(self, alias, keep_parents), database)

    async def adelete(
        self, using: Any = None, keep_parents: bool = False
    ) -> tuple[int, dict[str, int]]:
        self._refuse_without_key()
        alias, database = place(using or write_alias(self))
        return await arun(delete_instance(self, alias, keep_parents), database)

    def _refuse_without_key(self) -> None:
        if not self._is_pk_set():
            options = self._meta
            raise ValueError(
                f"{options.object_name} object can't be deleted because its {options.pk.attname} "
                "attribute is set to None."
            )

    # --- loading --------------------------------------------------------------------------

    def refresh_from_db(
        self,
        using: Any = None,
        fields: Iterable[str] | None = None,
        from_queryset: Any = None,
    ) -> None:
        """Load the object again, and forget the related objects that it keeps.

        Args:
            using: the alias of the database, or an open transaction.
            fields: only these fields and relations.
            from_queryset: the QuerySet to look the object up in.

        Raises:
            DoesNotExist: its row is gone.
            ValueError: a name in `fields` goes across a relation.
        """
        wanted = self._refreshed_names(fields)
        if wanted is None or wanted:
            queryset = self._refreshing(using, wanted, from_queryset)
            with on_primary():
                self._take_over(queryset.get(), wanted)

    async def arefresh_from_db(
        self,
        using: Any = None,
        fields: Iterable[str] | None = None,
        from_queryset: Any = None,
    ) -> None:
        wanted = self._refreshed_names(fields)
        if wanted is None or wanted:
            queryset = self._refreshing(using, wanted, from_queryset)
            with on_primary():
                self._take_over(await queryset.aget(), wanted)

    def _refreshed_names(self, fields: Iterable[str] | None) -> set[str] | None:
        """What is to be loaded (None: all); prefetched objects of these names are dropped."""
        held = self.__dict__
        if fields is None:
            held.pop(PREFETCHED, None)
            return None
        wanted = set(fields)
        prefetched = held.get(PREFETCHED, {})
        for name in wanted & prefetched.keys():
            del prefetched[name]
            wanted.discard(name)
        if any(LOOKUP_SEP in name for name in wanted):
            raise ValueError(
                f'Found "{LOOKUP_SEP}" in fields argument. Relations and transforms are not '
                "allowed in fields."
            )
        return wanted

    def _refreshing(self, using: Any, wanted: set[str] | None, queryset: Any) -> Any:
        options = self._meta
        if queryset is None:
            manager = type(self)._base_manager
            alias, database = placed(using)
            queryset = manager.db_manager(alias, hints={"instance": self}).all()
            queryset = queryset.using(using) if database is not None else queryset
        elif using is not None:
            queryset = queryset.using(using)
        queryset = queryset.filter(pk=self.pk)
        if wanted is not None:
            columns = wanted - options._reverse_one_to_one_field_names
            return queryset.only(*(columns or {options.pk.name}))
        deferred = self.get_deferred_fields()
        if deferred:
            names = options._columns_by_attname.keys() - deferred
            return queryset.only(*names)
        return queryset

    def _take_over(self, fresh: Any, wanted: set[str] | None) -> None:
        held, loaded = self.__dict__, fresh.__dict__
        options = self._meta
        for field in options.fields:
            if field.concrete:
                if field.attname not in loaded:
                    continue
                setattr(self, field.attname, loaded[field.attname])
            if field.is_relation:
                if field.cache_attname in loaded:
                    held[field.cache_attname] = loaded[field.cache_attname]
                elif wanted is None or field.attname in loaded:
                    held.pop(field.cache_attname, None)
        for rel in options.related_objects:
            if wanted is None or rel.name in wanted:
                held.pop(rel.cache_attname, None)
        for field in options.private_fields:
            if field.is_relation and (wanted is None or field.name in wanted):
                held.pop(getattr(field, "cache_attname", ""), None)
        own_state(self).db = own_state(fresh).db
        if options.track_changes:
            remember(self, loaded.keys() & options._columns_by_attname.keys())

    # --- neighbours -----------------------------------------------------------------------

    def _get_next_or_previous_by_FIELD(self, field: Any, is_next: bool, **conditions: Any) -> Any:
        found = self._neighbours(field, is_next, conditions).first()
        return self._existing(found)

    async def _aget_next_or_previous_by_FIELD(
        self, field: Any, is_next: bool, **conditions: Any
    ) -> Any:
        return self._existing(await self._neighbours(field, is_next, conditions).afirst())

    def _neighbours(self, field: Any, is_next: bool, conditions: dict[str, Any]) -> Any:
        if not self._is_pk_set():
            raise ValueError("get_next/get_previous cannot be used on unsaved objects.")
        lookup, sign = ("gt", "") if is_next else ("lt", "-")
        value = getattr(self, field.attname)
        beyond = Q(**{f"{field.name}__{lookup}": value})
        level = Q(**{field.name: value, f"pk__{lookup}": self.pk})
        manager = type(self)._default_manager.using(self._state.db)
        return (
            manager.filter(**conditions)
            .filter(level | beyond)
            .order_by(f"{sign}{field.name}", f"{sign}pk")
        )

    def _existing(self, found: Any) -> Any:
        if found is None:
            raise self.DoesNotExist(f"{self._meta.object_name} matching query does not exist.")
        return found


def _new(model: Any) -> Any:
    return model.__new__(model)


def _model_by_label(app_label: str, object_name: str) -> Any:
    """An empty instance of the model of this label, for unpickling."""
    return _new(apps.get_model(app_label, object_name))


hooks.model = Model

__all__ = ["DEFERRED", "Model", "ModelBase"]
