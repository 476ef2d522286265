"""Deleting: what goes with an object, in which order, and in as few statements as possible.

1. The rules of `on_delete` decide what becomes of the objects that point to a deleted one; those
   of the database (`DB_...`) and `DO_NOTHING` are left to it.
2. Objects that nothing depends on and nobody listens for are deleted by a condition, unseen.
3. What is deleted together is deleted in one transaction; one statement needs none.
4. Keys are bound as one list; `BATCH` only keeps single statements short.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from aorm.connections import connections
from aorm.errors import ProtectedError, QueryValueError, RestrictedError
from aorm.fields.on_delete import CASCADE, DO_NOTHING, PROTECT, RESTRICT, SetTo
from aorm.operations.origins import is_adding
from aorm.operations.prefetch import fetch_all
from aorm.operations.routing import router
from aorm.operations.signals import post_delete, pre_delete, send_steps
from aorm.operations.versions import claim_version
from aorm.operations.writes import delete_many, delete_one
from aorm.query.conditions import Q
from aorm.sql.late import writes
from aorm.steps import Operation, call, in_block

BATCH = 2000

Deleted = tuple[int, dict[str, int]]
_ALONE = "deleting_alone"


# --- what a model is to deletion --------------------------------------------------------------


def candidate_relations(options: Any) -> list[Any]:
    """The relations by which objects may have to go, or change, with one of this model."""
    return [
        field
        for field in options.get_fields(include_hidden=True)
        if field.auto_created and not field.concrete and (field.one_to_one or field.one_to_many)
    ]


def _left_alone(relation: Any) -> bool:
    rule = relation.field.remote_field.on_delete
    return rule is DO_NOTHING or rule.in_database


def _listened_to(model: Any) -> bool:
    kinds = model._meta.kinds
    classes = [model] if kinds is None else [model, *kinds.classes.values()]
    return any(pre_delete.has_listeners(c) or post_delete.has_listeners(c) for c in classes)


def _by_class(objs: Iterable[Any]) -> list[list[Any]]:
    """Objects of one table, apart by their classes."""
    parts: dict[Any, list[Any]] = {}
    for obj in objs:
        parts.setdefault(type(obj), []).append(obj)
    return list(parts.values())


def _is_leaf(model: Any, from_field: Any = None) -> bool:
    """Whether deleting rows of this model takes nothing else along."""
    options = model._meta
    parents = options.concrete_model._meta.parents.values()
    return (
        # A cascade from a parent comes by the link, and the parent is being deleted already.
        all(link == from_field for link in parents)
        and all(map(_left_alone, candidate_relations(options)))
        and not any(hasattr(field, "bulk_related_objects") for field in options.private_fields)
    )


class _Alone:
    """What is kept of a model for deleting single objects.

    Attributes:
        plain: an object is deleted by one statement and without a word.
        deleters: that statement, by dialect.
        receivers: how many times receivers had changed when this was found out.
    """

    __slots__ = ("deleters", "plain", "receivers")

    def __init__(self, model: Any, receivers: int) -> None:
        self.plain = _is_leaf(model) and not _listened_to(model)
        self.deleters: dict[Any, Any] = {}
        self.receivers = receivers


def _alone(model: Any) -> _Alone:
    # `derived` is emptied when another model may have come to point to this one.
    derived = model._meta.derived
    known: _Alone | None = derived.get(_ALONE)
    receivers = pre_delete.generation + post_delete.generation
    if known is None or known.receivers != receivers:
        known = derived[_ALONE] = _Alone(model, receivers)
    return known


# --- entrances ----------------------------------------------------------------------------------


def delete_instance(
    instance: Any, using: str | None = None, keep_parents: bool = False
) -> Operation[Deleted]:
    """Delete an object and what goes with it; it has no key afterwards.

    Args:
        using: the alias of the database; by default the one that the routers say.
        keep_parents: leave the rows of its parents, with what points to those.

    Returns:
        The number of deleted rows, and the numbers by label of the model.

    Raises:
        ValueError: the object has no key.
        ProtectedError, RestrictedError: another object stands in the way.
        StaleObjectError: the object has a version, and its row is of another one.
    """
    model = type(instance)
    options = model._meta
    if instance.pk is None:
        raise QueryValueError(
            f"{options.object_name} object can't be deleted because its {options.pk.attname} "
            "attribute is set to None."
        )
    using = using or router.db_for_write(model, instance=instance)
    version = options.version_field
    if version is not None and version.attname in instance.__dict__ and not is_adding(instance):
        deletion = _delete_unchanged(instance, version, using, keep_parents)
        return (yield from in_block(deletion, savepoint=False))
    if _alone(model).plain:
        return (yield from _delete_one(instance, using))
    collector = Collector(using, origin=instance)
    yield from collector.collect([instance], keep_parents=keep_parents)
    return (yield from collector.delete())


def _delete_unchanged(
    instance: Any, version: Any, using: str, keep_parents: bool
) -> Operation[Deleted]:
    """Delete an object whose row has the object's version."""
    if not (keep_parents and version.model is not type(instance)._meta.concrete_model):
        yield from claim_version(instance, version, using)
    collector = Collector(using, origin=instance)
    yield from collector.collect([instance], keep_parents=keep_parents)
    return (yield from collector.delete())


