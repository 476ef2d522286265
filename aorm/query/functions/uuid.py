"""UUIDs that the database makes."""

from __future__ import annotations

from typing import Any

from aorm.fields.various import UUIDField
from aorm.query.expressions import Func, expression_of

__all__ = ["UUID4", "UUID7"]

_UUID = UUIDField()


class UUID4(Func):
    """A random UUID, another one for each row."""

    function = "UUIDV4"
    arity = 0

    def _resolve_output_field(self) -> Any:
        return _UUID


class UUID7(Func):
    """A UUID that sorts by the time of its making, another one for each row.

    Args:
        shift: a duration that is added to that time; PostgreSQL has it.
    """

    function = "UUIDV7"

    def __init__(self, shift: Any = None, **extra: Any) -> None:
        super().__init__(*([] if shift is None else [expression_of(shift)]), **extra)

    def _resolve_output_field(self) -> Any:
        return _UUID
