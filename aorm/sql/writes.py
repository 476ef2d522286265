"""INSERT, UPDATE and DELETE statements of single rows.

A statement is made once for its fields and kept with the options of the model.  Expressions in
the place of values leave that path: the statement is then made for this row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, cast

from aorm.fields.base import DatabaseDefault, Field, is_expression
from aorm.late import json
from aorm.query.conditions import Q
from aorm.query.expressions import F
from aorm.records import Record
from aorm.sql.binding import (
    NotPlain,
    binder,
    instance_values,
    is_computed,
    kept,
    row_values,
    storing,
)
from aorm.sql.dialect import Dialect
from aorm.sql.inline import value_sql
from aorm.steps import Execute, Fetch, Insert, Statement


class Conflict(Record):
    """What an INSERT does with a row that is there already."""

    ignore: bool = False
    unique: tuple[Field[Any], ...] = ()
    update: tuple[Field[Any], ...] = ()


def names(fields: Iterable[Field[Any]], dialect: Dialect) -> str:
    """The quoted columns of fields, with commas."""
    return ", ".join(dialect.quote(field.column) for field in fields)


def next_version(version: Field[Any], dialect: Dialect) -> str:
    """The assignment that counts the version of a row up."""
    column = dialect.quote(version.column)
    return f"{column} = {dialect.quote(version.model._meta.db_table)}.{column} + 1"


def conflict_sql(conflict: Conflict | None, dialect: Dialect, version: Any = None) -> str:
    """The ON CONFLICT clause, with a space before it; `version` is counted where it updates."""
    if conflict is None:
        return ""
    if conflict.ignore:
        return " ON CONFLICT DO NOTHING"
    quoted = [dialect.quote(field.column) for field in conflict.update if field is not version]
    parts = [f"{column} = EXCLUDED.{column}" for column in quoted]
    if version is not None:
        parts.append(next_version(version, dialect))
    changes = ", ".join(parts)
    return f" ON CONFLICT({names(conflict.unique, dialect)}) DO UPDATE SET {changes}"


def returning_sql(fields: Sequence[Field[Any]], dialect: Dialect) -> str:
    """The RETURNING clause, with a space before it."""
    columns = [f"{dialect.quote(f.column)}{f.reading_cast(dialect)}" for f in fields]
    return f" RETURNING {', '.join(columns)}" if columns else ""


def step(sql: str, params: Sequence[Any], returning: Sequence[Any]) -> Statement:
    """The step that asks for rows where some are returned."""
    return Fetch(sql, params) if returning else Execute(sql, params)


def has_default_keyword(dialect: Dialect) -> bool:
    """Whether DEFAULT may stand in the place of a value."""
    # Of the databases so far, the one without it is the one without arrays.
    return dialect.capabilities.array_parameters


def written(
    value: Any, field: Field[Any], opts: Any, dialect: Dialect, first: int, insert: bool
) -> tuple[str, list[Any]]:
    """The SQL of a new value for a column, and its parameters, numbered from `first`."""
    if isinstance(value, DatabaseDefault):
        if has_default_keyword(dialect):
            return "DEFAULT", []
        value = field.db_default
    if not is_expression(value):
        try:
            bound = kept(opts, ("bind", dialect, field), lambda: binder(field, dialect)).function
            return dialect.parameter(first, field), [bound(value)]
        except NotPlain:
            value = field.get_db_prep_save(value, connection=dialect)
    return value_sql(value, field, opts, dialect, first, insert)


# --- INSERT ----------------------------------------------------------------------


class Inserter:
    """INSERT of one row of a table.

    Attributes:
        sql: the statement for plain values.
        params: a function of an instance: its values; NotPlain where one is an expression.
        row: the same of a sequence of values, in the order of `fields`.
        returning: the fields that come back; `store(instance, row)` sets them.
    """

    source: Any = None

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
        marks = [dialect.parameter(i + 1, field) for i, field in enumerate(self.fields)]
        self.sql = self._sql(self.fields, marks, self.returning)
        self.params = instance_values(self.fields, dialect, True)
        self.row = row_values(self.fields, dialect)
        self._step: type[Statement] = Fetch if self.returning else Execute
        if self._only_key_returns():
            self._step, self.sql = Insert, self._sql(self.fields, marks, ())
        self.store = storing(self.returning, dialect)
        self._may_default = [field for field in self.fields if field.has_db_default()]
        self._without: dict[tuple[str, ...], Inserter] = {}

    def _sql(
        self, fields: Sequence[Field[Any]], values: Sequence[str], returning: Sequence[Field[Any]]
    ) -> str:
        dialect = self.dialect
        what = (
            f"({names(fields, dialect)}) VALUES ({', '.join(values)})"
            if fields
            else ("DEFAULT VALUES")
        )
        version = self.opts.version_field
        tail = conflict_sql(self.conflict, dialect, version) + returning_sql(returning, dialect)
        return f"INSERT INTO {dialect.quote(self.opts.db_table)} {what}{tail}"

    def statement(self, instance: Any) -> tuple[Statement, Sequence[Field[Any]]]:
        """The statement for an instance, and the fields that come back."""
        if self._may_default:
            own = self._for(instance)
            if own is not self:
                return own.statement(instance)
        try:
            params = self.params(instance)
        except NotPlain:
            return self.computed([field.pre_save(instance, True) for field in self.fields])
        return self._step(self.sql, params), self.returning

    def _only_key_returns(self) -> bool:
        """Whether all that comes back is the key, which the database knows without RETURNING.

        On SQLite RETURNING is half of the time of an INSERT.  Only in a table of our own is the
        key sure to be the row's number: a view has none.
        """
        if self.conflict is not None or not self.dialect.capabilities.last_row_id:
            return False
        return self.opts.managed and self.returning == (self.opts.auto_field,)

    def _for(self, instance: Any) -> Inserter:
        """The INSERT without the columns that the instance leaves to the database."""
        left = [
            field
            for field in self._may_default
            if isinstance(getattr(instance, field.attname), DatabaseDefault)
        ]
        if not left:
            return self
        key = tuple([field.attname for field in left])
        found = self._without.get(key)
        if found is None:
            fields = [field for field in self.fields if field not in left]
            back = [*self.returning, *(field for field in left if field not in self.returning)]
            found = Inserter(self.opts, fields, back, self.dialect, self.conflict)
            self._without[key] = found
        return found

    def computed(self, values: Sequence[Any]) -> tuple[Statement, Sequence[Field[Any]]]:
        """The statement for values with expressions among them, which come back as well."""
        fields: list[Field[Any]] = []
        parts: list[str] = []
        params: list[Any] = []
        back = list(self.returning)
        for field, value in zip(self.fields, values, strict=True):
            if is_computed(value) and self.conflict is None and field not in back:
                back.append(field)
            if isinstance(value, DatabaseDefault):
                continue
            text, bound = written(value, field, self.opts, self.dialect, len(params) + 1, True)
            fields.append(field)
            parts.append(text)
            params.extend(bound)
        return step(self._sql(fields, parts, back), params, back), back


def inserter(
    opts: Any,
    fields: Iterable[Field[Any]],
    returning: Iterable[Field[Any]],
    dialect: Dialect,
    conflict: Conflict | None = None,
) -> Inserter:
    """The INSERT of these fields, made once."""
    fields, returning = tuple(fields), tuple(returning)
    key = (Inserter, dialect, fields, returning, conflict)
    found = kept(opts, key, lambda: Inserter(opts, fields, returning, dialect, conflict))
    return cast(Inserter, found)


def saving_inserter(opts: Any, dialect: Dialect, with_pk: bool) -> Inserter:
    """The INSERT of all columns of a model's own table, for `Model.save`.

    Args:
        with_pk: whether the automatic primary key has a value; otherwise it comes back.
    """
    found: Inserter | None
    try:
        found = opts._saving_inserters[dialect, with_pk]
    except (AttributeError, KeyError):
        found = None
    # A field that was added later makes another list of fields.
    if found is None or found.source is not opts.local_concrete_fields:
        found = _saving_inserter(opts, dialect, with_pk)
        opts.__dict__.setdefault("_saving_inserters", {})[dialect, with_pk] = found
    return found


def _saving_inserter(opts: Any, dialect: Dialect, with_pk: bool) -> Inserter:
    local, auto = opts.local_concrete_fields, opts.auto_field
    fields = [field for field in local if with_pk or field is not auto]
    # A default of the database comes back where it is used, see `Inserter.computed`.
    made = [
        f
        for f in local
        if f.generated or (not with_pk if f is auto else f.db_returning and not f.has_db_default())
    ]
    found = Inserter(opts, fields, made, dialect)
    found.source = local
    return found


# --- UPDATE ----------------------------------------------------------------------


class Updater:
    """UPDATE of one row, which its primary key names.

    Attributes:
        sql: the statement for plain values.
        params: a function of an instance: its values and its key; NotPlain where one of them is
            an expression.
        returning: the fields that come back; `store(instance, row)` sets them.
    """

    source: Any = None

    def __init__(
        self,
        opts: Any,
        fields: Iterable[Field[Any]],
        dialect: Dialect,
        returning: Iterable[Field[Any]] = (),
    ) -> None:
        self.opts = opts
        self.dialect = dialect
        self.fields = tuple(field for field in fields if not field.generated)
        # What is computed from other columns alone stays as it is.
        self.returning = tuple(
            field for field in returning if not field.generated or _uses(field, self.fields)
        )
        self.keys = self._keys(opts)
        marks = [dialect.parameter(i + 1, field) for i, field in enumerate(self.fields)]
        self.sql = self._sql(self.fields, marks, len(marks) + 1, self.returning)
        self.params = instance_values(self.fields, dialect, False, self.keys)
        self.key = instance_values((), dialect, False, self.keys)
        self.store = storing(self.returning, dialect)

    def _keys(self, opts: Any) -> tuple[Field[Any], ...]:
        """What names the row."""
        return tuple(opts.pk_fields)

    def _changes(self, fields: Sequence[Field[Any]], values: Sequence[str]) -> list[str]:
        """The assignments of these values."""
        return [
            f"{self.dialect.quote(field.column)} = {value}"
            for field, value in zip(fields, values, strict=True)
        ]

    def _sql(
        self,
        fields: Sequence[Field[Any]],
        values: Sequence[str],
        first: int,
        returning: Sequence[Field[Any]],
    ) -> str:
        dialect = self.dialect
        changes = ", ".join(self._changes(fields, values))
        where = key_sql(self.keys, dialect, first)
        tail = returning_sql(returning, dialect)
        return f"UPDATE {dialect.quote(self.opts.db_table)} SET {changes} WHERE {where}{tail}"

    def statement(self, instance: Any) -> tuple[Statement, Sequence[Field[Any]]]:
        """The statement for an instance, and the fields that come back."""
        try:
            params = self.params(instance)
        except NotPlain:
            return self.computed(instance)
        return (Fetch if self.returning else Execute)(self.sql, params), self.returning

    def computed(self, instance: Any) -> tuple[Statement, Sequence[Field[Any]]]:
        """The statement where expressions stand among the values; they come back as well."""
        parts: list[str] = []
        params: list[Any] = []
        back = list(self.returning)
        for field in self.fields:
            value = field.pre_save(instance, False)
            if is_computed(value) and field not in back:
                back.append(field)
            first = len(params) + 1
            text, bound = written(value, field, self.opts, self.dialect, first, False)
            parts.append(text)
            params.extend(bound)
        sql = self._sql(self.fields, parts, len(params) + 1, back)
        return step(sql, [*params, *self.key(instance)], back), back


def _uses(generated: Any, fields: Iterable[Field[Any]]) -> bool:
    """Whether the expression of a generated field refers to one of these fields."""
    used: set[str] = set()
    for each in generated.expression.walk():
        if type(each) is F:
            used.add(each.name.partition("__")[0])
        elif isinstance(each, Q):
            used |= each.referenced_base_fields
    return any(field.name in used or field.attname in used for field in fields)


def key_sql(keys: Sequence[Field[Any]], dialect: Dialect, first: int) -> str:
    """The condition that names one row; its parameters are numbered from `first`."""
    return " AND ".join(
        f"{dialect.quote(field.column)} = {dialect.parameter(first + i, field)}"
        for i, field in enumerate(keys)
    )


def updater(
    opts: Any, fields: Iterable[Field[Any]], dialect: Dialect, returning: Iterable[Field[Any]] = ()
) -> Updater:
    """The UPDATE of these fields, made once."""
    fields, returning = tuple(fields), tuple(returning)
    key = (Updater, dialect, fields, returning)
    found = kept(opts, key, lambda: Updater(opts, fields, dialect, returning))
    return cast(Updater, found)


def saving_updater(opts: Any, dialect: Dialect) -> Updater:
    """The UPDATE of all columns of a model's own table but its key, for `Model.save`."""
    found: Updater | None
    try:
        found = opts._saving_updaters[dialect]
    except (AttributeError, KeyError):
        found = None
    if found is None or found.source is not opts.local_concrete_fields:
        local, keys = opts.local_concrete_fields, opts.pk_fields
        fields = [field for field in local if field not in keys]
        made = [field for field in local if field.generated]
        found = Updater(opts, fields, dialect, made)
        found.source = local
        opts.__dict__.setdefault("_saving_updaters", {})[dialect] = found
    return found


