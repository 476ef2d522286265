"""The steps of a query besides its conditions: each changes a draft.

Names are checked here, when a step is made, so that a wrong one is refused at its call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aorm.errors import FieldDoesNotExist, FieldError, QueryTypeError, QueryValueError, listed
from aorm.query.conditions import Where
from aorm.query.draft import Draft
from aorm.query.expressions import (
    AND,
    OR,
    Col,
    OuterRef,
    QueryNode,
    Ref,
    Slots,
)
from aorm.query.filters import Scope
from aorm.query.joins import LOUTER, JoinPromoter
from aorm.query.paths import LOOKUP_SEP, MultiJoin
from aorm.query.query import Query
from aorm.query.set_operations import combined_columns
from aorm.query.state import Fixed, State
from aorm.query.tuples import ColumnTuple, column_at

# --- annotations ----------------------------------------


def check_alias(name: str) -> None:
    """ValueError for a name that cannot be an alias."""
    if (
        not name
        or any(c.isspace() or c in _FORBIDDEN or not c.isprintable() for c in name)
        or "--" in name
        or "/*" in name
        or "*/" in name
        or (name.startswith("__") and name.endswith("__"))
    ):
        raise QueryValueError(
            "Column aliases cannot contain whitespace characters, hashes, control characters,"
            " quotation marks, semicolons, or SQL comments. Percent signs, parentheses,"
            f" brackets and Python's own names are refused as well: {name!r}"
        )


_FORBIDDEN = frozenset("\"'`;#%()[]\0")


def annotate(draft: Draft, name: str, expression: Any, *, select: bool = True) -> None:
    """Add a resolved value under a name; `select` says whether it is in the results."""
    check_alias(name)
    resolved = expression.resolve(Scope(draft))
    if not hasattr(resolved, "get_source_expressions"):
        raise QueryTypeError(f"{expression!r} is no expression that can be selected")
    previous = draft.annotation_mask
    if select:
        if previous is not None and name not in previous:
            draft.annotation_mask = (*previous, name)
    else:
        names = draft.annotations if previous is None else previous
        draft.annotation_mask = tuple(n for n in names if n != name)
    draft.annotations[name] = resolved
    if draft.values_names and select and draft.form[0] != "model":
        draft.values_names = (*(n for n in draft.values_names if n != name), name)


def group_after_annotation(draft: Draft, names: Iterable[str]) -> None:
    """Group the rows when one of these annotations aggregates."""
    for name in names:
        if draft.annotations[name].contains_aggregate:
            if draft.form[0] == "model" and not draft.values_names:
                draft.group_by = True
            else:
                set_group_by(draft)
            break


def set_group_by(draft: Draft, allow_aliases: bool = True) -> None:
    """Group by what is selected now."""
    groups: list[Any] = [each for column in draft.select for each in column.get_group_by_cols()]
    if not draft.select and draft.default_cols:
        groups = list(_all_columns(draft))
    taken = _column_names(draft)
    for name, annotation in draft.annotation_select.items():
        columns = annotation.get_group_by_cols()
        if columns:
            by_name = allow_aliases and taken is not None and name not in taken
            if by_name and not annotation.contains_aggregate:
                groups.append(Ref(name, annotation))
            else:
                groups.extend(columns)
    draft.group_by = tuple(groups)


def _column_names(draft: Draft) -> set[str] | None:
    """The names of the columns of all joined tables; None where a table may have others."""
    if any(join.derived for join in draft.joins.values()):
        return None
    models = [draft.model]
    models += [j.field.related_model for j in draft.joins.values() if j.parent is not None]
    if not all(model._meta.managed for model in models):
        return None
    concrete = (model._meta.concrete_model._meta for model in models)
    return {field.column for opts in concrete for field in opts.local_concrete_fields}


# --- values() ----------------------------------------


def set_values(draft: Draft, names: Sequence[str], form: tuple[str, Any]) -> None:
    """Select columns and annotations by name, in place of objects; all without names."""
    draft.select_related = False
    draft.deferred = (frozenset(), True)
    draft.select = ()
    draft.default_cols = False
    draft.form = form
    masked = [n for n in (draft.annotation_mask or draft.annotations) if n in draft.annotations]
    if draft.annotation_mask is not None:
        masked = list(draft.annotation_mask)
    fields: list[str] = []
    annotations: list[str] = []
    if names:
        for name in names:
            if name in draft.annotation_select:
                annotations.append(name)
            elif name in draft.annotations:
                raise FieldError(f"Cannot select the {name!r} alias. {_way_to_select(draft, name)}")
            else:
                fields.append(name)
        draft.annotation_mask = tuple(annotations)
        _dissolve_groups(draft, annotations)
        selected = list(names)
    else:
        draft.annotation_mask = tuple(masked)
        _dissolve_groups(draft, masked)
        fields = [field.attname for field in draft.opts.concrete_fields]
        selected = [*fields, *masked]
    for name in fields:
        check_alias(name)
    draft.select = tuple(column for name in fields for column in _columns_of(draft, name))
    draft.values_names = tuple(selected)


def _way_to_select(draft: Draft, name: str) -> str:
    if draft.values_names:
        return (
            "It was excluded by a previous values() or values_list() call. Include"
            f" {name!r} in that call to select it."
        )
    return "Use annotate() to promote it."


def _dissolve_groups(draft: Draft, annotations: Sequence[str]) -> None:
    """Keep the grouping of earlier aggregates when fewer columns are selected now."""
    if draft.group_by is True:
        draft.select = _all_columns(draft)
        set_group_by(draft, allow_aliases=False)
        draft.select = ()
    elif isinstance(draft.group_by, tuple):
        kept = []
        for group in draft.group_by:
            if isinstance(group, Ref) and group.name not in annotations:
                kept.append(group.source)
            else:
                kept.append(group)
        draft.group_by = tuple(kept)


def _all_columns(draft: Draft) -> tuple[Any, ...]:
    """The columns of the model's fields, those of its parents among them."""
    names = [field.attname for field in draft.opts.concrete_fields]
    return tuple(column for name in names for column in _columns_of(draft, name))


