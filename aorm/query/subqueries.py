"""Queries as operands: `Subquery` and `Exists`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from aorm.fields import various
from aorm.query.nodes import (
    INCIDENTAL,
    Expression,
    Slots,
)
from aorm.query.shapes import field_key, freeze

_BOOLEAN = various.BooleanField()


class QueryNode(Expression, recorded=False):
    """A query as an operand; its values start at `base` among those of the query around."""

    contains_subquery = True

    def __init__(self, query: Any, base: int = 0) -> None:
        self.query = query
        self.base = base

    def keyed(self, values: list[Any]) -> Hashable:
        return (QueryNode, self.query, self.base)

    @property  # type: ignore[misc]
    def output_field(self) -> Any:
        return self.query.output_field

    def parametrised(self, slots: Slots) -> Any:
        return self

    def resolve(self, scope: Any) -> Any:
        clone = self.copy()
        clone.query = self.query.resolved_inside(scope, self.base)
        return clone

    def shifted(self, offset: int) -> Any:
        clone = self.copy()
        clone.base += offset
        return clone

    def relabeled(self, aliases: dict[str, str]) -> Any:
        clone = self.copy()
        clone.query = self.query.outer_relabeled(aliases)
        return clone

    def prefixed(self, prefix: str) -> Any:
        return self

    @property
    def contains_aggregate(self) -> bool:
        return False

    @property
    def contains_over_clause(self) -> bool:
        return False

    def get_group_by_cols(self) -> list[Any]:
        return self.query.outer_columns() or [self]

    def get_lookup(self, name: str) -> Any:
        return self.output_field.get_lookup(name)

    def __repr__(self) -> str:
        return f"QueryNode({self.query!r})"


class Subquery(Expression, recorded=False):
    """A query set as a value: its first column, of at most one row."""

    operands = ("source",)
    template = "(%(subquery)s)"
    contains_aggregate = False
    empty_result_set_value: Any = None
    _source: Any
    _query: Any

    def __init__(self, queryset: Any, output_field: Any = None, **extra: Any) -> None:
        if output_field is not None:
            self._output_field = output_field
        self.extra = extra
        self._queryset = queryset
        if isinstance(queryset, QueryNode):
            self.source, self.inner_values = queryset, ()
        else:
            self._source = None
            self._query, self.inner_values = queryset.as_subquery()

    @property
    def source(self) -> Any:
        """The query as an operand; made when it is asked for, which a second use never does."""
        found = self._source
        if found is None:
            found = self._source = QueryNode(self._query)
        return found

    @source.setter
    def source(self, node: Any) -> None:
        self._source, self._query = node, node.query

    def made_with(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        queryset = self.__dict__.get("_queryset")
        return (self.source if queryset is None else queryset,), self.extra

    @property
    def query(self) -> Any:
        return self._query

    def keyed(self, values: list[Any]) -> Hashable:
        values += self.inner_values
        kind = type(self)
        field = self._output_field
        if field is not None:
            # The hash of a field is a function of Python's.
            field = "boolean" if field is _BOOLEAN else field_key(field)
        source = self._source
        shape = (kind, self._query, 0 if source is None else source.base, field)
        if self.extra or kind not in _OWN or self.template is not kind.template:
            options = {**self.__dict__, "template": self.template}
            for name in (*_OPERAND, "inner_values", "_output_field", *INCIDENTAL):
                options.pop(name, None)
            return (*shape, freeze(options))
        return shape

    def collect(self, values: list[Any]) -> None:
        values.extend(self.inner_values)

    def parametrised(self, slots: Slots) -> Any:
        clone = self.copy()
        clone.source = QueryNode(self._query, slots.take(len(self.inner_values)))
        clone.inner_values = ()
        return clone

    def _resolve_output_field(self) -> Any:
        return self._query.output_field

    def get_group_by_cols(self) -> list[Any]:
        outer = self.query.outer_columns()
        if any(column.possibly_multivalued for column in outer):
            return [self]
        return outer or [self]

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__()


class Exists(Subquery, recorded=False):
    """Whether a query set has any row."""

    template = "EXISTS(%(subquery)s)"
    empty_result_set_value = False
    _output_field = _BOOLEAN

    @property
    def conditional(self) -> bool:  # type: ignore[override]
        return True


#: What a subquery keeps of the query that it was given.
_OPERAND = ("_source", "_query")
#: Classes that say all about themselves in their own attributes.
_OWN = frozenset({Subquery, Exists})
