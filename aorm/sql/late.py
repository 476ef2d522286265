"""What the layers above use of this package, imported when the first statement is made.

`aorm.late` says how; `Dialect` and `Compiled` are what they know of it before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aorm.late import LateModule

__all__ = [
    "binding",
    "bulk",
    "change",
    "checks",
    "copying",
    "ddl",
    "decoders",
    "insert_from",
    "named_rows",
    "ordering",
    "select",
    "tables",
    "versions",
    "writes",
]

if TYPE_CHECKING:
    from aorm.sql import (
        binding,
        bulk,
        change,
        checks,
        copying,
        ddl,
        decoders,
        insert_from,
        named_rows,
        ordering,
        select,
        tables,
        versions,
        writes,
    )
else:
    globals().update((name, LateModule(f"aorm.sql.{name}")) for name in __all__)
