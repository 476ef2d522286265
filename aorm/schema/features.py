"""`connection.features`: what a database can do, in Django's words, for code that asks for it."""

from __future__ import annotations

from typing import Any

from aorm.connections import Database
from aorm.operations.catalog_postgresql import FIELD_TYPES as POSTGRESQL_FIELDS
from aorm.operations.catalog_sqlite import FIELD_TYPES as SQLITE_FIELDS

_KEYS = ("AutoField", "BigAutoField", "SmallAutoField")


class Features:
    """The flags of one database."""

    can_introspect_check_constraints = True
    can_introspect_default = True
    can_introspect_foreign_keys = True
    can_rollback_ddl = True
    indexes_foreign_keys = True
    interprets_empty_strings_as_nulls = False
    supports_column_check_constraints = True
    supports_expression_indexes = True
    supports_foreign_keys = True
    supports_index_column_ordering = True
    supports_index_on_text_field = True
    supports_partial_indexes = True
    supports_table_check_constraints = True
    supports_transactions = True
    uses_savepoints = True

    def __init__(self, database: Database) -> None:
        able = database.dialect.capabilities
        sqlite = database.vendor == "sqlite"
        self.can_alter_table_rename_column = True
        self.can_create_inline_fk = not able.inline_foreign_keys_only
        self.can_introspect_json_field = True
        self.has_native_duration_field = able.native_duration
        self.has_native_json_field = able.native_json
        self.has_native_uuid_field = able.native_uuid
        self.has_real_datatype = not sqlite
        self.supports_aggregate_order_by_clause = able.aggregate_order_by
        self.supports_comments = able.comments
        self.supports_covering_indexes = able.covering_indexes
        self.supports_deferrable_unique_constraints = able.deferrable_constraints
        self.supports_nulls_distinct_unique_constraints = able.nulls_distinct
        self.supports_tablespaces = able.tablespaces
        self.supports_timezones = able.time_zones
        known = SQLITE_FIELDS if sqlite else POSTGRESQL_FIELDS
        #: The classes of fields that introspection finds, by those whose columns they are.
        self.introspected_field_types = _introspected(set(known.values()), sqlite)


def _introspected(known: set[str], sqlite: bool) -> dict[str, Any]:
    """Of each class of fields, the class that stands for its columns."""
    found = {name: name for name in (*sorted(known), *_KEYS)}
    if sqlite:
        found |= dict.fromkeys(_KEYS, "AutoField")
        return found | {
            "DurationField": "BigIntegerField",
            "GenericIPAddressField": "CharField",
            "UUIDField": "CharField",
        }
    return found | {
        "PositiveBigIntegerField": "BigIntegerField",
        "PositiveIntegerField": "IntegerField",
        "PositiveSmallIntegerField": "SmallIntegerField",
    }