def delete_queryset(queryset: Any, origin: Any = None) -> Operation[Deleted]:
    """Delete the objects of a QuerySet and what goes with them.

    Args:
        origin: what receivers are told that `delete()` was called on.

    Returns:
        The number of deleted rows, and the numbers by label of the model.

    Raises:
        ProtectedError, RestrictedError: another object stands in the way.
    """
    collector = Collector(queryset.db, origin=queryset if origin is None else origin)
    yield from collector.collect(queryset)
    return (yield from collector.delete())


def can_fast_delete(queryset: Any) -> bool:
    """Whether one statement deletes the objects of a QuerySet with all that goes with them."""
    return Collector(queryset.db).can_fast_delete(queryset)


def _delete_one(instance: Any, using: str) -> Operation[Deleted]:
    model = type(instance)
    dialect = connections[using].dialect
    deleters = _alone(model).deleters
    statement = deleters.get(dialect)
    if statement is None:
        options = model._meta.concrete_model._meta
        statement = deleters[dialect] = writes.deleter(options, dialect)
    key = instance.pk
    values = key if len(statement.fields) > 1 else (key,)
    count = yield from delete_one(statement, *values)
    _forget_key(instance)
    return count, {model._meta.label: count}


def _forget_key(instance: Any) -> None:
    setattr(instance, type(instance)._meta.pk.attname, None)


# --- collecting -----------------------------------------------------------------------------------


