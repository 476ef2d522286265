"""The statements that change a schema, each as a method: what `Index.create_sql` is handed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aorm.fields.constraints import UniqueConstraint
from aorm.fields.indexes import Index
from aorm.sql.ddl import create_table_sql, model_indexes
from aorm.sql.ddl_indexes import (
    constraint_index,
    drop_index,
    index_sql,
    is_index,
    is_possible,
    table_constraint,
)
from aorm.sql.dialect import Dialect
from aorm.sql.literals import literal
from aorm.sql.names import derived_name
from aorm.sql.statements import SchemaStatement


class SchemaText:
    """Statements for one database; nothing is run."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    @property
    def dialect(self) -> Dialect:
        """The spelling of the database."""
        return self._dialect

    def quote_name(self, name: str) -> str:
        """The name as it is written in SQL."""
        return str(self.dialect.quote(name))

    def quote_value(self, value: Any) -> str:
        """A value as a literal, for statements that take no parameters."""
        return literal(value, self.dialect)

    def table_sql(self, model: Any) -> str:
        """CREATE TABLE, without indexes."""
        return create_table_sql(model, self.dialect)

    # --- indexes ----------------------------------------------------------------------

    def index_sql(
        self, model: Any, index: Index, using: str = "", sql: str | None = None
    ) -> SchemaStatement:
        """CREATE INDEX.

        Args:
            using: another method than that of the index's class.
            sql: another statement, with `%(name)s` and `%(table)s` for the quoted names.
        """
        made = index_sql(model, index, self.dialect, using)
        return made if sql is None else self._instead(made, sql)

    def drop_index_sql(self, model: Any, index: Index, sql: str | None = None) -> SchemaStatement:
        """DROP INDEX, or another statement: see `index_sql`."""
        made = drop_index(index.name, model, self.dialect)
        return made if sql is None else self._instead(made, sql)

    def _instead(self, made: SchemaStatement, sql: str) -> SchemaStatement:
        text = sql % {"name": made.name, "table": self.quote_name(made.table)}
        return SchemaStatement(text, table=made.table, name=made.name, columns=made.columns)

    def _model_indexes_sql(self, model: Any) -> list[SchemaStatement]:
        opts = model._meta
        if not opts.managed or opts.proxy or opts.swapped:
            return []
        return list(model_indexes(model, self.dialect))

    def _create_index_name(
        self, table_name: str, column_names: Sequence[str], suffix: str = ""
    ) -> str:
        return derived_name(table_name, column_names, suffix, self.dialect)

    # --- constraints ------------------------------------------------------------------

    def constraint_sql(self, model: Any, constraint: Any) -> str | None:
        """The constraint as a part of CREATE TABLE; None where it is none."""
        return table_constraint(model, constraint, self.dialect)

    def add_constraint_sql(self, model: Any, constraint: Any) -> SchemaStatement | None:
        """The statement that adds a constraint to a table; None where the database has none."""
        made = constraint_index(model, constraint, self.dialect)
        if made is not None:
            return made
        part = table_constraint(model, constraint, self.dialect)
        return None if part is None else self._altered(model, f"ADD {part}", constraint.name)

    def drop_constraint_sql(self, model: Any, constraint: Any) -> SchemaStatement | None:
        """The statement that drops a constraint; None where the database has none."""
        if isinstance(constraint, UniqueConstraint):
            if not is_possible(constraint, self.dialect):
                return None
            if is_index(constraint):
                return drop_index(constraint.name, model, self.dialect)
        name = self.dialect.quote(constraint.name)
        return self._altered(model, f"DROP CONSTRAINT {name}", constraint.name)

    def _altered(
        self, model: Any, what: str, name: str = "", columns: Iterable[str] = ()
    ) -> SchemaStatement:
        """ALTER TABLE; `what` is everything behind the name of the table."""
        table = model._meta.db_table
        return SchemaStatement(
            f"ALTER TABLE {self.dialect.quote(table)} {what}",
            table=table,
            name=str(self.dialect.quote(name)) if name else "",
            columns=tuple(columns),
        )
