"""Ranges: a column that holds all values between two bounds."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any, ClassVar, cast

from aorm.contrib.postgres.lookups import (
    ContainedBy,
    DataContains,
    OperatorLookup,
    Overlap,
    PostgreSQLOnly,
    in_parentheses,
)
from aorm.contrib.postgres.ranges import (
    BOUNDS,
    EMPTY,
    DateRange,
    DateTimeTZRange,
    NumericRange,
    Range,
)
from aorm.fields.base import Field
from aorm.fields.dates import DateField, DateTimeField
from aorm.fields.numbers import BigIntegerField, DecimalField, FloatField, IntegerField
from aorm.fields.various import BooleanField
from aorm.query.conditions import Argument
from aorm.query.expressions import Expression, Param, Slots, Transform
from aorm.query.lookup import Lookup
from aorm.query.lookups import Converter
from aorm.sql.dialect import Adapter, Conversion, Dialect
from aorm.sql.dialects.postgresql_text import text_of
from aorm.sql.dialects.values import named

__all__ = [
    "BigIntegerRangeField",
    "ContinuousRangeField",
    "DateRangeField",
    "DateTimeRangeField",
    "DecimalRangeField",
    "IntegerRangeField",
    "RangeBoundary",
    "RangeField",
    "RangeOperators",
]

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})


class RangeOperators:
    """The operators of ranges, for exclusion constraints."""

    EQUAL = "="
    NOT_EQUAL = "<>"
    CONTAINS = "@>"
    CONTAINED_BY = "<@"
    OVERLAPS = "&&"
    FULLY_LT = "<<"
    FULLY_GT = ">>"
    NOT_LT = "&>"
    NOT_GT = "&<"
    ADJACENT_TO = "-|-"


class RangeBoundary(Expression):
    """Which bounds belong to a range, as the last argument of a function that makes one."""

    def __init__(self, inclusive_lower: bool = True, inclusive_upper: bool = False) -> None:
        super().__init__()
        self.lower = "[" if inclusive_lower else "("
        self.upper = "]" if inclusive_upper else ")"

    def resolve(self, scope: Any) -> Any:
        return self

    def parametrised(self, slots: Slots) -> Any:
        return self

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> tuple[str, list[Any]]:
        return f"'{self.lower}{self.upper}'", []


class RangeField(Field[Any]):
    """The base of the fields that hold ranges: `base_field` says of what.

    Values are given as a `Range`, or as a pair of bounds; they come back as `range_type`.
    """

    takes_collections = True
    empty_strings_allowed = False
    base_field: Any
    range_type: ClassVar[type[Range[Any]]]
    column_type: ClassVar[str]
    #: Which bounds of a pair belong to the range.
    default_bounds: str = "[)"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "default_bounds" in kwargs:
            raise TypeError(f"Cannot use 'default_bounds' with {type(self).__name__}.")
        self.base_field = self.base_field()
        super().__init__(*args, **kwargs)

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        self.base_field.model = cls

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if type(self).__module__ == __name__:
            path = f"aorm.contrib.postgres.fields.{type(self).__qualname__}"
        return name, path, args, kwargs

    def db_type(self, connection: Any) -> str:
        return self.column_type

    def parameter_type(self, connection: Any) -> str | None:
        return self.column_type if connection.vendor == "postgresql" else None

    # --- values ---------------------------------------------------------------------

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            value = self.range_type(value[0], value[1], self.default_bounds)
        if not isinstance(value, Range):
            return super().get_prep_value(value)
        if value.isempty:
            return value
        prepare = self.base_field.get_prep_value
        lower, upper = (
            None if bound is None else prepare(bound) for bound in (value.lower, value.upper)
        )
        return type(value)(lower, upper, value.bounds or "[)")

    def adapter_for(self, dialect: Dialect) -> Adapter:
        """What makes the text of a range (PostgreSQL documentation, 8.17.5)."""
        adapt = dialect.adapter(self.base_field)

        def bound(value: Any) -> str:
            if value is None:
                return ""
            text = text_of(value if adapt is None else adapt(value))
            return f'"{text.translate(_ESCAPES)}"'

        def write(value: Any) -> Any:
            if isinstance(value, list | tuple):
                value = self.get_prep_value(value)
            if not isinstance(value, Range):
                return value
            if value.isempty:
                return EMPTY
            bounds = value.bounds or "[)"
            return f"{bounds[0]}{bound(value.lower)},{bound(value.upper)}{bounds[1]}"

        return write

    def conversion_for(self, dialect: Dialect) -> Conversion:
        """What makes the range from the object of a driver: all have the same attributes."""
        found, made = dialect.conversion(self.base_field), self.range_type
        each = None if found is None else found.function

        def read(value: Any) -> Any:
            if value is None:
                return None
            if value.isempty:
                return made(empty=True)
            bounds = ("[" if value.lower_inc else "(") + ("]" if value.upper_inc else ")")
            if each is None:
                return made(value.lower, value.upper, bounds)
            return made(each(value.lower), each(value.upper), bounds)

        name, names = named(read, "range_of")
        return Conversion(f"{name}({{0}})", names, read)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            # What `value_to_string` has written.
            parts = json.loads(value)
            for name in ("lower", "upper"):
                if name in parts:
                    parts[name] = self.base_field.to_python(parts[name])
            return self.range_type(**parts)
        if isinstance(value, list | tuple):
            return self.range_type(value[0], value[1], self.default_bounds)
        return value

    def value_to_string(self, obj: Any) -> Any:
        value = self.value_from_object(obj)
        if value is None:
            return None
        if isinstance(value, list | tuple):
            value = self.to_python(value)
        if value.isempty:
            return json.dumps({"empty": True})
        bounds = {
            name: None if bound is None else str(text_of(bound))
            for name, bound in (("lower", value.lower), ("upper", value.upper))
        }
        return json.dumps({**bounds, "bounds": value.bounds})


class ContinuousRangeField(RangeField):
    """A range of values between any two of which there are others.

    Args:
        default_bounds: which bounds of a pair belong to the range: `[)`, `(]`, `()` or `[]`.

    Raises:
        ValueError: they are none of these.
    """

    def __init__(self, *args: Any, default_bounds: Any = "[)", **kwargs: Any) -> None:
        if default_bounds not in BOUNDS:
            raise ValueError("default_bounds must be one of '[)', '(]', '()', or '[]'.")
        super().__init__(*args, **kwargs)
        self.default_bounds = default_bounds

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if self.default_bounds != "[)":
            kwargs["default_bounds"] = self.default_bounds
        return name, path, args, kwargs


class IntegerRangeField(RangeField):
    """A range of integers."""

    base_field = IntegerField
    range_type = NumericRange
    column_type = "int4range"


class BigIntegerRangeField(RangeField):
    """A range of large integers."""

    base_field = BigIntegerField
    range_type = NumericRange
    column_type = "int8range"


class DecimalRangeField(ContinuousRangeField):
    """A range of decimals."""

    base_field = DecimalField
    range_type = NumericRange
    column_type = "numrange"


class DateTimeRangeField(ContinuousRangeField):
    """A range of points in time."""

    base_field = DateTimeField
    range_type = DateTimeTZRange
    column_type = "tstzrange"


class DateRangeField(RangeField):
    """A range of dates."""

    base_field = DateField
    range_type = DateRange
    column_type = "daterange"


# --- lookups of ranges --------------------------------------------------------------


@RangeField.register_lookup
class RangeContains(DataContains):
    """Whether another range, or a single value, is in this one."""

    def accept(self, given: Argument) -> Any:
        sample = given.sample
        if isinstance(sample, Range | list | tuple):
            return super().accept(given)
        field = self.lhs.output_field.base_field
        convert: Converter = field.get_prep_value
        convert(sample)
        given.use(convert)
        return Param(given.slot, field, cast(Hashable, type(sample)), typed=False)

    def process_rhs(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        sql, params = super().process_rhs(compiler, connection)
        field = self.rhs._output_field_or_none
        if field is None or isinstance(field, RangeField):
            return sql, params
        # A single value, perhaps of a similar type, such as a date among points in time.
        base = self.lhs.output_field.base_field
        if type(field) is DateField and isinstance(base, DateTimeField):
            return f"({sql})::timestamp AT TIME ZONE %s", [*params, connection.time_zone]
        return f"{sql}::{base.db_type(connection)}", params


@RangeField.register_lookup
class RangeIsContained(ContainedBy):
    """Whether this range is in the other one."""


@RangeField.register_lookup
class RangeOverlap(Overlap):
    """Whether the ranges have a value in common."""


@RangeField.register_lookup
class FullyLessThan(OperatorLookup):
    """Whether all of this range comes before the other one."""

    lookup_name = "fully_lt"
    postgres_operator = RangeOperators.FULLY_LT


@RangeField.register_lookup
class FullGreaterThan(OperatorLookup):
    """Whether all of this range comes behind the other one."""

    lookup_name = "fully_gt"
    postgres_operator = RangeOperators.FULLY_GT


@RangeField.register_lookup
class NotLessThan(OperatorLookup):
    """Whether nothing of this range comes before the other one."""

    lookup_name = "not_lt"
    postgres_operator = RangeOperators.NOT_LT


@RangeField.register_lookup
class NotGreaterThan(OperatorLookup):
    """Whether nothing of this range comes behind the other one."""

    lookup_name = "not_gt"
    postgres_operator = RangeOperators.NOT_GT


@RangeField.register_lookup
class AdjacentToLookup(OperatorLookup):
    """Whether the ranges touch, and nothing is between them."""

    lookup_name = "adjacent_to"
    postgres_operator = RangeOperators.ADJACENT_TO


# --- values in ranges -----------------------------------------------------------------

#: By the internal type of a column: the range that its values can be in, and the type of these
#: where a cast has to make them fit.
_RANGES_OF: dict[str, tuple[type[RangeField], str]] = {
    "SmallAutoField": (IntegerRangeField, "::integer"),
    "SmallIntegerField": (IntegerRangeField, "::integer"),
    "PositiveSmallIntegerField": (IntegerRangeField, "::integer"),
    "AutoField": (IntegerRangeField, ""),
    "IntegerField": (IntegerRangeField, ""),
    "PositiveIntegerField": (IntegerRangeField, ""),
    "BigAutoField": (BigIntegerRangeField, ""),
    "BigIntegerField": (BigIntegerRangeField, ""),
    "PositiveBigIntegerField": (BigIntegerRangeField, ""),
    "FloatField": (DecimalRangeField, "::numeric"),
    "DecimalField": (DecimalRangeField, ""),
    "DateField": (DateRangeField, ""),
    "DateTimeField": (DateTimeRangeField, ""),
}


@DateField.register_lookup
@DateTimeField.register_lookup
@IntegerField.register_lookup
@FloatField.register_lookup
@DecimalField.register_lookup
class RangeContainedBy(PostgreSQLOnly, Lookup):
    """Whether a value is in a range."""

    lookup_name = "contained_by"

    def _kinds(self) -> tuple[RangeField, str]:
        kind, type_cast = _RANGES_OF[self.lhs.output_field.get_internal_type()]
        return kind(), type_cast

    @property
    def param_field(self) -> Any:
        return self._kinds()[0]

    def converter(self, sample: Any) -> Converter | None:
        return self._kinds()[0].get_prep_value

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        field, type_cast = self._kinds()
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        if not isinstance(self.rhs, Param):
            right += f"::{field.column_type}"
        sql = f"{in_parentheses(left)}{type_cast} <@ {right}"
        return sql, [*left_params, *right_params]


# --- transforms -----------------------------------------------------------------------


class _Bound(Transform):
    def _resolve_output_field(self) -> Any:
        return self.lhs.output_field.base_field


@RangeField.register_lookup
class RangeStartsWith(_Bound):
    """The lower bound."""

    lookup_name = "startswith"
    function = "lower"


@RangeField.register_lookup
class RangeEndsWith(_Bound):
    """The upper bound."""

    lookup_name = "endswith"
    function = "upper"


class _Fact(Transform):
    def _resolve_output_field(self) -> Any:
        return BooleanField()


@RangeField.register_lookup
class IsEmpty(_Fact):
    """Whether nothing is in the range."""

    lookup_name = "isempty"
    function = "isempty"


@RangeField.register_lookup
class LowerInclusive(_Fact):
    """Whether the lower bound belongs to the range."""

    lookup_name = "lower_inc"
    function = "LOWER_INC"


@RangeField.register_lookup
class LowerInfinite(_Fact):
    """Whether there is no lower bound."""

    lookup_name = "lower_inf"
    function = "LOWER_INF"


@RangeField.register_lookup
class UpperInclusive(_Fact):
    """Whether the upper bound belongs to the range."""

    lookup_name = "upper_inc"
    function = "UPPER_INC"


@RangeField.register_lookup
class UpperInfinite(_Fact):
    """Whether there is no upper bound."""

    lookup_name = "upper_inf"
    function = "UPPER_INF"
