"""What PostgreSQL says about its tables.

Source: PostgreSQL documentation, "System Catalogs" (pg_class, pg_attribute, pg_constraint,
pg_index) and "System Information Functions".
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
from aorm.steps import Operation, fetch

#: The fields of types of columns, by the type's number in pg_type.
FIELD_TYPES = {
    16: "BooleanField",
    17: "BinaryField",
    20: "BigIntegerField",
    21: "SmallIntegerField",
    23: "IntegerField",
    25: "TextField",
    700: "FloatField",
    701: "FloatField",
    869: "GenericIPAddressField",
    1042: "CharField",
    1043: "CharField",
    1082: "DateField",
    1083: "TimeField",
    1114: "DateTimeField",
    1184: "DateTimeField",
    1186: "DurationField",
    1266: "TimeField",
    1700: "DecimalField",
    2950: "UUIDField",
    3802: "JSONField",
}
_AUTO = {
    "IntegerField": "AutoField",
    "BigIntegerField": "BigAutoField",
    "SmallIntegerField": "SmallAutoField",
}
_CHARACTERS, _NUMERIC = (1042, 1043), 1700
_KINDS = {"m": "v", "f": "t", "r": "t"}
_RULES = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

TABLES = """
SELECT c.relname::text, CASE WHEN c.relispartition THEN 'p' ELSE c.relkind::text END,
       obj_description(c.oid, 'pg_class')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind::text IN ('f', 'm', 'p', 'r', 'v')
   AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
   AND pg_table_is_visible(c.oid)
 ORDER BY c.relname
"""
COLUMNS = """
SELECT a.attname::text, a.atttypid::bigint, a.atttypmod, NOT a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid), o.collname::text, a.attidentity::text <> '',
       col_description(a.attrelid, a.attnum), coalesce(a.attnum = ANY(k.conkey), false)
  FROM pg_attribute a
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_collation o ON o.oid = a.attcollation AND a.attcollation <> t.typcollation
  LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype::text = 'p'
 WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
"""
CONSTRAINTS = """
SELECT k.conname::text, k.contype::text, r.relname::text, k.confdeltype::text, i.reloptions,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS c(number, place)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.number
              ORDER BY c.place),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS c(number, place)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.number
              ORDER BY c.place)
  FROM pg_constraint k
  LEFT JOIN pg_class r ON r.oid = k.confrelid
  LEFT JOIN pg_class i ON i.oid = k.conindid
 WHERE k.conrelid = to_regclass($1::text) AND k.contype::text IN ('c', 'f', 'p', 'u', 'x')
 ORDER BY k.conname
"""
INDEXES = """
SELECT c.relname::text, x.indisunique, x.indisprimary, m.amname::text, c.reloptions,
       CASE WHEN x.indexprs IS NOT NULL THEN pg_get_indexdef(x.indexrelid) END,
       ARRAY(SELECT a.attname::text
               FROM unnest(x.indkey) WITH ORDINALITY AS k(number, place)
               LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number
              ORDER BY k.place),
       CASE WHEN pg_indexam_has_property(m.oid, 'can_order') THEN
       ARRAY(SELECT CASE WHEN (o.flags & 1) = 1 THEN 'DESC' ELSE 'ASC' END
               FROM unnest(x.indkey, x.indoption) WITH ORDINALITY AS o(number, flags, place)
              ORDER BY o.place) END
  FROM pg_index x
  JOIN pg_class c ON c.oid = x.indexrelid
  JOIN pg_am m ON m.oid = c.relam
 WHERE x.indrelid = to_regclass($1::text)
 ORDER BY c.relname
"""
SEQUENCES = """
SELECT s.relname::text, a.attname::text
  FROM pg_class s
  JOIN pg_depend d ON d.objid = s.oid AND d.deptype::text IN ('a', 'i')
   AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE s.relkind::text = 'S' AND d.refobjid = to_regclass($1::text)
 ORDER BY s.relname
"""


class PostgresqlCatalog:
    """How PostgreSQL is asked."""

    def tables(self) -> Operation[list[TableInfo]]:
        rows = yield from fetch(TABLES)
        return [TableInfo(name, _KINDS.get(kind, kind), comment) for name, kind, comment in rows]

    def columns(self, table: str, dialect: Dialect) -> Operation[list[ColumnInfo]]:
        rows = yield from fetch(COLUMNS, (str(dialect.quote(table)),))
        return [_column(row) for row in rows]

    def relations(self, table: str, dialect: Dialect) -> Operation[dict[str, Relation]]:
        rows = yield from fetch(CONSTRAINTS, (str(dialect.quote(table)),))
        return {
            columns[0]: (targets[0], target, rule(_RULES.get(on_delete, "")))
            for _, kind, target, on_delete, _, columns, targets in rows
            if kind == "f" and len(columns) == 1
        }

    def constraints(self, table: str, dialect: Dialect) -> Operation[dict[str, Constraint]]:
        quoted = (str(dialect.quote(table)),)
        found: dict[str, Constraint] = {}
        rows = yield from fetch(CONSTRAINTS, quoted)
        for name, kind, target, _, options, columns, targets in rows:
            found[name] = constraint(
                list(columns),
                primary_key=kind == "p",
                unique=kind in ("p", "u"),
                foreign_key=(target, targets[0]) if kind == "f" else None,
                check=kind == "c",
                definition=None,
                options=options,
            )
        rows = yield from fetch(INDEXES, quoted)
        for name, unique, primary, method, options, definition, columns, orders in rows:
            if name not in found:
                found[name] = constraint(
                    [] if list(columns) == [None] else list(columns),
                    primary_key=primary,
                    unique=unique,
                    index=True,
                    orders=list(orders or ()),
                    type=_kind(name, method, options),
                    definition=definition,
                    options=options,
                )
        return found

    def sequences(self, table: str, dialect: Dialect) -> Operation[list[dict[str, Any]]]:
        rows = yield from fetch(SEQUENCES, (str(dialect.quote(table)),))
        return [{"name": name, "table": table, "column": column} for name, column in rows]

    def field_type(self, column: ColumnInfo) -> str:
        found = FIELD_TYPES[column.type_code]
        automatic = column.is_autofield or (column.default or "").startswith("nextval(")
        return _AUTO.get(found, found) if automatic else found


def _kind(name: str, method: str, options: Any) -> str:
    """The method of an index; that of an ordinary one, as far as it can be told, is not named."""
    plain = method == "btree" and not options and not name.endswith("_btree")
    return ORDINARY if plain else method


def _column(row: Any) -> ColumnInfo:
    name, kind, modifier, null, default, collation, identity, comment, key = row
    size = modifier - 4 if modifier >= 4 else None  # four bytes are for the length itself
    length = size if kind in _CHARACTERS else None
    digits = size if kind == _NUMERIC else None
    return ColumnInfo(
        name,
        kind,
        length,
        length,
        None if digits is None else digits >> 16,
        None if digits is None else digits & 0xFFFF,
        null,
        default,
        collation,
        is_autofield=identity,
        comment=comment,
        pk=key,
    )
