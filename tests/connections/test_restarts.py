"""The server restarts: one error at most, then service.  These tests have a server of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import server

from aorm.errors import CommitOutcomeUnknown, OperationalError


@pytest.fixture(scope="module")
def own_server() -> Iterator[Path]:
    """A server that may be stopped."""
    directory = server.shared_directory()
    yield directory
    server.stop(directory)


@pytest.fixture
def postgres_url(own_server: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its database, in the place of the shared server's."""
    monkeypatch.delenv(server.VARIABLE, raising=False)
    return server.server_url(own_server)


@pytest.fixture
def link(make_link):
    link = make_link()
    link.server.execute("CHECKPOINT")  # the table outlives a crash
    return link


@pytest.fixture
def restart(own_server, link):
    async def restart(mode):
        link.server.close()
        await asyncio.to_thread(server.restart, own_server, mode)
        link.reconnect()

    return restart


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_restart_between_statements(link, restart, mode):
    before = await link.busy(4)
    await restart(mode)
    assert not set(before) & set(await link.busy(4))
    await link.serves()


async def test_a_restart_in_a_transaction(link, restart):
    await link.face.insert(1)
    with pytest.raises(OperationalError):
        async with link.face.atomic():
            await link.face.insert(2)
            await restart("fast")
            await link.face.insert(3)
    assert link.rows() == [1]
    await link.serves()


async def test_a_restart_before_commit(link, restart):
    with pytest.raises(OperationalError) as lost:
        async with link.face.atomic():
            await link.face.insert(1)
            await restart("fast")
    assert not isinstance(lost.value, CommitOutcomeUnknown)
    assert link.rows() == []
    await link.serves()


async def test_a_crash_before_commit(link, restart):
    with pytest.raises(OperationalError):
        async with link.face.atomic():
            await link.face.insert(1)
            await restart("immediate")
    assert link.rows() == []
    await link.serves()


async def test_commit_before_a_restart_is_known(link, own_server):
    """The answer is lost, and the server goes and comes back before it can be asked."""
    async with link.face.atomic():
        await link.face.insert(1)
        link.proxy.at("COMMIT", "after")
        link.proxy.before_next_connection(lambda: server.restart(own_server, "fast"))
    link.reconnect()
    assert link.rows() == [1]
    await link.serves()


async def test_commit_before_a_crash_is_not_taken_for_granted(link, own_server):
    """After a crash the ids of what was not on disk are given anew, so an id proves nothing."""
    try:
        async with link.face.atomic():
            await link.face.insert(1)
            link.proxy.at("COMMIT", "after")
            link.proxy.before_next_connection(lambda: server.restart(own_server, "immediate"))
    except CommitOutcomeUnknown:
        pass
    except OperationalError:
        link.reconnect()
        assert link.rows() == []
    else:
        pytest.fail("it was taken for granted")
    link.reconnect()
    await link.serves()
