"""UPDATE and DELETE of the rows of a query."""

from __future__ import annotations

from typing import Any

from aorm.errors import EmptyResultSet, FullResultSet
from aorm.query.draft import Draft
from aorm.query.expressions import Col, QueryNode
from aorm.query.query import Query
from aorm.query.tuples import ColumnTuple
from aorm.sql.compiled import Compiled, make_binder
from aorm.sql.compiler import Compiler, Rendered
from aorm.sql.dialect import Dialect
from aorm.sql.standard import where_root


def compile_update(query: Query, dialect: Dialect) -> Compiled:
    """UPDATE of the query's rows with its assignments."""
    return _compiled(query, dialect, "update")


def compile_delete(query: Query, dialect: Dialect) -> Compiled:
    """DELETE of the query's rows."""
    return _compiled(query, dialect, "delete")


def _compiled(query: Query, dialect: Dialect, kind: str) -> Compiled:
    key = (kind, dialect)
    found: Compiled | None = query.compiled.get(key)
    if found is None:
        found = query.compiled[key] = _compile(query, dialect, kind)
    return found


def _compile(query: Query, dialect: Dialect, kind: str) -> Compiled:
    compiler = Compiler(dialect, Draft.of(query))
    compiler.draft.initial_alias()
    if query.empty:
        return Compiled("", tuple, empty=True)
    try:
        where, where_params = _where(compiler, query)
    except EmptyResultSet:
        return Compiled("", tuple, empty=True)
    table = compiler.quote(query.opts.db_table)
    if kind == "delete":
        rendered: Rendered = f"DELETE FROM {table}{where}", where_params
    else:
        assigned, params = _assigned(compiler, query)
        if not assigned:
            return Compiled("", tuple, empty=True)
        rendered = f"UPDATE {table} SET {assigned}{where}", [*params, *where_params]
    sql, finished = compiler.finished(rendered)
    return Compiled(sql, make_binder(finished, dialect, query.slots))


def _assigned(compiler: Compiler, query: Query) -> Rendered:
    parts: list[str] = []
    params: list[Any] = []
    for field, expression in query.assignments:
        try:
            sql, found = compiler.compile(expression)
        except EmptyResultSet:
            empty = expression.empty_result_set_value
            sql, found = ("NULL", []) if empty is None else ("%s", [empty])
        except FullResultSet:
            sql, found = "(1 = 1)", []
        parts.append(f"{compiler.quote(field.column)} = {sql}")
        params.extend(found)
    return ", ".join(parts), params


def _where(compiler: Compiler, query: Query) -> Rendered:
    """The condition; rows found through other tables are named by their keys."""
    draft = compiler.draft
    used = [alias for alias, count in draft.refs.items() if count]
    direct = len(used) <= 1 and draft.group_by is None and not draft.distinct_fields
    if direct and not draft.is_sliced and not draft.where.contains_over_clause:
        if not draft.where.children:
            return "", []
        try:
            sql, params = where_root(draft.where, compiler)
        except FullResultSet:
            return "", []
        return f" WHERE {sql}", params
    keys = _keys(query)
    left = compiler.compile(_key_column(draft, draft.opts.db_table))[0]
    sql, params = compiler.subquery(QueryNode(keys))
    return f" WHERE {left} IN ({sql})", params


def _key_column(draft: Draft, alias: str) -> Any:
    pk = draft.opts.pk
    if getattr(pk, "column", None) is None and hasattr(pk, "fields"):
        return ColumnTuple(alias, tuple(pk.fields), tuple(pk.fields), pk)
    return Col(alias, pk)


def _keys(query: Query) -> Query:
    """The query of the primary keys of the rows."""
    draft = Draft.of(query)
    draft.assignments = ()
    base = draft.initial_alias()
    draft.select = (_key_column(draft, base),)
    draft.default_cols = False
    draft.form = ("tuple", None)
    draft.values_names = ()
    draft.annotation_mask = ()
    draft.select_related = False
    draft.subquery = True
    if not draft.is_sliced and not draft.distinct_fields:
        draft.order_by, draft.default_ordering = (), False
    draft.alias_prefix = "U"
    draft.relabel({alias: f"U{number}" for number, alias in enumerate(draft.joins)})
    return Query.frozen(draft)
