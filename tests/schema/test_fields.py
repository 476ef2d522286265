"""Columns that a schema editor adds, drops and changes: as if the table had been made so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import Ask, needs

import aorm
from aorm import isolate_apps, models
from aorm.errors import DataError, QueryError, QueryValueError
from schema.conftest import Editing

Told = Callable[..., Any]

with isolate_apps():

    class Room(models.Model):
        name = models.CharField(max_length=20, unique=True)

        class Meta:
            app_label = "schema"

    class Lamp(models.Model):
        label = models.CharField(max_length=20)
        watts = models.IntegerField(null=True)
        room = models.ForeignKey(Room, on_delete=models.CASCADE)

        class Meta:
            app_label = "schema"
            indexes = (models.Index(fields=["watts", "label"], name="lamps_by_watts"),)


ADDED = [
    models.IntegerField(null=True),
    models.IntegerField(default=7),
    models.IntegerField(db_default=7),
    models.CharField(max_length=10, null=True, unique=True),
    models.CharField(max_length=10, default="it's", db_index=True),
    models.TextField(blank=True),
    models.PositiveIntegerField(default=1),
    models.DateTimeField(auto_now_add=True),
    models.JSONField(default=dict),
    models.ForeignKey(Room, null=True, on_delete=models.SET_NULL, related_name="+"),
    models.GeneratedField(
        expression=models.F("watts") * 2, output_field=models.IntegerField(), db_persist=True
    ),
]
WATTS = {
    "type": models.BigIntegerField(null=True),
    "text": models.CharField(max_length=30, null=True),
    "not null": models.IntegerField(default=5),
    "not null with a default of the database": models.IntegerField(db_default=5),
    "unique": models.IntegerField(null=True, unique=True),
    "index": models.IntegerField(null=True, db_index=True),
    "check": models.PositiveIntegerField(null=True),
    "column": models.IntegerField(null=True, db_column="power"),
    "column and more": models.BigIntegerField(default=5, db_column="power", unique=True),
}


def _named(field: Any, name: str) -> Any:
    made = field.clone()
    made.set_attributes_from_name(name)
    return made


def _model_with(name: str, field: Any) -> Any:
    """The lamps with this field in place of the one of its name, as a model."""
    with isolate_apps():
        fields = {each.name: each.clone() for each in Lamp._meta.local_fields}
        fields["room"] = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="+")
        fields[name] = field.clone()
        if isinstance(field, models.ForeignKey):
            fields[name].remote_field.model = Room
        meta = type("Meta", (), {"app_label": "schema", "db_table": "schema_lamp"})
        meta.indexes = Lamp._meta.indexes  # type: ignore[attr-defined]
        return type("Lamp", (models.Model,), {"__module__": __name__, "Meta": meta, **fields})


@pytest.fixture(autouse=True)
def lamps(database: Any) -> Iterator[None]:
    aorm.create_tables(Room, Lamp)
    yield
    aorm.drop_tables(Room, Lamp)


async def _two_lamps(ask: Ask) -> None:
    room = await ask(Room.objects.create, name="hall")
    await ask(Lamp.objects.create, label="a", watts=40, room=room)
    await ask(Lamp.objects.create, label="b", watts=None, room=room)


async def _looks(told: Told) -> Any:
    columns = {
        column.name: (column.type_code, column.internal_size, column.null_ok, column.default)
        for column in await told("get_table_description", "schema_lamp")
    }
    details = [
        (each["columns"], each["unique"], each["primary_key"], each["check"], each["foreign_key"])
        for each in (await told("get_constraints", "schema_lamp")).values()
    ]
    return columns, sorted(details, key=repr)


async def _looks_fresh(ask: Ask, told: Told, model: Any) -> Any:
    """What the table would be like, had it been made for this model."""
    await ask(aorm.drop_tables, model)
    await ask(aorm.create_tables, model)
    return await _looks(told)


@pytest.mark.parametrize("field", ADDED, ids=lambda field: type(field).__name__)
async def test_a_field_comes_and_goes(ask: Ask, editing: Editing, told: Told, field: Any) -> None:
    await _two_lamps(ask)
    before = await _looks(told)
    async with editing() as editor:
        await ask(editor.add_field, Lamp, _named(field, "extra"))
    after, wider = await _looks(told), _model_with("extra", field)
    values = await ask(list, wider.objects.order_by("pk").values_list("label", "watts"))
    async with editing() as editor:
        await ask(editor.remove_field, wider, wider._meta.get_field("extra"))
    without = await _looks(told)
    rows = await ask(list, Lamp.objects.order_by("pk").values_list("label", "watts"))
    assert after == await _looks_fresh(ask, told, wider)
    assert without == before
    assert values == rows == [("a", 40), ("b", None)]


async def test_rows_get_the_default_of_a_new_field(ask: Ask, editing: Editing) -> None:
    await _two_lamps(ask)
    for number, (field, expected) in enumerate(
        [
            (models.CharField(max_length=9, default="it's"), "it's"),
            (models.IntegerField(db_default=7), 7),
            (models.JSONField(default=lambda: {"a": [1]}), {"a": [1]}),
            (models.TextField(blank=True), ""),
        ]
    ):
        name = f"extra_{number}"
        async with editing() as editor:
            await ask(editor.add_field, Lamp, _named(field, name))
        wider = _model_with(name, field)
        values = await ask(list, wider.objects.values_list(name, flat=True))
        assert values == [expected, expected]
        async with editing() as editor:
            await ask(editor.remove_field, wider, wider._meta.get_field(name))


@pytest.mark.parametrize("change", WATTS)
async def test_a_field_becomes_another_and_back(
    ask: Ask, editing: Editing, told: Told, change: str
) -> None:
    await _two_lamps(ask)
    before = await _looks(told)
    new, changed = _named(WATTS[change], "watts"), _model_with("watts", WATTS[change])
    old = Lamp._meta.get_field("watts")
    async with editing() as editor:
        await ask(editor.alter_field, Lamp, old, new)
    after = await _looks(told)
    values = await ask(list, changed.objects.order_by("pk").values_list("watts", flat=True))
    async with editing() as editor:
        await ask(editor.alter_field, changed, changed._meta.get_field("watts"), old)
    back = await _looks(told)
    rows = await ask(list, Lamp.objects.order_by("pk").values_list("watts", flat=True))
    filled = None if new.null else 5
    assert back == before
    assert rows == [40, filled]
    assert [value if value is None else int(value) for value in values] == [40, filled]
    assert after == await _looks_fresh(ask, told, changed)


async def test_a_field_with_another_name_keeps_its_index(
    ask: Ask, editing: Editing, told: Told
) -> None:
    await _two_lamps(ask)
    async with editing() as editor:
        old = Lamp._meta.get_field("watts")
        await ask(editor.alter_field, Lamp, old, _named(models.BigIntegerField(null=True), "power"))
    found = await told("get_constraints", "schema_lamp")
    assert found["lamps_by_watts"]["columns"] == ["power", "label"]


async def test_a_key_that_others_refer_to_changes_its_type(
    ask: Ask, editing: Editing, told: Told
) -> None:
    await _two_lamps(ask)
    key = Room._meta.get_field("id")
    async with editing() as editor:
        await ask(editor.alter_field, Room, key, _named(models.AutoField(primary_key=True), "id"))
    assert (await told("get_relations", "schema_lamp"))["room_id"][:2] == ("id", "schema_room")
    assert (await ask(Lamp.objects.select_related("room").get, label="a")).room.name == "hall"
    later = await ask(Room.objects.create, name="attic")
    assert later.pk == 2


async def test_a_foreign_key_without_a_constraint_gets_one(
    ask: Ask, editing: Editing, told: Told
) -> None:
    await _two_lamps(ask)
    free = models.ForeignKey(Room, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    changed = _model_with("room", free)
    bound = Lamp._meta.get_field("room")
    async with editing() as editor:
        await ask(editor.alter_field, Lamp, bound, changed._meta.get_field("room"))
    without = await told("get_relations", "schema_lamp")
    async with editing() as editor:
        await ask(editor.alter_field, changed, changed._meta.get_field("room"), bound)
    assert without == {}
    assert set(await told("get_relations", "schema_lamp")) == {"room_id"}


async def test_a_many_to_many_table_comes_and_goes(ask: Ask, editing: Editing, told: Told) -> None:
    with isolate_apps():

        class Lamp(models.Model):
            rooms = models.ManyToManyField(Room, related_name="+")

            class Meta:
                app_label = "schema"

    field = Lamp._meta.get_field("rooms")
    async with editing() as editor:
        await ask(editor.add_field, Lamp, field)
    names = await told("table_names")
    async with editing() as editor:
        await ask(editor.remove_field, Lamp, field)
    assert "schema_lamp_rooms" in names
    assert "schema_lamp_rooms" not in await told("table_names")


async def test_a_column_cannot_become_a_table(ask: Ask, editing: Editing) -> None:
    watts = Lamp._meta.get_field("watts")

    async def change() -> None:
        async with editing() as editor:
            await ask(editor.alter_field, Lamp, watts, models.ManyToManyField(Room))

    with pytest.raises(QueryValueError, match=r"Lamp\.watts cannot become"):
        await change()


@needs("inline_foreign_keys_only")
async def test_columns_that_the_model_does_not_know_are_not_lost(
    ask: Ask, editing: Editing
) -> None:
    async def change() -> None:
        async with editing() as editor:
            await ask(editor.add_field, Lamp, _named(models.IntegerField(default=1), "extra"))
            watts = Lamp._meta.get_field("watts")
            await ask(editor.alter_field, Lamp, watts, _named(models.TextField(null=True), "watts"))

    with pytest.raises(QueryError, match="extra, which would be lost"):
        await change()


async def test_a_field_that_the_model_has_already_takes_the_place_of_the_old_one(
    ask: Ask, editing: Editing, told: Told
) -> None:
    with isolate_apps():

        class Lantern(models.Model):
            label = models.CharField(max_length=10)

            class Meta:
                app_label = "schema"

    old = Lantern._meta.get_field("label")
    async with editing() as editor:
        await ask(editor.create_model, Lantern)
    for name in ("label", "text"):
        new = models.CharField(max_length=20, default="x")
        new.contribute_to_class(Lantern, name)
        async with editing() as editor:
            await ask(editor.alter_field, Lantern, old, new)
        old = new
    names = [column.name for column in await told("get_table_description", "schema_lantern")]
    async with editing() as editor:
        await ask(editor.delete_model, Lantern)
    assert sorted(names) == ["id", "text"]


async def test_a_new_key_takes_the_place_of_the_old_one(
    ask: Ask, editing: Editing, told: Told
) -> None:
    with isolate_apps():

        class Wick(models.Model):
            name = models.CharField(max_length=10, primary_key=True)

            class Meta:
                app_label = "schema"

    name = Wick._meta.get_field("name")
    async with editing() as editor:
        await ask(editor.create_model, Wick)
    async with editing() as editor:
        await ask(editor.alter_field, Wick, name, _named(models.CharField(max_length=10), "name"))
    async with editing() as editor:
        await ask(editor.add_field, Wick, _named(models.AutoField(primary_key=True), "id"))
    key = await told("get_primary_key_columns", "schema_wick")
    async with editing() as editor:
        await ask(editor.delete_model, Wick)
    assert key == ["id"]


@needs("comments")
async def test_what_is_too_long_for_a_column_is_not_cut_off(ask: Ask, editing: Editing) -> None:
    short = _named(models.CharField(max_length=2), "name")
    await ask(Room.objects.create, name="cellar")

    async def change() -> None:
        async with editing() as editor:
            await ask(editor.alter_field, Room, Room._meta.get_field("name"), short)

    with pytest.raises(DataError):
        await change()
    assert (await ask(Room.objects.get)).name == "cellar"


async def test_indexes_go_with_the_wish_for_them(ask: Ask, editing: Editing, told: Told) -> None:
    with isolate_apps():

        class Globe(models.Model):
            name = models.CharField(max_length=10, db_index=True)

            class Meta:
                app_label = "schema"

    plain = _named(models.CharField(max_length=10), "name")
    async with editing() as editor:
        await ask(editor.create_model, Globe)
    async with editing() as editor:
        await ask(editor.alter_field, Globe, Globe._meta.get_field("name"), plain)
    found = await told("get_constraints", "schema_globe")
    async with editing() as editor:
        await ask(editor.delete_model, Globe)
    assert [each for each in found.values() if each["columns"] == ["name"]] == []


async def test_a_foreign_key_with_something_to_check_changes(ask: Ask, editing: Editing) -> None:
    with isolate_apps():

        class Knot(models.Model):
            up = models.ForeignKey("self", null=True, on_delete=models.CASCADE)

            class Meta:
                app_label = "schema"

    needed = models.ForeignKey(Knot, on_delete=models.CASCADE)
    async with editing() as editor:
        await ask(editor.create_model, Knot)
    knot = await ask(Knot.objects.create)
    async with editing() as editor:
        await ask(Knot.objects.update, up=knot)
        await ask(editor.alter_field, Knot, Knot._meta.get_field("up"), _named(needed, "up"))
    kept = await ask(Knot.objects.get)
    async with editing() as editor:
        await ask(editor.delete_model, Knot)
    assert kept.up_id == kept.pk


async def test_a_plain_column_goes_without_a_new_table(ask: Ask, editing: Editing) -> None:
    with isolate_apps():

        class Flame(models.Model):
            colour = models.CharField(max_length=10)

            class Meta:
                app_label = "schema"

    async with editing() as editor:
        await ask(editor.create_model, Flame)
    with ask.queries() as queries:
        async with editing() as editor:
            await ask(editor.remove_field, Flame, Flame._meta.get_field("colour"))
    async with editing() as editor:
        await ask(editor.delete_model, Flame)
    assert not [query for query in queries if "CREATE TABLE" in query.sql]


async def test_what_the_database_does_not_see_takes_no_statement(
    ask: Ask, editing: Editing
) -> None:
    await _two_lamps(ask)
    protecting = models.ForeignKey(Room, on_delete=models.PROTECT, verbose_name="the room")
    async with editing() as editor:
        old = Lamp._meta.get_field("room")
        with ask.queries() as seen:
            await ask(editor.alter_field, Lamp, old, _named(protecting, "room"))
    assert [each.sql for each in seen] == []


@needs("deferrable_constraints")  # PostgreSQL, which has sequences
async def test_the_sequence_of_a_serial_column_changes_its_type_with_it(
    ask: Ask, editing: Editing, database: Any
) -> None:
    with isolate_apps():

        class Ticket(models.Model):
            id = models.SmallAutoField(primary_key=True)

            class Meta:
                app_label = "schema"

    wide = _named(models.BigAutoField(primary_key=True), "id")
    async with editing() as editor:
        await ask(editor.execute, "CREATE TABLE schema_ticket (id smallserial PRIMARY KEY)")
    async with editing() as editor:
        await ask(editor.alter_field, Ticket, Ticket._meta.get_field("id"), wide)
        await ask(editor.execute, "SELECT setval('schema_ticket_id_seq', 40000)")
    made = await ask(Ticket.objects.create)
    async with editing() as editor:
        await ask(editor.delete_model, Ticket)
    assert made.pk == 40001
