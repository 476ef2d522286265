"""Functions that are PostgreSQL's own."""

from __future__ import annotations

from typing import Any

from aorm.fields.dates import DateTimeField
from aorm.fields.various import UUIDField
from aorm.query.expressions import Func

__all__ = ["RandomUUID", "TransactionNow"]


class RandomUUID(Func):
    """A random UUID (version 4)."""

    function = "GEN_RANDOM_UUID"
    arity = 0

    def _resolve_output_field(self) -> Any:
        return UUIDField()


class TransactionNow(Func):
    """When the current transaction began."""

    template = "CURRENT_TIMESTAMP"
    arity = 0

    def _resolve_output_field(self) -> Any:
        return DateTimeField()
