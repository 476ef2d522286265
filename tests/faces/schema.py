"""Rows for schema editors and for what a database says about its tables."""

from __future__ import annotations

from typing import Any

from related.models import Plain
from schema.models import ADDED_CONSTRAINTS, ADDED_INDEXES, Box, Shelf

from aorm import models
from aorm.schema import Introspection, SchemaEditor
from faces.comparing import Group, Row, Within, on

LABEL = Box._meta.get_field("label")


def editing(name: str, *args: Any) -> Row:
    """A row in which a schema editor does one thing."""
    return lambda w: Within(w.database.schema_editor(), name, lambda editor: on(editor, *args))


def field(kind: type[models.Field], name: str, **options: Any) -> models.Field:
    made = kind(**options)
    made.set_attributes_from_name(name)
    made.model = Box
    return made


EDITOR: dict[str, Row] = {
    "add_constraint": editing("add_constraint", Box, ADDED_CONSTRAINTS[0]),
    "add_field": editing("add_field", Box, field(models.IntegerField, "height", default=3)),
    "add_index": editing("add_index", Box, ADDED_INDEXES[0]),
    "alter_db_table": editing("alter_db_table", Box, Box._meta.db_table, "schema_chest"),
    "alter_db_table_comment": editing("alter_db_table_comment", Box, "", "Boxes"),
    "alter_field": editing("alter_field", Box, LABEL, field(models.TextField, "label")),
    "alter_unique_together": editing("alter_unique_together", Box, [("shelf", "label")], []),
    "create_model": editing("create_model", Plain),
    "create_model: one is there": editing("create_model", Box),
    "delete_model": editing("delete_model", Box),
    "execute": editing("execute", "DELETE FROM schema_box WHERE label = %s", ["x"]),
    "execute: no such table": editing("execute", "DELETE FROM nowhere"),
    "remove_constraint": editing("remove_constraint", Box, Box._meta.constraints[0]),
    "remove_field": editing("remove_field", Box, Box._meta.get_field("details")),
    "remove_index": editing("remove_index", Box, Box._meta.indexes[0]),
    "rename_index": editing(
        "rename_index",
        Box,
        Box._meta.indexes[0],
        models.Index(fields=["label", "-weight"], name="by_label_too"),
    ),
}


def told(*args: Any, **kwargs: Any) -> Row:
    """A row that asks an introspection, whose synchronous methods take a cursor."""
    return lambda w: on(w.database.introspection, *args, **kwargs).with_cursor()


TABLE = Box._meta.db_table

TOLD: dict[str, Row] = {
    "django_table_names": lambda w: on(w.database.introspection, only_existing=True),
    "get_constraints": told(TABLE),
    "get_primary_key_column": told(TABLE),
    "get_primary_key_columns": told(TABLE),
    "get_relations": told(TABLE),
    "get_sequences": told(TABLE),
    "get_table_description": told(TABLE),
    "get_table_description: no such table": told("nowhere"),
    "get_table_list": told(),
    "sequence_list": lambda w: on(w.database.introspection),
    "table_names": told(),
}

STEPS = """
    add_constraint_sql adding_constraint adding_field adding_index altering_field catalog
    changing_unique_together commenting_table constraint_sql creating_model deleting_model dialect
    drop_constraint_sql drop_index_sql executing executing_all finding finishing index_sql
    quote_name quote_value remaking removing_constraint removing_field removing_index
    renaming_index renaming_table table_sql
"""

GROUPS = (
    Group(SchemaEditor, EDITOR, lazily=STEPS, tables=(Shelf, Box)),
    Group(
        Introspection,
        TOLD,
        lazily="get_field_type identifier_converter installed_models",
        tables=(Shelf, Box),
    ),
)
