"""What a QuerySet changes in a database: each thing once, as an operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from aorm.connections import connections
from aorm.errors import (
    FieldDoesNotExist,
    FieldError,
    IntegrityError,
    QueryTypeError,
    QueryValueError,
    listed,
)
from aorm.fields.base import Field
from aorm.fields.relations import is_composite_relation
from aorm.models.placing import check_database
from aorm.models.returning import Returning, is_direct
from aorm.models.rows import loaded_for
from aorm.operations import bulk, upsert
from aorm.operations.deletion import can_fast_delete, delete_queryset
from aorm.operations.saving import TwoFaces, save_step
from aorm.query import building
from aorm.query.conditions import argument, collect_value
from aorm.query.draft import Draft
from aorm.query.expressions import Col, F, Param, Slots
from aorm.query.filters import Scope
from aorm.query.preparation import OutOfRange
from aorm.query.shapes import PLAIN, normalised, shape_of
from aorm.sql.late import change
from aorm.steps import Doing, Execute, Operation, Single, call, execute, in_block

_PLAIN = PLAIN.issuperset


def _saved(obj: Any, saving: Doing[Any]) -> Operation[Any]:
    yield from saving
    return obj


def _nothing() -> Operation[int]:
    yield from ()
    return 0


def _as_it_is(count: int) -> int:
    return count


class Writing(Returning):
    """The operations of a QuerySet that create, change and delete."""

    #: The methods that a subclass overrides, on one face or on both.
    _overridden: ClassVar[frozenset[str]] = frozenset()

    def _doing(self, method: str, /, *args: Any, **kwargs: Any) -> Doing[Any]:
        """What a method does, from inside another operation: by the override where there is one."""
        if method in self._overridden:
            faces = TwoFaces(getattr(self, method), getattr(self, f"a{method}"), **kwargs)
            return call(faces, *args)
        operation = getattr(self, f"_{method}_operation")
        if method == "get":
            return operation(args, kwargs)  # type: ignore[no-any-return]
        if method == "update":
            return operation(kwargs)  # type: ignore[no-any-return]
        return operation(*args, **kwargs)  # type: ignore[no-any-return]

    # --- creating ----------------------------------

    def _create_operation(self, **kwargs: Any) -> Doing[Any]:
        elsewhere = self.model._meta._reverse_one_to_one_field_names
        if elsewhere and (reverse_only := elsewhere.intersection(kwargs)):
            names = ", ".join(sorted(reverse_only))
            raise QueryValueError(f"The following fields do not exist in this model: {names}")
        obj = self.model(**kwargs)
        if self._fetch_mode is not None:
            obj._state.fetch_mode = self._fetch_mode
        saving = save_step(obj, using=self._write_alias(), force_insert=True)
        return saving if type(saving) is Single else _saved(obj, saving)

    def _get_or_create_operation(
        self, defaults: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Operation[tuple[Any, bool]]:
        writing = self._for_writing()
        try:
            return (yield from writing._doing("get", **kwargs)), False
        except self.model.DoesNotExist:
            pass
        params = writing._creation_params(defaults, kwargs)
        try:
            created = yield from in_block(writing._create_called(params))
        except IntegrityError:
            try:
                return (yield from writing._doing("get", **kwargs)), False
            except self.model.DoesNotExist:
                pass
            raise
        return created, True

    def _create_called(self, params: dict[str, Any]) -> Operation[Any]:
        """`create` with values that may be callables."""
        made = {name: value() if callable(value) else value for name, value in params.items()}
        return (yield from self._doing("create", **made))

    def _for_writing(self) -> Any:
        clone = self._chain()
        clone._carry(_for_write=True)
        return clone

    def _creation_params(
        self, defaults: Mapping[str, Any] | None, kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """The values for a new object: of the lookups that name fields, and the defaults."""
        params = {name: value for name, value in kwargs.items() if "__" not in name}
        params.update(defaults or {})
        self._check_assignable(params)
        return params

    def _check_assignable(self, names: Iterable[str]) -> None:
        """FieldError where a name is neither a field nor a property that can be set."""
        opts = self.model._meta
        properties = opts._property_names
        invalid = []
        for name in names:
            try:
                opts.get_field(name)
            except FieldDoesNotExist:
                if name != "pk" and not (
                    name in properties and getattr(self.model, name).fset is not None
                ):
                    invalid.append(name)
        if invalid:
            raise FieldError(
                f"Invalid field name(s) for model {opts.object_name}:"
                f" {', '.join(map(repr, sorted(invalid)))}. Its fields are"
                f" {listed(f.name for f in opts.fields)}."
            )

    def _update_or_create_operation(
        self,
        defaults: Mapping[str, Any] | None = None,
        create_defaults: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Operation[tuple[Any, bool]]:
        update = dict(defaults or {})
        self.filter(**kwargs)  # what is wrong with these is said first
        self._check_assignable(update)
        create = update if create_defaults is None else create_defaults
        writing = self._for_writing()
        found: tuple[Any, bool] = yield from in_block(
            writing._updated_or_created(update, create, kwargs)
        )
        return found

    def _updated_or_created(
        self, update: dict[str, Any], create: Mapping[str, Any], kwargs: dict[str, Any]
    ) -> Operation[tuple[Any, bool]]:
        locked = self.select_for_update()
        obj, created = yield from locked._doing("get_or_create", create, **kwargs)
        if created:
            return obj, True
        opts = self.model._meta
        for name, value in _called(update).items():
            setattr(obj, name, value)
        names = set(update)
        concrete = {n for f in opts.concrete_fields for n in (f.name, f.attname)}
        if names <= concrete:
            # Fields that set themselves when an object is saved belong to it.
            for field in opts.local_concrete_fields:
                if field not in opts.pk_fields and type(field).pre_save is not Field.pre_save:
                    names.add(field.name)
                    if field.name != field.attname:
                        names.add(field.attname)
            yield from save_step(obj, using=self._write_alias(), update_fields=names)
        else:
            yield from save_step(obj, using=self._write_alias())
        return obj, False

    def _bulk_create_operation(self, objs: Iterable[Any], **options: Any) -> Operation[list[Any]]:
        alias = self._write_alias()
        dialect = connections[alias].dialect
        node = self._query.returning
        if node is None:
            return (yield from bulk.bulk_create(self.model, objs, alias, dialect, **options))
        columns = change.returned_columns(node.query, dialect)
        keys = self._plain_rows().values_list("pk", flat=True)
        wanted: Any = columns or change.returned_columns(keys._query, dialect)
        rows = yield from bulk.bulk_create_returning(
            self.model, objs, alias, dialect, wanted.fields, **options
        )
        found: list[Any] = wanted.decode(rows, loaded_for(alias, self._fetch_mode))
        return found if columns is not None else (yield from self._returned_of(found))

    def _bulk_upsert_operation(
        self,
        objs: Iterable[Any],
        unique_fields: Iterable[str] | None,
        update_fields: Iterable[str] | None,
        batch_size: int | None,
    ) -> Operation[list[Any]]:
        objs = list(objs)
        model = self.model
        unique = list(unique_fields or ()) or upsert.unique_names(model, objs)
        update = list(update_fields or ()) or upsert.updated_names(model, unique)
        written, overwritten = upsert.last_of_each(model, objs, unique)
        results = yield from self._bulk_create_operation(
            written,
            batch_size=batch_size,
            update_conflicts=True,
            update_fields=update,
            unique_fields=unique,
        )
        for earlier, last in overwritten:
            upsert.share_key(earlier, last)
        return objs if self._query.returning is None else results

    def _bulk_update_operation(
        self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None
    ) -> Operation[int]:
        alias = self._write_alias()
        dialect = connections[alias].dialect
        if self._query.where.children:
            # Objects that the conditions leave out stay as they are.
            rows = self.using(alias)
            return (yield from bulk.bulk_update_among(rows, objs, fields, dialect, batch_size))
        return (
            yield from bulk.bulk_update(
                self.model, objs, fields, alias, dialect, batch_size=batch_size
            )
        )

    # --- changing ----------------------------------

    def _update_operation(self, kwargs: Mapping[str, Any]) -> Doing[Any]:
        """UPDATE the rows; the number of rows that matched, or what `returning` named of them."""
        return self._update_as_before(kwargs) or self._update_anew(kwargs)

    def _update_as_before(self, kwargs: Mapping[str, Any]) -> Single[int] | None:
        """The same with plain values, where an UPDATE of the same shape was worked out already.

        All that is looked at then belongs to the query, and need not be looked at again; but a
        version counts along where it was not named.
        """
        if self.model._meta.version_field is not None:
            return None
        values: Sequence[Any] = tuple(kwargs.values())
        kinds = tuple(map(type, values))
        derived = self._query.steps.get(("update", tuple(kwargs), kinds))
        if derived is None or not _PLAIN(kinds):
            return None
        query = derived.query
        if query.returning is not None or query.database is not None:
            return None
        if derived.bind is not None:
            try:
                values = derived.bind(values)
            except OutOfRange:
                return None  # these values need a query of their own
        compiled = change.compile_update(query, connections[self._write_alias()].dialect)
        if compiled.empty:
            return None
        self._result_cache = None
        return Single(Execute(compiled.sql, compiled.bind((*self._values, *values))), _as_it_is)

    def _update_anew(self, kwargs: Mapping[str, Any]) -> Doing[Any]:
        self._not_combined("update")
        if self._query.distinct_fields:
            raise QueryTypeError("Cannot call update() after .distinct(*fields).")
        for term in self._query.order_by:
            name = term.lstrip("-") if isinstance(term, str) else ""
            annotation = self._query.annotations.get(name, term)
            if getattr(annotation, "contains_aggregate", False):
                raise FieldError(f"Cannot update when ordering by an aggregate: {annotation}")
        if self._query.reads_values:
            raise QueryTypeError("Cannot call update() on the values of a common table")
        version = self.model._meta.version_field
        if version is not None and version.name not in kwargs:
            kwargs = {**kwargs, version.name: F(version.name) + 1}
        queryset, parents = self._assigned(kwargs)
        self._result_cache = None
        database = connections[self._write_alias()]
        if queryset._query.database is not None:
            check_database(queryset._query, database.alias)
        if self._query.returning is not None:
            if parents or not is_direct(self._query.returning.query):
                return in_block(self._update_then_select(kwargs), savepoint=False)
            compiled = change.compile_update(queryset._query, database.dialect)
            return self._fetch_changed(compiled, queryset._values)
        if parents:
            return in_block(queryset._update_family(parents), savepoint=False)
        compiled = change.compile_update(queryset._query, database.dialect)
        if compiled.empty:
            return _nothing()
        return Single(Execute(compiled.sql, compiled.bind(queryset._values)), _as_it_is)

    def _assigned(self, kwargs: Mapping[str, Any]) -> tuple[Any, dict[Any, dict[str, Any]]]:
        """This QuerySet with assignments, and those that belong to tables of parents."""
        opts = self.model._meta
        own: dict[str, Any] = {}
        parents: dict[Any, dict[str, Any]] = {}
        for name, value in by_columns(opts, kwargs):
            field = updatable(opts, name)
            model = field.model._meta.concrete_model
            if model is opts.concrete_model:
                own[name] = normalised(value)
            else:
                parents.setdefault(model, {})[field.name] = value
        if not own:
            return self, parents
        values: list[Any] = []
        for value in own.values():
            collect_value(value, values)
        key = ("update", tuple(own), tuple(map(shape_of, own.values())))

        def apply(draft: Draft, slots: Slots) -> None:
            draft.assignments = tuple(
                (updatable(opts, name), assignment(draft, updatable(opts, name), value, slots))
                for name, value in own.items()
            )
            building.clear_ordering(draft)

        return self._step(key, values, apply), parents

    def _update_then_select(self, kwargs: Mapping[str, Any]) -> Operation[list[Any]]:
        """UPDATE rows, and read columns of theirs that stand in other tables."""
        keys = yield from self._locked_keys()
        rows: Any = self._without_returning()
        if not self._query.is_sliced:
            rows = rows.filter(pk__in=keys)
        yield from rows._update_operation(kwargs)
        found: list[Any] = yield from self._returned_of(keys)
        yield from self._prefetch_returned(found)
        return found

    def _update_family(self, parents: dict[Any, dict[str, Any]]) -> Operation[int]:
        """UPDATE rows whose values stand in several tables."""
        count: int | None = None
        keys = yield from (
            self._without_values("keys only", _keys_only)
            ._as_values("flat", ["pk"], {})
            ._fetch_operation()
        )
        if self._query.assignments:
            database = connections[self._write_alias()]
            compiled = change.compile_update(self._query, database.dialect)
            if not compiled.empty:
                count = yield from execute(compiled.sql, compiled.bind(self._values))
        for model, values in parents.items():
            path = self.model._meta.get_path_to_parent(model)
            names = "__".join(step.join_field.name for step in path)
            wanted = yield from (
                self.model._base_manager.using(self._write_alias())
                .filter(pk__in=keys)
                ._as_values("flat", [names], {})
                ._fetch_operation()
            )
            rows = type(self)(model, using=self._write_alias()).filter(pk__in=wanted)
            changed = yield from rows._update_operation(values)
            count = changed if count is None else count
        return count or 0

    def _raw_delete_operation(self) -> Operation[int]:
        """DELETE the rows alone, without what depends on them."""
        queryset = self._without_values("unordered", _unordered)
        compiled = change.compile_delete(queryset._query, connections[self._write_alias()].dialect)
        if compiled.empty:
            return 0
        count: int = yield from execute(compiled.sql, compiled.bind(queryset._values))
        return count

    def _delete_operation(self) -> Operation[Any]:
        self._not_combined("delete")
        if self._query.distinct_fields:
            raise QueryTypeError("Cannot call delete() after .distinct(*fields).")
        if self._query.form[0] != "model":
            raise QueryTypeError("Cannot call delete() after .values() or .values_list()")
        check_database(self._query, self._write_alias())
        doomed = self._for_writing()._without_values("doomed", _doomed)
        doomed._carry(_prefetch_related_lookups=())
        self._result_cache = None
        if self._query.returning is not None:
            return (yield from self._delete_returning(doomed))
        return (yield from delete_queryset(doomed, origin=self))

    def _delete_returning(self, doomed: Any) -> Operation[list[Any]]:
        direct = is_direct(self._query.returning.query)
        if direct and not self._prefetch_related_lookups and can_fast_delete(doomed):
            compiled = change.compile_delete(
                doomed._query, connections[self._write_alias()].dialect
            )
            return (yield from self._fetch_changed(compiled, doomed._values))
        return (yield from in_block(self._select_then_delete(doomed), savepoint=False))

    def _select_then_delete(self, doomed: Any) -> Operation[list[Any]]:
        """Read rows, then delete them and what depends on them."""
        keys = yield from doomed._locked_keys()
        found: list[Any] = yield from self._returned_of(keys)
        yield from self._prefetch_returned(found)
        rows = self._plain_rows().using(self._write_alias()).filter(pk__in=keys)
        yield from delete_queryset(rows, origin=self)
        return found


def by_columns(opts: Any, kwargs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Assignments, those to relations of several columns in parts.

    QueryValueError where the value of such a relation is no object of its model, no tuple of as
    many values, and not None.
    """
    for name, value in kwargs.items():
        field = opts._forward_fields_map.get(name)
        if not is_composite_relation(field):
            yield name, value
            continue
        local, remote = field.local_related_fields, field.foreign_related_fields
        if value is None:
            parts: Any = (None,) * len(local)
        elif isinstance(value, field.remote_field.model._meta.concrete_model):
            parts = field.get_foreign_related_value(value)
        elif isinstance(value, tuple | list) and len(value) == len(remote):
            parts = value
        else:
            raise QueryValueError(
                f"{opts.object_name}.{name} is set to an object of"
                f" {field.remote_field.model._meta.object_name}, to a tuple of {len(local)} values,"
                f" or to None, not to {value!r}"
            )
        yield from zip([each.attname for each in local], parts, strict=True)


