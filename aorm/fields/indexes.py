"""Indexes of a table, as data; their SQL lives in a higher layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aorm.fields.constraints import (
    Deconstructed,
    ExpressionHolder,
    _is_condition,
    list_or_tuple,
    public_path,
)
from aorm.late import hashlib

__all__ = ["Index"]


class Index(ExpressionHolder):
    """An index over fields or expressions.

    Args:
        expressions: names and expressions; or `fields`, names alone, `-` before them for
            descending order.
        name: may contain `%(app_label)s` and `%(class)s`; made up where only fields are given.
        db_tablespace: where it is stored.
        opclasses: operator classes, one for each of `fields`.
        condition: a Q object; only rows that meet it are in the index.
        include: names of fields that the index carries besides.

    Raises:
        ValueError: the arguments do not fit together.
    """

    suffix = "idx"
    # Oracle's limit, which makes names that fit everywhere.
    max_name_length = 30

    def __init__(
        self,
        *expressions: Any,
        fields: Sequence[str] = (),
        name: str | None = None,
        db_tablespace: str | None = None,
        opclasses: Sequence[str] = (),
        condition: Any = None,
        include: Sequence[str] | None = None,
    ) -> None:
        if opclasses and not name:
            raise ValueError("An index must be named to use opclasses.")
        if condition is not None and not _is_condition(condition):
            raise ValueError("Index.condition must be a Q instance.")
        if condition is not None and not name:
            raise ValueError("An index must be named to use condition.")
        list_or_tuple(fields, "Index.fields", ValueError)
        list_or_tuple(opclasses, "Index.opclasses", ValueError)
        if not expressions and not fields:
            raise ValueError("At least one field or expression is required to define an index.")
        if expressions and fields:
            raise ValueError("Index.fields and expressions are mutually exclusive.")
        if expressions and not name:
            raise ValueError("An index must be named to use expressions.")
        if expressions and opclasses:
            raise ValueError(
                "Index.opclasses cannot be used with expressions. Use "
                "aorm.contrib.postgres.indexes.OpClass() instead."
            )
        if opclasses and len(fields) != len(opclasses):
            raise ValueError(
                "Index.fields and Index.opclasses must have the same number of elements."
            )
        if not all(isinstance(field, str) for field in fields):
            raise ValueError("Index.fields must contain only strings with field names.")
        if include and not name:
            raise ValueError("A covering index must be named.")
        list_or_tuple(include, "Index.include", ValueError)
        self.fields = list(fields)
        #: Pairs of a name and `"DESC"` or `""`.
        self.fields_orders = [
            (field.removeprefix("-"), "DESC" if field.startswith("-") else "")
            for field in self.fields
        ]
        self.name = name or ""
        self.db_tablespace = db_tablespace
        self.opclasses = opclasses
        self.condition = condition
        self.include = tuple(include) if include else ()
        self.expressions = self._as_expressions(expressions)

    @property
    def contains_expressions(self) -> bool:
        """Whether there are expressions in place of fields."""
        return bool(self.expressions)

    def set_name_with_model(self, model: Any) -> None:
        """Make up a name of at most 30 characters from the table and the columns.

        Raises:
            ValueError: the class's suffix is so long that the name does not fit.
        """
        table = _without_schema(model._meta.db_table)
        get_field = model._meta.get_field
        columns = [get_field(name).column for name, _ in self.fields_orders]
        ordered = [
            f"-{column}" if order else column
            for column, (_, order) in zip(columns, self.fields_orders, strict=True)
        ]
        # Whatever the name leaves out of tables and columns is in the digest.
        unique = hashlib.md5(
            "".join([table, *ordered, self.suffix]).encode(), usedforsecurity=False
        ).hexdigest()[:6]
        name = f"{table[:11]}_{columns[0][:7]}_{unique}_{self.suffix}"
        if len(name) > self.max_name_length:
            raise ValueError(
                "Index too long for multiple database support. Is self.suffix longer than 3 "
                "characters?"
            )
        # Some databases refuse names that begin with an underscore or a digit.
        if name[0] == "_" or name[0].isdigit():
            name = f"D{name[1:]}"
        self.name = name

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **options: Any) -> Any:
        """The statement that makes the index; `using` is the method, where it is not the usual."""
        return schema_editor.index_sql(model, self, using, **options)

    def remove_sql(self, model: Any, schema_editor: Any, **options: Any) -> Any:
        """The statement that drops the index."""
        return schema_editor.drop_index_sql(model, self, **options)

    def deconstruct(self) -> Deconstructed:
        """What makes this index again: the path of its class, args and kwargs."""
        kwargs: dict[str, Any] = {"name": self.name}
        for option in ("fields", "db_tablespace", "opclasses", "condition", "include"):
            value = getattr(self, option)
            if value:
                kwargs[option] = value
        return public_path(type(self)), self.expressions, kwargs

    def clone(self) -> Any:
        """The same index, which may be given another name."""
        _, args, kwargs = self.deconstruct()
        return type(self)(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Index) and type(other) is type(self):
            return self.deconstruct() == other.deconstruct()
        return NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self.name, tuple(self.fields)))

    def __repr__(self) -> str:
        shown: dict[str, str] = {}
        if self.fields:
            shown["fields"] = repr(self.fields)
        if self.expressions:
            shown["expressions"] = repr(self.expressions)
        if self.name:
            shown["name"] = repr(self.name)
        if self.db_tablespace is not None:
            shown["db_tablespace"] = repr(self.db_tablespace)
        if self.condition is not None:
            shown["condition"] = str(self.condition)
        for option in ("include", "opclasses"):
            if getattr(self, option):
                shown[option] = repr(getattr(self, option))
        parts = " ".join(f"{name}={text}" for name, text in shown.items())
        return f"<{type(self).__qualname__}: {parts}>"


def _without_schema(table: str) -> str:
    """The table's own name from `name`, `"name"` or `"schema"."name"`."""
    return table.rpartition('."')[2].strip('"') if table.endswith('"') else table
