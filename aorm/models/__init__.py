"""All that a module of models needs, under Django's names."""

from importlib import import_module
from typing import TYPE_CHECKING

from aorm.errors import (
    FieldDoesNotExist,
    MultipleObjectsReturned,
    ObjectDoesNotExist,
    ProtectedError,
    RestrictedError,
)
from aorm.fields.base import NOT_PROVIDED, Field
from aorm.fields.composite import CompositePrimaryKey
from aorm.fields.constraints import BaseConstraint, CheckConstraint, Deferrable, UniqueConstraint
from aorm.fields.dates import DateField, DateTimeField, DurationField, TimeField
from aorm.fields.enums import Choices, IntegerChoices, TextChoices
from aorm.fields.indexes import Index
from aorm.fields.json import JSONField
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
from aorm.fields.on_delete import (
    CASCADE,
    DB_CASCADE,
    DB_SET_DEFAULT,
    DB_SET_NULL,
    DO_NOTHING,
    PROTECT,
    RESTRICT,
    SET,
    SET_DEFAULT,
    SET_NULL,
)
from aorm.fields.order_wrt import OrderWrt
from aorm.fields.relations import ForeignKey, ForeignObject, OneToOneField
from aorm.fields.rels import ForeignObjectRel, ManyToManyRel, ManyToOneRel, OneToOneRel
from aorm.fields.text import CharField, EmailField, SlugField, TextField, URLField
from aorm.fields.various import (
    BinaryField,
    BooleanField,
    GeneratedField,
    GenericIPAddressField,
    UUIDField,
)
from aorm.fields.version import VersionField
from aorm.models import checking, related  # noqa: F401  what declarations below refer to
from aorm.models.base import DEFERRED, Model
from aorm.models.cte import CTE, Lateral, with_cte
from aorm.models.fetch_modes import FETCH_ONE, FETCH_PEERS, FETCH_RAISE, RAISE
from aorm.models.manager import Manager
from aorm.models.many_to_many import ManyToManyField
from aorm.models.prefetch import Prefetch, aprefetch_related_objects, prefetch_related_objects
from aorm.models.queryset import QuerySet
from aorm.query import related_lookups  # noqa: F401  registers the lookups of relations
from aorm.query.aggregates import (
    Aggregate,
    AnyValue,
    Avg,
    BitAnd,
    BitOr,
    BitXor,
    Count,
    Max,
    Min,
    StdDev,
    StringAgg,
    Sum,
    Variance,
)
from aorm.query.conditions import Q
from aorm.query.expressions import (
    Case,
    Exists,
    Expression,
    ExpressionList,
    ExpressionWrapper,
    F,
    Func,
    OrderBy,
    OuterRef,
    Subquery,
    Transform,
    Value,
    When,
)
from aorm.query.filtered import FilteredRelation
from aorm.query.json_lookups import JSONNull
from aorm.query.lookups import Lookup
from aorm.query.windows import RowRange, ValueRange, Window, WindowFrame, WindowFrameExclusion

if TYPE_CHECKING:
    from aorm.models import functions  # noqa: F401  see __getattr__

__all__ = [
    "CASCADE",
    "CTE",
    "DB_CASCADE",
    "DB_SET_DEFAULT",
    "DB_SET_NULL",
    "DEFERRED",
    "DO_NOTHING",
    "FETCH_ONE",
    "FETCH_PEERS",
    "FETCH_RAISE",
    "NOT_PROVIDED",
    "PROTECT",
    "RAISE",
    "RESTRICT",
    "SET",
    "SET_DEFAULT",
    "SET_NULL",
    "Aggregate",
    "AnyValue",
    "AutoField",
    "Avg",
    "BaseConstraint",
    "BigAutoField",
    "BigIntegerField",
    "BinaryField",
    "BitAnd",
    "BitOr",
    "BitXor",
    "BooleanField",
    "Case",
    "CharField",
    "CheckConstraint",
    "Choices",
    "CompositePrimaryKey",
    "Count",
    "DateField",
    "DateTimeField",
    "DecimalField",
    "Deferrable",
    "DurationField",
    "EmailField",
    "Exists",
    "Expression",
    "ExpressionList",
    "ExpressionWrapper",
    "F",
    "Field",
    "FieldDoesNotExist",
    "FilteredRelation",
    "FloatField",
    "ForeignKey",
    "ForeignObject",
    "ForeignObjectRel",
    "Func",
    "GeneratedField",
    "GenericIPAddressField",
    "Index",
    "IntegerChoices",
    "IntegerField",
    "JSONField",
    "JSONNull",
    "Lateral",
    "Lookup",
    "Manager",
    "ManyToManyField",
    "ManyToManyRel",
    "ManyToOneRel",
    "Max",
    "Min",
    "Model",
    "MultipleObjectsReturned",
    "ObjectDoesNotExist",
    "OneToOneField",
    "OneToOneRel",
    "OrderBy",
    "OrderWrt",
    "OuterRef",
    "PositiveBigIntegerField",
    "PositiveIntegerField",
    "PositiveSmallIntegerField",
    "Prefetch",
    "ProtectedError",
    "Q",
    "QuerySet",
    "RestrictedError",
    "RowRange",
    "SlugField",
    "SmallAutoField",
    "SmallIntegerField",
    "StdDev",
    "StringAgg",
    "Subquery",
    "Sum",
    "TextChoices",
    "TextField",
    "TimeField",
    "Transform",
    "URLField",
    "UUIDField",
    "UniqueConstraint",
    "Value",
    "ValueRange",
    "Variance",
    "VersionField",
    "When",
    "Window",
    "WindowFrame",
    "WindowFrameExclusion",
    "aprefetch_related_objects",
    "prefetch_related_objects",
    "with_cte",
]


if not TYPE_CHECKING:  # for which any name would be one of this module

    def __getattr__(name: str) -> object:
        """`functions`, imported when it is first named."""
        if name == "functions":
            return import_module("aorm.models.functions")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), "functions"})
