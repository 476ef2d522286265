"""Reading JSON texts fast.

The scanner of the standard library is called without the layers above it; orjson is used
where it is installed, except for texts with an integer that it would turn into a float.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from aorm.late import json
from aorm.records import Record

_SHORTEST_LONG_INTEGER = 19
_ONLY_DIGITS_MATTER = bytes(48 if 48 <= byte < 58 else byte for byte in range(256))
_LONG_INTEGER = b"0" * _SHORTEST_LONG_INTEGER
_STEP = 6
_MET = b"0" * (_SHORTEST_LONG_INTEGER // _STEP)  # of a long integer, by steps of that many bytes
_AT_ONCE = 500  # texts


@cache
def _scanner() -> Callable[[str, int], tuple[Any, int]]:
    scanner: Callable[[str, int], tuple[Any, int]]
    scanner = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
    return scanner


def scan(text: str) -> Any:
    """The value of a JSON text, read by the standard library; ValueError where it is none."""
    try:
        value, end = _scanner()(text, 0)
    except StopIteration:
        return json.loads(text)
    return value if end == len(text) else json.loads(text)


def _has_long_integer(text: bytes) -> bool:
    # Most texts are seen to have none by a sixth of their bytes.
    if text[::_STEP].translate(_ONLY_DIGITS_MATTER).find(_MET) < 0:
        return False
    return text.translate(_ONLY_DIGITS_MATTER).find(_LONG_INTEGER) >= 0


def _guarded(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def loads(text: str) -> Any:
        try:
            if not _has_long_integer(text.encode()):
                return parse(text)
        except (ValueError, AttributeError):
            pass  # NaN, half a surrogate, bytes: the standard library decides
        return json.loads(text)

    loads.__doc__ = "The value of a JSON text; ValueError where it is none."
    return loads


class Reader(Record):
    """`loads`, and what chooses a quicker one for all texts of a fetch."""

    loads: Callable[[str], Any]
    batch: Callable[[list[Any]], Callable[[str], Any]] | None


@cache
def reader() -> Reader:
    """The fastest reader that is installed."""
    try:
        # not at the top: it would be a tenth of the time that `import aorm` takes
        orjson = import_module("orjson")
    except ImportError:
        return Reader(scan, None)
    parse, guarded = orjson.loads, _guarded(orjson.loads)

    def batch(texts: list[Any]) -> Callable[[str], Any]:
        # To look for long integers takes as long as to parse, but not in many texts at once.
        for start in range(0, len(texts), _AT_ONCE):
            joined = ",".join(filter(None, texts[start : start + _AT_ONCE]))
            if _has_long_integer(joined.encode()):
                return guarded
        return parse  # type: ignore[no-any-return]

    return Reader(guarded, batch)
