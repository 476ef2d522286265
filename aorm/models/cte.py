"""Common table expressions and joined subqueries: `CTE`, `with_cte`, `Lateral`.

totals = CTE(Order.objects.values("region_id").annotate(total=Sum("amount")))
orders = with_cte(
    totals,
    select=totals.join(Order, region=totals.col.region_id).annotate(
        share=F("amount") / totals.col.total
    ),
)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aorm.errors import NotSupportedError, QueryTypeError, QueryValueError
from aorm.models.queryset import QuerySet
from aorm.query.conditions import Q
from aorm.query.draft import Draft
from aorm.query.expressions import QueryNode, Slots
from aorm.query.joins import INNER, LOUTER
from aorm.query.query import Query
from aorm.query.tables import (
    JOIN_KINDS,
    CommonTable,
    TableRef,
    add_tables,
    check_name,
    join_table,
    read_from_table,
    unknown_column,
)
from aorm.sql.dialect import dialect_of
from aorm.sql.late import tables

Columns = tuple[tuple[str, Any], ...]


class TableColumns:
    """`cte.col`: the columns of a table as expressions, by name."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        table = self._table
        if table.columns is None:
            return TableRef(table.name, name)
        fields = dict(table.columns)
        wanted = name if name in fields else table.column_names().get(name)
        if wanted is None:
            raise unknown_column(table.name, name, fields)
        return TableRef(table.name, wanted, fields[wanted])

    __getitem__ = __getattr__


class Table:
    """A query as a table with a name.

    Attributes:
        name: how the table is called in SQL.
        col: its columns: `cte.col.total`.
    """

    def __init__(self, queryset: Any, name: str) -> None:
        check_name(name)
        if not isinstance(queryset, QuerySet):
            raise QueryTypeError(f"{type(self).__name__} takes a QuerySet, not {queryset!r}")
        self.name = name
        self.col = TableColumns(self)
        self.columns: Columns | None = None
        self._take(queryset)

    def _take(self, queryset: Any) -> None:
        if queryset._query.form[0] == "model":
            queryset = queryset._without_values("alone", _alone)
        self.model = queryset.model
        self.source: Query = queryset._query
        self.values: tuple[Any, ...] = queryset._values
        self.db = queryset._db
        self.columns = tables.table_columns(self.source, dialect_of("sqlite"))

    def column_names(self) -> dict[str, str]:
        """Columns by the names of the model's fields."""
        found: dict[str, str] = {}
        if self.source.form[0] == "model":
            for field in self.model._meta.concrete_fields:
                found[field.name] = found[field.attname] = field.column
            if len(self.model._meta.pk_fields) == 1:
                found["pk"] = self.model._meta.pk_fields[0].column
        return found

    def _joined(self, to: Any, args: Any, kwargs: dict[str, Any], kind: str) -> Any:
        kind = kwargs.pop("_join_type", kind)
        if kind not in JOIN_KINDS:
            raise QueryValueError(f"a table is joined by one of {JOIN_KINDS}, not {kind!r}")
        return self._join_step(_queryset_of(to), Q(*args, **kwargs), kind)

    def join(self, to: Any, *args: Any, **kwargs: Any) -> Any:
        """The QuerySet of a model, or a given one, with the rows of this table that match each.

        `cte.join(Order, region=cte.col.region_id)`; a row without a match is left out.

        Args:
            to: a model, a manager or a QuerySet.
            args, kwargs: conditions as for `filter()`; columns of this table are `cte.col.name`.
        Raises:
            FieldError: a name is no field of the model, or no column of the table.
        """
        return self._joined(to, args, kwargs, INNER)

    def left_join(self, to: Any, *args: Any, **kwargs: Any) -> Any:
        """As `join()`; rows without a match stay, and the columns of the table are None."""
        return self._joined(to, args, kwargs, LOUTER)

    def _join_step(self, queryset: Any, condition: Q, kind: str) -> Any:
        raise NotImplementedError