def updatable(opts: Any, name: str) -> Any:
    """The field of an assignment; FieldError where it cannot be set by UPDATE."""
    if name == "pk":
        name = opts.pk.name
    try:
        field = opts.get_field(name)
    except FieldDoesNotExist as error:
        raise FieldDoesNotExist(
            f"{opts.object_name} has no field named {name!r}; its fields are"
            f" {listed(f.name for f in opts.concrete_fields)}"
        ) from error
    direct = not (field.auto_created and not field.concrete) or not field.concrete
    if field is opts.pk and len(opts.pk_fields) > 1:
        raise FieldError("Composite primary key fields must be updated individually.")
    if not direct or (field.is_relation and field.many_to_many) or not field.concrete:
        raise FieldError(
            f"Cannot update model field {field!r} (only concrete fields are permitted)."
        )
    if getattr(field, "generated", False):
        raise FieldError(f"Cannot update the generated field {field.name!r}")
    return field


def assignment(draft: Draft, field: Any, value: Any, slots: Slots) -> Any:
    """The resolved new value of a field."""
    if hasattr(value, "parametrised") or hasattr(value, "as_subquery"):
        resolved = argument(value, slots)
        resolved = resolved.resolve(Scope(draft, for_save=True))
        _check_single(field, value, resolved, draft)
        if resolved.composite:
            raise FieldError(
                "Composite primary keys expressions are not allowed in this query"
                f" ({field.name}={_named(value)})."
            )
        if resolved.contains_aggregate:
            raise FieldError(
                f"Aggregate functions are not allowed in this query ({field.name}={resolved!r})."
            )
        if resolved.contains_over_clause:
            raise FieldError(
                f"Window expressions are not allowed in this query ({field.name}={resolved!r})."
            )
        if type(resolved) is Param and resolved._output_field is None:
            resolved = resolved.copy()
            resolved._output_field, resolved.typed = field, False
        return resolved
    given = argument(value, slots)
    if isinstance(given, list):
        raise FieldError(f"{field.name} cannot be set to a list of expressions")
    convert = _assigned_converter(field, value)
    if convert is not None:
        convert(value)
    given.use(convert)
    return Param(given.slot, field, None, typed=False, for_save=True)


