"""`RawQuerySet`: objects from SQL that was written by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from typing import Any
from weakref import ref

from aorm.connections import Using, aread, connections, read
from aorm.connections.raw import native
from aorm.errors import FieldDoesNotExist
from aorm.fields.tracking import remember
from aorm.models.awaited import Awaited
from aorm.models.placing import placed
from aorm.models.rows import loaded_for
from aorm.operations.prefetch import prefetch_related_objects_operation
from aorm.operations.routing import router
from aorm.steps import Operation


def column_names(result: Any) -> list[str]:
    """The names of a statement's columns."""
    return [column[0] for column in result.description or ()]


class RawQuery:
    """What a `RawQuerySet` asks; `str()` of it is the SQL, to be read by people."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


def _adapted(value: Any, database: Any) -> Any:
    """A date, time or moment as the columns of the database keep it."""
    for kind, internal in _TEMPORAL:
        if isinstance(value, kind):
            return database.dialect.adapted(internal, value)
    return value


#: A datetime is a date, too.
_TEMPORAL = (
    (dt.datetime, "DateTimeField"),
    (dt.date, "DateField"),
    (dt.time, "TimeField"),
)


class RawQuerySet:
    """Lazy objects of a model from the rows of a statement.

    Columns are matched to fields by name; `translations` says which column stands for which
    field.  Fields without a column are deferred, further columns become attributes.
    """

    def __init__(
        self,
        raw_query: str,
        model: Any = None,
        params: Any = (),
        translations: Mapping[str, str] | None = None,
        using: str | None = None,
        hints: dict[str, Any] | None = None,
        fetch_mode: Any = None,
    ) -> None:
        self.raw_query = raw_query
        self.model = model
        self.params = params
        self.translations = dict(translations or {})
        self._db = using
        self._place: Any = None
        self._hints = hints or {}
        self._fetch_mode = fetch_mode
        self._result_cache: list[Any] | None = None
        self._prefetch_related_lookups: tuple[Any, ...] = ()
        self._prefetch_done = False
        self._columns: list[str] | None = None

    @property
    def db(self) -> str:
        """The alias of the database that would be asked."""
        return self._db or router.db_for_read(self.model, **self._hints)

    def using(self, alias: Using) -> RawQuerySet:
        """On this database, or in this transaction."""
        clone = self._clone()
        clone._db, clone._place = placed(alias)
        return clone

    def _database(self) -> Any:
        return self._place or connections[self.db]

    def prefetch_related(self, *lookups: Any) -> RawQuerySet:
        """Load relations of the objects in statements of their own."""
        clone = self._clone()
        if lookups == (None,):
            clone._prefetch_related_lookups = ()
        else:
            clone._prefetch_related_lookups = (*self._prefetch_related_lookups, *lookups)
        return clone

    def _clone(self) -> RawQuerySet:
        clone = type(self)(
            self.raw_query,
            self.model,
            self.params,
            self.translations,
            self._db,
            self._hints,
            self._fetch_mode,
        )
        clone._prefetch_related_lookups = self._prefetch_related_lookups
        clone._place = self._place
        return clone

    @property
    def columns(self) -> list[str]:
        """The names of the columns, with translations applied; asked for if nothing was loaded."""
        if self._columns is None:
            database = self._database()
            result = database.run_raw(*self._statement(database))
            self._columns = self._translated(column_names(result))
        return self._columns

    def _translated(self, columns: Sequence[str]) -> list[str]:
        return [self.translations.get(name, name) for name in columns]

    def _statement(self, database: Any) -> tuple[str, Sequence[Any]]:
        params = self.params or None
        if isinstance(params, Mapping):
            params = {name: _adapted(value, database) for name, value in params.items()}
        elif params is not None:
            params = [_adapted(value, database) for value in params]
        return native(database.vendor, self.raw_query, params)

    # --- results ----------------------------------

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            database = self._database()
            result = database.run_raw(*self._statement(database))
            self._result_cache = self._objects(result, database)
        if self._prefetch_related_lookups and not self._prefetch_done:
            read(self._prefetch(), self._database())

    async def _alist(self) -> list[Any]:
        if self._result_cache is None:
            database = self._database()
            result = await database._arun_raw(*self._statement(database))
            self._result_cache = self._objects(result, database)
        if self._prefetch_related_lookups and not self._prefetch_done:
            await aread(self._prefetch(), self._database())
        return self._result_cache

    def _prefetch(self) -> Operation[None]:
        yield from prefetch_related_objects_operation(
            self._result_cache or [], self._prefetch_related_lookups
        )
        self._prefetch_done = True

    def _objects(self, result: Any, database: Any) -> list[Any]:
        """The objects of the rows; ValueError where the key is not among the columns."""
        opts = self.model._meta
        self._columns = columns = self._translated(column_names(result))
        by_column = {field.column: field for field in opts.concrete_fields}
        by_column.update({f.attname: f for f in opts.concrete_fields if f.attname not in by_column})
        dialect = database.dialect
        fields: list[tuple[Any, int, Any]] = []
        others: list[tuple[str, int]] = []
        for place, name in enumerate(columns):
            field = by_column.get(name)
            if field is None:
                try:
                    field = opts.get_field(name)
                    field = field if getattr(field, "column", None) else None
                except FieldDoesNotExist:
                    field = None
            if field is None:
                others.append((name, place))
                continue
            conversion = dialect.conversion(field)
            fields.append((field, place, None if conversion is None else conversion.function))
        if opts.pk is not None and not {f.attname for f in opts.pk_fields} <= {
            f.attname for f, _, _ in fields
        }:
            raise FieldDoesNotExist("Raw query must include the primary key")
        order = {field: number for number, field in enumerate(opts.concrete_fields)}
        fields.sort(key=lambda item: order[item[0]])
        names = [field.attname for field, _, _ in fields]
        found = []
        loaded = loaded_for(database.alias, self._fetch_mode)
        for row in result.rows:
            values = [
                row[place] if convert is None else convert(row[place])
                for _, place, convert in fields
            ]
            obj = self._kind(names, values).from_db(database.alias, names, values)
            for name, place in others:
                setattr(obj, name, row[place])
            obj._loaded = loaded
            if obj._meta.track_changes:
                remember(obj)
            found.append(obj)
        loaded.peers = [ref(obj) for obj in found]
        return found

    def _kind(self, names: Sequence[str], values: Sequence[Any]) -> Any:
        """The class of a row."""
        kinds = self.model._meta.kinds
        if kinds is None or kinds.attname not in names:
            return self.model
        return kinds.classes.get(values[names.index(kinds.attname)], self.model)

    def __iter__(self) -> Iterator[Any]:
        self._fetch_all()
        return iter(self._result_cache or ())

    def __aiter__(self) -> AsyncIterator[Any]:
        return Awaited(self._alist)

    def __await__(self) -> Generator[Any, None, list[Any]]:
        return self._alist().__await__()

    def iterator(self) -> Iterator[Any]:
        """The results one by one."""
        return iter(self._clone())

    def aiterator(self) -> AsyncIterator[Any]:
        return aiter(self._clone())

    def __len__(self) -> int:
        self._fetch_all()
        return len(self._result_cache or ())

    def __bool__(self) -> bool:
        self._fetch_all()
        return bool(self._result_cache)

    def __getitem__(self, key: Any) -> Any:
        return list(self)[key]

    @property
    def query(self) -> RawQuery:
        """The statement with its values, to be looked at."""
        return RawQuery(self._shown())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._shown()}>"

    def _shown(self) -> str:
        """The SQL with its values, to be read by people."""
        params = self.params
        if not params:
            return self.raw_query
        return self.raw_query % (params if isinstance(params, Mapping) else tuple(params))
