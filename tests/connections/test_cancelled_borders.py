"""A coroutine in the transaction of another home, cancelled at each of its suspensions.

The transaction was opened by a thread, or on another loop, and goes on afterwards: what the
coroutine did in its own block is all there or not at all, and what follows is committed.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial

import pytest
from cancellation import ENOUGH, interrupted
from scene import named
from shop.models import Author, Book

import aorm
from aorm.models import F

# --- across which border ---------------------------------------------------------------------


def by_async_to_sync(coroutine):
    """From a thread, to the loop that `async_to_sync` makes."""
    with aorm.atomic():
        run = aorm.async_to_sync(coroutine)()
        Author.objects.create(name="Outer")
    return run


def to_a_loop_in_another_thread(coroutine):
    with aorm.atomic():
        with ThreadPoolExecutor(1) as threads:
            main = partial(copy_context().run, lambda: asyncio.run(coroutine()))
            run = threads.submit(main).result()
        Author.objects.create(name="Outer")
    return run


def from_loop_to_loop(coroutine):
    async def outer():
        try:
            async with aorm.atomic():
                run = await asyncio.to_thread(lambda: asyncio.run(coroutine()))
                await Author.objects.acreate(name="Outer")
        finally:
            await aorm.aclose()
        return run

    return asyncio.run(outer())


BORDERS = [by_async_to_sync, to_a_loop_in_another_thread, from_loop_to_loop]


# --- what runs on the other side --------------------------------------------------------------


async def blocks():
    async with aorm.atomic():
        await Author.objects.acreate(name="One")
        async with aorm.atomic():
            await Author.objects.filter(name="Ann").aupdate(age=99)
        with suppress(KeyError):
            async with aorm.atomic():
                await Author.objects.acreate(name="Undone")
                raise KeyError
        await Author.objects.acreate(name="Two")


async def operations():
    async with aorm.atomic():
        await Author.objects.aupdate_or_create(name="Eve", defaults={"age": 1})
        async for book in Book.objects.order_by("pk").aiterator(chunk_size=2):
            await Book.objects.filter(pk=book.pk).aupdate(pages=F("pages") + 1)
        await Author.objects.filter(name="Bob").adelete()


async def tasks():
    async with aorm.atomic(), asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(Author.objects.acreate(name=f"n{number}"))


async def nothing():
    pass


@pytest.mark.parametrize("way", ["early", "late", "twice"])
@pytest.mark.parametrize("work", **named([blocks, operations, tasks]))
@pytest.mark.parametrize("across", **named(BORDERS))
def test_interrupted_anywhere_its_block_is_done_or_undone(scene, across, work, way):
    def ran(work, number):
        """How it ended, and what is committed then."""
        run = across(partial(interrupted, work, way, number))
        run.forget_frames()
        asyncio.run(scene.quiet())
        state = scene.state()
        scene.reset()
        return run, state

    _, undone = ran(nothing, ENOUGH)
    _, done = ran(work, ENOUGH)
    assert undone != done
    for number in range(1, ENOUGH):
        run, state = ran(work, number)
        if run.error is None:
            assert state == done
        else:
            assert state in (undone, done)
        if scene.database.sync_pool is not None:
            assert not scene.database.sync_pool.state.used
        if not run.interrupted:
            break
    else:
        raise AssertionError("it never ended by itself")
    assert number > 3
