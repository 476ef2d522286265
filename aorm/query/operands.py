"""What a user may give as an operand, as an expression."""

from __future__ import annotations

from typing import Any

from aorm.query.names import F
from aorm.query.nodes import (
    MAKERS,
)
from aorm.query.shapes import PLAIN
from aorm.query.subqueries import Subquery
from aorm.query.values import Value


def expression_of(value: Any) -> Any:
    """An operand: an expression as it is, a text as the name of a field, else a value."""
    if type(value) is str:
        return F(value)
    if hasattr(value, "parametrised"):
        return value
    if hasattr(value, "as_subquery"):
        return Subquery(value)
    return F(value) if isinstance(value, str) else Value(value)


def value_or_expression(value: Any) -> Any:
    if type(value) in PLAIN:
        return Value(value, None)
    if hasattr(value, "parametrised"):
        return value
    if hasattr(value, "as_subquery"):
        return Subquery(value)
    return Value(value)


MAKERS.operand = value_or_expression
