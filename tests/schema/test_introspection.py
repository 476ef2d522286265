"""What a database says about its tables, beside what their models say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support import needs

from aorm import models
from aorm.errors import ProgrammingError
from schema.models import Box, Shelf

Told = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("shelves")
BOX, SHELF = Box._meta.db_table, Shelf._meta.db_table


async def test_tables_and_views_are_told_apart(told: Told, database: Any, ask: Any) -> None:
    await ask(database.execute, f"CREATE VIEW schema_view AS SELECT id FROM {BOX}")
    try:
        kinds = {table.name: table.type for table in await told("get_table_list")}
        names = await told("table_names")
    finally:
        await ask(database.execute, "DROP VIEW schema_view")
    assert (kinds[BOX], kinds["schema_view"]) == ("t", "v")
    assert "schema_view" not in names
    assert names == sorted(names)


async def test_columns_have_the_types_sizes_and_nulls_of_their_fields(
    told: Told, database: Any
) -> None:
    columns = await told("get_table_description", BOX)
    assert [column.name for column in columns] == [f.column for f in Box._meta.local_fields]
    by_name = {column.name: column for column in columns}
    field_type = database.introspection.get_field_type
    kinds = {name: field_type(column.type_code, column) for name, column in by_name.items()}
    key = "AutoField" if database.vendor == "sqlite" else "BigAutoField"
    assert kinds == {
        "id": key,
        "shelf_id": "BigIntegerField",
        "above_id": "BigIntegerField",
        "label": "CharField",
        "weight": "DecimalField",
        "details": "JSONField",
    }
    assert (by_name["label"].internal_size, by_name["label"].null_ok) == (20, False)
    assert by_name["above_id"].null_ok
    assert by_name["id"].pk
    assert by_name["id"].is_autofield


@needs("time_zones")
async def test_a_decimal_has_its_digits_and_places(told: Told) -> None:
    columns = {column.name: column for column in await told("get_table_description", BOX)}
    assert (columns["weight"].precision, columns["weight"].scale) == (6, 2)


async def test_relations_lead_to_columns_with_their_rules(told: Told) -> None:
    assert await told("get_relations", BOX) == {
        "shelf_id": ("id", SHELF, models.DB_CASCADE),
        "above_id": ("id", BOX, models.DO_NOTHING),
    }


async def test_constraints_and_indexes_have_their_columns(told: Told) -> None:
    found = await told("get_constraints", BOX)
    assert found["heavy"]["check"]
    assert found["heavy"]["columns"] == ["weight"]
    assert (found["by_label"]["columns"], found["by_label"]["orders"]) == (
        ["label", "weight"],
        ["ASC", "DESC"],
    )
    assert (found["by_label"]["type"], found["by_label"]["unique"]) == ("idx", False)
    keys = [each["foreign_key"] for each in found.values() if each["foreign_key"]]
    assert sorted(keys) == [(BOX, "id"), (SHELF, "id")]
    unique = [
        each["columns"] for each in found.values() if each["unique"] and not each["primary_key"]
    ]
    assert unique == [["shelf_id", "label"]]


async def test_the_primary_key_and_the_numbered_column_are_named(told: Told) -> None:
    assert await told("get_primary_key_columns", BOX) == ["id"]
    assert await told("get_primary_key_column", BOX) == "id"
    (sequence,) = await told("get_sequences", BOX)
    assert (sequence["table"], sequence["column"]) == (BOX, "id")


async def test_a_table_that_is_not_there_has_nothing(told: Told) -> None:
    assert await told("get_constraints", 'no "such" table') == {}
    assert await told("get_primary_key_column", "none") is None


async def test_a_table_that_is_not_there_cannot_be_described(told: Told) -> None:
    with pytest.raises(ProgrammingError, match="no table"):
        await told("get_table_description", 'no "such" table')


async def test_features_are_told_in_the_words_of_django(database: Any) -> None:
    features = database.features
    postgresql = database.vendor == "postgresql"
    assert features.supports_json_field is True
    assert bool(features.can_distinct_on_fields) is postgresql
    assert bool(features.has_select_for_update) is postgresql
    assert features.ignores_table_name_case is not postgresql
    with pytest.raises(AttributeError, match="no feature of databases is called 'flies'"):
        features.flies  # noqa: B018 - asking is what fails
