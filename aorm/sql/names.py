"""Names of indexes and constraints that are derived from tables and columns.

They are the names that Django gives, so that either finds what the other made.
"""

from __future__ import annotations

from collections.abc import Sequence

from aorm.late import hashlib
from aorm.sql.dialect import MAX_IDENTIFIER, Dialect

_DIGEST = 8


def digest(*names: str) -> str:
    """Eight characters that stand for these names, in this order."""
    hashed = hashlib.md5(usedforsecurity=False)
    for name in names:
        hashed.update(name.encode())
    return hashed.hexdigest()[:_DIGEST]


def own_name(table: str) -> str:
    """A table's name without schema and quotes."""
    return table.rpartition('"."')[2].strip('"')


def derived_name(table: str, columns: Sequence[str], suffix: str, dialect: Dialect) -> str:
    """The name of what belongs to columns of a table; as long as the database allows."""
    table = own_name(table)
    longest = dialect.max_name_length or MAX_IDENTIFIER
    listed, end = "_".join(columns), digest(table, *columns) + suffix
    name = f"{table}_{listed}_{end}"
    if len(name) > longest:
        end = end[: longest // 3]
        each = (longest - len(end)) // 2 - 1
        name = f"{table[:each]}_{listed[:each]}_{end}"
    # Some databases refuse names that begin with an underscore or a digit.
    return f"D{name[:-1]}" if name[0] == "_" or name[0].isdigit() else name
