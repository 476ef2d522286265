"""Random numbers: a function, and an order in which no row is found again."""

from __future__ import annotations

from typing import Any

from aorm.fields.numbers import FloatField
from aorm.query.expressions import Func

__all__ = ["Random"]

_FLOAT = FloatField()


class Random(Func):
    """A number between 0 and 1, another one for each row."""

    function = "RANDOM"
    arity = 0

    def _resolve_output_field(self) -> Any:
        return _FLOAT

    def get_group_by_cols(self) -> list[Any]:
        return []
