"""Prefetching: the related objects of many instances, one query for each relation.

1. A lookup is a path of attributes; each part that is a relation is fetched for all instances
   of the level before that lack it, then the path goes on from what was found.
2. What can be prefetched answers `get_prefetch_querysets(instances, querysets)`: the
   descriptor of a relation to one object, the related manager of one to many. What these have
   to ask first is an operation, `_before_prefetch(instances)`.
3. Nothing here knows models or QuerySets; they are handed in.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from aorm.errors import FieldDoesNotExist, ObjectDoesNotExist, QueryValueError
from aorm.fields.rels import ASSIGNED
from aorm.operations.origins import database_of
from aorm.operations.prefetch_keys import grouped, values_of
from aorm.steps import Operation, call

LOOKUP_SEP = "__"
PREFETCHED = "_prefetched_objects_cache"


class Prefetch:
    """A lookup for `prefetch_related()` with a QuerySet of its own, or a place of its own.

    Args:
        lookup: the path, as in `prefetch_related("books__publisher")`.
        queryset: what to fetch the last part with; by default the relation's own.
        to_attr: the attribute that gets the list; by default the relation's manager has it.

    Raises:
        ValueError: the QuerySet does not give model instances.
    """

    def __init__(self, lookup: str, queryset: Any = None, to_attr: str | None = None) -> None:
        self.prefetch_through = lookup
        self.prefetch_to = lookup
        if queryset is not None and not _gives_instances(queryset):
            raise QueryValueError(
                "Prefetch querysets cannot use raw(), values(), and values_list()."
            )
        if to_attr:
            self.prefetch_to = LOOKUP_SEP.join([*lookup.split(LOOKUP_SEP)[:-1], to_attr])
        self.queryset = queryset
        self.to_attr = to_attr

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self.queryset is not None:
            # What a lookup is needed for after unpickling is its query, not its rows.
            queryset = self.queryset._chain()
            queryset._result_cache = []
            queryset._prefetch_done = True
            state["queryset"] = queryset
        return state

    def add_prefix(self, prefix: str) -> None:
        """Start from `prefix`, which leads to where the lookup was written down."""
        self.prefetch_to = prefix + LOOKUP_SEP + self.prefetch_to
        self.prefetch_through = prefix + LOOKUP_SEP + self.prefetch_through

    def get_current_prefetch_to(self, level: int) -> str:
        """The path up to and including a level, under the names where results are kept."""
        return LOOKUP_SEP.join(self.prefetch_to.split(LOOKUP_SEP)[: level + 1])

    def get_current_to_attr(self, level: int) -> tuple[str, bool]:
        """The attribute that a level's result is kept under, and whether it was asked for."""
        parts = self.prefetch_to.split(LOOKUP_SEP)
        return parts[level], bool(self.to_attr) and level == len(parts) - 1

    def get_current_querysets(self, level: int) -> list[Any] | None:
        """The QuerySets for a level; None where the relation's own is meant."""
        if self.queryset is not None and self.get_current_prefetch_to(level) == self.prefetch_to:
            return [self.queryset]
        return None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Prefetch):
            return NotImplemented
        return type(self) is type(other) and self.prefetch_to == other.prefetch_to

    def __hash__(self) -> int:
        return hash((type(self), self.prefetch_to))

    def __str__(self) -> str:
        return self.prefetch_to

    def __repr__(self) -> str:
        return f"<Prefetch: {self.prefetch_to!r}>"


def _gives_instances(queryset: Any) -> bool:
    query = getattr(queryset, "_query", None)
    return query.form[0] == "model" if query is not None else not hasattr(queryset, "raw_query")


