"""Changing tables: what a schema editor does, as operations.

1. Statements run at once, but indexes and foreign keys wait to the end: whatever they refer to is
   there by then, and rows are moved before them.
2. What waits and has lost its table or column is dropped.
3. Where only texts are collected, nothing is changed; questions are asked all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aorm.errors import IntegrityError, QueryError
from aorm.late import logging
from aorm.operations.catalog_postgresql import PostgresqlCatalog
from aorm.operations.catalog_sqlite import SqliteCatalog
from aorm.operations.changed_tables import with_options
from aorm.operations.remaking import refuse_referenced, remade, triggers
from aorm.sql.ddl import (
    comments_sql,
    create_table_sql,
    keys_sql,
    model_indexes,
    together_constraint,
    together_index,
    together_indexes,
    unique_indexes,
)
from aorm.sql.ddl_indexes import is_index, is_possible, table_constraint
from aorm.sql.literals import text_literal
from aorm.sql.schema_text import SchemaText
from aorm.sql.statements import SchemaStatement
from aorm.steps import Operation, execute, fetch

#: Where the statements are logged as they run.
LOGGER = "aorm.backends.schema"

CATALOGS: dict[str, Any] = {"sqlite": SqliteCatalog(), "postgresql": PostgresqlCatalog()}


class SchemaChanges(SchemaText):
    """What has been changed and what waits; the methods ending in `ing` are operations.

    `deferred_sql` is what waits; `collected_sql` what would have run.
    """

    collect_sql = False

    def __init__(self, dialect: Any, collect_sql: bool = False) -> None:
        super().__init__(dialect)
        self.collect_sql = collect_sql
        self.deferred_sql: list[SchemaStatement] = []
        self.collected_sql: list[str] = []

    @property
    def _in_place(self) -> bool:
        """Whether ALTER TABLE can do it; otherwise tables are made anew."""
        return not self.dialect.capabilities.inline_foreign_keys_only

    @property
    def catalog(self) -> Any:
        """How the database is asked about its tables."""
        return CATALOGS[self.dialect.vendor]

    # --- statements -------------------------------------------------------------------

    def executing(self, sql: str, params: Sequence[Any] | None = ()) -> Operation[None]:
        """Run a statement, or collect it."""
        text = str(sql)
        logged = {"sql": text, "params": params}
        logging.getLogger(LOGGER).debug("%s; (params %r)", text, params, extra=logged)
        if self.collect_sql:
            self.collected_sql.append(text if text.endswith(";") else f"{text};")
        else:
            yield from execute(text, tuple(params or ()))

    def executing_all(self, statements: Iterable[str | None]) -> Operation[None]:
        """Run statements; None is none."""
        for statement in statements:
            if statement is not None:
                yield from self.executing(statement)

    def finishing(self, unchecked: bool) -> Operation[None]:
        """Run what waits; where foreign keys were not watched over, look at them now.

        Raises:
            IntegrityError: a row refers to one that is not there.
        """
        while self.deferred_sql:
            yield from self.executing(self.deferred_sql.pop(0))
        if unchecked:
            rows = yield from fetch("PRAGMA foreign_key_check")
            if rows:
                table, number, target = rows[0][:3]
                raise IntegrityError(f"row {number} of {table} refers to a missing row of {target}")

    def _forget(self, table: str, column: str | None = None) -> None:
        """Drop what waits and needs this table, or this column of it."""
        self.deferred_sql = [
            each
            for each in self.deferred_sql
            if not (
                each.references_table(table)
                if column is None
                else each.references_column(table, column)
            )
        ]

    # --- tables -----------------------------------------------------------------------

    def creating_model(self, model: Any) -> Operation[None]:
        dialect = self.dialect
        yield from self.executing(create_table_sql(model, dialect))
        yield from self.executing_all(comments_sql(model, dialect))
        self.deferred_sql.extend(keys_sql(model, dialect))
        self.deferred_sql.extend(together_indexes(model, dialect))
        self.deferred_sql.extend(model_indexes(model, dialect))
        self.deferred_sql.extend(unique_indexes(model, dialect))
        for through in _automatic(model):
            yield from self.creating_model(through)

    def deleting_model(self, model: Any) -> Operation[None]:
        for through in _automatic(model):
            yield from self.deleting_model(through)
        table = model._meta.db_table
        cascade = " CASCADE" if self._in_place else ""
        yield from self.executing(f"DROP TABLE {self.quote_name(table)}{cascade}")
        self._forget(table)

    def renaming_table(self, model: Any, old: str, new: str) -> Operation[None]:
        if old == new or (not self._in_place and old.lower() == new.lower()):
            return  # for SQLite they are one name
        names = self.quote_name(old), self.quote_name(new)
        yield from self.executing("ALTER TABLE {} RENAME TO {}".format(*names))
        self.deferred_sql = [each.moved(old, new, *names) for each in self.deferred_sql]

    def commenting_table(self, model: Any, comment: str | None) -> Operation[None]:
        if self.dialect.capabilities.comments:
            table = self.quote_name(model._meta.db_table)
            yield from self.executing(f"COMMENT ON TABLE {table} IS {text_literal(comment or '')}")

    # --- indexes ----------------------------------------------------------------------

    def adding_index(self, model: Any, index: Any) -> Operation[None]:
        yield from self.executing(index.create_sql(model, self))

    def removing_index(self, model: Any, index: Any) -> Operation[None]:
        yield from self.executing(index.remove_sql(model, self))

    def renaming_index(self, model: Any, old: Any, new: Any) -> Operation[None]:
        if self._in_place:
            names = self.quote_name(old.name), self.quote_name(new.name)
            yield from self.executing("ALTER INDEX {} RENAME TO {}".format(*names))
        else:
            yield from self.removing_index(model, old)
            yield from self.adding_index(model, new)

    # --- constraints ------------------------------------------------------------------

    def adding_constraint(self, model: Any, constraint: Any) -> Operation[None]:
        if self._stands_alone(model, constraint):
            yield from self.executing_all([constraint.create_sql(model, self)])
        elif table_constraint(model, constraint, self.dialect) is not None:
            others = [each for each in model._meta.constraints if each.name != constraint.name]
            yield from self._constrained(model, [*others, constraint])

    def removing_constraint(self, model: Any, constraint: Any) -> Operation[None]:
        if self._stands_alone(model, constraint):
            yield from self.executing_all([constraint.remove_sql(model, self)])
        elif table_constraint(model, constraint, self.dialect) is not None:
            others = [each for each in model._meta.constraints if each.name != constraint.name]
            yield from self._constrained(model, others)

    def _stands_alone(self, model: Any, constraint: Any) -> bool:
        """Whether the constraint can come and go without the table."""
        if self._in_place:
            return True
        possible = hasattr(constraint, "nulls_distinct") and is_possible(constraint, self.dialect)
        return possible and is_index(constraint)

    def _constrained(self, model: Any, constraints: list[Any]) -> Operation[None]:
        yield from self.remaking(model, with_options(model, constraints=constraints), {})

    def changing_unique_together(
        self, model: Any, old: Iterable[Sequence[str]], new: Iterable[Sequence[str]]
    ) -> Operation[None]:
        before, after = {tuple(group) for group in old}, {tuple(group) for group in new}
        for group in sorted(before - after):
            yield from self._removing_together(model, group)
        for group in sorted(after - before):
            if self._in_place:
                part = together_constraint(model, group, self.dialect)
                yield from self.executing(self._altered(model, f"ADD {part}"))
            else:
                yield from self.executing(together_index(model, group, self.dialect))

    def _removing_together(self, model: Any, group: Sequence[str]) -> Operation[None]:
        columns = [model._meta.get_field(name).column for name in group]
        own = {each.name for each in (*model._meta.constraints, *model._meta.indexes)}
        found = yield from self.finding(model, columns, unique=True, without=own)
        name = self.quote_name(self._the_only(model, found, columns, "unique constraint"))
        table = self.quote_name(model._meta.db_table)
        yield from self.executing(
            f"ALTER TABLE {table} DROP CONSTRAINT {name}"
            if self._in_place
            else f"DROP INDEX {name}"
        )

    # --- what is there ----------------------------------------------------------------

    def finding(
        self, model: Any, columns: Sequence[str], without: Iterable[str] = (), **wanted: bool
    ) -> Operation[list[str]]:
        """The names of the constraints and indexes over exactly these columns.

        Args:
            without: names that are not wanted.
            wanted: `unique`, `primary_key`, `foreign_key`, `check`, `index`: whether it is one.
        """
        known = yield from self.catalog.constraints(model._meta.db_table, self.dialect)
        left_out = set(without)
        return [
            name
            for name, details in known.items()
            if details["columns"] == list(columns)
            and all(bool(details[what]) == value for what, value in wanted.items())
            and name not in left_out
        ]

    def _the_only(self, model: Any, found: Sequence[str], columns: Sequence[str], what: str) -> str:
        if len(found) != 1:
            raise QueryError(
                f"{model._meta.db_table} has {len(found)} of the {what}s over"
                f" {', '.join(columns)}, where there should be one: {', '.join(found) or 'none'}"
            )
        return found[0]

    # --- making a table anew ----------------------------------------------------------

    def remaking(self, model: Any, changed: Any, values: dict[str, str]) -> Operation[None]:
        """Replace a table of SQLite by another form of it: see `remade`."""
        table = model._meta.db_table
        yield from refuse_referenced(table)
        yield from self._refusing_unknown_columns(model)
        kept = yield from triggers(table)
        self._forget(table)
        yield from self.executing_all(remade(model, changed, values, self.dialect))
        yield from self.executing_all(kept)

    def _refusing_unknown_columns(self, model: Any) -> Operation[None]:
        """Refuse to lose columns that the model knows nothing of."""
        known = {field.column for field in model._meta.local_concrete_fields}
        there = yield from self.catalog.columns(model._meta.db_table, self.dialect)
        lost = [column.name for column in there if column.name not in known]
        if lost:
            raise QueryError(
                f"{model._meta.db_table} has to be made anew, and {model._meta.object_name} has no"
                f" fields for its columns {', '.join(lost)}, which would be lost"
            )


def _automatic(model: Any) -> Iterable[Any]:
    """The models of the many-to-many tables that come and go with a model."""
    for field in model._meta.local_many_to_many:
        through = field.remote_field.through
        if through._meta.auto_created:
            yield through
