"""UPDATE and DELETE of the rows of a query.

1. Conditions on the table alone stand in the statement itself; rows that are found through other
   tables, or that a slice chooses, are named by a subquery of their keys.
2. New values that are read from other tables come from a subquery as well, joined by the key.
"""

from __future__ import annotations

from typing import Any

from aorm.errors import EmptyResultSet, FullResultSet
from aorm.query.draft import Draft
from aorm.query.expressions import Col, QueryNode
from aorm.query.query import Query
from aorm.query.tables import check_tables
from aorm.query.tuples import ColumnTuple
from aorm.sql.compiled import Compiled, Decode, make_binder
from aorm.sql.compiler import Compiler, Rendered, at_offset
from aorm.sql.decoders import decoder_of
from aorm.sql.dialect import Dialect
from aorm.sql.select import SelectCompiler
from aorm.sql.standard import constant, where_root

SOURCE = "source"


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
    check_tables(query)
    try:
        rendered = _deletion(compiler) if kind == "delete" else _change(compiler, query)
    except EmptyResultSet:
        return Compiled("", tuple, empty=True)
    (tail, tail_params), decode = returning_clause(query, dialect)
    sql, finished = compiler.finished((rendered[0] + tail, [*rendered[1], *tail_params]))
    return Compiled(sql, make_binder(finished, dialect, query.slots), decode)


def returning_clause(query: Query, dialect: Dialect) -> tuple[Rendered, Decode | None]:
    """RETURNING with a space before it, and what makes results of its rows."""
    node = query.returning
    if node is None:
        return ("", []), None
    return returned_clause(node.query, node.base, dialect)


def returned_clause(query: Query, base: int, dialect: Dialect) -> tuple[Rendered, Decode]:
    """RETURNING of the columns of a query whose values start at `base`."""
    compiler = SelectCompiler(query, dialect)
    compiler.collect_outputs()
    sql, params = at_offset(compiler.columns(), base)
    decode = decoder_of(compiler.outputs, compiler.source, query.form, dialect)
    return (f" RETURNING {sql}", params), decode


class ReturnedColumns:
    """Plain columns that a statement returns: their fields, and what makes results of the rows."""

    __slots__ = ("decode", "fields")

    def __init__(self, fields: tuple[Any, ...], decode: Decode) -> None:
        self.fields = fields
        self.decode = decode


def returned_columns(query: Query, dialect: Dialect) -> ReturnedColumns | None:
    """The columns of a query of one table; None where it selects anything else."""
    key = ("columns", dialect)
    if key not in query.compiled:
        query.compiled[key] = _returned_columns(query, dialect)
    found: ReturnedColumns | None = query.compiled[key]
    return found


def _returned_columns(query: Query, dialect: Dialect) -> ReturnedColumns | None:
    compiler = SelectCompiler(query, dialect)
    compiler.collect_outputs()
    fields: list[Any] = []
    for output in compiler.outputs:
        expression = output.expression
        if isinstance(expression, ColumnTuple):
            fields.extend(expression.targets)
        elif type(expression) is Col and expression.alias == compiler.draft.base_alias:
            fields.append(expression.target)
        else:
            return None
    decode = decoder_of(compiler.outputs, compiler.source, query.form, dialect)
    return ReturnedColumns(tuple(fields), decode)


# --- the two statements ----------------------------------------


def _deletion(compiler: Compiler) -> Rendered:
    where, params = _where(compiler)
    return f"DELETE FROM {compiler.quote(compiler.draft.opts.db_table)}{where}", params


def _change(compiler: Compiler, query: Query) -> Rendered:
    if not query.assignments:
        raise EmptyResultSet
    table = compiler.quote(query.opts.db_table)
    base = compiler.draft.base_alias
    known = bool(query.tables)
    foreign = [(f, e) for f, e in query.assignments if _reads_other_tables(e, base, known)]
    if foreign:
        return _change_from(compiler, query, foreign)
    where, where_params = _where(compiler)
    assigned, params = _assigned(compiler, query.assignments)
    return f"UPDATE {table} SET {assigned}{where}", [*params, *where_params]


def _reads_other_tables(expression: Any, base: str, known: bool) -> bool:
    """Whether a new value needs a table that is joined, or one that is `known` by WITH."""
    for each in expression.walk():
        if isinstance(each, Col) and each.alias not in (None, base):
            return True
        if isinstance(each, QueryNode) and (
            known or any(column.alias != base for column in each.query.outer_columns())
        ):
            return True
    return False


