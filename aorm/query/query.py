"""`Query`: the immutable, interned structure of a query, without any value.

1. `derive` gives the query of a next step by a hashable key; the first time the key is seen the
   step is worked out on a `Draft`, afterwards it is one look-up.
2. The values belong to whoever holds the query: a tuple in which every `Param` finds its slot.
3. The queries that stem from one root share a budget; when it is used up all of them forget
   their children, so that endless shapes cost time now and then, and never memory.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any
from weakref import WeakSet

from aorm.errors import FieldError
from aorm.fields import lookup_registry
from aorm.query.draft import Draft
from aorm.query.expressions import Col, OuterRef, QueryNode, ResolvedOuterRef, Slots
from aorm.query.preparation import Within
from aorm.query.state import State
from aorm.query.tuples import column_at

MAX_INTERNED = 10_000
Binder = Callable[[Sequence[Any]], tuple[Any, ...]]


class Derived:
    """A derived query, and what the values of the step go through (None: nothing)."""

    __slots__ = ("bind", "query")

    def __init__(self, query: Query, bind: Binder | None) -> None:
        self.query = query
        self.bind = bind


class Budget:
    """How many queries may stem from one root before all are forgotten."""

    __slots__ = ("epoch", "left")

    def __init__(self) -> None:
        self.epoch = 0
        self.left = MAX_INTERNED

    def spend(self) -> int:
        """Count one more query; the epoch, in which alone remembered children count."""
        self.left -= 1
        if self.left < 0:
            self.epoch += 1
            self.left = MAX_INTERNED
        return self.epoch


class Query(State):
    """The structure of a query; never changed after it was made."""

    __slots__ = ("__weakref__", "budget", "compiled", "epoch", "is_open", "is_sliced", "steps")

    steps: dict[Hashable, Derived]
    compiled: dict[Any, Any]
    budget: Budget
    epoch: int
    is_sliced: bool
    #: Whether conditions may come yet: it is neither a slice nor a combination.
    is_open: bool

    @classmethod
    def all(cls, model: Any) -> Query:
        """The query for all rows of a model."""
        made = cls.frozen(Draft.fresh(model))
        _roots.add(made)
        return made

    @classmethod
    def frozen(cls, draft: State, budget: Budget | None = None) -> Query:
        """The query that a draft has become."""
        made = cls.__new__(cls)
        made.copy_state(draft)
        made._start_memory(budget)
        return made

    def _start_memory(self, budget: Budget | None = None) -> None:
        self.steps, self.compiled = {}, {}
        self.budget = budget or Budget()
        self.epoch = self.budget.epoch
        self.is_sliced = self.limit is not None or self.offset is not None
        self.is_open = not self.is_sliced and self.combinator is None

    def derive(
        self,
        key: Hashable,
        values: Sequence[Any],
        apply: Callable[[Draft, Slots], Any],
    ) -> Derived:
        """Work out the step that `key` stands for and remember it.

        `apply` changes the draft, numbering the values of the step through the slots; callers
        look into `steps` first.  Raises what the step raises for names or values that are wrong.
        """
        draft = Draft.of(self)
        slots = Slots(self.slots)
        apply(draft, slots)
        draft.slots = max(slots.next, draft.slots)
        draft.database = slots.database or draft.database
        derived = Derived(Query.frozen(draft, self.budget), binder(slots))
        if not any(argument.volatile for argument in slots.arguments):
            self._remember(key, derived)
        return derived

    def _remember(self, key: Hashable, derived: Derived) -> None:
        epoch = self.budget.spend()
        if self.epoch != epoch:
            self.epoch = epoch
            self.steps.clear()
        self.steps[key] = derived

    def changed(self, key: Hashable, change: Callable[[Draft], Any]) -> Query:
        """The query after a step that brings no values."""
        derived = self.steps.get(key)
        if derived is None:
            derived = self.derive(key, (), lambda draft, slots: change(draft))
        return derived.query

    # --- as an operand ----------------------------------

    @property
    def output_field(self) -> Any:
        """The type of the one column that the query selects as an operand."""
        if len(self.select) == 1:
            return self.select[0].field
        selected = self.annotation_select
        if len(selected) == 1 and not self.select:
            return next(iter(selected.values())).output_field
        if not self.has_select_fields:
            return self.opts.pk
        raise FieldError("Cannot resolve expression type: the subquery selects several columns")

    def for_in(self) -> Query:
        """This query on the right side of `IN`: of the primary key where nothing is selected."""

        def change(draft: Draft) -> None:
            if not draft.has_select_fields:
                _select_pk(draft)
            # The order of locked rows is the order in which they are locked.
            if not (draft.is_sliced or draft.distinct_fields or draft.lock):
                draft.order_by, draft.default_ordering = (), False

        return self.changed("for in", change)

    def for_comparison(self) -> Query:
        """This query on the right side of `=`."""

        def change(draft: Draft) -> None:
            if not draft.has_select_fields:
                _select_pk(draft)

        return self.changed("for comparison", change)

    def resolved_inside(self, scope: Any, base: int = 0) -> Query:
        """This query with its references to the query of the scope made columns of that.

        `base` is where this query's values start among those of the outer query.
        """
        outer = scope.draft
        draft = Draft.of(self)
        draft.subquery = True
        draft.bump_prefix(outer)

        def change(expression: Any) -> Any:
            if isinstance(expression, ResolvedOuterRef):
                return expression.resolve(scope).shifted(-base)
            if isinstance(expression, OuterRef):
                return expression.resolve(scope)
            if isinstance(expression, QueryNode):
                clone = expression.copy()
                clone.query = expression.query.resolved_inside(scope, base + expression.base)
                return clone
            return expression.mapped(change) if hasattr(expression, "mapped") else expression

        draft.map_expressions(change)
        draft.combined = tuple(
            (query.resolved_inside(scope, base + offset), offset)
            for query, offset in draft.combined
        )
        draft.external_aliases = draft.external_aliases | frozenset(
            alias for alias in outer.joins if alias not in draft.joins
        )
        return Query.frozen(draft)

    def outer_relabeled(self, aliases: dict[str, str]) -> Query:
        """This query with other names for tables of the queries around it."""
        mine = {old: new for old, new in aliases.items() if old not in self.joins}
        if not mine:
            return self
        draft = Draft.of(self)
        draft.map_expressions(lambda e: e.relabeled(mine))
        draft.combined = tuple((q.outer_relabeled(mine), base) for q, base in draft.combined)
        draft.external_aliases = frozenset(mine.get(a, a) for a in draft.external_aliases)
        return Query.frozen(draft)

    def outer_columns(self) -> list[Any]:
        """The columns of queries around this one that it refers to."""
        found: list[Any] = []
        for query, _ in self.combined:
            found.extend(c for c in query.outer_columns() if c.alias not in self.joins)
        conditions = [join.filtered for join in self.joins.values() if join.filtered]
        for expression in (self.where, *conditions, *self.annotations.values(), *self.select):
            for each in expression.walk():
                if (
                    isinstance(each, Col)
                    and each.alias is not None
                    and each.alias not in self.joins
                ):
                    found.append(each)
                elif isinstance(each, QueryNode):
                    found.extend(c for c in each.query.outer_columns() if c.alias not in self.joins)
        return list(dict.fromkeys(found))

    # --- copies and pickles ----------------------------------

    def __reduce__(self) -> Any:
        state = {name: getattr(self, name) for name in State.__slots__}
        options = self.opts
        if options.auto_created:
            # Its class stands in no module, but it is the model of a relation's rows.
            state["model"] = None
            return (_restored, (state, options.auto_created, options.object_name))
        return (_restored, (state,))

    def __repr__(self) -> str:
        return f"<Query of {self.opts.object_name}>"


_roots: WeakSet[Query] = WeakSet()


def _forget() -> None:
    """Work steps out anew: a lookup or an ordering that changed may change what they mean."""
    for root in list(_roots):
        root.steps.clear()
        root.compiled.clear()


lookup_registry.listeners.append(_forget)


def _restored(state: dict[str, Any], owner: Any = None, name: str = "") -> Query:
    if owner is not None:
        related = (field.remote_field.through for field in owner._meta.local_many_to_many)
        state["model"] = next(each for each in related if each._meta.object_name == name)
    made = Query.__new__(Query)
    for name, value in state.items():
        setattr(made, name, value)
    made._start_memory()
    return made


def _select_pk(draft: Draft) -> None:
    draft.select = (column_at(draft.initial_alias(), draft.opts.pk),)
    draft.default_cols = False
    draft.annotation_mask = ()
    if draft.combinator is not None:
        draft.form, draft.values_names = ("tuple", None), ("pk",)
        draft.select_related = False


def binder(slots: Slots) -> Binder | None:
    """The function that converts the values of a step; None where none needs it."""
    first = slots.first
    wanted = [
        (argument.slot - first, argument.converter)
        for argument in slots.arguments
        if argument.converter is not None
    ]
    if not wanted:
        return None
    names = {f"c{place}": convert for place, convert in wanted}
    texts = [f"v[{place}]" for place in range(slots.next - first)]
    for place, convert in wanted:
        texts[place] = _converted(place, convert)
    made: Binder = eval(f"lambda v: ({', '.join(texts)},)", names)
    return made


def _converted(place: int, convert: Callable[[Any], Any]) -> str:
    """The expression of a value that goes through the converter `c{place}`."""
    if isinstance(convert, Within):  # a call takes longer than the comparison
        fits = f"{convert.low} <= (n := v[{place}]) <= {convert.high}"
        return f"n if {fits} else c{place}(n)"
    return f"c{place}(v[{place}])"
