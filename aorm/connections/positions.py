"""What a read has to see: the writes of this code, as positions in the log of the primary.

1. A commit only marks its scope: the position is asked for when somebody reads, or wants to hand
   it on, and is then that of a later moment, which is as good.
2. A scope is opened by `after_position`, and carried by the context as a transaction is: tasks and
   threads that are started in it share it.  Without one it is the whole process.
3. What a scope writes counts for those around it as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from aorm.connections.immediate import Immediate
from aorm.errors import QueryValueError
from aorm.late import urls

if TYPE_CHECKING:
    from types import TracebackType

#: The end of the log as a number; that of a replica, where this is one after all.
WRITTEN = (
    "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
    " ELSE pg_current_wal_insert_lsn() END - '0/0'::pg_lsn)::int8"
)


class Mark:
    """The last write to a database, and the position behind it once that is known."""

    __slots__ = ("_known", "write")

    def __init__(self, position: int = 0) -> None:
        self.write: object = None
        # one value, so that it is replaced at once: a write, and a position behind it
        self._known: tuple[object, int] = (None, position)

    @property
    def position(self) -> int | None:
        """Behind the last write; 0 where there was none, None where it has to be asked for."""
        write, position = self._known
        return position if write is self.write else None

    def note(self, write: object, position: int) -> None:
        """The position was asked for after this write."""
        self._known = (write, max(position, self._known[1]))


class Scope:
    """Code that reads its own writes."""

    __slots__ = ("_marks", "_start", "outer", "primary")

    def __init__(
        self, outer: Scope | None, start: Mapping[str, int] | None = None, primary: bool = False
    ) -> None:
        self.outer = outer
        self.primary = primary  # whether no replica will do
        self._start = start or {}
        self._marks: dict[Any, Mark] = {}

    def mark(self, database: Any) -> Mark:
        """What was written to this database."""
        found = self._marks.get(database)
        if found is None:
            found = self._marks.setdefault(database, Mark(self._start.get(database.alias, 0)))
        return found


SCOPE: ContextVar[Scope | None] = ContextVar("aorm_positions", default=None)


def wrote(database: Any, scope: Scope | None) -> None:
    """Something in this scope has, or may have, been written."""
    write = object()
    while scope is not None:
        scope.mark(database).write = write
        scope = scope.outer
    database.replicas.mark.write = write


def marks_here(database: Any) -> list[Mark]:
    """What a read in this context has to see."""
    scope = SCOPE.get()
    if scope is None:
        return [database.replicas.mark]
    marks = []
    while scope is not None:
        marks.append(scope.mark(database))
        scope = scope.outer
    return marks


def primary_wanted() -> bool:
    """Whether this code wants no replica."""
    scope = SCOPE.get()
    return scope is not None and scope.primary


class after_position(Immediate[None]):
    """A block of code that sees its own writes, and those before a position.

    `with` or `async with`, around a request for example: in it, a replica answers only when it has
    all that was written in the block, and before the position.  What others write does not count,
    other than outside of all such blocks, where every write of the process does.

    Args:
        token: what `write_position()` gave, here or in another process; None for no more than the
            block's own writes.
    Raises:
        QueryValueError: the token is none.
    """

    __slots__ = ("_outer", "_start")

    def __init__(self, token: str | None = None) -> None:
        self._start = parsed(token) if token else {}
        self._outer: list[Scope | None] = []

    def _scope(self, outer: Scope | None) -> Scope:
        return Scope(outer, self._start, primary=outer is not None and outer.primary)

    def __enter__(self) -> None:
        outer = SCOPE.get()
        self._outer.append(outer)
        SCOPE.set(self._scope(outer))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        SCOPE.set(self._outer.pop())


class on_primary(after_position):
    """A block of code, `with` or `async with`, whose reads go to the primary alone."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()

    def _scope(self, outer: Scope | None) -> Scope:
        return Scope(outer, primary=True)


def token_of(positions: Mapping[str, int]) -> str:
    """Positions by alias as text, which a cookie or a header can hold."""
    return urls.urlencode({alias: f"{position:X}" for alias, position in positions.items()})


def parsed(token: str) -> dict[str, int]:
    """The positions of a token.  It may come from anywhere: a false one costs speed, no more."""
    try:
        pairs = urls.parse_qsl(
            token, keep_blank_values=True, strict_parsing=True, max_num_fields=100
        )
        positions = {alias: int(position, 16) for alias, position in pairs}
    except ValueError:
        positions = {"": -1}
    if any(not 0 <= position < 1 << 63 for position in positions.values()):
        raise QueryValueError(f"{token[:100]!r} is no position that write_position() gave")
    return positions
