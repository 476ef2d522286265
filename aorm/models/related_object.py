"""Descriptors of relations to one object: `book.author`, `place.restaurant`.

1. A related object is kept in the instance under the relation's `cache_attname`.  One that was
   kept counts only while it still is what the instance's columns say: there is no descriptor on a
   column that could drop it when the column is changed.
2. What is not there is loaded as the instance's fetch mode says; where an event loop runs it
   cannot be, and the error names the ways to load it beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NoReturn

from aorm.connections.lazy import running_loop
from aorm.errors import RelationNotLoaded
from aorm.fields.rels import ASSIGNED
from aorm.generated import getting
from aorm.models.fetch_modes import fetch_mode_of, own_fetch_mode
from aorm.models.related_managers import agree_on_database
from aorm.models.relation import RelationDescriptor
from aorm.operations.prefetch import Plan, only_queryset
from aorm.operations.prefetch_keys import distinct, key_of
from aorm.query.expressions import F
from aorm.query.tuples import TupleIn

_MISSING: Any = object()


def not_loaded(instance: Any, name: str, joined: bool = True) -> NoReturn:
    """Refuse to load a relation while an event loop runs.

    Args:
        joined: whether a join could have brought it along.

    Raises:
        RelationNotLoaded: always; it names the ways to load the relation beforehand.
    """
    model = type(instance).__name__
    ways = f'prefetch_related("{name}")'
    if joined:
        ways = f'select_related("{name}") or {ways}'
    one = model.lower()
    raise RelationNotLoaded(
        f"{model}.{name} was not loaded, and it cannot be while an event loop runs on this "
        f"thread. Load it with the query, {ways}, "
        f'or before it is used: await {one}.afetch_related("{name}"), '
        f'await models.aprefetch_related_objects({one}s, "{name}").'
    )


def _missing_class(target: Any, owner: Any, name: str) -> type[Exception]:
    """The exception for a missing `target`, found by its path on the model that lacks it."""
    return type(
        "RelatedObjectDoesNotExist",
        (target.DoesNotExist, AttributeError),
        {
            "__module__": owner.__module__,
            "__qualname__": f"{owner.__qualname__}.{name}.RelatedObjectDoesNotExist",
        },
    )


def _unordered(queryset: Any) -> Any:
    """Without an order, which says nothing where each instance gets one object."""
    return queryset if queryset._query.is_sliced else queryset.order_by()


_KEPT = """\
def related(instance):
    try:
        kept = {kept}
        if {holds}:
            return kept
    except AttributeError:
        pass
    return given(instance)
