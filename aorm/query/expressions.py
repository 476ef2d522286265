"""Expressions: what can be computed in SQL, as trees that hold no SQL; each kind has its module."""

from aorm.query.arithmetic import (
    TEMPORAL,
    CombinedExpression,
    DurationExpression,
    TemporalSubtraction,
    combined_field,
)
from aorm.query.calls import (
    ExpressionList,
    ExpressionWrapper,
    Func,
    NegatedExpression,
    OrderByList,
    Transform,
)
from aorm.query.cases import Case, When
from aorm.query.columns import (
    Col,
    DatabaseDefault,
    JoinRestriction,
    OutputColumn,
    Position,
    Ref,
    Star,
)
from aorm.query.names import F, OuterRef, ResolvedOuterRef, ResolvedOuterSlice, Sliced, sliced
from aorm.query.nodes import (
    AND,
    INT4,
    INT8,
    MAKERS,
    OR,
    XOR,
    BaseExpression,
    Combinable,
    Expression,
    Slots,
)
from aorm.query.operands import expression_of, value_or_expression
from aorm.query.subqueries import Exists, QueryNode, Subquery
from aorm.query.terms import OrderBy, order_term
from aorm.query.values import Param, RawSQL, Value, field_for_type, int_kind

__all__ = [
    "AND",
    "INT4",
    "INT8",
    "MAKERS",
    "OR",
    "TEMPORAL",
    "XOR",
    "BaseExpression",
    "Case",
    "Col",
    "Combinable",
    "CombinedExpression",
    "DatabaseDefault",
    "DurationExpression",
    "Exists",
    "Expression",
    "ExpressionList",
    "ExpressionWrapper",
    "F",
    "Func",
    "JoinRestriction",
    "NegatedExpression",
    "OrderBy",
    "OrderByList",
    "OuterRef",
    "OutputColumn",
    "Param",
    "Position",
    "QueryNode",
    "RawSQL",
    "Ref",
    "ResolvedOuterRef",
    "ResolvedOuterSlice",
    "Sliced",
    "Slots",
    "Star",
    "Subquery",
    "TemporalSubtraction",
    "Transform",
    "Value",
    "When",
    "combined_field",
    "expression_of",
    "field_for_type",
    "int_kind",
    "order_term",
    "sliced",
    "value_or_expression",
]