class Plan(tuple[Any, ...]):
    """How one relation of many instances is fetched and shared out.

    A tuple of six, which is what `get_prefetch_querysets` of any class may return: the
    QuerySet, the key of a related object, the key of an instance, whether there is one related
    object per instance, the name of the cache, and whether that names a descriptor to set.

    Attributes:
        link: a field (or relation) of the related objects that points back to the instance.
        cache: the entry of an instance's `__dict__` that holds a single related object.
        local: the attnames of an instance's columns that say which object that is.
        noted: whether their values are noted also where there is an object.
        keys: the keys of the instances, where they are known.
    """

    link: Any = None
    keys: list[Any] | None = None
    cache: str | None = None
    local: Sequence[str] = ()
    noted: bool = False

    @classmethod
    def make(
        cls,
        queryset: Any,
        related_key: Callable[[Any], Any],
        instance_key: Callable[[Any], Any],
        *,
        single: bool,
        cache_name: str,
        link: Any = None,
        cache: str | None = None,
        local: Sequence[str] = (),
        noted: bool = False,
        keys: list[Any] | None = None,
    ) -> Plan:
        plan = cls((queryset, related_key, instance_key, single, cache_name, False))
        plan.link = link
        plan.cache = cache
        plan.local = local
        plan.noted = noted
        plan.keys = keys
        return plan

    def note(self, instance: Any) -> None:
        """Note of an instance which values of its columns were looked for."""
        if self.local:
            held = instance.__dict__
            held[f"{self.cache}{ASSIGNED}"] = [held.get(name) for name in self.local]


def only_queryset(querysets: Sequence[Any] | None) -> Any:
    """The QuerySet of a relation that takes one, or None.

    Raises:
        ValueError: there are several.
    """
    if querysets and len(querysets) != 1:
        raise QueryValueError(
            "querysets argument of get_prefetch_querysets() should have a length of 1."
        )
    return querysets[0] if querysets else None


# --- who fetches, and whether it was done -----------------------------------------------


Lacking = Callable[[Sequence[Any]], list[Any]]


def get_prefetcher(
    instance: Any, through_attr: str, to_attr: str
) -> tuple[Any, Any, bool, Lacking]:
    """What can prefetch an attribute of an instance and of its likes.

    Returns:
        The object with `get_prefetch_querysets` or None, the descriptor on the class or None,
        whether there is such an attribute at all, and what finds those of some instances that
        lack their related objects.
    """
    descriptor = getattr(type(instance), through_attr, None)
    if descriptor is None:
        return None, None, hasattr(instance, through_attr), _without(instance, to_attr)
    if hasattr(descriptor, "get_prefetch_querysets"):
        if through_attr != to_attr:
            return descriptor, descriptor, True, _without(instance, to_attr)
        is_cached = descriptor.is_cached
        return descriptor, descriptor, True, lambda some: [o for o in some if not is_cached(o)]
    related = getattr(instance, through_attr)
    prefetcher = related if hasattr(related, "get_prefetch_querysets") else None
    if through_attr != to_attr:
        return prefetcher, descriptor, True, _without(instance, to_attr)
    name = getattr(prefetcher, "_prefetch_cache_name", through_attr)

    def lacking(some: Sequence[Any]) -> list[Any]:
        return [each for each in some if name not in each.__dict__.get(PREFETCHED, ())]

    return prefetcher, descriptor, True, lacking


def _without(instance: Any, to_attr: str) -> Lacking:
    # hasattr() would compute a cached property, and that may need the objects.
    if isinstance(getattr(type(instance), to_attr, None), cached_property):
        return lambda some: [each for each in some if to_attr not in each.__dict__]
    return lambda some: [each for each in some if not hasattr(each, to_attr)]


# --- the operation ------------------------------------------------------------------------


def normalize_prefetch_lookups(
    lookups: Iterable[str | Prefetch], prefix: str | None = None
) -> list[Prefetch]:
    """Lookups as `Prefetch` objects, which start from `prefix` where one is given."""
    found = []
    for lookup in lookups:
        if not isinstance(lookup, Prefetch):
            lookup = Prefetch(lookup)
        if prefix:
            lookup.add_prefix(prefix)
        found.append(lookup)
    return found


