"""What SQLite says about its tables: its pragmas, and the texts of its own CREATE statements.

Source: SQLite documentation, "PRAGMA Statements" and "The Schema Table".
"""

from __future__ import annotations

from typing import Any

from aorm.operations.catalog import (
    ORDINARY,
    ColumnInfo,
    Constraint,
    Relation,
    TableInfo,
    constraint,
    rule,
)
from aorm.sql.dialect import Dialect
from aorm.sql.table_text import ColumnText, TableText, parsed
from aorm.steps import Operation, fetch

FIELD_TYPES = {
    "bool": "BooleanField",
    "boolean": "BooleanField",
    "smallint": "SmallIntegerField",
    "smallint unsigned": "PositiveSmallIntegerField",
    "int": "IntegerField",
    "integer": "IntegerField",
    "integer unsigned": "PositiveIntegerField",
    "bigint": "BigIntegerField",
    "bigint unsigned": "PositiveBigIntegerField",
    "decimal": "DecimalField",
    "real": "FloatField",
    "text": "TextField",
    "char": "CharField",
    "varchar": "CharField",
    "blob": "BinaryField",
    "date": "DateField",
    "datetime": "DateTimeField",
    "time": "TimeField",
}
_KEYS = {"SmallIntegerField", "IntegerField", "BigIntegerField"}
_NO_TEXT = TableText({}, [])
_HIDDEN = 1  # in table_xinfo: a column of a virtual table that SELECT * leaves out


class SqliteCatalog:
    """How SQLite is asked."""

    def tables(self) -> Operation[list[TableInfo]]:
        rows = yield from fetch(
            "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"
            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        )
        return [TableInfo(name, kind[0]) for name, kind in rows]

    def columns(self, table: str, dialect: Dialect) -> Operation[list[ColumnInfo]]:
        text = yield from _text(table)
        rows = yield from fetch(f"PRAGMA table_xinfo({dialect.quote(table)})")
        return [_column(row, text.columns.get(row[1])) for row in rows if row[6] != _HIDDEN]

    def relations(self, table: str, dialect: Dialect) -> Operation[dict[str, Relation]]:
        keys = yield from self._keys(table, dialect)
        return {
            columns[0]: (targets[0], target, on_delete)
            for columns, target, targets, on_delete in keys
            if len(columns) == 1
        }

    def constraints(self, table: str, dialect: Dialect) -> Operation[dict[str, Constraint]]:
        text = yield from _text(table)
        found: dict[str, Constraint] = {}
        for number, each in enumerate(text.constraints, 1):
            name = each.name or f"__unnamed_constraint_{number}__"
            known = {"check": True} if each.check else {"unique": True}
            found[name] = constraint(list(each.columns), **known)
        found |= yield from _indexes(table, dialect)
        rows = yield from fetch(f"PRAGMA table_info({dialect.quote(table)})")
        key = [row[1] for row in sorted(rows, key=lambda row: row[5]) if row[5]]
        if key:
            found["__primary__"] = constraint(key, primary_key=True)
        keys = yield from self._keys(table, dialect)
        for number, (columns, target, targets, _) in enumerate(keys):
            found[f"fk_{number}"] = constraint(columns, foreign_key=(target, targets[0]))
        return found

    def sequences(self, table: str, dialect: Dialect) -> Operation[list[dict[str, Any]]]:
        yield from _text(table)
        rows = yield from fetch(f"PRAGMA table_info({dialect.quote(table)})")
        key = [row[1] for row in rows if row[5]]
        return [{"table": table, "column": key[0]}] if len(key) == 1 else []

    def field_type(self, column: ColumnInfo) -> str:
        kind = str(column.type_code).lower().partition("(")[0].strip()
        found = FIELD_TYPES[kind]
        if column.pk and found in _KEYS:
            return "AutoField"
        return "JSONField" if column.has_json_constraint else found

    def _keys(
        self, table: str, dialect: Dialect
    ) -> Operation[list[tuple[list[str], str, list[str], Any]]]:
        """Of each foreign key: its columns, the table and the columns it refers to, its rule."""
        yield from _text(table)  # a pragma alone would not see what other connections changed
        rows = yield from fetch(f"PRAGMA foreign_key_list({dialect.quote(table)})")
        keys: dict[int, tuple[list[str], str, list[str], Any]] = {}
        for number, _, target, column, target_column, _, on_delete, _ in rows:
            if target_column is None:  # the primary key is meant
                own = yield from fetch(f"PRAGMA table_info({dialect.quote(target)})")
                target_column = next(row[1] for row in own if row[5])
            key = keys.setdefault(number, ([], target, [], rule(on_delete)))
            key[0].append(column)
            key[2].append(target_column)
        return list(keys.values())


def _text(table: str) -> Operation[TableText]:
    rows = yield from fetch(
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
    )
    return parsed(rows[0][0]) if rows and rows[0][0] else _NO_TEXT


def _column(row: Any, text: ColumnText | None) -> ColumnInfo:
    _, name, kind, not_null, default, key, _ = row
    size = kind.partition("(")[2].rstrip(")")
    length = int(size) if size.isdigit() else None
    return ColumnInfo(
        name,
        kind,
        length,
        length,
        None,
        None,
        not not_null,
        default,
        text.collation if text else None,
        is_autofield=bool(text and text.autoincrement),
        pk=key == 1,
        has_json_constraint=bool(text and text.checked_as_json),
    )


def _indexes(table: str, dialect: Dialect) -> Operation[dict[str, Constraint]]:
    """The indexes that were made on their own; the others belong to constraints."""
    found: dict[str, Constraint] = {}
    rows = yield from fetch(f"PRAGMA index_list({dialect.quote(table)})")
    for row in rows:
        name, unique, origin = row[1], row[2], row[3]
        if origin != "c":
            continue
        parts = yield from fetch(f"PRAGMA index_xinfo({dialect.quote(name)})")
        keys = [part for part in parts if part[5]]
        columns = [part[2] for part in keys]
        found[name] = constraint(
            [] if columns == [None] else columns,
            unique=bool(unique),
            index=True,
            type=ORDINARY,
            orders=["DESC" if part[3] else "ASC" for part in keys],
        )
    return found
