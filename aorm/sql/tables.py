"""Queries as tables, in SQL: WITH, and joins of subqueries that look at the rows before them.

1. Every table says the names of its columns.
2. The parts of a recursive table get the types of its start, where the database insists.
3. Where there is no LATERAL, the subquery becomes a table of all its rows, and the join chooses by
   their keys.
"""

from __future__ import annotations

from typing import Any

from aorm.errors import EmptyResultSet, NotSupportedError, QueryValueError
from aorm.query.conditions import Where
from aorm.query.draft import Draft
from aorm.query.expressions import Col, Param, QueryNode
from aorm.query.query import Query
from aorm.query.tables import CommonTable
from aorm.sql.compiler import Compiler, Rendered
from aorm.sql.dialect import Dialect
from aorm.sql.loading import Loading
from aorm.sql.standard import param_type

Columns = tuple[tuple[str, Any], ...]


def table_columns(query: Query, dialect: Dialect) -> Columns:
    """The names and types of the columns of a query, in their order."""
    found: Columns | None = query.compiled.get("columns of a table")
    if found is None:
        found = query.compiled["columns of a table"] = _table_columns(query, dialect)
    return found


def _table_columns(query: Query, dialect: Dialect) -> Columns:
    loading = Loading(query, dialect)
    loading.collect_outputs()
    names = dict(loading.source.annotations) if loading.source is not None else {}
    annotated = {place: name for name, place in names.items()}
    found: list[tuple[str, Any]] = []
    for place, output in enumerate(loading.outputs):
        expression = output.expression
        if expression.composite:
            found.extend((column.target.column, column.target) for column in expression.columns)
            continue
        name = annotated.get(place) or output.key
        if name is None:
            name = expression.target.column
        found.append((name, _plain_field(expression._output_field_or_none)))
    return tuple(found)


def _plain_field(field: Any) -> Any:
    """The field that a key refers to, in the place of the key."""
    while getattr(field, "is_relation", False) and hasattr(field, "target_field"):
        field = field.target_field
    return field


# --- WITH ----------------------------------------


def with_clause(compiler: Compiler, tables: tuple[CommonTable, ...]) -> Rendered:
    """WITH and a space behind it; nothing without tables."""
    if not tables:
        return "", []
    parts: list[str] = []
    params: list[Any] = []
    for table in tables:
        sql, found = _body(compiler, table)
        how = {None: "", True: "MATERIALIZED ", False: "NOT MATERIALIZED "}[table.materialized]
        parts.append(f"{_head(compiler, table.name, table.columns)} AS {how}({sql})")
        params += found
    recursive = "RECURSIVE " if any(table.recursive for table in tables) else ""
    return f"WITH {recursive}{', '.join(parts)} ", params


def _head(compiler: Compiler, name: str, columns: Columns) -> str:
    return f"{compiler.quote(name)} ({', '.join(compiler.quote(each) for each, _ in columns)})"


def _body(compiler: Compiler, table: CommonTable) -> Rendered:
    if table.recursive:
        return _recursive_body(compiler, table)
    try:
        return compiler.subquery(table.source)
    except EmptyResultSet:
        return _no_rows(compiler, table.columns)


def _no_rows(compiler: Compiler, columns: Columns) -> Rendered:
    types = [_type(field, compiler) for _, field in columns]
    values = ", ".join("NULL" if kind is None else f"CAST(NULL AS {kind})" for kind in types)
    return f"SELECT {values} WHERE 1 = 0", []


def _type(field: Any, compiler: Compiler) -> str | None:
    if field is None or not compiler.dialect.capabilities.typed_parameters:
        return None
    return param_type(Param(0, field), compiler)


def _recursive_body(compiler: Compiler, table: CommonTable) -> Rendered:
    query = table.source.query
    word = " UNION ALL " if query.combinator[1] else " UNION "
    types = [_type(field, compiler) for _, field in table.columns]
    texts: list[str] = []
    params: list[Any] = []
    for part, offset in query.combined:
        _check_part(part, table)
        try:
            rendered = compiler.subquery(QueryNode(_unordered(part), table.source.base + offset))
        except EmptyResultSet:
            continue
        sql, found = _cast(compiler, table.columns, types, rendered)
        texts.append(sql)
        params += found
    if not texts:
        return _no_rows(compiler, table.columns)
    return word.join(texts), params


