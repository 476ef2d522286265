"""Which transaction the running code is in.

1. It is carried by the context: tasks and threads that copy the context are in it as well.
2. The value is the innermost block of each database that this context has entered.  It is never
   changed in place, and it is set back to what it was rather than reset by a token: a block may be
   left in another context than the one in which it was entered.
3. A task whose block was closed elsewhere, as the loop does with an async generator that nobody
   reads to its end, has left it.  Who only inherited the block has not: see `Transaction.check`.
4. Code that is in no block is in the one that the database has around all code, if it has one: a
   test's, which so is found from every context (see `aorm.testing`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from aorm.connections import lazy
from aorm.connections.immediate import Immediate

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
    if block.closed and block.entered_by is not None:
        return _not_left(block, database)
    return block


def _not_left(block: Block, database: Any) -> Block | None:
    """The block where the task is that entered this one, which was closed somewhere else."""
    inner: Block | None = block
    while inner is not None and inner.closed and _is_ours(inner):
        inner = inner.before
    around: Block | None = database.around
    return around if inner is None else inner


def _is_ours(block: Block) -> bool:
    if block.entered_by is None or lazy.running_loop() is None:
        return False
    return block.entered_by() is lazy.asyncio_module().current_task()


def entered_block(database: Any) -> Block | None:
    """The innermost block that this context itself is in, open or not."""
    blocks = CURRENT.get()
    return None if blocks is None else blocks.get(database)


def enter(database: Any, block: Block) -> None:
    """From now on this context is in the block."""
    CURRENT.set({**(CURRENT.get() or {}), database: block})


def leave(database: Any, block: Block) -> None:
    """This context leaves the block, if it is in it, to the one around it."""
    blocks = CURRENT.get()
    if blocks is None or blocks.get(database) is not block:
        return
    rest = {other: inner for other, inner in blocks.items() if other is not database}
    if block.before is not None and block.before is not database.around:
        rest[database] = block.before
    CURRENT.set(rest or None)


@contextmanager
def staying_in(database: Any, block: Block) -> Iterator[None]:
    """This context is in the block for a while."""
    before = CURRENT.get()
    enter(database, block)
    try:
        yield
    finally:
        CURRENT.set(before)


class detached(Immediate[None]):
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
