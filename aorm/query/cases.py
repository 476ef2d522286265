"""Conditional expressions: `Case` and `When`."""

from __future__ import annotations

from typing import Any

from aorm.errors import QueryTypeError
from aorm.query.nodes import (
    MAKERS,
    Expression,
)
from aorm.query.operands import expression_of


class When(Expression):
    """One branch of a `Case`: `When(condition, then=...)` or `When(field=value, then=...)`."""

    operands = ("condition", "result")

    def __init__(self, condition: Any = None, then: Any = None, **lookups: Any) -> None:
        condition = MAKERS.condition(condition, lookups, "WHEN")
        super().__init__()
        self.condition = condition
        self.result = expression_of(then)

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return all(each.allowed_default for each in self.get_source_expressions())

    def get_source_fields(self) -> list[Any]:
        return [self.result._output_field_or_none]

    def get_group_by_cols(self) -> list[Any]:
        # A branch alone is nothing that rows can be grouped by.
        return self.condition.get_group_by_cols() + self.result.get_group_by_cols()  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return f"WHEN {self.condition!r} THEN {self.result!r}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


class Case(Expression):
    """The result of the first `When` that holds, else `default`."""

    operands = ("cases", "default")

    def __init__(
        self, *cases: Any, default: Any = None, output_field: Any = None, **extra: Any
    ) -> None:
        if not all(isinstance(case, When) for case in cases):
            raise QueryTypeError("Positional arguments must all be When objects.")
        super().__init__(output_field)
        self.cases = list(cases)
        self.default = expression_of(default)
        self.extra = extra

    def get_group_by_cols(self) -> list[Any]:
        if not self.cases:
            return self.default.get_group_by_cols()  # type: ignore[no-any-return]
        return super().get_group_by_cols()

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return all(each.allowed_default for each in self.get_source_expressions())

    def __str__(self) -> str:
        cases = ", ".join(map(str, self.cases))
        return f"CASE {cases}, ELSE {self.default!r}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"
