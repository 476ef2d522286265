"""How a QuerySet becomes another one: copies, steps and conditions; nothing asks a database.

1. A QuerySet is a `Query`, a tuple of values and a database alias; a step looks the next query
   up by the shape of what it was given, and appends the values.
2. A step never changes the QuerySet that it starts from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

from aorm.errors import FieldError, NotSupportedError, QueryTypeError
from aorm.models.shown import ShownQuery
from aorm.operations.routing import DEFAULT_DB_ALIAS, router
from aorm.query import building
from aorm.query.conditions import Q, argument, check_keywords, keyed
from aorm.query.draft import Draft
from aorm.query.expressions import F, Slots
from aorm.query.filters import add_q
from aorm.query.lookups import OutOfRange
from aorm.query.nodes import Combinable
from aorm.query.query import Derived, Query
from aorm.query.shapes import PLAIN, normalised

Apply = Callable[[Draft, Slots], Any]

_new = object.__new__  # a name of its own: its method is found sooner


class Chaining:
    """What `filter()` and its kin are made of."""

    model: Any
    _query: Query
    _values: tuple[Any, ...]
    _db: str | None
    _result_cache: list[Any] | None
    #: Whether there is nothing but what stands above, which is all that a copy then gets.
    _is_plain: bool
    # What `_carry` sets:
    _hints: dict[str, Any] = {}
    _prefetch_related_lookups: tuple[Any, ...] = ()
    _prefetch_done = False
    _known_related_objects: dict[Any, dict[Any, Any]] = {}
    _sticky_filter = False
    _for_write = False
    _fetch_mode: Any = None
    _place: Any = None  # a database as it is seen from a transaction: see `using`
    _plainly_cloned: ClassVar[bool] = True
    _plainly_filtered: ClassVar[bool] = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._plainly_cloned = (
            cls._clone is Chaining._clone
            and cls._chain is Chaining._chain
            and cls.__init__ is Chaining.__init__
        )
        cls._plainly_filtered = cls._plainly_cloned and cls.filter is Chaining.filter

    def __init__(
        self,
        model: Any = None,
        query: Query | None = None,
        using: str | None = None,
        hints: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        if query is None and model is not None:
            query = base_query(model)
        self._query = query  # type: ignore[assignment]
        self._values = ()
        self._db = using
        self._result_cache = None
        self._is_plain = self._plainly_cloned
        if hints:
            self._carry(_hints=hints)

    # --- copies ----------------------------------

    def _carry(self, **state: Any) -> None:
        """Remember more than a plain QuerySet does, for all that is derived from this one."""
        self.__dict__.update(state, _is_plain=False)

    def _clone(self) -> Self:
        clone = self._twin(_result_cache=None)
        clone.__dict__.pop("_prefetch_done", None)
        return clone

    def _twin(self, **changes: Any) -> Self:
        """Another one that keeps the same, but for these attributes."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__, **changes)
        return twin

    def _chain(self) -> Self:
        """A copy to go on from."""
        return self._clone()

    def _next(self, query: Query, values: tuple[Any, ...]) -> Self:
        """A copy with another query and other values."""
        if self._is_plain:
            clone = _new(type(self))
            clone.model = self.model
            clone._query = query
            clone._values = values
            clone._db = self._db
            clone._result_cache = None
            clone._is_plain = True
            return clone
        clone = self._chain()
        clone._query = query
        clone._values = values
        clone.__dict__.pop("_sticky_filter", None)
        return clone

    def _next_is_sticky(self) -> Self:
        """The next filter and the one after it are about the same rows of to-many relations."""
        clone = self._chain()
        clone._carry(_sticky_filter=True)
        return clone

    def _known(self, key: Any, values: Sequence[Any]) -> Self | None:
        """The QuerySet after a step that was worked out before; None where it was not."""
        derived = self._query.steps.get(key)
        if derived is None:
            return None
        bind = derived.bind
        try:
            added = tuple(values) if bind is None else bind(values)
        except OutOfRange:
            return None  # these values need a query of their own
        # As `_next`, whose call would take longer than what it does.
        if self._is_plain:
            clone = _new(type(self))
            clone.model = self.model
            clone._query = derived.query
            clone._values = self._values + added
            clone._db = self._db
            clone._result_cache = None
            clone._is_plain = True
            return clone
        return self._next(derived.query, self._values + added)

    def _step(self, key: Any, values: Sequence[Any], apply: Apply) -> Self:
        """The QuerySet after a step with values in the order in which `apply` numbers them."""
        found = self._known(key, values)
        if found is not None:
            return found
        derived = self._query.derive(key, values, apply)
        return self._next(*self._bound(derived, key, values, apply))

    def _bound(
        self, derived: Derived, key: Any, values: Sequence[Any], apply: Apply
    ) -> tuple[Query, tuple[Any, ...]]:
        bind = derived.bind
        if bind is not None:
            try:
                values = bind(values)
            except OutOfRange:
                derived = self._query.derive(key, values, apply)
                if derived.bind is not None:
                    values = derived.bind(values)
        return derived.query, (*self._values, *values)

    def _without_values(self, key: Any, change: Callable[[Draft], Any]) -> Self:
        return self._next(self._query.changed(key, change), self._values)

    def _not_combined(self, method: str) -> None:
        if self._query.combinator is not None:
            raise NotSupportedError(
                f"Calling QuerySet.{method}() after {self._query.combinator[0]}() is not supported."
                " Do it to the QuerySets before they are combined, or go on with those of"
                f" {self.model.__name__}.objects.filter(pk__in=combined.values('pk'))."
            )

    def _not_sliced(self, message: str) -> None:
        if self._query.is_sliced:
            raise QueryTypeError(message)

    # --- what it is ----------------------------------

    @property
    def query(self) -> ShownQuery:
        """The query with its values; `str()` of it is the SQL."""
        return ShownQuery(self)

    @query.setter
    def query(self, value: Any) -> None:
        self._query, self._values = value.parts
        self._result_cache = None

    @property
    def db(self) -> str:
        """The alias of the database that would be asked."""
        if self._db is not None:
            return self._db
        if not self._hints and router.is_idle:
            return DEFAULT_DB_ALIAS
        if self._for_write:
            return router.db_for_write(self.model, **self._hints)
        return router.db_for_read(self.model, **self._hints)

    @property
    def ordered(self) -> bool:
        """Whether the results have an order."""
        query = self._query
        if query.empty or query.order_by:
            return True
        return bool(query.default_ordering and query.opts.ordering and query.group_by is None)

    @property
    def totally_ordered(self) -> bool:
        """Whether the order leaves no two rows at the same place."""
        if not self.ordered:
            return False
        opts = self._query.opts
        names = set()
        for term in building.ordering_of(self._query):
            if isinstance(term, str):
                names.add(term.lstrip("-+"))
            elif isinstance(getattr(term, "expression", term), F):
                names.add(getattr(term, "expression", term).name)
        # By the name of a relation rows are in the order of the related model.
        fields = {
            field.name
            for field in opts.concrete_fields
            if field.attname in names
            or (
                field.name in names
                and not (field.is_relation and field.related_model._meta.ordering)
            )
        }
        if "pk" in names or {f.name for f in opts.pk_fields} <= fields:
            return True
        if any(f.name in fields for f in opts.concrete_fields if f.unique and not f.null):
            return True
        groups = [*opts.unique_together, *(c.fields for c in opts.total_unique_constraints)]
        return any(
            set(group) <= fields and not any(opts.get_field(name).null for name in group)
            for group in groups
        )

    def as_subquery(self) -> tuple[Query, tuple[Any, ...]]:
        """The query and its values, for the place of an operand."""
        return self._query, self._values

    # --- conditions ----------------------------------

    def filter(self, *args: Any, **kwargs: Any) -> Self:
        """The rows that satisfy all conditions.

        Raises FieldError for an unknown name, and what a field raises for a wrong value.
        """
        if args or not kwargs or not self._query.is_open:
            return self._conditions(False, args, kwargs)
        # As many names as shapes.  A loop, as `map`, `issuperset` and tuples take twice as long.
        sticky = not self._is_plain and self._sticky_filter
        parts: list[Any] = ["filter", sticky, *kwargs]
        values: list[Any] = []
        for value in kwargs.values():
            kind: Any = type(value)
            if kind in PLAIN:
                values.append(value)
                parts.append(kind)
            elif isinstance(value, Combinable):
                parts.append(value.keyed(values))
            else:
                return self._filtered_by_others(kwargs)
        key = tuple(parts)
        found = self._known(key, values)
        return self._newly_filtered(key, kwargs, values) if found is None else found

    def _filtered_by_others(self, kwargs: dict[str, Any]) -> Self:
        """The QuerySet after a filter by lists, queries, constants and values of other types."""
        given = {name: normalised(value) for name, value in kwargs.items()}
        values: list[Any] = []
        shapes = [keyed(value, values) for value in given.values()]
        key = ("filter", self._sticky_filter, *given, *shapes)
        found = self._known(key, values)
        return self._newly_filtered(key, given, values) if found is None else found

    def _newly_filtered(self, key: Any, kwargs: dict[str, Any], values: Sequence[Any]) -> Self:
        derived = self._query.derive(key, values, self._filter_step(kwargs))
        return self._next(*self._bound(derived, key, values, self._filter_step(kwargs)))

    def _filter_step(self, kwargs: dict[str, Any]) -> Apply:
        """The step of a filter by (normalised) keywords."""
        sticky = self._sticky_filter

        def apply(draft: Draft, slots: Slots) -> None:
            check_keywords(kwargs)
            pairs = [(name, argument(value, slots)) for name, value in kwargs.items()]
            add_q(draft, Q.create(pairs), sticky=sticky)

        return apply

    def _filtered(
        self, kwargs: dict[str, Any], values: tuple[Any, ...], kinds: tuple[Any, ...]
    ) -> tuple[Query, tuple[Any, ...]]:
        """The query and its values after a filter by keywords with plain values."""
        key = ("filter", self._sticky_filter, *kwargs, *kinds)
        derived = self._query.steps.get(key)
        if derived is not None:
            bind = derived.bind
            if bind is None:
                return derived.query, self._values + values
            try:
                return derived.query, self._values + bind(values)
            except OutOfRange:
                pass  # these values need a query of their own
        apply = self._filter_step(kwargs)
        derived = self._query.derive(key, values, apply)
        return self._bound(derived, key, values, apply)

    def exclude(self, *args: Any, **kwargs: Any) -> Self:
        """The rows that do not satisfy all conditions together."""
        return self._conditions(True, args, kwargs)

    def _conditions(self, negate: bool, args: Sequence[Any], kwargs: dict[str, Any]) -> Self:
        if not self._query.is_open:
            self._check_open(negate, args, kwargs)
        if len(kwargs) > 1:
            kwargs = dict(sorted(kwargs.items()))
        values: list[Any] = []
        parts: list[Any] = ["q", negate, self._sticky_filter, len(args)]
        for each in args:
            if not isinstance(each, Combinable):
                return self._with_q(_condition((*args, *_pairs(kwargs)), kwargs, negate))
            parts.append(each.keyed(values))
        for name in kwargs:
            kind: Any = type(value := kwargs[name])
            parts.append(name)
            if kind in PLAIN:
                values.append(value)
                parts.append(kind)
            else:
                value = kwargs[name] = normalised(value)
                parts.append(keyed(value, values))
        key = tuple(parts)
        found = self._known(key, values)
        return self._with_conditions(key, values, negate, args, kwargs) if found is None else found

    def _with_conditions(
        self, key: Any, values: Any, negate: bool, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Self:
        """The QuerySet after conditions of a new shape.

        Apart from `_conditions`, whose variables would be cells if a function inside it used them.
        """

        def apply(draft: Draft, slots: Slots) -> None:
            q = _condition((*args, *kwargs.items()), kwargs, negate)
            add_q(draft, q.parametrised(slots), sticky=self._sticky_filter)

        return self._step(key, values, apply)

    def _check_open(self, negate: bool, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        self._not_combined("exclude" if negate else "filter")
        if args or kwargs:
            self._not_sliced("Cannot filter a query once a slice has been taken.")

    def complex_filter(self, filter_obj: Any) -> Self:
        """The rows that satisfy a `Q` or a dictionary of lookups."""
        self._not_combined("complex_filter")
        if isinstance(filter_obj, Q):
            return self._with_q(filter_obj)
        return self._conditions(False, (), dict(filter_obj))

    def _with_q(self, q: Q) -> Self:
        sticky = self._sticky_filter
        values: list[Any] = []
        return self._step(
            ("one q", q.keyed(values), sticky),
            values,
            lambda draft, slots: add_q(draft, q.parametrised(slots), sticky=sticky),
        )

    def none(self) -> Self:
        """No rows, without asking the database."""
        return self._without_values("none", building.set_empty)

    def all(self) -> Self:
        """A copy."""
        if self._is_plain:
            return self._next(self._query, self._values)
        return self._chain()


def base_query(model: Any) -> Query:
    """The query for all rows of a model, made once."""
    derived = model._meta.derived
    found: Query | None = derived.get(base_query)
    if found is None:
        found = derived[base_query] = Query.all(model)
    return found


def _pairs(kwargs: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, normalised(value)) for name, value in kwargs.items()]


def _condition(args: Sequence[Any], kwargs: dict[str, Any], negate: bool) -> Q:
    """Conditions joined by AND, as `filter()` or `exclude()` was given them, checked."""
    check_keywords(kwargs)
    for each in args:
        if not hasattr(each, "parametrised") and not isinstance(each, tuple):
            raise FieldError(
                f"Cannot parse keyword query as {type(each).__name__}: {each!r} is no"
                " condition; give Q objects, conditional expressions or keywords"
            )
    return Q(*args, _negated=negate)
