"""Whether a COMMIT took effect whose answer was lost: PostgreSQL knows, by the transaction's id.

1. The id is asked for beside the first statement that may write, so that a transaction which only
   reads costs nothing, and the id is known before COMMIT is sent.
2. The question is asked on another connection, again and again while the server restarts, up to a
   deadline.  A transaction that the server still holds open is ended first: nobody can commit it.
3. An id means the same transaction only in the same place: the same system and timeline (after a
   failover another server answers), and no crash since, after which PostgreSQL may give
   the ids anew of which nothing was on disk.  After a crash 'aborted' is still sure, 'committed' is
   not.  The views' statistics begin anew after a crash: that is how it is noticed.

Source: PostgreSQL, 'Transaction ID and Snapshot Information Functions'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from time import monotonic, sleep
from typing import Any

from aorm.connections.connection import Pooled
from aorm.errors import CommitOutcomeUnknown, Error, OperationalError
from aorm.records import Record

WHERE = """
SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
       (SELECT stats_reset::text FROM pg_stat_bgwriter)
FROM pg_control_system()
"""
WHICH = "SELECT pg_current_xact_id()::text"
STATUS = """
SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
       (SELECT stats_reset::text FROM pg_stat_bgwriter),
       pg_xact_status($1::text::xid8)
FROM pg_control_system()
"""
END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE backend_xid = ($1::text::xid8)::xid"
)

READS = frozenset("SWVEFswvef(")  # SELECT, WITH, VALUES, EXPLAIN and SET, SHOW, FETCH

SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.5  # seconds


class Place(Record):
    """Where an id means something."""

    history: str  # system and timeline
    life: str  # between two crashes


NOWHERE = Place(
    "", ""
)  # the server does not say: a standby, which does not write either, or a proxy


class Verdict(Enum):
    """What the server says."""

    COMMITTED = auto()
    ROLLED_BACK = auto()
    OPEN = auto()
    UNKNOWN = auto()


class Identified(Pooled):
    """A connection that knows the id of its transaction."""

    __slots__ = ("asks", "patience", "place", "reopen", "xid")

    def __init__(self, reopen: Any, patience: float) -> None:
        super().__init__()
        self.reopen = reopen  # opens another connection to the same database
        self.patience = patience  # seconds for asking there what became of a COMMIT
        self.place: Place | None = None
        self.xid: str | None = None
        self.asks = False  # the id is to be asked for beside the next statement that writes

    def began(self, sql: str) -> None:
        """A transaction has begun."""
        self.xid = None
        self.asks = self.place is not NOWHERE and "READ ONLY" not in sql


def settle(connection: Identified, lost: Error) -> None:
    """Find out what became of a COMMIT: return when it took effect, else raise."""
    found = Verdict.UNKNOWN
    if connection.xid is not None and connection.place is not None:
        for pause in pauses(connection.patience):
            found = _asked(connection)
            if found is not Verdict.OPEN:
                break
            sleep(pause)
    conclude(found, lost)


async def asettle(connection: Identified, lost: Error) -> None:
    """The same, awaited."""
    found = Verdict.UNKNOWN
    if connection.xid is not None and connection.place is not None:
        for pause in pauses(connection.patience):
            found = await _aasked(connection)
            if found is not Verdict.OPEN:
                break
            await asyncio.sleep(pause)
    conclude(found, lost)


def _asked(connection: Identified) -> Verdict:
    assert connection.place is not None
    try:
        other = connection.reopen()
        try:
            found = verdict(connection.place, other.fetch(STATUS, (connection.xid,)))
            if found is Verdict.OPEN:
                other.fetch(END, (connection.xid,))
        finally:
            other.terminate()
    except OperationalError:
        return Verdict.OPEN  # as far as we know: the server may be on its way back
    except Error:
        return Verdict.UNKNOWN
    return found


async def _aasked(connection: Identified) -> Verdict:
    assert connection.place is not None
    try:
        async with asyncio.timeout(connection.patience):
            other = await connection.reopen()
            try:
                found = verdict(connection.place, await other.fetch(STATUS, (connection.xid,)))
                if found is Verdict.OPEN:
                    await other.fetch(END, (connection.xid,))
            finally:
                other.terminate()
    except (OperationalError, TimeoutError):
        return Verdict.OPEN  # as far as we know: the server may be on its way back
    except Error:
        return Verdict.UNKNOWN
    return found


def place_of(rows: Sequence[Any]) -> Place:
    """What the answer to `WHERE` says."""
    return Place(str(rows[0][0]), str(rows[0][1]))


def verdict(place: Place, rows: Sequence[Any]) -> Verdict:
    """What the answer to `STATUS` says about a transaction of that place."""
    now, status = place_of(rows), rows[0][2]
    if now.history != place.history:
        return Verdict.UNKNOWN
    if status == "aborted":
        return Verdict.ROLLED_BACK
    if now.life != place.life:
        return Verdict.UNKNOWN
    return {"committed": Verdict.COMMITTED, "in progress": Verdict.OPEN}.get(
        status, Verdict.UNKNOWN
    )


def conclude(found: Verdict, lost: Error) -> None:
    """Return when it was committed, else raise what is known."""
    if found is Verdict.COMMITTED:
        return
    if found is Verdict.ROLLED_BACK:
        raise OperationalError(
            f"the connection was lost during COMMIT, and nothing was committed: {lost}"
        ) from lost
    raise CommitOutcomeUnknown(
        f"the connection was lost during COMMIT, and whether it took effect is not known: {lost}"
    ) from lost


def pauses(seconds: float) -> Iterator[float]:
    """How long to wait between two tries, until the time is over."""
    deadline, pause = monotonic() + seconds, SHORTEST_PAUSE
    while monotonic() < deadline:
        yield pause
        pause = min(LONGEST_PAUSE, 2 * pause)