class Collector:
    """Gathers what has to go, then deletes it.

    Attributes:
        data: the objects to delete, by model.
        fast_deletes: QuerySets whose rows are deleted without being looked at.
    """

    def __init__(self, using: str, origin: Any = None) -> None:
        self.using = using
        self.origin = origin
        self.data: dict[Any, dict[Any, None]] = {}
        self.fast_deletes: list[Any] = []
        #: Foreign keys to change, and the deleted objects that they point to.
        self._updates: dict[Any, list[Any]] = {}
        self._restricted: dict[Any, dict[Any, list[Any]]] = defaultdict(dict)
        self._after: dict[Any, set[Any]] = defaultdict(set)

    def can_fast_delete(self, objs: Any, from_field: Any = None) -> bool:
        """Whether these can be deleted without being looked at.

        Args:
            objs: an instance, a model or a QuerySet.
            from_field: the foreign key by which a deletion reaches them.
        """
        if from_field is not None and from_field.remote_field.on_delete is not CASCADE:
            return False
        model = objs._meta.model if hasattr(objs, "_meta") else getattr(objs, "model", None)
        if model is None or isinstance(objs, list) or _listened_to(model):
            return False
        return _is_leaf(model, from_field)

    def add(
        self, objs: Sequence[Any], source: Any = None, nullable: bool = False, first: bool = False
    ) -> list[Any]:
        """Note objects to delete; give those that were not noted yet.

        Args:
            source: the model whose deletion led here: its rows go after these.
            nullable: whether the way here may be null, so that the order does not matter.
            first: the rows of the source go before these instead.
        """
        if not objs:
            return []
        model = type(objs[0])
        known = self.data.setdefault(model, {})
        new = [obj for obj in objs if obj not in known]
        known.update(dict.fromkeys(new))
        if source is not None and not nullable:
            self._order(*((source, model) if first else (model, source)))
        return new

    def _order(self, earlier: Any, later: Any) -> None:
        self._after[later._meta.concrete_model].add(earlier._meta.concrete_model)
        self.data.setdefault(earlier, {})

    def collect(
        self,
        objs: Any,
        source: Any = None,
        nullable: bool = False,
        collect_related: bool = True,
        first: bool = False,
        keep_parents: bool = False,
        fail_on_restricted: bool = True,
    ) -> Operation[None]:
        """Note these objects and what goes with them.

        Args:
            objs: instances of one model, or a QuerySet.
            source, nullable, first: as for `add`.
            collect_related: also what points to them.
            keep_parents: not the rows of their parents, nor what points to those.
            fail_on_restricted: check the `RESTRICT` relations: once, after everything else.

        Raises:
            ProtectedError, RestrictedError: another object stands in the way.
        """
        if not isinstance(objs, list):
            if self.can_fast_delete(objs):
                self.fast_deletes.append(objs)
                return
            objs = yield from fetch_all(objs)
        if objs and objs[0]._meta.kinds is not None and len(parts := _by_class(objs)) > 1:
            for part in parts:
                yield from self.collect(
                    part, source, nullable, collect_related, first, keep_parents, False
                )
            if fail_on_restricted:
                yield from self._check_restricted(type(objs[0]))
            return
        new = self.add(objs, source, nullable, first)
        if not new:
            return
        model = type(new[0])
        if not keep_parents:
            yield from self._collect_parents(new, model)
        if collect_related:
            yield from self._collect_related(new, model, keep_parents)
        if fail_on_restricted:
            yield from self._check_restricted(model)

    def _collect_parents(self, objs: list[Any], model: Any) -> Operation[None]:
        for link in model._meta.concrete_model._meta.parents.values():
            if link is not None:
                yield from self.collect(
                    [_parent(obj, link) for obj in objs],
                    source=model,
                    collect_related=False,
                    first=True,
                    fail_on_restricted=False,
                )

    def _collect_related(self, objs: list[Any], model: Any, keep_parents: bool) -> Operation[None]:
        options = model._meta
        kept = set(options.all_parents) if keep_parents else set()
        fast: dict[Any, list[Any]] = {}
        protected: dict[str, list[Any]] = {}
        for relation in candidate_relations(options):
            field = relation.field
            # What points to a parent's proxy points to the parent.
            if _left_alone(relation) or relation.model._meta.concrete_model in kept:
                continue
            if self.can_fast_delete(relation.related_model, from_field=field):
                fast.setdefault(relation.related_model, []).append(field)
                continue
            try:
                yield from self._apply(field, relation.related_model, objs)
            except ProtectedError as error:
                key = f"'{field.model.__name__}.{field.name}'"
                protected.setdefault(key, []).extend(error.protected_objects)
        if protected:
            raise ProtectedError(
                f"Cannot delete some instances of model {model.__name__!r} because they are "
                f"referenced through protected foreign keys: {', '.join(protected)}.",
                {obj for found in protected.values() for obj in found},
            )
        for related_model, fields in fast.items():
            self.fast_deletes.append(self.related_objects(related_model, fields, objs))
        for field in options.private_fields:
            if hasattr(field, "bulk_related_objects"):
                found = field.bulk_related_objects(objs, self.using)
                yield from self.collect(
                    found, source=model, nullable=True, fail_on_restricted=False
                )

    def related_objects(self, related_model: Any, fields: Sequence[Any], objs: list[Any]) -> Any:
        """The QuerySet of the objects of a model that point to these by any of the fields."""
        conditions = [(f"{field.name}__in", _targets(field, objs)) for field in fields]
        queryset = related_model._base_manager.using(self.using)
        if len(conditions) == 1:
            return queryset.filter(conditions[0])
        return queryset.filter(Q(*conditions, _connector=Q.OR))

    # --- rules ------------------------------------------------------------------------------

    def _apply(self, field: Any, related_model: Any, objs: list[Any]) -> Operation[None]:
        """What the rule of a foreign key says about the objects that point here by it."""
        rule = field.remote_field.on_delete
        queryset = self.related_objects(related_model, [field], objs)
        if rule not in (CASCADE, PROTECT, RESTRICT):
            # Nobody's function is called for nothing.
            if not _asks(field) or (yield from queryset._exists_operation()):
                self._updates.setdefault(field, []).extend(objs)
            return
        # What stands in the way is shown to the user, whole: an error cannot load the rest.
        if rule is CASCADE and not _listened_to(related_model):
            queryset = _only_referenced(queryset, related_model)
        found = yield from fetch_all(queryset)
        if not found:
            return
        target = field.remote_field.model
        if rule is PROTECT:
            raise ProtectedError(
                f"Cannot delete some instances of model {target.__name__!r} because they are "
                f"referenced through a protected foreign key: "
                f"'{type(found[0]).__name__}.{field.name}'",
                found,
            )
        if rule is RESTRICT:
            self._restricted[type(found[0])].setdefault(field, []).extend(found)
            self._order(field.model, target)
        else:
            yield from self.collect(
                found, source=target, nullable=field.null, fail_on_restricted=False
            )

    def _check_restricted(self, model: Any) -> Operation[None]:
        """Refuse where a restricted object is not deleted by another way."""
        if not self._restricted:
            return
        remaining: dict[str, list[Any]] = {}
        for related_model, by_field in self._restricted.items():
            gone = set(self.data.get(related_model, ()))
            unseen = [each for each in self.fast_deletes if each.model is related_model]
            for queryset in unseen:
                keys = {obj.pk for objs in by_field.values() for obj in objs if obj not in gone}
                gone.update((yield from fetch_all(queryset.filter(pk__in=keys))))
            for field, objs in by_field.items():
                found = [obj for obj in objs if obj not in gone]
                if found:
                    key = f"'{related_model.__name__}.{field.name}'"
                    remaining.setdefault(key, []).extend(found)
        if remaining:
            raise RestrictedError(
                f"Cannot delete some instances of model {model.__name__!r} because they are "
                f"referenced through restricted foreign keys: {', '.join(remaining)}.",
                {obj for objs in remaining.values() for obj in objs},
            )

    # --- deleting -----------------------------------------------------------------------------

    def delete(self) -> Operation[Deleted]:
        """Delete what was gathered.

        Returns:
            The number of deleted rows, and the numbers by label of the model.
        """
        for model, objs in self.data.items():
            self.data[model] = dict.fromkeys(_by_key(objs))
        self.sort()
        instances = [obj for objs in self.data.values() for obj in objs]
        if not self._updates and len(instances) + len(self.fast_deletes) <= 1:
            if not instances:
                return (yield from self._delete_all())
            if self.can_fast_delete(instances[0]):
                return (yield from _delete_one(instances[0], self.using))
        counts = yield from in_block(self._delete_all(), savepoint=False)
        for obj in instances:
            _forget_key(obj)
        return counts

    def sort(self) -> None:
        """Put models first that others wait for; where they wait for each other, leave them."""
        ordered: list[Any] = []
        placed: set[Any] = set()
        waiting = list(self.data)
        while waiting:
            ready = []
            for model in waiting:
                concrete = model._meta.concrete_model
                if self._after.get(concrete, set()) <= placed:
                    ready.append(model)
                    placed.add(concrete)
            if not ready:
                return
            ordered.extend(ready)
            waiting = [model for model in waiting if model not in ready]
        self.data = {model: self.data[model] for model in ordered}

    def _delete_all(self) -> Operation[Deleted]:
        counts: dict[str, int] = defaultdict(int)
        for model, objs in self.data.items():
            yield from self._tell(pre_delete, model, objs)
        for queryset in self.fast_deletes:
            count = yield from queryset._raw_delete_operation()
            if count:
                counts[queryset.model._meta.label] += count
        for field, targets in self._updates.items():
            value = yield from _replacement(field)
            queryset = self.related_objects(field.model, [field], targets)
            yield from queryset._update_operation({field.name: value})
        for model, objs in self.data.items():
            last_first = list(reversed(objs))
            count = yield from self._delete_rows(model, last_first)
            if last_first:
                counts[model._meta.label] += count
            yield from self._tell(post_delete, model, last_first)
        return sum(counts.values()), dict(counts)

    def _delete_rows(self, model: Any, objs: list[Any]) -> Operation[int]:
        count = 0
        statement = writes.deleter(
            model._meta.concrete_model._meta, connections[self.using].dialect
        )
        for start in range(0, len(objs), BATCH):
            keys = [obj.pk for obj in objs[start : start + BATCH]]
            count += yield from delete_many(statement, keys)
        return count

    def _tell(self, signal: Any, model: Any, objs: Iterable[Any]) -> Operation[None]:
        if model._meta.auto_created or not signal.has_listeners(model):
            return
        for obj in objs:
            yield from send_steps(signal, model, instance=obj, using=self.using, origin=self.origin)


