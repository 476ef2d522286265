"""What changing statements give back: the rows as they are after an UPDATE, or before a DELETE.

1. `returning()` is a step like any other: it keeps a second query of the model, whose columns are
   those of the rows.
2. Where the rows can be had from the statement itself it is one statement; columns of other
   tables, and rows that a deletion has to look at, take a SELECT in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from aorm.errors import FieldError, QueryTypeError
from aorm.models.reading import Reading
from aorm.models.rows import loaded_for
from aorm.models.shaping import named_expressions
from aorm.query.draft import Draft
from aorm.query.expressions import QueryNode, Slots
from aorm.query.query import Query
from aorm.steps import Operation, fetch


class Returning(Reading):
    """`returning()`, and how its rows are read."""

    def returning(self, *fields: Any, flat: bool = False, **expressions: Any) -> Self:
        """Let `update()`, `delete()` and what inserts rows give back the rows, not their number.

        `qs.returning("id", "price").update(price=F("price") * 2)` is the list of the changed rows
        as named tuples: `[Row(id=1, price=20), ...]`.  Without names it is the list of objects.

        Args:
            fields: names of fields, also of related objects, and expressions.
            flat: the values of one field instead of tuples.
            expressions: values computed from the row, by name.
        Returns:
            A QuerySet for `update`, `delete`, `bulk_create`, `bulk_upsert` and `insert_from`, and
            their asynchronous twins.  Rows are those after an UPDATE or INSERT (where conflicts
            are ignored: those that were inserted), and as they were before a DELETE; their order
            is not defined.
        Raises:
            FieldError: a name is no field, or an expression looks at other rows.
            TypeError: `flat` with several columns.
        """
        rows = self._plain_rows()
        if expressions:
            rows = rows.annotate(**named_expressions((), expressions, "returning"))
        if fields or expressions:
            rows = rows.values_list(*fields, *expressions, flat=flat, named=not flat)
        elif flat:
            raise QueryTypeError("returning(flat=True) takes the name of one field")
        query, values = rows._query, rows._values
        for each in query.annotations.values():
            if each.contains_aggregate or each.contains_over_clause:
                raise FieldError(f"returning() gives single rows: {each} looks at several")

        def apply(draft: Draft, slots: Slots) -> None:
            draft.returning = QueryNode(query, slots.take(len(values)))

        return self._step(("returning", query), values, apply)

    def _plain_rows(self) -> Any:
        """All rows of the model, without the conditions and methods of this QuerySet."""
        return type(self)(self.model, using=self._db)

    def _returned(self) -> Any:
        """The QuerySet of the columns that `returning()` named, for all rows of the model."""
        node = self._query.returning
        rows = self._plain_rows()
        rows._query = node.query
        rows._values = self._values[node.base : node.base + node.query.slots]
        rows._db = self._write_alias()
        rows._carry(_fetch_mode=self._fetch_mode)
        return rows

    def _without_returning(self) -> Self:
        return self._without_values("not returning", _not_returning)

    def _returned_of(self, keys: Sequence[Any]) -> Operation[list[Any]]:
        """The rows with these keys."""
        if not keys:
            return []
        found: list[Any] = yield from self._returned().filter(pk__in=keys)._fetch_operation()
        return found

    def _fetch_changed(self, compiled: Any, values: Sequence[Any]) -> Operation[list[Any]]:
        """The rows of a changing statement with a RETURNING clause."""
        if compiled.empty:
            return []
        rows = yield from fetch(compiled.sql, compiled.bind(values))
        results: list[Any] = compiled.decode(
            rows, loaded_for(self._write_alias(), self._fetch_mode)
        )
        yield from self._prefetch_returned(results)
        return results

    def _prefetch_returned(self, results: list[Any]) -> Operation[None]:
        if self._prefetch_related_lookups:
            clone = self._returned()
            clone._carry(_prefetch_related_lookups=self._prefetch_related_lookups)
            yield from clone._prefetch(results)

    def _locked_keys(self) -> Operation[list[Any]]:
        """The keys of the rows, which are locked where the database can."""
        queryset = self._without_returning()._without_values("keys only", _without_assignments)
        queryset = queryset._for_keys()
        found: list[Any] = yield from queryset._as_values("flat", ["pk"], {})._fetch_operation()
        return list(dict.fromkeys(found))

    def _for_keys(self) -> Any:
        query = self._query
        simple = query.group_by is None and not query.distinct and not _has_joins(query)
        clone = self.select_for_update() if simple and query.lock is None else self._chain()
        clone._carry(_prefetch_related_lookups=())
        clone._db = self._write_alias()
        return clone


def is_direct(returned: Query) -> bool:
    """Whether a statement can give these columns back: all stand in the table that it changes."""
    if returned.default_cols and returned.opts.parents:
        return False
    return not _has_joins(returned)


def _has_joins(query: Query) -> bool:
    return any(
        count and query.joins[alias].parent is not None for alias, count in query.refs.items()
    )


def _not_returning(draft: Draft) -> None:
    draft.returning = None


def _without_assignments(draft: Draft) -> None:
    draft.assignments = ()
