"""Interrupts a coroutine at its k-th suspension, for each k in turn, and looks what is left.

1. `Stepped` drives the coroutine step by step, so its suspensions are counted where they happen,
   and each run is interrupted at exactly one of them, however fast the server is.
2. `sweep` goes on until a run ends before it is interrupted: then each suspension has had its turn.
3. What is left is seen by a `Witness`, which has a connection of its own and knows no aorm.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import psycopg

Work = Callable[[], Awaitable[Any]]

PATIENCE = 30.0  # seconds until something counts as stuck; nothing waits for them to pass
ENOUGH = 400  # suspensions; a coroutine with more of them never ends


class Stepped:
    """An awaitable that calls `interrupt` when the coroutine has suspended for the n-th time.

    It is called as soon as the coroutine waits; or, if `late`, when what it waits for is there,
    before the coroutine is told so.  `again` is for how many suspensions after it it is called too.
    """

    def __init__(self, work: Awaitable[Any], number: int, *, late: bool, again: int) -> None:
        self._work = work
        self._numbers = range(number, number + again + 1)
        self._late = late
        self.interrupt: Callable[[], Any] = lambda: None
        self.suspensions = 0
        self.interrupted = False

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._work.__await__()
        resume: Callable[[Any], Any] = steps.send
        value: Any = None
        while True:
            try:
                awaited = resume(value)
            except StopIteration as done:
                return done.value
            self.suspensions += 1
            if self.suspensions in self._numbers:
                self._interrupt_while(awaited)
            try:
                value = yield awaited
                resume = steps.send
            except BaseException as error:
                value, resume = error, steps.throw

    def _interrupt_while(self, awaited: Any) -> None:
        self.interrupted = True
        if self._late and isinstance(awaited, asyncio.Future):
            awaited.add_done_callback(lambda _: self.interrupt())
        else:
            asyncio.get_running_loop().call_soon(self.interrupt)


class Fatality(Exception):
    """What fails in the same task group."""


async def _cancelled(stepped: Stepped) -> Any:
    task = asyncio.current_task()
    assert task is not None
    stepped.interrupt = task.cancel
    return await stepped


async def _out_of_time(stepped: Stepped) -> Any:
    async with asyncio.timeout(None) as deadline:
        stepped.interrupt = lambda: None if deadline.expired() else deadline.reschedule(0)
        return await stepped


async def _in_a_group_that_fails(stepped: Stepped) -> Any:
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def fail() -> None:
        await failure

    def interrupt() -> None:
        if not failure.done():
            failure.set_exception(Fatality())

    async def member() -> Any:
        result = await stepped
        interrupt()
        return result

    stepped.interrupt = interrupt
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            task = group.create_task(member())
    except* Fatality:
        if task.cancelled():
            raise asyncio.CancelledError from None
    return await task


# name of a way: who interrupts, whether late, and for how many suspensions more
WAYS: dict[str, tuple[Callable[[Stepped], Awaitable[Any]], bool, int]] = {
    "early": (_cancelled, False, 0),
    "late": (_cancelled, True, 0),
    "twice": (_cancelled, False, 1),
    "again and again": (_cancelled, False, 50),
    "by a timeout": (_out_of_time, False, 0),
    "by its task group": (_in_a_group_that_fails, False, 0),
}
INTERRUPTIONS = (asyncio.CancelledError, TimeoutError)


class Run:
    """How a coroutine ended: whether it was interrupted, and its value or the interruption."""

    def __init__(self, stepped: Stepped, value: Any, error: BaseException | None) -> None:
        self.interrupted = stepped.interrupted
        self.suspensions = stepped.suspensions
        self.value = value
        self.error = error

    def forget_frames(self) -> None:
        """Let go of what the frames of the interruption hold: psycopg's connect, its socket."""
        if self.error is not None:
            self.error.__traceback__ = self.error.__context__ = self.error.__cause__ = None


async def interrupted(work: Work, way: str, number: int) -> Run:
    """Run a coroutine and interrupt it at one of its suspensions."""
    main, late, again = WAYS[way]
    stepped = Stepped(work(), number, late=late, again=again)
    return await _ended(stepped, asyncio.ensure_future(main(stepped)))


