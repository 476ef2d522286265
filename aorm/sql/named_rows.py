"""The classes of named rows: named tuples that can be pickled."""

from __future__ import annotations

from collections import namedtuple
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1000)
def row_class(names: tuple[str, ...]) -> Any:
    """The class of rows with these names; `ValueError` where one cannot be an attribute."""
    base: Any = namedtuple("Row", names)  # type: ignore[misc]
    return type("Row", (base,), {"__slots__": (), "__reduce__": _reduced})


def _reduced(row: Any) -> Any:
    return _restored, (row._fields, tuple(row))


def _restored(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return row_class(names)._make(values)
