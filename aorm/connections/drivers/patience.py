"""psycopg's connections, with an end of waiting for a server that does not answer any more.

A network that has gone silent tells nobody, and psycopg waits as long as it takes.  A connection
whose patience is over is closed: what the server did is not known, and it has got no say any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from time import monotonic
from typing import Any

import psycopg
from psycopg import waiting
from psycopg.pq import TransactionStatus

from aorm.connections.sides import to_the_end

WAIT_INTERVAL = 0.1  # seconds; psycopg's own
ACTIVE = int(TransactionStatus.ACTIVE)
NOT_READY = 0  # what psycopg sends into a generator now and then while it waits


class PatientConnection(psycopg.Connection[Any]):
    """Waits for an answer at most `patience` seconds; None is for ever."""

    patience: float | None = None
    stop_within = 5.0  # seconds

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Drive a generator of psycopg."""
        if self.patience is not None:
            gen = limited(gen, self.pgconn, self.patience)
        return super().wait(gen, *args, **kwargs)


class PatientAsyncConnection(psycopg.AsyncConnection[Any]):
    """A connection of psycopg that has the server stop what was cancelled, and sees it through.

    psycopg does so, too, but hangs up when it is cancelled again: the statement would go on.
    """

    patience: float | None = None
    stop_within = 5.0  # seconds, for stopping a cancelled statement

    async def wait(
        self,
        gen: Any,
        interval: float = WAIT_INTERVAL,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's signature
    ) -> Any:
        """Drive a generator of psycopg's to its end."""
        if self.patience is not None:
            gen = limited(gen, self.pgconn, self.patience)
        options = {} if timeout is None else {"timeout": timeout}  # not there before 3.3
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval, **options)
        except asyncio.CancelledError:
            if self.pgconn.transaction_status == ACTIVE:
                await to_the_end(self._stop(gen))
            raise

    async def _stop(self, gen: Any) -> None:
        try:
            async with asyncio.timeout(self.stop_within):
                await self.cancel_safe(timeout=self.stop_within)
                await waiting.wait_async(gen, self.pgconn.socket, WAIT_INTERVAL)
        except psycopg.errors.QueryCanceled:
            pass
        except (psycopg.Error, OSError, TimeoutError):
            self.pgconn.finish()


def limited(
    work: Generator[Any, Any, Any], pgconn: Any, seconds: float
) -> Generator[Any, Any, Any]:
    """A generator that does what another one does, not for longer than this."""
    deadline = monotonic() + seconds
    try:
        wanted = next(work)
        while True:
            ready = yield wanted
            if ready == NOT_READY and monotonic() >= deadline:
                work.close()
                pgconn.finish()
                raise psycopg.OperationalError(f"no answer from the server within {seconds:g} s")
            wanted = work.send(ready)
    except StopIteration as done:
        return done.value
