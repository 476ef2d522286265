"""Saving an instance: Django's algorithm, as an operation.

1. What is the same for all instances of a model is in its `Plan`, made once.
2. Without parents and without listeners, saving is one statement and no transaction of its own.
3. With parents their rows come first, all in one block; links and keys follow from them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

from aorm.conf import settings
from aorm.connections import connections
from aorm.errors import QueryTypeError, QueryValueError
from aorm.fields.base import DatabaseDefault, is_expression
from aorm.fields.registry import hooks
from aorm.fields.rels import ASSIGNED
from aorm.fields.tracking import changed_fields, remember
from aorm.operations.origins import database_of, is_adding
from aorm.operations.places import take_last_place
from aorm.operations.routing import DEFAULT_DB_ALIAS, primary_of, router
from aorm.operations.saving_plan import Plan, plan_of
from aorm.operations.signals import post_save, pre_save, send_steps
from aorm.operations.versions import refuse_in_block, update_version
from aorm.operations.writes import insert, store, update
from aorm.sql.dialect import Dialect
from aorm.sql.late import writes
from aorm.steps import Doing, Operation, Rest, Single, call, fetch, in_block

_ABSENT = object()
_PLAIN_KEYS = frozenset((int, str))


class TwoFaces:
    """A method of a model that users may override on either face, with its arguments.

    Called it is the synchronous one; `asynchronous` is what a runner on a loop calls instead.
    """

    __slots__ = ("asynchronous", "synchronous")

    def __init__(
        self, synchronous: Callable[..., Any], asynchronous: Callable[..., Any], **options: Any
    ) -> None:
        self.synchronous = partial(synchronous, **options)
        self.asynchronous = partial(asynchronous, **options)

    def __call__(self, *args: Any) -> Any:
        return self.synchronous(*args)


def save_step(instance: Any, using: str | None = None, **options: Any) -> Doing[Any]:
    """Save an instance from inside another operation, by the user's own `save` where there is one.

    Args:
        using, options: as of `Model.save`.
    """
    if type(instance).save is hooks.model.save:
        return save(instance, using or write_alias(instance), **options)
    return call(TwoFaces(instance.save, instance.asave, using=using, **options))


def write_alias(instance: Any) -> str:
    """The alias of the database to write an instance to, where none was named."""
    if router._given is None and not settings.DATABASE_ROUTERS:
        db = database_of(instance)
        return primary_of(db) or DEFAULT_DB_ALIAS if db else DEFAULT_DB_ALIAS
    return router.db_for_write(type(instance), instance=instance)


# --- before the first statement ------------------------------------------------------


def check_related(instance: Any, operation: str, fields: Collection[Any] | None = None) -> None:
    """Take over the keys of related objects that were assigned before they were saved.

    Raises:
        ValueError: one of them has not been saved.
    """
    held = instance.__dict__
    for attribute, field in plan_of(type(instance)).relations:
        related = held.get(attribute)
        if related is None or (fields is not None and field not in fields):
            continue
        assigned = held.get(attribute + ASSIGNED)
        if assigned is not None and field.concrete and assigned != [held.get(field.attname)]:
            # The column was changed after the object was assigned.
            held.pop(attribute)
            continue
        if not related._is_pk_set():
            rel = field.remote_field
            if rel is not None and not rel.multiple:
                related.__dict__.pop(rel.cache_attname, None)
            raise QueryValueError(
                f"{operation}() prohibited to prevent data loss due to unsaved related object "
                f"'{field.name}'."
            )
        if not field.concrete:
            continue
        if assigned is not None and held.get(field.attname) in field.empty_values:
            # It was saved after it was assigned.
            setattr(instance, field.name, related)
        if getattr(related, field.target_field.attname) != held.get(field.attname):
            held.pop(attribute, None)


def loaded_fields(instance: Any, plan: Plan, db: str) -> frozenset[str] | None:
    """The columns that an instance holds, where `save` has to restrict itself to them."""
    held = instance.__dict__
    if plan.stored <= held.keys() or database_of(instance) != db or is_adding(instance):
        return None
    columns = instance._meta.concrete_fields
    return frozenset({f.attname for f in columns if not f.primary_key} & held.keys()) or None


def forced_models(model: Any, force_insert: Any) -> tuple[Any, ...]:
    """The models whose rows must be inserted.

    Args:
        force_insert: a bool, or a tuple of the model and its parents.

    Raises:
        TypeError: it is something else.
    """
    if force_insert is False:
        return ()
    if force_insert is True:
        return (model,)
    if not isinstance(force_insert, tuple):
        raise QueryTypeError("force_insert must be a bool or tuple.")
    for member in force_insert:
        if not isinstance(member, type(hooks.model)):
            raise QueryTypeError(
                f"Invalid force_insert member. {member!r} must be a model subclass."
            )
        if not issubclass(model, member):
            raise QueryTypeError(
                f"Invalid force_insert member. {member.__qualname__} must be a base of "
                f"{model.__qualname__}."
            )
    return force_insert


def changed_only(
    instance: Any, force_insert: Any, force_update: bool, update_fields: Any
) -> Collection[str] | None:
    """What `update_fields` has to be so that `save` writes only what was changed.

    None means all: the instance has no row yet.

    Raises:
        ValueError: the model does not track changes, or another argument contradicts.
    """
    plan = plan_of(type(instance))
    if not plan.tracked:
        name = type(instance).__name__
        raise QueryValueError(
            f"{name} does not know what was changed: say `track_changes = True` in its Meta"
        )
    if force_insert or force_update or update_fields is not None:
        raise QueryValueError(
            "changed_only decides by itself what is written: it goes with neither force_insert nor "
            "force_update nor update_fields"
        )
    if is_adding(instance):
        return None
    # The key of an object that was saved after it was assigned is a change.
    check_related(instance, "save")
    changed = {field.name for field in changed_fields(instance)}
    if changed:
        fields = instance._meta.concrete_fields
        changed.update(field.name for field in fields if getattr(field, "auto_now", False))
    return changed


# --- saving ----------------------------------------------------------------------------


def save(
    instance: Any,
    db: str,
    force_insert: Any = False,
    force_update: bool = False,
    update_fields: Iterable[str] | None = None,
) -> Doing[Any]:
    """Save an instance: update its row, or insert one where there is none.

    Its value is of no meaning; where one statement does it, it is the instance.

    Args:
        db: the alias of the database, which the instance remembers.
        force_insert, force_update, update_fields: as of `Model.save`.

    Raises:
        ValueError: the arguments contradict each other, or a related object is not saved.
        DatabaseError: a forced update found no row.
    """
    plan = plan_of(type(instance))
    if plan.relations:
        check_related(instance, "save")
    if plan.plain and not (force_update or pre_save.receivers or post_save.receivers):
        if update_fields is not None and type(update_fields) is not list:
            update_fields = list(update_fields)
        single = _saving_once(instance, plan, db, force_insert, update_fields)
        if single is not None:
            return single
    return _save(instance, plan, db, force_insert, force_update, update_fields)


def _saving_once(
    instance: Any, plan: Plan, db: str, force_insert: Any, update_fields: list[str] | None
) -> Single[Any] | None:
    """The one statement that saves an instance with a key of one column, in the usual cases."""
    dialect = connections[db].dialect
    held = instance.__dict__
    key = held.get(plan.pk, _ABSENT)
    if key is None and update_fields is None and (force_insert is True or force_insert is False):
        inserter = writes.saving_inserter(plan.options, dialect, False)
        statement, returned = inserter.statement(instance)

        def inserted(reply: Any) -> Any:
            if returned and reply:
                store(inserter, instance, reply[0], returned)
            instance._saved_to(db)
            return instance

        return Single(statement, inserted)
    if key.__class__ not in _PLAIN_KEYS or force_insert or instance._meta.select_on_save:
        return None
    if update_fields is None:
        names = loaded_fields(instance, plan, db)
        options = plan.options
        writer = plan.part(names, dialect) if names else writes.saving_updater(options, dialect)
    elif not update_fields:
        return None
    else:
        names, attnames, writer = plan.way(update_fields, dialect)
        if not attnames <= held.keys():
            return None
    if not writer.fields:
        return None
    update_statement, back = writer.statement(instance)

    def updated(reply: Any) -> Any:
        if not reply:
            return Rest(_insert_instead(instance, plan, db, names))
        if back:
            store(writer, instance, reply[0], back)
        instance._saved_to(db)
        return instance

    return Single(update_statement, updated)


def _insert_instead(instance: Any, plan: Plan, db: str, names: Any) -> Operation[Any]:
    """What follows on an update that found no row."""
    if names:
        yield from _refuse(instance, False)
    yield from _insert(instance, plan, db, True)
    instance._saved_to(db)
    return instance


def _save(
    instance: Any,
    plan: Plan,
    db: str,
    force_insert: Any,
    force_update: bool,
    update_fields: Iterable[str] | None,
) -> Operation[Any]:
    """The general case."""
    for field in plan.settling:
        yield from field.settle(instance, db)
    if force_insert and (force_update or update_fields):
        raise QueryValueError("Cannot force both insert and updating in model saving.")
    if update_fields is not None:
        update_fields = frozenset(update_fields)
        if not update_fields:
            return
        held = instance.__dict__
        missing = [name for name in plan.attnames(update_fields) if name not in held]
        if missing:
            yield from call(
                TwoFaces(instance.refresh_from_db, instance.arefresh_from_db, fields=missing)
            )
    elif not force_insert:
        update_fields = loaded_fields(instance, plan, db)
    special = force_insert is not False and force_insert is not True
    if special or plan.parents or pre_save.receivers or post_save.receivers:
        yield from save_base(instance, db, False, force_insert, force_update, update_fields)
        return
    # One table, and nobody who listens: no more than the statement.
    yield from _save_table(instance, plan, db, force_insert, force_update, update_fields)
    instance._saved_to(db)
    if plan.tracked:
        remember(instance, update_fields)


def save_base(
    instance: Any,
    db: str,
    raw: bool = False,
    force_insert: Any = False,
    force_update: bool = False,
    update_fields: Any = None,
) -> Operation[None]:
    """Save without the checks of `save`, as it is for fixtures with `raw`."""
    origin = type(instance)
    plan = plan_of(origin)
    if plan.signals and pre_save.receivers:
        yield from send_steps(
            pre_save,
            origin,
            instance=instance,
            raw=raw,
            using=db,
            update_fields=update_fields,
        )
    if plan.parents and not raw:
        updated = yield from in_block(
            _save_family(instance, plan, db, force_insert, force_update, update_fields),
            savepoint=False,
        )
    else:
        if force_insert is not False and force_insert is not True:
            force_insert = bool(forced_models(plan.options.model, force_insert))
        updated = yield from _save_table(
            instance, plan, db, force_insert, force_update, update_fields
        )
    instance._saved_to(db)
    if plan.tracked:
        remember(instance, update_fields)
    if plan.signals and post_save.receivers:
        yield from send_steps(
            post_save,
            origin,
            instance=instance,
            created=not updated,
            update_fields=update_fields,
            raw=raw,
            using=db,
        )


def _save_family(
    instance: Any,
    plan: Plan,
    db: str,
    force_insert: Any,
    force_update: bool,
    update_fields: Any,
) -> Operation[bool]:
    model = plan.options.model
    forced = forced_models(model, force_insert)
    inserted = yield from _save_parents(instance, model, db, forced, update_fields, {})
    own = inserted or model in forced
    return (yield from _save_table(instance, plan, db, own, force_update, update_fields))


def _save_parents(
    instance: Any,
    model: Any,
    db: str,
    forced: tuple[Any, ...],
    update_fields: Any,
    done: dict[Any, bool],
) -> Operation[bool]:
    """Save the rows of all ancestors; whether one of them was inserted."""
    inserted = False
    for parent, link in model._meta.parents.items():
        pk = parent._meta.pk
        if (
            link is not None
            and getattr(instance, pk.attname) is None
            and getattr(instance, link.attname) is not None
        ):
            setattr(instance, pk.attname, getattr(instance, link.attname))
        # In a diamond the common ancestor is saved once.
        if parent not in done:
            above = yield from _save_parents(instance, parent, db, forced, update_fields, done)
            done[parent] = yield from _save_table(
                instance,
                plan_of(parent),
                db,
                above or any(issubclass(parent, each) for each in forced),
                False,
                update_fields,
            )
        inserted = inserted or not done[parent]
        if link is not None:
            setattr(instance, link.attname, instance._get_pk_val(parent._meta))
            instance.__dict__.pop(link.cache_attname, None)
    return inserted


def _save_table(
    instance: Any,
    plan: Plan,
    db: str,
    force_insert: bool,
    force_update: bool,
    update_fields: Any,
) -> Operation[bool]:
    """Save the part of an instance that one table holds; whether there was a row."""
    dialect = connections[db].dialect
    pk_set = _settle_key(instance, plan, bool(force_update or update_fields))
    if not pk_set or force_insert or _is_new(instance, plan, force_update, update_fields):
        yield from _insert(instance, plan, db, pk_set)
        return False
    if plan.version is not None:
        updated = yield from _update_version(instance, plan, dialect, update_fields)
    else:
        writer = (
            plan.part(update_fields, dialect)
            if update_fields
            else writes.saving_updater(plan.options, dialect)
        )
        looks = instance._meta.select_on_save and not (force_update or update_fields)
        if looks or not writer.fields:
            updated = yield from _look_and_update(instance, plan, dialect, writer, update_fields)
        else:
            updated = yield from update(writer, instance)
    if not updated:
        if force_update or update_fields:
            yield from _refuse(instance, force_update)
        yield from _insert(instance, plan, db, True)
    return updated


def _insert(instance: Any, plan: Plan, db: str, pk_set: bool) -> Operation[None]:
    if plan.order is not None:
        yield from take_last_place(plan.options.model, instance, plan.order, db)
    yield from insert(
        writes.saving_inserter(plan.options, connections[db].dialect, pk_set), instance
    )
    if pk_set and plan.auto is not None:
        _settle_type(instance, plan.auto)


def _update_version(
    instance: Any, plan: Plan, dialect: Dialect, update_fields: Any
) -> Operation[bool]:
    """Update a row that has the instance's version; whether there was one to look for."""
    writer = plan.part(update_fields or None, dialect)
    updated = yield from update_version(writer, instance, plan.version)
    if not updated and not is_adding(instance):
        yield from refuse_in_block(instance, plan.version)
    return updated