"""


class _Single(RelationDescriptor):
    """A descriptor whose value is one object, or none."""

    field: Any
    cache: Any
    cache_attname: str
    name: str

    @property
    def target(self) -> Any:
        """The class of the related object."""
        raise NotImplementedError

    def _getter(self) -> Callable[[Any], Any]:
        # Attributes, because an instance makes its `__dict__` when that is first asked for.
        holds = self._holds_surely()
        if holds is None:
            return self._given
        space: dict[str, Any] = {"given": self._given}
        exec(_KEPT.format(kept=getting("instance", self.cache_attname), holds=holds), space)
        getter: Callable[[Any], Any] = space["related"]
        return getter

    def _holds_surely(self) -> str | None:
        """The condition on which what is `kept` is given at once; None if there is none."""
        raise NotImplementedError

    def _given(self, instance: Any) -> Any:
        """The related object, loaded where it has to be."""
        raise NotImplementedError

    def get_queryset(self, *, instance: Any = None, **hints: Any) -> Any:
        """What the related object is looked up in: all that the base manager gives.

        Args:
            instance: whose related object it is: a hint for the routers, and its fetch mode is
                that of what is found.
            hints: more for the routers.
        """
        if instance is not None:
            hints["instance"] = instance
        queryset = self.target._base_manager.db_manager(hints=hints).all()
        mode = own_fetch_mode(instance) if instance is not None else None
        return queryset if mode is None else queryset.fetch_mode(mode)

    def fetch_one(self, instance: Any) -> None:
        """Load for this instance and keep what was found."""
        if running_loop() is not None:
            not_loaded(instance, self.name)
        self._load(instance)

    def fetch_many(self, instances: Sequence[Any]) -> None:
        """Load for all of these instances that lack it, with one query."""
        missing = [each for each in instances if not self.is_cached(each)]
        if not missing:
            return
        if running_loop() is not None:
            not_loaded(missing[0], self.name)
        plan = self.get_prefetch_querysets(missing)
        queryset, related_key, instance_key = plan[:3]
        found = {related_key(each): each for each in queryset}
        for each in missing:
            value = each.__dict__[self.cache.cache_attname] = found.get(instance_key(each))
            if value is None:
                plan.note(each)
            elif plan.link is not None:
                plan.link.set_cached_value(value, each)

    def _load(self, instance: Any) -> None:
        raise NotImplementedError

    def is_cached(self, instance: Any) -> bool:
        """Whether the related object can be had without a query."""
        raise NotImplementedError

    def get_prefetch_querysets(
        self, instances: Sequence[Any], querysets: Sequence[Any] | None = None
    ) -> Plan:
        """How to fetch the related objects of many instances."""
        raise NotImplementedError

    def _refuse(self, instance: Any, value: Any) -> NoReturn:
        raise ValueError(
            f'Cannot assign "{value!r}": "{type(instance)._meta.object_name}.{self.name}" must be '
            f'a "{self.target._meta.object_name}" instance.'
        )


class ForwardManyToOneDescriptor(_Single):
    """`book.author`, of a foreign key on Book."""

    def __init__(self, field_with_rel: Any) -> None:
        super().__init__()
        self.rel = field_with_rel.remote_field
        self.field = field_with_rel
        self.cache = field_with_rel
        self.name = field_with_rel.name
        self.cache_attname = field_with_rel.cache_attname

    @property
    def target(self) -> Any:
        return self.field.remote_field.model

    @cached_property
    def RelatedObjectDoesNotExist(self) -> type[Exception]:
        """What is raised where there is no related object; also an AttributeError."""
        return _missing_class(self.target, self.field.model, self.field.name)

    # Names in `__dict__` of the column of a plain foreign key and of what it points to; of
    # a relation of several columns, neither.
    @cached_property
    def _column(self) -> str | None:
        local = self.field.local_related_fields
        return local[0].attname if len(local) == 1 else None

    @cached_property
    def _target_column(self) -> str:
        column: str = self.field.foreign_related_fields[0].attname
        return column

    @cached_property
    def _assigned(self) -> str:
        return f"{self.cache_attname}{ASSIGNED}"

    # --- giving -----------------------------------------------------------------------

    def _holds_surely(self) -> str | None:
        column = self._column
        targets = self.field.foreign_related_fields
        # A key is never deferred, which reading it as an attribute would undo.
        if column is None or not targets[0].primary_key:
            return None
        held = getting("instance", column)
        same = f"{getting('kept', self._target_column)} == {held}"
        return f"{held} is None if kept is None else {same}" if self.field.null else same

    def _given(self, instance: Any) -> Any:
        """The related object, loaded where it has to be.

        Raises:
            RelatedObjectDoesNotExist: there is none, and the field does not allow that.
            RelationNotLoaded: it would have to be loaded, and an event loop runs.
        """
        values = instance.__dict__
        related = values.get(self.cache_attname, _MISSING)
        if related is not _MISSING:
            if related is not None:
                try:
                    if related.__dict__[self._target_column] == values[self._column]:
                        return related
                except KeyError:  # deferred, or of several columns
                    pass
            if not self._holds(instance, related):
                related = _MISSING
        if related is _MISSING:
            related = self._find(instance)
        if related is None and not self.field.null:
            raise self.RelatedObjectDoesNotExist(
                f"{self.field.model.__name__} has no {self.field.name}."
            )
        return related

    def _holds(self, instance: Any, related: Any) -> bool:
        """Whether what is kept is still what the instance's columns say."""
        values = instance.__dict__
        local = [values.get(each.attname, _MISSING) for each in self.field.local_related_fields]
        if _MISSING in local:
            return True  # a deferred column: nobody can have changed it
        if related is None and self._assigned not in values:
            return None in local
        if self._assigned in values:
            # It was assigned before it had a key, or looked for in vain: that stands until the
            # column is changed.
            return bool(values[self._assigned] == local)
        targets = [related.__dict__.get(each.attname) for each in self.field.foreign_related_fields]
        # A deleted object has lost its key, a deferred one has not loaded it.
        return local == targets or (None in targets and None not in local)

    def _find(self, instance: Any) -> Any:
        field = self.field
        if None in self._local_values(instance):
            field.set_cached_value(instance, None)
            return None
        related = self._from_ancestor(instance)
        if related is not None:
            field.set_cached_value(instance, related)
            return related
        if self._made_from(instance) is None:
            fetch_mode_of(instance).fetch(self, instance)
        return instance.__dict__[self.cache_attname]

    def _local_values(self, instance: Any) -> tuple[Any, ...]:
        return tuple(getattr(instance, each.attname) for each in self.field.local_related_fields)

    def _from_ancestor(self, instance: Any) -> Any:
        """What a parent object that is there keeps for a relation inherited from it."""
        while type(instance) is not self.field.model:
            link = instance._meta.get_ancestor_link(self.field.model)
            if link is None or not link.is_cached(instance):
                return None
            instance = link.get_cached_value(instance)
            related = self.field.get_cached_value(instance, default=None)
            if related is not None:
                return related
        return None

    def _made_from(self, instance: Any) -> Any:
        """The related object where the instance itself holds all of it, kept; else None."""
        return None

    def get_object(self, instance: Any) -> Any:
        """The related object from the database."""
        queryset = self.get_queryset(instance=instance)
        field = self.field
        wanted = {
            target.name: getattr(instance, local.attname) for local, target in field.related_fields
        }
        more = field.get_extra_descriptor_filter(instance)
        if isinstance(more, dict):
            return queryset.filter(**wanted, **more).get()
        return queryset.filter(more, **wanted).get()

    def _load(self, instance: Any) -> None:
        related = self.get_object(instance)
        self._keep(instance, related)

    def _keep(self, instance: Any, related: Any) -> None:
        values = instance.__dict__
        values[self.cache_attname] = related
        column = self._column
        if related is None:
            values.pop(self._assigned, None)
            return
        current = values.get(column, _MISSING) if column is not None else _MISSING
        if current in (None, "") or current != related.__dict__.get(self._target_column):
            values[self._assigned] = [
                values.get(each.attname) for each in self.field.local_related_fields
            ]
        else:
            values.pop(self._assigned, None)
        if not self.field.remote_field.multiple:
            self.field.remote_field.set_cached_value(related, instance)

    def is_cached(self, instance: Any) -> bool:
        related = instance.__dict__.get(self.cache_attname, _MISSING)
        return related is not _MISSING and self._holds(instance, related)

    def get_prefetch_querysets(
        self, instances: Sequence[Any], querysets: Sequence[Any] | None = None
    ) -> Plan:
        queryset = only_queryset(querysets)
        if queryset is None:
            queryset = self.get_queryset(instance=instances[0])
        queryset._add_hints(instance=instances[0])
        field = self.field
        key = key_of(field.local_related_fields)
        rows = _unordered(queryset)
        keys = key.values(instances)
        if self._column is not None:
            name = field.foreign_related_fields[0].name
            rows = rows.filter(**{f"{name}__in": distinct(keys)})
        elif field.remote_field.hidden:
            # No name leads back: the columns themselves are compared.
            names = [F(each.attname) for each in field.foreign_related_fields]
            wanted = dict.fromkeys(keys)
            rows = rows.filter(TupleIn(names, [each for each in wanted if None not in each]))
        else:
            rows = rows.filter(**{f"{field.related_query_name()}__in": list(instances)})
        return Plan.make(
            rows,
            key_of(field.foreign_related_fields),
            key,
            single=True,
            local=[each.attname for each in field.local_related_fields],
            cache_name=field.cache_name,
            link=None if field.remote_field.multiple else field.remote_field,
            cache=self.cache_attname,
            keys=keys,
        )

    # --- taking -----------------------------------------------------------------------

    def __set__(self, instance: Any, value: Any) -> None:
        """Relate the instance to an object, or to none: sets the columns.

        Raises:
            ValueError: an object of the wrong kind, or one that the routers do not allow.
        """
        field = self.field
        rel = field.remote_field
        if value is not None:
            if not isinstance(value, rel.model._meta.concrete_model):
                self._refuse(instance, value)
            agree_on_database(instance, value)
            for local, target in field.related_fields:
                setattr(instance, local.attname, getattr(value, target.attname))
        else:
            # Deleting the object that was related must not reach this one by its cache.
            related = field.get_cached_value(instance, default=None)
            if related is not None:
                rel.set_cached_value(related, None)
            for local, _ in field.related_fields:
                setattr(instance, local.attname, None)
        self._keep(instance, value)

    def __reduce__(self) -> Any:
        return getattr, (self.field.model, self.field.name)


