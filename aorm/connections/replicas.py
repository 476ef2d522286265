"""Which replica may answer a read, and what happens when none does.

1. A replica answers when it has replayed all that the reading code has written.  What it has
   replayed is asked for only as long as it was not enough, and on each new connection, since a
   server that was restarted may be further back.
2. The first read after a write asks the primary, for the position as well.
3. A replica that is down, or that refuses a statement because it may not write or because of what
   it replays, is replaced by the primary in the middle of an operation; one that is down is left
   alone for `replica_retry` seconds, and then tried by one reader.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import count
from time import monotonic
from typing import Any, TypeAlias, TypeVar

from aorm.connections.positions import WRITTEN, Mark, marks_here, primary_wanted
from aorm.errors import Error, OperationalError, PoolTimeout
from aorm.late import logging
from aorm.steps import Call, CopyOut, Doing, Fetch, Operation, fetch, perform

R = TypeVar("R")

#: Yields a database and an operation to run there; is sent its value, or thrown its failure.
Plan: TypeAlias = Generator[tuple[Any, Operation[Any]], Any, R]

REPLAYED = (
    "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END - '0/0'::pg_lsn)::int8"
)
# a write; a conflict with what is replayed, which ends the statement
REFUSED = ("25006", "40001", "40P01")
# connection, authorization, resources, no such database, the server goes or comes
DOWN = ("08", "28", "53", "3D", "57P")
MOVED: Any = object()


class Replica:
    """A replica as this process knows it."""

    __slots__ = ("_rests_until", "database", "primary", "reached")

    def __init__(self, database: Any, primary: Any) -> None:
        self.database = database
        self.primary = primary
        self.reached = 0
        self._rests_until: float | None = None

    @property
    def may_be_tried(self) -> bool:
        """Whether it is up, or down for so long that this reader shall try it."""
        if self._rests_until is None:
            return True
        now = monotonic()
        if now < self._rests_until:
            return False
        self._rests_until = now + self._retry
        return True

    @property
    def _retry(self) -> float:
        seconds: float = self.database.address["replica_retry"]
        return seconds

    def forget(self) -> None:
        """It may have been restarted, and be further back than it was."""
        self.reached = 0

    def answered(self) -> None:
        """It is up."""
        if self._rests_until is not None:
            self._rests_until = None
            logging.getLogger(__name__).info("the replica %r answers again", self.database)

    def excuses(self, error: Error) -> bool:
        """Whether the primary shall answer in its place after this failure."""
        state = getattr(error.__cause__, "sqlstate", None)
        if isinstance(error, PoolTimeout):
            return False
        if state in REFUSED:
            return True
        down = state.startswith(DOWN) if state else isinstance(error, OperationalError)
        if down:
            self._rest(error)
        return down

    def _rest(self, error: Error) -> None:
        if self._rests_until is None:
            logging.getLogger(__name__).warning(
                "the replica %r does not answer; the primary does in its place, for %g s at least",
                self.database,
                self._retry,
                exc_info=error,
            )
        self.forget()
        self._rests_until = monotonic() + self._retry


class Replicas:
    """The replicas of a database; `mark` is what this process has written to it."""

    __slots__ = ("_turns", "mark", "members")

    def __init__(self, primary: Any, databases: Sequence[Any]) -> None:
        self.members = tuple(Replica(each, primary) for each in databases)
        self.mark = Mark()
        self._turns = count()
        for replica in self.members:
            replica.database.replica = replica

    def in_turn(self) -> Iterator[Replica]:
        """Each replica that may be tried, beginning with another one each time."""
        first = next(self._turns) % len(self.members)
        for replica in (*self.members[first:], *self.members[:first]):
            if replica.may_be_tried:
                yield replica


def position_of(database: Any, marks: Sequence[Mark]) -> Plan[int]:
    """The position behind the writes of these marks; the primary is asked where it has to be."""
    unknown = [(mark, mark.write) for mark in marks if mark.position is None]
    if unknown:
        rows = yield database, fetch(WRITTEN)
        for mark, write in unknown:
            mark.note(write, rows[0][0])
    return max(mark.position or 0 for mark in marks)


def choice(database: Any) -> Plan[Replica | None]:
    """The replica that shall answer a read of this code; None for the primary."""
    if primary_wanted():
        return None
    marks = marks_here(database)
    fresh = any(mark.position is None for mark in marks)
    position = yield from position_of(database, marks)
    if fresh:
        return None  # no replica is as quick as that
    replica: Replica
    for replica in database.replicas.in_turn():
        if replica.database.block() is not None:
            continue
        if replica.reached >= position or (yield from _reaches(replica, position)):
            return replica
    return None


def _reaches(replica: Replica, position: int) -> Plan[bool]:
    try:
        rows = yield replica.database, fetch(REPLAYED)
    except Error as error:
        if not replica.excuses(error):
            raise
        return False
    replica.answered()
    replica.reached = rows[0][0] or 0
    return replica.reached >= position


def reading(doing: Doing[R], database: Any) -> Plan[R]:
    """An operation that reads, on a replica if there is one for it, else on the primary."""
    operation = iter(doing)
    try:
        step = next(operation)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    journey = Journey(operation, step)
    try:
        replica = yield from choice(database)
        if replica is not None:
            found: Any = MOVED
            try:
                found = yield replica.database, journey.on_replica(replica)
            except Error as error:
                # raised where there was no connection to be had; else the operation has ended
                if journey.ended or not replica.excuses(error):
                    raise
            if found is not MOVED:
                replica.answered()
                return found  # type: ignore[no-any-return]
        return (yield database, journey.to_the_end())  # type: ignore[no-any-return]
    except BaseException:
        operation.close()
        raise


class Journey:
    """An operation on its way from a replica to the primary, which goes on where it stopped."""

    __slots__ = ("_operation", "_step", "ended")

    def __init__(self, operation: Operation[Any], step: Any) -> None:
        self._operation = operation
        self._step = step
        self.ended = False

    def on_replica(self, replica: Replica) -> Operation[Any]:
        """The value of the operation, or MOVED at a step that the replica cannot do."""
        while isinstance(self._step, (Fetch, Call, CopyOut)):
            try:
                reply = yield from perform(self._step)
            except GeneratorExit:
                raise
            except BaseException as error:
                moves = isinstance(error, Error) and isinstance(self._step, Fetch)
                if moves and replica.excuses(error):  # type: ignore[arg-type]
                    return MOVED
                if self._goes_on(self._operation.throw, error):
                    continue
            else:
                if self._goes_on(self._operation.send, reply):
                    continue
            return self._step
        return MOVED

    def to_the_end(self) -> Operation[Any]:
        """The value of the operation, from where it is."""
        while True:
            try:
                reply = yield from perform(self._step)
            except GeneratorExit:
                raise
            except BaseException as error:
                goes_on = self._goes_on(self._operation.throw, error)
            else:
                goes_on = self._goes_on(self._operation.send, reply)
            if not goes_on:
                return self._step

    def _goes_on(self, resume: Any, reply: Any) -> bool:
        """The next step, if there is one; else the value stands in its place."""
        try:
            self._step = resume(reply)
        except StopIteration as done:
            self._step, self.ended = done.value, True
        except BaseException:
            self.ended = True
            raise
        return not self.ended
