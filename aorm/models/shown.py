"""`queryset.query`: the query with its values, to be looked at, kept or pickled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from aorm.connections import connections
from aorm.errors import EmptyResultSet
from aorm.models.placing import check_database
from aorm.query.query import Query
from aorm.sql.compiled import Compiled
from aorm.sql.late import select

# A number shows by itself that it is an integer.
_MARKS = r"\$(\d+)(?:::integer\b(?!\[))?|\?|%"
_templates: dict[str, tuple[str, tuple[int, ...] | None]] = {}
_MAX_TEMPLATES = 1000


class ShownQuery:
    """A query and its values.

    `str()` is the SQL with the values written into it, to be read by people: run the text of
    `sql_with_params()` instead.
    """

    __slots__ = ("_db", "_queryset")

    def __init__(self, queryset: Any) -> None:
        self._queryset = queryset

    @property
    def parts(self) -> tuple[Query, tuple[Any, ...]]:
        """The structure, and the values by slot."""
        return self._queryset._query, self._queryset._values

    def as_subquery(self) -> tuple[Query, tuple[Any, ...]]:
        """The query and its values, for the place of an operand."""
        return self.parts

    @property
    def model(self) -> Any:
        return self._queryset.model

    def _compiled(self) -> Compiled:
        queryset = self._queryset
        check_database(queryset._query, queryset.db)
        compiled: Compiled = select.compile_select(
            queryset._query, connections[queryset.db].dialect
        )
        if compiled.empty:
            raise EmptyResultSet("no row can match this query, so it has no SQL")
        return compiled

    def sql_with_params(self) -> tuple[str, tuple[Any, ...]]:
        """The SQL with the database's placeholders, and the parameters.

        Raises EmptyResultSet where no row can match.
        """
        compiled = self._compiled()
        return compiled.sql, tuple(compiled.bind(self._queryset._values))

    def __str__(self) -> str:
        compiled = self._compiled()
        template, order = _templates.get(compiled.sql) or _template(compiled.sql)
        params = compiled.bind(self._queryset._values)
        if order is not None:
            params = [params[place] for place in order]
        return template % tuple(
            [
                p
                if type(p) is int
                else "'" + p.replace("'", "''") + "'"
                if type(p) is str
                else _shown(p)
                for p in params
            ]
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ShownQuery.__slots__:
            raise AttributeError(name)
        return getattr(self._queryset._query, name)

    def __reduce__(self) -> Any:
        return (_restored, (*self.parts, self._queryset.model, self._queryset._db))


def _restored(query: Query, values: tuple[Any, ...], model: Any, db: str | None) -> ShownQuery:
    return ShownQuery(_Kept(query, values, model, db))


class _Kept:
    """What of a QuerySet a pickled query keeps."""

    def __init__(self, query: Query, values: tuple[Any, ...], model: Any, db: str | None) -> None:
        self._query = query
        self._values = values
        self.model = model
        self._db = db

    @property
    def db(self) -> str:
        return self._db or "default"


def _template(sql: str) -> tuple[str, tuple[int, ...] | None]:
    order: list[int] = []

    def mark(match: re.Match[str]) -> str:
        if match[0] == "%":
            return "%%"
        order.append(int(match[1]) - 1 if match[1] else len(order))
        return "%s"

    text = re.sub(_MARKS, mark, sql)
    places = None if order == list(range(len(order))) else tuple(order)
    if len(_templates) >= _MAX_TEMPLATES:
        _templates.clear()
    _templates[sql] = (text, places)
    return text, places


def _shown(value: Any) -> str:
    """A value as it would be written in SQL."""
    if isinstance(value, bytes | memoryview):
        return f"'\\x{bytes(value).hex()}'"
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"({', '.join(map(_shown, value))})"
    return "'" + str(value).replace("'", "''") + "'"