def _change_from(compiler: Compiler, query: Query, foreign: list[Any]) -> Rendered:
    """UPDATE … FROM a subquery of the rows' keys and of the values read from other tables."""
    own = [pair for pair in query.assignments if pair not in foreign]
    names = [f"new{number}" for number in range(len(foreign))]
    draft = _keys(compiler.draft)
    draft.annotations = dict(draft.annotations)
    for name, (_, expression) in zip(names, foreign, strict=True):
        draft.annotations[name] = expression
    draft.annotation_mask = tuple(names)
    source, source_params = compiler.subquery(QueryNode(_renamed(draft)))
    table, alias = compiler.quote(query.opts.db_table), compiler.quote(SOURCE)
    assigned, params = _assigned(compiler, own) if own else ("", [])
    parts = [assigned] if assigned else []
    for name, (field, _) in zip(names, foreign, strict=True):
        parts.append(f"{compiler.quote(field.column)} = {alias}.{compiler.quote(name)}")
    keys = [compiler.quote(field.column) for field in query.opts.pk_fields]
    where = " AND ".join(f"{table}.{key} = {alias}.{key}" for key in keys)
    sql = f"UPDATE {table} SET {', '.join(parts)} FROM ({source}) {alias} WHERE {where}"
    return sql, [*params, *source_params]


def _assigned(compiler: Compiler, assignments: Any) -> Rendered:
    parts: list[str] = []
    params: list[Any] = []
    for field, expression in assignments:
        try:
            sql, found = compiler.compile(expression)
        except EmptyResultSet:
            empty = expression.empty_result_set_value
            sql, found = constant(None if empty is NotImplemented else empty, compiler)
        except FullResultSet:
            sql, found = "(1 = 1)", []
        parts.append(f"{compiler.quote(field.column)} = {sql}")
        params.extend(found)
    return ", ".join(parts), params


# --- which rows ----------------------------------------


def _where(compiler: Compiler) -> Rendered:
    """The condition; rows found through other tables are named by their keys."""
    draft = compiler.draft
    used = [alias for alias, count in draft.refs.items() if count]
    direct = len(used) <= 1 and draft.group_by is None and not draft.distinct_fields
    # WITH stands in the subquery: sqlite3 counts no rows where it stands before the verb.
    chosen = draft.is_sliced or draft.per or draft.tables or _skips_locked(draft, compiler.dialect)
    if direct and not chosen and not draft.where.contains_over_clause:
        if not draft.where.children:
            return "", []
        try:
            sql, params = where_root(draft.where, compiler)
        except FullResultSet:
            return "", []
        return f" WHERE {sql}", params
    left = compiler.compile(_key_column(draft, draft.opts.db_table))[0]
    sql, params = compiler.subquery(QueryNode(_renamed(_keys(draft))))
    if draft.lock is not None and compiler.dialect.capabilities.select_for_update:
        # Planned as a join it might be run again, and lock further rows each time.
        keys = compiler.quote("keys")
        sql = f"WITH {keys} AS MATERIALIZED ({sql}) SELECT * FROM {keys}"
    return f" WHERE {left} IN ({sql})", params


def _skips_locked(draft: Draft, dialect: Dialect) -> bool:
    """Whether rows that somebody has locked are left out, or are an error."""
    if draft.lock is None or not dialect.capabilities.select_for_update:
        return False
    nowait, skip_locked, *_ = draft.lock
    return bool(nowait or skip_locked)


def _key_column(draft: Draft, alias: str) -> Any:
    pk = draft.opts.pk
    if getattr(pk, "column", None) is None and hasattr(pk, "fields"):
        return ColumnTuple(alias, tuple(pk.fields), tuple(pk.fields), pk)
    return Col(alias, pk)


def _keys(query: Draft) -> Draft:
    """The query of the primary keys of the rows."""
    draft = Draft.of(query)
    draft.assignments, draft.returning = (), None
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
    if not (draft.is_sliced or _skips_locked_anywhere(draft)):
        draft.lock = None
    return draft


def _skips_locked_anywhere(draft: Draft) -> bool:
    return draft.lock is not None and bool(draft.lock[0] or draft.lock[1])


def _renamed(draft: Draft) -> Query:
    """The query with aliases of its own: the changed table stands around it."""
    draft.bump_prefix(draft)
    return Query.frozen(draft)
