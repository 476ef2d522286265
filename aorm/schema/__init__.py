"""Changing tables, and asking a database what tables it has.

`connections["default"].schema_editor()` and `connections["default"].introspection` give these.
"""

from aorm.operations.catalog import ColumnInfo, TableInfo
from aorm.schema.editor import SchemaEditor
from aorm.schema.features import Features
from aorm.schema.introspection import Introspection

__all__ = ["ColumnInfo", "Features", "Introspection", "SchemaEditor", "TableInfo"]
