"""Columns of two kinds that are compared all the same.

A generic relation may keep keys as text, whatever the keys of the models are that it leads to.
PostgreSQL compares no text with anything else.
"""

from __future__ import annotations

from typing import Any

from aorm.fields.text import CharField, TextField
from aorm.query.functions.comparison import Cast
from aorm.query.lookups import column_of

TEXT = CharField()


def comparable(column: Any, field: Any, other: Any) -> Any:
    """A column as it can be compared with one of another field: as text where that is text."""
    return Cast(column, TEXT) if _is_text(other) and not _is_text(field) else column


def _is_text(field: Any) -> bool:
    return isinstance(column_of(field), CharField | TextField)