class CTE(Table):
    """A common table expression: a query with a name, that other queries read from or join.

    It becomes part of a query by `with_cte(cte, select=queryset)`.

    Args:
        queryset: its rows; `values()` says which columns it has.
        name: its name in SQL; each of several in one query has its own.
        materialized: True: the database computes it once; False: it may put it in the place where
            it is used; None: the database decides.

    Source: https://www.postgresql.org/docs/current/queries-with.html and
    https://www.sqlite.org/lang_with.html
    """

    is_recursive = False

    def __init__(self, queryset: Any, name: str = "cte", materialized: bool | None = None) -> None:
        self.materialized = materialized
        super().__init__(queryset, name)

    @classmethod
    def recursive(
        cls,
        make_queryset: Callable[[CTE], Any],
        name: str = "cte",
        materialized: bool | None = None,
    ) -> CTE:
        """A table whose rows lead to further ones, until there are none.

        Args:
            make_queryset: a function of the table that gives the rows to start from, in a
                `union()` with the rows that follow from those of the table, which it joins:
                `start.union(cte.join(Node, parent=cte.col.id), all=True)`.  It is called twice.

        Columns have the types that they have at the start.
        """
        made = cls.__new__(cls)
        check_name(name)
        made.name, made.materialized = name, materialized
        made.col = TableColumns(made)
        made.columns = None
        start = make_queryset(made)
        if not isinstance(start, QuerySet) or isinstance(start, Unbuilt):
            raise QueryTypeError(
                "the function of a recursive CTE gives start.union(cte.join(...), all=True), not"
                f" {start!r}"
            )
        made.model = start.model
        made.source = _anchor(start._query)
        made.columns = tables.table_columns(made.source, dialect_of("sqlite"))
        whole: Any = make_queryset(made)
        if whole._query.combinator is None or whole._query.combinator[0] != "union":
            raise QueryTypeError(
                "the function of a recursive CTE gives start.union(cte.join(...), all=True)"
            )
        for part, _ in whole._query.combined:
            made._check_width(part)
        made.source, made.values, made.db = whole._query, whole._values, whole._db
        made.is_recursive = True
        return made

    def _check_width(self, part: Query) -> None:
        own = self.columns or ()
        found = tables.table_columns(part, dialect_of("sqlite"))
        if len(found) != len(own):
            raise QueryValueError(
                f"the parts of the recursive table {self.name!r} have other numbers of columns:"
                f" {[name for name, _ in own]} and {[name for name, _ in found]}"
            )

    def queryset(self) -> Any:
        """The QuerySet of the rows of this table, in the form that its own QuerySet has."""
        if self.columns is None:
            return Unbuilt(self.col)
        form = self.source.form
        columns = self.columns
        deferred = self.source.deferred
        if form[0] == "model":
            if self.model._meta.parents:
                raise NotSupportedError(
                    f"{self.model._meta.object_name} has columns in several tables: a CTE to read"
                    " from needs values()"
                )
            own = {field.column for field in self.model._meta.concrete_fields}
            columns = tuple(pair for pair in columns if pair[0] not in own)

        def change(draft: Draft) -> None:
            read_from_table(draft, self.name, columns, form)
            draft.deferred = deferred

        key = ("from table", self.name, _signature(columns), form, deferred)
        return QuerySet(self.model, using=self.db)._without_values(key, change)

    def _join_step(self, queryset: Any, condition: Q, kind: str) -> Any:
        if self.columns is None:
            return Unbuilt(self.col)
        key = ("join table", self.name, kind, condition.shape)

        def apply(draft: Draft, slots: Slots) -> None:
            join_table(draft, self.name, condition.parametrised(slots), kind)

        return queryset._step(key, condition.values_, apply)

    def _common_table(self, slots: Slots) -> CommonTable:
        node = QueryNode(self.source, slots.take(len(self.values)))
        columns = self.columns or ()
        return CommonTable(self.name, columns, node, self.is_recursive, self.materialized)