def _check_part(part: Query, table: CommonTable) -> None:
    if part.is_sliced or part.combinator is not None:
        raise QueryValueError(
            f"the parts of the recursive table {table.name!r} can be neither sliced nor combined:"
            " slice what reads from it"
        )


def _unordered(part: Query) -> Query:
    draft = Draft.of(part)
    draft.order_by, draft.default_ordering, draft.select_related = (), False, False
    return Query.frozen(draft)


def _cast(compiler: Compiler, columns: Columns, types: list[Any], rendered: Rendered) -> Rendered:
    """A part whose columns have the types of the table."""
    if not any(types):
        return rendered
    sql, params = rendered
    names = [compiler.quote(name) for name, _ in columns]
    casts = [
        name if kind is None else f"{name}::{kind}" for name, kind in zip(names, types, strict=True)
    ]
    part = f'"part" ({", ".join(names)})'
    return f"SELECT {', '.join(casts)} FROM ({sql}) {part}", params


# --- joined subqueries ----------------------------------------


def lateral_table(compiler: Compiler, alias: str, join: Any) -> Rendered:
    """The joined subquery with its alias, and the condition that chooses its rows, as one text.

    What comes back ends in ON and its condition, whose parenthesis is open.
    """
    columns = join.heading
    if compiler.dialect.capabilities.lateral:
        sql, params = compiler.subquery(join.source)
        return f"LATERAL ({sql}) {_head(compiler, alias, columns)} ON (1 = 1", params
    node = join.source
    everything, keys = _all_rows(node.query), _chosen_keys(node.query)
    if everything.outer_columns():
        raise NotSupportedError(
            "This database has no LATERAL: a joined subquery can use OuterRef in filter() alone"
        )
    sql, params = compiler.subquery(QueryNode(everything, node.base))
    names = [f"key{number}" for number in range(len(node.query.opts.pk_fields))]
    head = _head(compiler, "rows", (*columns, *((name, None) for name in names)))
    chosen, chosen_params = compiler.subquery(QueryNode(keys, node.base))
    left = ", ".join(f"{compiler.quote(alias)}.{compiler.quote(name)}" for name in names)
    left = f"({left})" if len(names) > 1 else left
    text = (
        f"(WITH {head} AS ({sql}) SELECT * FROM {compiler.quote('rows')}) {compiler.quote(alias)}"
        f" ON ({left} IN ({chosen})"
    )
    return text, [*params, *chosen_params]


def _key_columns(draft: Draft) -> list[Any]:
    base = draft.initial_alias()
    return [Col(base, field) for field in draft.opts.pk_fields]


def _all_rows(query: Query) -> Query:
    """All rows that the subquery could choose from, with their keys behind the other columns."""
    many = any(
        join.parent is not None and query.refs[alias] and (join.field is None or _is_many(join))
        for alias, join in query.joins.items()
    )
    if query.group_by is not None or query.combinator is not None or query.distinct or many:
        raise NotSupportedError(
            "This database has no LATERAL: a joined subquery can neither group nor combine rows,"
            " nor join to-many relations; annotate() a Subquery instead"
        )
    draft = Draft.of(query)
    draft.where, draft.order_by, draft.default_ordering = Where(), (), False
    draft.limit = draft.offset = None
    draft.select_related = False
    shown = tuple(draft.annotation_select)
    keys = {f"key{number}": column for number, column in enumerate(_key_columns(draft))}
    draft.annotations.update(keys)
    draft.annotation_mask = (*shown, *keys)
    return Query.frozen(draft)


def _is_many(join: Any) -> bool:
    return bool(getattr(join.field, "one_to_many", False) or join.field.many_to_many)


def _chosen_keys(query: Query) -> Query:
    draft = Draft.of(query)
    draft.select = tuple(_key_columns(draft))
    draft.default_cols, draft.annotation_mask = False, ()
    draft.values_names, draft.form = (), ("tuple", None)
    draft.select_related = False
    return Query.frozen(draft)
