"""COPY, by every driver of PostgreSQL, and across the borders of transactions."""

from __future__ import annotations

import asyncio

import pytest

import aorm
from aorm.connections import arun, run
from aorm.errors import DataError, QueryTypeError
from aorm.steps import CopyIn, CopyOut, in_block, perform

INTO = "COPY item (id, name) FROM STDIN"
OUT = "COPY (SELECT id, name FROM item ORDER BY id) TO STDOUT"
LINES = "1\ta\n2\t\\N\n"


@pytest.fixture(params=["postgresql", "psycopg"])
def database(request, configured):
    return configured(request.param)


async def test_lines_go_in_and_out(face):
    pieces = []
    assert await face.run(perform(CopyIn(INTO, LINES))) == 2
    assert await face.run(perform(CopyOut(OUT, pieces.append))) == 2
    assert b"".join(pieces).decode() == LINES


async def test_lines_are_part_of_the_transaction(face):
    with pytest.raises(LookupError):
        async with face.atomic():
            await face.run(perform(CopyIn(INTO, LINES)))
            raise LookupError
    assert await face.numbers() == []


async def test_a_wrong_line_leaves_the_connection_usable(face):
    with pytest.raises(DataError):
        await face.run(in_block(perform(CopyIn(INTO, "1\ta\nx\tb\n"))))
    assert await face.numbers() == []


async def test_who_takes_the_pieces_may_fail_inside_of_a_transaction(face):
    def refuse(piece):
        raise OSError("full")

    await face.insert(1)
    with pytest.raises(OSError, match="full"):
        async with face.atomic():
            await face.run(perform(CopyOut(OUT, refuse)))
    assert await face.numbers() == [1]


async def test_a_cancelled_copy_leaves_the_database_usable(database):
    started, never = asyncio.Event(), asyncio.Event()

    async def take(piece):
        started.set()
        await never.wait()

    await arun(perform(CopyIn(INTO, LINES)), database)
    task = asyncio.create_task(arun(perform(CopyOut(OUT, take)), database))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await arun(perform(CopyOut(OUT, len)), database) == 2
    await aorm.aclose()


async def test_a_cancelled_copy_ends_its_transaction(database):
    never = asyncio.Event()
    started = asyncio.Event()

    async def take(piece):
        started.set()
        await never.wait()

    async def copy():
        async with aorm.atomic():
            await arun(perform(CopyIn(INTO, LINES)), database)
            await arun(perform(CopyOut(OUT, take)), database)

    task = asyncio.create_task(copy())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await arun(perform(CopyOut(OUT, len)), database) == 0
    await aorm.aclose()


async def test_a_transaction_on_a_loop_copies_for_a_thread(database):
    pieces = []
    async with aorm.atomic():
        await arun(perform(CopyIn(INTO, LINES)), database)
        copy = aorm.sync_to_async(lambda: run(perform(CopyOut(OUT, pieces.append)), database))
        assert await copy() == 2
    assert b"".join(pieces).decode() == LINES
    await aorm.aclose()


def test_a_transaction_of_a_thread_copies_for_a_loop(database):
    pieces = []

    async def copy():
        return await arun(perform(CopyOut(OUT, pieces.append)), database)

    with aorm.atomic():
        run(perform(CopyIn(INTO, LINES)), database)
        assert aorm.async_to_sync(copy)() == 2
    assert b"".join(pieces).decode() == LINES


def test_a_synchronous_connection_refuses_a_coroutine_function(database):
    async def take(piece):
        raise AssertionError("nobody awaits it")

    run(perform(CopyIn(INTO, LINES)), database)
    with pytest.raises(QueryTypeError, match="coroutine function"):
        run(perform(CopyOut(OUT, take)), database)
