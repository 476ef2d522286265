"""What models send: to both kinds of receivers, from both faces, inside of the transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from shop.models import Author, Book, Tag
from support import committed

import aorm
from aorm import models
from aorm.errors import IntegrityError
from aorm.models.signals import (
    class_prepared,
    m2m_changed,
    post_delete,
    post_init,
    post_save,
    pre_delete,
    pre_init,
    pre_save,
)

AROUND = {
    "pre_save": pre_save,
    "post_save": post_save,
    "pre_delete": pre_delete,
    "post_delete": post_delete,
    "m2m_changed": m2m_changed,
}


@contextmanager
def connected(signal: Any, receiver: Any, sender: Any = None) -> Iterator[None]:
    signal.connect(receiver, sender=sender)
    try:
        yield
    finally:
        signal.disconnect(receiver, sender=sender)


def receiver_of(kind: str, hear: Any, ahear: Any) -> Any:
    """A receiver of this kind: what the first does, or its twin."""

    def plain(**named: Any) -> None:
        hear(**named)

    async def awaited(**named: Any) -> None:
        await ahear(**named)

    return plain if kind == "plain" else awaited


kinds = pytest.mark.parametrize("kind", ["plain", "awaited"])


@pytest.fixture
def heard(request: pytest.FixtureRequest) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What receivers of the wanted kind hear of all signals around changes."""
    found: list[tuple[str, dict[str, Any]]] = []
    names = {id(signal): name for name, signal in AROUND.items()}

    def hear(signal: Any, **named: Any) -> None:
        found.append((names[id(signal)], named))

    async def ahear(signal: Any, **named: Any) -> None:
        await asyncio.sleep(0)
        hear(signal, **named)

    receiver = receiver_of(request.getfixturevalue("kind"), hear, ahear)
    for signal in AROUND.values():
        signal.connect(receiver)
    yield found
    for signal in AROUND.values():
        signal.disconnect(receiver)


@kinds
async def test_saving_and_deleting_are_told(ask, heard, kind):
    author = Author(name="Ada")
    await ask(author.save)
    await ask(author.save, update_fields=["name"])
    await ask(author.delete)
    assert [name for name, _ in heard] == [
        *("pre_save", "post_save", "pre_save", "post_save", "pre_delete", "post_delete"),
    ]
    assert all(named["sender"] is Author for _, named in heard)
    assert all(named["instance"] is author for _, named in heard)
    assert all(named["using"] == "default" for _, named in heard)
    _, first, before, second, *deleted = [named for _, named in heard]
    assert (first["created"], first["raw"], first["update_fields"]) == (True, False, None)
    assert before["update_fields"] == second["update_fields"] == frozenset({"name"})
    assert second["created"] is False
    assert [named["origin"] for named in deleted] == [author, author]


@kinds
async def test_changes_of_many_to_many_relations_are_told(ask, heard, kind):
    author = await ask(Author.objects.create, name="Ada")
    book = await ask(author.books.create, title="Sagas", pages=1)
    tag = await ask(Tag.objects.create, name="old")
    heard.clear()
    await ask(book.tags.add, tag)
    await ask(tag.books.remove, book)
    await ask(book.tags.clear)
    told = [
        (named["action"], named["instance"], named["reverse"], named["model"], named["pk_set"])
        for name, named in heard
    ]
    assert {name for name, _ in heard} == {"m2m_changed"}
    assert told == [
        ("pre_add", book, False, Tag, {tag.pk}),
        ("post_add", book, False, Tag, {tag.pk}),
        ("pre_remove", tag, True, Book, {book.pk}),
        ("post_remove", tag, True, Book, {book.pk}),
        ("pre_clear", book, False, Tag, None),
        ("post_clear", book, False, Tag, None),
    ]


@kinds
async def test_a_cascade_is_told_of_each_object(ask, heard, kind):
    author = await ask(Author.objects.create, name="Ada")
    await ask(author.books.create, title="Sagas", pages=1)
    heard.clear()
    await ask(Author.objects.all().delete)
    assert [(name, named["sender"]) for name, named in heard] == [
        ("pre_delete", Book),
        ("pre_delete", Author),
        ("post_delete", Book),
        ("post_delete", Author),
    ]


@kinds
async def test_what_a_receiver_writes_is_undone_with_the_block(ask, kind):
    def hear(instance: Any, **named: Any) -> None:
        assert aorm.connections["default"].in_atomic_block
        Tag.objects.create(name=instance.name)

    async def ahear(instance: Any, **named: Any) -> None:
        assert aorm.connections["default"].in_atomic_block
        await Tag.objects.acreate(name=instance.name)

    receiver = receiver_of(kind, hear, ahear)
    with connected(post_save, receiver, Author):
        with pytest.raises(LookupError):
            async with ask.atomic():
                await ask(Author.objects.create, name="ada")
                assert await ask(Tag.objects.filter(name="ada").exists)
                raise LookupError
        assert not await ask(Tag.objects.exists)


