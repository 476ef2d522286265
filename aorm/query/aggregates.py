"""Aggregates: functions over the rows of a group."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from aorm.errors import FieldError, QueryTypeError, QueryValueError
from aorm.fields.numbers import DecimalField, FloatField, IntegerField
from aorm.query.expressions import (
    F,
    Func,
    OrderByList,
    Star,
    Value,
    value_or_expression,
)
from aorm.query.functions.comparison import Coalesce
from aorm.query.nodes import INCIDENTAL

#: What an aggregate has besides an output field where nothing was added to it.
_USUAL = frozenset(
    {"source_expressions", "extra", "distinct", "filter", "default", "order_by", *INCIDENTAL}
).issuperset


class Aggregate(Func):
    """The base of aggregates.

    `filter` is a condition on the rows that count, `default` the result where there are none,
    `distinct` counts equal values once, `order_by` orders the rows where that matters.
    """

    operands = ("source_expressions", "filter", "order_by", "default")
    template = "%(function)s(%(distinct)s%(expressions)s%(order_by)s)%(filter)s"
    contains_aggregate = True
    window_compatible = True
    allow_distinct = False
    allow_order_by = False
    name: str | None = None
    empty_result_set_value: Any = None

    def __init__(
        self,
        *expressions: Any,
        distinct: bool = False,
        filter: Any = None,
        default: Any = None,
        order_by: Any = None,
        **extra: Any,
    ) -> None:
        if distinct and not self.allow_distinct:
            raise QueryTypeError(f"{type(self).__name__} does not allow distinct.")
        if order_by is not None and not self.allow_order_by:
            raise QueryTypeError(f"{type(self).__name__} does not allow order_by.")
        if default is not None and self.empty_result_set_value is not None:
            raise QueryTypeError(f"{type(self).__name__} does not allow default.")
        self.distinct = distinct
        self.filter = filter
        self.default = None if default is None else value_or_expression(default)
        self.order_by = None
        if order_by is not None:
            self.order_by = OrderByList.from_param(f"{type(self).__name__}.order_by", order_by)
        super().__init__(*expressions, **extra)

    def get_source_expressions(self) -> list[Any]:
        default = [] if self.default is None else [self.default]
        return [*self.source_expressions, self.filter, self.order_by, *default]

    def set_source_expressions(self, expressions: Sequence[Any]) -> None:
        rest = list(expressions)
        if self.default is not None:
            self.default = rest.pop()
        *self.source_expressions, self.filter, self.order_by = rest

    def keyed(self, values: list[Any]) -> Hashable:
        if self.extra or not _USUAL(self.__dict__):
            return (len(self.source_expressions), super().keyed(values))
        sources = self.get_source_expressions()
        shapes = [s if s is None else s.keyed(values) for s in sources]
        return (type(self), self.distinct, len(self.source_expressions), *shapes)

    def get_source_fields(self) -> list[Any]:
        return [s._output_field_or_none for s in self.source_expressions]

    def resolve(self, scope: Any) -> Any:
        resolved = super().resolve(scope)
        for given, expression in zip(
            self.source_expressions, resolved.source_expressions, strict=True
        ):
            self._check_operand(given, expression, scope)
        if resolved.default is None:
            return resolved
        if any(isinstance(e, Star) for e in resolved.source_expressions):
            raise QueryTypeError(f"{type(self).__name__} of * cannot have a default")
        default, resolved.default = resolved.default, None
        field = resolved._output_field_or_none
        if getattr(default, "_output_field", None) is None and field is not None:
            default = default.copy()
            default._output_field = field
        coalesced = Coalesce(resolved, default, output_field=field)
        coalesced.is_summary = resolved.is_summary
        return coalesced

    def _check_operand(self, given: Any, expression: Any, scope: Any) -> None:
        name = getattr(given, "name", None) or repr(given)
        if scope.summarize:
            source = getattr(expression, "source", None)
            if source is not None and source.is_summary:
                raise self._nested(name)
            return
        if expression.contains_aggregate:
            raise self._nested(name)
        if expression.contains_over_clause:
            raise FieldError(f"Cannot compute {self}: {name!r} is a window expression")

    def _nested(self, name: str) -> FieldError:
        return FieldError(
            f"Cannot compute {self.name or type(self).__name__}({name!r}): {name!r} is an aggregate"
        )

    @property
    def default_alias(self) -> str:
        """The name that `aggregate(Sum("price"))` gives its result: `price__sum`."""
        sources = self.source_expressions
        if len(sources) == 1 and isinstance(sources[0], F):
            return f"{sources[0].name}__{(self.name or type(self).__name__).lower()}"
        raise QueryTypeError("Complex expressions require an alias")

    def get_group_by_cols(self) -> list[Any]:
        return []

    def __repr__(self) -> str:
        arguments = ", ".join(map(str, self.source_expressions))
        shown = "".join(f", {name}={value}" for name, value in self.shown_options().items())
        return f"{type(self).__name__}({arguments}{shown})"

    def shown_options(self) -> dict[str, Any]:
        """The options that its repr shows."""
        options = {"distinct": self.distinct, "filter": self.filter, "order_by": self.order_by}
        return {name: value for name, value in options.items() if value}


class AnyValue(Aggregate):
    function = "ANY_VALUE"
    name = "AnyValue"
    arity = 1
    window_compatible = False


class _NumericResult:
    """Whole numbers give a float, decimals a decimal."""

    def _resolve_output_field(self) -> Any:
        fields = self.get_source_fields()  # type: ignore[attr-defined]
        if any(isinstance(f, DecimalField) for f in fields):
            return DecimalField()
        if any(isinstance(f, IntegerField) for f in fields):
            return FloatField()
        return super()._resolve_output_field() if any(fields) else None  # type: ignore[misc]


class _DurationSum:
    """Marks aggregates that databases without an interval type compute in microseconds."""


class Avg(_DurationSum, _NumericResult, Aggregate):
    """The average."""

    function = "AVG"
    name = "Avg"
    allow_distinct = True
    arity = 1


class BitAnd(Aggregate):
    """The bits that all numbers have."""

    function = "BIT_AND"
    name = "BitAnd"
    arity = 1


class BitOr(Aggregate):
    """The bits that any number has."""

    function = "BIT_OR"
    name = "BitOr"
    arity = 1


class BitXor(Aggregate):
    """The bits that an odd number of numbers has."""

    function = "BIT_XOR"
    name = "BitXor"
    arity = 1


class Count(Aggregate):
    """The number of rows (`Count("*")`) or of values that are not NULL."""

    function = "COUNT"
    name = "Count"
    allow_distinct = True
    empty_result_set_value = 0
    allows_composite_expressions = True
    arity = 1

    def __init__(self, expression: Any, filter: Any = None, **extra: Any) -> None:
        if expression == "*":
            expression = Star()
        if isinstance(expression, Star) and filter is not None:
            raise QueryValueError("Star cannot be used with filter. Please specify a field.")
        super().__init__(expression, filter=filter, **extra)

    def resolve(self, scope: Any) -> Any:
        resolved = super().resolve(scope)
        (counted, *rest) = resolved.source_expressions
        if counted.composite:
            if self.distinct:
                raise QueryValueError("COUNT(DISTINCT) doesn't support composite primary keys")
            # The columns of a key are NULL together.
            resolved.source_expressions = [counted.columns[-1], *rest]
        return resolved

    def _resolve_output_field(self) -> Any:
        return IntegerField()


class Max(Aggregate):
    """The greatest value."""

    function = "MAX"
    name = "Max"
    arity = 1


class Min(Aggregate):
    """The least value."""

    function = "MIN"
    name = "Min"
    arity = 1


class Sum(_DurationSum, Aggregate):
    """The sum."""

    function = "SUM"
    name = "Sum"
    allow_distinct = True
    arity = 1


class StringAgg(Aggregate):
    """The texts of a group, joined by a delimiter."""

    template = "%(function)s(%(distinct)s%(expressions)s%(order_by)s)%(filter)s"
    function = "STRING_AGG"
    name = "StringAgg"
    allow_distinct = True
    allow_order_by = True
    arity = 2

    def __init__(self, expression: Any, delimiter: Any, **extra: Any) -> None:
        delimiter = value_or_expression(delimiter)
        #: Part of the structure: the one delimiter that SQLite has for distinct texts.
        self.comma = isinstance(delimiter, Value) and delimiter.value == ","
        super().__init__(expression, delimiter, **extra)

    def _resolve_output_field(self) -> Any:
        return self.source_expressions[0].output_field


class StdDev(_NumericResult, Aggregate):
    """The standard deviation of the population, or of a sample."""

    name = "StdDev"
    arity = 1

    def __init__(self, expression: Any, sample: bool = False, **extra: Any) -> None:
        self.function = "STDDEV_SAMP" if sample else "STDDEV_POP"
        super().__init__(expression, **extra)

    def shown_options(self) -> dict[str, Any]:
        return {**super().shown_options(), "sample": self.function == "STDDEV_SAMP"}


class Variance(_NumericResult, Aggregate):
    """The variance of the population, or of a sample."""

    name = "Variance"
    arity = 1

    def __init__(self, expression: Any, sample: bool = False, **extra: Any) -> None:
        self.function = "VAR_SAMP" if sample else "VAR_POP"
        super().__init__(expression, **extra)

    def shown_options(self) -> dict[str, Any]:
        return {**super().shown_options(), "sample": self.function == "VAR_SAMP"}
