"""`QuerySet`: a lazy set of a model's rows, synchronous and asynchronous.

1. Nothing is asked of the database before results are: by iteration, `await`, or a method that
   returns something other than a QuerySet.
2. The asynchronous twin of a method `x` is `ax`; both run the same operation.
3. Results are kept: iterating again asks nothing.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from aorm.connections import aread, aread_stream, arun, connections, read, read_stream, run
from aorm.errors import NotSupportedError, QueryTypeError, QueryValueError
from aorm.models.awaited import Awaited
from aorm.models.copying import Copying
from aorm.models.inserting import Inserting
from aorm.models.overrides import QUERYSET_METHODS, bridge_faces
from aorm.models.paging import Page, Paging
from aorm.models.raw import RawQuerySet
from aorm.models.rows import loaded_for
from aorm.operations.routing import router
from aorm.steps import Doing, Fetch, Operation

T = TypeVar("T", covariant=True)
R = TypeVar("R")
CHUNK_SIZE = 2000
REPR_OUTPUT_SIZE = 20
INSTEAD_OF_EXTRA = {
    "select": "annotate(name=RawSQL(sql, params)) for select",
    "where": "filter(RawSQL(sql, params, output_field=BooleanField())) for where",
    "tables": "relations, FilteredRelation or Exists(...) for tables",
    "order_by": "order_by(RawSQL(sql, params).desc()) for order_by",
}


class QuerySet(Copying, Inserting, Paging, Generic[T]):
    """A lazy set of rows.

    Args:
        model: the model of the rows.
        query: the structure to start from; all rows without one.
        using: the alias of the database; the routers decide without one.
        hints: what the routers are told.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        bridge_faces(cls, QUERYSET_METHODS)
        cls._overridden = frozenset(
            name
            for name in QUERYSET_METHODS
            for each in (name, f"a{name}")
            if getattr(cls, each) is not getattr(QuerySet, each)
        )

    if TYPE_CHECKING:

        def filter(self, *args: Any, **kwargs: Any) -> QuerySet[T]: ...

        # What is found is a row of the model.
        def _get_operation(self, args: Any, kwargs: dict[str, Any]) -> Doing[T]: ...
        def _first_operation(self) -> Operation[T | None]: ...
        def _last_operation(self) -> Operation[T | None]: ...
        def _earliest_operation(self, fields: Any, *, reverse: bool) -> Operation[T]: ...
        def _create_operation(self, **kwargs: Any) -> Doing[T]: ...

    def _run(self, operation: Doing[R]) -> R:
        database = self._place or connections[self._db or self.db]
        if database.replicas is None or self._for_write:
            return run(operation, database, False)
        return read(operation, database)

    def _arun(self, operation: Doing[R]) -> Coroutine[Any, Any, R]:
        # no coroutine of its own: each result comes through here
        database = self._place or connections[self._db or self.db]
        if database.replicas is None or self._for_write:
            return arun(operation, database, False)
        return aread(operation, database)

    def _write(self, operation: Doing[R]) -> R:
        return run(operation, self._place or connections[self._write_alias()])

    def _awrite(self, operation: Doing[R]) -> Coroutine[Any, Any, R]:
        return arun(operation, self._place or connections[self._write_alias()])

    # --- whom the routers name ----------------------------------

    @property
    def _reader(self) -> Self:
        """This QuerySet, or a copy that keeps what the routers answer for the length of a query.

        They are asked once: one that picks a replica at random shall not have a statement made for
        the one, and sent to the other.
        """
        if self._db is not None or router.is_idle:
            return self
        return self._twin(_db=self.db)

    @property
    def _writer(self) -> Self:
        """As `_reader`, for what is written."""
        if self._db is not None or router.is_idle:
            return self
        return self._twin(_db=self._write_alias())

    def _take_results(self, other: QuerySet[T]) -> None:
        """Keep the results of a copy."""
        self._result_cache = other._result_cache
        if other._prefetch_done:
            self._prefetch_done = True

    # --- results ----------------------------------

    def _fetch_all(self) -> None:
        if self._result_cache is None or (
            self._prefetch_related_lookups and not self._prefetch_done
        ):
            here = self._reader
            here._run(here._fetch_operation())
            if here is not self:
                self._take_results(here)

    def __iter__(self) -> Iterator[T]:
        results = self._result_cache
        if results is None or not self._is_plain:
            self._fetch_all()
            results = self._result_cache or []
        return iter(results)

    async def _alist(self) -> list[T]:
        if self._result_cache is None or (
            self._prefetch_related_lookups and not self._prefetch_done
        ):
            here = self._reader
            results = await here._arun(here._fetch_operation())
            if here is not self:
                self._take_results(here)
            return results
        return self._result_cache

    def __aiter__(self) -> AsyncIterator[T]:
        return Awaited(self._alist)

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self._alist().__await__()

    def __len__(self) -> int:
        results = self._result_cache
        if results is None or not self._is_plain:
            self._fetch_all()
            results = self._result_cache or []
        return len(results)

    def __bool__(self) -> bool:
        self._fetch_all()
        return bool(self._result_cache)

    def __repr__(self) -> str:
        if self._result_cache is None:
            data: list[Any] = list(self._sliced(0, REPR_OUTPUT_SIZE + 1))
        else:
            data = self._result_cache[: REPR_OUTPUT_SIZE + 1]
        if len(data) > REPR_OUTPUT_SIZE:
            data[-1] = "...(remaining elements truncated)..."
        return f"<{type(self).__name__} {data!r}>"

    @overload
    def __getitem__(self, key: int) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...

    def __getitem__(self, key: Any) -> Any:
        """One result, or the QuerySet of a slice (a list where the slice has a step)."""
        if isinstance(key, slice):
            start, stop = key.start, key.stop
            if start is None and type(stop) is int and stop and self._result_cache is None:
                # the usual slice of a shape that was used before; another one has no such step
                derived = self._query.steps.get(("slice", False, stop))
                if derived is not None and key.step is None and self._query.is_open:
                    return self._next(derived.query, self._values)
            if start is not None and (start := int(start)) < 0:
                raise QueryValueError("Negative indexing is not supported.")
            if stop is not None and (stop := int(stop)) < 0:
                raise QueryValueError("Negative indexing is not supported.")
            if self._result_cache is not None:
                return self._result_cache[key]
            found = self._sliced(start, stop)
            return list(found)[:: key.step] if key.step else found
        if not isinstance(key, int):
            raise QueryTypeError(
                f"QuerySet indices must be integers or slices, not {type(key).__name__}."
            )
        if key < 0:
            raise QueryValueError("Negative indexing is not supported.")
        if self._result_cache is not None:
            return self._result_cache[key]
        found = self._sliced(key, key + 1)
        found._fetch_all()
        return found._result_cache[0]  # type: ignore[index]

    def __getstate__(self) -> dict[str, Any]:
        self._fetch_all()
        state = dict(self.__dict__)
        state["_hints"] = {}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self._twin(_result_cache=None)

    def __copy__(self) -> Any:
        return self._clone()

    def __class_getitem__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls

    # --- reading ----------------------------------

    def get(self, *args: Any, **kwargs: Any) -> T:
        """The one object that matches.

        Raises the model's DoesNotExist where none does, MultipleObjectsReturned where several do.
        """
        here = self._reader
        return here._run(here._get_operation(args, kwargs))

    async def aget(self, *args: Any, **kwargs: Any) -> T:
        here = self._reader
        return await here._arun(here._get_operation(args, kwargs))

    def first(self) -> T | None:
        """The first result in the QuerySet's order, else by primary key; None without any."""
        here = self._reader
        return here._run(here._first_operation())

    async def afirst(self) -> T | None:
        here = self._reader
        return await here._arun(here._first_operation())

    def last(self) -> T | None:
        """The last result in the QuerySet's order, else by primary key; None without any."""
        here = self._reader
        return here._run(here._last_operation())

    async def alast(self) -> T | None:
        here = self._reader
        return await here._arun(here._last_operation())

    def earliest(self, *fields: Any) -> T:
        """The first object by these fields, or by `Meta.get_latest_by`.

        Raises the model's DoesNotExist where there is none.
        """
        here = self._reader
        return here._run(here._earliest_operation(fields, reverse=False))

    async def aearliest(self, *fields: Any) -> T:
        here = self._reader
        return await here._arun(here._earliest_operation(fields, reverse=False))

    def latest(self, *fields: Any) -> T:
        """The last object by these fields, or by `Meta.get_latest_by`.

        Raises the model's DoesNotExist where there is none.
        """
        self._not_sliced("Cannot change a query once a slice has been taken.")
        here = self._reader
        return here._run(here._earliest_operation(fields, reverse=True))

    async def alatest(self, *fields: Any) -> T:
        self._not_sliced("Cannot change a query once a slice has been taken.")
        here = self._reader
        return await here._arun(here._earliest_operation(fields, reverse=True))

    def exists(self) -> bool:
        """Whether there is any result."""
        here = self._reader
        return here._run(here._exists_operation())

    async def aexists(self) -> bool:
        here = self._reader
        return await here._arun(here._exists_operation())

    def count(self) -> int:
        """The number of results."""
        here = self._reader
        return here._run(here._count_operation())

    async def acount(self) -> int:
        here = self._reader
        return await here._arun(here._count_operation())

    def contains(self, obj: Any) -> bool:
        """Whether an object is among the results."""
        here = self._reader
        return here._run(here._contains_operation(obj))

    async def acontains(self, obj: Any) -> bool:
        here = self._reader
        return await here._arun(here._contains_operation(obj))

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Aggregates over all results, by name."""
        here = self._reader
        return here._run(here._aggregate_operation(self._aggregates(args, kwargs)))

    async def aaggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        here = self._reader
        return await here._arun(here._aggregate_operation(self._aggregates(args, kwargs)))

    def in_bulk(
        self, id_list: Iterable[Any] | None = None, *, field_name: str = "pk"
    ) -> dict[Any, T]:
        """The objects with these keys (all without a list), by key; by a unique field if named."""
        here = self._reader
        return here._run(here._in_bulk_operation(id_list, field_name))

    async def ain_bulk(
        self, id_list: Iterable[Any] | None = None, *, field_name: str = "pk"
    ) -> dict[Any, T]:
        here = self._reader
        return await here._arun(here._in_bulk_operation(id_list, field_name))

    def page(self, after: str | None = None, before: str | None = None, size: int = 20) -> Page[T]:
        """Some results in the QuerySet's order, from behind or before a cursor.

        `page = qs.order_by("-added").page(size=50)`, then `qs.page(after=page.next, size=50)`: each
        page is found by the values of its neighbour, not by counting, so that it takes the same
        time however far it is, and no row is shown twice or left out when others come or go.
        Any order will do: of names, expressions, aggregates, mixed directions, with NULLs; where it
        has ties the primary key decides.

        Args:
            after: the results behind this cursor, which is `next` of a page.
            before: the results just before this cursor, which is `previous` of a page.
            size: at most so many.
        Returns:
            A `Page`: the sequence of its `items`, with `next`, `previous`, `has_next`,
            `has_previous`, and `cursor(index)` for a cursor of each item.  Where a cursor was
            given, the row that it names counts as there still.
        Raises:
            QueryValueError: the cursor is none of this query, or the size is no number above 0.
            QueryTypeError: the rows have no order in which they are found again.
        """
        here = self._reader
        return here._run(here._page_operation(after, before, size))

    async def apage(
        self, after: str | None = None, before: str | None = None, size: int = 20
    ) -> Page[T]:
        here = self._reader
        return await here._arun(here._page_operation(after, before, size))

    def explain(self, *, format: str | None = None, **options: Any) -> str:
        """The database's plan for this query.

        Args:
            format: "text", "json", "xml" or "yaml" on PostgreSQL.
            options: those of EXPLAIN on PostgreSQL (`analyze=True`, `buffers=True`, ...).

        Raises ValueError for a format or an option that the database does not have.
        """
        here = self._reader
        return here._run(here._explain_operation(format, options))

    async def aexplain(self, *, format: str | None = None, **options: Any) -> str:
        here = self._reader
        return await here._arun(here._explain_operation(format, options))

    # --- streaming ----------------------------------

    def iterator(self, chunk_size: int | None = None) -> Iterator[T]:
        """The results one by one, by a cursor of the database, without keeping them."""
        size = self._chunk_size(chunk_size)
        return self._iterate(size)

    def _chunk_size(self, chunk_size: int | None) -> int:
        if chunk_size is None:
            if self._prefetch_related_lookups:
                raise QueryValueError(
                    "chunk_size must be provided when using QuerySet.iterator() after"
                    " prefetch_related()."
                )
            return CHUNK_SIZE
        if chunk_size <= 0:
            raise QueryValueError("Chunk size must be strictly positive.")
        return chunk_size

    def _statement(self, alias: str) -> tuple[Any, Any]:
        compiled = self._compiled(self._query, alias)
        if compiled.empty:
            return None, compiled
        return Fetch(compiled.sql, compiled.bind(self._values)), compiled

    def _iterate(self, size: int) -> Iterator[T]:
        here = self._reader
        database = here._database()
        statement, compiled = self._statement(database.alias)
        if statement is None:
            return
        for rows in read_stream(statement, database, size):
            results = compiled.decode(rows, loaded_for(database.alias, self._fetch_mode))
            if self._known_related_objects:
                self._attach_known(results)
            if self._prefetch_related_lookups:
                here._run(here._prefetch(results))
            yield from results

    async def aiterator(self, chunk_size: int | None = None) -> AsyncIterator[T]:
        size = self._chunk_size(CHUNK_SIZE if chunk_size is None else chunk_size)
        here = self._reader
        database = here._database()
        statement, compiled = self._statement(database.alias)
        if statement is None:
            return
        pieces = aread_stream(statement, database, size)
        try:
            async for rows in pieces:
                results = compiled.decode(rows, loaded_for(database.alias, self._fetch_mode))
                if self._known_related_objects:
                    self._attach_known(results)
                if self._prefetch_related_lookups:
                    await here._arun(here._prefetch(results))
                for each in results:
                    yield each
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]

    # --- creating ----------------------------------

    def create(self, **kwargs: Any) -> T:
        """A new object of these values, saved."""
        here = self._writer
        return here._write(here._create_operation(**kwargs))

    async def acreate(self, **kwargs: Any) -> T:
        here = self._writer
        return await here._awrite(here._create_operation(**kwargs))

    def get_or_create(
        self, defaults: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> tuple[T, bool]:
        """The object that matches, else a new one; and whether it is new."""
        here = self._writer
        return here._write(here._get_or_create_operation(defaults, **kwargs))

    async def aget_or_create(
        self, defaults: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> tuple[T, bool]:
        here = self._writer
        return await here._awrite(here._get_or_create_operation(defaults, **kwargs))

    def update_or_create(
        self,
        defaults: Mapping[str, Any] | None = None,
        create_defaults: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> tuple[T, bool]:
        """The object that matches with new values, else a new one; and whether it is new."""
        here = self._writer
        return here._write(here._update_or_create_operation(defaults, create_defaults, **kwargs))

    async def aupdate_or_create(
        self,
        defaults: Mapping[str, Any] | None = None,
        create_defaults: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> tuple[T, bool]:
        here = self._writer
        return await here._awrite(
            here._update_or_create_operation(defaults, create_defaults, **kwargs)
        )

    def bulk_create(
        self,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[T]:
        """Insert objects with few statements: all of them, or none.

        Returns the objects, or what `returning()` named of the rows that were written.
        """
        here = self._writer
        return here._write(
            here._bulk_create_operation(
                objs,
                batch_size=batch_size,
                ignore_conflicts=ignore_conflicts,
                update_conflicts=update_conflicts,
                update_fields=update_fields,
                unique_fields=unique_fields,
            )
        )

    async def abulk_create(
        self,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[T]:
        here = self._writer
        return await here._awrite(
            here._bulk_create_operation(
                objs,
                batch_size=batch_size,
                ignore_conflicts=ignore_conflicts,
                update_conflicts=update_conflicts,
                update_fields=update_fields,
                unique_fields=unique_fields,
            )
        )

    def bulk_upsert(
        self,
        objs: Iterable[Any],
        unique_fields: Collection[str] | None = None,
        update_fields: Collection[str] | None = None,
        batch_size: int | None = None,
    ) -> list[T]:
        """Insert objects, and update the rows that are there already, with few statements.

        All objects have their keys afterwards.  Of several objects for the same row the last one
        counts.  Neither `save()` nor signals are called.

        Args:
            unique_fields: by what a row is known again: the fields of a unique constraint, or
                `pk`.  Without them: the key where all objects have one, else the only other
                unique constraint of the model.
            update_fields: what is updated in rows that are there; without them all other fields,
                save those with `auto_now_add`.
            batch_size: how many objects a statement has at most.
        Returns:
            The objects, or what `returning()` named of their rows.
        Raises:
            ValueError: the unique fields are not clear, or the options make no sense.
        """
        here = self._writer
        return here._write(
            here._bulk_upsert_operation(objs, unique_fields, update_fields, batch_size)
        )

    async def abulk_upsert(
        self,
        objs: Iterable[Any],
        unique_fields: Collection[str] | None = None,
        update_fields: Collection[str] | None = None,
        batch_size: int | None = None,
    ) -> list[T]:
        here = self._writer
        return await here._awrite(
            here._bulk_upsert_operation(objs, unique_fields, update_fields, batch_size)
        )

    def insert_from(
        self,
        queryset: Any,
        fields: Mapping[str, Any] | Sequence[str] | None = None,
        *,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> int:
        """Insert the rows of a query in one statement, INSERT … SELECT; the number of rows.

        `Archive.objects.insert_from(Book.objects.filter(pages=0), fields=["title", "pages"])`, or
        `fields={"title": Upper("title"), "note": Value("old")}`.  No object is made, and neither
        `save()` nor signals are called.  Fields that are not named get their default.

        Args:
            queryset: the rows: objects, or `values()` whose names are fields of this model.
            fields: names of fields that rows and model share; or of this model alone, for the
                columns of `values()` in their order; or names and expressions of the rows by field.
            ignore_conflicts, update_conflicts, update_fields, unique_fields: as for `bulk_create`.
        Returns:
            The number of inserted (or updated) rows, or what `returning()` named of them.
        Raises:
            FieldError: a name is no field, or a field without a default is missing.
            QueryValueError: there are more or fewer columns than fields, or options contradict.
        """
        options = _conflict_options(
            ignore_conflicts, update_conflicts, update_fields, unique_fields
        )
        here = self._writer
        count: int = here._write(here._insert_from_operation(queryset, fields, options))
        return count

    async def ainsert_from(
        self,
        queryset: Any,
        fields: Mapping[str, Any] | Sequence[str] | None = None,
        *,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> int:
        options = _conflict_options(
            ignore_conflicts, update_conflicts, update_fields, unique_fields
        )
        here = self._writer
        count: int = await here._awrite(here._insert_from_operation(queryset, fields, options))
        return count

    def bulk_update(
        self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        """Save these fields of objects with few statements; the number of rows that matched."""
        here = self._writer
        return here._write(here._bulk_update_operation(objs, fields, batch_size))

    async def abulk_update(
        self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        here = self._writer
        return await here._awrite(here._bulk_update_operation(objs, fields, batch_size))

    # --- changing ----------------------------------

    def update(self, **kwargs: Any) -> int:
        """Set fields of all rows in one statement; the number of rows that matched.

        New values may refer to related rows (`F("author__age")`), and the QuerySet may be sliced.
        After `returning()` the result is the list of the rows instead.
        """
        here = self._writer
        count: int = here._write(here._update_operation(kwargs))
        self._result_cache = None
        return count

    async def aupdate(self, **kwargs: Any) -> int:
        here = self._writer
        count: int = await here._awrite(here._update_operation(kwargs))
        self._result_cache = None
        return count

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the objects and what depends on them; how many, in all and for each model.

        The QuerySet may be sliced.  After `returning()` the result is the list of the rows as they
        were.
        """
        here = self._writer
        counts: tuple[int, dict[str, int]] = here._write(here._delete_operation())
        self._result_cache = None
        return counts

    async def adelete(self) -> tuple[int, dict[str, int]]:
        here = self._writer
        counts: tuple[int, dict[str, int]] = await here._awrite(here._delete_operation())
        self._result_cache = None
        return counts

    def _raw_delete(self, using: str) -> int:
        """Delete the rows alone, without what depends on them."""
        return self.using(using)._write(self._raw_delete_operation())

    # --- SQL by hand ----------------------------------

    def raw(
        self,
        raw_query: str,
        params: Any = (),
        translations: Mapping[str, str] | None = None,
        using: str | None = None,
    ) -> RawQuerySet:
        """Objects from SQL by hand, with `%s` for its values."""
        return RawQuerySet(
            raw_query,
            model=self.model,
            params=params,
            translations=translations,
            using=using or self._db,
            fetch_mode=self._fetch_mode,
        ).prefetch_related(*self._prefetch_related_lookups)

    def extra(
        self,
        select: Any = None,
        where: Any = None,
        params: Any = None,
        tables: Any = None,
        order_by: Any = None,
        select_params: Any = None,
    ) -> Any:
        """Not part of aorm: the NotSupportedError says what to write in its place."""
        self._not_combined("extra")
        given = {"select": select, "where": where, "tables": tables, "order_by": order_by}
        ways = [INSTEAD_OF_EXTRA[name] for name, value in given.items() if value]
        raise NotSupportedError(
            f"extra() is not part of aorm: use {'; '.join(ways or INSTEAD_OF_EXTRA.values())}"
        )

    @classmethod
    def as_manager(cls) -> Any:
        """A manager with this QuerySet's methods."""
        return MANAGER_HOOK.make(cls)


def _conflict_options(
    ignore: bool, update: bool, update_fields: Any, unique_fields: Any
) -> dict[str, Any]:
    return {
        "ignore_conflicts": ignore,
        "update_conflicts": update,
        "update_fields": update_fields,
        "unique_fields": unique_fields,
    }


class _Empty(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, QuerySet) and instance._query.empty


class EmptyQuerySet(metaclass=_Empty):
    """For `isinstance`: whether a QuerySet is that of `none()`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("EmptyQuerySet can't be instantiated")


class ManagerHook:
    """Where the module of managers says how a QuerySet class becomes a manager."""

    make: Callable[[Any], Any]


MANAGER_HOOK = ManagerHook()
for _name in ("delete", "adelete", "as_manager"):
    _method: Any = QuerySet.__dict__[_name]
    getattr(_method, "__func__", _method).queryset_only = True
