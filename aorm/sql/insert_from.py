"""INSERT … SELECT: the rows of a query become rows of a table."""

from __future__ import annotations

from typing import Any

from aorm.errors import EmptyResultSet
from aorm.query.expressions import Param
from aorm.query.query import Query
from aorm.query.tables import check_tables
from aorm.records import Record
from aorm.sql.change import returned_clause
from aorm.sql.compiled import Compiled, make_binder
from aorm.sql.compiler import SUBQUERY, Compiler, Rendered
from aorm.sql.dialect import Dialect
from aorm.sql.standard import param_type
from aorm.sql.writes import Conflict, conflict_sql, names


class Insertion(Record):
    """What is inserted, apart from the query of the rows.

    Its values come behind those of the query: one for each filled field, then those of what is
    returned.
    """

    model: Any
    fields: tuple[Any, ...]  # filled by the columns of the query, in their order
    filled: tuple[Any, ...]  # the same value in all rows
    conflict: Conflict | None
    returned: Query | None


def compile_insertion(query: Query, insertion: Insertion, dialect: Dialect) -> Compiled:
    """The compiled form of INSERT … SELECT, made once for each query, table and dialect."""
    key = ("insert", dialect, insertion)
    found: Compiled | None = query.compiled.get(key)
    if found is None:
        found = query.compiled[key] = _compile(query, insertion, dialect)
    return found


def _compile(query: Query, insertion: Insertion, dialect: Dialect) -> Compiled:
    check_tables(query)
    opts = insertion.model._meta
    try:
        source, params = _rows(query, insertion, dialect)
    except EmptyResultSet:
        return Compiled("", tuple, empty=True)
    columns = names((*insertion.filled, *insertion.fields), dialect).replace("%", "%%")
    table = str(dialect.quote(opts.db_table)).replace("%", "%%")
    tail = conflict_sql(insertion.conflict, dialect, opts.version_field).replace("%", "%%")
    first = query.slots + len(insertion.filled)
    returned, slots, decode = insertion.returned, first, None
    if returned is not None:
        (text, found), decode = returned_clause(returned, first, dialect)
        tail, params = tail + text, [*params, *found]
        slots += returned.slots
    compiler = Compiler(dialect, query)  # type: ignore[arg-type]
    sql, finished = compiler.finished((f"INSERT INTO {table} ({columns}) {source}{tail}", params))
    return Compiled(sql, make_binder(finished, dialect, slots), decode)


def _rows(query: Query, insertion: Insertion, dialect: Dialect) -> Rendered:
    sql, params = SUBQUERY.render(query, dialect)
    if not insertion.filled and insertion.conflict is None:
        return sql, params
    values: list[str] = []
    for number, field in enumerate(insertion.filled):
        kind = None
        if dialect.capabilities.typed_parameters:
            kind = param_type(Param(0, field), Compiler(dialect, query))  # type: ignore[arg-type]
        values.append("%s" if kind is None else f"%s::{kind}")
        params = [*params, Param(query.slots + number, None, typed=False)]
    # The parameters of the rows come behind those of the columns.
    params = [*params[len(params) - len(values) :], *params[: len(params) - len(values)]]
    columns = ", ".join([*values, '"rows".*'])
    # Without WHERE, SQLite takes the ON of a conflict for that of a join.
    return f'SELECT {columns} FROM ({sql}) "rows" WHERE 1 = 1', params
