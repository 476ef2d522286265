"""Creating and updating many objects with few statements: `bulk_create` and `bulk_update`.

All objects are written, or none.  Neither calls `save()` or sends signals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aorm.errors import QueryValueError, listed
from aorm.fields.base import Field, is_expression
from aorm.fields.relations import is_composite_relation
from aorm.fields.tracking import remember
from aorm.operations.places import take_last_places
from aorm.operations.saving import check_related
from aorm.operations.saving_plan import plan_of
from aorm.operations.versions import refuse_any_stale
from aorm.query.cases import Case, When
from aorm.query.values import Value
from aorm.sql.dialect import Dialect
from aorm.sql.late import bulk, writes
from aorm.steps import Operation, in_block, perform

# Each is a condition of its own in the statement.
_MOST_CASES = 500

# --- bulk_create -----------------------------------------------------------------


def bulk_create(
    model: Any,
    objs: Iterable[Any],
    db: str,
    dialect: Dialect,
    *,
    batch_size: int | None = None,
    ignore_conflicts: bool = False,
    update_conflicts: bool = False,
    update_fields: Iterable[str] | None = None,
    unique_fields: Iterable[str] | None = None,
) -> Operation[list[Any]]:
    """Insert the objects, and set the keys and whatever else the database made.

    Args:
        model: the class of the objects, or of most of them: proxies may be among them.
        db: the alias of the database, which the objects remember.
        batch_size: how many objects a statement has at most.
        ignore_conflicts: leave out objects that violate a constraint; no keys are set.
        update_conflicts: update the rows that an object collides with: `update_fields` of it
            where `unique_fields` are equal.
    Returns:
        The objects, as a list.
    Raises:
        ValueError: the options contradict each other, or the model has several tables.
        FieldDoesNotExist: a name is no field.
    """
    conflict = checked_options(
        model, batch_size, ignore_conflicts, update_conflicts, update_fields, unique_fields
    )
    return _created(model, list(objs), db, dialect, batch_size, conflict)


def bulk_create_returning(
    model: Any,
    objs: Iterable[Any],
    db: str,
    dialect: Dialect,
    fields: Sequence[Any],
    **options: Any,
) -> Operation[list[Any]]:
    """`bulk_create` that gives the columns of these fields of the rows that were written."""
    conflict = checked_options(model, **{**_NO_OPTIONS, **options})
    size = options.get("batch_size")
    return _bulk_create(model, list(objs), db, dialect, size, conflict, tuple(fields))


_NO_OPTIONS: dict[str, Any] = {
    "batch_size": None,
    "ignore_conflicts": False,
    "update_conflicts": False,
    "update_fields": None,
    "unique_fields": None,
}


def _created(
    model: Any,
    objs: list[Any],
    db: str,
    dialect: Dialect,
    batch_size: int | None,
    conflict: writes.Conflict | None,
) -> Operation[list[Any]]:
    yield from _bulk_create(model, objs, db, dialect, batch_size, conflict)
    return objs


def checked_options(
    model: Any,
    batch_size: int | None,
    ignore_conflicts: bool,
    update_conflicts: bool,
    update_fields: Iterable[str] | None,
    unique_fields: Iterable[str] | None,
) -> writes.Conflict | None:
    """What `bulk_create` does about conflicts; ValueError where its options make no sense."""
    _check_batch_size(batch_size)
    opts = model._meta
    if any(parent._meta.concrete_model is not opts.concrete_model for parent in opts.all_parents):
        raise QueryValueError("Can't bulk create a multi-table inherited model")
    unique = _fields(opts, unique_fields)
    update = _fields(opts, update_fields)
    if ignore_conflicts and update_conflicts:
        raise QueryValueError("ignore_conflicts and update_conflicts are mutually exclusive.")
    if ignore_conflicts:
        return writes.Conflict(ignore=True)
    if not update_conflicts:
        return None
    if not update:
        raise QueryValueError(
            "Fields that will be updated when a row insertion fails on conflicts must be provided."
        )
    if not unique:
        raise QueryValueError("Unique fields that can trigger the upsert must be provided.")
    _check_concrete(update, "bulk_create() can only be used with concrete fields in update_fields.")
    if any(field.primary_key or field in opts.pk_fields for field in update):
        raise QueryValueError("bulk_create() cannot be used with primary keys in update_fields.")
    _check_concrete(unique, "bulk_create() can only be used with concrete fields in unique_fields.")
    return writes.Conflict(unique=tuple(unique), update=tuple(update))


def _check_batch_size(batch_size: int | None) -> None:
    if batch_size is not None and batch_size <= 0:
        raise QueryValueError("Batch size must be a positive integer.")


def _fields(opts: Any, names: Iterable[str] | None) -> list[Any]:
    """The fields of these names; `pk` stands for those of the primary key."""
    found: list[Any] = []
    for name in names or ():
        found.extend(opts.pk_fields if name == "pk" else [opts.get_field(name)])
    return found


def _check_concrete(fields: Iterable[Any], message: str) -> None:
    if any(not getattr(field, "concrete", False) or field.many_to_many for field in fields):
        raise QueryValueError(message)


def _bulk_create(
    model: Any,
    objs: list[Any],
    db: str,
    dialect: Dialect,
    batch_size: int | None,
    conflict: writes.Conflict | None,
    returned: tuple[Any, ...] = (),
) -> Operation[list[Any]]:
    """Insert the objects; the columns of the `returned` fields of their rows."""
    if not objs:
        return []
    _check_related(model, objs, "bulk_create")
    plan = plan_of(model)
    for field in plan.settling:
        for obj in objs:
            yield from field.settle(obj, db)
    if plan.order is not None:
        yield from take_last_places(plan.options.model, objs, plan.order, db)
    opts = model._meta.concrete_model._meta
    statements = [
        batch
        for part, with_key in _by_key(opts, objs)
        for batch in _batches(opts, part, with_key, dialect, batch_size, conflict, returned)
    ]
    if len(statements) == 1:
        return (yield from _insert(statements, db, conflict, len(returned)))
    inner = _insert(statements, db, conflict, len(returned))
    return (yield from in_block(inner, savepoint=False))


def _check_related(model: Any, objs: Iterable[Any], name: str, fields: Any = None) -> None:
    if plan_of(model).relations:
        for obj in objs:
            check_related(obj, name, fields)


def _by_key(opts: Any, objs: list[Any]) -> Iterator[tuple[list[Any], bool]]:
    """The objects that have a primary key, and those whose key the database makes."""
    pk = opts.pk
    if opts.is_composite_pk:
        for obj in objs:
            if not obj._is_pk_set():
                obj.pk = pk.get_pk_value_on_save(obj)
        parts = [obj._is_pk_set() for obj in objs]
    else:
        attname = pk.attname
        values = [getattr(obj, attname) for obj in objs]
        if None not in values:
            yield objs, True
            return
        for obj, value in zip(objs, values, strict=True) if _can_make_key(pk) else ():
            if value is None:
                setattr(obj, attname, pk.get_pk_value_on_save(obj))
        parts = [getattr(obj, attname) is not None for obj in objs]
    for with_key in (True, False):
        part = [obj for obj, has in zip(objs, parts, strict=True) if has is with_key]
        if part:
            yield part, with_key


def _can_make_key(pk: Any) -> bool:
    """Whether Python makes a key for an object that has none."""
    return bool(pk.has_default()) or (
        type(pk).get_pk_value_on_save is not Field.get_pk_value_on_save
    )


def _columns(opts: Any, objs: list[Any], with_key: bool) -> tuple[list[Any], list[Any]]:
    """The fields that have values, and those whose values come back.

    Columns that all objects leave to the database are left out.
    """
    fields: list[Any] = []
    made: list[Any] = []
    for field in opts.local_concrete_fields:
        automatic = field.generated or (not with_key and field is opts.auto_field)
        (made if automatic or _all_default(field, objs) else fields).append(field)
    if not fields:
        # Something has to stand in the statement; a key can.
        fields = [field for field in opts.pk_fields if field is not opts.auto_field]
        made = [field for field in made if field not in fields]
    return fields, made


def _all_default(field: Any, objs: list[Any]) -> bool:
    """Whether the database fills in this column of all objects."""
    return field.has_db_default() and all(bulk.is_default(getattr(o, field.attname)) for o in objs)


def _batches(
    opts: Any,
    objs: list[Any],
    with_key: bool,
    dialect: Dialect,
    batch_size: int | None,
    conflict: writes.Conflict | None,
    returned: tuple[Any, ...],
) -> Iterator[bulk.Batch]:
    fields, made = _columns(opts, objs, with_key)
    if conflict is not None and conflict.ignore:
        made = []
    if conflict is not None and conflict.update and opts.version_field is not None:
        made = [*made, opts.version_field]
    made = [*returned, *(field for field in made if field not in returned)]
    return bulk.bulk_inserter(opts, fields, made, dialect, conflict).batches(objs, batch_size)


def _insert(
    statements: Sequence[bulk.Batch], db: str, conflict: writes.Conflict | None, returned: int
) -> Operation[list[Any]]:
    """Run the statements; the first columns of the rows that come back."""
    ignoring = conflict is not None and conflict.ignore
    found: list[Any] = []
    for batch in statements:
        reply = yield from perform(batch.statement)
        if returned:
            found.extend(tuple(row)[:returned] for row in reply)
        if batch.store is not None and not ignoring:
            batch.store(batch.objs, reply)
        for obj in batch.objs:
            if not ignoring or obj.pk is not None:
                obj._saved_to(db)
                if obj._meta.track_changes:
                    remember(obj)
    return found


def insert_rows(
    opts: Any,
    fields: Sequence[Any],
    rows: Iterable[Sequence[Any]],
    dialect: Dialect,
    *,
    ignore_conflicts: bool = False,
) -> Operation[None]:
    """Insert rows of plain values, in the order of the fields: all of them, or none."""
    conflict = writes.Conflict(ignore=True) if ignore_conflicts else None
    statements = list(bulk.bulk_inserter(opts, fields, (), dialect, conflict).rows(list(rows)))
    inner = _perform_all(statements)
    if len(statements) > 1:
        inner = in_block(inner, savepoint=False)
    yield from inner


def _perform_all(statements: Iterable[Any]) -> Operation[None]:
    for statement in statements:
        yield from perform(statement)


# --- bulk_update -----------------------------------------------------------------


def bulk_update(
    model: Any,
    objs: Iterable[Any],
    fields: Iterable[str],
    db: str,
    dialect: Dialect,
    *,
    batch_size: int | None = None,
) -> Operation[int]:
    """Update these fields of the objects' rows, each to the value that the object has.

    Args:
        batch_size: how many objects a statement has at most.
    Returns:
        The number of rows that were found.
    Raises:
        ValueError: an object has no primary key, or a field cannot be updated.
        FieldDoesNotExist: a name is no field.
    """
    objs = tuple(objs)
    chosen = _checked_update(model, objs, fields, batch_size)
    return _bulk_update(model, objs, chosen, dialect, batch_size)


def bulk_update_among(
    rows: Any, objs: Iterable[Any], fields: Iterable[str], dialect: Dialect, batch_size: int | None
) -> Operation[int]:
    """`bulk_update` of those objects alone that are in a QuerySet with conditions.

    Args:
        rows: the QuerySet.
        objs, fields, batch_size: as of `bulk_update`.
    """
    objs = tuple(objs)
    chosen = _checked_update(rows.model, objs, fields, batch_size)
    if not objs:
        return 0
    _check_related(rows.model, objs, "bulk_update", chosen)
    fitting = min(bulk.rows_that_fit(1 + 2 * len(chosen), dialect), _MOST_CASES)
    parts = list(bulk.batches(objs, min(batch_size or fitting, fitting)))
    updates = _update_among(rows, parts, chosen)
    return (yield from (updates if len(parts) == 1 else in_block(updates, savepoint=False)))


def _update_among(
    rows: Any, parts: Iterable[Sequence[Any]], fields: Sequence[Any]
) -> Operation[int]:
    count = 0
    for objs in parts:
        chosen = rows.filter(pk__in=[obj.pk for obj in objs]).order_by()
        values = {field.attname: _case(field, objs) for field in fields}
        count += yield from chosen._doing("update", **values)
    return count


def _case(field: Any, objs: Iterable[Any]) -> Case:
    """The value of a field, by the key of the object."""
    values = [(obj.pk, getattr(obj, field.attname)) for obj in objs]
    whens = [
        When(pk=key, then=value if is_expression(value) else Value(value, output_field=field))
        for key, value in values
    ]
    return Case(*whens, output_field=field)


def _checked_update(
    model: Any, objs: Sequence[Any], fields: Iterable[str], batch_size: int | None
) -> list[Any]:
    """The fields that `bulk_update` writes; ValueError where its arguments make no sense."""
    _check_batch_size(batch_size)
    names = tuple(fields)
    if not names:
        raise QueryValueError("Field names must be given to bulk_update().")
    opts = model._meta
    chosen: list[Any] = []
    for field in map(opts.get_field, names):
        own = field.local_related_fields if is_composite_relation(field) else (field,)
        chosen.extend(each for each in own if each not in chosen)
    _check_concrete(chosen, "bulk_update() can only be used with concrete fields.")
    keys = {*opts.pk_fields, *(f for p in opts.all_parents for f in p._meta.pk_fields)}
    if any(field.primary_key or field in keys for field in chosen):
        raise QueryValueError("bulk_update() cannot be used with primary key fields.")
    if not all(obj._is_pk_set() for obj in objs):
        raise QueryValueError("All bulk_update() objects must have a primary key set.")
    if generated := [field.name for field in chosen if field.generated]:
        raise QueryValueError(f"The database computes {listed(generated)}: it cannot be updated.")
    return chosen


def _bulk_update(
    model: Any, objs: Sequence[Any], fields: list[Any], dialect: Dialect, batch_size: int | None
) -> Operation[int]:
    if not objs:
        return 0
    _check_related(model, objs, "bulk_update", fields)
    count = yield from _update_tables(model, objs, fields, dialect, batch_size)
    if model._meta.track_changes:
        for obj in objs:
            remember(obj, {field.attname for field in fields})
    return count


def _update_tables(
    model: Any, objs: Sequence[Any], fields: list[Any], dialect: Dialect, batch_size: int | None
) -> Operation[int]:
    tables: dict[Any, list[Any]] = {}
    version = model._meta.version_field
    if version is not None:
        # First, since it is there that rows are counted.
        tables[version.model._meta.concrete_model._meta] = []
        fields = [field for field in fields if field is not version]
    for field in fields:
        tables.setdefault(field.model._meta.concrete_model._meta, []).append(field)
    counted, *others = [
        list(bulk.bulk_updater(opts, part, dialect).statements(objs, batch_size))
        for opts, part in tables.items()
    ]
    if version is not None:
        updates = _update_versions(objs, _update(counted, others), version)
        return (yield from in_block(updates, savepoint=False))
    if len(counted) == 1 and not others:
        return int((yield from perform(counted[0])))
    return (yield from in_block(_update(counted, others), savepoint=False))


def _update_versions(objs: Sequence[Any], updates: Operation[int], version: Any) -> Operation[int]:
    """Update rows that all have the versions of the objects."""
    count = yield from updates
    refuse_any_stale(objs, count)
    for obj in {id(obj): obj for obj in objs}.values():
        setattr(obj, version.attname, getattr(obj, version.attname) + 1)
    return count


def _update(counted: Sequence[Any], others: Sequence[Sequence[Any]]) -> Operation[int]:
    """Rows of the first table are counted: those of the others belong to the same objects."""
    count = 0
    for statement in counted:
        count += yield from perform(statement)
    for statements in others:
        yield from _perform_all(statements)
    return count
