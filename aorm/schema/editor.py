"""The schema editor: tables made, changed and dropped, on both faces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from aorm.connections import Atomic, Database, arun, run
from aorm.connections.raw import native
from aorm.connections.unchecked import Unchecked
from aorm.operations.schema_fields import FieldChanges
from aorm.sql.dialect import Dialect
from aorm.steps import Operation


class SchemaEditor(FieldChanges):
    """Changes tables inside a transaction, `with` or `async with`.

        with connections["default"].schema_editor() as editor:
            editor.create_model(Book)

    Indexes and foreign keys are made on leaving.  On SQLite, foreign keys are not enforced inside
    (outside of `atomic()`), and are looked at before the commit.

    Args:
        connection: the database.
        collect_sql: run nothing; the statements are in `collected_sql` then.
        atomic: whether all happens or nothing.
    """

    def __init__(
        self, connection: Database, collect_sql: bool = False, atomic: bool = True
    ) -> None:
        super().__init__(connection.dialect, collect_sql)
        self.connection = connection
        self.atomic = atomic
        self._block: Atomic | None = None

    @property
    def dialect(self) -> Dialect:
        """The spelling of the database, under the settings in force."""
        found: Dialect = self.connection.dialect
        return found

    # --- the block --------------------------------------------------------------------

    def _opened(self) -> Atomic | None:
        self.deferred_sql = []
        if not self.atomic or self.collect_sql:
            return None
        if self._in_place:
            return Atomic(self.connection, True, False, None, False, None, 0)
        return Unchecked(self.connection)

    @property
    def _unchecked(self) -> bool:
        return isinstance(self._block, Unchecked) and self._block.is_unchecked

    def __enter__(self) -> SchemaEditor:
        self._block = self._opened()
        if self._block is not None:
            self._block.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None and not self.connection.needs_rollback:
                self._run(self.finishing(self._unchecked))
        except BaseException as failure:
            self._leave(type(failure), failure)
            raise
        self._leave(kind, error)

    def _leave(self, kind: type[BaseException] | None, error: BaseException | None) -> None:
        block, self._block = self._block, None
        if block is not None:
            block.__exit__(kind, error, None)

    async def __aenter__(self) -> SchemaEditor:
        self._block = self._opened()
        if self._block is not None:
            await self._block.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None and not self.connection.needs_rollback:
                await self._arun(self.finishing(self._unchecked))
        except BaseException as failure:
            await self._aleave(type(failure), failure)
            raise
        await self._aleave(kind, error)

    async def _aleave(self, kind: type[BaseException] | None, error: BaseException | None) -> None:
        block, self._block = self._block, None
        if block is not None:
            await block.__aexit__(kind, error, None)

    def _run(self, operation: Operation[None]) -> None:
        run(operation, self.connection)

    async def _arun(self, operation: Operation[None]) -> None:
        await arun(operation, self.connection)

    # --- statements -------------------------------------------------------------------

    def execute(self, sql: str, params: Sequence[Any] | None = None) -> None:
        """Run a statement of the user's own; values are `%s` in its text."""
        self._run(self.executing(*native(self.connection.vendor, str(sql), params)))

    async def aexecute(self, sql: str, params: Sequence[Any] | None = None) -> None:
        await self._arun(self.executing(*native(self.connection.vendor, str(sql), params)))

    # --- tables -----------------------------------------------------------------------

    def create_model(self, model: Any) -> None:
        """Make a model's table, and those of its automatic many-to-many models."""
        self._run(self.creating_model(model))

    async def acreate_model(self, model: Any) -> None:
        await self._arun(self.creating_model(model))

    def delete_model(self, model: Any) -> None:
        """Drop a model's table, and those of its automatic many-to-many models."""
        self._run(self.deleting_model(model))

    async def adelete_model(self, model: Any) -> None:
        await self._arun(self.deleting_model(model))

    def alter_db_table(self, model: Any, old_db_table: str, new_db_table: str) -> None:
        """Give a model's table another name."""
        self._run(self.renaming_table(model, old_db_table, new_db_table))

    async def aalter_db_table(self, model: Any, old_db_table: str, new_db_table: str) -> None:
        await self._arun(self.renaming_table(model, old_db_table, new_db_table))

    def alter_db_table_comment(
        self, model: Any, old_db_table_comment: str | None, new_db_table_comment: str | None
    ) -> None:
        """Change the comment of a model's table, where the database has comments."""
        self._run(self.commenting_table(model, new_db_table_comment))

    async def aalter_db_table_comment(
        self, model: Any, old_db_table_comment: str | None, new_db_table_comment: str | None
    ) -> None:
        await self._arun(self.commenting_table(model, new_db_table_comment))

    # --- columns ----------------------------------------------------------------------

    def add_field(self, model: Any, field: Any) -> None:
        """Add a field's column; rows that are there get the field's default."""
        self._run(self.adding_field(model, field))

    async def aadd_field(self, model: Any, field: Any) -> None:
        await self._arun(self.adding_field(model, field))

    def remove_field(self, model: Any, field: Any) -> None:
        """Drop a field's column, and the indexes and constraints over it."""
        self._run(self.removing_field(model, field))

    async def aremove_field(self, model: Any, field: Any) -> None:
        await self._arun(self.removing_field(model, field))

    def alter_field(self, model: Any, old_field: Any, new_field: Any, strict: bool = False) -> None:
        """Let a field's column be as another field wants it, name and all.

        Raises:
            QueryValueError: only one of the two has a column, or a table of its own.
        """
        self._run(self.altering_field(model, old_field, new_field))

    async def aalter_field(
        self, model: Any, old_field: Any, new_field: Any, strict: bool = False
    ) -> None:
        await self._arun(self.altering_field(model, old_field, new_field))

    # --- indexes and constraints ------------------------------------------------------

    def add_index(self, model: Any, index: Any) -> None:
        """Make an index."""
        self._run(self.adding_index(model, index))

    async def aadd_index(self, model: Any, index: Any) -> None:
        await self._arun(self.adding_index(model, index))

    def remove_index(self, model: Any, index: Any) -> None:
        """Drop an index."""
        self._run(self.removing_index(model, index))

    async def aremove_index(self, model: Any, index: Any) -> None:
        await self._arun(self.removing_index(model, index))

    def rename_index(self, model: Any, old_index: Any, new_index: Any) -> None:
        """Give an index the name of another one."""
        self._run(self.renaming_index(model, old_index, new_index))

    async def arename_index(self, model: Any, old_index: Any, new_index: Any) -> None:
        await self._arun(self.renaming_index(model, old_index, new_index))

    def add_constraint(self, model: Any, constraint: Any) -> None:
        """Add a constraint; one that the database cannot have is left out."""
        self._run(self.adding_constraint(model, constraint))

    async def aadd_constraint(self, model: Any, constraint: Any) -> None:
        await self._arun(self.adding_constraint(model, constraint))

    def remove_constraint(self, model: Any, constraint: Any) -> None:
        """Drop a constraint; one that the database cannot have is left out."""
        self._run(self.removing_constraint(model, constraint))

    async def aremove_constraint(self, model: Any, constraint: Any) -> None:
        await self._arun(self.removing_constraint(model, constraint))

    def alter_unique_together(
        self,
        model: Any,
        old_unique_together: Iterable[Sequence[str]],
        new_unique_together: Iterable[Sequence[str]],
    ) -> None:
        """Change which fields are unique together.

        Raises:
            QueryError: what is to go is not there.
        """
        self._run(self.changing_unique_together(model, old_unique_together, new_unique_together))

    async def aalter_unique_together(
        self,
        model: Any,
        old_unique_together: Iterable[Sequence[str]],
        new_unique_together: Iterable[Sequence[str]],
    ) -> None:
        await self._arun(
            self.changing_unique_together(model, old_unique_together, new_unique_together)
        )
