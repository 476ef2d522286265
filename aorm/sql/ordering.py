"""The terms of ORDER BY: of the query, of the model, and of related models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aorm.errors import FieldError
from aorm.query.building import ordering_of
from aorm.query.draft import Draft, is_unresolved
from aorm.query.expressions import Col, F, OrderBy, Ref
from aorm.query.filters import Scope
from aorm.query.functions.random import Random
from aorm.query.paths import LOOKUP_SEP
from aorm.query.query import Query
from aorm.sql.dialect import Dialect
from aorm.sql.loading import Loading


class Ordering(Loading):
    """Resolves what a SELECT is ordered by."""

    def __init__(self, query: Query, dialect: Dialect) -> None:
        super().__init__(query, dialect)
        # What DISTINCT ON has to name besides its own columns, see `_with_key`.
        self.distinct_with: list[Any] = []

    def ordering(self) -> list[OrderBy]:
        """The resolved terms of ORDER BY."""
        draft = self.draft
        found: list[OrderBy] = []
        for term in ordering_of(draft):
            if isinstance(term, str):
                found.extend(self._with_key(term.lstrip("-+"), self._named_terms(term)))
                continue
            if isinstance(term, F):
                term = OrderBy(term)
            elif not isinstance(term, OrderBy):
                term = term.asc()
            resolved = term.resolve(Scope(draft)) if is_unresolved(term) else term
            if resolved.expression.composite:
                columns = resolved.expression.columns
                found.extend(OrderBy(column, resolved.descending) for column in columns)
                continue
            found.append(self._selected_form(resolved))
        if not draft.standard_ordering:
            found = [term.reverse_ordering() for term in found]
        return found

    def _selected_form(self, term: OrderBy) -> OrderBy:
        """The term by the name of an annotation, where it is one that is selected."""
        for output in self.outputs:
            if (
                output.alias is not None
                and output.expression is term.expression
                and not self._is_ambiguous(output.alias)
            ):
                clone = term.copy()
                clone.expression = Ref(output.alias, output.expression)
                return clone  # type: ignore[no-any-return]
        return term

    def _is_ambiguous(self, name: str) -> bool:
        """Whether a column of the result has the name of an annotation."""
        return any(
            isinstance(output.expression, Col)
            and output.alias is None
            and output.expression.target.column == name
            for output in self.outputs
        )

    def _named_terms(self, term: str) -> list[OrderBy]:
        draft = self.draft
        if term == "?":
            return [OrderBy(Random().resolve(Scope(draft)))]
        descending = term.startswith("-")
        name = term[1:] if term[0] in "-+" else term
        if name in draft.annotation_select and not self._is_ambiguous(name):
            return [OrderBy(Ref(name, draft.annotations[name]), descending)]
        if name in draft.annotations:
            return [OrderBy(draft.annotations[name], descending)]
        first = name.split(LOOKUP_SEP)[0]
        if first in draft.annotations:
            return [OrderBy(draft.ref(name), descending)]
        return self._path_terms(name, draft.opts, draft.initial_alias(), descending, ())

    def _with_key(self, name: str, terms: list[OrderBy]) -> list[OrderBy]:
        """The terms for a relation that DISTINCT ON names, down to the relation's own column.

        PostgreSQL wants ORDER BY to begin with what DISTINCT ON names, and objects of the same
        place in their model's order are still several.
        """
        draft = self.draft
        names = [each for each in draft.distinct_fields if each not in draft.annotations]
        if not names or name == "?" or name in draft.annotations:
            return terms
        key = draft.ref(name)
        if key.composite or key not in map(draft.ref, names):
            return terms
        if all(term.expression != key for term in terms):
            self.distinct_with.extend(term.expression for term in terms)
            terms = [*terms, OrderBy(key, terms[-1].descending)]
        return terms

    def _path_terms(
        self, name: str, opts: Any, alias: str, descending: bool, seen: Sequence[Any]
    ) -> list[OrderBy]:
        """The terms for a name: that of the field, or the ordering of a related model."""
        draft = self.draft
        parts = name.split(LOOKUP_SEP)
        info = draft.setup_joins(parts, opts, alias)
        targets, alias, joins = info.targets, info.joins[-1], info.joins
        field = info.final_field
        if (
            field.is_relation
            and info.opts.ordering
            and getattr(field, "attname", None) != parts[-1]
            and parts[-1] != "pk"
            and isinstance(info.transform(Col(alias, targets[0]), alias), Col)
        ):
            key = (tuple(parts), opts.label)
            if key in seen:
                raise FieldError("Infinite loop caused by ordering.")
            found: list[OrderBy] = []
            for term in info.opts.ordering:
                found.extend(self._related_term(term, info.opts, alias, descending, (*seen, key)))
            return found
        targets, alias, joins = draft.trim_joins(targets, joins, info.path)
        return [
            OrderBy(info.transform(Col(alias, target), alias), descending)
            for each in targets
            for target in (
                getattr(each, "fields", None) or [each] if each.column is None else [each]
            )
        ]

    def _related_term(
        self, term: Any, opts: Any, alias: str, descending: bool, seen: Sequence[Any]
    ) -> list[OrderBy]:
        if isinstance(term, str):
            if term == "?":
                return [OrderBy(Random().resolve(Scope(self.draft)))]
            down = term.startswith("-")
            return self._path_terms(term.lstrip("-+"), opts, alias, descending != down, seen)
        if not isinstance(term, OrderBy):
            term = OrderBy(term if hasattr(term, "resolve") else F(term))
        resolved = term.mapped(lambda each: _resolved_below(each, self.draft, opts, alias))
        return [resolved.reverse_ordering() if descending else resolved]


def _resolved_below(expression: Any, draft: Draft, opts: Any, alias: str) -> Any:
    """An expression of a related model's ordering, over the joined table."""
    if isinstance(expression, F):
        info = draft.setup_joins(expression.name.split(LOOKUP_SEP), opts, alias)
        targets, last, _ = draft.trim_joins(info.targets, info.joins, info.path)
        return info.transform(Col(last, targets[0]), last)
    return expression.mapped(lambda each: _resolved_below(each, draft, opts, alias))
