"""`assert_num_queries`: a block in which exactly so many statements run."""

from __future__ import annotations

from types import TracebackType

from aorm.connections.capture import CapturedQuery, capture_everywhere

LONGEST = 300  # characters of a statement in the error


class assert_num_queries(capture_everywhere):
    """A block, `with` or `async with`, that fails unless so many statements run in it.

    Those of all tasks and threads count, with those that begin and end transactions and savepoints.
    The value of the block is the list of statements, as of `capture_queries`.

    Args:
        number: how many.
        using: the alias of the database; None for all.

    Raises:
        AssertionError: at the end of the block; it lists what ran.
    """

    def __init__(self, number: int, using: str | None = "default") -> None:
        super().__init__(using)
        self.number = number

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        super().__exit__(kind, error, traceback)
        if kind is None and len(self.queries) != self.number:
            raise AssertionError(_told(self.number, self.queries))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        self.__exit__(kind, error, traceback)


def _told(number: int, queries: list[CapturedQuery]) -> str:
    lines = [f"expected {_counted(number)}, but {len(queries)} ran"]
    for position, query in enumerate(queries, 1):
        sql = " ".join(query.sql.split())
        shown = sql if len(sql) <= LONGEST else f"{sql[:LONGEST]}..."
        values = f"  {list(query.params)!r}" if query.params else ""
        lines.append(f"{position:3}. {shown}{values[:LONGEST]}")
    return "\n".join(lines)


def _counted(number: int) -> str:
    return "1 statement" if number == 1 else f"{number} statements"
