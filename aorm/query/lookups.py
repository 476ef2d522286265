"""Lookups: comparisons of an expression with a value, found by name (`exact`, `in`, `gte`, …).

1. A lookup never keeps a value: `accept` turns an `Argument` into a `Param` and leaves in the
   argument the converter that each later value of the same shape goes through.
2. The converter refuses a wrong value, so that it never comes near the database.
3. How a lookup is spelt stands in `aorm.sql`.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable, Hashable
from typing import Any

from aorm.errors import EmptyResultSet, FieldError, QueryTypeError, QueryValueError
from aorm.fields import numbers, various
from aorm.fields.base import Field
from aorm.query.conditions import NOTHING, Argument, Arguments, argument, collect_value
from aorm.query.expressions import (
    INT8,
    Col,
    Expression,
    Param,
    QueryNode,
    Slots,
    Subquery,
    Transform,
    Value,
    int_kind,
)
from aorm.query.shapes import ItemShapes, normalised, shape_of

Converter = Callable[[Any], Any]
_BOOLEAN = various.BooleanField()


class OutOfRange(Exception):
    """A value that the structure for its type cannot hold: the query is built for it alone."""


class NoneAtAll(OutOfRange):
    """A converter made None of a value."""


class NothingLeft(OutOfRange):
    """No item of a list is one that a row can have."""


class PreparedNone(Exception):
    """The field makes NULL of a value: the comparison becomes IS NULL."""


class Items(list[Any]):
    """Several operands on the right side of a lookup."""


def pipe(first: Converter | None, second: Converter | None) -> Converter | None:
    """Both converters, one after the other."""
    if first is None or second is None:
        return first or second
    return lambda value: second(first(value))


class Lookup(Expression):
    """A condition `lhs <lookup> rhs`; the base of all lookups."""

    lookup_name: str = ""
    prepare_rhs = True
    can_use_none_as_rhs = False
    takes_list = False
    template: str | None = None

    def __init__(self, lhs: Any, rhs: Any) -> None:
        self.lhs = lhs if hasattr(lhs, "resolve") else Value(lhs)
        self.rhs = rhs
        if isinstance(rhs, Argument | Arguments | QueryNode):
            self._settle()
        elif getattr(rhs, "composite", False) and not self.lhs.composite:
            raise QueryValueError("CompositePrimaryKey cannot be used as a lookup value.")
        elif hasattr(rhs, "walk"):
            self.rhs = self._bilateral(rhs)

    # --- operands ----------------------------------

    def get_source_expressions(self) -> list[Any]:
        rhs = self.rhs
        if isinstance(rhs, Items):
            return [self.lhs, *rhs]
        return [self.lhs, rhs] if hasattr(rhs, "walk") else [self.lhs]

    def set_source_expressions(self, expressions: Any) -> None:
        self.lhs, *rest = expressions
        if isinstance(self.rhs, Items):
            self.rhs = Items(rest)
        elif rest:
            (self.rhs,) = rest

    def rhs_is_direct_value(self) -> bool:
        return not hasattr(self.rhs, "walk") or isinstance(self.rhs, Param)

    def _make_shape(self) -> Hashable:
        rhs = self.rhs
        if isinstance(rhs, Items):
            right: Hashable = ItemShapes(item.shape for item in rhs)
        elif type(rhs) is Argument:
            right = (Argument, rhs.slot)
        else:
            rhs = normalised(rhs)
            right = Value(rhs).shape if self._is_plain_operand(rhs) else shape_of(rhs)
        options = tuple(
            (k, v) for k, v in self.__dict__.items() if k not in ("lhs", "rhs") and k[0] != "_"
        )
        return (
            type(self),
            self.lhs.shape if hasattr(self.lhs, "shape") else self.lhs,
            right,
            options,
        )

    def collect(self, values: list[Any]) -> None:
        self.lhs.collect(values)
        if isinstance(self.rhs, Items):
            for item in self.rhs:
                item.collect(values)
        else:
            collect_value(self.rhs, values)

    def parametrised(self, slots: Slots) -> Any:
        clone = self.copy()
        clone.lhs = self.lhs.parametrised(slots)
        rhs = normalised(self.rhs)
        if self._is_plain_operand(rhs):
            rhs = Value(rhs)
        clone.rhs = argument(rhs, slots)
        return clone

    def _is_plain_operand(self, rhs: Any) -> bool:
        """Whether a value that was given beside an expression is compared as it is."""
        return self.prepare_rhs and not (
            self.takes_list or hasattr(rhs, "resolve") or hasattr(rhs, "as_subquery")
        )

    def resolve(self, scope: Any) -> Any:
        clone = self.copy()
        clone.lhs = self.lhs.resolve(scope)
        rhs = self.rhs
        if isinstance(rhs, Arguments):
            clone.rhs = Arguments(
                item.resolve(scope) if hasattr(item, "resolve") else item for item in rhs
            )
        elif hasattr(rhs, "resolve"):
            clone.rhs = rhs.resolve(scope)
        clone._settle()
        if scope.summarize:
            clone.is_summary = True
        return clone

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return all(
            not hasattr(each, "resolve") or each.allowed_default for each in (self.lhs, self.rhs)
        )

    @property
    def output_field(self) -> Any:
        return _BOOLEAN

    @property
    def conditional(self) -> bool:  # type: ignore[override]
        return True

    def get_group_by_cols(self) -> list[Any]:
        found = []
        for source in self.get_source_expressions():
            if isinstance(source, QueryNode):
                found.extend(source.query.outer_columns())
            else:
                found.extend(source.get_group_by_cols())
        return found

    # --- the right side ----------------------------------

    def _settle(self) -> None:
        """Give the right side its final form."""
        rhs = self.rhs
        if type(rhs) is Argument:
            self.rhs = self._bilateral(self.accept(rhs))
        elif isinstance(rhs, Arguments):
            self.rhs = Items(
                self._bilateral(self.accept_item(item) if type(item) is Argument else item)
                for item in rhs
            )
        elif isinstance(rhs, QueryNode | Subquery):
            if self._transforms_both():
                raise NotImplementedError(
                    "Bilateral transformations on nested querysets are not implemented."
                )
            self.accept_query(rhs)

    def _bilateral(self, rhs: Any) -> Any:
        for transform in self._transforms_both():
            rhs = transform(rhs)
        return rhs

    def _transforms_both(self) -> list[Any]:
        """The transforms of the left side that are for the right one as well."""
        found: list[Any] = getattr(self.lhs, "get_bilateral_transforms", list)()
        return found

    @property
    def has_given_value(self) -> bool:
        """Whether the right side is a value that the converter went over."""
        rhs = self.rhs
        while isinstance(rhs, Transform) and rhs.bilateral:
            rhs = rhs.lhs
        return isinstance(rhs, Param)

    def accept(self, given: Argument) -> Any:
        """The parameter for a value; raises what the field raises for a wrong one."""
        return self._param(given, self.converter(given.sample))

    def accept_item(self, given: Argument) -> Any:
        return self._param(given, scalar_converter(self.lhs, given.sample))

    def _param(self, given: Argument, convert: Converter | None, **options: Any) -> Param:
        kind: Hashable = shape_of(given.sample)
        if convert is not None:
            try:
                convert(given.sample)
            except NoneAtAll:
                given.use(None)
                given.volatile = True
                raise PreparedNone from None
            except OutOfRange:
                convert = None if type(given.sample) is int else self.param_field.get_prep_value
                kind = int_kind(given.sample if convert is None else convert(given.sample))
                options["typed"] = True
                given.volatile = True
        given.use(convert)
        options.setdefault("typed", False)
        field = options.pop("output_field", self.param_field)
        return Param(given.slot, field, kind, given.sample, **options)

    @property
    def param_field(self) -> Any:
        """The field whose representation the value takes."""
        return self.lhs._output_field_or_none if self.prepare_rhs else None

    def converter(self, sample: Any) -> Converter | None:
        """What each value of the sample's shape goes through when a query is built."""
        if not self.prepare_rhs:
            return None
        return scalar_converter(self.lhs, sample)

    def accept_query(self, node: Any) -> None:
        """Adjust a subquery on the right side."""

    # --- for classes that spell themselves in `as_sql` ----------------------------------

    @property
    def spells_itself(self) -> bool:
        return type(self).as_sql is not Expression.as_sql or any(
            hasattr(self, name) for name in ("as_sqlite", "as_postgresql")
        )

    def process_lhs(self, compiler: Any, connection: Any, lhs: Any = None) -> tuple[str, list[Any]]:
        """The text of the left side, or of `lhs`, and its parameters."""
        node = self.lhs if lhs is None else lhs
        sql, params = compiler.compile(node)
        return (f"({sql})" if isinstance(node, Lookup) else sql), params

    def process_rhs(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        """The text of the right side and its parameters, which stand for values yet to come.

        Raises EmptyResultSet where no row can match.
        """
        if self.rhs is NOTHING:
            raise EmptyResultSet
        if not isinstance(self.rhs, Items):
            return compiler.compile(self.rhs)  # type: ignore[no-any-return]
        parts, params = [], []
        for item in self.rhs:
            sql, found = compiler.compile(item)
            parts.append(sql)
            params += found
        return f"({', '.join(parts)})", params

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.lhs!r}, {self.rhs!r})"


