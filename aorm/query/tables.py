"""Queries as tables: common table expressions, and subqueries that are joined (LATERAL).

1. A `CommonTable` is a query with a name, in WITH; whoever joins it, or reads from it, knows it by
   that name and by the names and types of its columns alone.
2. A column of such a table is found where the table is joined: in this query, or in one around it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from typing import Any

from aorm.errors import FieldError, QueryValueError, listed
from aorm.query.columns import Col
from aorm.query.conditions import Q, Where
from aorm.query.draft import Draft
from aorm.query.expressions import Expression, QueryNode, ResolvedOuterRef, Slots
from aorm.query.filters import Scope
from aorm.query.joins import INNER, LOUTER, Join
from aorm.query.state import State
from aorm.records import Record

JOIN_KINDS = (INNER, LOUTER)


class ColumnOfTable(Record):
    """What stands for the field of a column that belongs to no model."""

    column: str
    name: str
    null: bool = True
    primary_key: bool = False
    is_relation: bool = False


class TableColumn(Col):
    """A column of a table that is a query."""

    def __init__(self, alias: str, name: str, output_field: Any) -> None:
        super().__init__(alias, ColumnOfTable(name, name), output_field)


class TableRef(Expression):
    """A column of a query's table by name, before it is known where that is joined."""

    contains_column_references = True

    def __init__(self, table: str, name: str, output_field: Any = None) -> None:
        super().__init__(output_field)
        self.table = table
        self.name = name

    @property
    def default_alias(self) -> str:
        return self.name

    def _make_shape(self) -> Hashable:
        # A table's query keeps its columns with their types: the type itself is the key.
        return (TableRef, self.table, self.name, type(self._output_field), self._output_field)

    def parametrised(self, slots: Slots) -> Any:
        return self

    def prefixed(self, prefix: str) -> Any:
        return self

    def resolve(self, scope: Any) -> Any:
        alias = alias_of(scope.draft, self.table)
        if alias is None:
            return OuterTableRef(self)
        return TableColumn(alias, self.name, self._output_field)

    def __repr__(self) -> str:
        return f"{self.table}.col.{self.name}"


class OuterTableRef(ResolvedOuterRef):
    """A column of a table that a query around this one joins."""

    def __init__(self, ref: TableRef) -> None:
        super().__init__(f"{ref.table}.col.{ref.name}")
        self.ref = ref

    @property
    def shape(self) -> Hashable:
        return (OuterTableRef, self.ref.shape)

    def resolve(self, scope: Any) -> Any:
        return self.ref.resolve(scope)

    def get_lookup(self, name: str) -> Any:
        return self.output_field.get_lookup(name)

    def get_transform(self, name: str) -> Any:
        return self.output_field.get_transform(name)

    @property
    def output_field(self) -> Any:
        return self.ref._output_field

    @property
    def _output_field_or_none(self) -> Any:  # type: ignore[override]
        return self.ref._output_field


def alias_of(draft: State, table: str) -> str | None:
    """Under which alias a query has the table of this name."""
    for alias, join in draft.joins.items():
        if join.derived and join.table == table:
            return alias
    return None


class CommonTable(Expression):
    """A query with a name, for WITH.

    Args:
        columns: the names and types of its columns.
        source: the query; of a recursive table the union of a start and of steps from its rows.
        materialized: whether it is computed once, where somebody said so.
    """

    operands = ("source",)
    contains_subquery = True

    def __init__(
        self,
        name: str,
        columns: tuple[tuple[str, Any], ...],
        source: QueryNode,
        recursive: bool,
        materialized: bool | None,
    ) -> None:
        self.name = name
        self.columns = columns
        self.source = source
        self.recursive = recursive
        self.materialized = materialized

    def _make_shape(self) -> Hashable:
        return (CommonTable, self.name, self.source.shape, self.recursive, self.materialized)


def check_name(name: Any) -> None:
    """QueryValueError for what cannot be the name of a table."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or '"' in name:
        raise QueryValueError(f"{name!r} cannot be the name of a table in a query")


def add_tables(draft: Draft, tables: Collection[CommonTable]) -> None:
    """Let a query know further tables."""
    names = [table.name for table in (*draft.tables, *tables)]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise QueryValueError(
            f"Several common tables have the name {listed(twice)}: give each its own, CTE(...,"
            " name=...)"
        )
    draft.tables = (*draft.tables, *tables)


def join_table(
    draft: Draft,
    name: str,
    condition: Q,
    kind: str,
    source: QueryNode | None = None,
    heading: Any = (),
) -> None:
    """Join a table that is a query, where a condition holds.

    Args:
        name: of a common table, or for the subquery.
        kind: INNER or LEFT OUTER.
        source: the subquery, with values in their slots.
        heading: the names and types of its columns.
    """
    if alias_of(draft, name) is not None:
        raise QueryValueError(f"the query has a table {name!r} already: give this one another name")
    base = draft.initial_alias()
    alias = draft._new_alias(name)
    outer = kind == LOUTER
    join = Join(alias, name, parent=base, kind=kind, nullable=outer, derived=True, on=Where())
    draft.joins[alias], draft.refs[alias] = join, 1
    scope = Scope(draft)
    on = scope.condition(condition) if condition else Where()
    if source is not None:
        source = source.resolve(scope)
    # What the condition needs is joined before.
    del draft.joins[alias]
    draft.joins[alias] = join.replaced(on=on, source=source, heading=heading)


def read_from_table(draft: Draft, name: str, columns: Any, form: tuple[str, Any]) -> None:
    """Become the query of the rows of a common table.

    Args:
        columns: names and types of what the rows have besides the columns of the model.
        form: of the table's own query.
    """
    own = () if form[0] == "model" else columns
    draft.joins = {name: Join(name, name, derived=True, heading=own)}
    draft.refs = {name: 1}
    for column, field in columns:
        draft.annotations[column] = TableColumn(name, column, field)
    if form[0] == "model":
        return
    names = tuple(column for column, _ in columns)
    draft.annotation_mask = draft.values_names = names
    draft.default_cols, draft.default_ordering = False, False
    draft.form = form


# --- tables that are missing ----------------------------------------


def check_tables(query: State, known: frozenset[str] = frozenset()) -> None:
    """QueryValueError where a query, or one inside it, has a common table that none defines."""
    for table in query.tables:
        known |= {table.name}
    for join in query.joins.values() if query.combinator is None else ():
        if join.derived and join.source is None and join.table not in known:
            raise QueryValueError(
                f"the common table {join.table!r} is not part of the query: say"
                f" with_cte(cte, select=...)"
            )
    for inner in _queries_inside(query):
        check_tables(inner, known)


def _queries_inside(query: State) -> Iterator[State]:
    for part, _ in query.combined:
        yield part
    if query.inner is not None:
        yield query.inner
    expressions = [query.where, *query.annotations.values(), *query.select, *query.tables]
    expressions += [value for _, value in query.assignments]
    expressions += [e for j in query.joins.values() for e in (j.on, j.source) if e is not None]
    expressions += [term for term in query.order_by if hasattr(term, "walk")]
    for expression in expressions:
        for each in expression.walk():
            if isinstance(each, QueryNode):
                yield each.query


def unknown_column(table: str, name: str, known: Collection[str]) -> FieldError:
    """The error for a column that a table does not have."""
    return FieldError(
        f"The table {table!r} has no column {name!r}; its columns are {listed(known)}"
    )
