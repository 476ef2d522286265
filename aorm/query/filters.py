"""How conditions become lookups on joined tables, with Django's meaning.

1. Within one `filter()` call, conditions on a to-many relation are about the same related row;
   a further call may be about another one.
2. A negated condition on a to-many relation is a subquery: no related row may match.
3. A negated condition on a column that may be NULL says so, so that `exclude(x=1)` keeps rows
   without an x.
4. A list that holds None stands for rows without a value where it is excluded, and only there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aorm.errors import FieldError, QueryTypeError, QueryValueError
from aorm.query.comparable import comparable
from aorm.query.conditions import (
    NOTHING,
    Argument,
    Arguments,
    Q,
    Where,
    check_filterable,
    flattened,
)
from aorm.query.draft import Draft, unsupported_lookup
from aorm.query.expressions import (
    OR,
    Col,
    Exists,
    F,
    JoinRestriction,
    OuterRef,
    QueryNode,
    Ref,
    ResolvedOuterRef,
    Subquery,
)
from aorm.query.joins import LOUTER, JoinPromoter
from aorm.query.lookups import Exact, IsNull, Lookup, PreparedNone
from aorm.query.paths import LOOKUP_SEP, MultiJoin
from aorm.query.query import Query
from aorm.query.tuples import column_at, relation_column


class Scope:
    """Where an expression is resolved: a draft, and what is allowed there."""

    __slots__ = ("allow_joins", "draft", "for_save", "reuse", "summarize")

    def __init__(
        self,
        draft: Draft,
        *,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> None:
        self.draft = draft
        self.allow_joins = allow_joins
        self.reuse = reuse
        self.summarize = summarize
        self.for_save = for_save

    def ref(self, name: str) -> Any:
        return self.draft.ref(name, self.allow_joins, self.reuse, self.summarize)

    def condition(self, q: Q) -> Where:
        """A `Q` inside an expression."""
        clause, joins = Conditions(
            self.draft,
            self.reuse,
            allow_joins=self.allow_joins,
            split=False,
            filterable=False,
            summarize=self.summarize,
        ).where(q)
        self.draft.promote_joins(joins)
        return clause


def add_q(draft: Draft, q: Q, *, reuse_all: bool = False, sticky: bool = False) -> None:
    """Add a condition to WHERE.

    Under `sticky` the next condition is about the same rows of to-many relations.
    """
    before = draft.inner_aliases()
    used: set[str] | None = None if reuse_all else set(draft.used_aliases)
    clause, _ = Conditions(draft, used).where(q)
    if clause.children:
        draft.where = draft.where.joined(clause)
    draft.demote_joins(before)
    if sticky and used is not None:
        draft.used_aliases = frozenset(used)
        draft.filter_is_sticky = True


class Conditions:
    """Turns the conditions of one call into clauses on joined tables.

    Args:
        used: the tables whose rows the conditions are about; None: any that fit.
        allow_joins: whether names may lead to other tables.
        split: whether a negated condition on a to-many relation is a subquery.
        filterable: whether the clauses stand in WHERE.
        summarize: whether names of annotations are those of a subquery's columns.
    """

    def __init__(
        self,
        draft: Draft,
        used: set[str] | None,
        *,
        allow_joins: bool = True,
        split: bool = True,
        filterable: bool = True,
        summarize: bool = False,
    ) -> None:
        self.draft = draft
        self.used = used
        self.allow_joins = allow_joins
        self.split = split
        self.filterable = filterable
        self.summarize = summarize

    def where(
        self, q: Q, negated: bool = False, branch_negated: bool = False
    ) -> tuple[Where, set[str]]:
        """The clause of a condition, and the tables that all of it needs rows of.

        Args:
            negated: whether what is around is negated once, or an odd number of times.
            branch_negated: whether it is negated at all.
        """
        negated ^= q.negated
        branch_negated = branch_negated or q.negated
        promoter = JoinPromoter(q.connector, len(q.children), negated)
        where = Where([], q.connector, q.negated)
        for child in q.children:
            if isinstance(child, Q):
                clause, needed = self.where(child, negated, branch_negated)
                found: Any = clause if clause.children else None
            else:
                found, wanted = _Builder(self, negated, branch_negated).build(child)
                needed = set(wanted)
            promoter.add_votes(needed)
            if found is not None:
                where.children.extend(flattened(found, where.connector))
        return where, promoter.update_join_types(self.draft)

    def resolved(self, value: Any) -> Any:
        """A value with columns in the place of names."""
        if isinstance(value, Arguments):
            return Arguments(map(self.resolved, value))
        return value.resolve(self.scope()) if hasattr(value, "resolve") else value

    def scope(self) -> Scope:
        """Where expressions among the conditions are resolved."""
        return Scope(
            self.draft,
            allow_joins=self.allow_joins,
            reuse=self.used,
            summarize=self.summarize,
        )


class _Builder:
    """Turns one lookup into a condition, below negations or not."""

    def __init__(self, context: Conditions, negated: bool, branch_negated: bool) -> None:
        self.context = context
        self.draft = context.draft
        self.used = context.used
        self.negated = negated
        self.branch_negated = branch_negated

    def build(self, child: Any) -> tuple[Any, Iterable[str]]:
        """The clause, or None where it says nothing, and the tables that it needs rows of."""
        if not isinstance(child, tuple):
            return self._expression(child)
        name, value = child
        lookups, parts, annotation = solve(self.draft, name, self.context.summarize)
        if self.context.filterable:
            check_filterable(annotation)
        if not self.context.allow_joins and len(parts) > 1:
            raise FieldError("Joined field references are not permitted in this query")
        before = dict(self.draft.refs)
        unresolved = value
        value = self.context.resolved(value)
        if self.context.filterable:
            check_filterable(value)
        used_by_value = {
            alias for alias, count in self.draft.refs.items() if count > before.get(alias, 0)
        }
        if annotation is not None:
            condition = build_lookup(self.draft, lookups, annotation, value)
            return Where([condition]), ()
        return self._on_column(name, lookups, parts, value, unresolved, used_by_value)

    def _expression(self, expression: Any) -> tuple[Any, Iterable[str]]:
        if not hasattr(expression, "resolve"):
            raise FieldError(
                f"Cannot parse keyword query as {type(expression).__name__}: {expression!r}"
            )
        if not getattr(expression, "conditional", False) and not isinstance(expression, F):
            raise QueryTypeError("Cannot filter against a non-conditional expression.")
        condition = expression.resolve(self.context.scope())
        if not getattr(condition, "conditional", False):
            raise QueryTypeError("Cannot filter against a non-conditional expression.")
        if self.context.filterable:
            check_filterable(condition)
        return Where([condition]), ()

    def _on_column(
        self,
        name: str,
        lookups: list[str],
        parts: list[str],
        value: Any,
        unresolved: Any,
        used_by_value: set[str],
    ) -> tuple[Any, Iterable[str]]:
        draft = self.draft
        allow_many = not self.branch_negated or not self.context.split
        try:
            info = draft.setup_joins(
                parts, draft.opts, draft.initial_alias(), self.used, allow_many
            )
        except MultiJoin as found:
            return self._excluded(name, unresolved, found, parts, lookups), ()
        check_related(info.final_field, value, info.opts)
        if self.used is not None:
            self.used.update(info.joins)
        targets, alias, joins = draft.trim_joins(info.targets, info.joins, info.path)
        if self.used is not None:
            self.used.update(joins)
        column = self._column(info, targets, alias, lookups)
        condition = build_lookup(draft, lookups, column, value)
        may_be_missing = draft.is_nullable(targets[0]) or draft.joins[joins[-1]].kind == LOUTER
        if self.negated and may_be_missing and lookups[-1:] == ["in"] and _lists_none(value):
            is_missing = IsNull(self._plain_column(info, targets, alias), True)
            return Where([condition, is_missing], OR), ()
        name_of = condition.lookup_name if isinstance(condition, Lookup) else None
        is_null = name_of == "isnull" and getattr(condition, "truth", False)
        clause = Where([condition])
        # A row that is missing from an outer join satisfies IS NULL, so the join stays outer.
        needs_outer = is_null and not self.negated
        compares_null = getattr(condition, "rhs_is_none", False)
        if self.negated and not is_null and not compares_null and condition is not NOTHING:
            needs_outer = True
            if name_of != "isnull" and may_be_missing:
                present = IsNull(self._plain_column(info, targets, alias), False)
                clause.children.append(present)
            if isinstance(value, Col) and draft.is_nullable(value.target):
                clause.children.append(IsNull(value, False))
        # A join that was trimmed needs its row all the same: the key that replaced it is not NULL.
        return clause, () if needs_outer else used_by_value.union(info.joins)

    def _column(self, info: Any, targets: tuple[Any, ...], alias: str, lookups: list[str]) -> Any:
        if info.final_field.is_relation:
            return relation_column(alias, targets, info.targets, info.final_field)
        return column_at(alias, targets[0])

    def _plain_column(self, info: Any, targets: tuple[Any, ...], alias: str) -> Any:
        if info.final_field.is_relation and len(targets) == 1:
            return relation_column(alias, targets, info.targets, info.final_field)
        return column_at(alias, targets[0])

    # --- exclude across to-many relations --------------------------------------------

    def _excluded(
        self, name: str, value: Any, found: MultiJoin, parts: list[str], lookups: list[str]
    ) -> Any:
        """A condition that some related row matches, as a subquery of its own."""
        value = _one_level_out(value)
        prefix = found.names_with_path[:-1]
        before = _to_many_part(found.names_with_path[-1][1])
        truth = isinstance(value, Argument) and value.sample is True and lookups[-1:] == ["isnull"]
        nothing = isinstance(value, Argument) and value.sample is None
        rest = parts[found.level :]
        step = before[-1]
        far = list(_remaining(self.draft, found, parts))
        names = far + rest
        if truth or nothing or parts[0] in self.draft.filtered_relations:
            inner = self._of_the_same_rows()
            add_q(inner, Q.create([(name, value)]), reuse_all=True)
            inner.where = inner.where.joined(
                build_lookup(inner, [], inner.ref("pk"), OuterRef("pk").resolve(Scope(inner)))
            )
        else:
            inner = Draft.fresh(step.to_opts.model)
            inner.slots = self.draft.slots
            if names:
                lookup = LOOKUP_SEP.join([*names, *lookups])
                add_q(inner, Q.create([(lookup, value)]), reuse_all=True)
            else:
                inner.where = inner.where.joined(_on_relation(inner, step, lookups, value))
            path = [each for each, _ in prefix] + [s.join_field.name for s in before[:-1]]
            base = inner.initial_alias()
            reused = self._reused_alias(step)
            # Where the table of the step is joined, its row says all about the row before it.
            for theirs, ours in () if reused is not None else _pairs(step):
                outer = LOOKUP_SEP.join([*path, theirs.name])
                inner.where = inner.where.joined(
                    Exact(
                        comparable(Col(base, ours), ours, theirs),
                        comparable(ResolvedOuterRef(outer), theirs, ours),
                    )
                )
            restriction = JoinRestriction(step.join_field, base, None)
            if restriction.condition is not None:
                inner.where = inner.where.joined(restriction)
            if reused is not None:
                target = step.to_opts.pk
                inner.where = inner.where.joined(
                    Exact(Col(base, target), _OuterColumn(reused, target))
                )
        inner.order_by = ()
        inner.default_ordering = False
        exists = Exists(QueryNode(Query.frozen(inner)))
        resolved = exists.resolve(Scope(self.draft, reuse=self.used))
        clause = Where([resolved])
        return clause

    def _of_the_same_rows(self) -> Draft:
        """A query of the same model that knows the filtered relations of this one."""
        inner = Draft.fresh(self.draft.model)
        inner.slots = self.draft.slots
        if self.draft.filtered_relations:
            inner.filtered_relations = dict(self.draft.filtered_relations)
            for alias, join in self.draft.joins.items():
                inner.joins[alias] = join
                inner.joins[alias] = join.replaced(kind=inner.usual_kind(join))
            inner.refs = dict.fromkeys(inner.joins, 0)
        return inner

    def _reused_alias(self, step: Any) -> str | None:
        for alias in self.used or ():
            join = self.draft.joins.get(alias)
            if join is not None and join.field == step.join_field and self.draft.refs[alias]:
                return alias
        return None


def _lists_none(value: Any) -> bool:
    """Whether a value is a list of which one item is None."""
    sample = value.sample if isinstance(value, Argument) else None
    return isinstance(sample, list | tuple | set | frozenset) and any(
        each is None for each in sample
    )


class _OuterColumn(ResolvedOuterRef):
    """A column of one certain table of the query around."""

    def __init__(self, alias: str, target: Any) -> None:
        super().__init__(f"{alias}.{target.name}")
        self.alias = alias
        self.target = target

    def resolve(self, scope: Any) -> Any:
        return Col(self.alias, self.target)


def _on_relation(draft: Draft, step: Any, lookups: list[str], value: Any) -> Any:
    """The condition on the rows of a relation themselves: objects, keys or queries of these."""
    value = Conditions(draft, None).resolved(value)
    check_related(step.join_field, value, step.to_opts)
    base, targets = draft.initial_alias(), tuple(step.target_fields)
    column = relation_column(base, targets, targets, step.join_field)
    return build_lookup(draft, lookups, column, value)


def _one_level_out(value: Any) -> Any:
    if isinstance(value, OuterRef):
        return OuterRef(value)
    if isinstance(value, F) and not isinstance(value, ResolvedOuterRef):
        return OuterRef(value.name)
    if isinstance(value, Arguments):
        return Arguments(map(_one_level_out, value))
    if hasattr(value, "mapped") and not isinstance(value, QueryNode | Subquery):
        return value.mapped(_one_level_out)
    return value


def _to_many_part(steps: list[Any]) -> list[Any]:
    """The steps up to and with the first to-many one."""
    for number, step in enumerate(steps):
        if step.m2m:
            return steps[: number + 1]
    return steps


def _remaining(draft: Draft, found: MultiJoin, parts: list[str]) -> Iterable[str]:
    """Names for the steps of the same relation that come behind its to-many step."""
    steps = draft.path(parts[: found.level], allow_many=True).steps
    done = sum(len(path) for _, path in found.names_with_path)
    for step in steps[done:]:
        yield step.join_field.name


def _pairs(step: Any) -> Iterable[tuple[Any, Any]]:
    """(field of the model before, field of the model behind) of a step."""
    return step.join_field.get_joining_fields()  # type: ignore[no-any-return]


# --- names and lookups ----------------------------------------


def solve(draft: Draft, name: str, summarize: bool = False) -> tuple[list[str], list[str], Any]:
    """A keyword as lookups and parts of a path, or as lookups on an annotation."""
    if not isinstance(name, str):
        raise FieldError(f"Cannot parse keyword query as {type(name).__name__}: {name!r}")
    names = name.split(LOOKUP_SEP)
    if draft.annotations:
        for length in range(len(names), 0, -1):
            candidate = LOOKUP_SEP.join(names[:length])
            annotation = draft.annotations.get(candidate)
            if annotation is not None and (length > 1 or candidate in draft.annotations):
                if summarize:
                    annotation = Ref(candidate, annotation)
                return names[length:], [], annotation
    path = draft.path(names)
    parts = names[: len(names) - len(path.rest)]
    if not parts:
        raise FieldError(f"Invalid lookup {name!r} for model {draft.opts.object_name}")
    return path.rest, parts, None


def build_lookup(draft: Draft, lookups: list[str], lhs: Any, rhs: Any) -> Any:
    """The condition of a column, lookups and transforms, and a value."""
    *transforms, last = lookups or ["exact"]
    for number, name in enumerate(transforms):
        lhs = _transformed(lhs, name, lookups[number:])
    lookup_class = lhs.get_lookup(last)
    if lookup_class is None:
        lhs = _transformed(lhs, last, [last])
        last = "exact"
        lookup_class = lhs.get_lookup(last)
        if lookup_class is None:
            raise unsupported_lookup(lhs, last, lookups)
    is_none = isinstance(rhs, Argument) and rhs.sample is None
    if is_none and not lookup_class.can_use_none_as_rhs:
        if last not in ("exact", "iexact"):
            raise QueryValueError("Cannot use None as a query value")
        rhs.use(None)
        found = lhs.get_lookup("isnull") or IsNull
        return found(lhs, True)
    try:
        return lookup_class(lhs, rhs)
    except PreparedNone:
        return (lhs.get_lookup("isnull") or IsNull)(lhs, True)


def _transformed(lhs: Any, name: str, lookups: list[str]) -> Any:
    field = lhs._output_field_or_none
    transform = lhs.get_transform(name) if hasattr(field, "get_transform") else None
    if transform is None:
        raise unsupported_lookup(lhs, name, lookups)
    return transform(lhs)


def check_related(field: Any, value: Any, opts: Any) -> None:
    """ValueError where a value is an object or a query of another model."""
    if not field.is_relation:
        return
    if isinstance(value, QueryNode):
        query = value.query
        if not query.has_select_fields and not _compatible(query.model, opts, field):
            raise QueryValueError(
                f'Cannot use QuerySet for "{query.model._meta.object_name}": Use a QuerySet for'
                f' "{opts.object_name}".'
            )
        return
    if isinstance(value, Argument):
        sample = value.sample
        if hasattr(sample, "_meta"):
            _check_object(sample, opts, field)
        elif isinstance(sample, list | tuple | set | frozenset):
            for each in sample:
                if hasattr(each, "_meta"):
                    _check_object(each, opts, field)


def _check_object(value: Any, opts: Any, field: Any) -> None:
    if not _compatible(value._meta.model, opts, field):
        raise QueryValueError(f'Cannot query "{value}": Must be "{opts.object_name}" instance.')


def _compatible(model: Any, opts: Any, field: Any) -> bool:
    """Whether a model's objects can be compared with a relation.

    Those of the field's own model can where the relation is its primary key.
    """
    if related_models_match(model, opts):
        return True
    owner = getattr(field, "model", None)
    return bool(
        getattr(field, "primary_key", False)
        and owner is not None
        and related_models_match(model, owner._meta)
    )


def related_models_match(model: Any, opts: Any) -> bool:
    """Whether objects of a model can stand for those of another: equal, parent or child."""
    concrete = model._meta.concrete_model
    return (
        concrete is opts.concrete_model
        or opts.concrete_model in model._meta.get_parent_list()
        or model in opts.get_parent_list()
        or concrete in opts.get_parent_list()
    )
