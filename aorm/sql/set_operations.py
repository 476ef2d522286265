"""UNION, INTERSECT and EXCEPT as SQL.

1. What the rows are ordered by stands in the result by its place; a column that is not in the
   result is selected in addition by each part, as far as the parts are objects.
2. A part with an order, a limit or parts of its own is a subquery, on every database alike.
3. Conditions, choices among the columns and orderings by expressions need names: the combination
   then becomes a table of its own in WITH.
"""

from __future__ import annotations

from typing import Any

from aorm.errors import DatabaseError, EmptyResultSet, FieldError
from aorm.query.building import ordering_of, set_values
from aorm.query.draft import Draft
from aorm.query.expressions import F, OrderBy, OutputColumn, Position, Ref
from aorm.query.functions.random import Random
from aorm.query.paths import LOOKUP_SEP
from aorm.query.query import Query
from aorm.query.set_operations import combined_columns, over_columns, selects_itself
from aorm.sql.compiler import Rendered, at_offset
from aorm.sql.decoders import Output

WORDS = {"union": "UNION", "intersection": "INTERSECT", "difference": "EXCEPT"}
TABLE = "combined rows"


class SetOperation:
    """Builds the statement of one combination.

    Args:
        compiler: the `SelectCompiler` of the combination, with its outputs.
        named: its columns must have their names.
    """

    def __init__(self, compiler: Any, named: bool) -> None:
        self.compiler = compiler
        self.draft = compiler.draft
        self.named = named
        self.columns = combined_columns(self.draft)
        self.objects = all(query.default_cols for query, _ in self.draft.combined)
        #: Terms that each part resolves for itself; the places of their columns come last.
        self.added: list[Any] = []
        self.terms: list[Any] = []

    def render(self, with_limits: bool) -> Rendered:
        """The text and parameters of the whole."""
        self.terms = [self._over_columns(term) for term in ordering_of(self.draft)]
        self.added = [term for term in self.terms if not isinstance(term, list)]
        if self.added and not self.objects:
            raise self._unmatched()
        parts = self._parts()
        sql, params = self._compound([rendered for _, rendered in parts])
        first = parts[0][0]
        order = self._order(first)
        chosen = self._chosen(first)
        needs_names = self.named or self.draft.where.children or chosen is not None
        if needs_names or not all(_is_plain(term) for term in order):
            sql, params = self._from_table(sql, params, first, order, chosen)
        else:
            self.compiler.outputs += [
                Output(term.expression, None, hidden=True) for term in first.added
            ]
            clause, found = self.compiler._order_clause([self._placed(t, first) for t in order])
            sql, params = f"{sql}{' ORDER BY ' if clause else ''}{clause}", [*params, *found]
        limits, limit_params = self.compiler._limits() if with_limits else ("", [])
        return f"{sql}{limits}", [*params, *limit_params]

    # --- the parts ----------------------------------

    def _parts(self) -> list[tuple[Part, Rendered]]:
        operator = self.draft.combinator[0]
        found: list[tuple[Part, Rendered]] = []
        for number, (query, offset) in enumerate(self.draft.combined):
            part = Part(self, query, offset)
            try:
                rendered = part.render()
            except EmptyResultSet:
                if operator == "intersection" or (operator == "difference" and not number):
                    raise
                continue
            if found and part.width != found[0][0].width:
                raise FieldError(
                    f"{operator}() needs parts with equally many columns: the first has"
                    f" {found[0][0].width}, another {part.width}"
                )
            found.append((part, rendered))
        if not found:
            raise EmptyResultSet
        return found

    def _compound(self, parts: list[Rendered]) -> Rendered:
        operator, every = self.draft.combinator
        word = f" {WORDS[operator]}{' ALL' if every else ''} "
        return word.join(sql for sql, _ in parts), [p for _, found in parts for p in found]

    # --- the order ----------------------------------

    def _over_columns(self, term: Any) -> Any:
        """The terms over columns of the rows; the term itself where it is not among these."""
        reverse = not self.draft.standard_ordering
        if isinstance(term, str):
            descending, name = term.startswith("-"), term.lstrip("-+")
            if name == "?":
                return [OrderBy(over_columns(Random(), self.draft.model, self.columns))]
            columns = self.columns.get(name)
            if columns is not None:
                return [OrderBy(column, descending != reverse) for column in columns]
            if name.split(LOOKUP_SEP)[0] not in self.columns:
                return term
            term = OrderBy(F(name), descending)
        elif not isinstance(term, OrderBy):
            term = OrderBy(term)
        try:
            resolved = over_columns(term, self.draft.model, self.columns)
        except FieldError:
            return term
        return [resolved.reverse_ordering() if reverse else resolved]

    def _order(self, first: Part) -> list[OrderBy]:
        """The terms in their order; those that the parts added by the names of their columns."""
        rest = iter(enumerate(first.added))
        counts = iter(first.counts)
        found: list[OrderBy] = []
        for term in self.terms:
            if isinstance(term, list):
                found += term
                continue
            for _ in range(next(counts)):
                number, resolved = next(rest)
                named = resolved.copy()
                named.expression = OutputColumn(_added_name(number), None)
                found.append(named)
        return found

    def _placed(self, term: OrderBy, first: Part) -> OrderBy:
        placed: OrderBy = term.copy()
        placed.expression = Position(first.names.index(term.expression.name) + 1)
        return placed

    def _unmatched(self) -> DatabaseError:
        return DatabaseError(
            "ORDER BY term does not match any column in the result set: the combined rows have"
            f" {', '.join(self.columns)}, not {', '.join(map(str, self.added))}"
        )

    # --- as a table ----------------------------------

    def _chosen(self, first: Part) -> list[str] | None:
        """The columns of the parts that are wanted, where these are not all of them in order."""
        if not selects_itself(self.draft) or not self.draft.values_names:
            return None
        wanted, there = self.draft.values_names, self.draft.combined[0][0].values_names
        if wanted == there:
            return None
        if set(wanted) <= set(there):
            return [column.name for name in wanted for column in self.columns[name]]
        if len(wanted) == len(there):
            return None
        raise FieldError(
            f"values() after {self.draft.combinator[0]}() can only choose among the columns of"
            f" the combined rows: {', '.join(there)}"
        )

    def _from_table(
        self,
        sql: str,
        params: list[Any],
        first: Part,
        order: list[OrderBy],
        chosen: list[str] | None,
    ) -> Rendered:
        compiler = self.compiler
        quote = compiler.quote
        wanted = first.names[: first.width - len(first.added)] if chosen is None else chosen
        columns = list(map(quote, wanted))
        shown = list(self.draft.values_names)
        if self.named and chosen is None and len(shown) == len(wanted):
            columns = [
                each if name == new else f"{each} AS {quote(new)}"
                for each, name, new in zip(columns, wanted, shown, strict=True)
            ]
        table = quote(TABLE)
        text = f"WITH {table} ({', '.join(map(quote, first.names))}) AS ({sql})"
        text += f" SELECT {', '.join(columns)} FROM {table}"
        where, where_params = compiler._condition(self.draft.where)
        clause, order_params = compiler._order_clause(order)
        text += f" WHERE {where}" if where else ""
        text += f" ORDER BY {clause}" if clause else ""
        return text, [*params, *where_params, *order_params]


