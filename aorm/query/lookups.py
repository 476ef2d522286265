"""Lookups: comparisons of an expression with a value, found by name (`exact`, `in`, `gte`, …).

1. A lookup never keeps a value: `accept` turns an `Argument` into a `Param` and leaves in the
   argument the converter that each later value of the same shape goes through.
2. The converter refuses a wrong value, so that it never comes near the database.
3. How a lookup is spelt stands in `aorm.sql`.
"""

from __future__ import annotations

from typing import Any

from aorm.errors import QueryTypeError, QueryValueError
from aorm.fields import numbers, various
from aorm.fields.base import Field
from aorm.query.conditions import NOTHING, Argument, argument, collect_value
from aorm.query.expressions import (
    Col,
    Expression,
    Param,
    QueryNode,
    Slots,
    int_kind,
)
from aorm.query.lookup import BuiltinLookup, Items, Lookup, check_selected
from aorm.query.preparation import (
    ESCAPES,
    RANGE_CHECKS,
    Converter,
    NoneAtAll,
    NothingLeft,
    OutOfRange,
    PreparedNone,
    clamped,
    column_of,
    escaped_exactly,
    field_of,
    fitting,
    is_fraction,
    list_converter,
    misfit,
    never_none,
    pipe,
    range_of,
    refused,
    rounded_up,
    scalar_converter,
    with_rest,
)

__all__ = [
    "EVERYTHING",
    "RANGE_CHECKS",
    "BuiltinLookup",
    "Contains",
    "Converter",
    "EndsWith",
    "Everything",
    "Exact",
    "GreaterThan",
    "GreaterThanOrEqual",
    "IContains",
    "IEndsWith",
    "IExact",
    "IRegex",
    "IStartsWith",
    "In",
    "IntegerFieldExact",
    "IntegerGreaterThan",
    "IntegerGreaterThanOrEqual",
    "IntegerLessThan",
    "IntegerLessThanOrEqual",
    "IsNull",
    "Items",
    "LessThan",
    "LessThanOrEqual",
    "Lookup",
    "NoneAtAll",
    "NothingLeft",
    "OutOfRange",
    "PatternLookup",
    "PreparedNone",
    "Range",
    "Regex",
    "StartsWith",
    "UUIDTextMixin",
    "YearExact",
    "YearGt",
    "YearGte",
    "YearLookup",
    "YearLt",
    "YearLte",
    "check_selected",
    "column_of",
    "fitting",
    "list_converter",
    "never_none",
    "pipe",
    "refused",
    "scalar_converter",
    "with_rest",
]


# --- comparisons ----------------------------------------


@Field.register_lookup
class Exact(BuiltinLookup):
    lookup_name = "exact"

    def accept(self, given: Argument) -> Any:
        if misfit(self.lhs, given.sample):
            given.volatile = True
            return NOTHING
        return super().accept(given)

    def accept_query(self, node: Any) -> None:
        check_selected(node.query, "exact")
        if not node.query.is_limited_to_one:
            raise QueryValueError(
                "The QuerySet value for an exact lookup must be limited to one result using"
                " slicing."
            )
        if isinstance(node, QueryNode):
            node.query = node.query.for_comparison()


@Field.register_lookup
class IExact(BuiltinLookup):
    lookup_name = "iexact"
    prepare_rhs = False

    def converter(self, sample: Any) -> Converter | None:
        prepare = scalar_converter(self.lhs, sample)
        return pipe(prepare, escaped_exactly)


class _Ordered(BuiltinLookup):
    """A comparison of order; beyond 64 bits the answer is the same for every row."""

    above_all: bool

    def accept(self, given: Argument) -> Any:
        beyond = misfit(self.lhs, given.sample)
        if beyond:
            given.volatile = True
            return NOTHING if self.above_all == (beyond > 0) else EVERYTHING
        return super().accept(given)


class Everything(Expression):
    """Stands on the right side of a comparison that holds for every value but NULL."""

    def resolve(self, scope: Any) -> Any:
        return self

    def parametrised(self, slots: Slots) -> Any:
        return self


EVERYTHING = Everything()


@Field.register_lookup
class GreaterThan(_Ordered):
    lookup_name = "gt"
    above_all = True


@Field.register_lookup
class GreaterThanOrEqual(_Ordered):
    lookup_name = "gte"
    above_all = True


@Field.register_lookup
class LessThan(_Ordered):
    lookup_name = "lt"
    above_all = False


@Field.register_lookup
class LessThanOrEqual(_Ordered):
    lookup_name = "lte"
    above_all = False


@numbers.IntegerField.register_lookup
class IntegerFieldExact(Exact):
    pass


class _IntegerFloatRounding:
    def converter(self, sample: Any) -> Converter | None:
        if is_fraction(sample):
            return pipe(rounded_up, numbers.IntegerField().get_prep_value)
        return super().converter(sample)  # type: ignore[misc,no-any-return]


