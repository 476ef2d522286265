"""Keyset pagination: the order that leaves no two rows at one place, and what comes behind a row.

1. Where the order of a query has ties, the primary key decides; in grouped queries the groups.
2. "Behind a row" is a condition on the terms of the order, with its values as parameters.  Which
   of them are NULL, and where NULL stands, is part of the structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aorm.errors import QueryTypeError
from aorm.query.conditions import Where
from aorm.query.draft import Draft
from aorm.query.expressions import AND, OR, Col, OrderBy, Param, Ref, Slots
from aorm.query.functions.random import Random
from aorm.query.joins import LOUTER
from aorm.query.lookups import Exact, GreaterThan, IsNull, Items, LessThan
from aorm.query.tuples import Row, TupleGreaterThan, TupleLessThan, column_at


def order_for_pages(draft: Draft, terms: Sequence[OrderBy], total: bool, backwards: bool) -> None:
    """Order by these terms and what decides between ties, and select the terms unseen.

    Args:
        terms: the resolved terms of the query's order.
        total: they leave no ties.
        backwards: in the reverse order.
    Raises:
        QueryTypeError: rows cannot be found again by such an order.
    """
    found = [_inlined(term) for term in terms]
    for term in found:
        _check_term(term)
    if not total:
        known = {term.expression for term in found}
        descending = found[-1].descending if found else False
        found += [OrderBy(each, descending) for each in _tie_breakers(draft) if each not in known]
    if backwards:
        found = [term.reverse_ordering() for term in found]
    draft.order_by, draft.default_ordering, draft.standard_ordering = tuple(found), False, True
    draft.hidden = tuple(term.expression for term in found)


def _inlined(term: OrderBy) -> OrderBy:
    if isinstance(term.expression, Ref):
        clone: OrderBy = term.copy()
        clone.expression = term.expression.source
        return clone
    return term


def _check_term(term: OrderBy) -> None:
    if any(isinstance(each, Random) for each in term.expression.walk()):
        raise QueryTypeError("Pages need an order in which rows are found again: not a random one")
    field = term.expression._output_field_or_none
    if field is not None and field.get_internal_type() == "JSONField":
        raise QueryTypeError(
            "Pages cannot be ordered by JSON documents: annotate() a Cast of what is in them"
        )


def _tie_breakers(draft: Draft) -> list[Any]:
    if isinstance(draft.group_by, tuple):
        return [
            column
            for group in draft.group_by
            for column in _columns(group.source if isinstance(group, Ref) else group)
        ]
    base = draft.initial_alias()
    return _columns(column_at(base, draft.opts.pk))


def _columns(expression: Any) -> list[Any]:
    return list(expression.columns) if expression.composite else [expression]


# --- what comes behind a row ----------------------------------------


def seek(
    draft: Draft, slots: Slots, kinds: Sequence[Any], inclusive: bool, nulls_are_largest: bool
) -> None:
    """Leave only the rows behind one whose terms have given values.

    Args:
        kinds: the type of the value of each term; None where it is NULL.
        inclusive: the row itself as well.
        nulls_are_largest: how the database orders NULL where nothing is said.
    """
    terms = [
        _Term(draft, term, kind, slots, nulls_are_largest)
        for term, kind in zip(draft.order_by, kinds, strict=True)
    ]
    draft.where = draft.where.joined(_behind(terms, inclusive))


class _Term:
    """One term of the order, and the value that a row has there."""

    def __init__(
        self, draft: Draft, term: Any, kind: Any, slots: Slots, nulls_are_largest: bool
    ) -> None:
        expression = self.expression = term.expression
        self.descending = term.descending
        self.nullable = _may_be_null(draft, expression)
        last = nulls_are_largest != term.descending
        self.nulls_last = bool(term.nulls_last or (last and not term.nulls_first))
        self.param = None
        if kind is not None:
            typed = type(expression) is not Col
            field = expression._output_field_or_none
            self.param = Param(slots.take(), field, kind, ..., typed=typed)

    def equal(self) -> Any:
        if self.param is None:
            return IsNull(self.expression, True)
        return Exact(self.expression, self.param)

    def behind(self) -> Any:
        """The condition that a row comes later by this term; None where none can."""
        if self.param is None:
            return None if self.nulls_last else IsNull(self.expression, False)
        lookup = LessThan if self.descending else GreaterThan
        later = lookup(self.expression, self.param)
        if self.nullable and self.nulls_last:
            return Where([later, IsNull(self.expression, True)], OR)
        return later


def _may_be_null(draft: Draft, expression: Any) -> bool:
    if type(expression) is not Col:
        return True
    join = draft.joins.get(expression.alias or "")
    return bool(expression.target.null) or join is None or join.kind == LOUTER


def _behind(terms: Sequence[_Term], inclusive: bool) -> Where:
    rows = _row_comparison(terms)
    if rows is not None and not inclusive:
        return Where([rows])
    choices: list[Any] = []
    for number, term in enumerate(terms):
        later = term.behind()
        if later is not None:
            choices.append(Where([*(each.equal() for each in terms[:number]), later], AND))
    if inclusive:
        choices.append(Where([each.equal() for each in terms], AND))
    return Where([Where(choices, OR)])


def _row_comparison(terms: Sequence[_Term]) -> Any:
    """`(a, b) > (1, 2)`, for which an index serves best; None where that says something else."""
    directions = {term.descending for term in terms}
    if len(terms) < 2 or len(directions) > 1 or any(term.nullable for term in terms):
        return None
    lookup = TupleLessThan if terms[0].descending else TupleGreaterThan
    row = Row(*(term.expression for term in terms))
    return lookup(row, Items(term.param for term in terms))
