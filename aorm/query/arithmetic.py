"""Two operands with an operator between them, and the type of the result."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from aorm.errors import FieldError
from aorm.fields import dates, numbers
from aorm.query.nodes import (
    MAKERS,
    Expression,
)
from aorm.query.shapes import field_key


class CombinedExpression(Expression, recorded=False):
    """Two operands with an operator between them."""

    operands = ("lhs", "rhs")

    def __init__(self, lhs: Any, connector: str, rhs: Any, output_field: Any = None) -> None:
        if output_field is not None:
            self._output_field = output_field
        self.connector = connector
        self.lhs = lhs
        self.rhs = rhs

    def keyed(self, values: list[Any]) -> Hashable:
        field = self._output_field
        return (
            type(self),
            self.connector,
            self.lhs.keyed(values),
            self.rhs.keyed(values),
            None if field is None else field_key(field),
        )

    def made_with(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        field = self._output_field
        options = {} if field is None else {"output_field": field}
        return (self.lhs, self.connector, self.rhs), options

    def resolve(self, scope: Any) -> Any:
        resolved = super().resolve(scope)
        if type(self) is CombinedExpression:
            return resolved._specialised()
        return resolved

    def _specialised(self) -> Any:
        """A form of its own for arithmetic with dates and durations."""
        left, right = _kind(self.lhs), _kind(self.rhs)
        if self.connector == self.SUB and left in TEMPORAL and left == right:
            return TemporalSubtraction(self.lhs, self.rhs)
        if "DurationField" in (left, right) and left != right:
            return DurationExpression(self.lhs, self.connector, self.rhs, self._output_field)
        return self

    def _resolve_output_field(self) -> Any:
        return combined_field(
            self.connector, self.lhs._output_field_or_none, self.rhs._output_field_or_none
        )

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return bool(
            getattr(self.lhs, "allowed_default", False)
            and getattr(self.rhs, "allowed_default", False)
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def __str__(self) -> str:
        return f"{self.lhs} {self.connector} {self.rhs}"


class DurationExpression(CombinedExpression):
    """Arithmetic in which one side is a duration."""


class TemporalSubtraction(CombinedExpression):
    """The time between two dates, times or moments."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        super().__init__(lhs, self.SUB, rhs, output_field=dates.DurationField())

    def copy(self) -> Any:
        clone = super().copy()
        clone._output_field = self._output_field
        return clone


TEMPORAL = frozenset({"DateField", "DateTimeField", "TimeField"})


def _kind(expression: Any) -> str | None:
    field = expression._output_field_or_none
    return None if field is None else field.get_internal_type()


_INTEGERS, _FLOATS, _DECIMALS = "int", "float", "decimal"


def _number(field: Any) -> str | None:
    if isinstance(field, numbers.IntegerField):
        return _INTEGERS
    if isinstance(field, numbers.FloatField):
        return _FLOATS
    return _DECIMALS if isinstance(field, numbers.DecimalField) else None


_NUMBERS: dict[frozenset[str], Callable[[], Any]] = {
    frozenset({_INTEGERS}): numbers.IntegerField,
    frozenset({_FLOATS}): numbers.FloatField,
    frozenset({_DECIMALS}): numbers.DecimalField,
    frozenset({_INTEGERS, _FLOATS}): numbers.FloatField,
    frozenset({_INTEGERS, _DECIMALS}): numbers.DecimalField,
}


_TEMPORAL_RESULTS: dict[tuple[str, str, str], Callable[[], Any]] = {
    ("+", "DateField", "DurationField"): dates.DateTimeField,
    ("+", "DateTimeField", "DurationField"): dates.DateTimeField,
    ("+", "TimeField", "DurationField"): dates.TimeField,
    ("+", "DurationField", "DurationField"): dates.DurationField,
    ("+", "DurationField", "DateField"): dates.DateTimeField,
    ("+", "DurationField", "DateTimeField"): dates.DateTimeField,
    ("+", "DurationField", "TimeField"): dates.TimeField,
    ("-", "DateField", "DurationField"): dates.DateTimeField,
    ("-", "DateTimeField", "DurationField"): dates.DateTimeField,
    ("-", "TimeField", "DurationField"): dates.TimeField,
    ("-", "DurationField", "DurationField"): dates.DurationField,
    ("-", "DateField", "DateField"): dates.DurationField,
    ("-", "DateTimeField", "DateTimeField"): dates.DurationField,
    ("-", "TimeField", "TimeField"): dates.DurationField,
}


#: With these, two numbers that are not negative give another one.
_NEVER_LESS = frozenset({"+", "*", "/", "%%", "^"})


def _counts(field: Any) -> bool:
    return isinstance(field, numbers.PositiveIntegerField)


_BIT_OPERATORS = frozenset({"&", "|", "<<", ">>", "#"})


def combined_field(connector: str, left: Any, right: Any) -> Any:
    """The type of `left connector right`; FieldError where there is no rule."""
    if left is None or right is None:
        if connector in _BIT_OPERATORS or connector == "%%":
            return left or right
        if (left is None) != (right is None) and _number(left or right):
            # The other operand is NULL: the result has this operand's kind.
            return left or right
    if _counts(left) and _counts(right) and connector in _NEVER_LESS:
        return numbers.PositiveIntegerField()
    a, b = _number(left), _number(right)
    if a and b:
        made = _NUMBERS.get(frozenset({a, b}))
        if made is not None and not (
            connector in _BIT_OPERATORS and made is not numbers.IntegerField
        ):
            return made()
    elif left is not None and right is not None:
        kinds = [getattr(each, "get_internal_type", str)() for each in (left, right)]
        made = _TEMPORAL_RESULTS.get((connector, kinds[0], kinds[1]))
        if made is not None:
            return made()
    names = (type(left).__name__, type(right).__name__)
    raise FieldError(
        f"Cannot infer type of {connector!r} expression involving these types: {names[0]},"
        f" {names[1]}. You must set output_field."
    )


MAKERS.combined = CombinedExpression
