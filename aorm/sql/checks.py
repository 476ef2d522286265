"""A condition on its own, asked of the database without any table."""

from __future__ import annotations

from aorm.errors import EmptyResultSet, FullResultSet
from aorm.query.draft import Draft
from aorm.query.query import Query
from aorm.sql.compiled import Compiled, make_binder
from aorm.sql.compiler import Compiler
from aorm.sql.dialect import Dialect
from aorm.sql.standard import where_root


def compile_check(query: Query, dialect: Dialect) -> Compiled:
    """`SELECT 1 WHERE` the query's condition, in which nothing may be a column."""
    compiler = Compiler(dialect, Draft.of(query))
    try:
        condition, params = where_root(query.where, compiler)
        sql = f"SELECT 1 WHERE {condition}"
    except EmptyResultSet:
        return Compiled("", tuple, empty=True)
    except FullResultSet:
        sql, params = "SELECT 1", []
    sql, finished = compiler.finished((sql, params))
    return Compiled(sql, make_binder(finished, dialect, query.slots))
