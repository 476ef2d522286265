"""COPY as operations: rows that are read from anywhere, and results that are written anywhere.

1. Rows are read between statements, a piece at a time, so that memory stays flat and whoever gives
   the rows may ask the database himself.
2. More than one statement makes a block: all rows are written, or none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from aorm.errors import NotSupportedError, QueryTypeError, QueryValueError
from aorm.late import pathlib
from aorm.sql.dialect import Dialect
from aorm.sql.late import copying
from aorm.steps import CopyIn, Operation, call, in_block, perform

ROWS = 500  # are read at a time
SIZE = 2**20  # characters of a statement, at least, unless it is the last one

Take = Callable[[], Operation[list[Any]]]


def check_copy(dialect: Dialect, instead: str) -> None:
    """NotSupportedError where a database has no COPY."""
    if not dialect.capabilities.copy:
        raise NotSupportedError(f"{dialect.vendor} has no COPY; use {instead}")


# --- in --------------------------------------------------------------------------


def copy_in(
    model: Any, rows: Any, fields: Iterable[str] | None, dialect: Dialect
) -> Operation[int]:
    """Write rows to a table: instances, mappings or sequences; the answer is their number.

    Args:
        rows: an iterable, or an asynchronous one.
        fields: the names of the fields that have values; without it, the keys of a mapping, or
            the columns of an instance except an automatic key that is not set.
    """
    check_copy(dialect, "bulk_create()")
    opts = model._meta.concrete_model._meta
    if opts.all_parents:
        raise QueryValueError("Can't copy into a multi-table inherited model")
    take = _taker(rows)
    first = yield from take()
    if not first:
        return 0
    names, copier = _copier(opts, first[0], fields, dialect)
    text, ended = yield from _filled(copier, names, first, take)
    if ended:
        return (yield from perform(CopyIn(copier.sql, text)))  # type: ignore[no-any-return]
    return (yield from in_block(_rest(copier, names, text, take)))


def _rest(copier: copying.Copier, names: Sequence[str], text: str, take: Take) -> Operation[int]:
    count = yield from perform(CopyIn(copier.sql, text))
    ended = False
    while not ended:
        text, ended = yield from _filled(copier, names, [], take)
        if text:
            count += yield from perform(CopyIn(copier.sql, text))
    return count  # type: ignore[no-any-return]


def _filled(
    copier: copying.Copier, names: Sequence[str], rows: list[Any], take: Take
) -> Operation[tuple[str, bool]]:
    """Lines for one statement, and whether there are no more rows."""
    parts = [copier.lines(rows, names)] if rows else []
    size = sum(map(len, parts))
    while size < SIZE:
        rows = yield from take()
        if not rows:
            return "".join(parts), True
        parts.append(copier.lines(rows, names))
        size += len(parts[-1])
    return "".join(parts), False


def _taker(rows: Any) -> Take:
    """What gives the next rows; an empty list at the end."""
    if hasattr(rows, "__iter__"):
        iterator = iter(rows)
        return lambda: _plain(iterator)
    if hasattr(rows, "__aiter__"):
        aiterator = rows.__aiter__()
        return lambda: call(_next_rows, aiterator)
    raise QueryTypeError(f"rows must be an iterable, not {type(rows).__name__}")


def _plain(iterator: Iterator[Any]) -> Operation[list[Any]]:
    yield from ()  # there is nothing to wait for
    return list(islice(iterator, ROWS))


async def _next_rows(iterator: Any) -> list[Any]:
    found: list[Any] = []
    while len(found) < ROWS:
        try:
            found.append(await iterator.__anext__())
        except StopAsyncIteration:
            break
    return found


def _copier(
    opts: Any, row: Any, fields: Iterable[str] | None, dialect: Dialect
) -> tuple[list[str], copying.Copier]:
    """The names of the fields and what makes the lines, as the first row says."""
    names = None if fields is None else list(fields)
    if getattr(row, "_meta", None) is not None:
        kind = "instance"
        if names is None:
            names = [f.name for f in opts.local_concrete_fields if _is_written(f, row, opts)]
    elif isinstance(row, Mapping):
        kind = "mapping"
        names = list(row) if names is None else names
    else:
        kind = "sequence"
        if names is None:
            raise QueryValueError("fields=... has to name what the values of a row are")
    found = [opts.get_field(name) for name in names]
    for field in found:
        if not field.concrete or field.generated or field.column is None:
            raise QueryValueError(f"{field.name!r} has no column that can be written")
    return names, copying.Copier(opts, found, kind, dialect)


def _is_written(field: Any, row: Any, opts: Any) -> bool:
    if field.generated:
        return False
    return field is not opts.auto_field or getattr(row, field.attname) is not None


# --- out -------------------------------------------------------------------------


@contextmanager
def sink(target: Any) -> Iterator[Callable[[bytes], Any]]:
    """What takes the bytes: a function, a binary file's `write`, or a new file of this path.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(target, str | os.PathLike):
        with pathlib.Path(target).open("wb") as file:
            yield file.write
    elif hasattr(target, "write"):
        yield target.write
    elif callable(target):
        yield target
    else:
        raise QueryTypeError(
            f"the target must be a path, a binary file or a function, not {type(target).__name__}"
        )
