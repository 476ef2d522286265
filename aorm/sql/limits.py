"""How many rows, and from which one on: LIMIT, OFFSET, and their like in conditions.

A number that belongs to the structure is written into the text, any other is a parameter.
"""

from __future__ import annotations

from typing import Any

from aorm.query.draft import Draft
from aorm.query.expressions import Param
from aorm.query.state import Fixed
from aorm.sql.compiler import Rendered
from aorm.sql.dialect import Dialect


def limit_clause(draft: Draft, dialect: Dialect) -> Rendered:
    """LIMIT and OFFSET with their parameters."""
    if not draft.is_sliced:
        return "", []
    limit, params = number_of_rows(draft.limit)
    offset, more = number_of_rows(draft.offset)
    return dialect.limit_sql(limit, offset), [*params, *more]  # type: ignore[attr-defined]


def number_of_rows(place: int | Fixed | None) -> tuple[str | None, list[Any]]:
    """The number where it belongs to the structure, else its parameter; None where none is."""
    if place is None:
        return None, []
    if isinstance(place, Fixed):
        return f"{place.number:d}", []
    return "%s", [Param(place, None, int, typed=False)]