@kinds
async def test_a_receiver_reads_what_was_just_written(ask, kind):
    found: list[str] = []

    def hear(instance: Any, **named: Any) -> None:
        found.append(Author.objects.get(pk=instance.pk).name)

    async def ahear(instance: Any, **named: Any) -> None:
        found.append((await Author.objects.aget(pk=instance.pk)).name)

    with connected(post_save, receiver_of(kind, hear, ahear), Author):
        async with ask.atomic():
            await ask(Author.objects.create, name="Ada")
    assert found == ["Ada"]


@kinds
async def test_an_error_of_a_receiver_stops_a_deletion(ask, kind):
    def hear(**named: Any) -> None:
        raise LookupError

    async def ahear(**named: Any) -> None:
        raise LookupError

    author = await ask(Author.objects.create, name="Ada")
    await ask(author.books.create, title="Sagas", pages=1)
    with (
        connected(post_delete, receiver_of(kind, hear, ahear), Book),
        pytest.raises(LookupError),
    ):
        await ask(author.delete)
    assert await ask(Author.objects.count) == await ask(Book.objects.count) == 1


@kinds
async def test_a_failed_write_of_a_receiver_marks_the_block(ask, kind):
    def hear(**named: Any) -> None:
        Tag.objects.create(name="taken")

    async def ahear(**named: Any) -> None:
        await Tag.objects.acreate(name="taken")

    await ask(Tag.objects.create, name="taken")
    receiver = receiver_of(kind, hear, ahear)
    with connected(pre_save, receiver, Author), pytest.raises(IntegrityError):
        async with ask.atomic():
            await ask(Author.objects.create, name="Ada")
    assert not await ask(Author.objects.exists)


@kinds
async def test_send_robust_keeps_the_transaction(ask, kind):
    signal = aorm.models.signals.Signal()

    def hear(**named: Any) -> None:
        Tag.objects.create(name="heard")
        raise LookupError

    async def ahear(**named: Any) -> None:
        await Tag.objects.acreate(name="heard")
        raise LookupError

    receiver = receiver_of(kind, hear, ahear)
    signal.connect(receiver)
    with pytest.raises(KeyError):
        async with ask.atomic():
            if ask.face == "async":
                ((_, error),) = await signal.asend_robust(None)
            else:
                ((_, error),) = await ask.in_thread(signal.send_robust, None)
            assert isinstance(error, LookupError)
            assert await ask(Tag.objects.count) == 1
            raise KeyError
    assert not await ask(Tag.objects.exists)


@committed
async def test_an_asynchronous_receiver_runs_on_the_loop_that_the_code_came_from(database):
    loops = []

    async def hear(**named: Any) -> None:
        loops.append(asyncio.get_running_loop())

    with connected(post_save, hear, Author):
        await aorm.sync_to_async(Author.objects.create)(name="Ada")
        await Author.objects.acreate(name="Eve")
        await asyncio.to_thread(Author.objects.create, name="Ida")
    here = asyncio.get_running_loop()
    assert [loop is here for loop in loops] == [True, True, False]


async def test_bulk_changes_are_not_told(ask):
    def hear(**named: Any) -> None:
        raise AssertionError("it was told")

    with connected(pre_save, hear), connected(post_save, hear), connected(post_delete, hear, Tag):
        await ask(Author.objects.bulk_create, [Author(name="Ada")])
        await ask(Author.objects.update, age=1)
        assert await ask(Author.objects.count) == 1


def test_making_an_object_is_told():
    told: list[tuple[str, Any]] = []

    def before(args: Any, kwargs: Any, **named: Any) -> None:
        told.append(("before", (args, kwargs)))

    def after(instance: Any, **named: Any) -> None:
        told.append(("after", instance.name))

    with connected(pre_init, before, Author), connected(post_init, after, Author):
        Author(name="Ada")
        Tag(name="old")
    assert told == [("before", ((), {"name": "Ada"})), ("after", "Ada")]


async def test_loading_an_object_is_told(ask):
    await ask(Author.objects.create, name="Ada")
    told: list[str] = []

    def after(instance: Any, **named: Any) -> None:
        told.append(instance.name)

    with connected(post_init, after, Author):
        await ask(list, Author.objects.all())
    assert told == ["Ada"]


def test_making_a_model_is_told():
    told: list[Any] = []

    def hear(sender: Any, **named: Any) -> None:
        told.append((sender.__name__, [field.name for field in sender._meta.fields]))

    with connected(class_prepared, hear), aorm.isolate_apps("shop"):

        class Page(models.Model):
            number = models.IntegerField()

            class Meta:
                app_label = "shop"

    assert told == [("Page", ["id", "number"])]
