"""What the tests of queries share: the SQL of a query set without any database."""

from __future__ import annotations

from typing import Any

from aorm.query.query import Query
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from aorm.sql.select import compile_select

DIALECTS = (SQLITE, POSTGRESQL)


def spelt(queryset: Any, dialect: Any) -> tuple[str, tuple[Any, ...]]:
    """The SQL and the parameters; an empty text where no row can match."""
    compiled = compile_select(queryset._query, dialect)
    if compiled.empty:
        return "", ()
    return compiled.sql, tuple(compiled.bind(queryset._values))


def where(queryset: Any, dialect: Any) -> tuple[str, tuple[Any, ...]]:
    """The condition alone, with its parameters."""
    sql, params = spelt(queryset, dialect)
    return sql.partition(" WHERE ")[2], params


def interned(model: Any) -> Any:
    """All rows, by the query that every use of the model shares."""
    return model.objects.order_by()


def fresh(model: Any) -> Any:
    """All rows, by a query that nothing was derived from yet."""
    queryset = model.objects.all()
    queryset._query, queryset._values = Query.all(model), ()
    return queryset.order_by()
