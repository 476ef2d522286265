"""Values in the text form that PostgreSQL reads and writes: of its arrays, and of COPY.

Sources: PostgreSQL documentation, 8.15.2 (arrays), COPY (file formats).
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

_ARRAY_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})
_COPY_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        **{"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"},
    }
)


def text_of(value: Any) -> str:
    """A value that an adapter made, as text that its type reads.

    Raises:
        TypeError: nothing is known about values of this class.
    """
    writer = _WRITERS.get(type(value))
    if writer is not None:
        return writer(value)
    if isinstance(value, Enum):
        return text_of(value.value)
    for kind in type(value).__mro__:
        if kind in _WRITERS:
            return _WRITERS[kind](value)
    raise TypeError(f"a value of {type(value).__name__} has no text form: {value!r}")


def _interval(value: datetime.timedelta) -> str:
    return f"{value.days} days {value.seconds}.{value.microseconds:06d} seconds"


def _bytes(value: bytes | bytearray | memoryview) -> str:
    return f"\\x{value.hex()}"


def _isoformat(value: Any) -> str:
    return str(value.isoformat())


def array_text(items: Iterable[Any]) -> str:
    """A list, which may hold lists, as PostgreSQL writes an array."""
    return f"{{{','.join(map(_item_text, items))}}}"


def _item_text(item: Any) -> str:
    if item is None:
        return "NULL"
    if item.__class__ is int or item.__class__ is float:
        return repr(item)
    if isinstance(item, list | tuple):
        return array_text(item)
    return f'"{text_of(item).translate(_ARRAY_ESCAPES)}"'


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: str.__str__,
    int: int.__repr__,
    bool: lambda value: "t" if value else "f",
    float: float.__repr__,
    Decimal: str,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    datetime.date: _isoformat,
    datetime.datetime: _isoformat,
    datetime.time: _isoformat,
    datetime.timedelta: _interval,
    uuid.UUID: str,
    list: array_text,
    tuple: array_text,
}


def array_of_text(text: str) -> list[Any]:
    """The items of an array that a driver gave as text: lists, texts and None."""
    place = text.index("{")  # before it there may be the bounds of its indexes
    return _Reader(text, place).array()


class _Reader:
    """Reads one array from a text."""

    def __init__(self, text: str, place: int) -> None:
        self.text = text
        self.place = place

    def array(self) -> list[Any]:
        items: list[Any] = []
        text = self.text
        self.place += 1
        while True:
            char = text[self.place]
            if char == "}":
                self.place += 1
                return items
            if char == ",":
                self.place += 1
            elif char == "{":
                items.append(self.array())
            elif char == '"':
                items.append(self._quoted())
            else:
                items.append(self._plain())

    def _quoted(self) -> str:
        text, parts = self.text, []
        place = self.place + 1
        while text[place] != '"':
            if text[place] == "\\":
                place += 1
            parts.append(text[place])
            place += 1
        self.place = place + 1
        return "".join(parts)

    def _plain(self) -> str | None:
        text, start = self.text, self.place
        while text[self.place] not in ",}":
            self.place += 1
        found = text[start : self.place]
        return None if found == "NULL" else found


# --- COPY ------------------------------------------------------------------------


def copy_line(row: Sequence[Any]) -> str:
    """A row of adapted values as a line of COPY's text format."""
    return "\t".join(map(_copied, row)) + "\n"


def _copied(value: Any) -> str:
    if value is None:
        return "\\N"
    if value.__class__ is int:
        return repr(value)
    return text_of(value).translate(_COPY_ESCAPES)