def _columns_of(draft: Draft, name: str) -> list[Any]:
    first, *transforms = name.split(LOOKUP_SEP)
    if transforms and first in draft.annotations:
        return [draft.ref(name)]
    try:
        info = draft.setup_joins(
            name.split(LOOKUP_SEP), draft.opts, draft.initial_alias(), None, True
        )
    except MultiJoin:
        raise FieldError(f"Invalid field name: {name!r}") from None
    except FieldError as error:
        if LOOKUP_SEP in name and "Cannot resolve keyword" not in str(error):
            raise
        known = listed({*_field_names(draft), *draft.annotations, *draft.filtered_relations})
        raise FieldError(
            f"Cannot resolve keyword {name!r} into field. Choices are: {known}"
        ) from error
    targets, alias, _ = draft.trim_joins(info.targets, info.joins, info.path)
    if len(targets) > 1:
        return [ColumnTuple(alias, targets, info.targets, info.final_field)]
    return [info.transform(column_at(alias, targets[0]), alias)]


def _field_names(draft: Draft) -> set[str]:
    if draft.reads_values:
        return set()
    names = {f.name for f in draft.opts.get_fields() if not getattr(f, "hidden", False)}
    return names | {f.attname for f in draft.opts.concrete_fields}


# --- ordering ----------------------------------------


def add_ordering(draft: Draft, terms: Sequence[Any], slots: Slots) -> None:
    """Order by names, `"-name"`, `"?"` or expressions; FieldError for an unknown name."""
    found: list[Any] = []
    for term in terms:
        if isinstance(term, str):
            _check_ordering_name(draft, term)
            found.append(term)
            continue
        if not hasattr(term, "resolve"):
            raise FieldError(f"{term!r} cannot order a query: name a field, or give an expression")
        before = slots.next
        parametrised = term.parametrised(slots)
        if draft.combinator is not None:
            # Each part resolves it, or the rows as a whole do.
            parametrised.resolve(Scope(Draft.of(draft)))
        elif slots.next != before or any(isinstance(e, OuterRef | QueryNode) for e in term.walk()):
            parametrised = parametrised.resolve(Scope(draft))
        elif getattr(term, "contains_aggregate", False):
            raise FieldError(
                "Using an aggregate in order_by() without also including it in annotate() is"
                f" not allowed: {term}"
            )
        else:
            _check_expression_names(draft, parametrised)
        found.append(parametrised)
    if found:
        draft.order_by = (*draft.order_by, *found)
    else:
        draft.default_ordering = False


