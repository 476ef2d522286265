"""Cancelled at every suspension: all is done or nothing, and nothing is left behind."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from cancellation import WAYS
from scene import named, run
from shop.models import Author, Book

import aorm
from aorm import transaction
from aorm.models import F, Sum

BOOKS = [-1, -2, -3, -4, -5, -6]


# --- operations --------------------------------------------------------------------------


async def get():
    await Book.objects.select_related("author").aget(pk=-3)


async def iterate():
    assert [book.pk async for book in Book.objects.order_by("-pk")] == BOOKS


async def stream():
    books = Book.objects.order_by("-pk").aiterator(chunk_size=2)
    assert [book.pk async for book in books] == BOOKS


async def stream_with_prefetch():
    books = Book.objects.order_by("-pk").prefetch_related("tags").aiterator(chunk_size=2)
    async for book in books:
        assert len(book.tags.all()) == 2


async def prefetch():
    authors = Author.objects.prefetch_related("books__tags")
    assert sum([len(author.books.all()) async for author in authors]) == 6


async def count():
    assert await Book.objects.acount() == 6
    assert await Book.objects.aexists()
    assert (await Book.objects.aaggregate(all=Sum("pages")))["all"] == 600


async def create():
    await Author.objects.acreate(name="New")


async def save():
    author = await Author.objects.aget(pk=-1)
    author.name = "Changed"
    await author.asave()


async def save_with_a_key():
    await Author(pk=77, name="Keyed").asave()


async def bulk_create():
    await Author.objects.abulk_create([Author(name=f"n{n}") for n in range(5)], batch_size=2)


async def bulk_update():
    books = [Book(id=n, title=f"New {n}") for n in BOOKS]
    await Book.objects.abulk_update(books, ["title"], batch_size=2)


async def get_or_create():
    await Author.objects.aget_or_create(name="Eve", defaults={"age": 1})


async def update_or_create():
    await Author.objects.aupdate_or_create(name="Ann", defaults={"age": 1})


async def update_or_create_a_new_one():
    await Author.objects.aupdate_or_create(name="Eve", defaults={"age": 1})


async def update():
    await Book.objects.filter(author__name="Ann").aupdate(pages=F("pages") + 1)


async def delete_with_cascade():
    await Author.objects.filter(name="Ann").adelete()


async def set_many_to_many():
    book = await Book.objects.aget(pk=-3)
    await book.tags.aset([-2, -3, -4])


async def copy_in():
    await Author.objects.acopy_from([{"name": f"n{n}", "email": ""} for n in range(2000)])


async def copy_out():
    pieces = []
    assert await Author.objects.order_by("pk").acopy_to(pieces.append) == 4


async def raw_sql():
    await aorm.connections["default"].aexecute("UPDATE shop_author SET age = %s", [7])


OPERATIONS = [
    get,
    iterate,
    stream,
    stream_with_prefetch,
    prefetch,
    count,
    create,
    save,
    save_with_a_key,
    bulk_create,
    bulk_update,
    get_or_create,
    update_or_create,
    update_or_create_a_new_one,
    update,
    delete_with_cascade,
    set_many_to_many,
    raw_sql,
]


# --- blocks --------------------------------------------------------------------------------


async def block():
    async with aorm.atomic():
        await Author.objects.acreate(name="One")
        await Author.objects.acreate(name="Two")


async def nested_blocks():
    async with aorm.atomic():
        await Author.objects.acreate(name="One")
        async with aorm.atomic():
            await Author.objects.acreate(name="Two")
            async with aorm.atomic():
                await Author.objects.acreate(name="Three")
        with suppress(KeyError):
            async with aorm.atomic():
                await Author.objects.acreate(name="Undone")
                raise KeyError
        await Author.objects.acreate(name="Four")


async def block_that_fails():
    with suppress(KeyError):
        async with aorm.atomic():
            await Author.objects.acreate(name="Undone")
            raise KeyError


async def tasks_in_a_block():
    async with aorm.atomic():
        await asyncio.gather(*(Author.objects.acreate(name=f"n{n}") for n in range(3)))


async def savepoints_by_hand():
    async with aorm.atomic():
        await Author.objects.acreate(name="One")
        name = await transaction.asavepoint()
        await Author.objects.acreate(name="Undone")
        await transaction.asavepoint_rollback(name)
        name = await transaction.asavepoint()
        await Author.objects.acreate(name="Two")
        await transaction.asavepoint_commit(name)


async def turns_in_a_block():
    async with aorm.atomic(), asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(Author.objects.acreate(name=f"n{number}"))
        await asyncio.sleep(0)
        await Author.objects.acreate(name="Behind them")


async def sibling_blocks():
    async def sibling(name: str) -> None:
        async with aorm.atomic():
            await Author.objects.acreate(name=name)
            await Author.objects.filter(name=name).aupdate(age=1)

    async with aorm.atomic(), asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(sibling(f"n{number}"))
        await asyncio.sleep(0)
        await sibling("Behind them")


async def stream_in_a_block():
    async with aorm.atomic():
        await Author.objects.acreate(name="One")
        async for author in Author.objects.order_by("pk").aiterator(chunk_size=2):
            await Author.objects.filter(pk=author.pk).aupdate(age=F("age") + 1)


@aorm.atomic
async def decorated():
    await Author.objects.acreate(name="One")
    await Author.objects.filter(name="Ann").aupdate(age=99)


BLOCKS = [
    block,
    nested_blocks,
    block_that_fails,
    tasks_in_a_block,
    savepoints_by_hand,
    turns_in_a_block,
    sibling_blocks,
    stream_in_a_block,
    decorated,
]
SEVERAL = [create, stream, update_or_create, nested_blocks, block_that_fails]


@pytest.mark.parametrize("way", ["early", "late"])
@pytest.mark.parametrize("work", **named(OPERATIONS + BLOCKS))
def test_interrupted_anywhere_it_is_done_or_not_begun(scene, work, way):
    run(scene.sweep(work, way))


@pytest.mark.parametrize("way", ["early", "late", "twice"])
@pytest.mark.parametrize("work", **named([copy_in, copy_out]))
def test_interrupted_while_it_copies(scene, work, way):
    if scene.driver == "aiosqlite":
        pytest.skip("SQLite has no COPY")
    run(scene.sweep(work, way))


@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"early", "late"}))
@pytest.mark.parametrize("work", **named(SEVERAL))
def test_interrupted_in_every_way(scene, work, way):
    run(scene.sweep(work, way))


@pytest.mark.parametrize("way", ["early", "late", "twice"])
@pytest.mark.parametrize("work", **named([create, block]))
def test_interrupted_while_it_connects(scene, work, way):
    run(scene.sweep(work, way, prepare=scene.cold))


@pytest.mark.parametrize("way", ["early", "late", "twice"])
@pytest.mark.parametrize("work", **named([create, block]))
def test_interrupted_while_it_waits_for_a_connection(scene, work, way):
    run(scene.sweep(work, way, around=scene.full_pool))


@pytest.mark.parametrize("way", ["early", "late", "twice"])
@pytest.mark.parametrize("work", **named([create, block, stream]))
def test_interrupted_on_uvloop(scene, work, way):
    pytest.importorskip("uvloop")
    run(scene.sweep(work, way), "uvloop")
