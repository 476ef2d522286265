"""Each face honours an override of the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import aorm
from models.saved import (
    AsyncKept,
    AsyncSaved,
    BothSaved,
    EachSaved,
    Log,
    NamedKept,
    Shelf,
    SyncKept,
    SyncSaved,
)

pytestmark = pytest.mark.usefixtures("tables")


@pytest.fixture(autouse=True)
def log() -> Iterator[list[str]]:
    Log.entries.clear()
    yield Log.entries
    Log.entries.clear()


async def test_a_synchronous_override_runs_on_both_faces(ask: Any, log: list[str]) -> None:
    await ask(SyncSaved(name="x").save)
    assert log == ["save", "saved"]
    assert await ask(SyncSaved.objects.count) == 1


async def test_an_asynchronous_override_runs_on_both_faces(ask: Any, log: list[str]) -> None:
    await ask(AsyncSaved(name="x").save)
    assert log == ["asave", "asaved"]
    assert await ask(AsyncSaved.objects.count) == 1


async def test_overrides_above_each_other_all_run_once(ask: Any, log: list[str]) -> None:
    await ask(BothSaved(name="x").save)
    assert log == ["outer", "asave", "asaved"]


async def test_create_runs_the_override(ask: Any, log: list[str]) -> None:
    await ask(SyncSaved.objects.create, name="x")
    await ask(AsyncSaved.objects.create, name="x")
    assert log == ["save", "saved", "asave", "asaved"]


async def test_create_runs_the_override_of_its_own_face(ask: Any, log: list[str]) -> None:
    await ask(EachSaved.objects.create, name="x")
    assert log == ["save" if ask.face == "sync" else "asave"]


async def test_deletion_is_overridden_on_both_faces(ask: Any, log: list[str]) -> None:
    one, other = SyncSaved(name="x"), AsyncSaved(name="x")
    await ask(one.save)
    await ask(other.save)
    log.clear()
    await ask(one.delete)
    await ask(other.delete)
    assert log == ["delete", "adelete"]


async def test_the_override_is_part_of_the_transaction(ask: Any) -> None:
    with pytest.raises(RuntimeError, match="undo"):
        async with ask.atomic():
            await ask(SyncSaved(name="x").save)
            await ask(AsyncSaved(name="x").save)
            raise RuntimeError("undo")
    assert await ask(SyncSaved.objects.count) == 0
    assert await ask(AsyncSaved.objects.count) == 0


async def test_a_synchronous_override_runs_beside_the_loop(database: Any, registry: Any) -> None:
    threads = []

    class Probe(SyncSaved):
        class Meta:
            proxy = True
            app_label = "saved"

        def save(self, **options: Any) -> None:
            threads.append(threading.current_thread())
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            super().save(**options)

    await Probe(name="x").asave()
    assert threads != [threading.current_thread()]
    await aorm.aclose()


async def test_overriding_one_face_gives_the_class_both(registry: Any) -> None:
    assert "asave" in vars(SyncSaved)
    assert "save" in vars(AsyncSaved)
    assert asyncio.iscoroutinefunction(SyncSaved.asave)
    assert not asyncio.iscoroutinefunction(AsyncSaved.save)


# --- of QuerySets and managers -------------------------------------------------------------

KEPT = pytest.mark.parametrize("model", [SyncKept, AsyncKept])


@KEPT
async def test_an_override_of_a_queryset_runs_on_both_faces(
    ask: Any, log: list[str], model: Any
) -> None:
    await ask(model.objects.create, name="x")
    await ask(model.objects.filter(name="x").update, name="y")
    await ask(model.objects.get, name="y")
    assert (await ask(model.objects.all().delete))[0] == 1
    assert log == ["create", "update", "get", "delete"]


@KEPT
async def test_getting_or_creating_runs_the_overrides_of_both(
    ask: Any, log: list[str], model: Any
) -> None:
    assert (await ask(model.objects.get_or_create, name="x"))[1]
    assert (await ask(model.objects.update_or_create, name="y"))[1]
    assert not (await ask(model.objects.get_or_create, name="x"))[1]
    assert log == ["get", "create", "get", "create", "get"]


@KEPT
async def test_related_managers_run_the_overrides_of_their_querysets(
    ask: Any, log: list[str], model: Any
) -> None:
    shelf = await ask(Shelf.objects.create, name="a")
    one = getattr(shelf, "sync_kept" if model is SyncKept else "async_kept")
    many = getattr(shelf, "all_sync_kept" if model is SyncKept else "all_async_kept")
    await ask(one.create, name="x")
    await ask(many.create, name="y")
    await ask(one.clear)
    assert log == ["create", "create", "update"]
    assert await ask(one.count) == 0
    assert await ask(many.count) == 1


async def test_an_override_of_a_manager_runs_on_both_faces(ask: Any) -> None:
    shelf = await ask(Shelf.objects.create, name="a")
    await ask(NamedKept.objects.create, name="x", loud=True)
    await ask(shelf.named_kept.create, name="y", loud=True)
    found = await ask(list, NamedKept.objects.order_by("name").values_list("name", flat=True))
    assert found == ["X", "Y"]


async def test_an_override_that_fails_undoes_what_was_begun(ask: Any, registry: Any) -> None:
    class Refusing(SyncKept._default_manager._queryset_class):  # type: ignore[misc, name-defined]
        def create(self, **kwargs: Any) -> Any:
            super().create(**kwargs)
            raise RuntimeError("refused")

    with pytest.raises(RuntimeError, match="refused"):
        await ask(Refusing(SyncKept).get_or_create, name="x")
    assert await ask(SyncKept.objects.count) == 0
