"""Terms of ORDER BY."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from aorm.errors import QueryValueError
from aorm.query.names import F
from aorm.query.nodes import (
    INCIDENTAL,
    MAKERS,
    Expression,
)

_OPTIONS = frozenset({"descending", "nulls_first", "nulls_last"})
_USUAL = (_OPTIONS | {"expression"} | INCIDENTAL).issuperset


class OrderBy(Expression, recorded=False):
    """A term of ORDER BY with its direction and the place of NULL."""

    operands = ("expression",)
    constraint_validation_compatible = False
    allows_composite_expressions = True

    def __init__(
        self,
        expression: Any,
        descending: bool = False,
        nulls_first: bool | None = None,
        nulls_last: bool | None = None,
    ) -> None:
        if nulls_first and nulls_last:
            raise QueryValueError("nulls_first and nulls_last are mutually exclusive")
        if nulls_first is False or nulls_last is False:
            raise QueryValueError("nulls_first and nulls_last values must be True or None.")
        if not hasattr(expression, "parametrised"):
            raise QueryValueError("expression must be an expression type")
        self.nulls_first = nulls_first
        self.nulls_last = nulls_last
        self.descending = descending
        self.expression = expression

    def keyed(self, values: list[Any]) -> Hashable:
        if not _USUAL(self.__dict__):
            return super().keyed(values)
        shape = self.expression.keyed(values)
        return (type(self), self.descending, self.nulls_first, self.nulls_last, shape)

    def made_with(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        names = ("descending", "nulls_first", "nulls_last")
        options = {name: getattr(self, name) for name in names}
        return (self.expression,), {name: value for name, value in options.items() if value}

    def _resolve_output_field(self) -> Any:
        return self.expression.output_field

    def reverse_ordering(self) -> Any:
        clone = self.copy()
        clone.descending = not self.descending
        if self.nulls_first:
            clone.nulls_last, clone.nulls_first = True, None
        elif self.nulls_last:
            clone.nulls_first, clone.nulls_last = True, None
        return clone

    def asc(self, **options: Any) -> OrderBy:
        clone: OrderBy = self.copy()
        clone.descending = False
        return clone

    def desc(self, **options: Any) -> OrderBy:
        clone: OrderBy = self.copy()
        clone.descending = True
        return clone

    def get_group_by_cols(self) -> list[Any]:
        return self.expression.get_group_by_cols()  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.expression!r}, descending={self.descending})"


def order_term(value: Any) -> Any:
    """A term of an ordering: `"-name"`, an expression, or an `OrderBy`."""
    if isinstance(value, str):
        if value.startswith("-"):
            return OrderBy(F(value[1:]), descending=True)
        return OrderBy(F(value.removeprefix("+")))
    return value


MAKERS.ordered = OrderBy
