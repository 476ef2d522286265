"""Conditions on windows, and slices for each group: SELECT around a SELECT.

WHERE is decided before windows are computed. So the query itself becomes a subquery, in which each
column has a name of its own, and the conditions, the order and the limits stand outside.
"""

from __future__ import annotations

from typing import Any

from aorm.errors import FullResultSet
from aorm.query.conditions import Where
from aorm.query.expressions import OrderBy, Param, Ref
from aorm.query.functions.window import RowNumber
from aorm.query.tuples import ColumnTuple
from aorm.query.windows import Window
from aorm.sql.compiler import Rendered
from aorm.sql.limits import number_of_rows
from aorm.sql.standard import where_root


class OverWindows:
    """Builds the two levels of one SELECT.

    Args:
        compiler: the `SelectCompiler`.
        exists: only whether there is a row is asked.
    """

    def __init__(self, compiler: Any, exists: bool) -> None:
        self.compiler = compiler
        self.exists = exists
        #: The SELECT list of the inner level, and what the outer one takes of it.
        self.inner: list[str] = []
        self.inner_params: list[Any] = []
        self.outer: list[str] = []
        self.names: dict[Any, str] = {}

    def render(self, where: Where, having: Where, windows: Where, with_limits: bool) -> Rendered:
        """The text and parameters of the whole.

        Args:
            where, having, windows: the conditions on rows, on groups and on windows.
        """
        compiler, draft = self.compiler, self.compiler.draft
        order = compiler.ordering()
        by_default = not draft.order_by
        grouped = Where([*having.children, *windows.children]) if windows.children else having
        groups = compiler.grouping([] if by_default else order, grouped)
        if groups and by_default:
            order = []
        self._outputs()
        conditions, condition_params = self._conditions(windows, order)
        order_sql, order_params = compiler._order_clause([self._outside(term) for term in order])
        distinct = "" if self.exists else self._distinct()
        inner, inner_params = self._inner(where, having, groups)
        sql = f"SELECT {distinct}{'1' if self.exists else ', '.join(self.outer)} FROM ({inner}) "
        sql += compiler.quote("qualify")
        if conditions:
            sql += f" WHERE {' AND '.join(conditions)}"
        if order_sql:
            sql += f" ORDER BY {order_sql}"
        limits, limit_params = "", []
        if with_limits and not draft.per:
            limits, limit_params = compiler._limits()
        return (
            f"{sql}{limits}{compiler.lock_sql()}",
            [*inner_params, *condition_params, *order_params, *limit_params],
        )

    # --- the inner level ----------------------------------

    def _outputs(self) -> None:
        for output in () if self.exists else self.compiler.outputs:
            expression = output.expression
            if isinstance(expression, ColumnTuple):
                for column in expression.columns:
                    self._add(*self.compiler.compile(column))
                continue
            sql, params = self.compiler.output_sql(output)
            name = self._add(sql, params, output.alias)
            if isinstance(expression, Window) and self.compiler.compile(expression)[0] == sql:
                self.names[expression] = name
        if not self.outer:
            self.outer.append(f"1 AS {self.compiler.quote('a')}")

    def _add(self, sql: str, params: list[Any], alias: str | None = None) -> str:
        name = f"col{len(self.inner) + 1}"
        quoted = self.compiler.quote(name)
        self.inner.append(f"{sql} AS {quoted}")
        self.inner_params += params
        self.outer.append(quoted if alias is None else f"{quoted} AS {self.compiler.quote(alias)}")
        return name

    def _named(self, expression: Any) -> Ref:
        """The name of an expression that the inner level computes."""
        name = self.names.get(expression)
        if name is None:
            name = self.names[expression] = f"qual{len(self.names) + 1}"
            sql, params = self.compiler.compile(expression)
            self.inner.append(f"{sql} AS {self.compiler.quote(name)}")
            self.inner_params += params
        return Ref(name, expression)

    def _inner(self, where: Where, having: Where, groups: list[Rendered]) -> Rendered:
        compiler = self.compiler
        where_sql, where_params = compiler._condition(where)
        having_sql, having_params = compiler._condition(having)
        from_sql, from_params = compiler.from_sql()
        sql = f"SELECT {', '.join(self.inner) or '1'}{from_sql}"
        params = [*self.inner_params, *from_params]
        if where_sql:
            sql += f" WHERE {where_sql}"
            params += where_params
        if groups:
            sql += f" GROUP BY {', '.join(text for text, _ in groups)}"
            params += [param for _, found in groups for param in found]
        if having_sql:
            sql += f" HAVING {having_sql}"
            params += having_params
        return sql, params

    # --- the outer level ----------------------------------

    def _distinct(self) -> str:
        draft = self.compiler.draft
        if not draft.distinct_fields:
            return "DISTINCT " if draft.distinct else ""
        names = [
            name if name in draft.annotation_select else self._named(draft.ref(name)).name
            for name in draft.distinct_fields
        ]
        return f"DISTINCT ON ({', '.join(map(self.compiler.quote, names))}) "

    def _outside(self, expression: Any) -> Any:
        """An expression over the names of what the inner level computes."""
        if isinstance(expression, OrderBy):
            return expression.mapped(self._ordered)
        if expression is None or isinstance(expression, Param):
            return expression
        if isinstance(expression, Ref):
            return self._named(expression.source)
        if isinstance(expression, Window) or not expression.contains_over_clause:
            needed = (
                expression.contains_over_clause
                or expression.contains_column_references
                or expression.contains_subquery
                or expression.contains_aggregate
            )
            return self._named(expression) if needed else expression
        return expression.mapped(self._outside)

    def _ordered(self, expression: Any) -> Any:
        # What is selected under an alias has it outside as well.
        return expression if isinstance(expression, Ref) else self._named(expression)

    def _conditions(self, windows: Where, order: list[OrderBy]) -> tuple[list[str], list[Any]]:
        found: list[str] = []
        params: list[Any] = []
        if windows.children:
            try:
                sql, params = where_root(windows.mapped(self._outside), self.compiler)
                found.append(f"({sql})")
            except FullResultSet:
                pass  # they say nothing
        draft = self.compiler.draft
        if draft.per:
            rank = self.compiler.compile(self._rank(order))[0]
            if draft.offset is not None:
                offset, more = number_of_rows(draft.offset)
                found.append(f"{rank} > {offset}")
                params = [*params, *more]
            if draft.limit is not None:
                limit, more = number_of_rows(draft.limit)
                offset, beyond = number_of_rows(draft.offset)
                found.append(f"{rank}{f' - {offset}' if offset else ''} <= {limit}")
                params = [*params, *beyond, *more]
        return found, params

    def _rank(self, order: list[OrderBy]) -> Ref:
        """Which of the rows of its group each one is, by the order of the query."""
        inside = [
            term.mapped(lambda each: each.source if isinstance(each, Ref) else each)
            for term in order
        ]
        per = list(self.compiler.draft.per)
        return self._named(Window(RowNumber(), partition_by=per, order_by=inside or None))


__all__ = ["OverWindows"]