def _refuse(instance: Any, force_update: bool) -> Operation[None]:
    message = (
        "Forced update did not affect any rows."
        if force_update
        else "Save with update_fields did not affect any rows."
    )
    # In a block, so that an open transaction is marked for rollback.
    yield from in_block(_fail(instance.NotUpdated(message)), savepoint=False)


def _settle_key(instance: Any, plan: Plan, updating: bool) -> bool:
    """Give the instance the default of its key where it has none; whether it has one now."""
    if plan.key_is_made:
        value = instance.__dict__.get(plan.pk, _ABSENT)
        if value is None:
            if updating:
                raise _no_key()
            return False
        if value.__class__ is int:
            return True
    if _key_is_set(instance, plan):
        return True
    pk = plan.options.pk
    # Where the database's own default was asked for, the one of Python is not used.
    asked = plan.pk is not None and getattr(instance, plan.pk) is not None
    value = None if asked else pk.get_pk_value_on_save(instance)
    if value is not None:
        setattr(instance, pk.attname, value)
        if _key_is_set(instance, plan):
            return True
    if updating:
        raise _no_key()
    return False


def _no_key() -> QueryValueError:
    return QueryValueError("Cannot force an update in save() with no primary key.")


def _is_new(instance: Any, plan: Plan, force_update: bool, update_fields: Any) -> bool:
    """Whether the key comes from a default, so that there cannot be a row to update."""
    return plan.pk_by_default and not force_update and not update_fields and is_adding(instance)


