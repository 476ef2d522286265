"""Mathematical functions."""

from __future__ import annotations

from typing import Any

from aorm.fields.numbers import FloatField
from aorm.query.expressions import Func


__all__ = ["Random"]


class Random(Func):
    """A number between 0 and 1, another one for each row."""

    function = "RANDOM"
    arity = 0

    def _resolve_output_field(self) -> Any:
        return FloatField()
