"""The half of a QuerySet that makes another QuerySet, and never asks a database.

1. A QuerySet is a `Query`, a tuple of values and a database alias; a step looks the next query
   up by the shape of what it was given, and appends the values.
2. A step never changes the QuerySet that it starts from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeVar

from aorm.errors import NotSupportedError
from aorm.fields.dates import DateField, DateTimeField
from aorm.fields.lookup_registry import generation
from aorm.models.shown import ShownQuery
from aorm.operations.routing import DEFAULT_DB_ALIAS, router
from aorm.query import building
from aorm.query.conditions import Q, argument, collect_value
from aorm.query.draft import Draft
from aorm.query.expressions import F, Slots, Subquery
from aorm.query.filters import Scope, add_q
from aorm.query.functions.datetime import Trunc
from aorm.query.lookups import OutOfRange
from aorm.query.query import Derived, Query
from aorm.query.shapes import PLAIN, is_structural, normalised, shape_of

Self = TypeVar("Self", bound="Chaining")
Apply = Callable[[Draft, Slots], Any]
REPR_OUTPUT_SIZE = 20
_PLAIN = PLAIN.issuperset


class Chaining:
    """What `filter()` and its kin are made of."""

    model: Any
    _query: Query
    _values: tuple[Any, ...]
    _db: str | None
    _result_cache: list[Any] | None
    _hints: dict[str, Any] = {}
    _prefetch_related_lookups: tuple[Any, ...] = ()
    _prefetch_done = False
    _known_related_objects: dict[Any, dict[Any, Any]] = {}
    _sticky_filter = False
    _for_write = False
    _fetch_mode: Any = None
    _inner_db: str | None = None
    _plainly_cloned: ClassVar[bool] = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._plainly_cloned = cls._clone is Chaining._clone and cls._chain is Chaining._chain

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
        if hints:
            self._hints = hints

    # --- copies ----------------------------------

    def _clone(self: Self) -> Self:
        clone = type(self).__new__(type(self))
        clone.__dict__.update(self.__dict__)
        clone._result_cache = None
        clone.__dict__.pop("_prefetch_done", None)
        return clone

    def _chain(self: Self) -> Self:
        """A copy to go on from."""
        return self._clone()

    def _next(self: Self, query: Query, values: tuple[Any, ...]) -> Self:
        """A copy with another query and other values."""
        held = self.__dict__
        if len(held) == 5 and self._plainly_cloned:
            clone = object.__new__(type(self))
            clone.model = self.model
            clone._query = query
            clone._values = values
            clone._db = self._db
            clone._result_cache = None
            return clone
        clone = self._chain()
        clone._query = query
        clone._values = values
        clone.__dict__.pop("_sticky_filter", None)
        return clone

    def _next_is_sticky(self: Self) -> Self:
        """The next filter and the one after it are about the same rows of to-many relations."""
        clone = self._chain()
        clone._sticky_filter = True
        return clone

    def _step(self: Self, key: Any, values: Sequence[Any], apply: Apply) -> Self:
        """The QuerySet after a step with values in the order in which `apply` numbers them."""
        query = self._query
        derived = query.steps.get(key)
        if derived is None:
            derived = query.derive(key, values, apply)
        return self._after(derived, key, values, apply)

    def _after(self: Self, derived: Derived, key: Any, values: Sequence[Any], apply: Apply) -> Self:
        bind = derived.bind
        if bind is not None:
            try:
                values = bind(values)
            except OutOfRange:
                derived = self._query.derive(key, values, apply)
                if derived.bind is not None:
                    values = derived.bind(values)
        return self._next(derived.query, (*self._values, *values))

    def _without_values(self: Self, key: Any, change: Callable[[Draft], Any]) -> Self:
        return self._next(self._query.changed(key, change), self._values)

    def _not_combined(self, method: str) -> None:
        if self._query.combinator is not None:
            raise NotSupportedError(
                f"Calling QuerySet.{method}() after {self._query.combinator[0]}() is not supported."
            )

    def _not_sliced(self, message: str) -> None:
        if self._query.is_sliced:
            raise TypeError(message)

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

    def resolve_expression(self, *args: Any, **options: Any) -> Any:
        return self

    # --- conditions ----------------------------------

    def filter(self: Self, *args: Any, **kwargs: Any) -> Self:
        """The rows that satisfy all conditions.

        Raises FieldError for an unknown name, and what a field raises for a wrong value.
        """
        if args or self._query.combinator is not None or not kwargs:
            return self._conditions(False, args, kwargs)
        if self._query.is_sliced:
            raise TypeError("Cannot filter a query once a slice has been taken.")
        values = tuple(kwargs.values())
        kinds: tuple[Any, ...] = tuple(map(type, values))
        flat: Sequence[Any] = values
        if not _PLAIN(kinds):
            self = self._remembering_databases(values)
            values = tuple(map(normalised, values))
            kinds = tuple(map(shape_of, values))
            flat = flattened(values)
        sticky = self._sticky_filter
        key = ("filter", tuple(kwargs), kinds, sticky)
        derived = self._query.steps.get(key)
        if derived is not None:
            bind = derived.bind
            if bind is None:
                return self._next(derived.query, (*self._values, *flat))
            try:
                return self._next(derived.query, self._values + bind(flat))
            except OutOfRange:
                pass  # these values need a query of their own

        def apply(draft: Draft, slots: Slots) -> None:
            pairs = [
                (name, argument(value, slots)) for name, value in zip(kwargs, values, strict=True)
            ]
            add_q(draft, Q.create(pairs), sticky=sticky)

        return self._after(self._query.derive(key, flat, apply), key, flat, apply)

    def _remembering_databases(self: Self, values: Iterable[Any]) -> Self:
        """With the database that a QuerySet among the values is bound to."""
        for value in values:
            alias = getattr(value, "_db", None) if hasattr(value, "as_subquery") else None
            if alias is not None:
                clone = self._chain()
                clone._inner_db = alias
                return clone
        return self

    def exclude(self: Self, *args: Any, **kwargs: Any) -> Self:
        """The rows that do not satisfy all conditions together."""
        return self._conditions(True, args, kwargs)

    def _conditions(self: Self, negate: bool, args: Sequence[Any], kwargs: dict[str, Any]) -> Self:
        self._not_combined("exclude" if negate else "filter")
        if args or kwargs:
            self._not_sliced("Cannot filter a query once a slice has been taken.")
        if any(name in ("_connector", "_negated") for name in kwargs):
            raise TypeError("the names _connector and _negated are not fields")
        for each in args:
            if not hasattr(each, "parametrised") and not isinstance(each, tuple):
                raise TypeError(
                    f"{each!r} is no condition: give Q objects, conditional expressions or keywords"
                )
        return self._with_q(~Q(*args, **kwargs) if negate else Q(*args, **kwargs))

    def complex_filter(self: Self, filter_obj: Any) -> Self:
        """The rows that satisfy a `Q` or a dictionary of lookups."""
        if isinstance(filter_obj, Q):
            return self._with_q(filter_obj)
        return self._conditions(False, (), filter_obj)

    def _with_q(self: Self, q: Q) -> Self:
        sticky = self._sticky_filter
        key = ("q", q.shape, sticky)
        return self._step(
            key,
            q.values_,
            lambda draft, slots: add_q(draft, q.parametrised(slots), sticky=sticky),
        )

    def none(self: Self) -> Self:
        """No rows, without asking the database."""
        return self._without_values("none", building.set_empty)

    def all(self: Self) -> Self:
        """A copy."""
        return self._chain()

    # --- annotations ----------------------------------

    def annotate(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Each object with further values, computed in SQL, as attributes."""
        self._not_combined("annotate")
        return self._annotated(args, kwargs, select=True)

    def alias(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Values computed in SQL, for later steps, that are not among the results."""
        self._not_combined("alias")
        return self._annotated(args, kwargs, select=False)

    def _annotated(
        self: Self, args: Sequence[Any], kwargs: dict[str, Any], *, select: bool
    ) -> Self:
        given = named_expressions(args, kwargs, "annotate" if select else "alias")
        if not given:
            return self._chain()
        self._check_annotation_names(given)
        values: list[Any] = []
        for expression in given.values():
            collect_value(expression, values)
        key = (
            "annotate" if select else "alias",
            tuple(given),
            tuple(shape_of(each) for each in given.values()),
        )

        def apply(draft: Draft, slots: Slots) -> None:
            for name, expression in given.items():
                if hasattr(expression, "relation_name"):
                    expression.attach(draft, name, slots)
                    continue
                building.annotate(
                    draft, name, as_expression(expression).parametrised(slots), select=select
                )
            building.group_after_annotation(
                draft, [name for name in given if name in draft.annotations]
            )

        return self._step(key, values, apply)

    def _check_annotation_names(self, given: dict[str, Any]) -> None:
        taken = taken_names(self.model)
        for name in given:
            if name in taken and not (
                self._query.values_names and name not in self._query.values_names
            ):
                raise ValueError(f"The annotation {name!r} conflicts with a field on the model.")

    def _annotated_for_prefetch(self: Self, columns: dict[str, Any]) -> Self:
        """Annotations over the tables that the filter before has joined."""

        def apply(draft: Draft, slots: Slots) -> None:
            reuse = set(draft.used_aliases)
            for name, expression in columns.items():
                draft.annotations[name] = expression.resolve(Scope(draft, reuse=reuse))
                if draft.annotation_mask is not None:
                    draft.annotation_mask = (*draft.annotation_mask, name)

        key = ("prefetch", tuple((name, e.shape) for name, e in columns.items()))
        return self._step(key, (), apply)

    # --- the form of results ----------------------------------

    def values(self: Self, *fields: Any, **expressions: Any) -> Self:
        """The rows as dictionaries of these fields; of all without names."""
        return self._as_values("dict", fields, expressions)

    def values_list(self: Self, *fields: Any, flat: bool = False, named: bool = False) -> Self:
        """The rows as tuples; `flat`: the values of one field; `named`: as named tuples."""
        if flat and named:
            raise TypeError("'flat' and 'named' can't be used together.")
        if flat and len(fields) > 1:
            raise TypeError(
                "'flat' is not valid when values_list is called with more than one field."
            )
        expressions: dict[str, Any] = {}
        names: list[Any] = []
        for field in fields:
            if hasattr(field, "parametrised"):
                name = _expression_name(field, {*expressions, *filter(_is_text, fields)})
                expressions[name] = field
                names.append(name)
            else:
                names.append(field)
        if flat and not fields:
            names = [self.model._meta.concrete_fields[0].attname]
        kind = "named" if named else "flat" if flat else "tuple"
        return self._as_values(kind, names, expressions)

    def _as_values(
        self: Self, kind: str, fields: Sequence[Any], expressions: dict[str, Any]
    ) -> Self:
        names = [*fields, *(name for name in expressions if name not in fields)]
        for name in names:
            if not isinstance(name, str):
                raise TypeError(f"values() and values_list() take names of fields, not {name!r}")
        if self._query.combinator is not None:
            names = names or []
        clone = self._annotated((), expressions, select=True) if expressions else self
        key = ("values", kind, tuple(names))
        return clone._without_values(
            key, lambda draft: building.set_values(draft, names, (kind, None))
        )

    def dates(self: Self, field_name: str, kind: str, order: str = "ASC") -> Self:
        """The different dates of a field, cut to year, month, week or day."""
        if kind not in ("year", "month", "week", "day"):
            raise ValueError("'kind' must be one of 'year', 'month', 'week', or 'day'.")
        return self._truncated("datefield", field_name, Trunc, kind, order, DateField)

    def datetimes(
        self: Self, field_name: str, kind: str, order: str = "ASC", tzinfo: Any = None
    ) -> Self:
        """The different moments of a field, cut to year … second, in a time zone."""
        kinds = ("year", "month", "week", "day", "hour", "minute", "second")
        if kind not in kinds:
            raise ValueError(
                "'kind' must be one of 'year', 'month', 'week', 'day', 'hour', 'minute', or"
                " 'second'."
            )
        return self._truncated(
            "datetimefield", field_name, Trunc, kind, order, DateTimeField, tzinfo
        )

    def _truncated(
        self: Self,
        name: str,
        field_name: str,
        trunc: Any,
        kind: str,
        order: str,
        output: Callable[[], Any],
        tzinfo: Any = None,
    ) -> Self:
        if order not in ("ASC", "DESC"):
            raise ValueError("'order' must be either 'ASC' or 'DESC'.")
        options = {"tzinfo": tzinfo} if name == "datetimefield" else {}
        expression = trunc(field_name, kind, output_field=output(), **options)
        return (
            self.annotate(**{name: expression, "plain_field": F(field_name)})
            .values_list(name, flat=True)
            .distinct()
            .filter(plain_field__isnull=False)
            .order_by(("-" if order == "DESC" else "") + name)
        )

    # --- order and number ----------------------------------

    def order_by(self: Self, *field_names: Any) -> Self:
        """In this order, in place of any other: names, `-name`, `?`, expressions."""
        query = self._query
        if query.is_sliced:
            raise TypeError("Cannot reorder a query once a slice has been taken.")
        key = ("order", field_names)
        if all(map(_is_text, field_names)):
            derived = query.steps.get(key)
            if derived is not None:
                return self._next(derived.query, self._values)
            values: list[Any] = []
        else:
            key = ("order", tuple(t if _is_text(t) else shape_of(t) for t in field_names))
            values = []
            for each in field_names:
                if hasattr(each, "parametrised"):
                    each.collect(values)

        def apply(draft: Draft, slots: Slots) -> None:
            building.clear_ordering(draft, force=True, clear_default=False)
            building.add_ordering(draft, field_names, slots)

        return self._step(key, values, apply)

    def reverse(self: Self) -> Self:
        """In the reverse order."""
        self._not_sliced("Cannot reverse a query once a slice has been taken.")

        def change(draft: Draft) -> None:
            draft.standard_ordering = not draft.standard_ordering

        return self._without_values("reverse", change)

    def distinct(self: Self, *field_names: str) -> Self:
        """Without repeated rows; with names: the first row for each of their values."""
        self._not_combined("distinct")
        self._not_sliced("Cannot create distinct fields once a slice has been taken.")

        def change(draft: Draft) -> None:
            draft.distinct, draft.distinct_fields = True, field_names

        return self._without_values(("distinct", field_names), change)

    def _sliced(self: Self, low: int | None, high: int | None) -> Self:
        """The rows from place `low` up to `high`, within the rows of an earlier slice."""
        query, values = self._query, self._values
        if query.is_sliced:
            low, high = self._within(low or 0, high)
        low = low or 0
        if high is not None and high <= low:
            return self._without_values("none", building.set_empty)
        one = high is not None and high - low == 1
        key = ("slice", low > 0, high is not None, one)
        derived = query.steps.get(key)
        if derived is None:
            has_low, has_high = low > 0, high is not None

            def apply(draft: Draft, slots: Slots) -> None:
                draft.limit = draft.offset = None
                building.set_limits(draft, has_low, has_high, one, slots)

            derived = query.derive(key, (), apply)
        added: tuple[Any, ...] = (low,) if low else ()
        if high is not None:
            added += (high - low,)
        return self._next(derived.query, values + added)

    def _within(self, low: int, high: int | None) -> tuple[int, int | None]:
        query, values = self._query, self._values
        start = values[query.offset] if query.offset is not None else 0
        stop = None
        if isinstance(query.limit, int):
            stop = start + values[query.limit]
        new_low = start + low
        new_high = None if high is None else start + high
        if stop is not None:
            new_low = min(new_low, stop)
            new_high = stop if new_high is None else min(new_high, stop)
        return new_low, new_high

    # --- what is loaded ----------------------------------

    def select_related(self: Self, *fields: Any) -> Self:
        """Load relations in the same statement; `None` forgets earlier ones."""
        self._not_combined("select_related")
        if self._query.form[0] != "model":
            raise TypeError("Cannot call select_related() after .values() or .values_list()")

        def change(draft: Draft) -> None:
            if fields == (None,):
                draft.select_related = False
            elif fields:
                building.add_select_related(draft, fields)
            else:
                draft.select_related = True

        return self._without_values(("select related", fields), change)

    def prefetch_related(self: Self, *lookups: Any) -> Self:
        """Load relations in statements of their own, one for each."""
        self._not_combined("prefetch_related")
        clone = self._chain()
        if lookups == (None,):
            clone._prefetch_related_lookups = ()
            return clone
        for lookup in lookups:
            name = getattr(lookup, "prefetch_to", lookup)
            if str(name).split("__", 1)[0] in self._query.filtered_relations:
                raise ValueError("prefetch_related() is not supported with FilteredRelation.")
        clone._prefetch_related_lookups = (*self._prefetch_related_lookups, *lookups)
        return clone

    def defer(self: Self, *fields: Any) -> Self:
        """Do not load these columns until they are used; `None` forgets earlier ones."""
        self._not_combined("defer")
        if self._query.form[0] != "model":
            raise TypeError("Cannot call defer() after .values() or .values_list()")

        def change(draft: Draft) -> None:
            if fields == (None,):
                draft.deferred = (frozenset(), True)
            else:
                building.add_deferred(draft, fields)
                building.check_deferred(draft)

        return self._without_values(("defer", fields), change)

    def only(self: Self, *fields: Any) -> Self:
        """Load these columns alone."""
        self._not_combined("only")
        if self._query.form[0] != "model":
            raise TypeError("Cannot call only() after .values() or .values_list()")
        if fields == (None,):
            raise TypeError("Cannot pass None as an argument to only().")
        for field in fields:
            if field.split("__", 1)[0] in self._query.filtered_relations:
                raise ValueError("only() is not supported with FilteredRelation.")

        def change(draft: Draft) -> None:
            building.only(draft, fields)
            building.check_deferred(draft)

        return self._without_values(("only", fields), change)

    def using(self: Self, alias: str | None) -> Self:
        """On this database."""
        clone = self._chain()
        clone._db = alias
        return clone

    def select_for_update(
        self: Self,
        nowait: bool = False,
        skip_locked: bool = False,
        of: Iterable[str] = (),
        no_key: bool = False,
    ) -> Self:
        """Lock the rows until the end of the transaction."""
        if nowait and skip_locked:
            raise ValueError("The nowait option cannot be used with skip_locked.")
        lock = (nowait, skip_locked, tuple(of), no_key)

        def change(draft: Draft) -> None:
            draft.lock = lock

        clone = self._without_values(("lock", lock), change)
        clone._for_write = True
        return clone

    def fetch_mode(self: Self, mode: Any) -> Self:
        """How missing columns and relations of the objects are loaded."""
        clone = self._chain()
        clone._fetch_mode = mode
        return clone

    def _add_hints(self, **hints: Any) -> None:
        self._hints = {**self._hints, **hints}

    # --- two QuerySets ----------------------------------

    def _merged(self: Self, other: Any, connector: str) -> Self:
        if not isinstance(other, Chaining):
            raise TypeError(f"a QuerySet cannot be combined with {other!r}")
        if self.model is not other.model and (
            self.model._meta.concrete_model is not other.model._meta.concrete_model
        ):
            raise TypeError("Cannot combine queries on two different base models.")
        theirs, values = other._query, other._values
        base = self._query.slots

        def apply(draft: Draft, slots: Slots) -> None:
            slots.take(theirs.slots)
            building.combine(draft, theirs, connector, base)

        return self._step(("combine", connector, theirs), values, apply)


def base_query(model: Any) -> Query:
    """The query for all rows of a model, made once."""
    derived = model._meta.derived
    found: Query | None = derived.get(base_query)
    if found is None or derived.get(generation) != generation():
        # A lookup that was registered since may change what a name means.
        found = derived[base_query] = Query.all(model)
        derived[generation] = generation()
    return found


def flattened(values: Sequence[Any]) -> Sequence[Any]:
    """The values of arguments among which expressions may be."""
    if not any(map(_has_structure, values)):
        return values
    found: list[Any] = []
    for value in values:
        collect_value(value, found)
    return found


def _has_structure(value: Any) -> bool:
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(is_structural, value))
    return is_structural(value)


def as_expression(value: Any) -> Any:
    """An annotation: an expression as it is, a QuerySet as a subquery, else refused."""
    if hasattr(value, "parametrised"):
        return value
    if hasattr(value, "as_subquery"):
        return Subquery(value)
    raise TypeError(f"{value!r} is no expression: wrap a plain value in Value()")


def named_expressions(args: Sequence[Any], kwargs: dict[str, Any], method: str) -> dict[str, Any]:
    """Expressions by name; those without one get their default name."""
    found: dict[str, Any] = {}
    wrong = [
        repr(each)
        for each in (*args, *kwargs.values())
        if not (
            hasattr(each, "parametrised")
            or hasattr(each, "as_subquery")
            or hasattr(each, "relation_name")
        )
    ]
    if wrong:
        raise TypeError(f"QuerySet.{method}() received non-expression(s): {', '.join(wrong)}.")
    for each in args:
        try:
            name = each.default_alias
        except (AttributeError, TypeError) as error:
            raise TypeError("Complex annotations require an alias") from error
        if name in kwargs or name in found:
            raise ValueError(
                f"The named annotation {name!r} conflicts with the default name for another"
                " annotation."
            )
        found[name] = each
    found.update(kwargs)
    return found


def taken_names(model: Any) -> frozenset[str]:
    """The names that an annotation of this model cannot have."""
    opts = model._meta
    found = opts.derived.get(taken_names)
    if found is None:
        names: set[str] = set()
        for field in opts.get_fields():
            if not hasattr(field, "attname") and hasattr(field, "get_accessor_name"):
                names.add(field.get_accessor_name() or field.name)
                continue
            names.add(field.name)
            if getattr(field, "attname", None):
                names.add(field.attname)
        found = opts.derived[taken_names] = frozenset(names)
    return found  # type: ignore[no-any-return]


def _is_text(value: Any) -> bool:
    return type(value) is str


def _expression_name(expression: Any, taken: set[Any]) -> str:
    stem = getattr(expression, "default_alias", None) or type(expression).__name__.lower()
    number = 1
    while f"{stem}{number}" in taken:
        number += 1
    return f"{stem}{number}"
