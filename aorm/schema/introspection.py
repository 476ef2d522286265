"""What a database says about its own tables, on both faces.

The synchronous methods take Django's arguments: the first is a cursor, of which nothing is needed,
so that None does as well.  The asynchronous ones leave it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aorm.connections import Database, arun, run
from aorm.errors import ProgrammingError, listed
from aorm.fields.registry import apps
from aorm.operations.catalog import Catalog, ColumnInfo, Constraint, Relation, TableInfo
from aorm.operations.schema import CATALOGS
from aorm.steps import Operation


class Introspection:
    """The tables of one database as they are, which need not be as the models say."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _catalog(self) -> Catalog:
        found: Catalog = CATALOGS[self._database.vendor]
        return found

    def _run(self, operation: Operation[Any]) -> Any:
        return run(operation, self._database)

    async def _arun(self, operation: Operation[Any]) -> Any:
        return await arun(operation, self._database)

    # --- tables -----------------------------------------------------------------------

    def get_table_list(self, cursor: Any = None) -> list[TableInfo]:
        """The tables (`t`), views (`v`) and partitions (`p`), by name."""
        return self._run(self._catalog.tables())  # type: ignore[no-any-return]

    async def aget_table_list(self) -> list[TableInfo]:
        return await self._arun(self._catalog.tables())  # type: ignore[no-any-return]

    def table_names(self, cursor: Any = None, include_views: bool = False) -> list[str]:
        """The names of all tables."""
        return _names(self.get_table_list(), include_views)

    async def atable_names(self, include_views: bool = False) -> list[str]:
        return _names(await self.aget_table_list(), include_views)

    def django_table_names(
        self, only_existing: bool = False, include_views: bool = True
    ) -> list[str]:
        """The names of the tables of all models that are managed.

        Args:
            only_existing: leave out tables that the database has not.
            include_views: a view may stand for a table.
        """
        wanted = _tables_of_models()
        return _only(wanted, self.table_names(None, include_views)) if only_existing else wanted

    async def adjango_table_names(
        self, only_existing: bool = False, include_views: bool = True
    ) -> list[str]:
        wanted = _tables_of_models()
        return _only(wanted, await self.atable_names(include_views)) if only_existing else wanted

    def installed_models(self, tables: Iterable[str]) -> set[Any]:
        """The models whose tables are among these."""
        wanted = set(tables)
        return {model for model in apps.get_models() if model._meta.db_table in wanted}

    # --- one table --------------------------------------------------------------------

    def get_table_description(self, cursor: Any, table_name: str) -> list[ColumnInfo]:
        """The columns of a table or view, in their order.

        Raises:
            ProgrammingError: there is no such table.
        """
        return self._run(self._columns(table_name))  # type: ignore[no-any-return]

    async def aget_table_description(self, table_name: str) -> list[ColumnInfo]:
        return await self._arun(self._columns(table_name))  # type: ignore[no-any-return]

    def get_relations(self, cursor: Any, table_name: str) -> dict[str, Relation]:
        """By column: the column and the table that it refers to, and its `on_delete`."""
        return self._run(self._relations(table_name))  # type: ignore[no-any-return]

    async def aget_relations(self, table_name: str) -> dict[str, Relation]:
        return await self._arun(self._relations(table_name))  # type: ignore[no-any-return]

    def get_constraints(self, cursor: Any, table_name: str) -> dict[str, Constraint]:
        """The constraints and indexes of a table, by name.

        Each has `columns`, `primary_key`, `unique`, `foreign_key` (a table and a column, or
        None), `check` and `index`; an index also `type` and `orders`.
        """
        return self._run(self._constraints(table_name))  # type: ignore[no-any-return]

    async def aget_constraints(self, table_name: str) -> dict[str, Constraint]:
        return await self._arun(self._constraints(table_name))  # type: ignore[no-any-return]

    def get_sequences(
        self, cursor: Any, table_name: str, table_fields: Any = ()
    ) -> list[dict[str, Any]]:
        """The columns that the database numbers: `table` and `column`."""
        return self._run(self._sequences(table_name))  # type: ignore[no-any-return]

    async def aget_sequences(self, table_name: str, table_fields: Any = ()) -> list[dict[str, Any]]:
        return await self._arun(self._sequences(table_name))  # type: ignore[no-any-return]

    def sequence_list(self) -> list[dict[str, Any]]:
        """The numbered columns of the tables of all models."""
        return [
            each
            for table in self.django_table_names(only_existing=True, include_views=False)
            for each in self.get_sequences(None, table)
        ]

    async def asequence_list(self) -> list[dict[str, Any]]:
        tables = await self.adjango_table_names(only_existing=True, include_views=False)
        return [each for table in tables for each in await self.aget_sequences(table)]

    def get_primary_key_columns(self, cursor: Any, table_name: str) -> list[str] | None:
        """The columns of the primary key; None where there is none."""
        return _key(self.get_constraints(cursor, table_name))

    async def aget_primary_key_columns(self, table_name: str) -> list[str] | None:
        return _key(await self.aget_constraints(table_name))

    def get_primary_key_column(self, cursor: Any, table_name: str) -> str | None:
        """The first column of the primary key; None where there is none."""
        key = self.get_primary_key_columns(cursor, table_name)
        return key[0] if key else None

    async def aget_primary_key_column(self, table_name: str) -> str | None:
        key = await self.aget_primary_key_columns(table_name)
        return key[0] if key else None

    def get_field_type(self, data_type: Any, description: ColumnInfo) -> str:
        """The name of the class of fields that a column is for.

        Raises:
            KeyError: there is none for a type.
        """
        return self._catalog.field_type(description)

    def identifier_converter(self, name: str) -> str:
        """The name as the database keeps it: as it is."""
        return name

    # --- operations -------------------------------------------------------------------

    def _columns(self, table: str) -> Operation[list[ColumnInfo]]:
        found: list[ColumnInfo] = yield from self._catalog.columns(table, self._database.dialect)
        if not found:
            there = [each.name for each in (yield from self._catalog.tables())]
            if table not in there:
                raise ProgrammingError(f"there is no table {table!r}; there are {listed(there)}")
        return found

    def _relations(self, table: str) -> Operation[dict[str, Relation]]:
        return self._catalog.relations(table, self._database.dialect)

    def _constraints(self, table: str) -> Operation[dict[str, Constraint]]:
        return self._catalog.constraints(table, self._database.dialect)

    def _sequences(self, table: str) -> Operation[list[dict[str, Any]]]:
        return self._catalog.sequences(table, self._database.dialect)


def _names(tables: Iterable[TableInfo], include_views: bool) -> list[str]:
    return sorted(table.name for table in tables if include_views or table.type != "v")


def _tables_of_models() -> list[str]:
    models = apps.get_models(include_auto_created=True)
    wanted = (m for m in models if m._meta.managed and not m._meta.proxy and not m._meta.swapped)
    return list(dict.fromkeys(model._meta.db_table for model in wanted))


def _only(wanted: Iterable[str], existing: Iterable[str]) -> list[str]:
    there = set(existing)
    return [name for name in wanted if name in there]


def _key(constraints: dict[str, Constraint]) -> list[str] | None:
    return next((each["columns"] for each in constraints.values() if each["primary_key"]), None)
