"""What the status of a transaction's id proves, and what PgBouncer's transaction mode allows."""

from __future__ import annotations

import pytest

from aorm import steps
from aorm.connections import astream, stream
from aorm.connections.drivers.outcome import Place, Verdict, verdict
from aorm.steps import Fetch

HERE = Place("system/1", "since monday")


@pytest.mark.parametrize(
    ("history", "life", "status", "expected"),
    [
        ("system/1", "since monday", "committed", Verdict.COMMITTED),
        ("system/1", "since monday", "aborted", Verdict.ROLLED_BACK),
        ("system/1", "since monday", "in progress", Verdict.OPEN),
        ("system/1", "since monday", None, Verdict.UNKNOWN),  # too long ago
        ("system/1", "since tuesday", "aborted", Verdict.ROLLED_BACK),
        ("system/1", "since tuesday", "committed", Verdict.UNKNOWN),  # perhaps by another one
        ("system/1", "since tuesday", "in progress", Verdict.UNKNOWN),
        ("system/2", "since monday", "committed", Verdict.UNKNOWN),
        ("system/2", "since monday", "aborted", Verdict.UNKNOWN),
        ("another/1", "since monday", "aborted", Verdict.UNKNOWN),
    ],
)
def test_a_status_proves_something_in_the_same_place_only(history, life, status, expected):
    assert verdict(HERE, [(history, life, status)]) is expected


async def test_transaction_mode_leaves_nothing_in_the_session(make_link):
    link = make_link(pgbouncer="transaction", statement_timeout=5)
    statement = Fetch("SELECT generate_series(1, 5)", ())

    def read():
        return [len(piece) for piece in stream(statement, link.database, 2)]

    async def aread():
        return [len(piece) async for piece in astream(statement, link.database, 2)]

    for _ in range(4):
        await link.face.run(steps.fetch("SELECT $1::int", (1,)))
        await link.face.call(read, aread)
    async with link.face.atomic():
        await link.face.insert(1)
        async with link.face.atomic():
            await link.face.insert(2)
    await link.face.run(steps.execute_many("INSERT INTO item (id) VALUES ($1)", [(3,), (4,)]))
    assert link.rows() == [1, 2, 3, 4]
    sent = link.proxy.messages
    parsed = [message for message in sent if message[:1] == b"P"]
    assert parsed
    assert all(message[5:6] == b"\0" for message in parsed), "a named statement"
    assert not any(b"statement_timeout" in message for message in sent)
    assert not any(message[5:9].upper() in (b"SET ", b"LIST") for message in sent)
