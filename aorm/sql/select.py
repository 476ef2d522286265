"""SELECT: from a query to its text, its parameters and the layout of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from aorm.errors import (
    EmptyResultSet,
    FieldError,
    FullResultSet,
    NotSupportedError,
    QueryTypeError,
    QueryValueError,
)
from aorm.query.comparable import comparable
from aorm.query.conditions import Where
from aorm.query.draft import Draft
from aorm.query.expressions import Col, JoinRestriction, OrderBy, OutputColumn, Param, Ref
from aorm.query.functions.comparison import Coalesce
from aorm.query.paths import LOOKUP_SEP
from aorm.query.query import Query
from aorm.query.tables import check_tables
from aorm.query.tuples import ColumnTuple
from aorm.sql.compiled import Compiled, make_binder
from aorm.sql.compiler import SUBQUERY, Compiler, Rendered
from aorm.sql.decoders import Output, Source, decoder_of
from aorm.sql.dialect import Dialect
from aorm.sql.limits import limit_clause
from aorm.sql.ordering import Ordering
from aorm.sql.set_operations import SetOperation
from aorm.sql.standard import constant, where_root
from aorm.sql.tables import lateral_table, with_clause
from aorm.sql.windows import OverWindows


class SelectCompiler(Ordering):
    """Works out the clauses of one SELECT.

    Under `keep_empty` a query without rows is asked all the same: it aggregates, and only the
    database knows what its expressions give then.
    """

    keep_empty = False

    #: Whether the columns of combined rows must have names for the query around.
    named = False

    # --- grouping ----------------------------------

    def grouping(self, order: list[OrderBy], having: Where) -> list[Rendered]:
        """The expressions of GROUP BY, each once."""
        draft = self.draft
        if draft.group_by is None:
            return []
        wanted: list[Any] = []
        if draft.group_by is not True:
            wanted.extend(draft.group_by)
        names = {each.name for each in wanted if isinstance(each, Ref)}
        for output in self.outputs:
            if output.alias is None or output.alias not in names:
                wanted.extend(output.expression.get_group_by_cols())
        for term in order:
            if not isinstance(term.expression, Ref):
                wanted.extend(term.expression.get_group_by_cols())
        wanted.extend(having.get_group_by_cols() if having.children else [])
        wanted = self._without_dependent(wanted)
        found: dict[str, Rendered] = {}
        for expression in wanted:
            if isinstance(expression, Ref):
                expression = self._group_ref(expression)
            try:
                sql, params = self.compile(expression)
            except (EmptyResultSet, FullResultSet):
                continue
            if params and not sql.strip("%s,() "):
                continue
            found.setdefault(f"{sql}{[getattr(p, 'shape', p) for p in params]}", (sql, params))
        return list(found.values())

    def _group_ref(self, ref: Ref) -> Any:
        selected = any(output.alias == ref.name for output in self.outputs)
        return ref if selected else ref.source

    def _without_dependent(self, wanted: list[Any]) -> list[Any]:
        """Without the columns of tables whose primary key is in the list."""
        if not self.dialect.capabilities.group_by_primary_key:
            return wanted
        keys = {
            each.alias
            for each in wanted
            if isinstance(each, Col)
            and getattr(each.target, "primary_key", False)
            and each.target.model._meta.managed
        }
        return [
            each
            for each in wanted
            if not isinstance(each, Col)
            or each.alias not in keys
            or getattr(each.target, "primary_key", False)
        ]

    # --- clauses ----------------------------------

    def split_where(self) -> tuple[Where, Where]:
        """The conditions on rows, and those on groups."""
        parts: tuple[Where, Where] = self.draft.where.parted(_aggregates)
        return parts

    def from_sql(self) -> Rendered:
        return from_clause(self)

    def lock_sql(self) -> str:
        """FOR UPDATE with its options."""
        draft = self.draft
        if draft.lock is None:
            return ""
        capabilities = self.dialect.capabilities
        if not capabilities.select_for_update:
            return ""
        nowait, skip_locked, of, no_key = draft.lock
        text = " FOR NO KEY UPDATE" if no_key else " FOR UPDATE"
        tables = self._lock_tables(of)
        if tables:
            text += " OF " + ", ".join(tables)
        if nowait:
            text += " NOWAIT"
        elif skip_locked:
            text += " SKIP LOCKED"
        return text

    def _lock_tables(self, names: Sequence[str]) -> list[str]:
        """The tables of the objects that `of` names."""
        if self.source is None:
            # Values have no objects; what is there is the table that they start from.
            return [self.quote(self.draft.base_alias)] if tuple(names) == ("self",) else []
        choices = _lockable(self.source, "self")
        unknown = [name for name in names if name not in choices]
        if unknown:
            raise FieldError(
                "Invalid field name(s) given in select_for_update(of=(...)):"
                f" {', '.join(unknown)}. Only relational fields followed in the query are"
                f" allowed. Choices are: {', '.join(choices)}."
            )
        tables = []
        for name in names:
            place = choices[name]
            tables.append(self.quote(self.outputs[place].expression.alias))
        return tables

    def statement(self, *, with_limits: bool = True, exists: bool = False) -> Rendered:
        """The text and parameters of the whole SELECT."""
        if self.draft.empty and not self.keep_empty:
            raise EmptyResultSet
        sql, params = self._body(with_limits, exists)
        if not self.draft.tables:
            return sql, params
        head, head_params = with_clause(self, self.draft.tables)
        return f"{head}{sql}", [*head_params, *params]

    def _body(self, with_limits: bool, exists: bool) -> Rendered:
        draft = self.draft
        if draft.combinator is not None:
            return SetOperation(self, self.named).render(with_limits)
        rest, windows = draft.where.parted(_looks_over_rows)
        if windows.children or draft.per:
            where, having = rest.parted(_aggregates)
            return OverWindows(self, exists).render(where, having, windows, with_limits)
        order = self.ordering()
        where, having = self.split_where()
        columns, params = self.columns(exists)
        if draft.distinct and not exists:
            columns, params = self._with_ordering_columns(columns, params, order)
        groups = self.grouping([] if self._by_default() else order, having)
        if groups and self._by_default():
            order = []
        if groups and draft.distinct_fields:
            raise NotImplementedError("annotate() + distinct(fields) is not implemented.")
        where_sql, where_params = self._row_condition(where)
        having_sql, having_params = self._condition(having)
        order_sql, order_params = self._order_clause(order)
        distinct, distinct_params = self._distinct()
        from_sql, from_params = self.from_sql()
        sql = f"SELECT {distinct}{columns}{from_sql}"
        params = [*distinct_params, *params, *from_params]
        if where_sql:
            sql += f" WHERE {where_sql}"
            params += where_params
        if groups:
            sql += f" GROUP BY {', '.join(text for text, _ in groups)}"
            params += [param for _, found in groups for param in found]
        if having_sql:
            sql += f" HAVING {having_sql}"
            params += having_params
        if order_sql:
            sql += f" ORDER BY {order_sql}"
            params += order_params
        limits, limit_params = self._limits() if with_limits else ("", [])
        return f"{sql}{limits}{self.lock_sql()}", [*params, *limit_params]

    def _by_default(self) -> bool:
        """Whether the order is that of the model, which must not split groups."""
        return not self.draft.order_by

    def columns(self, exists: bool = False) -> Rendered:
        if exists or not self.outputs:
            return ("1" if exists else '1 AS "a"'), []
        parts: list[str] = []
        params: list[Any] = []
        for output in self.outputs:
            sql, found = self.output_sql(output)
            if output.alias is not None:
                sql += f" AS {self.quote(output.alias)}"
            parts.append(sql)
            params += found
        return ", ".join(parts), params

    def output_sql(self, output: Output) -> Rendered:
        """One column of the result."""
        expression = output.expression
        if isinstance(expression, ColumnTuple):
            return ", ".join(self.compile(column)[0] for column in expression.columns), []
        try:
            sql, params = self.compile(expression)
        except EmptyResultSet:
            empty = expression.empty_result_set_value
            if empty is NotImplemented:
                return "0", []
            return constant(empty, self)
        except FullResultSet:
            return "(1 = 1)", []
        return expression.select_format(self, sql, params)  # type: ignore[no-any-return]

    def _with_ordering_columns(
        self, columns: str, params: list[Any], order: list[OrderBy]
    ) -> Rendered:
        """DISTINCT can be ordered only by what is selected: the rest is selected as well."""
        if self.draft.distinct_fields:
            return columns, params
        known = {self.output_sql(output)[0] for output in self.outputs}
        for term in order:
            if isinstance(term.expression, Ref):
                continue
            sql, found = self.compile(term.expression)
            if sql not in known:
                known.add(sql)
                columns += f", {sql}"
                params = [*params, *found]
                self.outputs.append(Output(term.expression, None, hidden=True))
        return columns, params

    def without_hidden(self, rendered: Rendered) -> Rendered:
        """The statement without the columns that only its ordering needs."""
        shown = [output for output in self.outputs if not output.hidden]
        if len(shown) == len(self.outputs):
            return rendered
        names = [f"c{number}" for number in range(len(self.outputs))]
        wanted = ", ".join(map(self.quote, names[: len(shown)]))
        columns = ", ".join(map(self.quote, names))
        sql, params = rendered
        table = self.quote("ordered")
        return f"WITH {table} ({columns}) AS ({sql}) SELECT {wanted} FROM {table}", params

    def _row_condition(self, where: Where) -> Rendered:
        try:
            if not self.draft.empty:
                return self._condition(where)
        except EmptyResultSet:
            if not self.keep_empty:
                raise
        return "1 = 0", []

    def _condition(self, where: Where) -> Rendered:
        if not where.children:
            return "", []
        try:
            return where_root(where, self)
        except FullResultSet:
            return "", []

    def _order_clause(self, order: list[OrderBy]) -> Rendered:
        parts: list[str] = []
        params: list[Any] = []
        seen: set[str] = set()
        for term in order:
            sql, found = self.compile(term)
            bare = sql.removesuffix(" ASC").removesuffix(" DESC")
            if not found:
                if bare in seen:
                    continue
                seen.add(bare)
            parts.append(sql)
            params += found
        return ", ".join(parts), params

    def _distinct(self) -> Rendered:
        draft = self.draft
        if not draft.distinct:
            return "", []
        if not draft.distinct_fields:
            return "DISTINCT ", []
        if not self.dialect.capabilities.distinct_on:
            raise NotSupportedError(
                "DISTINCT ON fields is not supported by this database backend: use distinct()"
                " without names, or filter(pk=Subquery(...[:1])) with an OuterRef to the values"
            )
        rendered = [self.compile(expression) for expression in self.distinct_with]
        for name in draft.distinct_fields:
            if name in draft.annotation_select:
                rendered.append((self.quote(name), []))
                continue
            if name in draft.annotations:
                raise FieldError(
                    f"Cannot resolve keyword {name!r} into field. Use annotate() to promote it."
                )
            rendered.append(self.compile(draft.ref(name)))
        params = [param for _, found in rendered for param in found]
        return f"DISTINCT ON ({', '.join(sql for sql, _ in rendered)}) ", params

    def _limits(self) -> Rendered:
        return limit_clause(self.draft, self.dialect)


_aggregates = attrgetter("contains_aggregate")
_looks_over_rows = attrgetter("contains_over_clause")


def from_clause(compiler: Compiler) -> Rendered:
    """FROM with the joins that something uses."""
    draft = compiler.draft
    if draft.inner is not None:
        named = any(
            isinstance(each, OutputColumn)
            for annotation in draft.annotations.values()
            for each in annotation.walk()
        )
        keep = getattr(compiler, "keep_empty", False)
        sql, params = SUBQUERY.render(draft.inner, compiler.dialect, named=named, keep_empty=keep)
        return f" FROM ({sql}) {compiler.quote('subquery')}", params
    parts: list[str] = []
    params = []
    for alias, join in draft.joins.items():
        if not draft.refs[alias]:
            continue
        table = compiler.quote(join.table)
        if alias != join.table:
            table += f" {compiler.quote(alias)}"
        if join.parent is None:
            parts.append(f"{', ' if parts else ''}{table}")
            continue
        if join.derived:
            sql, found = _derived_join(compiler, alias, join, table)
            parts.append(sql)
            params += found
            continue
        conditions = []
        for left, right in join.columns:
            pair = (
                comparable(Col(join.parent, left), left, right),
                comparable(Col(alias, right), right, left),
            )
            conditions.append(" = ".join(compiler.compile(each)[0] for each in pair))
        restriction = JoinRestriction(join.field, alias, join.parent)
        for further in (restriction if restriction.condition else None, join.filtered):
            if further:
                sql, found = _join_condition(compiler, further)
                conditions.append(sql)
                params += found
        if not conditions:
            raise QueryValueError(
                f"Join generated an empty ON clause. {join.field} has neither columns to join nor"
                f" a restriction (get_extra_restriction)"
            )
        parts.append(f" {join.kind} {table} ON ({' AND '.join(conditions)})")
    return f" FROM {''.join(parts)}" if parts else "", params


def _join_condition(compiler: Compiler, condition: Any) -> Rendered:
    try:
        sql, params = compiler.compile(condition)
    except EmptyResultSet:
        return "(1 = 0)", []
    except FullResultSet:
        return "(1 = 1)", []
    return f"({sql})", params


def _derived_join(compiler: Compiler, alias: str, join: Any, table: str) -> Rendered:
    """The join of a common table, or of a subquery."""
    on, on_params = _join_condition(compiler, join.on) if join.on.children else ("(1 = 1)", [])
    if join.source is None:
        return f" {join.kind} {table} ON {on}", on_params
    sql, params = lateral_table(compiler, alias, join)
    further = f" AND {on}" if join.on.children else ""
    return f" {join.kind} {sql}{further})", [*params, *on_params]


def _lockable(source: Source, name: str) -> dict[str, int]:
    found = {name: source.fields[0][1]}
    for field, place in source.fields:
        if field.primary_key:
            found[name] = place
    found.update(_lockable_parents(source, source.model._meta.concrete_model, name))
    for related in source.related:
        found.update(_lockable(related, _below(name, related.name)))
    return found


def _lockable_parents(source: Source, model: Any, name: str) -> dict[str, int]:
    """The same for the tables of the parents, which are named by the links to them."""
    found: dict[str, int] = {}
    for parent, link in model._meta.parents.items():
        own = [place for field, place in source.fields if field.model is parent]
        if link is not None and own:
            path = _below(name, link.name)
            found[path] = own[0]
            found.update(_lockable_parents(source, parent, path))
    return found


def _below(name: str, part: str) -> str:
    return part if name == "self" else f"{name}{LOOKUP_SEP}{part}"


# --- entry points ----------------------------------------


def compile_select(query: Query, dialect: Dialect) -> Compiled:
    """The compiled form of a query, made once for each dialect."""
    found: Compiled | None = query.compiled.get(dialect)
    if found is None:
        found = query.compiled[dialect] = _compile_select(query, dialect)
    return found


def _compile_select(query: Query, dialect: Dialect) -> Compiled:
    if query.returning is not None:
        raise QueryTypeError(
            "returning() is for update(), delete(), bulk_create(), bulk_upsert() and insert_from():"
            " call one of these (or its asynchronous twin) on the query set"
        )
    check_tables(query)
    compiler = SelectCompiler(query, dialect)
    compiler.keep_empty = _gives_a_row_anyway(query)
    compiler.collect_outputs()
    try:
        rendered = compiler.statement()
    except EmptyResultSet:
        return Compiled("", tuple, _no_rows, empty=True, outputs=compiler.outputs)
    for output in compiler.outputs:
        if output.width == 1:
            output.expression.output_field  # noqa: B018  raises where its type is not known
    sql, params = compiler.finished(rendered)
    bind = make_binder(params, dialect, query.slots)
    decode = decoder_of(compiler.outputs, compiler.source, query.form, dialect)
    return Compiled(sql, bind, decode, outputs=compiler.outputs)


def _gives_a_row_anyway(query: Query) -> bool:
    """Whether the query aggregates all rows, and what it gives without rows is not known."""
    if query.form[0] != "dict" or query.select or query.default_cols or query.group_by is not None:
        return False
    selected = query.annotation_select.values()
    aggregates = all(each.contains_aggregate for each in selected)
    return aggregates and not all(map(_known_without_rows, selected))


def _known_without_rows(expression: Any) -> bool:
    if isinstance(expression, Coalesce):
        return all(map(_known_without_rows, expression.get_source_expressions()))
    return isinstance(expression, Param) or (
        expression.empty_result_set_value is not NotImplemented
    )


def _no_rows(rows: Sequence[Any], loaded: Any) -> list[Any]:
    return []


def render_inner(
    query: Query,
    dialect: Dialect,
    *,
    exists: bool = False,
    named: bool = False,
    keep_empty: bool = False,
) -> Rendered:
    """A query inside another one: its text with `%s` marks."""
    if exists:
        draft = Draft.of(query)
        if not draft.distinct_fields and not draft.is_sliced:
            draft.order_by, draft.default_ordering = (), False
        draft.select_related = False
        query = Query.frozen(draft)
    compiler = SelectCompiler(query, dialect)
    compiler.named = named
    compiler.keep_empty = keep_empty
    compiler.collect_outputs()
    rendered = compiler.statement(exists=exists and query.group_by is None and not query.distinct)
    return rendered if exists else compiler.without_hidden(rendered)


SUBQUERY.render = render_inner