def _settle_type(instance: Any, auto: Any) -> None:
    """Give an automatic key that was set the type that the database made of it."""
    value = getattr(instance, auto.attname)
    if value.__class__ is not int and not is_expression(value):
        setattr(instance, auto.attname, auto.to_python(value))


def _key_is_set(instance: Any, plan: Plan) -> bool:
    if plan.pk is None:
        return bool(instance._is_pk_set(plan.options))
    value = getattr(instance, plan.pk)
    return value is not None and value.__class__ is not DatabaseDefault


def _fail(error: BaseException) -> Operation[None]:
    yield from ()
    raise error


def _look_and_update(
    instance: Any, plan: Plan, dialect: Dialect, writer: writes.Updater, update_fields: Any
) -> Operation[bool]:
    """Update where the row is looked for first, or where there may be nothing to change."""
    if not writer.fields:
        # What counts is whether there is a row.
        return update_fields is not None or (yield from _exists(instance, plan, dialect))
    found = yield from _exists(instance, plan, dialect)
    if not found:
        return False
    updated = yield from update(writer, instance)
    return updated or (yield from _exists(instance, plan, dialect))


def _exists(instance: Any, plan: Plan, dialect: Dialect) -> Operation[bool]:
    options = plan.options
    writer = writes.saving_updater(options, dialect)
    where = writes.key_sql(writer.keys, dialect, 1)
    table = dialect.quote(options.db_table)
    sql = f"SELECT 1 FROM {table} WHERE {where} LIMIT 1"  # noqa: S608 - both are quoted
    rows = yield from fetch(sql, writer.key(instance))
    return bool(rows)