class ForwardOneToOneDescriptor(ForwardManyToOneDescriptor):
    """`restaurant.place`, of a one-to-one field on Restaurant, also of a link to a parent."""

    def _made_from(self, instance: Any) -> Any:
        rel = self.field.remote_field
        if not rel.parent_link or self.field.model is not type(instance)._meta.concrete_model:
            return None
        values = instance.__dict__
        names = [each.attname for each in rel.model._meta.concrete_fields]
        if any(name not in values for name in names):
            return None
        parent = rel.model(**{name: values[name] for name in names})
        own, theirs = instance._state, parent._state
        theirs.adding, theirs.db, theirs.fetch_mode = own.adding, own.db, own.fetch_mode
        self._keep(instance, parent)
        return parent

    def get_object(self, instance: Any) -> Any:
        made = self._made_from(instance)
        return super().get_object(instance) if made is None else made

    def __set__(self, instance: Any, value: Any) -> None:
        super().__set__(instance, value)
        # The key that is inherited through a parent link is a column of the parents as well.
        if self.field.primary_key and self.field.remote_field.parent_link:
            for each in instance._meta.concrete_fields:
                if each.primary_key and each.remote_field:
                    name = each.remote_field.model._meta.pk.attname
                    setattr(instance, name, None if value is None else getattr(value, name))


