"""The preparation of values for lookups: converters, and what they say where one does not fit."""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable
from typing import Any

from aorm.errors import FieldError
from aorm.fields import numbers
from aorm.query.expressions import (
    INT8,
    Col,
)

Converter = Callable[[Any], Any]


class OutOfRange(Exception):
    """A value that the structure for its type cannot hold: the query is built for it alone."""


class NoneAtAll(OutOfRange):
    """A converter made None of a value."""


class NothingLeft(OutOfRange):
    """No item of a list is one that a row can have."""


class PreparedNone(Exception):
    """The field makes NULL of a value: the comparison becomes IS NULL."""


def pipe(first: Converter | None, second: Converter | None) -> Converter | None:
    """Both converters, one after the other."""
    if first is None or second is None:
        return first or second
    return lambda value: second(first(value))


def field_of(lhs: Any) -> Any:
    field = lhs._output_field_or_none
    return field.output_field if getattr(field, "generated", False) else field


def scalar_converter(lhs: Any, sample: Any) -> Converter | None:
    """The preparation of one value for a comparison with this operand."""
    field = field_of(lhs)
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


class Within:
    """The converter that gives back a number of a range, and raises OutOfRange for others."""

    __slots__ = ("high", "low")

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high

    def __call__(self, value: Any) -> Any:
        if self.low <= value <= self.high:
            return value
        raise OutOfRange


RANGE_CHECKS: dict[str, Converter] = {
    name: Within(low, high) for name, (low, high) in numbers.INTEGER_RANGES.items()
}


def range_of(lhs: Any) -> tuple[int, int]:
    """The integers that an operand can be: those of its column, else those of 64 bits."""
    field = column_of(field_of(lhs))
    if isinstance(lhs, Col) and isinstance(field, numbers.IntegerField):
        return numbers.INTEGER_RANGES.get(field.get_internal_type(), INT8_RANGE)
    return INT8_RANGE


INT8_RANGE = (-INT8, INT8 - 1)


def misfit(lhs: Any, value: Any) -> int:
    """-1 or 1 for an integer below or above all that an operand can be, else 0."""
    field = column_of(field_of(lhs))
    if not isinstance(field, numbers.IntegerField):
        return 0
    if type(value) is not int:
        if not isinstance(value, str | float | decimal.Decimal):
            return 0
        value = field.get_prep_value(value)
    low, high = range_of(lhs)
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


def without_misfits(low: int, high: int) -> Converter:
    """Keeps of a list the ints that a column can have: others match no row."""

    def convert(value: Any) -> list[Any]:
        found = list(value)
        if found and (min(found) < low or max(found) > high):
            return [each for each in found if low <= each <= high]
        return found

    return convert


def rounded_up(value: Any) -> Any:
    return math.ceil(value) if isinstance(value, float) else value


def is_fraction(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def fitting(convert: Converter, lhs: Any) -> Converter:
    """The preparation of a list for an operand, which may be one of integers."""
    if not isinstance(column_of(field_of(lhs)), numbers.IntegerField):
        return convert
    keep = without_misfits(*range_of(lhs))
    return lambda value: keep(convert(value))


ESCAPES = str.maketrans({"\\": "\\\\", "%": r"\%", "_": r"\_"})


def escaped_exactly(value: Any) -> Any:
    return value if value is None else str(value)


def clamped(low: int, high: int) -> Converter:
    """Brings a pair of integers within what an operand can be; (1, 0) is an empty range."""

    def clamp(pair: Any) -> Any:
        first, last = pair
        if first is None or last is None:
            return pair
        if first > high or last < low:
            return (1, 0)
        return (max(first, low), min(last, high))

    return clamp
