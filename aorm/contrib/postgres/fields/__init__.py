"""The fields that are PostgreSQL's own."""

from aorm.contrib.postgres.fields.array import ArrayField
from aorm.contrib.postgres.fields.hstore import HStoreField
from aorm.contrib.postgres.fields.ranges import (
    BigIntegerRangeField,
    ContinuousRangeField,
    DateRangeField,
    DateTimeRangeField,
    DecimalRangeField,
    IntegerRangeField,
    RangeBoundary,
    RangeField,
    RangeOperators,
)

__all__ = [
    "ArrayField",
    "BigIntegerRangeField",
    "ContinuousRangeField",
    "DateRangeField",
    "DateTimeRangeField",
    "DecimalRangeField",
    "HStoreField",
    "IntegerRangeField",
    "RangeBoundary",
    "RangeField",
    "RangeOperators",
]
