"""`FilteredRelation`: a relation under a name of its own, joined on a further condition."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from aorm.errors import QueryValueError
from aorm.query.building import check_alias
from aorm.query.conditions import Q
from aorm.query.draft import Draft
from aorm.query.expressions import F, OuterRef, Sliced, Slots
from aorm.query.filters import Scope, solve
from aorm.query.joins import Route
from aorm.query.paths import LOOKUP_SEP
from aorm.query.shapes import is_structural


class FilteredRelation:
    """A relation with a condition that its rows must satisfy, for `annotate()` and `alias()`.

    The name of the annotation stands for those rows wherever a relation can: in conditions,
    orderings, `values()`, `select_related()` and expressions.  Objects without such a row stay.

    Args:
        relation_name: the relation, or one behind others (`author__friends`).
        condition: a `Q` on the relation's fields and on those of the model.

    Source: https://www.postgresql.org/docs/current/queries-table-expressions.html#QUERIES-JOIN
    """

    conditional = False

    def __init__(self, relation_name: str, *, condition: Q | None = None) -> None:
        if not relation_name:
            raise QueryValueError("relation_name cannot be empty.")
        condition = Q() if condition is None else condition
        if not isinstance(condition, Q):
            raise QueryValueError("condition argument must be a Q() instance.")
        self.relation_name = relation_name
        self.condition = condition

    # --- shape and values ----------------------------------

    @property
    def shape(self) -> Hashable:
        return (FilteredRelation, self.relation_name, self.condition.shape)

    def collect(self, values: list[Any]) -> None:
        self.condition.collect(values)

    def keyed(self, values: list[Any]) -> Hashable:
        return (FilteredRelation, self.relation_name, self.condition.keyed(values))

    def parametrised(self, slots: Slots) -> FilteredRelation:
        return FilteredRelation(self.relation_name, condition=self.condition.parametrised(slots))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FilteredRelation):
            return NotImplemented
        return (self.relation_name, self.condition) == (other.relation_name, other.condition)

    def __hash__(self) -> int:
        return hash((self.relation_name, self.condition))

    def __repr__(self) -> str:
        return f"FilteredRelation({self.relation_name!r}, condition={self.condition!r})"

    # --- as a step of a query ----------------------------------

    def attach(self, draft: Draft, name: str, slots: Slots) -> None:
        """Join the relation under a name, without any use of it yet.

        Raises ValueError where the relation or the condition cannot be joined on, FieldError for
        unknown names.
        """
        self._check(draft, name)
        condition = _renamed(self.condition.parametrised(slots), self.relation_name, name)
        refs, kinds = dict(draft.refs), {a: join.kind for a, join in draft.joins.items()}
        path = self._join(draft, name)
        draft.filtered_relations[name] = Route(name, self.relation_name, tuple(path[1:]), ())
        before = dict(draft.refs)
        scope = Scope(draft, reuse=set(path))
        where = condition.resolve(scope)
        needs = {a: n - before.get(a, 0) for a, n in draft.refs.items() if a not in path[1:]}
        for alias in [a for a, n in needs.items() if not n and a not in before]:
            del draft.joins[alias], draft.refs[alias], needs[alias]
        alias = path[-1]
        if any(draft.joins[each].parent == alias for each in needs):
            raise QueryValueError(
                "FilteredRelation's condition doesn't support nested relations deeper than the"
                f" relation_name ({self.relation_name!r})."
            )
        # What the condition refers to must stand before it.
        join = draft.joins.pop(alias)
        draft.joins[alias] = join.replaced(filtered=where)
        # It is the uses that say which rows are needed, and how the tables are joined.
        for each, joined in draft.joins.items():
            kind = kinds.get(each) or draft.usual_kind(joined)
            draft.joins[each] = joined.replaced(kind=kind)
        draft.refs = {each: refs.get(each, 0) for each in draft.joins}
        draft.filtered_relations[name] = Route(
            name, self.relation_name, tuple(path[1:]), tuple((a, n) for a, n in needs.items() if n)
        )

    def _join(self, draft: Draft, name: str) -> list[str]:
        """The aliases on the way from the model to the relation, which has a table of its own."""
        steps = draft.path(self.relation_name.split(LOOKUP_SEP)).steps
        path = [draft.initial_alias()]
        route = draft.filtered_relations.get(self.relation_name.split(LOOKUP_SEP)[0])
        if route is not None:
            path.extend(draft.pass_through(route))
        for step in steps[len(path) - 1 : -1]:
            path.append(draft.join(draft.join_of(step, path[-1]), None))
        last = draft.join_of(steps[-1], path[-1]).replaced(alias=name)
        path.append(draft.join(last, frozenset()))
        return path

    def _check(self, draft: Draft, name: str) -> None:
        check_alias(name)
        if "." in name:
            raise QueryValueError(
                f"FilteredRelation doesn't support aliases with periods (got {name!r})."
            )
        lookups, relation, _ = solve(draft, self.relation_name)
        if lookups:
            raise QueryValueError(
                "FilteredRelation's relation_name cannot contain lookups (got"
                f" {self.relation_name!r})."
            )
        path = draft.path(relation)
        if not path.steps or not path.final_field.is_relation:
            raise QueryValueError(f"{self.relation_name!r} is no relation that can be filtered.")
        for lookup, value in _pairs(self.condition):
            if hasattr(value, "as_subquery") or (
                isinstance(value, list | tuple | set | frozenset)
                and any(hasattr(item, "as_subquery") for item in value if is_structural(item))
            ):
                raise QueryValueError(
                    "Passing a QuerySet within a FilteredRelation is not supported."
                )
            self._check_lookup(draft, lookup, relation)

    def _check_lookup(self, draft: Draft, lookup: str, relation: list[str]) -> None:
        """The condition may be about the relation itself, and what stands before it."""
        lookups, parts, _ = solve(draft, lookup)
        outside = parts[: -1 if lookups else -2]
        if any(mine != theirs for mine, theirs in zip(outside, relation, strict=False)):
            raise QueryValueError(
                "FilteredRelation's condition doesn't support relations outside the"
                f" {self.relation_name!r} (got {lookup!r})."
            )
        if parts[: len(relation)] == relation and len(parts[:-1]) > len(relation):
            raise QueryValueError(
                "FilteredRelation's condition doesn't support nested relations deeper than the"
                f" relation_name (got {lookup!r} for {self.relation_name!r})."
            )


def _pairs(q: Q) -> Iterator[tuple[str, Any]]:
    """The lookups of a condition with their values."""
    for child in q.children:
        if isinstance(child, Q):
            yield from _pairs(child)
        elif type(child) is tuple:
            yield child


def _renamed(expression: Any, old: str, new: str) -> Any:
    """A condition with another name for a relation."""

    def name_of(name: str) -> str:
        if name == old or name.startswith(f"{old}{LOOKUP_SEP}"):
            return f"{new}{name[len(old) :]}"
        return name

    def change(each: Any) -> Any:
        if isinstance(each, Q):
            return each._with([in_pair(child) for child in each.children])
        if isinstance(each, F) and not isinstance(each, OuterRef):
            clone = each.copy()
            clone.name = name_of(each.name)
            if isinstance(each, Sliced):
                clone.source = change(each.source)
            return clone
        return each.mapped(change) if hasattr(each, "mapped") else each

    def in_pair(child: Any) -> Any:
        return (name_of(child[0]), change(child[1])) if type(child) is tuple else change(child)

    return change(expression)
