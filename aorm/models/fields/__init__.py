"""Fields, by Django's module name."""

from aorm.fields.base import BLANK_CHOICE_DASH, NOT_PROVIDED, Field
from aorm.fields.composite import CompositePrimaryKey
from aorm.fields.dates import DateField, DateTimeField, DurationField, TimeField
from aorm.fields.numbers import (
    AutoField,
    BigAutoField,
    BigIntegerField,
    DecimalField,
    FloatField,
    IntegerField,
    PositiveBigIntegerField,
    PositiveIntegerField,
    PositiveSmallIntegerField,
    SmallAutoField,
    SmallIntegerField,
)
from aorm.fields.text import CharField, EmailField, SlugField, TextField, URLField
from aorm.fields.various import (
    BinaryField,
    BooleanField,
    GeneratedField,
    GenericIPAddressField,
    UUIDField,
)

__all__ = [
    "BLANK_CHOICE_DASH",
    "NOT_PROVIDED",
    "AutoField",
    "BigAutoField",
    "BigIntegerField",
    "BinaryField",
    "BooleanField",
    "CharField",
    "CompositePrimaryKey",
    "DateField",
    "DateTimeField",
    "DecimalField",
    "DurationField",
    "EmailField",
    "Field",
    "FloatField",
    "GeneratedField",
    "GenericIPAddressField",
    "IntegerField",
    "PositiveBigIntegerField",
    "PositiveIntegerField",
    "PositiveSmallIntegerField",
    "SlugField",
    "SmallAutoField",
    "SmallIntegerField",
    "TextField",
    "TimeField",
    "URLField",
    "UUIDField",
]
