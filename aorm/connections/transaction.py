"""What a transaction is and how its blocks open and close, apart from who waits for what.

1. The outermost block is the transaction, a nested one is a savepoint, or nothing but a mark where
   it was asked for without one.
2. A failure inside marks the transaction for rollback; from then on no statement runs until the
   block that can undo it has ended: the nearest savepoint, or all.
3. `opening` and `closing` are generators of SQL to run, so that a thread, a loop and SQLite's
   worker thread close a block in the same way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from types import FrameType
from typing import TYPE_CHECKING, Any

from aorm.connections.positions import SCOPE, wrote
from aorm.connections.turns import Turns, open_block
from aorm.errors import DatabaseError, Error, TransactionManagementError
from aorm.records import Record

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

Commands = Generator[str, None, Any]

BROKEN = (
    "An error occurred in the current transaction. You can't execute queries until the end of"
    " the 'atomic' block."
)


class Callback(Record):
    """What `on_commit` was given, and where."""

    function: Callable[[], Any]
    robust: bool
    block: Block | None  # None outside of a transaction


class Block:
    """One `atomic()` that was entered, or the block of an operation.

    `with atomic() as transaction` gives it, for `queryset.using(transaction)`.
    """

    __slots__ = (
        "__weakref__",  # what is remembered of its rows goes with it
        "before",
        "closed",
        "entered_by",
        "inside",
        "owner",
        "parent",
        "place",
        "savepoint",
        "transaction",
    )

    def __init__(
        self,
        transaction: Transaction,
        parent: Block | None,
        savepoint: str | None,
        owner: Any,
        place: tuple[str, int],
    ) -> None:
        self.transaction = transaction
        self.parent = parent
        self.savepoint = savepoint
        self.owner = owner
        self.place = place
        self.closed = False
        self.inside: Any = None  # what `run` sends statements to, see there
        self.before = parent  # where the context was that entered it
        self.entered_by: Callable[[], Any] | None = None  # the task, weakly

    @property
    def where(self) -> str:
        """File and line where it was opened."""
        return f"{self.place[0]}:{self.place[1]}"


class Transaction:
    """An open transaction on one connection; `home` is the loop of that connection, or None."""

    __slots__ = (
        "__weakref__",  # what is remembered of its rows goes with it
        "_savepoints",
        "callbacks",
        "cause",
        "committed",
        "connection",
        "database",
        "ended",
        "home",
        "manual",
        "needs_rollback",
        "pool",
        "positions",
        "root",
        "scope",
        "side",
        "turns",
        "usable",
    )

    def __init__(
        self,
        database: Any,
        pool: Any,
        connection: Any,
        home: AbstractEventLoop | None,
        owner: Any,
        place: tuple[str, int],
    ) -> None:
        self.database = database
        self.pool = pool
        self.connection = connection
        self.home = home
        self.root = Block(self, None, None, owner, place)
        self.turns = Turns(self.root)
        self.callbacks: list[Callback] = []
        self.positions: dict[str, int] = {}  # manual savepoint: callbacks registered before it
        self.manual = False  # opened by set_autocommit(False)
        self.usable = True  # neither ended nor in need of a rollback: one look for both
        self.ended = False
        self.committed = False
        self.needs_rollback = False
        self.cause: BaseException | None = None
        self.side: Any = None
        # whose writes they are, wherever the commit will run
        self.scope = None if database.replicas is None else SCOPE.get()
        self._savepoints = 0

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written in it."""
        return bool(getattr(self.root.owner, "read_only", False))

    def check(self) -> None:
        """Raise TransactionManagementError unless statements may run."""
        if self.ended:
            raise TransactionManagementError(
                f"the transaction opened at {self.root.where} has ended, but code that was started"
                " in it still uses it; await that code inside of the block, or start it in"
                " `with aorm.detached():`"
            )
        if self.needs_rollback:
            raise TransactionManagementError(BROKEN) from self.cause

    def mark(self, cause: BaseException | None) -> None:
        """From now on this can only be rolled back."""
        self.needs_rollback = True
        self.cause = cause
        self.usable = False

    def unmark(self) -> None:
        """What was wrong has been undone."""
        self.needs_rollback = False
        self.cause = None
        self.usable = not self.ended

    def note(self, error: BaseException) -> None:
        """A statement failed: mark the transaction if the database will not go on with it."""
        if not isinstance(error, Exception) or (
            isinstance(error, Error)
            and (
                self.database.vendor == "postgresql"
                or self.connection.lost
                # SQLite itself has rolled back: disk full, out of memory
                or self.connection.idle()
            )
        ):  # cancelled in the middle
            self.mark(error)

    def give_back(self) -> None:
        """It has ended: return the connection, unless an operation only lent it."""
        if self.pool is not None:
            self.pool.give(self.connection)

    # --- blocks ---------------------------------------------------------------------

    def opening(
        self, parent: Block, savepoint: bool, owner: Any, place: tuple[str, int]
    ) -> Generator[str, None, Block]:
        """Open a nested block.  One in a transaction that must roll back gets no savepoint."""
        if self.ended:
            self.check()
        name = None
        if savepoint and not self.needs_rollback:
            name = self.next_savepoint()
            yield f"SAVEPOINT {name}"
        self.turns.top = block = Block(self, open_block(parent), name, owner, place)
        return block

    def closing(self, block: Block, failed: bool) -> Commands:
        """Close a nested block: release its savepoint, or roll back to it."""
        self._close_blocks_in(block)
        if failed or self.needs_rollback:
            yield from self._undo(block)
        elif block.savepoint is not None:
            yield from self._release(block)

    def _undo(self, block: Block) -> Commands:
        cause = self.cause
        self.unmark()
        if block.savepoint is None:
            self.mark(cause)
            return
        self.callbacks = [kept for kept in self.callbacks if not within(kept.block, block)]
        try:
            yield f"ROLLBACK TO SAVEPOINT {block.savepoint}"
            yield f"RELEASE SAVEPOINT {block.savepoint}"
        except Error as error:
            self.mark(error)

    def _release(self, block: Block) -> Commands:
        try:
            yield f"RELEASE SAVEPOINT {block.savepoint}"
        except DatabaseError:
            yield from self._undo(block)
            raise

    def ending(self, failed: bool) -> Generator[str, None, list[Callback]]:
        """End the transaction: commit or roll back.  The answer is what to call after a commit."""
        commit = not failed and not self.needs_rollback
        self._close_blocks_in(self.root)
        # from here on: who comes while COMMIT or ROLLBACK runs is too late for either
        self.ended = True
        self.usable = False
        try:
            if commit:
                yield from self._commit()
                self.committed = True
                return self.callbacks
            yield from self._roll_back()
            return []
        finally:
            if commit and self.database.replicas is not None and not self.read_only:
                wrote(self.database, self.scope)

    def _commit(self) -> Commands:
        try:
            yield "COMMIT"
        except DatabaseError:
            yield from self._roll_back()
            raise

    def _roll_back(self) -> Commands:
        try:
            yield "ROLLBACK"
        except Error:
            # the connection is closed instead, and the server rolls back on its own
            self.connection.broken = True

    def give_up_inside(self, block: Block) -> None:
        """The blocks inside of this one count as closed, whoever opened them."""
        top = self.turns.top
        while top is not None and top is not block:
            top.closed = True
            top = top.parent
        self.turns.top = block

    def _close_blocks_in(self, block: Block) -> None:
        self.give_up_inside(block)
        block.closed = True
        self.turns.top = block.parent

    # --- savepoints by hand -----------------------------------------------------------

    def next_savepoint(self) -> str:
        """A name that this transaction has not used yet."""
        self._savepoints += 1
        return f"aorm_{self._savepoints}"

    def saving(self) -> Generator[str, None, str]:
        """Make a savepoint by hand."""
        name = self.next_savepoint()
        yield f"SAVEPOINT {name}"
        self.positions[name] = len(self.callbacks)
        return name

    def releasing(self, name: str) -> Commands:
        """Keep what happened since a savepoint."""
        self._known(name)
        yield f"RELEASE SAVEPOINT {name}"

    def returning(self, name: str) -> Commands:
        """Undo what happened since a savepoint; a failure since then is undone with it."""
        position = self._known(name)
        yield f"ROLLBACK TO SAVEPOINT {name}"
        if self.cause is not None:
            self.unmark()
        del self.callbacks[position:]

    def forget_savepoints(self) -> None:
        """Names begin anew; savepoints made by hand before are unknown from now on."""
        self.positions.clear()

    def _known(self, name: str) -> int:
        # names reach SQL text, so only our own do
        if name not in self.positions:
            raise TransactionManagementError(f"this transaction has no savepoint {name!r}")
        return self.positions[name]


def within(block: Block | None, outer: Block) -> bool:
    """Whether a block is the other one or inside it."""
    while block is not None and block is not outer:
        block = block.parent
    return block is not None


def begin_sql(vendor: str, isolation: str | None, read_only: bool, deferrable: bool | None) -> str:
    """The statement that begins a transaction; `isolation` has been checked."""
    if vendor == "sqlite":
        # a deferred transaction fails at once when it begins to write and another one has
        return "BEGIN" if read_only else "BEGIN IMMEDIATE"
    words = ["BEGIN"]
    if isolation:
        words.append(f"ISOLATION LEVEL {isolation.upper()}")
    if read_only:
        words.append("READ ONLY")
    if deferrable is not None:
        words.append("DEFERRABLE" if deferrable else "NOT DEFERRABLE")
    return " ".join(words)


def place_of_caller() -> tuple[str, int]:
    """File and line of the nearest code that is not aorm's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_ours(frame):
        frame = frame.f_back
    return ("?", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def is_ours(frame: FrameType) -> bool:
    """Whether the frame runs code of aorm."""
    name: str = frame.f_globals.get("__name__", "")
    return name == "aorm" or name.startswith("aorm.")
