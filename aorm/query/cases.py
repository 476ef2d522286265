"""Conditional expressions: `Case` and `When`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from aorm.errors import QueryTypeError
from aorm.query.nodes import (
    MAKERS,
    Combinable,
    Expression,
)
from aorm.query.operands import expression_of
from aorm.query.shapes import field_key


class When(Expression, recorded=False):
    """One branch of a `Case`: `When(condition, then=...)` or `When(field=value, then=...)`."""

    operands = ("condition", "result")

    def __init__(self, condition: Any = None, then: Any = None, **lookups: Any) -> None:
        self.condition = MAKERS.branch(condition, lookups)
        self.result: Any = then if isinstance(then, Combinable) else expression_of(then)

    def keyed(self, values: list[Any]) -> Hashable:
        if type(self) is not When or self._output_field is not None:
            return super().keyed(values)
        return (When, self.condition.keyed(values), self.result.keyed(values))

    def made_with(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.condition,), {"then": self.result}

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


class Case(Expression, recorded=False):
    """The result of the first `When` that holds, else `default`."""

    operands = ("cases", "default")

    def __init__(
        self, *cases: Any, default: Any = None, output_field: Any = None, **extra: Any
    ) -> None:
        for case in cases:
            if not isinstance(case, When):
                raise QueryTypeError("Positional arguments must all be When objects.")
        if output_field is not None:
            self._output_field = output_field
        self.cases = list(cases)
        known = isinstance(default, Combinable)
        self.default: Any = default if known else expression_of(default)
        self.extra = extra

    def keyed(self, values: list[Any]) -> Hashable:
        if self.extra or type(self) is not Case:
            return super().keyed(values)
        field = self._output_field
        kind = None if field is None else field_key(field)
        cases = [each.keyed(values) for each in self.cases]
        return (Case, kind, *cases, self.default.keyed(values))

    def made_with(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        options: dict[str, Any] = {"default": self.default, **self.extra}
        if self._output_field is not None:
            options["output_field"] = self._output_field
        return tuple(self.cases), options

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