def _field_of(lhs: Any) -> Any:
    field = lhs._output_field_or_none
    return field.output_field if getattr(field, "generated", False) else field


def scalar_converter(lhs: Any, sample: Any) -> Converter | None:
    """The preparation of one value for a comparison with this operand."""
    field = _field_of(lhs)
    if field is None or not hasattr(field, "get_prep_value"):
        return None
    if isinstance(sample, list | tuple | set | frozenset | dict) and not getattr(
        field, "takes_collections", False
    ):
        # The field's own error says more, where it has one.
        field.get_prep_value(sample)
        raise refused(field, sample)
    check = RANGE_CHECKS.get(column_of(field).get_internal_type())
    if type(sample) in getattr(field, "plain_types", ()):
        return check if type(sample) is int else None
    return pipe(never_none(field.get_prep_value), check)


def column_of(field: Any) -> Any:
    """The field that says what the column of a field holds: the end of relations."""
    while getattr(field, "is_relation", False) and hasattr(field, "path_infos"):
        field = getattr(field, "lookup_target", None) or field.path_infos[-1].target_fields[-1]
    return getattr(field, "output_field", field)


def never_none(prepare: Converter) -> Converter:
    """The preparation of a field; a None that it makes is another structure."""

    def convert(value: Any) -> Any:
        prepared = prepare(value)
        if prepared is None:
            raise NoneAtAll
        return prepared

    return convert