def _check_ordering_name(draft: Draft, term: str) -> None:
    name = term.lstrip("-+") if term[:1] in "-+" else term
    if name == "?":
        return
    if name in draft.annotations or name in draft.filtered_relations:
        return
    if draft.combinator is not None and name in combined_columns(draft):
        return
    first = name.split(LOOKUP_SEP)[0]
    if first in draft.annotations:
        draft.ref(name)
        return
    scratch = Draft.of(draft)
    info = scratch.setup_joins(name.split(LOOKUP_SEP), scratch.opts, scratch.initial_alias())
    info.transform(Col(info.joins[-1], info.targets[-1]), info.joins[-1])


def _check_expression_names(draft: Draft, expression: Any) -> None:
    scratch = Draft.of(draft)
    expression.resolve(Scope(scratch))


def clear_ordering(draft: Draft, *, force: bool = False, clear_default: bool = True) -> None:
    """Forget the ordering, unless rows are chosen by it."""
    if not force and (draft.is_sliced or draft.distinct_fields or draft.lock):
        return
    draft.order_by = ()
    if clear_default:
        draft.default_ordering = False


def ordering_of(state: State) -> tuple[Any, ...]:
    """The terms that are in force: those of the query, else those of the model."""
    if state.order_by:
        return state.order_by
    if state.default_ordering and state.opts.ordering:
        return tuple(state.opts.ordering)
    return ()


# --- what is loaded ----------------------------------------


def add_select_related(draft: Draft, names: Sequence[str]) -> None:
    """Load relations in the same statement; a tree of names."""
    tree: dict[str, Any] = (
        {} if isinstance(draft.select_related, bool) else _copied(draft.select_related)
    )
    for name in names:
        node = tree
        for part in name.split(LOOKUP_SEP):
            node = node.setdefault(part, {})
    draft.select_related = tree


def _copied(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copied(node) for name, node in tree.items()}


def add_deferred(draft: Draft, names: Iterable[str]) -> None:
    """Do not load these columns."""
    existing, defer = draft.deferred
    if defer:
        draft.deferred = (existing.union(names), True)
        return
    new_existing = existing.difference(names)
    if new_existing:
        draft.deferred = (new_existing, False)
    else:
        draft.deferred = (frozenset(), True)
        rest = set(names).difference(existing)
        if rest:
            draft.deferred = (frozenset(rest), True)


def only(draft: Draft, names: Iterable[str]) -> None:
    """Load these columns alone."""
    existing, defer = draft.deferred
    wanted = {draft.opts.pk.name if name == "pk" else name for name in names}
    if defer:
        draft.deferred = (frozenset(wanted.difference(existing)), False)
    else:
        draft.deferred = (frozenset(wanted), False)


def check_deferred(draft: Draft) -> None:
    """FieldError where a name of `only()` or `defer()` is no field."""
    for name in draft.deferred[0]:
        opts = draft.opts
        for position, part in enumerate(name.split(LOOKUP_SEP)):
            if position == 0 and part in draft.filtered_relations:
                opts = draft.path([part]).steps[-1].to_opts
                continue
            try:
                field = opts.get_field(opts.pk.name if part == "pk" else part)
            except FieldDoesNotExist as error:
                raise FieldDoesNotExist(
                    f"{opts.object_name} has no field named {part!r}; its fields are"
                    f" {listed(f.name for f in opts.fields)}"
                ) from error
            if not field.is_relation and part != name.rsplit(LOOKUP_SEP, 1)[-1]:
                raise FieldError(
                    f"{opts.object_name}.{part} is no relation: {name!r} leads nowhere"
                )
            if field.is_relation and field.related_model is not None:
                opts = field.related_model._meta


