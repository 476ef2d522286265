"""A transaction of SQLite in which foreign keys are not watched over.

A table that others refer to can be made anew only so, and only before a transaction begins can it
be said (SQLite documentation, "Making Other Kinds Of Table Schema Changes").
"""

from __future__ import annotations

from types import TracebackType

from aorm.connections.atomic import Atomic
from aorm.connections.databases import Database
from aorm.connections.transaction import Block


class Unchecked(Atomic):
    """`atomic()` on a connection of its own with foreign keys off, to be entered once.

    Inside of another block it is that block's savepoint, and foreign keys are as they are there.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database, True, False, None, False, None, 0)
        self._twin: Database | None = None

    @property
    def is_unchecked(self) -> bool:
        """Whether foreign keys are off."""
        return self._twin is not None

    def _source(self, database: Database) -> Database:
        self._twin = database.unbound.twin(foreign_keys=False)
        return self._twin

    def __enter__(self) -> Block:
        try:
            return super().__enter__()
        except BaseException:
            if self._twin is not None:
                self._twin.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(kind, error, traceback)
        finally:
            if self._twin is not None:
                self._twin.close()

    async def __aenter__(self) -> Block:
        try:
            return await super().__aenter__()
        except BaseException:
            if self._twin is not None:
                await self._twin.aclose()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await super().__aexit__(kind, error, traceback)
        finally:
            if self._twin is not None:
                await self._twin.aclose()