@numbers.IntegerField.register_lookup
class IntegerGreaterThanOrEqual(_IntegerFloatRounding, GreaterThanOrEqual):
    pass


@numbers.IntegerField.register_lookup
class IntegerGreaterThan(GreaterThan):
    pass


@numbers.IntegerField.register_lookup
class IntegerLessThanOrEqual(LessThanOrEqual):
    pass


@numbers.IntegerField.register_lookup
class IntegerLessThan(_IntegerFloatRounding, LessThan):
    pass


@Field.register_lookup
class In(BuiltinLookup):
    lookup_name = "in"
    takes_list = True

    def accept(self, given: Argument) -> Any:
        sample = given.sample
        if isinstance(sample, str | bytes) or not hasattr(sample, "__iter__"):
            raise QueryTypeError(
                f"the value of an 'in' lookup must be a list, a tuple, a set or a query set, not"
                f" {type(sample).__name__!r} ({sample!r})"
            )
        kinds: frozenset[type] = frozenset(map(type, sample))
        if not kinds - {type(None)}:
            given.use(None)
            return NOTHING
        convert = with_rest(self.list_converter(sample, kinds))
        given.use(convert)
        try:
            convert(sample)
        except NothingLeft:
            given.use(None)
            given.volatile = True
            return NOTHING
        return Param(given.slot, self.param_field, (list, kinds), typed=False)

    def _settle(self) -> None:
        rhs = self.rhs
        if type(rhs) is not Argument or not self._transforms_both():
            super()._settle()
            return
        accepted = self.accept(rhs)
        if isinstance(accepted, Param):
            # A function of each item: as many operands as there are items.
            rhs.volatile = True
            count = len(rhs.converter(rhs.sample) if rhs.converter is not None else rhs.sample)
            items = (Param(rhs.slot, accepted._output_field, item=i) for i in range(count))
            accepted = Items(map(self._bilateral, items))
        self.rhs = accepted

    def list_converter(self, sample: Any, kinds: frozenset[type]) -> Converter:
        field = field_of(self.lhs)
        plain: frozenset[type] = getattr(field, "plain_types", frozenset())
        rest = kinds - {type(None)}
        if (
            not rest <= plain
            and any(issubclass(kind, list | tuple | set | dict) for kind in rest)
            and not getattr(field, "takes_collections", False)
        ):
            raise refused(
                field, next(i for i in sample if isinstance(i, list | tuple | set | dict))
            )
        prepare = None if rest <= plain else getattr(field, "get_prep_value", None)
        return fitting(list_converter(prepare, kinds), self.lhs)

    def accept_query(self, node: Any) -> None:
        check_selected(node.query, "'in'")
        if isinstance(node, QueryNode):
            node.query = node.query.for_in()


class PatternLookup(BuiltinLookup):
    """A text lookup; the value is escaped and surrounded with wildcards when it is built in."""

    prepare_rhs = False
    pattern = "%{}%"

    def converter(self, sample: Any) -> Converter | None:
        if isinstance(sample, list | tuple | set | dict):
            raise refused(field_of(self.lhs), sample)
        before, after = self.pattern.split("{}")

        def convert(value: Any) -> str:
            text = value if type(value) is str else str(value)
            if "%" in text or "_" in text or "\\" in text:
                text = text.translate(ESCAPES)
            return f"{before}{text}{after}"

        return convert


@Field.register_lookup
class Contains(PatternLookup):
    lookup_name = "contains"


@Field.register_lookup
class IContains(Contains):
    lookup_name = "icontains"


@Field.register_lookup
class StartsWith(PatternLookup):
    lookup_name = "startswith"
    pattern = "{}%"


@Field.register_lookup
class IStartsWith(StartsWith):
    lookup_name = "istartswith"


@Field.register_lookup
class EndsWith(PatternLookup):
    lookup_name = "endswith"
    pattern = "%{}"


@Field.register_lookup
class IEndsWith(EndsWith):
    lookup_name = "iendswith"


@Field.register_lookup
class Regex(BuiltinLookup):
    lookup_name = "regex"
    prepare_rhs = False

    def converter(self, sample: Any) -> Converter | None:
        if isinstance(sample, list | tuple | set | dict):
            raise refused(field_of(self.lhs), sample)
        return None if isinstance(sample, str) else str


@Field.register_lookup
class IRegex(Regex):
    lookup_name = "iregex"