def refused(field: Any, value: Any) -> Exception:
    """The error for a list or dictionary where one value is meant."""
    name = getattr(field, "name", None) or type(field).__name__
    return FieldError(
        f"Field {name!r} is compared with one value, but got the {type(value).__name__} {value!r}"
    )


def _within(low: int, high: int) -> Converter:
    def check(value: Any) -> Any:
        if low <= value <= high:
            return value
        raise OutOfRange

    return check


RANGE_CHECKS: dict[str, Converter] = {
    name: _within(low, high) for name, (low, high) in numbers.INTEGER_RANGES.items()
}


def _range_of(lhs: Any) -> tuple[int, int]:
    """The integers that an operand can be: those of its column, else those of 64 bits."""
    field = column_of(_field_of(lhs))
    if isinstance(lhs, Col) and isinstance(field, numbers.IntegerField):
        return numbers.INTEGER_RANGES.get(field.get_internal_type(), _INT8_RANGE)
    return _INT8_RANGE


_INT8_RANGE = (-INT8, INT8 - 1)


def _misfit(lhs: Any, value: Any) -> int:
    """-1 or 1 for an integer below or above all that an operand can be, else 0."""
    field = column_of(_field_of(lhs))
    if not isinstance(field, numbers.IntegerField):
        return 0
    if type(value) is not int:
        if not isinstance(value, str | float | decimal.Decimal):
            return 0
        value = field.get_prep_value(value)
    low, high = _range_of(lhs)
    return int(value > high) - int(value < low)


def list_converter(item: Converter | None, kinds: frozenset[type]) -> Converter:
    """The preparation of a list: without None, each item prepared."""
    if item is None:
        if type(None) not in kinds:
            return list
        return lambda value: [each for each in value if each is not None]

    def convert(value: Any) -> list[Any]:
        return [item(each) for each in value if each is not None]

    return convert


