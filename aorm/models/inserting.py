"""Rows of a query as new rows of a model's table: `insert_from`, as an operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aorm.connections import connections
from aorm.errors import FieldDoesNotExist, FieldError, QueryTypeError, QueryValueError, listed
from aorm.fields.base import is_expression
from aorm.models.returning import Returning, is_direct
from aorm.models.rows import loaded_for
from aorm.operations.bulk import checked_options
from aorm.sql.dialect import Dialect
from aorm.sql.late import binding, insert_from, tables
from aorm.steps import Operation, execute, fetch

Fields = Mapping[str, Any] | Sequence[str] | None


class Inserting(Returning):
    """`insert_from()` and `ainsert_from()`."""

    def _insert_from_operation(
        self, queryset: Any, fields: Fields, options: Mapping[str, Any]
    ) -> Operation[Any]:
        alias = self._write_alias()
        dialect = connections[alias].dialect
        conflict = checked_options(self.model, None, **options)
        source, chosen = self._source(queryset, fields)
        if source._db is not None and source._db != alias:
            raise QueryValueError(
                f"the rows are on the database {source._db!r}, and their table on {alias!r}:"
                " insert_from() copies within one"
            )
        count = len(tables.table_columns(source._query, dialect))
        if count != len(chosen):
            raise QueryValueError(
                f"insert_from() has {len(chosen)} fields ({listed(f.name for f in chosen)}) for"
                f" {count} columns of the rows"
            )
        filled, values = _filled(self.model, chosen, dialect)
        node = self._query.returning
        returned = None if node is None else node.query
        if returned is not None and not is_direct(returned):
            raise FieldError("returning() before insert_from() takes columns of the model's table")
        insertion = insert_from.Insertion(self.model, chosen, filled, conflict, returned)
        compiled = insert_from.compile_insertion(source._query, insertion, dialect)
        if compiled.empty:
            return 0 if returned is None else []
        own: tuple[Any, ...] = ()
        if node is not None:
            own = self._values[node.base : node.base + node.query.slots]
        params = compiled.bind((*source._values, *values, *own))
        if returned is None:
            return (yield from execute(compiled.sql, params))
        rows = yield from fetch(compiled.sql, params)
        found: list[Any] = compiled.decode(rows, loaded_for(alias, self._fetch_mode))
        yield from self._prefetch_returned(found)
        return found

    def _source(self, queryset: Any, fields: Fields) -> tuple[Any, tuple[Any, ...]]:
        """The QuerySet of values, and the fields that its columns are for."""
        if hasattr(queryset, "get_queryset"):
            queryset = queryset.all()
        if not hasattr(queryset, "as_subquery"):
            raise QueryTypeError(f"insert_from() takes a QuerySet, not {queryset!r}")
        of_objects = queryset._query.form[0] == "model"
        if isinstance(fields, Mapping):
            return queryset.values_list(*fields.values()), self._targets(fields)
        if isinstance(fields, str):
            raise QueryTypeError(f"the fields of insert_from() are a list of names, not {fields!r}")
        if fields is not None:
            targets = self._targets(fields)
            return (queryset.values_list(*fields) if of_objects else queryset), targets
        if not of_objects:
            return queryset, self._targets(queryset._query.values_names)
        known = {field.attname for field in queryset.model._meta.concrete_fields}
        known |= set(queryset._query.annotation_select)
        opts = self.model._meta
        shared = [
            field.attname
            for field in opts.local_concrete_fields
            if field.attname in known and field is not opts.auto_field and not field.generated
        ]
        if not shared:
            raise FieldError(
                f"{queryset.model._meta.object_name} and {opts.object_name} share no fields: name"
                " them in insert_from(fields=...)"
            )
        return queryset.values_list(*shared), self._targets(shared)

    def _targets(self, names: Iterable[str]) -> tuple[Any, ...]:
        opts = self.model._meta
        found: list[Any] = []
        for name in names:
            try:
                field = opts.pk if name == "pk" else opts.get_field(name)
            except FieldDoesNotExist:
                field = None
            if field is None or getattr(field, "column", None) is None or field.generated:
                known = listed(f.name for f in opts.local_concrete_fields if not f.generated)
                raise FieldError(
                    f"{opts.object_name} has no column {name!r} to insert into; there are {known}"
                )
            if field in found:
                raise FieldError(f"insert_from() names {name!r} twice")
            found.append(field)
        return tuple(found)


def _filled(
    model: Any, chosen: Sequence[Any], dialect: Dialect
) -> tuple[tuple[Any, ...], list[Any]]:
    """The fields that have one value in all rows, their defaults, and the values bound."""
    opts = model._meta
    blank = model()
    fields: list[Any] = []
    values: list[Any] = []
    for field in opts.local_concrete_fields:
        left = field in chosen or field is opts.auto_field or field.generated
        if left or field.has_db_default():
            continue
        value = field.pre_save(blank, True)
        if value is None and field.null:
            continue
        in_key = field.primary_key or field in opts.pk_fields
        if value is None or in_key or is_expression(value) or field.unique:
            raise FieldError(
                f"insert_from() needs a column for {opts.object_name}.{field.name}: it has no"
                " default that all rows could share"
            )
        fields.append(field)
        values.append(_bound(value, field, opts, dialect))
    return tuple(fields), values


def _bound(value: Any, field: Any, opts: Any, dialect: Dialect) -> Any:
    try:
        bind = binding.kept(opts, ("bind", dialect, field), lambda: binding.binder(field, dialect))
        return bind.function(value)
    except binding.NotPlain:
        return field.get_db_prep_save(value, connection=dialect)