def _asks(field: Any) -> bool:
    """Whether a function says what a foreign key gets whose target goes."""
    rule = field.remote_field.on_delete
    if isinstance(rule, SetTo):
        return callable(rule.value)
    return bool(rule.needs_default) and callable(field.default)


def _replacement(field: Any) -> Operation[Any]:
    """What a foreign key gets whose target goes, by its rule."""
    rule = field.remote_field.on_delete
    if isinstance(rule, SetTo):
        return (yield from call(rule.resolve))
    if rule.needs_default:
        return (yield from call(field.get_default))
    return None


def _targets(field: Any, objs: list[Any]) -> list[Any]:
    """What a foreign key to any of these objects holds."""
    if len(field.foreign_related_fields) != 1:
        return objs
    values = dict.fromkeys(field.get_foreign_related_value(obj)[0] for obj in objs)
    values.pop(None, None)
    return list(values)


def _only_referenced(queryset: Any, model: Any) -> Any:
    """Without the columns that nobody looks at: those that no relation points to."""
    if queryset._query.select_related:
        return queryset
    names = {
        target.name
        for relation in candidate_relations(model._meta)
        for target in relation.field.foreign_related_fields
    }
    return queryset.only("pk", *sorted(names))


def _parent(obj: Any, link: Any) -> Any:
    """The parent's part of an object, of its key alone where not all of it was loaded."""
    kept = link.get_cached_value(obj, default=None)
    if kept is not None:
        return kept
    parent = link.remote_field.model
    names = [field.attname for field in parent._meta.concrete_fields]
    if all(name in obj.__dict__ for name in names):
        return getattr(obj, link.name)
    key = link.foreign_related_fields[0]
    return parent.from_db(obj._state.db, [key.attname], [getattr(obj, link.attname)])


def _by_key(objs: Iterable[Any]) -> list[Any]:
    found = list(objs)
    try:
        return sorted(found, key=lambda obj: obj.pk)
    except TypeError:  # keys that have no order
        return found