# --- combining two queries ----------------------------------------


def combine(draft: Draft, other: Query, connector: str, offset: int) -> None:
    """Join the conditions of another query of the same model by AND or OR.

    `offset` is where the other query's values start.
    """
    if draft.is_sliced or other.is_sliced:
        raise QueryTypeError("Cannot combine queries once a slice has been taken.")
    if draft.distinct != other.distinct:
        raise QueryTypeError("Cannot combine a unique query with a non-unique query.")
    if draft.distinct_fields != other.distinct_fields:
        raise QueryTypeError("Cannot combine queries with different distinct fields.")
    right = Draft.of(other)
    right.map_expressions(lambda e: e.shifted(offset))
    draft.initial_alias()
    right.initial_alias()
    if right.alias_prefix == draft.alias_prefix:
        renamed = _apart(right, draft)
        right.relabel(renamed)
    conjunction = connector == AND
    reuse: set[str] | None = set() if conjunction else set(draft.joins)
    promoter = JoinPromoter(connector, 2, False)
    promoter.add_votes(a for a, j in draft.joins.items() if j.kind != LOUTER)
    changed: dict[str, str] = {}
    right_votes = set()
    for number, (alias, join) in enumerate(list(right.joins.items())):
        if number == 0:
            changed[alias] = draft.base_alias
            continue
        if not right.refs[alias]:
            continue
        new = draft.join(join.relabeled(changed), reuse)
        if reuse is not None:
            reuse.discard(new)
        if join.kind != LOUTER:
            right_votes.add(new)
        if alias != new:
            changed[alias] = new
        if not right.refs[alias]:
            draft.unref(new)
    promoter.add_votes(right_votes)
    promoter.update_join_types(draft)
    where = right.where.relabeled(changed)
    if connector == OR and not (draft.where.children and where.children):
        draft.where = Where()
    else:
        draft.where = draft.where.joined(where, connector) if where.children else draft.where
    for name, route in right.filtered_relations.items():
        if all(changed.get(alias, alias) in draft.joins for alias in route.aliases):
            draft.filtered_relations.setdefault(name, route.relabeled(changed))
    for name, annotation in right.annotations.items():
        draft.annotations.setdefault(name, annotation.relabeled(changed))
    if right.select:
        draft.select = tuple(column.relabeled(changed) for column in right.select)
        draft.default_cols = False
        draft.form, draft.values_names = other.form, other.values_names
    draft.order_by = right.order_by or draft.order_by


def _apart(right: Draft, left: Draft) -> dict[str, str]:
    """New aliases for tables of the right query that the left one uses for something else."""
    taken = set(left.joins) | set(right.joins)
    renamed = {}
    number = 0
    for alias in right.joins:
        if alias in left.joins:
            while f"R{number}" in taken:
                number += 1
            renamed[alias] = f"R{number}"
            taken.add(renamed[alias])
    return renamed


# --- the rest ----------------------------------------


def set_distinct(draft: Draft, names: tuple[str, ...]) -> None:
    """Without repeated rows, or with one row for each of the values of these names."""
    for name in names:
        if not isinstance(name, str):
            raise FieldError(f"distinct() takes names of fields, not {name!r}")
        if name not in draft.annotations:
            Draft.of(draft).ref(name)
    draft.distinct, draft.distinct_fields = True, names


def set_limits(draft: Draft, low: bool, size: int | None, slots: Slots) -> None:
    """Make the next value the offset, and `size` the number of rows; 0: the value after it."""
    if low:
        draft.offset = slots.take()
    if size is not None:
        draft.limit = Fixed(size) if size else slots.take()
    draft.limit_one = size == 1


def set_empty(draft: Draft) -> None:
    draft.empty = True


def set_no_rows(draft: Draft) -> None:
    """Become a slice without rows, which no further step can change."""
    draft.empty, draft.limit = True, Fixed(0)