class Part:
    """One of the combined queries."""

    def __init__(self, whole: SetOperation, query: Query, offset: int) -> None:
        self.whole = whole
        self.offset = offset
        draft = Draft.of(_with_values(query, whole.draft))
        if whole.added:
            # What is added is numbered as the values of the whole are.
            draft.shift(offset)
            self.offset = 0
        self.keeps_order = bool(
            draft.is_sliced or draft.distinct_fields or draft.per or draft.tables
        )
        if not self.keeps_order:
            draft.order_by, draft.default_ordering = (), False
        self.compiler = type(whole.compiler)(Query.frozen(draft), whole.compiler.dialect)
        self.compiler.collect_outputs()
        self.added: list[OrderBy] = []
        #: How many columns each added term became.
        self.counts: list[int] = []
        self._add_terms()
        self.width = sum(output.width for output in self.compiler.outputs)
        self.names = self._names()

    def render(self) -> Rendered:
        """The text and parameters, counted among the values of the whole."""
        compiler = self.compiler
        sql, params = compiler.without_hidden(compiler.statement())
        draft = compiler.draft
        if self.keeps_order or draft.combinator is not None or draft.lock is not None:
            sql = f"SELECT * FROM ({sql}) {compiler.quote('part')}"
        return at_offset((sql, params), self.offset)

    def _add_terms(self) -> None:
        """Select what the whole is ordered by."""
        draft = self.compiler.draft
        kept = draft.order_by, draft.default_ordering, draft.standard_ordering
        draft.standard_ordering = self.whole.draft.standard_ordering
        for term in self.whole.added:
            draft.order_by = (term,)
            found = self.compiler.ordering()
            self.counts.append(len(found))
            self.added += found
        draft.order_by, draft.default_ordering, draft.standard_ordering = kept
        self.compiler.outputs += [Output(_selectable(term.expression), None) for term in self.added]

    def _names(self) -> list[str]:
        """A name for each column, those of the whole's columns among them."""
        source, outputs = self.compiler.source, self.compiler.outputs
        names: list[str | None] = [output.key for output in outputs]
        if source is not None:
            for field, place in source.fields:
                names[place] = field.attname
            for name, place in source.annotations:
                names[place] = name
        found: list[str] = []
        for number, (name, output) in enumerate(zip(names, outputs, strict=True)):
            added = number - len(outputs) + len(self.added)
            if added >= 0:
                name = _added_name(added)
            elif name is None or name in found:
                name = f"column {number}"
            found += [name] if output.width == 1 else [f"{name}_{i}" for i in range(output.width)]
        return found


def _with_values(query: Query, whole: Draft) -> Query:
    """A part of objects with the values that were asked of the whole."""
    if whole.default_cols or not query.default_cols or not whole.values_names:
        return query
    names = whole.values_names
    return query.changed(
        ("values", "tuple", names), lambda draft: set_values(draft, names, ("tuple", None))
    )


def _is_plain(term: OrderBy) -> bool:
    return isinstance(term.expression, OutputColumn)


def _selectable(expression: Any) -> Any:
    return expression.source if isinstance(expression, Ref) else expression


def _added_name(number: int) -> str:
    return f"order {number}"