def prefetch_related_objects_operation(
    instances: Iterable[Any], lookups: Iterable[str | Prefetch], *, fresh: bool = False
) -> Operation[None]:
    """Fetch the lookups' related objects for all instances, where they are not there yet.

    Args:
        fresh: whether the instances have just been made of rows, so that no manager of theirs
            keeps anything.

    Raises:
        AttributeError: a part of a lookup is no attribute.
        ValueError: a lookup leads to nothing that can be prefetched, or came twice with
            different QuerySets.
    """
    instances = instances if isinstance(instances, list) else list(instances)
    if not instances:
        return
    walk = _Walk(instances, fresh)
    # Taken from the end; what a QuerySet itself asks for comes right after it.
    walk.pending = normalize_prefetch_lookups(reversed(list(lookups)))
    while walk.pending:
        yield from walk.follow(walk.pending.pop())


class _Walk:
    """What is known while the lookups of one call are followed."""

    def __init__(self, instances: Sequence[Any], fresh: bool) -> None:
        self.instances = instances
        #: Until something was fetched.
        self.fresh = fresh
        # Rows of values_list() and their like keep nothing.
        self.database = database_of(instances[0]) if hasattr(instances[0], "__dict__") else None
        self.pending: list[Prefetch] = []
        #: Path to the objects that were found there.
        self.done: dict[str, Sequence[Any]] = {}
        # Lookups that came from a QuerySet, and relations that were followed: together they
        # stop a manager that prefetches its own inverse from going round in circles.
        self.automatic: set[Prefetch] = set()
        self.followed: set[Any] = set()

    def follow(self, lookup: Prefetch) -> Operation[None]:
        if lookup.prefetch_to in self.done:
            if lookup.queryset is not None:
                raise QueryValueError(
                    f"'{lookup.prefetch_to}' lookup was already seen with a different queryset. "
                    "You may need to adjust the ordering of your lookups."
                )
            return
        objects: Sequence[Any] = self.instances
        parts = lookup.prefetch_through.split(LOOKUP_SEP)
        for level, part in enumerate(parts):
            if not objects:
                return
            path = lookup.get_current_prefetch_to(level)
            if path in self.done:
                objects = self.done[path]
                continue
            if not hasattr(objects[0], "__dict__"):
                return  # rows of values_list() and their like keep nothing
            to_attr, as_attr = lookup.get_current_to_attr(level)
            if as_attr:
                _check_attribute(type(objects[0]), to_attr)
            prefetcher, descriptor, found, lacking = get_prefetcher(objects[0], part, to_attr)
            last = level == len(parts) - 1
            _check(lookup, objects[0], part, found, last and prefetcher is None)
            # What is kept beside a manager may be there by select_related().
            fresh = self.fresh and prefetcher is not descriptor and not as_attr
            missing = [] if prefetcher is None else list(objects) if fresh else lacking(objects)
            if missing:
                self.fresh = False
                objects, more = yield from _fetch_level(
                    missing, prefetcher, lookup, level, self.database, fresh
                )
                known = lookup in self.automatic and descriptor in self.followed
                if not (path in self.done and known):
                    self.done[path] = objects
                    added = normalize_prefetch_lookups(reversed(more), path)
                    self.automatic.update(added)
                    self.pending.extend(added)
                self.followed.add(descriptor)
            else:
                objects = _there_already(objects, part)


def _check(lookup: Prefetch, instance: Any, part: str, found: bool, useless: bool) -> None:
    if not found:
        raise AttributeError(
            f"Cannot find '{part}' on {type(instance).__name__} object, "
            f"'{lookup.prefetch_through}' is an invalid parameter to prefetch_related()"
        )
    if useless:
        raise QueryValueError(
            f"'{lookup.prefetch_through}' does not resolve to an item that supports prefetching "
            "- this is an invalid parameter to prefetch_related()."
        )


def _there_already(instances: Sequence[Any], part: str) -> list[Any]:
    """What the instances have under an attribute that needs no fetching."""
    found: list[Any] = []
    for instance in instances:
        prefetched = instance.__dict__.get(PREFETCHED, {})
        if part in prefetched:
            found.extend(prefetched[part])
            continue
        try:
            value = getattr(instance, part)
        except ObjectDoesNotExist:
            continue
        if isinstance(value, list):
            found.extend(value)
        elif value is not None:
            found.append(value)
    return found