class Lateral(Table):
    """A subquery that is joined for each row of a query, and may refer to it by `OuterRef`.

    The first rows of each group, with columns of both sides:

        best = Lateral(Book.objects.filter(author=OuterRef("pk")).order_by("-rating")[:3])
        best.join(Author).values("name", title=best.col.title)

    Args:
        queryset: the subquery; `OuterRef` in it names fields of the query that it is joined to.
        name: its name in SQL; each of several in one query has its own.

    SQLite, which has no LATERAL, gets a join by the keys that the subquery finds; there it can
    neither group rows nor join to-many relations, and has `OuterRef` in conditions alone.

    Source: https://www.postgresql.org/docs/current/queries-table-expressions.html
    """

    def __init__(self, queryset: Any, name: str = "lateral") -> None:
        super().__init__(queryset, name)

    def _join_step(self, queryset: Any, condition: Q, kind: str) -> Any:
        source, values, columns = self.source, self.values, self.columns
        key = ("lateral", self.name, kind, condition.shape, source)

        def apply(draft: Draft, slots: Slots) -> None:
            own = condition.parametrised(slots)
            node = QueryNode(source, slots.take(len(values)))
            join_table(draft, self.name, own, kind, node, columns)

        return queryset._step(key, (*condition.values_, *values), apply)


def with_cte(*ctes: CTE, select: Any) -> Any:
    """A QuerySet together with the common tables that it, or a subquery of it, uses.

    Args:
        ctes: the tables; one that reads from another comes after it.
        select: the QuerySet, or one of the tables.
    Returns:
        The QuerySet, to be filtered, ordered, aggregated, updated or deleted like any other.
    Raises:
        QueryValueError: two tables have the same name.
    """
    for each in ctes:
        if not isinstance(each, CTE):
            raise QueryTypeError(f"with_cte() takes CTEs and select=QuerySet, not {each!r}")
    queryset = select.queryset() if isinstance(select, CTE) else _queryset_of(select)
    values = [value for each in ctes for value in each.values]
    key = (
        "with",
        tuple((each.name, each.source, each.is_recursive, each.materialized) for each in ctes),
    )

    def apply(draft: Draft, slots: Slots) -> None:
        add_tables(draft, [each._common_table(slots) for each in ctes])

    return queryset._step(key, values, apply)


def _queryset_of(given: Any) -> Any:
    if isinstance(given, QuerySet):
        return given
    if hasattr(given, "_default_manager"):
        return given._default_manager.all()
    if hasattr(given, "get_queryset"):
        return given.all()
    raise QueryTypeError(f"a table is joined to a model or a QuerySet, not to {given!r}")


def _alone(draft: Draft) -> None:
    draft.select_related = False


def _anchor(query: Query) -> Query:
    if query.combinator is None:
        return query
    first: Query = query.combined[0][0]
    return first


def _signature(columns: Columns) -> tuple[Any, ...]:
    return tuple((name, type(field), field) for name, field in columns)


class Unbuilt(QuerySet[Any]):
    """Stands for what follows from a recursive table, while the types of its columns are unknown.

    Whatever is asked of it, it stays itself; it has no rows.
    """

    def __init__(self, columns: Any) -> None:
        table = columns._table
        self.__dict__.update(_query=_NO_ROWS, _values=(), _db=None, _result_cache=[])
        self.__dict__["table"] = table

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or name in ("model", "db", "query", "table"):
            return super().__getattribute__(name)
        return lambda *args, **kwargs: self

    def __getitem__(self, key: Any) -> Any:
        return self


class _NoRows:
    """The query of `Unbuilt`."""

    empty = True
    combinator = None
    combined = ()
    slots = 0
    database = None


_NO_ROWS = _NoRows()

__all__ = ["CTE", "Lateral", "with_cte"]
