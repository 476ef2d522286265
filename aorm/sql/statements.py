"""Statements of DDL that know what they are about, so that those which wait can be dropped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


class SchemaStatement(str):
    """The text of a statement, and the table and columns without which it makes no sense.

    Args:
        text: the statement.
        table: the name of its table.
        name: the quoted name of the index or constraint that it makes, if it makes one.
        columns: names of columns of the table.
        target: the table that a foreign key refers to.
        target_columns: names of columns of that table.
    """

    table: str
    name: str
    columns: tuple[str, ...]
    target: str | None
    target_columns: tuple[str, ...]

    def __new__(
        cls,
        text: str,
        *,
        table: str,
        name: str = "",
        columns: tuple[str, ...] = (),
        target: str | None = None,
        target_columns: tuple[str, ...] = (),
    ) -> SchemaStatement:
        made = super().__new__(cls, text)
        made.table, made.name, made.columns = table, name, columns
        made.target, made.target_columns = target, target_columns
        return made

    @property
    def parts(self) -> Mapping[str, Any]:
        """What it is about, by name."""
        return {"table": self.table, "name": self.name, "columns": self.columns}

    def references_table(self, table: str) -> bool:
        """Whether it is about this table, or refers to it."""
        return table in (self.table, self.target)

    def references_column(self, table: str, column: str) -> bool:
        """Whether it needs this column of this table."""
        own = table == self.table and column in self.columns
        return own or (table == self.target and column in self.target_columns)

    def renamed(
        self, table: str, old: str, new: str, quoted_old: str, quoted_new: str
    ) -> SchemaStatement:
        """The statement after a column of a table was renamed."""
        if not self.references_column(table, old):
            return self
        own = table == self.table
        start, _, rest = self.partition(" (")
        return SchemaStatement(
            f"{start} ({rest.replace(quoted_old, quoted_new)}",
            table=self.table,
            name=self.name,
            columns=_replaced(self.columns, old, new) if own else self.columns,
            target=self.target,
            target_columns=(
                _replaced(self.target_columns, old, new)
                if table == self.target
                else self.target_columns
            ),
        )

    def moved(self, old: str, new: str, quoted_old: str, quoted_new: str) -> SchemaStatement:
        """The statement after a table was renamed; what it makes keeps its name."""
        if not self.references_table(old):
            return self
        text = re.sub(
            f"(TABLE|ON|REFERENCES) {re.escape(quoted_old)}",
            lambda match: f"{match[1]} {quoted_new}",
            self,
        )
        return SchemaStatement(
            text,
            table=new if self.table == old else self.table,
            name=self.name,
            columns=self.columns,
            target=new if self.target == old else self.target,
            target_columns=self.target_columns,
        )


def _replaced(names: tuple[str, ...], old: str, new: str) -> tuple[str, ...]:
    return tuple(new if name == old else name for name in names)
