"""Connections that are lost: idle, in a statement, in a transaction, during COMMIT."""

from __future__ import annotations

import asyncio
import os

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
    link = make_link(connect_timeout=2)
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


# --- many connections at once -----------------------------------------------------------


async def test_connections_in_use_are_closed_when_a_sister_is_lost(link):
    started = asyncio.Barrier(3)

    async def use(number):
        face = link.another_face()
        async with face.atomic():
            pid = (await face.run(steps.fetch("SELECT pg_backend_pid()")))[0][0]
            await started.wait()
            if number == 0:
                link.kill(pid)
            await face.run(steps.fetch("SELECT 1"))
        return pid

    used = await asyncio.gather(*map(use, range(3)), return_exceptions=True)
    assert [isinstance(pid, OperationalError) for pid in used] == [True, False, False]
    assert await link.pid() not in used
    await link.serves()


async def test_all_killed_while_idle_cost_one_error_at_most_in_a_row(link):
    pids = await link.busy(4)
    assert len(set(pids)) == 4
    for pid in pids:
        link.kill(pid)
    failures = 0
    for _ in range(6):
        try:
            await link.pid()
        except OperationalError:
            failures += 1
    assert failures <= 1
    await link.serves()


async def test_connections_that_the_server_has_closed_are_noticed_without_an_error(link):
    pids = await link.busy(4)
    for pid in pids:
        link.kill(pid)
    await asyncio.sleep(0.15)  # idle for longer than connections are used unseen
    assert not set(await link.busy(4)) & set(pids)
    await link.serves()


# --- limits of the server ----------------------------------------------------------------


async def test_too_many_connections_for_the_server(make_link):
    role = f"aorm_limited_{os.getpid()}"
    link = make_link(user=role)
    link.server.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 2")
    link.server.execute("GRANT ALL ON item TO PUBLIC")
    try:
        with pytest.raises(OperationalError, match="too many connections"):
            await link.busy(4)
        assert not link.state().used
        assert link.state().connecting == 0
        assert link.state().size <= 2
        assert len(set(await link.busy(2))) == 2
        await link.serves()
    finally:
        await link.face.call(link.database.close, link.database.aclose)
        link.server.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
            [role],
        )
        link.server.execute(f"DROP OWNED BY {role}")
        link.server.execute(f"DROP ROLE {role}")


async def test_a_lock_timeout_leaves_the_connection(make_link):
    link = make_link(lock_timeout=0.1)
    await link.face.insert(1)
    pid = await link.pid()
    with link.server.transaction():
        link.server.execute("UPDATE item SET name = 'theirs'")
        with pytest.raises(OperationalError, match="lock timeout"):
            await link.face.run(steps.execute("UPDATE item SET name = 'ours'"))
        async with link.face.atomic():
            with pytest.raises(OperationalError, match="lock timeout"):
                async with link.face.atomic():
                    await link.face.run(steps.execute("UPDATE item SET name = 'ours'"))
            await link.face.insert(2)
    assert await link.pid() == pid
    assert link.rows() == [1, 2]


async def test_a_statement_timeout_leaves_the_connection(make_link):
    link = make_link(statement_timeout=0.5)
    pid = await link.pid()
    with pytest.raises(OperationalError, match="statement timeout"):
        await link.face.run(steps.fetch("SELECT pg_sleep(60)"))
    async with link.face.atomic():
        with pytest.raises(OperationalError, match="statement timeout"):
            await link.face.run(steps.fetch("SELECT pg_sleep(60)"))
        with pytest.raises(TransactionManagementError):
            await link.face.insert(1)
    assert await link.pid() == pid
    assert link.rows() == []
    await link.serves()


async def test_a_transaction_that_is_idle_for_too_long_is_lost(make_link):
    link = make_link(idle_in_transaction_session_timeout=0.2)
    async with link.face.atomic():
        await link.face.insert(1)
        await link.ends(await link.pid())
        with pytest.raises(OperationalError):
            await link.face.insert(2)
    assert link.rows() == []
    with pytest.raises(OperationalError) as lost:
        async with link.face.atomic():
            await link.face.insert(1)
            await link.ends(await link.pid())
    assert not isinstance(lost.value, CommitOutcomeUnknown)
    assert link.rows() == []
    await link.serves()
