"""`aggregate()` and `count()`: one row of aggregates over what a query gives.

Where the query itself groups, slices or removes duplicates, it becomes a subquery and the
aggregates are over its columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aorm.errors import QueryTypeError
from aorm.query.draft import Draft, is_unresolved
from aorm.query.expressions import Col, F, Ref
from aorm.query.filters import Scope
from aorm.query.query import Query
from aorm.query.set_operations import over_columns, result_columns


def aggregated(draft: Draft, aggregates: Mapping[str, Any]) -> None:
    """Make the draft the query of these (parametrised) aggregates over its rows.

    Raises TypeError for an expression that does not aggregate.
    """
    if draft.combinator is not None:
        _over_combined(draft, aggregates)
        return
    summaries: dict[str, Any] = {}
    mask = draft.annotation_mask
    for name, expression in aggregates.items():
        resolved = _with_earlier(expression.resolve(Scope(draft, summarize=True)), summaries)
        if not resolved.contains_aggregate:
            raise QueryTypeError(f"{name} is not an aggregate expression")
        summaries[name] = resolved
        draft.annotations[name] = resolved
        if mask is not None:
            draft.annotation_mask = (*mask, *summaries)
    for name in summaries:
        del draft.annotations[name]
    draft.annotation_mask = mask
    if _needs_subquery(draft, summaries):
        _over_subquery(draft, summaries)
    else:
        draft.annotations = {name: _inlined(summary) for name, summary in summaries.items()}
    _only_aggregates(draft)


def _over_combined(draft: Draft, aggregates: Mapping[str, Any]) -> None:
    """Aggregates over the rows of UNION, INTERSECT or EXCEPT, by the names of their columns."""
    summaries: dict[str, Any] = {}
    columns = result_columns(draft)
    for name, expression in aggregates.items():
        resolved = over_columns(expression, draft.model, columns)
        if not resolved.contains_aggregate:
            raise QueryTypeError(f"{name} is not an aggregate expression")
        summaries[name] = resolved
    inner = Draft.of(draft)
    if not inner.is_sliced:
        inner.order_by, inner.default_ordering = (), False
    _stand_on(draft, inner, summaries)
    _only_aggregates(draft)


def _stand_on(draft: Draft, inner: Draft, summaries: dict[str, Any]) -> None:
    """Make another query the table of the draft."""
    draft.inner = Query.frozen(inner)
    draft.annotations = summaries
    draft.joins, draft.refs, draft.filtered_relations = {}, {}, {}
    draft.where = type(draft.where)()
    draft.combinator, draft.combined = None, ()
    draft.per = ()
    draft.tables = ()


def _only_aggregates(draft: Draft) -> None:
    """Select the annotations alone."""
    draft.select, draft.default_cols = (), False
    draft.values_names = ()
    draft.form = ("dict", None)
    draft.annotation_mask = None
    draft.group_by = None
    draft.select_related = False
    draft.deferred = (frozenset(), True)
    draft.order_by, draft.default_ordering = (), False
    draft.limit = draft.offset = None
    draft.limit_one = False
    draft.distinct, draft.distinct_fields = False, ()
    draft.lock = None


def _with_earlier(expression: Any, earlier: Mapping[str, Any]) -> Any:
    """The expression with aggregates of the same call in the place of their names."""
    if isinstance(expression, Ref):
        return earlier.get(expression.name, expression)
    return expression.mapped(lambda each: _with_earlier(each, earlier))


def _inlined(expression: Any) -> Any:
    """The expression with annotations in the place of their names."""
    return expression.source if isinstance(expression, Ref) else expression.mapped(_inlined)


def _needs_subquery(draft: Draft, summaries: Mapping[str, Any]) -> bool:
    selected = draft.annotation_select.values()
    return (
        draft.group_by is not None
        or draft.is_sliced
        or draft.distinct
        or draft.where.contains_over_clause
        or any(a.contains_aggregate or a.contains_over_clause or _makes_rows(a) for a in selected)
        or any(
            isinstance(each, Ref)
            and (
                each.source.contains_over_clause
                or each.source.contains_aggregate
                # Its aggregates would be taken for those of the query around.
                or each.source.contains_subquery
            )
            for summary in summaries.values()
            for each in summary.walk()
        )
    )


def _makes_rows(expression: Any) -> bool:
    """Whether a row of the query becomes several, or none, because of an expression."""
    return any(getattr(each, "set_returning", False) for each in expression.walk())


def _over_subquery(draft: Draft, summaries: Mapping[str, Any]) -> None:
    inner = Draft.of(draft)
    inner.select_related = False
    inner.lock = None
    if not (inner.is_sliced or inner.distinct_fields):
        if isinstance(inner.group_by, tuple):
            inner.group_by = (*inner.group_by, *_ordering_columns(inner))
        inner.order_by, inner.default_ordering = (), False
    grouped = any(a.contains_aggregate for a in inner.annotation_select.values())
    if not inner.distinct:
        if inner.default_cols and grouped:
            inner.group_by = (Col(inner.initial_alias(), inner.opts.pk),)
        inner.default_cols = False
        if not inner.select:
            _keep_referenced(inner, summaries)
    columns: dict[Any, str] = {}

    def outward(each: Any) -> Any:
        if isinstance(each, Ref):
            if each.name not in inner.annotation_select:
                inner.annotation_mask = (*(inner.annotation_mask or ()), each.name)
            return each
        if isinstance(each, Col):
            name = columns.get(each)
            if name is None:
                name = columns[each] = f"__col{len(columns) + 1}"
                inner.annotations[name] = each
                if inner.annotation_mask is not None:
                    inner.annotation_mask = (*inner.annotation_mask, name)
            return Ref(name, each)
        return each.mapped(outward)

    outer = {name: outward(summary) for name, summary in summaries.items()}
    if not inner.select and not inner.default_cols and not inner.annotation_select:
        inner.select = (Col(inner.initial_alias(), inner.opts.pk),)
        inner.values_names = ()
    if not inner.default_cols and inner.form[0] == "model":
        inner.form = ("tuple", None)
    _stand_on(draft, inner, outer)


def _keep_referenced(inner: Draft, summaries: Mapping[str, Any]) -> None:
    """Select only the annotations that the aggregates, or the grouping, need."""
    wanted = {
        each.name
        for summary in summaries.values()
        for each in summary.walk()
        if isinstance(each, Ref)
    }
    if isinstance(inner.group_by, tuple):
        wanted.update(each.name for each in inner.group_by if isinstance(each, Ref))
    grouped = inner.group_by is not None
    inner.annotation_mask = tuple(
        name
        for name, annotation in inner.annotation_select.items()
        if name in wanted or (grouped and annotation.get_group_by_cols()) or _makes_rows(annotation)
    )
    inner.values_names = tuple(
        name
        for name in inner.values_names
        if name not in inner.annotations or name in inner.annotation_mask
    )


def _ordering_columns(draft: Draft) -> list[Any]:
    """What the terms of an ordering add to the groups of a query."""
    found: list[Any] = []
    for term in draft.order_by:
        if isinstance(term, str):
            name = term.lstrip("-+")
            term = F(name) if name != "?" else None
        if term is not None:
            resolved = term.resolve(Scope(draft)) if is_unresolved(term) else term
            found.extend(resolved.get_group_by_cols())
    return found
