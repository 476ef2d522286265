"""The steps of a QuerySet that say what its results are, in which order, and what is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self, overload

from aorm.connections import Using
from aorm.errors import QueryTypeError, QueryValueError
from aorm.fields.dates import DateField, DateTimeField
from aorm.models.chaining import Chaining
from aorm.models.placing import placed
from aorm.query import building
from aorm.query.conditions import keyed
from aorm.query.draft import Draft
from aorm.query.expressions import F, Slots, Subquery
from aorm.query.filters import Scope
from aorm.query.functions.datetime import Trunc
from aorm.query.nodes import Combinable
from aorm.query.shapes import shape_of
from aorm.query.state import Fixed

if TYPE_CHECKING:
    from aorm.models.queryset import QuerySet

#: Keys of slices from the first row on: of one row, and of several.
# A slice of so many rows is a structure of its own: PostgreSQL, which has to know the number to
# choose a plan, would make a new one for each execution (measured: 45 µs of 245).
SMALL_SIZE = 100
LARGE_SIZE, SIZE_STEP = 1000, 50
_HELD = frozenset({"_loaded", "_meta", "_own_state", "_remembered_values", "_state"})


class Shaping(Chaining):
    """Annotations, forms of results, order, slices, and loading."""

    # --- annotations ----------------------------------

    def annotate(self, *args: Any, **kwargs: Any) -> Self:
        """Each object with further values, computed in SQL, as attributes."""
        if self._query.combinator is not None:
            self._not_combined("annotate")
        return self._annotated(args, kwargs, "annotate")

    def alias(self, *args: Any, **kwargs: Any) -> Self:
        """Values computed in SQL, for later steps, that are not among the results."""
        self._not_combined("alias")
        return self._annotated(args, kwargs, "alias")

    def _annotated(self, args: Sequence[Any], kwargs: dict[str, Any], method: str) -> Self:
        given = named_expressions(args, kwargs, method) if args else kwargs
        if not given:
            return self._chain()
        values: list[Any] = []
        parts: list[Any] = [method, *given]
        for each in given.values():
            known = isinstance(each, Combinable)
            parts.append(each.keyed(values) if known else keyed(each, values))
        key = tuple(parts)
        found = self._known(key, values)
        return self._newly_annotated(key, values, given, method) if found is None else found

    def _newly_annotated(
        self, key: Any, values: list[Any], given: dict[str, Any], method: str
    ) -> Self:
        """The QuerySet after annotations of a new shape; apart for what `_with_conditions` says."""
        select = method == "annotate"

        def apply(draft: Draft, slots: Slots) -> None:
            named_expressions((), given, method)
            self._check_annotation_names(given)
            for name, expression in given.items():
                if hasattr(expression, "relation_name"):
                    building.check_alias(name)
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
                raise QueryValueError(
                    f"The annotation {name!r} conflicts with a field on the model."
                )
            if name in _HELD:
                raise QueryValueError(f"{name!r} is what instances keep their own state under")

    def _annotated_for_prefetch(self, columns: dict[str, Any]) -> Self:
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

    def values(self, *fields: Any, **expressions: Any) -> QuerySet[dict[str, Any]]:
        """The rows as dictionaries of these fields; of all without names."""
        return self._as_values("dict", fields, expressions)  # type: ignore[return-value]

    @overload
    def values_list(self, *fields: Any) -> QuerySet[tuple[Any, ...]]: ...
    @overload
    def values_list(self, *fields: Any, flat: bool = ..., named: bool = ...) -> QuerySet[Any]: ...

    def values_list(self, *fields: Any, flat: bool = False, named: bool = False) -> Any:
        """The rows as tuples; `flat`: the values of one field; `named`: as named tuples."""
        if flat and named:
            raise QueryTypeError("'flat' and 'named' can't be used together.")
        if flat and len(fields) > 1:
            raise QueryTypeError(
                "'flat' is not valid when values_list is called with more than one field."
            )
        expressions: dict[str, Any] = {}
        names: list[Any] = []
        for field in fields:
            if hasattr(field, "as_subquery"):
                field = Subquery(field)
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

    def _as_values(self, kind: str, fields: Sequence[Any], expressions: dict[str, Any]) -> Self:
        if not expressions:
            try:
                derived = self._query.steps.get(("values", kind, tuple(fields)))
            except TypeError:
                derived = None  # what cannot be hashed is no name, either
            if derived is not None:
                return self._next(derived.query, self._values)
        names = [*fields, *(name for name in expressions if name not in fields)]
        for name in names:
            if type(name) is not str and not isinstance(name, str):
                raise QueryTypeError(
                    f"values() and values_list() take names of fields, not {name!r}"
                )
        clone = self._annotated((), expressions, "annotate") if expressions else self
        return clone._with_form(kind, names)

    def _with_form(self, kind: str, names: list[Any]) -> Self:
        key = ("values", kind, tuple(names))
        return self._without_values(
            key, lambda draft: building.set_values(draft, names, (kind, None))
        )

    def dates(self, field_name: str, kind: str, order: str = "ASC") -> QuerySet[date]:
        """The different dates of a field, cut to year, month, week or day."""
        if kind not in ("year", "month", "week", "day"):
            raise QueryValueError("'kind' must be one of 'year', 'month', 'week', or 'day'.")
        return self._truncated("datefield", field_name, Trunc, kind, order, DateField)

    def datetimes(
        self, field_name: str, kind: str, order: str = "ASC", tzinfo: Any = None
    ) -> QuerySet[datetime]:
        """The different moments of a field, cut to year … second, in a time zone."""
        kinds = ("year", "month", "week", "day", "hour", "minute", "second")
        if kind not in kinds:
            raise QueryValueError(
                "'kind' must be one of 'year', 'month', 'week', 'day', 'hour', 'minute', or"
                " 'second'."
            )
        return self._truncated(
            "datetimefield", field_name, Trunc, kind, order, DateTimeField, tzinfo
        )

    def _truncated(
        self,
        name: str,
        field_name: str,
        trunc: Any,
        kind: str,
        order: str,
        output: Callable[[], Any],
        tzinfo: Any = None,
    ) -> QuerySet[Any]:
        if order not in ("ASC", "DESC"):
            raise QueryValueError("'order' must be either 'ASC' or 'DESC'.")
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

    def order_by(self, *field_names: Any) -> Self:
        """In this order, in place of any other: names, `-name`, `?`, expressions."""
        query = self._query
        if query.is_sliced:
            raise QueryTypeError("Cannot reorder a query once a slice has been taken.")
        values: list[Any] = []
        key = ("order", field_names)
        for each in field_names:
            if type(each) is not str:
                key = ("order", tuple([_term_key(each, values) for each in field_names]))
                found = self._known(key, values)
                if found is not None:
                    return found
                break
        else:
            derived = query.steps.get(key)
            if derived is not None:
                return self._next(derived.query, self._values)
        return self._newly_ordered(key, values, field_names)

    def _newly_ordered(self, key: Any, values: list[Any], field_names: tuple[Any, ...]) -> Self:
        """The QuerySet after an order of a new shape; apart for what `_with_conditions` says."""

        def apply(draft: Draft, slots: Slots) -> None:
            building.clear_ordering(draft, force=True, clear_default=False)
            building.add_ordering(draft, field_names, slots)

        return self._step(key, values, apply)

    def reverse(self) -> Self:
        """In the reverse order."""
        self._not_sliced("Cannot reverse a query once a slice has been taken.")

        def change(draft: Draft) -> None:
            draft.standard_ordering = not draft.standard_ordering

        return self._without_values("reverse", change)

    def distinct(self, *field_names: str) -> Self:
        """Without repeated rows; with names: the first row for each of their values.

        Which row is the first says `order_by`, which begins with the same names.  Names need
        PostgreSQL's DISTINCT ON; elsewhere the query is refused when it is run.  Raises FieldError
        for an unknown name.

        Source: https://www.postgresql.org/docs/current/sql-select.html#SQL-DISTINCT
        """
        self._not_combined("distinct")
        self._not_sliced("Cannot create distinct fields once a slice has been taken.")

        def change(draft: Draft) -> None:
            building.set_distinct(draft, field_names)

        return self._without_values(("distinct", field_names), change)

    def _sliced(self, low: int | None, high: int | None) -> Self:
        """The rows from place `low` up to `high`, within the rows of an earlier slice."""
        query = self._query
        if query.is_sliced:
            low, high = self._within(low or 0, high)
        added: tuple[int, ...] = (low,) if low else ()
        size: int | None = None
        if high is not None:
            size = high - low if low else high
            if size <= 0:
                return self._without_values("no rows", building.set_no_rows)
            if size > SMALL_SIZE and (size > LARGE_SIZE or size % SIZE_STEP):
                added += (size,)
                size = 0
        key = ("slice", bool(low), size)
        derived = query.steps.get(key)
        if derived is None:
            derived = query.derive(key, (), _limits(key))
        return self._next(derived.query, self._values + added)

    def _within(self, low: int, high: int | None) -> tuple[int, int | None]:
        query, values = self._query, self._values
        start = values[query.offset] if query.offset is not None else 0
        stop = None
        if query.limit is not None:
            limit = query.limit
            stop = start + (limit.number if isinstance(limit, Fixed) else values[limit])
        new_low = start + low
        new_high = None if high is None else start + high
        if stop is not None:
            new_low = min(new_low, stop)
            new_high = stop if new_high is None else min(new_high, stop)
        return new_low, new_high

    def top(self, size: int, *by: str) -> Self:
        """The first rows of each group of rows that have the same values of these fields.

        `Book.objects.order_by("-rating").top(3, "author")` is the three best books of each author.
        Like a slice, it is the last thing that is said about which rows there are.

        Args:
            size: how many rows of each group, in the order of the QuerySet.
            by: names of the fields, also of related objects, or of annotations.
        Raises:
            QueryValueError: the size is no number above 0, or no field is named.
            FieldError: a name is no field.
        """
        self._not_combined("top")
        self._not_sliced("Cannot take the top of groups once a slice has been taken.")
        if type(size) is not int or size < 1:
            raise QueryValueError(f"top() takes a number of rows above 0, not {size!r}")
        if not by or not all(map(_is_text, by)):
            raise QueryValueError("top() takes the names of the fields that make the groups")

        def apply(draft: Draft, slots: Slots) -> None:
            scope = Scope(draft)
            columns = [F(name).resolve(scope) for name in by]
            draft.per = tuple(c for each in columns for c in getattr(each, "columns", [each]))
            building.set_limits(draft, False, 0, slots)

        return self._step(("top", by), (size,), apply)

    # --- what is loaded ----------------------------------

    def select_related(self, *fields: Any) -> Self:
        """Load relations in the same statement; `None` forgets earlier ones."""
        self._not_combined("select_related")
        if self._query.form[0] != "model":
            raise QueryTypeError("Cannot call select_related() after .values() or .values_list()")

        def change(draft: Draft) -> None:
            if fields == (None,):
                draft.select_related = False
            elif fields:
                building.add_select_related(draft, fields)
            else:
                draft.select_related = True

        return self._without_values(("select related", fields), change)

    def prefetch_related(self, *lookups: Any) -> Self:
        """Load relations in statements of their own, one for each."""
        self._not_combined("prefetch_related")
        clone = self._chain()
        if lookups == (None,):
            clone._carry(_prefetch_related_lookups=())
            return clone
        for lookup in lookups:
            name = getattr(lookup, "prefetch_to", lookup)
            if str(name).split("__", 1)[0] in self._query.filtered_relations:
                raise QueryValueError("prefetch_related() is not supported with FilteredRelation.")
        clone._carry(_prefetch_related_lookups=(*self._prefetch_related_lookups, *lookups))
        return clone

    def defer(self, *fields: Any) -> Self:
        """Do not load these columns until they are used; `None` forgets earlier ones."""
        self._not_combined("defer")
        if self._query.form[0] != "model":
            raise QueryTypeError("Cannot call defer() after .values() or .values_list()")

        def change(draft: Draft) -> None:
            if fields == (None,):
                draft.deferred = (frozenset(), True)
            else:
                building.add_deferred(draft, fields)
                building.check_deferred(draft)

        return self._without_values(("defer", fields), change)

    def only(self, *fields: Any) -> Self:
        """Load these columns alone."""
        self._not_combined("only")
        if self._query.form[0] != "model":
            raise QueryTypeError("Cannot call only() after .values() or .values_list()")
        if fields == (None,):
            raise QueryTypeError("Cannot pass None as an argument to only().")
        for field in fields:
            if field.split("__", 1)[0] in self._query.filtered_relations:
                raise QueryValueError("only() is not supported with FilteredRelation.")

        def change(draft: Draft) -> None:
            building.only(draft, fields)
            building.check_deferred(draft)

        return self._without_values(("only", fields), change)

    def using(self, alias: Using) -> Self:
        """On this database, or in this transaction.

        Args:
            alias: of a database; or an open transaction, for code that its context does not reach:
                what `with atomic() as transaction` gave, or the object that was entered.
        """
        clone = self._chain()
        clone._db, place = placed(alias)
        if place is not None or not clone._is_plain:
            clone._carry(_place=place)
        return clone

    def select_for_update(
        self,
        nowait: bool = False,
        skip_locked: bool = False,
        of: Iterable[str] = (),
        no_key: bool = False,
    ) -> Self:
        """Lock the rows until the end of the transaction."""
        self._not_combined("select_for_update")
        if nowait and skip_locked:
            raise QueryValueError("The nowait option cannot be used with skip_locked.")
        lock = (nowait, skip_locked, tuple(of), no_key)

        def change(draft: Draft) -> None:
            draft.lock = lock

        clone = self._without_values(("lock", lock), change)
        clone._carry(_for_write=True)
        return clone

    def fetch_mode(self, mode: Any) -> Self:
        """How missing columns and relations of the objects are loaded."""
        clone = self._chain()
        clone._carry(_fetch_mode=mode)
        return clone

    def _add_hints(self, **hints: Any) -> None:
        self._carry(_hints={**self._hints, **hints})


def _limits(key: tuple[Any, ...]) -> Callable[[Draft, Slots], None]:
    """The step of a slice, of the shape that its key says."""
    _, low, size = key

    def apply(draft: Draft, slots: Slots) -> None:
        draft.limit = draft.offset = None
        building.set_limits(draft, low, size, slots)

    return apply


def as_expression(value: Any) -> Any:
    """An annotation: an expression as it is, a QuerySet as a subquery, else refused."""
    if hasattr(value, "parametrised"):
        return value
    if hasattr(value, "as_subquery"):
        return Subquery(value)
    raise QueryTypeError(f"{value!r} is no expression: wrap a plain value in Value()")


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
        raise QueryTypeError(f"QuerySet.{method}() received non-expression(s): {', '.join(wrong)}.")
    for each in args:
        try:
            name = each.default_alias
        except (AttributeError, TypeError) as error:
            raise QueryTypeError("Complex annotations require an alias") from error
        if name in kwargs or name in found:
            raise QueryValueError(
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


def _term_key(term: Any, values: list[Any]) -> Any:
    if type(term) is str:
        return term
    return term.keyed(values) if hasattr(term, "keyed") else shape_of(term)


def _expression_name(expression: Any, taken: set[Any]) -> str:
    stem = getattr(expression, "default_alias", None) or type(expression).__name__.lower()
    number = 1
    while f"{stem}{number}" in taken:
        number += 1
    return f"{stem}{number}"
