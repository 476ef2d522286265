"""What `save` does in the database, on both faces."""

from __future__ import annotations

from typing import Any

import pytest
from support import committed

from aorm import errors, models
from aorm.models import signals
from models.saved import Careful, Page, Pizzeria, Place, Restaurant, Token, Writer

pytestmark = pytest.mark.usefixtures("tables")


def verbs(queries: Any) -> list[str]:
    return [query.sql.split()[0] for query in queries]


async def test_one_statement_inserts_and_one_updates(ask: Any) -> None:
    writer = Writer(name="Ada")
    with ask.queries() as queries:
        await ask(writer.save)
        assert writer.pk is not None
        assert (writer._state.adding, writer._state.db) == (False, "default")
        await ask(writer.save)
    assert verbs(queries) == ["INSERT", "UPDATE"]


async def test_a_key_of_ones_own_is_tried_as_an_update_first(ask: Any) -> None:
    with ask.queries() as queries:
        await ask(Writer(pk=5, name="Ada").save)
        await ask(Writer(pk=5, name="Eve").save)
    assert verbs(queries) == ["UPDATE", "INSERT", "UPDATE"]
    assert (await ask(Writer.objects.get)).name == "Eve"


async def test_a_key_by_default_is_inserted_at_once(ask: Any) -> None:
    token = Token()
    with ask.queries() as queries:
        await ask(token.save)
        await ask(Token(key=token.key, name="x").save, force_update=True)
    assert verbs(queries) == ["INSERT", "UPDATE"]
    assert (await ask(Token.objects.get)).name == "x"


async def test_forced_inserts_and_updates(ask: Any) -> None:
    writer = Writer(name="Ada")
    await ask(writer.save)
    with pytest.raises(errors.IntegrityError):
        await ask(Writer(pk=writer.pk).save, force_insert=True)
    with pytest.raises(Writer.NotUpdated, match="Forced update did not affect any rows"):
        await ask(Writer(pk=99).save, force_update=True)
    with pytest.raises(errors.DatabaseError, match="Save with update_fields did not affect any"):
        await ask(Writer(pk=99).save, update_fields=["name"])
    with pytest.raises(ValueError, match="Cannot force both insert and updating"):
        await ask(writer.save, force_insert=True, force_update=True)
    with pytest.raises(ValueError, match="Cannot force an update in save"):
        await ask(Writer(name="x").save, force_update=True)


async def test_named_fields_alone_are_updated(ask: Any) -> None:
    writer = Writer(name="Ada", born=1815)
    await ask(writer.save)
    writer.name, writer.born = "Eve", 1
    await ask(writer.save, update_fields=["name"])
    await ask(writer.refresh_from_db)
    assert (writer.name, writer.born) == ("Eve", 1815)
    with ask.queries() as queries:
        await ask(writer.save, update_fields=[])
    assert verbs(queries) == []
    with pytest.raises(ValueError, match=r"non-concrete fields: id, nmae; Writer has born, name"):
        await ask(writer.save, update_fields=["nmae", "id"])


async def test_deferred_fields_are_not_saved(ask: Any) -> None:
    await ask(Writer(name="Ada", born=1815).save)
    writer = await ask(Writer.objects.only("name").get)
    writer.name = "Eve"
    with ask.queries() as queries:
        await ask(writer.save)
    assert verbs(queries) == ["UPDATE"]
    assert "born" not in queries[0].sql


async def test_a_deferred_field_that_is_named_is_loaded_first(ask: Any) -> None:
    await ask(Writer(name="Ada", born=1815).save)
    writer = await ask(Writer.objects.only("name").get)
    with ask.queries() as queries:
        await ask(writer.save, update_fields=["born"])
    assert verbs(queries) == ["SELECT", "UPDATE"]
    assert (await ask(Writer.objects.get)).born == 1815


async def test_what_the_database_makes_comes_back(ask: Any) -> None:
    page = Page(number=4)
    await ask(page.save)
    assert (page.words, page.doubled) == (7, 8)
    page.number = models.F("number") + 1
    await ask(page.save)
    assert (page.number, page.doubled) == (5, 10)


async def test_a_related_object_has_to_be_saved_first(ask: Any) -> None:
    writer = Writer(name="Ada")
    page = Page(writer=writer)
    with pytest.raises(ValueError, match="unsaved related object 'writer'"):
        await ask(page.save)
    await ask(writer.save)
    await ask(page.save)
    assert page.writer_id == writer.pk  # type: ignore[attr-defined]


async def test_select_on_save_looks_first(ask: Any) -> None:
    careful = Careful(name="x")
    await ask(careful.save)
    with ask.queries() as queries:
        await ask(careful.save)
        await ask(careful.save, force_update=True)
    assert verbs(queries) == ["SELECT", "UPDATE", "UPDATE"]


@committed
async def test_rows_of_all_generations_are_written_in_one_transaction(ask: Any) -> None:
    pizzeria = Pizzeria(name="Da Michele", stars=1, ovens=2)
    with ask.queries() as queries:
        await ask(pizzeria.save)
    assert verbs(queries) == ["BEGIN", "INSERT", "INSERT", "INSERT", "COMMIT"]
    assert pizzeria.pk == pizzeria.id == pizzeria.place_ptr_id  # type: ignore[attr-defined]
    with ask.queries() as queries:
        await ask(pizzeria.save)
    assert verbs(queries) == ["BEGIN", "UPDATE", "UPDATE", "UPDATE", "COMMIT"]
    found = await ask(Pizzeria.objects.get)
    assert (found.name, found.stars, found.ovens) == ("Da Michele", 1, 2)


