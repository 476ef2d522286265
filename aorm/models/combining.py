"""Two QuerySets and more: their conditions joined, or their rows put together."""

from __future__ import annotations

from typing import Any, Self

from aorm.errors import QueryTypeError
from aorm.models.chaining import Chaining
from aorm.models.shaping import Shaping
from aorm.query import building
from aorm.query.conditions import Q, argument, check_keywords, collect_value
from aorm.query.draft import Draft
from aorm.query.expressions import AND, OR, XOR, Slots
from aorm.query.set_operations import combine_rows, combined_columns, condition_over
from aorm.query.shapes import shape_of


class Combining(Shaping):
    """The operators `&`, `|` and `^`, and `union()` with its kin."""

    # --- rows ----------------------------------

    def union(self, *other_qs: Any, all: bool = False) -> Self:
        """The rows of this QuerySet and of others; `all`: equal rows as often as they are found.

        What can be done to the result: order, slices, `values()`, and all that reads.

        Source: https://www.postgresql.org/docs/current/queries-union.html and
        https://www.sqlite.org/lang_select.html#compound_select_statements
        """
        if _is_none(self):
            rest = [each for each in other_qs if not _is_none(each)]
            if not rest:
                return self
            if len(rest) == 1:
                return rest[0]  # type: ignore[no-any-return]
            return rest[0]._with_rows_of("union", rest[1:], all)  # type: ignore[no-any-return]
        return self._with_rows_of("union", other_qs, all)

    def intersection(self, *other_qs: Any) -> Self:
        """The rows that this QuerySet and all the others have."""
        for each in (self, *other_qs):
            if _is_none(each):
                return each  # type: ignore[no-any-return]
        return self._with_rows_of("intersection", other_qs)

    def difference(self, *other_qs: Any) -> Self:
        """The rows that none of the others has."""
        if _is_none(self):
            return self
        return self._with_rows_of("difference", other_qs)

    def _with_rows_of(self, operator: str, others: Any, every: bool = False) -> Self:
        for each in others:
            if not isinstance(each, Chaining):
                raise QueryTypeError(f"{operator}() takes QuerySets, not {each!r}")
        values: list[Any] = []
        parts = [(self._query, 0)]
        for each in others:
            parts.append((each._query, self._query.slots + len(values)))
            values.extend(each._values)

        def apply(draft: Draft, slots: Slots) -> None:
            slots.take(len(values))
            for each in others:
                slots.bind(each._db or each._query.database)
            combine_rows(draft, operator, every, parts)

        key = (operator, every, tuple((each._query, each._db) for each in others))
        return self._step(key, values, apply)

    def _with_keys(self, name: str, keys: list[Any]) -> Self:
        """The rows in which a field has one of these values."""
        if self._query.combinator is None:
            return self.filter(**{f"{name}__in": keys})
        self._not_sliced("Cannot filter a query once a slice has been taken.")
        lookup = f"{name}__in"
        check_keywords([lookup])
        values: list[Any] = []
        collect_value(keys, values)

        def apply(draft: Draft, slots: Slots) -> None:
            q = Q.create([(lookup, argument(keys, slots))])
            draft.where = condition_over(q, draft.model, combined_columns(draft))

        return self._step(("keys", lookup, shape_of(keys)), values, apply)

    # --- conditions ----------------------------------

    def __and__(self, other: Any) -> Self:
        self._not_with_combined(other, "&")
        if other._query.empty:
            return other  # type: ignore[no-any-return]
        if self._query.empty:
            return self
        return self._merged(other, AND)

    def __or__(self, other: Any) -> Self:
        self._not_with_combined(other, "|")
        if self._query.empty:
            return other  # type: ignore[no-any-return]
        if other._query.empty:
            return self
        left, right = self._by_keys(), other._by_keys()
        return left._merged(right, OR)  # type: ignore[no-any-return]

    def __xor__(self, other: Any) -> Self:
        self._not_with_combined(other, "^")
        if self._query.empty:
            return other  # type: ignore[no-any-return]
        if other._query.empty:
            return self
        left, right = self._by_keys(), other._by_keys()
        return left._merged(right, XOR)  # type: ignore[no-any-return]

    def _not_with_combined(self, other: Any, operator: str) -> None:
        for each in (self, other):
            if each._query.combinator is not None:
                raise QueryTypeError(
                    f"Cannot use {operator} operator with combined queryset. Combine the rows with"
                    " union(), intersection() or difference(), or the conditions before that."
                )

    def _by_keys(self) -> Any:
        """A sliced QuerySet as a condition on the keys of its rows."""
        if not self._query.is_sliced:
            return self
        return type(self)(self.model, using=self._db).filter(pk__in=self.values("pk"))

    def _merged(self, other: Any, connector: str) -> Self:
        if not isinstance(other, Chaining):
            raise QueryTypeError(f"a QuerySet cannot be combined with {other!r}")
        if self.model is not other.model and (
            self.model._meta.concrete_model is not other.model._meta.concrete_model
        ):
            raise QueryTypeError("Cannot combine queries on two different base models.")
        theirs, values = other._query, other._values
        base = self._query.slots

        def apply(draft: Draft, slots: Slots) -> None:
            slots.take(theirs.slots)
            building.combine(draft, theirs, connector, base)

        merged = self._step(("combine", connector, theirs), values, apply)
        if other._known_related_objects:
            known = {field: dict(held) for field, held in self._known_related_objects.items()}
            for field, held in other._known_related_objects.items():
                known.setdefault(field, {}).update(held)
            merged._carry(_known_related_objects=known)
        return merged


def _is_none(queryset: Any) -> bool:
    """Whether a QuerySet is that of `none()`: it stays what it is in every combination."""
    query = getattr(queryset, "_query", None)
    return query is not None and query.empty and not query.is_sliced
