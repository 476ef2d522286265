"""`connection.features`: what a database can do, in Django's words, for code that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aorm.connections import Database
from aorm.operations.catalog_postgresql import FIELD_TYPES as POSTGRESQL_FIELDS
from aorm.operations.catalog_sqlite import FIELD_TYPES as SQLITE_FIELDS

_KEYS = ("AutoField", "BigAutoField", "SmallAutoField")


class Features:
    """The flags of one database."""

    allows_multiple_constraints_on_same_fields = True
    bare_select_suffix = ""
    can_alter_table_drop_column = True
    can_alter_table_rename_column = True
    can_defer_constraint_checks = True
    can_introspect_check_constraints = True
    can_introspect_default = True
    can_introspect_foreign_keys = True
    can_introspect_json_field = True
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    can_rollback_ddl = True
    has_bulk_insert = True
    indexes_foreign_keys = True
    interprets_empty_strings_as_nulls = False
    supports_aggregate_filter_clause = True
    supports_collation_on_charfield = True
    supports_collation_on_textfield = True
    supports_column_check_constraints = True
    supports_explaining_query_execution = True
    supports_expression_defaults = True
    supports_expression_indexes = True
    supports_ignore_conflicts = True
    supports_index_column_ordering = True
    supports_index_on_text_field = True
    supports_json_field = True
    supports_non_deterministic_collations = True
    supports_over_clause = True
    supports_partial_indexes = True
    supports_select_difference = True
    supports_select_intersection = True
    supports_select_union = True
    supports_table_check_constraints = True
    supports_transactions = True
    supports_update_conflicts = True
    uses_savepoints = True

    def __init__(self, database: Database) -> None:
        self._database = database

    def __getattr__(self, name: str) -> Any:
        """A flag that depends on the database; asked anew each time, so that it can be patched."""
        ask = _ASKED.get(name)
        if ask is None:
            raise AttributeError(f"no feature of databases is called {name!r}")
        return ask(self._database)

    @property
    def introspected_field_types(self) -> dict[str, Any]:
        """The classes of fields that introspection finds, by those whose columns they are."""
        sqlite = self._database.vendor == "sqlite"
        known = SQLITE_FIELDS if sqlite else POSTGRESQL_FIELDS
        return _introspected(set(known.values()), sqlite)


def _able(capability: str) -> Callable[[Database], Any]:
    return lambda database: getattr(database.dialect.capabilities, capability)


_ASKED: dict[str, Callable[[Database], Any]] = {
    "can_create_inline_fk": lambda database: not _able("inline_foreign_keys_only")(database),
    "can_distinct_on_fields": _able("distinct_on"),
    "has_select_for_no_key_update": _able("select_for_no_key_update"),
    "has_select_for_update": _able("select_for_update"),
    "has_select_for_update_nowait": _able("select_for_update"),
    "has_select_for_update_of": _able("select_for_update_of"),
    "has_select_for_update_skip_locked": _able("select_for_update"),
    "has_native_duration_field": _able("native_duration"),
    "has_native_json_field": _able("native_json"),
    "has_native_uuid_field": _able("native_uuid"),
    "ignores_table_name_case": lambda database: database.vendor == "sqlite",
    "collate_as_index_expression": lambda database: database.vendor != "sqlite",
    "has_real_datatype": lambda database: database.vendor != "sqlite",
    "supports_aggregate_order_by_clause": _able("aggregate_order_by"),
    "supports_comments": _able("comments"),
    "supports_covering_indexes": _able("covering_indexes"),
    "supports_deferrable_unique_constraints": _able("deferrable_constraints"),
    "supports_foreign_keys": lambda database: database.address.options.get("foreign_keys", True),
    "supports_nulls_distinct_unique_constraints": _able("nulls_distinct"),
    "supports_stored_generated_columns": _able("stored_generated_columns"),
    "supports_virtual_generated_columns": _able("virtual_generated_columns"),
    "supports_sequence_reset": lambda database: database.vendor != "sqlite",
    "supports_tablespaces": _able("tablespaces"),
    "supports_timezones": _able("time_zones"),
}


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