@Field.register_lookup
class Range(BuiltinLookup):
    lookup_name = "range"
    takes_list = True

    def accept(self, given: Argument) -> Any:
        sample = given.sample
        if isinstance(sample, str) or not hasattr(sample, "__len__") or len(sample) != 2:
            raise QueryValueError(f"the value of a 'range' lookup must be a pair, not {sample!r}")
        for item in sample:
            scalar_converter(self.lhs, item)  # refuses what is no single value
        field = field_of(self.lhs)
        plain = frozenset(map(type, sample)) <= getattr(field, "plain_types", frozenset())
        prepare = None if plain else getattr(field, "get_prep_value", None)
        whole = isinstance(column_of(field), numbers.IntegerField)
        clamp = clamped(*range_of(self.lhs)) if whole else None
        check = (
            None
            if isinstance(self.lhs, Col)
            else RANGE_CHECKS.get(column_of(field).get_internal_type() if whole else "")
        )

        def convert(value: Any) -> Any:
            if len(value) != 2:
                raise QueryValueError(
                    f"the value of a 'range' lookup must be a pair, not {value!r}"
                )
            low, high = value if prepare is None else map(prepare, value)
            return clamp((low, high)) if clamp else (low, high)

        def checked(value: Any) -> Any:
            pair = convert(value)
            for item in pair:
                if item is not None and check is not None:
                    check(item)
            return pair

        pair, typed = convert(sample), False
        try:
            checked(sample)
        except OutOfRange:
            typed, given.volatile = True, True
        given.use(convert if check is None or typed else checked)
        return Items(
            Param(
                given.slot,
                self.param_field,
                int_kind(v) if typed and v is not None else None,
                item=i,
                typed=typed,
            )
            for i, v in enumerate(pair)
        )

    def _settle(self) -> None:
        rhs = self.rhs
        if type(rhs) is Argument:
            self.rhs = Items(map(self._bilateral, self.accept(rhs)))
        else:
            super()._settle()


@Field.register_lookup
class IsNull(BuiltinLookup):
    lookup_name = "isnull"
    prepare_rhs = False
    truth: bool = True

    def accept(self, given: Argument) -> Any:
        if not isinstance(given.sample, bool):
            raise QueryValueError("The QuerySet value for an isnull lookup must be True or False.")
        given.use(None)
        self.truth = given.sample
        return None

    def _settle(self) -> None:
        if type(self.rhs) is Argument:
            self.rhs = self.accept(self.rhs)
        elif type(self.rhs) is not bool and self.rhs is not None:
            raise QueryValueError("The QuerySet value for an isnull lookup must be True or False.")

    def __init__(self, lhs: Any, rhs: Any) -> None:
        if isinstance(rhs, bool):
            self.truth = rhs
        super().__init__(lhs, rhs)

    def parametrised(self, slots: Slots) -> Any:
        # A truth value is structure; one that a lookup's name brought keeps its slot.
        clone = self.copy()
        clone.lhs = self.lhs.parametrised(slots)
        if not isinstance(self.rhs, bool):
            clone.rhs = argument(self.rhs, slots)
        return clone

    def collect(self, values: list[Any]) -> None:
        self.lhs.collect(values)
        if not isinstance(self.rhs, bool):
            collect_value(self.rhs, values)


# --- years ----------------------------------------


class YearLookup(BuiltinLookup):
    """A comparison of the year: bounds of the column itself, so that an index can serve it."""

    bound: int | None = None

    def accept(self, given: Argument) -> Any:
        transform: Any = self.lhs
        column = getattr(transform, "lhs", None)
        bounded = getattr(transform, "bounded_by_year", False) and not self.spells_itself
        if not bounded or type(given.sample) is not int:
            return super().accept(given)
        field = transform.lhs.output_field
        bounds = transform.bounds_of
        convert: Converter = lambda value: bounds(field, value)  # noqa: E731
        try:
            convert(given.sample)
        except (ValueError, OverflowError) as error:
            raise QueryValueError(f"{given.sample!r} is not a year that a date can have") from error
        given.use(convert)
        self.lhs = column
        pair = [Param(given.slot, field, None, item=i, typed=False) for i in (0, 1)]
        return Items(pair) if self.bound is None else pair[self.bound]

    def _settle(self) -> None:
        if type(self.rhs) is Argument:
            accepted = self.accept(self.rhs)
            self.rhs = accepted if isinstance(accepted, Items) else self._bilateral(accepted)
        else:
            super()._settle()


class YearExact(YearLookup, Exact):
    pass


class YearGt(YearLookup, GreaterThan):
    bound = 1


class YearGte(YearLookup, GreaterThanOrEqual):
    bound = 0


class YearLt(YearLookup, LessThan):
    bound = 0


class YearLte(YearLookup, LessThanOrEqual):
    bound = 1


# --- UUIDs ----------------------------------------


class UUIDTextMixin:
    """Text lookups of a UUID ignore hyphens where the database keeps it as text."""

    def converter(self, sample: Any) -> Converter | None:
        if isinstance(self, IExact):
            return escaped_exactly  # a part of a UUID is none
        return super().converter(sample)  # type: ignore[misc,no-any-return]


for _base in (IExact, Contains, IContains, StartsWith, IStartsWith, EndsWith, IEndsWith):
    _made = type(f"UUID{_base.__name__}", (UUIDTextMixin, _base), {"__module__": __name__})
    globals()[_made.__name__] = _made
    various.UUIDField.register_lookup(_made)
