"""Which transaction the running code is in.

1. It is carried by the context: tasks and threads that copy the context are in it as well.
2. The value is the innermost block of each database that this context has entered.  It is never
   changed in place, and it is set back to what it was rather than reset by a token: a block may be
   left in another context than the one in which it was entered.
3. Code that is in no block is in the one that the database has around all code, if it has one: a
   test's, which so is found from every context (see `aorm.testing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from aorm.connections.transaction import Block

# keyed by the Database itself: after `configure` an alias may mean another one
CURRENT: ContextVar[Mapping[Any, Block] | None] = ContextVar("aorm_transactions", default=None)


def current_block(database: Any) -> Block | None:
    """The innermost block that this code is in, open or not; None outside of all."""
    blocks = CURRENT.get()
    if blocks is None or (block := blocks.get(database)) is None:
        around: Block | None = database.around
        return around
    return block


def enter(database: Any, block: Block) -> None:
    """From now on this context is in the block."""
    CURRENT.set({**(CURRENT.get() or {}), database: block})


def leave(database: Any, block: Block) -> None:
    """This context leaves the block, if it is in it, to the one around it."""
    blocks = CURRENT.get()
    if blocks is None or blocks.get(database) is not block:
        return
    rest = {other: inner for other, inner in blocks.items() if other is not database}
    if block.parent is not None and block.parent is not database.around:
        rest[database] = block.parent
    CURRENT.set(rest or None)


class detached:
    """`with detached():` what is started here does not inherit the transactions of this code."""

    __slots__ = ("_inherited",)

    def __enter__(self) -> None:
        self._inherited = CURRENT.get()
        CURRENT.set(None)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        CURRENT.set(self._inherited)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)
