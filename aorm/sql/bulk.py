"""INSERT and UPDATE statements of many rows.

1. Where a list can be one parameter, a statement has one for each column, and is the same for any
   number of rows; elsewhere it has the values of a number of rows.
2. Expressions in the place of values take an INSERT to the second form; an UPDATE of such a row
   is a statement of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, cast

from aorm.fields.base import DatabaseDefault, Field, is_expression
from aorm.records import Record
from aorm.sql.binding import (
    NotPlain,
    instance_columns,
    instance_values,
    is_computed,
    kept,
    row_columns,
    storing_many,
)
from aorm.sql.dialect import Dialect
from aorm.sql.writes import (
    Conflict,
    conflict_sql,
    element_type,
    has_default_keyword,
    key_sql,
    names,
    next_version,
    returning_sql,
    step,
    written,
)
from aorm.steps import Execute, Statement

# More rows would make a statement no cheaper, and take memory.
_MOST_ROWS = 20_000
_MOST_PARAMETERS = 65_535


def rows_that_fit(width: int, dialect: Dialect) -> int:
    """How many rows of so many parameters a statement can have."""
    return max((dialect.capabilities.max_parameters or _MOST_PARAMETERS) // max(width, 1), 1)


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """The items in their order, so many at a time."""
    if len(items) <= size:
        if items:
            yield items
        return
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _arrays(fields: Sequence[Field[Any]], dialect: Dialect, first: int = 1) -> list[str] | None:
    """The parameters for whole columns; None where there cannot be any."""
    if not fields or not dialect.capabilities.array_parameters:
        return None
    types = ["text" if dialect.cast(field) else element_type(field, dialect) for field in fields]
    if None in types:
        return None
    return [f"{dialect.placeholder(first + i)}::{kind}[]" for i, kind in enumerate(types)]


def _column_type(field: Field[Any], dialect: Dialect) -> str | None:
    """The type that a value is cast to for a column, without its length."""
    return element_type(field, dialect) or field.db_type(dialect)


def _read(fields: Sequence[Field[Any]], names: Sequence[str], dialect: Dialect) -> list[str]:
    """The columns of such parameters, brought to the types that they were bound as texts for."""
    return [
        name + dialect.cast(field).removeprefix("::text")
        for field, name in zip(fields, names, strict=True)
    ]


class Batch(Record):
    """A statement for some objects, and what takes the rows that come back."""

    statement: Statement
    store: Callable[[Any, Any], None] | None
    objs: Sequence[Any]


# --- INSERT ----------------------------------------------------------------------


class BulkInserter:
    """INSERT of many rows of a table.

    Args:
        opts: the options of the model whose table it is.
        fields: the fields that have values.
        returning: the fields that come back.
        conflict: what happens to rows that are there already.
    """

    def __init__(
        self,
        opts: Any,
        fields: Iterable[Field[Any]],
        returning: Iterable[Field[Any]],
        dialect: Dialect,
        conflict: Conflict | None = None,
    ) -> None:
        self.opts = opts
        self.dialect = dialect
        self.fields = tuple(field for field in fields if not field.generated)
        self.returning = tuple(returning)
        self.conflict = conflict
        self.columns = instance_columns(self.fields, dialect, True)
        self.row_columns = row_columns(self.fields, dialect)
        self.store = storing_many(self.returning, dialect) if self.returning else None
        arrays = _arrays(self.fields, dialect)
        self.array_sql: str | None = None
        if arrays is not None:
            source = self._select(arrays)
            self.array_sql = self._sql(source, self.returning)
        self.most = rows_that_fit(len(self.fields), dialect) if arrays is None else _MOST_ROWS
        self._values_sql: dict[int, str] = {}

    def _select(self, arrays: Sequence[str]) -> str:
        names = [f"v{i}" for i in range(len(self.fields))]
        columns = _read(self.fields, names, self.dialect)
        if columns == names:
            return f"SELECT * FROM unnest({', '.join(arrays)})"
        source = f"unnest({', '.join(arrays)}) AS v ({', '.join(names)})"
        return f"SELECT {', '.join(columns)} FROM {source}"

    def _sql(self, source: str, returning: Sequence[Field[Any]]) -> str:
        dialect = self.dialect
        # A row of nothing is one of a key that the database makes.
        columns = names(self.fields or self.opts.pk_fields, dialect)
        version = self.opts.version_field
        tail = conflict_sql(self.conflict, dialect, version) + returning_sql(returning, dialect)
        return f"INSERT INTO {dialect.quote(self.opts.db_table)} ({columns}) {source}{tail}"

    def batches(self, objs: Sequence[Any], size: int | None = None) -> Iterator[Batch]:
        """The statements for these objects, at most `size` of them in each."""
        for batch in batches(objs, min(size or self.most, self.most)):
            try:
                columns = self.columns(batch)
            except NotPlain:
                yield from self._computed(batch)
            else:
                yield Batch(self._statement(columns, len(batch)), self.store, batch)

    def rows(self, rows: Sequence[Sequence[Any]]) -> Iterator[Statement]:
        """The statements for rows of plain values, in the order of the fields."""
        for batch in batches(rows, self.most):
            yield self._statement(self.row_columns(batch), len(batch))

    def _statement(self, columns: Sequence[list[Any]], count: int) -> Statement:
        if self.array_sql is not None:
            return step(self.array_sql, columns, self.returning)
        sql = self._values_sql.get(count)
        if sql is None:
            sql = self._make_values_sql(count)
            # The last batch may have any size: only what comes again is worth keeping.
            if count == self.most or len(self._values_sql) < 8:
                self._values_sql[count] = sql
        if len(columns) == 1:
            params: Sequence[Any] = columns[0]
        else:
            params = list(chain.from_iterable(zip(*columns, strict=True)))
        return step(sql, params, self.returning)

    def _make_values_sql(self, count: int) -> str:
        width, mark = len(self.fields), self.dialect.placeholder
        if not width:
            rows = [self._empty_row()] * count
        elif self.dialect.numbered:
            casts = list(map(self.dialect.cast, self.fields))
            marks = [mark(i + 1) + casts[i % width] for i in range(width * count)]
            rows = [f"({', '.join(marks[i : i + width])})" for i in range(0, len(marks), width)]
        else:
            rows = [f"({', '.join([mark(1)] * width)})"] * count
        return self._sql(f"VALUES {', '.join(rows)}", self.returning)

    def _empty_row(self) -> str:
        default = "DEFAULT" if has_default_keyword(self.dialect) else "NULL"
        return f"({', '.join([default] * len(self.opts.pk_fields))})"

    def _computed(self, objs: Sequence[Any]) -> Iterator[Batch]:
        """Statements with expressions among the values, whose results come back as well."""
        # An expression has parameters of its own, nobody knows how many.
        for batch in batches(objs, rows_that_fit(2 * len(self.fields), self.dialect)):
            rows: list[str] = []
            params: list[Any] = []
            computed = {}
            for obj in batch:
                parts = []
                for field in self.fields:
                    value = field.pre_save(obj, True)
                    if is_computed(value):
                        computed[field] = True
                    text, bound = written(
                        value, field, self.opts, self.dialect, len(params) + 1, True
                    )
                    parts.append(text)
                    params.extend(bound)
                rows.append(f"({', '.join(parts)})")
            back = list(self.returning)
            if self.conflict is None:
                back += [field for field in computed if field not in back]
            sql = self._sql(f"VALUES {', '.join(rows)}", back)
            store = storing_many(back, self.dialect) if back else None
            yield Batch(step(sql, params, back), store, batch)


def bulk_inserter(
    opts: Any,
    fields: Iterable[Field[Any]],
    returning: Iterable[Field[Any]],
    dialect: Dialect,
    conflict: Conflict | None = None,
) -> BulkInserter:
    """The INSERT of many rows of these fields, made once."""
    fields, returning = tuple(fields), tuple(returning)
    key = (BulkInserter, dialect, fields, returning, conflict)
    found = kept(opts, key, lambda: BulkInserter(opts, fields, returning, dialect, conflict))
    return cast(BulkInserter, found)


# --- UPDATE ----------------------------------------------------------------------


class BulkUpdater:
    """UPDATE of some fields of many rows, each to a value of its own.

    Args:
        opts: the options of the model whose table it is.
        fields: the fields that get values, none of them in the primary key.
    """

    def __init__(self, opts: Any, fields: Iterable[Field[Any]], dialect: Dialect) -> None:
        self.opts = opts
        self.dialect = dialect
        self.fields = tuple(fields)
        self.version = opts.own_version_field
        self.keys = tuple(opts.pk_fields)
        if self.version is not None:
            self.keys += (self.version,)
        both = (*self.keys, *self.fields)
        self.width = len(both)
        self.columns = instance_columns((), dialect, False, both)
        self.key = instance_values((), dialect, False, self.keys)
        arrays = _arrays(both, dialect)
        self.array_sql: str | None = None
        if arrays is not None:
            aliases = [f"v{i}" for i in range(len(both))]
            source = f"unnest({', '.join(arrays)}) AS v ({', '.join(aliases)})"
            self.array_sql = self._sql(source, _read(both, aliases, dialect))
        self.most = _MOST_ROWS if arrays else rows_that_fit(self.width, dialect)

    def _sql(self, source: str, columns: Sequence[str]) -> str:
        quote = self.dialect.quote
        table = quote(self.opts.db_table)
        count = len(self.keys)
        changes = ", ".join(
            f"{quote(field.column)} = v.{name}"
            for field, name in zip(self.fields, columns[count:], strict=True)
        )
        if self.version is not None:
            changes = ", ".join(filter(None, (changes, next_version(self.version, self.dialect))))
        where = " AND ".join(
            f"{table}.{quote(field.column)} = v.{name}"
            for field, name in zip(self.keys, columns[:count], strict=True)
        )
        return f"UPDATE {table} SET {changes} FROM {source} WHERE {where}"

    def statements(self, objs: Sequence[Any], size: int | None = None) -> Iterator[Execute]:
        """The statements for these objects, at most `size` of them in each."""
        for batch in batches(objs, min(size or self.most, self.most)):
            try:
                columns = self.columns(batch)
            except NotPlain:
                yield from self._computed(batch)
            else:
                yield self._statement(columns, len(batch))

    def _statement(self, columns: Sequence[list[Any]], count: int) -> Execute:
        if self.array_sql is not None:
            return Execute(self.array_sql, columns)
        params = list(chain.from_iterable(zip(*columns, strict=True)))
        return Execute(self._values_sql(count), params)

    def _values_sql(self, count: int) -> str:
        marks = self._marks(count)
        rows = [
            f"({', '.join(marks[i : i + self.width])})" for i in range(0, len(marks), self.width)
        ]
        names = [f"column{i + 1}" for i in range(self.width)]
        return self._sql(f"(VALUES {', '.join(rows)}) AS v", names)

    def _marks(self, count: int) -> list[str]:
        """A mark for each value; the first row says the types where the database has to know."""
        mark = self.dialect.placeholder
        marks = [mark(i + 1) for i in range(self.width * count)]
        if self.dialect.capabilities.typed_parameters:
            for i, field in enumerate((*self.keys, *self.fields)):
                marks[i] += f"::{_column_type(field, self.dialect)}"
        return marks

    def _computed(self, objs: Sequence[Any]) -> Iterator[Execute]:
        """A statement for each object: some have expressions for values."""
        for obj in objs:
            parts: list[str] = []
            params: list[Any] = []
            for field in self.fields:
                value = getattr(obj, field.attname)
                text, bound = written(value, field, self.opts, self.dialect, len(params) + 1, False)
                if is_expression(value) and self.dialect.capabilities.typed_parameters:
                    # An expression may have another type than its column, as in Django.
                    text = f"({text})::{_column_type(field, self.dialect)}"
                parts.append(f"{self.dialect.quote(field.column)} = {text}")
                params.extend(bound)
            if self.version is not None:
                parts.append(next_version(self.version, self.dialect))
            where = key_sql(self.keys, self.dialect, len(params) + 1)
            table = self.dialect.quote(self.opts.db_table)
            sql = f"UPDATE {table} SET {', '.join(parts)} WHERE {where}"
            yield Execute(sql, [*params, *self.key(obj)])


def bulk_updater(opts: Any, fields: Iterable[Field[Any]], dialect: Dialect) -> BulkUpdater:
    """The UPDATE of these fields in many rows, made once."""
    fields = tuple(fields)
    found = kept(opts, (BulkUpdater, dialect, fields), lambda: BulkUpdater(opts, fields, dialect))
    return cast(BulkUpdater, found)


def is_default(value: Any) -> bool:
    """Whether the database is going to fill in this value."""
    return isinstance(value, DatabaseDefault)
