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


def _guarded(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    digits, long_integer = _ONLY_DIGITS_MATTER, _LONG_INTEGER

    def loads(text: str) -> Any:
        try:
            if text.encode().translate(digits).find(long_integer) < 0:
                return parse(text)
        except (ValueError, AttributeError):
            pass  # NaN, half a surrogate, bytes: the standard library decides
        return json.loads(text)

    loads.__doc__ = "The value of a JSON text; ValueError where it is none."
    return loads


class Reader(Record):
    """`loads`, and the same in one expression over `{0}` for generated code, with its names."""

    loads: Callable[[str], Any]
    template: str
    names: dict[str, Any]


@cache
def reader() -> Reader:
    """The fastest reader that is installed."""
    try:
        # not at the top: it would be a tenth of the time that `import aorm` takes
        orjson = import_module("orjson")
    except ImportError:
        return Reader(scan, "json_loads({0})", {"json_loads": scan})
    return Reader(
        _guarded(orjson.loads),
        "(json_parse({0}) if {0}.encode().translate(json_digits).find(json_long) < 0"
        " else json_loads({0}))",
        {
            "json_parse": orjson.loads,
            "json_digits": _ONLY_DIGITS_MATTER,
            "json_long": _LONG_INTEGER,
            "json_loads": json.loads,
        },
    )
