"""Tables, indexes and constraints that a schema editor makes and drops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support import Ask, needs

import aorm
from aorm.errors import DatabaseError, IntegrityError, NotSupportedError, QueryError
from aorm.models import F, Index
from aorm.models.functions import Collate, Random
from schema.conftest import Editing
from schema.models import ADDED_CONSTRAINTS, ADDED_INDEXES, Box, Shelf

Told = Callable[..., Any]
BOX, SHELF = Box._meta.db_table, Shelf._meta.db_table
THROUGH = Shelf._meta.get_field("colours").remote_field.through._meta.db_table


async def test_tables_are_made_with_all_that_belongs_to_them(
    ask: Ask, editing: Editing, told: Told
) -> None:
    async with editing() as editor:
        await ask(editor.create_model, Box)  # before the table that it refers to
        await ask(editor.create_model, Shelf)
    made = await told("get_constraints", BOX), await told("get_constraints", THROUGH)
    async with editing() as editor:
        await ask(editor.delete_model, Box)
        await ask(editor.delete_model, Shelf)
    names = await told("table_names")
    await ask(aorm.create_tables, Shelf, Box)
    expected = await told("get_constraints", BOX), await told("get_constraints", THROUGH)
    await ask(aorm.drop_tables, Shelf, Box)
    assert made == expected
    assert not {BOX, SHELF, THROUGH} & set(names)


async def test_what_fails_leaves_nothing_behind(ask: Ask, editing: Editing, told: Told) -> None:
    async def fail() -> None:
        async with editing() as editor:
            await ask(editor.create_model, Shelf)
            raise KeyError("on purpose")

    with pytest.raises(KeyError):
        await fail()
    assert SHELF not in await told("table_names")


async def test_statements_are_collected_and_not_run(ask: Ask, editing: Editing, told: Told) -> None:
    async with editing(collect_sql=True) as editor:
        await ask(editor.create_model, Shelf)
    assert editor.collected_sql[0].startswith(f'CREATE TABLE "{SHELF}" (')
    assert all(text.endswith(";") for text in editor.collected_sql)
    assert any(text.startswith("CREATE INDEX") for text in editor.collected_sql)
    assert SHELF not in await told("table_names")


@pytest.mark.usefixtures("shelves")
@pytest.mark.parametrize("index", ADDED_INDEXES, ids=lambda index: index.name)
async def test_an_index_comes_and_goes(ask: Ask, editing: Editing, told: Told, index: Any) -> None:
    before = await told("get_constraints", BOX)
    async with editing() as editor:
        await ask(editor.add_index, Box, index)
    found = await told("get_constraints", BOX)
    async with editing() as editor:
        await ask(editor.remove_index, Box, index)
    assert set(found) - set(before) == {index.name}
    assert found[index.name]["index"]
    assert await told("get_constraints", BOX) == before


@pytest.mark.usefixtures("shelves")
async def test_an_index_gets_another_name(ask: Ask, editing: Editing, told: Told) -> None:
    (index,) = Box._meta.indexes
    renamed = index.clone()
    renamed.name = "under_another_name"
    async with editing() as editor:
        await ask(editor.rename_index, Box, index, renamed)
    found = await told("get_constraints", BOX)
    assert "by_label" not in found
    assert found["under_another_name"]["columns"] == ["label", "weight"]


@pytest.mark.usefixtures("shelves")
@pytest.mark.parametrize("constraint", ADDED_CONSTRAINTS, ids=lambda each: each.name)
async def test_a_constraint_comes_and_goes_and_rows_stay(
    ask: Ask, editing: Editing, told: Told, constraint: Any
) -> None:
    shelf = await ask(Shelf.objects.create, name="a", width=3)
    box = await ask(Box.objects.create, shelf=shelf, label="x", weight=1)
    await ask(Box.objects.create, shelf=shelf, label="y", above=box)
    before = await told("get_constraints", BOX)
    async with editing() as editor:
        await ask(editor.add_constraint, Box, constraint)
    found = await told("get_constraints", BOX)
    async with editing() as editor:
        await ask(editor.remove_constraint, Box, constraint)
    assert set(found) >= {constraint.name, "heavy", "by_label"}
    assert set(await told("get_constraints", BOX)) == set(before)
    rows = await ask(list, Box.objects.order_by("pk").values_list("label", "above", "shelf"))
    assert rows == [("x", None, shelf.pk), ("y", box.pk, shelf.pk)]


@pytest.mark.usefixtures("shelves")
async def test_a_new_constraint_refuses_rows_that_violate_it(ask: Ask, editing: Editing) -> None:
    shelf = await ask(Shelf.objects.create, name="a", width=3)
    await ask(Box.objects.create, shelf=shelf, label="")
    labelled = ADDED_CONSTRAINTS[0]

    async def add() -> None:
        async with editing() as editor:
            await ask(editor.add_constraint, Box, labelled)

    with pytest.raises(IntegrityError):
        await add()
    assert await ask(Box.objects.count) == 1


@pytest.mark.usefixtures("shelves")
async def test_rows_that_refer_to_a_changed_table_stay(ask: Ask, editing: Editing) -> None:
    shelf = await ask(Shelf.objects.create, name="a", width=3)
    await ask(Box.objects.create, shelf=shelf, label="x")
    constraint = aorm.models.CheckConstraint(condition=aorm.models.Q(width__lt=9), name="narrow")
    async with editing() as editor:
        await ask(editor.add_constraint, Shelf, constraint)
    assert await ask(Box.objects.count) == 1
    with pytest.raises(IntegrityError):
        await ask(Shelf.objects.create, name="b", width=10)
    with pytest.raises(IntegrityError):
        await ask(Box.objects.create, shelf_id=shelf.pk + 1, label="y")


@pytest.mark.usefixtures("shelves")
@needs("inline_foreign_keys_only")
async def test_inside_of_a_transaction_sqlite_refuses_to_remake_a_table_that_others_refer_to(
    ask: Ask, editing: Editing
) -> None:
    constraint = aorm.models.CheckConstraint(condition=aorm.models.Q(width__lt=9), name="narrow")

    async def add(model: Any) -> None:
        async with ask.atomic(), editing() as editor:
            await ask(editor.add_constraint, model, constraint)

    with pytest.raises(NotSupportedError, match="refers to it"):
        await add(Shelf)


@pytest.mark.usefixtures("shelves")
@needs("inline_foreign_keys_only")
async def test_sqlite_looks_at_foreign_keys_before_the_commit(ask: Ask, editing: Editing) -> None:
    async def break_one() -> None:
        async with editing() as editor:
            await ask(
                editor.execute,
                f"INSERT INTO {BOX} (shelf_id, label, details) VALUES (%s, %s, '{{}}')",
                [77, "x"],
            )

    with pytest.raises(IntegrityError, match="schema_shelf"):
        await break_one()
    assert await ask(Box.objects.count) == 0


@pytest.mark.usefixtures("shelves")
@needs("inline_foreign_keys_only")
async def test_triggers_of_a_table_of_sqlite_outlive_its_change(
    ask: Ask, editing: Editing, database: Any
) -> None:
    await ask(
        database.execute,
        f"CREATE TRIGGER t AFTER INSERT ON {BOX} BEGIN UPDATE {BOX} SET label = 'new'; END",
    )
    async with editing() as editor:
        await ask(editor.add_constraint, Box, ADDED_CONSTRAINTS[0])
    shelf = await ask(Shelf.objects.create, name="a", width=3)
    await ask(Box.objects.create, shelf=shelf, label="x")
    assert (await ask(Box.objects.get)).label == "new"


@pytest.mark.usefixtures("shelves")
async def test_what_is_unique_together_changes(ask: Ask, editing: Editing, told: Told) -> None:
    async with editing() as editor:
        await ask(editor.alter_unique_together, Box, [("shelf", "label")], [("label", "weight")])
    found = (await told("get_constraints", BOX)).values()
    unique = [each["columns"] for each in found if each["unique"] and not each["primary_key"]]
    assert unique == [["label", "weight"]]


@pytest.mark.usefixtures("shelves")
async def test_unique_fields_that_are_not_there_cannot_go(ask: Ask, editing: Editing) -> None:
    async def change() -> None:
        async with editing() as editor:
            await ask(editor.alter_unique_together, Box, [("weight", "label")], [])

    with pytest.raises(QueryError, match="0 of the unique constraints over weight, label"):
        await change()


@pytest.mark.usefixtures("shelves")
async def test_a_table_gets_another_name(ask: Ask, editing: Editing, told: Told) -> None:
    async with editing() as editor:
        await ask(editor.alter_db_table, Box, BOX, "schema_crate")
    names = await told("table_names")
    async with editing() as editor:
        await ask(editor.alter_db_table, Box, "schema_crate", BOX)
    assert "schema_crate" in names
    assert BOX not in names


@pytest.mark.usefixtures("shelves")
async def test_an_index_writes_its_own_statement(database: Any) -> None:
    (index,) = Box._meta.indexes
    editor = database.schema_editor()
    statement = index.create_sql(Box, editor)
    assert statement == f'CREATE INDEX "by_label" ON "{BOX}" ("label", "weight" DESC)'
    assert statement.references_column(BOX, "weight")
    assert not statement.references_column(BOX, "details")
    assert index.remove_sql(Box, editor) == 'DROP INDEX IF EXISTS "by_label"'
    of_light_ones = ADDED_INDEXES[1].create_sql(Box, editor)
    assert of_light_ones.endswith("""WHERE ("weight" < 1 AND "label" = 'x')""")


async def test_what_waits_follows_a_table_to_its_new_name(
    ask: Ask, editing: Editing, told: Told
) -> None:
    async with editing() as editor:
        await ask(editor.create_model, Shelf)
        await ask(editor.create_model, Box)
        await ask(editor.alter_db_table, Shelf, "schema_shelf", "schema_rack")
    relations = await told("get_relations", "schema_box")
    found = await told("get_constraints", "schema_rack")
    async with editing() as editor:
        await ask(editor.alter_db_table, Shelf, "schema_rack", "schema_shelf")
        await ask(editor.delete_model, Box)
        await ask(editor.delete_model, Shelf)
    assert relations["shelf_id"][1] == "schema_rack"
    assert any(each["index"] and each["columns"] == ["name"] for each in found.values())


async def test_a_failed_change_that_was_caught_is_undone(
    ask: Ask, editing: Editing, told: Told, shelves: None
) -> None:
    index = Index(Random(), name="by_chance")
    async with editing() as editor:
        with pytest.raises(DatabaseError):
            await ask(editor.add_index, Shelf, index)
    assert "by_chance" not in await told("get_constraints", "schema_shelf")


async def test_the_order_of_an_index_stands_behind_a_collation(
    ask: Ask, editing: Editing, told: Told, shelves: None, database: Any
) -> None:
    collation = "nocase" if database.vendor == "sqlite" else "C"
    index = Index(Collate(F("name").desc(), collation), name="backwards")
    async with editing() as editor:
        await ask(editor.add_index, Shelf, index)
    assert (await told("get_constraints", "schema_shelf"))["backwards"]["orders"] == ["DESC"]


async def test_statements_are_logged_as_they_run(
    ask: Ask, editing: Editing, shelves: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", "aorm.backends.schema"):
        async with editing() as editor:
            await ask(editor.add_index, Shelf, Index(fields=["width"], name="by_width"))
    (record,) = caplog.records
    assert record.getMessage().startswith('CREATE INDEX "by_width"')
    assert record.sql in record.getMessage()


async def test_statements_are_logged_with_their_values_as_they_are_collected(
    ask: Ask, editing: Editing, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", "aorm.backends.schema"):
        async with editing(collect_sql=True) as editor:
            await ask(editor.execute, "DELETE FROM shelves WHERE width IN (%s, %s)", [4, 1337])
    (record,) = caplog.records
    assert list(record.params) == [4, 1337]
    assert record.getMessage() == f"{record.sql}; (params {record.params!r})"
    assert editor.collected_sql == [f"{record.sql};"]
