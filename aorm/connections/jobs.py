"""Operations on SQLite as jobs in one line, from which the connections' threads serve themselves.

1. While a thread is at work, further jobs get in line; a thread that has finished one takes the
   next itself.  Neither has to wait for the loop, and the loop hears of many answers at once.
2. A line that hardly moves (fewer than `QUICK_JOBS` in `GROW_AFTER`) gets one more thread, up to
   `pool_size`: short jobs stay on one, which does not fight others for the interpreter, and long
   ones overlap.
3. Tasks that need a connection for themselves (transactions, streams) wait in the same line; a
   thread that finds one of them first gives its connection back to the loop.
4. A job that has to go on on the loop (user code) keeps its connection until it has ended.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from time import monotonic
from typing import Any

from aorm.connections.apool import AsyncPool
from aorm.connections.holders import timeout_error
from aorm.connections.hops import Drive, Finished, driven, thrown
from aorm.connections.pool_state import PoolState, SharedState
from aorm.connections.repeated import Repeated
from aorm.connections.urls import Address
from aorm.steps import Operation, Read, Rest, Single, Statement

GROW_AFTER = 0.001  # seconds
QUICK_JOBS = 8


class Job:
    """Something for a thread to do.

    It stands in the line of the pool as a future would: `set_result` gives it its connection, or
    None, the right to make one.
    """

    __slots__ = (
        "connection",
        "dropped",
        "error",
        "future",
        "holder",
        "outcome",
        "pool",
        "replied",
        "since",
    )

    def __init__(self, pool: JobPool) -> None:
        self.pool = pool
        self.future = pool.loop.create_future()
        self.holder = asyncio.current_task()
        self.since = 0.0  # when it got in line
        self.connection: Any = None
        self.error: BaseException | None = None
        self.replied = False
        self.dropped = False  # cancelled before there was a connection

    def run(self, connection: Any) -> None:
        """Runs on the thread: sets `outcome` or `error`."""
        raise NotImplementedError

    def ended(self) -> bool:
        """Whether it needs its connection no more."""
        return True

    def done(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.dropped

    def set_result(self, connection: Any) -> None:
        """Go on, with this connection or with a new one."""
        if connection is None:
            self.pool.open_for(self, reserved=True)
        else:
            self.pool.start(self, connection)

    def fail(self, error: BaseException) -> None:
        """There is no connection for it."""
        self.error = error
        self.answer()

    def answer(self) -> None:
        """Wake who waits for it."""
        self.replied = True
        if not self.future.done():
            self.future.set_result(None)


class Asking(Job):
    """One statement; its outcome is the reply."""

    __slots__ = ("context", "step")

    def __init__(self, pool: JobPool, step: Statement) -> None:
        super().__init__(pool)
        self.step = step
        # results may be made by code of the user's
        self.context = copy_context() if type(step) is Read else None

    def run(self, connection: Any) -> None:
        step, inner = self.step, connection.inner
        try:
            if inner.interrupted:
                raise asyncio.CancelledError
            if self.context is not None:
                self.outcome = self.context.run(inner.read, step)
            else:
                self.outcome = getattr(inner, step.method)(step.sql, step.params)
        except BaseException as error:
            self.error = error


class Driving(Job):
    """An operation up to its end, or up to its first call of user code."""

    __slots__ = ("context", "driving", "step")

    def __init__(self, pool: JobPool, driving: Drive, step: Any) -> None:
        super().__init__(pool)
        self.driving = driving
        self.step = step
        self.context = copy_context()

    def run(self, connection: Any) -> None:
        try:
            self.outcome = self.context.run(self.driving.start, connection, self.step)
        except BaseException as error:
            self.error = error

    def ended(self) -> bool:
        return self.driving.ended


class JobPool(AsyncPool):
    """Lends connections to tasks, and lets their threads run jobs."""

    __slots__ = ("_draining", "_opening", "_replies", "_running", "_seen", "_served", "_timer")

    state: SharedState[Any, Any]

    def __init__(self, alias: str, address: Address, connect: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(alias, address, connect)
        self._running = 0  # threads at work
        self._served = 0  # jobs that were taken from the line
        self._seen: int | None = None  # the same at the last look; None: the line is new
        self._replies: deque[tuple[Job, bool, Any]] = deque()
        self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._opening: set[asyncio.Task[None]] = set()

    def _state(self, limit: int) -> SharedState[Any, Any]:
        return SharedState(limit)

    async def ask(self, single: Single[Any], database: Any) -> Any:
        """The value of an operation of one statement; it is made on the loop."""
        job = Asking(self, single.step)
        if not self._begun(job):
            self.start(job, await self.acquire())
        try:
            await job.future
        except asyncio.CancelledError:
            await self._stop(job)
            raise
        if job.error is not None:
            raise job.error
        value = single.finish(job.outcome)
        if type(value) is not Rest:
            return value
        try:
            step = value.operation.send(None)
        except StopIteration as done:
            return done.value
        return await self.perform(value.operation, step, database)

    async def perform(self, operation: Operation[Any], step: Any, database: Any) -> Any:
        """Drive an operation, whose first step is this, to its end; the answer is its value."""
        driving = Drive(operation, database, None)
        job = Driving(self, driving, step)
        if not self._begun(job):
            try:
                connection = await self.acquire()
            except BaseException:
                operation.close()
                raise
            self.start(job, connection)
        try:
            await job.future
        except asyncio.CancelledError as error:
            await self._stop(job)
            if job.connection is None:
                operation.close()
            if job.connection is None or driving.ended:
                raise
            return await self._kept(job, thrown(driving, error))
        if job.error is not None:
            if job.connection is None:
                operation.close()
            raise job.error
        if type(job.outcome) is Finished:
            return job.outcome.value
        return await self._kept(job, driven(driving, job.outcome))

    def _begun(self, job: Job) -> bool:
        """Get in line, or start on a connection that is idle; False: there is none."""
        if self._running:
            self._line_up(job)
            return True
        connection = self.take()
        if connection is None:
            return False
        self.start(job, connection)
        return True

    async def _kept(self, job: Driving, rest: Awaitable[Any]) -> Any:
        """What is left of an operation that keeps its connection."""
        try:
            if job.driving.block is not None:
                job.driving.block.transaction.side.free()
            return await rest
        finally:
            self.give(job.connection)

    async def _stop(self, job: Job) -> None:
        """Out of the line, or off the thread, when the task was cancelled."""
        if job.replied or self.state.leave(job):
            return
        if job.connection is None:
            job.dropped = True
            return
        job.future = done = self.loop.create_future()
        with Repeated(self.loop, partial(self._interrupt, job), 0):
            while not done.done():
                try:
                    await asyncio.shield(done)
                except asyncio.CancelledError:
                    continue  # once is enough: the first one goes on when the thread is done

    def _interrupt(self, job: Job) -> None:
        with self.state.mutex:
            if job.connection.job is job:
                job.connection.inner.interrupt()

    # --- the line -----------------------------------------------------------------------

    def _line_up(self, job: Job) -> None:
        job.since = monotonic()
        self.state.waiting.append(job)
        if self._timer is None:
            self._seen = None
            self._timer = self.loop.call_later(GROW_AFTER, self._look)

    def _look(self) -> None:
        """Lend a hand where the line does not move; end waits that took too long."""
        self._timer = None
        state, timeout = self.state, self.address["pool_timeout"]
        late = monotonic() - timeout
        while (job := state.first(Job)) is not None and job.since <= late:
            if state.leave(job):
                job.fail(timeout_error(self.alias, state.limit, timeout, state.used))
        delay = GROW_AFTER if job is None else job.since - late
        if state.idle or state.size < state.limit:
            delay = GROW_AFTER
            # A first look tells nothing: the loop may have kept the interpreter all the time.
            slow = self._seen is not None and self._served - self._seen < QUICK_JOBS
            self._seen = self._served
            job = state.next_of(Job) if slow else None
            if job is not None:
                connection = self.take()
                if connection is not None:
                    self.start(job, connection)
                else:
                    self.open_for(job, reserved=False)
        if state.waiting:
            self._timer = self.loop.call_later(delay, self._look)

    def open_for(self, job: Job, *, reserved: bool) -> None:
        """Start a job on a connection that has yet to be made, or looked at."""
        task = self.loop.create_task(self._open(job, reserved))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, job: Job, reserved: bool) -> None:
        try:
            connection = await (self._connected() if reserved else self.acquire())
        except BaseException as error:
            job.fail(error)
            if not isinstance(error, Exception):
                raise
            return
        if job.dropped:
            self.give(connection)
        else:
            self.start(job, connection)

    # --- to the thread and back ---------------------------------------------------------

    def start(self, job: Job, connection: Any) -> None:
        """Send a job to the thread of a connection that is in use for it."""
        self._running += 1
        if job.since:
            self.state.note_wait(monotonic() - job.since)
        self._assign(job, connection)
        connection.put((None, self._work, (connection, job)))

    def _assign(self, job: Job, connection: Any) -> None:
        connection.job = job
        connection.holder = job.holder
        job.connection = connection

    def _work(self, connection: Any, job: Job) -> None:
        """Runs on the thread: this job, and those that it can take from the line."""
        while True:
            job.run(connection)
            following = self._following(connection, job)
            if following is not None:
                self._reply(job, False, None)
                job = following
                continue
            self._reply(job, True, connection if job.ended() else None)
            return

    def _following(self, connection: Any, job: Job) -> Job | None:
        """Runs on the thread: the next job, if this connection may take it."""
        state = self.state
        with state.mutex:
            connection.job = None
            if connection.inner.interrupted:  # it was meant for the job that has ended
                connection.inner.interruption_ends()
            waiting = state.waiting
            if not waiting or not isinstance(waiting[0], Job) or not job.ended():
                return None
            now = monotonic()
            if now >= connection.expires or self.loop.is_closed() or not connection.idle():
                return None
            following: Job = waiting.popleft()
            self._served += 1
            self._assign(following, connection)
            connection.used_at = now
            PoolState.note_wait(state, now - following.since)
        return following

    def _reply(self, job: Job, ended: bool, connection: Any) -> None:
        """Runs on the thread: tell the loop, unless it is about to look anyway."""
        self._replies.append((job, ended, connection))
        if not self._draining:
            self._draining = True
            try:
                self.loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                return  # the loop has closed: nobody waits for it

    def _drain(self) -> None:
        self._draining = False
        replies = self._replies
        while replies:
            job, ended, connection = replies.popleft()
            if ended:
                self._running -= 1
                if connection is not None:
                    self.give(connection)
            job.answer()
