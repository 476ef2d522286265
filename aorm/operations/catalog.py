"""What a database says about its own tables: the answers, whichever database gives them."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from aorm.fields.indexes import Index
from aorm.fields.on_delete import DB_CASCADE, DB_SET_DEFAULT, DB_SET_NULL, DO_NOTHING
from aorm.sql.dialect import Dialect
from aorm.steps import Operation

#: What happens to a row when the row that it refers to goes, by the words of SQL.
RULES = {"CASCADE": DB_CASCADE, "SET NULL": DB_SET_NULL, "SET DEFAULT": DB_SET_DEFAULT}

#: A constraint or an index: `columns`, `primary_key`, `unique`, `foreign_key`, `check`, `index`,
#: and of an index `orders`, `type`, `definition` and `options`.
Constraint = dict[str, Any]
#: The column and the table that a column refers to, and what happens to its row.
Relation = tuple[str, str, Any]


class TableInfo(NamedTuple):
    """A table (`t`), view (`v`) or partitioned table (`p`)."""

    name: str
    type: str
    comment: str | None = None


class ColumnInfo(NamedTuple):
    """A column, in the order of PEP 249's `description`, and what the database says besides."""

    name: str
    type_code: Any
    display_size: int | None
    internal_size: int | None
    precision: int | None
    scale: int | None
    null_ok: bool
    default: str | None
    collation: str | None
    is_autofield: bool = False
    comment: str | None = None
    pk: bool = False
    has_json_constraint: bool = False


class Catalog(Protocol):
    """How one kind of database is asked; every method is an operation."""

    def tables(self) -> Operation[list[TableInfo]]: ...

    def columns(self, table: str, dialect: Dialect) -> Operation[list[ColumnInfo]]: ...

    def relations(self, table: str, dialect: Dialect) -> Operation[dict[str, Relation]]: ...

    def constraints(self, table: str, dialect: Dialect) -> Operation[dict[str, Constraint]]: ...

    def sequences(self, table: str, dialect: Dialect) -> Operation[list[dict[str, Any]]]: ...

    def field_type(self, column: ColumnInfo) -> str: ...


def constraint(columns: list[Any], **known: Any) -> Constraint:
    """The entry of a constraint, where what is not said is false."""
    return {
        "columns": columns,
        "primary_key": False,
        "unique": False,
        "foreign_key": None,
        "check": False,
        "index": False,
        **known,
    }


def rule(words: str) -> Any:
    """What `on_delete` the rule of a foreign key means."""
    return RULES.get(words.upper(), DO_NOTHING)


#: The `type` of an ordinary index.
ORDINARY = Index.suffix
