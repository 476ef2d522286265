"""A network that has gone silent: nothing waits for ever, and afterwards there is service."""

from __future__ import annotations

import asyncio

import pytest

from aorm import steps
from aorm.connections import astream, stream
from aorm.errors import CommitOutcomeUnknown, OperationalError
from aorm.steps import Fetch

TIMEOUTS = {"statement_timeout": 0.5, "connect_timeout": 2}


async def test_a_statement_with_a_timeout_ends(make_link):
    link = make_link(**TIMEOUTS)
    await link.pid()
    link.proxy.blackhole()
    with pytest.raises(OperationalError, match="no answer from the server"):
        await link.pid()
    assert link.state().size == 0
    link.proxy.heal()
    await link.serves()


async def test_a_transaction_ends_rolled_back(make_link):
    link = make_link(**TIMEOUTS)
    with pytest.raises(OperationalError, match="no answer from the server"):
        async with link.face.atomic():
            await link.face.insert(1)
            link.proxy.blackhole()
            await link.face.insert(2)
    assert link.state().size == 0
    link.proxy.heal()
    assert link.rows() == []
    await link.serves()


async def test_a_commit_that_arrived_is_known_when_the_network_is_back(make_link):
    link = make_link(statement_timeout=3, connect_timeout=20)
    async with link.face.atomic():
        await link.face.insert(1)
        link.proxy.at("COMMIT", "silence")
        link.proxy.heals_at(1)
    assert link.rows() == [1]
    await link.serves()


async def test_a_commit_on_a_network_that_stays_silent_is_unknown(make_link):
    link = make_link(**TIMEOUTS)
    with pytest.raises(CommitOutcomeUnknown):
        async with link.face.atomic():
            await link.face.insert(1)
            link.proxy.at("COMMIT", "silence")
    assert link.rows() == [1]
    link.proxy.heal()
    await link.serves()


async def test_trying_an_idle_connection_ends(make_link):
    link = make_link(ping_after=0, connect_timeout=2)
    await link.pid()
    link.proxy.blackhole()
    with pytest.raises(OperationalError):  # neither the old one nor a new one answers
        await link.pid()
    assert link.state().size == 0
    link.proxy.heal()
    await link.serves()


async def test_connecting_ends(make_link):
    link = make_link(connect_timeout=2)
    link.proxy.blackhole()
    with pytest.raises(OperationalError):
        await link.pid()
    assert link.state().size == 0
    link.proxy.heal()
    await link.serves()


async def test_a_stream_with_a_timeout_ends(make_link):
    link = make_link(**TIMEOUTS)
    statement = Fetch("SELECT generate_series(1, 10)", ())

    def read():
        for number, _ in enumerate(stream(statement, link.database, 2)):
            if number == 0:
                link.proxy.blackhole()

    async def aread():
        number = 0
        async for _ in astream(statement, link.database, 2):
            if number == 0:
                link.proxy.blackhole()
            number += 1

    with pytest.raises(OperationalError):
        await link.face.call(read, aread)
    assert link.state().size == 0
    link.proxy.heal()
    await link.serves()


async def test_closing_ends(make_link):
    link = make_link(connect_timeout=2)
    await link.pid()
    link.proxy.blackhole()
    await link.face.call(link.database.close, link.database.aclose)
    link.proxy.heal()
    await link.serves()


async def test_a_cancelled_statement_ends(make_link):
    link = make_link(connect_timeout=2)
    if link.face.name == "sync":
        pytest.skip("threads are not cancelled")
    pid = await link.pid()
    sleeping = asyncio.ensure_future(link.face.run(steps.fetch("SELECT pg_sleep(60)")))
    await link.runs(pid)
    link.proxy.blackhole()
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    link.proxy.heal()
    await link.serves()
