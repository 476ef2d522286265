"""The key that the database makes for a new row, whatever else happens at its insertion."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from shop.models import Author, Tag
from support import committed

from aorm import models
from aorm.testing import assert_num_queries

pytestmark = committed

TRIGGERS = {
    "sqlite": {
        "another": (
            "CREATE TRIGGER another AFTER INSERT ON shop_tag BEGIN"
            " INSERT INTO shop_author (id, name, email) VALUES (900 + NEW.id, NEW.name, ''); END",
        ),
        "refused": (
            "CREATE TRIGGER refused BEFORE INSERT ON shop_tag WHEN NEW.name = 'no' BEGIN"
            " SELECT RAISE(IGNORE); END",
        ),
    },
    "postgresql": {
        "another": (
            "CREATE FUNCTION another() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO shop_author (id, name, email) VALUES (900 + NEW.id, NEW.name, '');"
            " RETURN NEW; END $$",
            "CREATE TRIGGER another AFTER INSERT ON shop_tag"
            " FOR EACH ROW EXECUTE FUNCTION another()",
        ),
        "refused": (
            "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.name = 'no' THEN RETURN NULL; END IF; RETURN NEW; END $$",
            "CREATE TRIGGER refused BEFORE INSERT ON shop_tag"
            " FOR EACH ROW EXECUTE FUNCTION refused()",
        ),
    },
}


@asynccontextmanager
async def trigger(ask, database, name):
    """A trigger, for as long as the block lasts."""
    for statement in TRIGGERS[database.vendor][name]:
        await ask(database.execute, statement)
    try:
        yield
    finally:
        drop = "DROP TRIGGER {}" if database.vendor == "sqlite" else "DROP FUNCTION {}() CASCADE"
        await ask(database.execute, drop.format(name))


async def test_each_row_has_the_key_that_it_says(ask):
    with assert_num_queries(3):
        made = [await ask(Tag.objects.create, name=f"tag-{number}") for number in range(3)]
    stored = await ask(list, Tag.objects.order_by("pk").values_list("pk", "name"))
    assert stored == [(tag.pk, tag.name) for tag in made]


async def test_rows_that_a_trigger_inserts_elsewhere_change_nothing(ask, database):
    async with trigger(ask, database, "another"), ask.atomic():
        made = [await ask(Tag.objects.create, name=f"tag-{number}") for number in range(3)]
    names = await ask(list, Author.objects.order_by("pk").values_list("pk", "name"))
    assert names == [(900 + tag.pk, tag.name) for tag in made]


async def test_a_row_that_a_trigger_refuses_has_no_key(ask, database):
    async with trigger(ask, database, "refused"):
        kept = await ask(Tag.objects.create, name="yes")
        refused = await ask(Tag.objects.create, name="no")
    assert kept.pk is not None
    assert refused.pk is None
    assert await ask(list, Tag.objects.values_list("name", flat=True)) == ["yes"]


class Shown(models.Model):
    """A view that can be written to."""

    name = models.CharField(max_length=50)

    class Meta:
        app_label = "made_keys"
        managed = False


async def test_a_view_is_not_asked_for_the_number_of_a_row(ask, database):
    if database.vendor != "sqlite":
        pytest.skip("a view over one table is a table there")
    await ask(Tag.objects.create, name="first")
    await ask(database.execute, "CREATE VIEW made_keys_shown AS SELECT id, name FROM shop_tag")
    await ask(
        database.execute,
        "CREATE TRIGGER shown INSTEAD OF INSERT ON made_keys_shown BEGIN"
        " INSERT INTO shop_tag (name) VALUES (NEW.name); END",
    )
    shown = await ask(Shown.objects.create, name="second")
    assert shown.pk is None
    assert await ask(Shown.objects.count) == 2
