"""SQL of the user's own: `%s` placeholders in every database, and a PEP 249 cursor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from aorm.connections.connection import RawResult
from aorm.errors import InterfaceError, ProgrammingError

Values = Sequence[Any] | Mapping[str, Any] | None

_PLACEHOLDER = r"%(?:\((?P<name>[^)]+)\))?(?P<kind>.?)"


def native(vendor: str, sql: str, params: Values) -> tuple[str, Sequence[Any]]:
    """The text and the values in the database's own way.

    Without values the text is left alone, as PEP 249's drivers do; so it is when it has no `%s`.
    """
    if params is None:
        return sql, ()
    if isinstance(params, Mapping):
        return _by_name(vendor, sql, params)
    if not params or "%s" not in sql:
        return sql.replace("%%", "%"), tuple(params)
    values = tuple(params)
    used = 0

    def placed(match: re.Match[str]) -> str:
        nonlocal used
        if match["kind"] == "%":
            return "%"
        if match["kind"] != "s" or match["name"]:
            raise ProgrammingError(f"placeholders are %s, and a percent sign is %%: {match[0]!r}")
        used += 1
        return _mark(vendor, used)

    text = re.sub(_PLACEHOLDER, placed, sql, flags=re.DOTALL)
    if used != len(values):
        raise ProgrammingError(f"the statement has {used} placeholders, not {len(values)}")
    return text, values


def _by_name(vendor: str, sql: str, params: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
    values: list[Any] = []

    def placed(match: re.Match[str]) -> str:
        if match["kind"] == "%" and not match["name"]:
            return "%"
        if match["kind"] != "s" or not match["name"]:
            raise ProgrammingError(f"placeholders are %(name)s: {match[0]!r}")
        try:
            values.append(params[match["name"]])
        except KeyError:
            raise ProgrammingError(f"no value for the placeholder {match[0]!r}") from None
        return _mark(vendor, len(values))

    return re.sub(_PLACEHOLDER, placed, sql, flags=re.DOTALL), values


def _mark(vendor: str, number: int) -> str:
    return "?" if vendor == "sqlite" else f"${number}"


class Cursor:
    """A PEP 249 cursor whose results are read at once, so it holds no connection in between."""

    arraysize = 1

    def __init__(self, database: Any) -> None:
        self._database = database
        self._rows: Iterator[Any] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.description: tuple[tuple[Any, ...], ...] | None = None

    def __enter__(self) -> Cursor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the result."""
        self._rows = None

    def execute(self, sql: str, params: Values = None) -> Cursor:
        """Run a statement; values are `%s` or `%(name)s` in its text."""
        database = self._database
        self._keep(database.shown(database.run_raw(*native(database.vendor, sql, params))))
        return self

    def executemany(self, sql: str, rows: Iterable[Values]) -> Cursor:
        """Run a statement once for each row of values."""
        changed = 0
        for row in rows:
            self.execute(sql, row)
            changed += max(self.rowcount, 0)
        self.rowcount = changed
        return self

    def _keep(self, result: RawResult) -> None:
        self._rows = None if result.rows is None else iter(map(tuple, result.rows))
        self.rowcount = result.rowcount
        self.description = result.description
        self.lastrowid = result.lastrowid

    def _result(self) -> Iterator[Any]:
        if self._rows is None:
            raise InterfaceError("the cursor has no result to fetch from")
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, or None."""
        return next(self._result(), None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows, at most `size`."""
        rows = self._result()
        return [row for _, row in zip(range(size or self.arraysize), rows, strict=False)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        return list(self._result())

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._result()