def _check_single(field: Any, value: Any, resolved: Any, draft: Draft) -> None:
    """FieldError where an assigned name leads to several rows for each row."""
    if resolved.contains_aggregate and any(
        isinstance(each, Col) and each.alias not in (None, draft.base_alias)
        for each in resolved.walk()
    ):
        raise FieldError(
            "Joined field references are not permitted in this query under aggregates"
            f" ({field.name}={value!r}): use a Subquery"
        )
    if any(getattr(each, "possibly_multivalued", False) for each in resolved.walk()):
        raise FieldError(
            "Joined field references are not permitted in this query where they lead to several"
            f" rows ({field.name}={value!r}): choose one with a Subquery"
        )


def _named(value: Any) -> str:
    return f"F({value.name!r})" if type(value) is F else repr(value)


def _assigned_converter(field: Any, value: Any) -> Any:
    if hasattr(value, "prepare_database_save"):
        if not field.remote_field:
            raise QueryTypeError(
                f"Tried to update field {field} with a model instance, {value!r}. Use a value"
                f" compatible with {type(field).__name__}."
            )
        return lambda each: each.prepare_database_save(field)
    if type(value) in getattr(field, "plain_types", ()):
        return None
    return field.get_prep_value


def _unordered(draft: Draft) -> None:
    building.clear_ordering(draft)
    draft.select_related = False


def _doomed(draft: Draft) -> None:
    if not draft.is_sliced:
        draft.lock = None
    draft.select_related = False
    building.clear_ordering(draft)
    draft.deferred = (frozenset(), True)


def _keys_only(draft: Draft) -> None:
    draft.assignments = ()


def _called(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value() if callable(value) else value for name, value in values.items()}
