"""Aggregates that are PostgreSQL's own."""

from __future__ import annotations

from typing import Any

from aorm.contrib.postgres.fields.array import ArrayField
from aorm.errors import QueryTypeError, QueryValueError
from aorm.fields.json import JSONField
from aorm.fields.numbers import FloatField, IntegerField
from aorm.fields.various import BooleanField
from aorm.query.aggregates import Aggregate, BitAnd, BitOr, BitXor, StringAgg

__all__ = [
    "ArrayAgg",
    "BitAnd",
    "BitOr",
    "BitXor",
    "BoolAnd",
    "BoolOr",
    "Corr",
    "CovarPop",
    "JSONBAgg",
    "RegrAvgX",
    "RegrAvgY",
    "RegrCount",
    "RegrIntercept",
    "RegrR2",
    "RegrSXX",
    "RegrSXY",
    "RegrSYY",
    "RegrSlope",
    "StatAggregate",
    "StringAgg",
]


class ArrayAgg(Aggregate):
    """All values of a group, as a list."""

    function = "ARRAY_AGG"
    name = "ArrayAgg"
    allow_distinct = True
    allow_order_by = True
    arity = 1

    def _resolve_output_field(self) -> Any:
        return ArrayField(self.source_expressions[0].output_field)


class BoolAnd(Aggregate):
    """Whether a condition holds for all rows of a group."""

    function = "BOOL_AND"
    name = "BoolAnd"
    arity = 1

    def _resolve_output_field(self) -> Any:
        return BooleanField()


class BoolOr(Aggregate):
    """Whether a condition holds for any row of a group."""

    function = "BOOL_OR"
    name = "BoolOr"
    arity = 1

    def _resolve_output_field(self) -> Any:
        return BooleanField()


class JSONBAgg(Aggregate):
    """All values of a group, as a JSON list."""

    function = "JSONB_AGG"
    name = "JSONBAgg"
    allow_distinct = True
    allow_order_by = True
    arity = 1

    def _resolve_output_field(self) -> Any:
        return JSONField()


# --- statistics -------------------------------------------------------------------


class StatAggregate(Aggregate):
    """The base of aggregates of pairs: of the dependent `y` and the independent `x`."""

    def __init__(
        self, y: Any, x: Any, output_field: Any = None, filter: Any = None, default: Any = None
    ) -> None:
        if x is None or y is None or x == "" or y == "":
            raise QueryValueError("Both y and x must be provided.")
        super().__init__(y, x, output_field=output_field, filter=filter, default=default)

    def _resolve_output_field(self) -> Any:
        return FloatField()

    @property
    def default_alias(self) -> str:
        raise QueryTypeError("Complex expressions require an alias")


class Corr(StatAggregate):
    """The coefficient of correlation."""

    function = "CORR"
    name = "Corr"


class CovarPop(StatAggregate):
    """The covariance of the population, or of a sample."""

    name = "CovarPop"

    def __init__(
        self, y: Any, x: Any, sample: bool = False, filter: Any = None, default: Any = None
    ) -> None:
        self.function = "COVAR_SAMP" if sample else "COVAR_POP"
        super().__init__(y, x, filter=filter, default=default)


class RegrAvgX(StatAggregate):
    """The average of x."""

    function = "REGR_AVGX"
    name = "RegrAvgX"


class RegrAvgY(StatAggregate):
    """The average of y."""

    function = "REGR_AVGY"
    name = "RegrAvgY"


class RegrCount(StatAggregate):
    """The number of rows in which neither is NULL."""

    function = "REGR_COUNT"
    name = "RegrCount"
    empty_result_set_value = 0

    def _resolve_output_field(self) -> Any:
        return IntegerField()


class RegrIntercept(StatAggregate):
    """Where the line of least squares meets the axis of y."""

    function = "REGR_INTERCEPT"
    name = "RegrIntercept"


class RegrR2(StatAggregate):
    """The square of the coefficient of correlation."""

    function = "REGR_R2"
    name = "RegrR2"


class RegrSlope(StatAggregate):
    """The slope of the line of least squares."""

    function = "REGR_SLOPE"
    name = "RegrSlope"


class RegrSXX(StatAggregate):
    """The sum of the squares of x."""

    function = "REGR_SXX"
    name = "RegrSXX"


class RegrSXY(StatAggregate):
    """The sum of the products of x and y."""

    function = "REGR_SXY"
    name = "RegrSXY"


class RegrSYY(StatAggregate):
    """The sum of the squares of y."""

    function = "REGR_SYY"
    name = "RegrSYY"
