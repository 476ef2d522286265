"""Expressions that are PostgreSQL's own."""

from __future__ import annotations

from typing import Any

from aorm.contrib.postgres.fields.array import ArrayField
from aorm.query.expressions import Subquery

__all__ = ["ArraySubquery"]


class ArraySubquery(Subquery):
    """The one column of all rows of a query set, in its order, as a list."""

    template = "ARRAY(%(subquery)s)"

    def _resolve_output_field(self) -> Any:
        return ArrayField(self.query.output_field)