class ReverseOneToOneDescriptor(_Single):
    """`place.restaurant`, of a one-to-one field on Restaurant."""

    def __init__(self, related: Any) -> None:
        super().__init__()
        self.related = related
        self.rel = related
        self.cache = related
        self.field = related.field
        self.name = related.get_accessor_name()
        self.cache_attname = related.cache_attname

    @property
    def target(self) -> Any:
        return self.related.related_model

    @cached_property
    def RelatedObjectDoesNotExist(self) -> type[Exception]:
        """What is raised where nothing points here; also an AttributeError."""
        return _missing_class(self.target, self.related.model, self.name)

    def _holds_surely(self) -> str:
        return "kept is not None"

    def _given(self, instance: Any) -> Any:
        """The object that points here.

        Raises:
            RelatedObjectDoesNotExist: there is none.
            RelationNotLoaded: it would have to be loaded, and an event loop runs.
        """
        related = instance.__dict__.get(self.cache_attname, _MISSING)
        if related is _MISSING:
            if None in self.field.get_foreign_related_value(instance):
                related = None
            else:
                fetch_mode_of(instance).fetch(self, instance)
                related = instance.__dict__[self.cache_attname]
        if related is None:
            raise self.RelatedObjectDoesNotExist(f"{type(instance).__name__} has no {self.name}.")
        return related

    def _load(self, instance: Any) -> None:
        field = self.field
        values = field.get_foreign_related_value(instance)
        queryset = self.get_queryset(instance=instance)
        found = {
            local.name: value
            for local, value in zip(field.local_related_fields, values, strict=True)
        }
        try:
            related = queryset.filter(**found).get()
        except self.target.DoesNotExist:
            related = None
        else:
            field.set_cached_value(related, instance)
        instance.__dict__[self.cache_attname] = related

    def is_cached(self, instance: Any) -> bool:
        return self.cache_attname in instance.__dict__

    def get_prefetch_querysets(
        self, instances: Sequence[Any], querysets: Sequence[Any] | None = None
    ) -> Plan:
        queryset = only_queryset(querysets)
        if queryset is None:
            queryset = self.get_queryset(instance=instances[0])
        queryset._add_hints(instance=instances[0])
        field = self.field
        key = key_of(field.foreign_related_fields)
        keys = key.values(instances)
        single = len(field.foreign_related_fields) == 1
        wanted = distinct(keys) if single else list(instances)
        return Plan.make(
            _unordered(queryset).filter(**{f"{field.name}__in": wanted}),
            key_of(field.local_related_fields),
            key,
            single=True,
            cache_name=self.related.cache_name,
            link=field,
            cache=self.cache_attname,
            keys=keys,
        )

    def __set__(self, instance: Any, value: Any) -> None:
        """Let this object point here, or let go of the one that does.

        Raises:
            ValueError: an object of the wrong kind, or one that the routers do not allow.
        """
        field = self.field
        if value is None:
            related = self.related.get_cached_value(instance, default=None)
            if related is not None:
                self.related.delete_cached_value(instance)
                setattr(related, field.name, None)
            return
        if not isinstance(value, self.target):
            self._refuse(instance, value)
        agree_on_database(instance, value)
        for local, target in field.related_fields:
            setattr(value, local.attname, getattr(instance, target.attname))
        instance.__dict__[self.cache_attname] = value
        # It remembers a key that is not there yet, as an assignment from the other side does.
        descriptor = getattr(type(value), field.name, None)
        if isinstance(descriptor, ForwardManyToOneDescriptor):
            descriptor._keep(value, instance)
        else:
            field.set_cached_value(value, instance)

    def __reduce__(self) -> Any:
        return getattr, (self.related.model, self.name)