async def test_a_child_may_be_added_to_a_parents_row(ask: Any) -> None:
    place = Place(name="Corner")
    await ask(place.save)
    await ask(Restaurant(place_ptr=place, name="Corner", stars=3).save)
    assert (await ask(Restaurant.objects.get)).pk == place.pk
    assert await ask(Place.objects.count) == 1


@committed
async def test_forced_inserts_of_some_generations(ask: Any) -> None:
    place = Place(name="Corner")
    await ask(place.save)
    child = Restaurant(place_ptr=place, name="Corner")
    with ask.queries() as queries:
        await ask(child.save, force_insert=(Restaurant,))
    assert verbs(queries) == ["BEGIN", "UPDATE", "INSERT", "COMMIT"]
    for wrong in ([Restaurant], (1,), (Writer,)):
        with pytest.raises(TypeError, match="force_insert"):
            await ask(child.save, force_insert=wrong)


async def test_a_failed_row_leaves_nothing_of_the_other_generations(ask: Any) -> None:
    first = Restaurant(name="x")
    await ask(first.save)
    with pytest.raises(errors.IntegrityError):
        await ask(Restaurant(place_ptr_id=first.pk, name="y").save, force_insert=True)
    assert await ask(Place.objects.count) == 1


async def test_signals_are_sent_around_saving(ask: Any) -> None:
    seen: list[Any] = []

    def before(instance: Any, **more: Any) -> None:
        seen.append(("pre", instance.pk, more["raw"], more["using"], more["update_fields"]))

    async def after(instance: Any, created: bool, **more: Any) -> None:
        seen.append(("post", created))

    signals.pre_save.connect(before, sender=Writer)
    signals.post_save.connect(after, sender=Writer)
    try:
        writer = Writer(name="Ada")
        await ask(writer.save)
        await ask(writer.save, update_fields=["name"])
    finally:
        signals.pre_save.disconnect(before, sender=Writer)
        signals.post_save.disconnect(after, sender=Writer)
    assert seen == [
        ("pre", None, False, "default", None),
        ("post", True),
        ("pre", writer.pk, False, "default", frozenset({"name"})),
        ("post", False),
    ]


async def test_a_failed_forced_update_marks_the_transaction(ask: Any) -> None:
    with pytest.raises(errors.TransactionManagementError):
        async with ask.atomic():
            with pytest.raises(Writer.NotUpdated):
                await ask(Writer(pk=99).save, force_update=True)
            await ask(Writer.objects.count)


# --- loading again --------------------------------------------------------------------


async def test_refreshing_takes_the_columns_and_forgets_the_relations(ask: Any) -> None:
    ada, eve = Writer(name="Ada"), Writer(name="Eve")
    await ask(ada.save)
    await ask(eve.save)
    page = Page(writer=ada)
    await ask(page.save)
    await ask(Page.objects.filter(pk=page.pk).update, writer=eve, number=9)
    await ask(page.refresh_from_db, fields=["number"])
    assert (page.number, page.writer_id) == (9, ada.pk)  # type: ignore[attr-defined]
    await ask(page.refresh_from_db)
    assert page.writer_id == eve.pk  # type: ignore[attr-defined]
    assert "_writer_cache" not in vars(page)


async def test_refreshing_a_deleted_object_fails(ask: Any) -> None:
    writer = Writer(name="Ada")
    await ask(writer.save)
    await ask(Writer.objects.filter(pk=writer.pk).delete)
    with pytest.raises(Writer.DoesNotExist):
        await ask(writer.refresh_from_db)
    with pytest.raises(ValueError, match='Found "__" in fields argument'):
        await ask(writer.refresh_from_db, fields=["a__b"])


async def test_a_deferred_value_is_loaded_when_it_is_touched(ask: Any) -> None:
    await ask(Writer(name="Ada", born=1815).save)
    writer = await ask(Writer.objects.defer("born").get)
    if ask.face == "async":
        with pytest.raises(errors.SynchronousOnlyOperation, match="arefresh_from_db"):
            _ = writer.born
        await writer.arefresh_from_db(fields=["born"])
        assert writer.born == 1815
    else:
        assert await ask.in_thread(getattr, writer, "born") == 1815


async def test_neighbours_by_a_date(ask: Any) -> None:
    from datetime import date

    from models.saved import Event

    first = Event(title="a", day=date(2024, 1, 1), start=1, end=2)
    second = Event(title="b", day=date(2024, 1, 1), start=2, end=3)
    third = Event(title="c", day=date(2024, 1, 2), start=2, end=3)
    for event in (first, second, third):
        await ask(event.save)
    assert await ask(first.get_next_by_day) == second  # type: ignore[attr-defined]
    assert await ask(second.get_next_by_day) == third  # type: ignore[attr-defined]
    assert await ask(third.get_previous_by_day) == second  # type: ignore[attr-defined]
    with pytest.raises(Event.DoesNotExist):
        await ask(third.get_next_by_day)  # type: ignore[attr-defined]