def fetch_all(queryset: Any, database: str | None = None) -> Operation[Any]:
    """The objects of a QuerySet, or of what stands in for one.

    Args:
        database: the alias of the database that the operation runs on, where the QuerySet's
            may be another; that one is asked on the side.
    """
    if getattr(queryset, "_fetch_operation", None) is None:
        return (yield from call(list, queryset))
    here = getattr(queryset, "_reader", queryset)
    if database is not None and here.db != database:
        return (yield from call(list, here))
    return (yield from here._fetch_operation())


def _fetch_level(
    instances: list[Any],
    prefetcher: Any,
    lookup: Prefetch,
    level: int,
    database: str | None,
    fresh: bool,
) -> Operation[tuple[list[Any], list[Any]]]:
    """Fetch one relation of the instances and hand each its part.

    Returns:
        The related objects, and the lookups that their QuerySet brought along.
    """
    before = getattr(prefetcher, "_before_prefetch", None)
    if before is not None:
        yield from before(instances)
    plan = prefetcher.get_prefetch_querysets(instances, lookup.get_current_querysets(level))
    queryset, related_key, instance_key, single, cache_name, is_descriptor = plan
    # The QuerySet's own lookups join this walk, else each relation would start one of its own.
    more = [copy.copy(each) for each in getattr(queryset, "_prefetch_related_lookups", ())]
    if more:
        queryset._prefetch_related_lookups = ()
    related = yield from fetch_all(queryset, database)
    groups = grouped(related_key, related)
    keys = getattr(plan, "keys", None) or values_of(instance_key, instances)
    link = getattr(plan, "link", None)
    # A lookup of the QuerySet's own for the way back says what is wanted there.
    if link is not None and not any(str(each).split(LOOKUP_SEP)[0] == link.name for each in more):
        _link_back(instances, keys, groups, link.cache_attname)
    to_attr, as_attr = lookup.get_current_to_attr(level)
    if single:
        attribute = to_attr if as_attr else cache_name if is_descriptor else None
        _hand_out_single(instances, keys, groups, attribute, plan)
    elif as_attr:
        for instance, key in zip(instances, keys, strict=True):
            setattr(instance, to_attr, groups.get(key, []))
    else:
        last = level == len(lookup.prefetch_through.split(LOOKUP_SEP)) - 1
        given = lookup.queryset if last else None
        for alike, own in _alike(instances, keys):
            lists = [groups.get(key) or [] for key in own]
            getattr(alike[0], to_attr)._hold(alike, own, lists, given, cache_name, fresh)
    return related, more


def _alike(instances: list[Any], keys: list[Any]) -> Iterable[tuple[list[Any], list[Any]]]:
    """The instances of each model, with their keys."""
    if len(set(map(type, instances))) == 1:
        return ((instances, keys),)
    by_model: dict[type, tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    for instance, key in zip(instances, keys, strict=True):
        alike, own = by_model[type(instance)]
        alike.append(instance)
        own.append(key)
    return by_model.values()


def _check_attribute(model: Any, to_attr: str) -> None:
    try:
        model._meta.get_field(to_attr)
    except FieldDoesNotExist:
        return
    raise QueryValueError(
        f"to_attr={to_attr} conflicts with a field on the {model.__name__} model."
    )


def _link_back(
    instances: Sequence[Any],
    keys: Sequence[Any],
    groups: dict[Any, list[Any]],
    cache: str,
) -> None:
    """Let the related objects know the instance that they were fetched for."""
    for instance, key in zip(instances, keys, strict=True):
        found = groups.get(key)
        if not found or cache in found[0].__dict__:
            continue  # by select_related()
        for each in found:
            setattr(each, cache, instance)


def _hand_out_single(
    instances: Sequence[Any],
    keys: Sequence[Any],
    groups: dict[Any, list[Any]],
    attribute: str | None,
    plan: Any,
) -> None:
    cache = getattr(plan, "cache", None)
    for instance, key in zip(instances, keys, strict=True):
        found = groups.get(key)
        value = found[0] if found else None
        if attribute is not None:
            setattr(instance, attribute, value)
        elif cache is not None:
            setattr(instance, cache, value)  # sooner than an instance makes its `__dict__`
            if value is None or plan.noted:
                plan.note(instance)
        else:
            instance._state.fields_cache[plan[4]] = value