def with_rest(convert: Converter) -> Converter:
    """The preparation of a list; one of which nothing is left is another structure."""

    def checked(value: Any) -> Any:
        found = convert(value)
        if not found:
            raise NothingLeft
        return found

    return checked


def _without_misfits(low: int, high: int) -> Converter:
    """Keeps of a list the ints that a column can have: others match no row."""

    def convert(value: Any) -> list[Any]:
        found = list(value)
        if found and (min(found) < low or max(found) > high):
            return [each for each in found if low <= each <= high]
        return found

    return convert


# --- comparisons ----------------------------------------


class BuiltinLookup(Lookup):
    pass


@Field.register_lookup
class Exact(BuiltinLookup):
    lookup_name = "exact"

    def accept(self, given: Argument) -> Any:
        if _misfit(self.lhs, given.sample):
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
        misfit = _misfit(self.lhs, given.sample)
        if misfit:
            given.volatile = True
            return NOTHING if self.above_all == (misfit > 0) else EVERYTHING
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


def _rounded_up(value: Any) -> Any:
    return math.ceil(value) if isinstance(value, float) else value


def _is_fraction(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


class IntegerFieldExact(Exact):
    """An integer column equals a float only where that is whole."""


class _IntegerFloatRounding:
    def converter(self, sample: Any) -> Converter | None:
        if _is_fraction(sample):
            return pipe(_rounded_up, numbers.IntegerField().get_prep_value)
        return super().converter(sample)  # type: ignore[misc,no-any-return]


@numbers.IntegerField.register_lookup
class IntegerGreaterThanOrEqual(_IntegerFloatRounding, GreaterThanOrEqual):
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
        field = _field_of(self.lhs)
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


def check_selected(query: Any, name: str, wanted: int = 1) -> None:
    """ValueError where a subquery selects another number of columns than it stands for."""
    number = query.selected_columns
    if query.has_select_fields and number != wanted:
        raise QueryValueError(
            f"The QuerySet value for the {name} lookup must have {wanted} selected fields"
            f" (received {number})"
        )


def fitting(convert: Converter, lhs: Any) -> Converter:
    """The preparation of a list for an operand, which may be one of integers."""
    if not isinstance(column_of(_field_of(lhs)), numbers.IntegerField):
        return convert
    keep = _without_misfits(*_range_of(lhs))
    return lambda value: keep(convert(value))


class PatternLookup(BuiltinLookup):
    """A text lookup; the value is escaped and surrounded with wildcards when it is built in."""

    prepare_rhs = False
    pattern = "%{}%"

    def converter(self, sample: Any) -> Converter | None:
        if isinstance(sample, list | tuple | set | dict):
            raise refused(_field_of(self.lhs), sample)
        before, after = self.pattern.split("{}")

        def convert(value: Any) -> str:
            text = value if type(value) is str else str(value)
            if "%" in text or "_" in text or "\\" in text:
                text = text.translate(_ESCAPES)
            return f"{before}{text}{after}"

        return convert


_ESCAPES = str.maketrans({"\\": "\\\\", "%": r"\%", "_": r"\_"})


def escaped(value: Any) -> str:
    """The text with the wildcards of LIKE made ordinary."""
    text = str(value)
    if "%" in text or "_" in text or "\\" in text:
        return text.translate(_ESCAPES)
    return text


def escaped_exactly(value: Any) -> Any:
    return value if value is None else str(value)


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
            raise refused(_field_of(self.lhs), sample)
        return None if isinstance(sample, str) else str


@Field.register_lookup
class IRegex(Regex):
    lookup_name = "iregex"


def _clamped(low: int, high: int) -> Converter:
    """Brings a pair of integers within what an operand can be; (1, 0) is an empty range."""

    def clamp(pair: Any) -> Any:
        first, last = pair
        if first is None or last is None:
            return pair
        if first > high or last < low:
            return (1, 0)
        return (max(first, low), min(last, high))

    return clamp


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
        field = _field_of(self.lhs)
        plain = frozenset(map(type, sample)) <= getattr(field, "plain_types", frozenset())
        prepare = None if plain else getattr(field, "get_prep_value", None)
        whole = isinstance(column_of(field), numbers.IntegerField)
        clamp = _clamped(*_range_of(self.lhs)) if whole else None
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