# --- DELETE ----------------------------------------------------------------------

_MODIFIERS = r"\s*\([^)]*\)"
# Without their length these would mean a length of one.
_UNLIMITED = {"char": "text", "character": "text", "bpchar": "text", "bit": "varbit"}


def element_type(field: Field[Any], dialect: Dialect) -> str | None:
    """The column type without length and precision, which a cast would cut the value to.

    None where an array of it does not stand for a column: the type is an array itself.
    """
    found = field.db_type(dialect)
    if found is None or "[" in found:
        return None
    found = re.sub(_MODIFIERS, "", found)
    return _UNLIMITED.get(found.lower(), found)


class Deleter:
    """DELETE of the rows in which some fields, mostly the primary key, have given values.

    Args:
        fields: one field, or several that are compared together.
    """

    def __init__(self, opts: Any, fields: Iterable[Field[Any]], dialect: Dialect) -> None:
        self.opts = opts
        self.dialect = dialect
        self.fields = tuple(fields)
        self.start = f"DELETE FROM {dialect.quote(opts.db_table)} WHERE "
        self.sql = self.start + key_sql(self.fields, dialect, 1)
        self.row = row_values(self.fields, dialect)
        self._many = self.start + members_sql(self.fields, dialect, 1)

    def one(self, *values: Any) -> Execute:
        """The statement for one row; a value for each field."""
        return Execute(self.sql, self.row(values))

    def many(self, values: Iterable[Any]) -> Execute:
        """The statement for any number of rows: values of the field, or tuples of several."""
        rows = [self.row(v if len(self.fields) > 1 else (v,)) for v in values]
        return Execute(self._many, members_params(rows, len(self.fields), self.dialect))


