"""What a QuerySet asks a database: each question once, as an operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aorm.connections import connections
from aorm.errors import (
    NotSupportedError,
    QueryTypeError,
    QueryValueError,
    TransactionManagementError,
)
from aorm.fields.registry import hooks
from aorm.late import json
from aorm.models.combining import Combining
from aorm.models.placing import check_database
from aorm.models.rows import loaded_for
from aorm.operations.prefetch import prefetch_related_objects_operation
from aorm.operations.routing import DEFAULT_DB_ALIAS, router
from aorm.query import building
from aorm.query.aggregates import Count
from aorm.query.aggregation import aggregated
from aorm.query.draft import Draft
from aorm.query.expressions import Param, Slots
from aorm.query.functions.comparison import Coalesce
from aorm.query.query import Query
from aorm.query.shapes import PLAIN
from aorm.query.state import Fixed
from aorm.sql.compiled import Compiled
from aorm.sql.late import named_rows, select
from aorm.steps import Doing, Fetch, Operation, Read, Single, fetch

MAX_GET_RESULTS = 21
_PLAIN = PLAIN.issuperset
_COUNT = Count("*")


class Reading(Combining):
    """The operations of a QuerySet that read."""

    def _database(self) -> Any:
        return self._place or connections[self._db or self.db]

    def _write_alias(self) -> str:
        if self._db is not None:
            return self._db
        if not self._hints and router.is_idle:
            return DEFAULT_DB_ALIAS
        return router.db_for_write(self.model, **self._hints)

    # --- reading ----------------------------------

    def _compiled(self, query: Query, alias: str) -> Compiled:
        """A query's compiled form for a database."""
        if self._query.database is not None:
            check_database(self._query, alias)
        database = connections[alias]
        if query.lock is not None and database.dialect.capabilities.select_for_update:
            self._check_locking(database)
        return select.compile_select(query, database.dialect)

    def _check_locking(self, database: Any) -> None:
        if (self._place or database).autocommit:
            raise TransactionManagementError(
                "select_for_update cannot be used outside of a transaction."
            )

    def _fetch_operation(self) -> Doing[list[Any]]:
        """All results, with what is prefetched; kept as the result cache."""
        plain = self._is_plain or not self._prefetch_related_lookups
        if self._result_cache is not None or not plain:
            return self._with_prefetched()
        return self._read() or self._with_prefetched()

    def _read(self) -> Single[list[Any]] | None:
        """The results by themselves; None where the database need not be asked."""
        alias = self._db or self.db
        compiled = self._compiled(self._query, alias)
        if compiled.empty:
            self._result_cache = []
            return None
        loaded = loaded_for(alias, None if self._is_plain else self._fetch_mode)
        bound = compiled.bind(self._values)
        step = Read(compiled.sql, bound, compiled.decode, loaded, compiled.whole)
        return Single(step, self._keep_results)

    def _keep_results(self, found: list[Any]) -> list[Any]:
        if not self._is_plain and self._known_related_objects:
            self._attach_known(found)
        self._result_cache = found
        return found

    def _with_prefetched(self) -> Operation[list[Any]]:
        """The results, fetched where they are not there yet, with what is prefetched for them."""
        fresh = False
        if self._result_cache is None and (asked := self._read()) is not None:
            yield from asked
            fresh = hooks.loads_plainly(self.model)
        found: Any = self._result_cache
        if self._prefetch_related_lookups and not self._prefetch_done:
            yield from self._prefetch(found, fresh)
            self._prefetch_done = True
        return found  # type: ignore[no-any-return]

    def _prefetch(self, results: list[Any], fresh: bool = False) -> Operation[None]:
        if results and self._query.form[0] == "model":
            yield from prefetch_related_objects_operation(
                results, self._prefetch_related_lookups, fresh=fresh
            )

    def _attach_known(self, results: list[Any]) -> None:
        """Give the objects the related ones that the QuerySet came from."""
        if self._query.form[0] != "model":
            return
        for field, objects in self._known_related_objects.items():
            cache = field.cache_attname
            local = [f.attname for f in getattr(field, "local_related_fields", ())] or [
                field.attname
            ]
            for result in results:
                held = result.__dict__
                if cache in held:
                    continue
                key: Any = tuple(held.get(name) for name in local)
                known = objects.get(key[0] if len(key) == 1 else key)
                if known is not None:
                    held[cache] = known

    def _get_operation(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Doing[Any]:
        query = self._query
        if query.combinator is not None and (args or kwargs):
            raise NotSupportedError(
                f"Calling QuerySet.get(...) with filters after {query.combinator[0]}() is not"
                " supported."
            )
        values = tuple(kwargs.values())
        kinds: tuple[Any, ...] = tuple(map(type, values))
        if values and not args and self._plainly_filtered and _PLAIN(kinds):
            self._not_sliced("Cannot filter a query once a slice has been taken.")
            query, values = self._filtered(kwargs, values, kinds)
        else:
            found_set = self.filter(*args, **kwargs) if args or kwargs else self
            query, values = found_set._query, found_set._values
        limited = query.changed("get", _limited_for_get)
        if self._prefetch_related_lookups or self._known_related_objects:
            return self._got_with_others(self._next(limited, values))
        alias = self._db or self.db
        compiled = self._compiled(limited, alias)
        if compiled.empty:
            raise self._not_one(0)
        mode = self._fetch_mode

        def finish(rows: Any) -> Any:
            results = compiled.decode(rows, loaded_for(alias, mode))
            if len(results) == 1:
                return results[0]
            raise self._not_one(len(results))

        return Single(Fetch(compiled.sql, compiled.bind(values)), finish)

    def _got_with_others(self, queryset: Any) -> Operation[Any]:
        results = yield from queryset._fetch_operation()
        if len(results) != 1:
            raise self._not_one(len(results))
        return results[0]

    def _not_one(self, number: int) -> Exception:
        name = self.model._meta.object_name
        if not number:
            return self.model.DoesNotExist(  # type: ignore[no-any-return]
                f"{name} matching query does not exist."
            )
        count = str(number) if number < MAX_GET_RESULTS else f"more than {MAX_GET_RESULTS - 1}"
        return self.model.MultipleObjectsReturned(  # type: ignore[no-any-return]
            f"get() returned more than one {name} -- it returned {count}!"
        )

    def _first_operation(self) -> Operation[Any]:
        keep = self.ordered or not self._query.default_ordering
        queryset = self if keep else self._ordered_by_key("first")
        if queryset._result_cache is None:
            queryset = queryset._sliced(0, 1)
        results = yield from queryset._fetch_operation()
        return results[0] if results else None

    def _last_operation(self) -> Operation[Any]:
        keep = self.ordered or not self._query.default_ordering
        queryset = self.reverse() if keep else self._ordered_by_key("last").reverse()
        results = yield from queryset._sliced(0, 1)._fetch_operation()
        return results[0] if results else None

    def _ordered_by_key(self, method: str) -> Any:
        self._check_order_is_by_key(method)
        return self.order_by("pk")

    def _check_order_is_by_key(self, method: str) -> None:
        grouped = self._query.group_by
        if isinstance(grouped, tuple):
            targets = [getattr(column, "target", None) for column in grouped]
            if not all(field in targets for field in self.model._meta.pk_fields):
                raise QueryTypeError(
                    f"Cannot use QuerySet.{method}() on an unordered queryset performing"
                    " aggregation. Add an ordering with order_by()."
                )

    def _earliest_operation(self, fields: Sequence[Any], *, reverse: bool) -> Operation[Any]:
        order: Any = fields or self.model._meta.get_latest_by
        if not order:
            raise QueryValueError(
                "earliest() and latest() require either fields as positional arguments or"
                " 'get_latest_by' in the model's Meta."
            )
        if isinstance(order, str):
            order = (order,)
        if self._query.is_sliced:
            raise QueryTypeError("Cannot change a query once a slice has been taken.")
        queryset = self.order_by(*order)
        if reverse:
            queryset = queryset.reverse()
        return (yield from queryset._sliced(0, 1)._get_operation((), {}))

    def _exists_operation(self) -> Operation[bool]:
        if self._result_cache is not None:
            return bool(self._result_cache)
        query = self._query.changed("exists", _limited_to_existence)
        compiled = select.compile_select(query, self._database().dialect)
        if compiled.empty:
            return False
        rows = yield from fetch(compiled.sql, compiled.bind(self._values))
        return bool(rows)

    def _count_operation(self) -> Operation[int]:
        if self._result_cache is not None:
            return len(self._result_cache)
        found = yield from self._aggregate_operation({"__count": _COUNT})
        return found["__count"] or 0

    def _aggregate_operation(self, aggregates: Mapping[str, Any]) -> Operation[dict[str, Any]]:
        if not aggregates:
            return {}
        values: list[Any] = []
        for expression in aggregates.values():
            expression.collect(values)
        key = ("aggregate", tuple((name, e.shape) for name, e in aggregates.items()))

        def apply(draft: Draft, slots: Slots) -> None:
            aggregated(draft, {n: e.parametrised(slots) for n, e in aggregates.items()})

        queryset = self._step(key, values, apply)
        query = queryset._query
        compiled = select.compile_select(query, self._database().dialect)
        if compiled.empty:
            held = queryset._values
            return {n: _without_rows(query.annotations[n], held) for n in aggregates}
        rows = yield from fetch(compiled.sql, compiled.bind(queryset._values))
        return compiled.decode(rows, None)[0]  # type: ignore[no-any-return]

    def _aggregates(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The expressions of `aggregate()` by name."""
        if self._query.distinct_fields:
            raise NotImplementedError("aggregate() + distinct(fields) not implemented.")
        wrong = [e for e in (*args, *kwargs.values()) if not hasattr(e, "parametrised")]
        if wrong:
            shown = ", ".join(map(str, wrong))
            raise QueryTypeError(f"QuerySet.aggregate() received non-expression(s): {shown}.")
        named: dict[str, Any] = {}
        for each in args:
            try:
                name = each.default_alias
            except (AttributeError, TypeError) as error:
                raise QueryTypeError("Complex aggregates require an alias") from error
            named[name] = each
        named.update(kwargs)
        for name in named:
            building.check_alias(name)
        return named

    def _contains_operation(self, obj: Any) -> Operation[bool]:
        self._not_combined("contains")
        if self._query.form[0] != "model":
            raise QueryTypeError(
                "Cannot call QuerySet.contains() after .values() or .values_list()."
            )
        if getattr(obj, "_meta", None) is None:
            raise QueryTypeError("'obj' must be a model instance.")
        if obj._meta.concrete_model is not self.model._meta.concrete_model:
            return False
        if obj.pk is None:
            raise QueryValueError("QuerySet.contains() cannot be used on unsaved objects.")
        if self._result_cache is not None:
            return obj in self._result_cache
        return (yield from self.filter(pk=obj.pk)._exists_operation())

    def _in_bulk_operation(self, id_list: Any, field_name: str) -> Operation[dict[Any, Any]]:
        if self._query.is_sliced:
            raise QueryTypeError("Cannot use 'limit' or 'offset' with in_bulk().")
        opts = self.model._meta
        self._check_unique(field_name, opts)
        if id_list is not None:
            id_list = list(id_list)
            if not id_list:
                return {}
            queryset = self._with_keys(field_name, id_list)
        else:
            queryset = self._chain()
        if self._query.form[0] != "model":
            return (yield from queryset._values_by_key(field_name))
        results = yield from queryset._fetch_operation()
        return {getattr(each, field_name): each for each in results}

    def _values_by_key(self, field_name: str) -> Operation[dict[Any, Any]]:
        """`in_bulk` of values: each row in its form, by the value of a field."""
        kind = self._query.form[0]
        names = self._query.values_names
        rows = yield from self._as_values("tuple", [field_name, *names], {})._fetch_operation()
        if kind == "dict":
            return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}
        if kind == "flat":
            return {row[0]: row[1] for row in rows}
        if kind == "named":
            own = field_name in names
            made = named_rows.row_class(tuple(names) if own else (field_name, *names))
            return {row[0]: made._make(row[1:] if own else row) for row in rows}
        return {row[0]: row[1:] for row in rows}

    def _check_unique(self, field_name: str, opts: Any) -> None:
        if field_name == "pk":
            return
        unique_alone = [
            constraint.fields[0]
            for constraint in opts.total_unique_constraints
            if len(constraint.fields) == 1
        ]
        if (
            not opts.get_field(field_name).unique
            and field_name not in unique_alone
            and self._query.distinct_fields != (field_name,)
        ):
            raise QueryValueError(
                f"in_bulk()'s field_name must be a unique field but {field_name!r} isn't."
            )

    def _explain_operation(self, format: str | None, options: Mapping[str, Any]) -> Operation[str]:
        dialect = self._database().dialect
        compiled = select.compile_select(self._query, dialect)
        if compiled.empty:
            return ""
        prefix = dialect.explain_prefix(format, options)
        rows = yield from fetch(f"{prefix} {compiled.sql}", compiled.bind(self._values))
        return "\n".join(" ".join(map(_shown, row)) for row in rows)


def _limited_for_get(draft: Draft) -> None:
    building.clear_ordering(draft)
    if not draft.is_sliced and draft.combinator is None:
        draft.limit = Fixed(MAX_GET_RESULTS)


def _limited_to_existence(draft: Draft) -> None:
    if draft.combinator is not None:
        _combined_existence(draft)
        return
    if not draft.distinct_fields and not draft.is_sliced:
        draft.order_by, draft.default_ordering = (), False
        if draft.group_by is None:
            draft.distinct = False
            draft.select = ()
            draft.annotation_mask = ()
            draft.default_cols = False
    draft.select_related = False
    draft.form, draft.values_names = ("tuple", None), draft.values_names if draft.select else ()
    if not draft.is_sliced:
        draft.limit = Fixed(1)


def _combined_existence(draft: Draft) -> None:
    """Whether combined rows exist: of a union it is enough to ask the parts."""
    if draft.is_sliced:
        return
    draft.order_by, draft.default_ordering = (), False
    if draft.combinator == ("union", False) or draft.combinator == ("union", True):
        parts = [query for query, _ in draft.combined]
        if all(query.combinator is None and not _picks_rows(query) for query in parts):
            draft.combined = tuple(
                (query.changed("exists in union", _without_columns), base)
                for query, base in draft.combined
            )
            _without_columns(draft)
    draft.limit = Fixed(1)


def _picks_rows(query: Query) -> bool:
    """Whether what is selected has a say in which rows there are."""
    return bool(query.is_sliced or query.distinct_fields or query.group_by is not None)


def _without_columns(draft: Draft) -> None:
    draft.distinct = False
    draft.select, draft.default_cols = (), False
    draft.annotation_mask = ()
    draft.select_related = False
    draft.form, draft.values_names = ("tuple", None), ()


def _without_rows(annotation: Any, values: Sequence[Any]) -> Any:
    """The result of an aggregate over no rows."""
    if isinstance(annotation, Param):
        return values[annotation.slot]
    if isinstance(annotation, Coalesce):
        found = (_without_rows(each, values) for each in annotation.get_source_expressions())
        return next((each for each in found if each is not None), None)
    return annotation.empty_result_set_value


def _shown(value: Any) -> str:
    return json.dumps(value) if isinstance(value, list | dict) else str(value)
