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
    binding = LateModule("aorm.sql.binding")
    bulk = LateModule("aorm.sql.bulk")
    change = LateModule("aorm.sql.change")
    checks = LateModule("aorm.sql.checks")
    copying = LateModule("aorm.sql.copying")
    ddl = LateModule("aorm.sql.ddl")
    decoders = LateModule("aorm.sql.decoders")
    insert_from = LateModule("aorm.sql.insert_from")
    named_rows = LateModule("aorm.sql.named_rows")
    ordering = LateModule("aorm.sql.ordering")
    select = LateModule("aorm.sql.select")
    tables = LateModule("aorm.sql.tables")
    versions = LateModule("aorm.sql.versions")
    writes = LateModule("aorm.sql.writes")