def members_sql(fields: Sequence[Field[Any]], dialect: Dialect, first: int) -> str:
    """The condition that some fields have values that stand in a list, whatever its length."""
    columns = names(fields, dialect)
    if dialect.capabilities.array_parameters:
        arrays = [
            f"{dialect.placeholder(first + i)}::{element_type(field, dialect)}[]"
            for i, field in enumerate(fields)
        ]
        if len(fields) == 1:
            return f"{columns} = ANY({arrays[0]})"
        return f"({columns}) IN (SELECT * FROM unnest({', '.join(arrays)}))"
    mark = dialect.placeholder(first)
    if len(fields) == 1:
        return f"{columns} IN (SELECT value FROM json_each({mark}))"
    items = ", ".join(f"json_extract(value, '$[{i}]')" for i in range(len(fields)))
    return f"({columns}) IN (SELECT {items} FROM json_each({mark}))"


def members_params(rows: Sequence[Sequence[Any]], width: int, dialect: Dialect) -> list[Any]:
    """The parameters for `members_sql`, from rows of bound values."""
    if dialect.capabilities.array_parameters:
        return [list(column) for column in zip(*rows, strict=True)] or [[]] * width
    return [json.dumps([row[0] for row in rows] if width == 1 else [list(row) for row in rows])]


def deleter(opts: Any, dialect: Dialect, fields: Iterable[Field[Any]] | None = None) -> Deleter:
    """The DELETE by the primary key, or by other fields, made once."""
    fields = tuple(opts.pk_fields if fields is None else fields)
    found = kept(opts, (Deleter, dialect, fields), lambda: Deleter(opts, fields, dialect))
    return cast(Deleter, found)
