"""UNION, INTERSECT and EXCEPT: queries whose rows are put together.

1. The query of a combination has the form of its first part; the parts keep their own queries and
   values, so that nothing of them is worked out again.
2. `values()` after a combination of objects is asked of each part; after a combination of values
   it chooses among their columns.
3. What else is computed from the rows, such as aggregates, is over columns by their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aorm.errors import FieldError
from aorm.query.conditions import Where
from aorm.query.draft import Draft
from aorm.query.expressions import Col, OutputColumn
from aorm.query.filters import Scope
from aorm.query.query import Query
from aorm.query.state import State

Columns = Mapping[str, tuple[OutputColumn, ...]]


def combine_rows(
    draft: Draft, operator: str, every: bool, parts: Sequence[tuple[Query, int]]
) -> None:
    """Make the draft of the first part that of a combination.

    Args:
        operator: "union", "intersection" or "difference".
        every: keep equal rows.
        parts: the queries, and where the values of each start.
    """
    draft.combinator, draft.combined = (operator, every), tuple(parts)
    draft.where = Where()
    draft.order_by, draft.standard_ordering = (), True
    draft.limit = draft.offset = None
    draft.limit_one = False
    draft.per = ()
    draft.distinct, draft.distinct_fields = False, ()
    draft.group_by = draft.lock = None
    draft.empty = False
    draft.hidden = draft.tables = ()
    draft.returning = None


def selects_itself(state: State) -> bool:
    """Whether the parts of a combination say which columns they have."""
    return not state.combined[0][0].default_cols


def combined_columns(state: State) -> Columns:
    """The columns of the rows of a combination, before it chooses among them."""
    return result_columns(state.combined[0][0] if selects_itself(state) else state)


def result_columns(state: State) -> Columns:
    """The columns of the results of a query, by all the names that they go by."""
    return _of_objects(state) if state.default_cols else _of_values(state)


def _of_objects(state: State) -> Columns:
    found: dict[str, tuple[OutputColumn, ...]] = {}
    opts = state.opts
    for field in opts.concrete_fields:
        if not _is_loaded(state, field):
            continue
        column = (OutputColumn(field.attname, field),)
        found[field.attname] = column
        # By the name of a relation rows are in the order of the related model.
        if not (field.is_relation and field.related_model._meta.ordering):
            found[field.name] = column
    keys = [found[field.attname][0] for field in opts.pk_fields if field.attname in found]
    if len(keys) == len(opts.pk_fields):
        found["pk"] = tuple(keys)
    for name, annotation in state.annotation_select.items():
        found[name] = (OutputColumn(name, annotation._output_field_or_none),)
    return found


def _is_loaded(state: State, field: Any) -> bool:
    names, defer = state.deferred
    if not names or field.primary_key or field in state.opts.pk_fields:
        return True
    return (field.name in names or field.attname in names) != defer


def _of_values(state: State) -> Columns:
    found: dict[str, tuple[OutputColumn, ...]] = {}
    base = next(iter(state.joins), None)
    columns = iter(state.select)
    targets: dict[str, tuple[OutputColumn, ...]] = {}
    for name in state.values_names:
        annotation = state.annotation_select.get(name)
        source = next(columns) if annotation is None else annotation
        if hasattr(source, "columns"):
            found[name] = tuple(
                OutputColumn(f"{name}_{number}", column.target)
                for number, column in enumerate(source.columns)
            )
            continue
        column = (OutputColumn(name, source._output_field_or_none),)
        found[name] = column
        if annotation is None and isinstance(source, Col) and source.alias == base:
            targets.update(dict.fromkeys(_names(source.target), column))
    return {**targets, **found}


def _names(field: Any) -> list[str]:
    return [field.attname, field.name, *(["pk"] if field.primary_key else [])]


def over_columns(expression: Any, model: Any, columns: Columns) -> Any:
    """An expression of names, resolved over the columns of other rows.

    Raises FieldError where a name is none of these columns.
    """
    scratch = _scope(model, columns)
    resolved = expression.resolve(scratch)
    if any(isinstance(each, Col) for each in resolved.walk()):
        raise FieldError(f"{expression!r} refers to columns that the combined rows do not have")
    return resolved


def condition_over(q: Any, model: Any, columns: Columns) -> Where:
    """A condition on the columns of other rows."""
    resolved: Where = over_columns(q, model, columns)
    return resolved


def _scope(model: Any, columns: Columns) -> Scope:
    scratch = Draft.fresh(model)
    scratch.annotations = {name: each[0] for name, each in columns.items() if len(each) == 1}
    return Scope(scratch)
