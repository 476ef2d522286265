"""Columns, and what stands where a column can."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from aorm.query.nodes import (
    Expression,
    Slots,
)
from aorm.query.shapes import field_key


class Col(Expression):
    """A column of a table of the query."""

    contains_column_references = True
    possibly_multivalued = False

    def __init__(self, alias: str | None, target: Any, output_field: Any = None) -> None:
        self.alias = alias
        self.target = target
        self._output_field = target if output_field is None else output_field

    def _make_shape(self) -> Hashable:
        return (Col, self.alias, self.target, field_key(self._output_field))

    @property  # type: ignore[misc]
    def output_field(self) -> Any:
        return self._output_field

    def resolve(self, scope: Any) -> Any:
        return self

    def parametrised(self, slots: Slots) -> Any:
        return self

    def shifted(self, offset: int) -> Any:
        return self

    def relabeled(self, aliases: dict[str, str]) -> Any:
        if self.alias in aliases:
            clone = self.copy()
            clone.alias = aliases[self.alias]
            return clone
        return self

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def __repr__(self) -> str:
        return f"Col({self.alias}, {self.target})"


class Ref(Expression):
    """An annotation of the same query by its name, where SQL can use the name."""

    operands = ("source",)

    def __init__(self, name: str, source: Any) -> None:
        self.name = name
        self.source = source

    @property  # type: ignore[misc]
    def output_field(self) -> Any:
        return self.source.output_field

    def resolve(self, scope: Any) -> Any:
        return self

    def relabeled(self, aliases: dict[str, str]) -> Any:
        clone = self.copy()
        clone.source = self.source.relabeled(aliases)
        return clone

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def __repr__(self) -> str:
        return f"Ref({self.name}, {self.source!r})"


class OutputColumn(Expression):
    """A column of the rows that another query gives, by its name there."""

    contains_column_references = True

    def __init__(self, name: str, output_field: Any) -> None:
        super().__init__(output_field)
        self.name = name

    def resolve(self, scope: Any) -> Any:
        return self

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def __repr__(self) -> str:
        return f"OutputColumn({self.name})"


class JoinRestriction(Expression):
    """More conditions of a join: what its field says (`get_extra_restriction`) at each use."""

    conditional = True
    contains_column_references = True

    def __init__(self, join_field: Any, alias: str, parent: str | None) -> None:
        super().__init__()
        self.join_field = join_field
        self.alias = alias
        self.parent = parent

    @property
    def condition(self) -> Any:
        """An object with `as_sql`, or None."""
        ask = getattr(self.join_field, "get_extra_restriction", None)
        return None if ask is None else ask(self.alias, self.parent)

    def _make_shape(self) -> Hashable:
        return (JoinRestriction, self.join_field, self.alias, self.parent)

    def resolve(self, scope: Any) -> Any:
        return self

    def relabeled(self, aliases: dict[str, str]) -> Any:
        clone = self.copy()
        clone.alias = aliases.get(self.alias, self.alias)
        if self.parent is not None:
            clone.parent = aliases.get(self.parent, self.parent)
        return clone

    def __repr__(self) -> str:
        return f"JoinRestriction({self.join_field}, {self.alias})"


class Position(Expression):
    """A column of the result by its place, as a term of ORDER BY."""

    contains_column_references = True

    def __init__(self, number: int) -> None:
        self.number = number


class Star(Expression):
    """`*`"""

    def __repr__(self) -> str:
        return "'*'"


class DatabaseDefault(Expression):
    """The DEFAULT of a column, where a row is written."""

    operands = ("expression",)

    def __init__(self, expression: Any, output_field: Any = None) -> None:
        super().__init__(output_field)
        self.expression = expression
