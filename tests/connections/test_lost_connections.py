"""Connections that are lost: idle, in a statement, in a transaction, during COMMIT."""

from __future__ import annotations

import asyncio

import pytest

from aorm import steps
from aorm.connections import aon_commit, on_commit
from aorm.errors import (
    CommitOutcomeUnknown,
    OperationalError,
    TransactionManagementError,
)


async def test_a_connection_that_is_killed_while_idle_costs_one_error_at_most(link):
    pid = await link.pid()
    link.kill(pid)
    try:
        await link.pid()
    except OperationalError:
        assert await link.pid() != pid
    await link.serves()


@pytest.mark.parametrize("how", ["kill", "cut", "reset"])
async def test_lost_in_a_statement(link, how):
    pid = await link.pid()
    sleeping = asyncio.ensure_future(link.face.run(steps.fetch("SELECT pg_sleep(60)")))
    await link.runs(pid)
    link.kill(pid) if how == "kill" else getattr(link.proxy, how)()
    with pytest.raises(OperationalError):
        await sleeping
    assert link.state().size == 0
    await link.serves()


@pytest.mark.parametrize("how", ["kill", "cut", "reset"])
async def test_lost_in_a_transaction(link, how):
    with pytest.raises(OperationalError):
        async with link.face.atomic():
            await link.face.insert(1)
            pid = await link.pid()
            link.kill(pid) if how == "kill" else getattr(link.proxy, how)()
            with pytest.raises(OperationalError) as lost:
                await link.face.insert(2)
            with pytest.raises(TransactionManagementError):
                await link.face.insert(3)
            raise lost.value
    assert link.rows() == []
    await link.serves()


async def test_a_nested_block_cannot_save_a_lost_transaction(link):
    async with link.face.atomic():
        await link.face.insert(1)
        with pytest.raises(OperationalError):
            async with link.face.atomic():
                link.kill(await link.pid())
                await link.face.insert(2)
        with pytest.raises(TransactionManagementError):
            await link.face.insert(3)
    assert link.rows() == []
    await link.serves()


# --- COMMIT -----------------------------------------------------------------------------


async def test_killed_before_commit_is_known_to_have_committed_nothing(link):
    called = []
    with pytest.raises(OperationalError) as lost:
        async with link.face.atomic():
            await link.face.insert(1)
            await link.face.call(on_commit, aon_commit, lambda: called.append(1))
            link.kill(await link.pid())
    assert not isinstance(lost.value, CommitOutcomeUnknown)
    assert link.rows() == called == []
    await link.serves()


async def test_commit_that_never_arrived_is_known_to_have_committed_nothing(link):
    with pytest.raises(OperationalError) as lost:
        async with link.face.atomic():
            await link.face.insert(1)
            link.proxy.at("COMMIT", "before")
    assert not isinstance(lost.value, CommitOutcomeUnknown)
    assert link.rows() == []
    await link.serves()


async def test_commit_whose_answer_was_lost_is_known_to_have_committed(link):
    called = []
    async with link.face.atomic():
        await link.face.insert(1)
        await link.face.call(on_commit, aon_commit, lambda: called.append(1))
        link.proxy.at("COMMIT", "after")
    assert link.rows() == called == [1]
    await link.serves()


async def test_the_id_is_known_when_only_a_nested_block_wrote(link):
    async with link.face.atomic():
        async with link.face.atomic():
            await link.face.insert(1)
        link.proxy.at("COMMIT", "after")
    assert link.rows() == [1]


async def test_the_outcome_is_unknown_while_nobody_can_be_asked(make_link):
    link = make_link(connect_timeout=0.5)
    called = []
    with pytest.raises(CommitOutcomeUnknown):
        async with link.face.atomic():
            await link.face.insert(1)
            await link.face.call(on_commit, aon_commit, lambda: called.append(1))
            link.proxy.at("COMMIT", "after")
            link.proxy.close_door()
    assert link.rows() == [1]
    assert called == []


async def test_the_outcome_is_unknown_where_the_transaction_has_no_known_id(link):
    with pytest.raises(CommitOutcomeUnknown):
        async with link.face.atomic():
            await link.face.run(steps.fetch("SELECT 1"))
            link.proxy.at("COMMIT", "after")
    await link.serves()


async def test_reading_blocks_ask_for_no_id(link):
    async with link.face.atomic(read_only=True):
        await link.face.run(steps.fetch("SELECT 1"))
    async with link.face.atomic():
        await link.face.run(steps.fetch("SELECT 1"))
    assert not any(b"pg_current_xact_id" in message for message in link.proxy.messages)


async def test_a_lost_rollback_is_a_rollback(link):
    with pytest.raises(ZeroDivisionError):
        async with link.face.atomic():
            await link.face.insert(1)
            link.proxy.at("ROLLBACK", "after")
            raise ZeroDivisionError
    assert link.rows() == []
    await link.serves()