async def interrupted_when(condition: Callable[[], bool], work: Work, way: str) -> Run:
    """Run a coroutine and interrupt it when the condition holds."""
    main, _, again = WAYS[way]
    stepped = Stepped(work(), ENOUGH**2, late=False, again=0)
    task = asyncio.ensure_future(main(stepped))
    end = time.monotonic() + PATIENCE
    while not condition():
        assert not task.done(), f"ended before it was interrupted: {task}"
        assert time.monotonic() < end, "what was to be interrupted did not begin"
        await asyncio.sleep(0)
    for _ in range(again + 1):
        stepped.interrupt()
        await asyncio.sleep(0)
    return await _ended(stepped, task)


async def _ended(stepped: Stepped, task: asyncio.Task[Any]) -> Run:
    await asyncio.wait([task], timeout=PATIENCE)
    if not task.done():
        task.print_stack()
        raise AssertionError(f"stuck after {stepped.suspensions} suspensions")
    try:
        return Run(stepped, task.result(), None)
    except INTERRUPTIONS as error:
        return Run(stepped, None, error)


async def sweep(
    work: Work,
    way: str,
    check: Callable[[Run], Awaitable[None]],
    around: Callable[[], AbstractAsyncContextManager[Any]] = nullcontext,
) -> int:
    """Interrupt at each suspension in turn and `check`; the answer is how many there were.

    Each run happens inside of `around`.
    """
    for number in range(1, ENOUGH):
        async with around():
            run = await interrupted(work, way, number)
        try:
            await check(run)
        except AssertionError as error:
            error.add_note(f"interrupted at suspension {number}: {run.error!r}")
            raise
        if not run.interrupted:
            return run.suspensions
    raise AssertionError(f"more than {ENOUGH} suspensions")


# --- what is left --------------------------------------------------------------------


class Witness:
    """A connection beside aorm's, which tells what aorm left behind."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        raise NotImplementedError

    def script(self, *statements: str) -> None:
        """Run statements in one transaction."""
        raise NotImplementedError

    def disturbance(self) -> str:
        """Statements, transactions or locks of others; empty when there are none."""
        raise NotImplementedError

    def connections(self) -> int:
        """How many others are connected to a server."""
        return 0

    def close(self) -> None:
        raise NotImplementedError

    async def quiet(self) -> None:
        """Wait until nothing of what was interrupted goes on; what is closed takes a moment."""
        end = time.monotonic() + PATIENCE
        while found := self.disturbance():
            assert time.monotonic() < end, found
            await asyncio.sleep(0)


class PostgresWitness(Witness):
    """Looks into the server's own tables."""

    BUSY = (
        "SELECT concat_ws(' ', state, wait_event, query) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' AND state <> 'idle'"
    )
    LOCKS = (
        "SELECT concat_ws(' ', locktype, relation::regclass, mode) FROM pg_locks"
        " WHERE pid <> pg_backend_pid() AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    CONNECTED = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SET lock_timeout = '5s'")  # a lock left behind fails the test

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()  # type: ignore[arg-type]

    def script(self, *statements: str) -> None:
        with self._connection.transaction():
            for statement in statements:
                self._connection.execute(statement)  # type: ignore[arg-type]

    def disturbance(self) -> str:
        return "; ".join(str(row[0]) for row in self.rows(f"{self.BUSY} UNION ALL {self.LOCKS}"))

    def connections(self) -> int:
        """How many others are connected."""
        return int(self.rows(self.CONNECTED)[0][0])

    def close(self) -> None:
        self._connection.close()


class SqliteWitness(Witness):
    """Tries to write: that fails at once while somebody else does."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def script(self, *statements: str) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            self._connection.execute(statement)
        self._connection.execute("COMMIT")

    def disturbance(self) -> str:
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            return str(error)
        self._connection.execute("ROLLBACK")
        return ""

    def close(self) -> None:
        self._connection.close()
