"""SELECT: from a query to its text, its parameters and the layout of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aorm.errors import EmptyResultSet, FieldError, FullResultSet, NotSupportedError, listed
from aorm.query.building import ordering_of
from aorm.query.comparable import comparable
from aorm.query.conditions import Where
from aorm.query.draft import Draft, is_unresolved
from aorm.query.expressions import Col, F, OrderBy, Param, Ref
from aorm.query.filters import Scope
from aorm.query.functions.math import Random
from aorm.query.joins import LOUTER, Join
from aorm.query.paths import LOOKUP_SEP
from aorm.query.query import Query
from aorm.query.state import Fixed
from aorm.query.tuples import ColumnTuple
from aorm.sql.compiled import Compiled, make_binder
from aorm.sql.compiler import SUBQUERY, Compiler, Rendered
from aorm.sql.decoders import Output, Source, decoder_of
from aorm.sql.dialect import Dialect
from aorm.sql.standard import where_root
from aorm.sql.windows import OverWindows, split_windows

MAX_RELATED_DEPTH = 5
NO_TABLES: Mapping[Any, str] = {}


class SelectCompiler(Compiler):
    """Works out the clauses of one SELECT."""

    def __init__(self, query: Query, dialect: Dialect) -> None:
        super().__init__(dialect, Draft.of(query))
        if self.draft.inner is None:
            self.draft.initial_alias()
        self.outputs: list[Output] = []
        self.source: Source | None = None

    # --- what is selected ----------------------------------

    def collect_outputs(self) -> None:
        """List the columns of the rows, and where each of them goes."""
        draft = self.draft
        if draft.default_cols and draft.form[0] == "model":
            mask = _mask(draft)
            self.source = self._object(draft.model, draft.base_alias, mask)
            if draft.select_related:
                names = None if draft.select_related is True else draft.select_related
                self._relations(self.source, draft.base_alias, names, mask, 1, ())
            for name, annotation in draft.annotation_select.items():
                self.outputs.append(Output(annotation, name))
                self.source.annotations.append((name, len(self.outputs) - 1))
            return
        if draft.default_cols:
            for field in draft.opts.concrete_fields:
                self.outputs.append(Output(Col(self._alias_of(field), field), None))
        columns = iter(draft.select)
        annotations = dict(draft.annotation_select)
        for name in draft.values_names:
            if name in annotations and name not in _selected_fields(draft):
                self.outputs.append(Output(annotations.pop(name), name, key=name))
            else:
                column = next(columns)
                self.outputs.append(Output(column, None, key=name))
        for column in columns:
            self.outputs.append(Output(column, None))
        for name, annotation in annotations.items():
            self.outputs.append(Output(annotation, name, key=name))

    def _alias_of(self, field: Any, alias: str | None = None, opts: Any = None) -> str:
        """The table that has this field: the model's own, or joined for a parent."""
        opts = opts or self.draft.opts
        alias = alias or self.draft.base_alias
        model = field.model._meta.concrete_model
        if model is opts.concrete_model:
            return alias
        for step in opts.get_path_to_parent(model):
            join = Join(
                step.to_opts.db_table,
                step.to_opts.db_table,
                parent=alias,
                field=step.join_field,
                nullable=False,
            )
            alias = self.draft.join(join, None)
        return alias

    def _object(
        self,
        model: Any,
        alias: str,
        mask: dict[str, Any] | None,
        known: Mapping[Any, str] = NO_TABLES,
    ) -> Source:
        """The columns of a model's objects; `known` are tables of its parents that are joined."""
        opts = model._meta
        source = Source(model)
        for field in opts.concrete_fields:
            if mask is not None and not _is_loaded(field, mask):
                continue
            owner = field.model._meta.concrete_model
            place = known.get(owner) or self._alias_of(field, alias, opts)
            column = Col(place, field)
            self.outputs.append(Output(column, None))
            source.fields.append((field, len(self.outputs) - 1))
        return source

    # --- select_related ----------------------------------

    def _relations(
        self,
        source: Source,
        alias: str,
        names: dict[str, Any] | None,
        mask: dict[str, Any] | None,
        depth: int,
        came_from: Sequence[Any],
    ) -> None:
        """Add the objects of relations to the same rows."""
        if names is None and depth > MAX_RELATED_DEPTH:
            return
        opts = source.model._meta
        found = set()
        for field in opts.fields:
            if not field.is_relation or field.remote_field is None:
                continue
            if names is not None:
                if field.name not in names:
                    continue
            elif field.null or field.remote_field.parent_link:
                continue
            found.add(field.name)
            sub_mask = _sub_mask(field, mask, names)
            self._forward(source, alias, field, names, sub_mask, depth)
        if names is None:
            return
        for rel in opts.related_objects:
            name = rel.field.related_query_name()
            if rel.field.unique and not rel.many_to_many and name in names:
                found.add(name)
                self._backward(source, alias, rel, name, names, (mask or {}).get(name), depth)
        unknown = set(names) - found
        if unknown:
            self._refuse(unknown, opts, depth)

    def _forward(
        self, source: Source, alias: str, field: Any, names: Any, mask: Any, depth: int
    ) -> None:
        info = self.draft.setup_joins([field.name], source.model._meta, alias)
        target = info.joins[-1]
        related = self._object(field.remote_field.model, target, mask)
        related.nullable = self.draft.joins[target].kind == LOUTER
        related.name = field.name
        related.cache = field.cache_attname
        remote = field.remote_field
        if not remote.multiple:
            related.remote_cache = remote.cache_attname
        source.related.append(related)
        inner = None if names is None else names[field.name]
        if names is None or inner:
            self._relations(related, target, inner, mask, depth + 1, ())

    def _backward(
        self, source: Source, alias: str, rel: Any, name: str, names: Any, mask: Any, depth: int
    ) -> None:
        info = self.draft.setup_joins([name], source.model._meta, alias)
        target = info.joins[-1]
        self.draft.promote_joins([target])
        # A child has the columns of the parent's own row, which is there already.
        link = rel.field.remote_field.parent_link
        known = {source.model._meta.concrete_model: alias} if link else NO_TABLES
        related = self._object(rel.related_model, target, mask or None, known)
        related.nullable = True
        related.name = name
        related.cache = rel.cache_attname
        related.remote_cache = rel.field.cache_attname
        source.related.append(related)
        if names[name]:
            self._relations(related, target, names[name], mask, depth + 1, ())

    def _refuse(self, unknown: set[str], opts: Any, depth: int) -> None:
        for name in unknown:
            if any(f.name == name for f in opts.fields):
                raise FieldError(
                    f"Non-relational field given in select_related: {name!r}. Choices are:"
                    f" {listed(_related_choices(opts))}"
                )
        wrong = ", ".join(map(repr, sorted(unknown)))
        raise FieldError(
            f"Invalid field name(s) given in select_related: {wrong}."
            f" Choices are: {listed(_related_choices(opts))}"
        )

    # --- ordering ----------------------------------

    def ordering(self) -> list[OrderBy]:
        """The resolved terms of ORDER BY."""
        draft = self.draft
        found: list[OrderBy] = []
        for term in ordering_of(draft):
            if isinstance(term, str):
                found.extend(self._named_terms(term))
                continue
            if isinstance(term, F):
                term = OrderBy(term)
            elif not isinstance(term, OrderBy):
                term = term.asc()
            resolved = term.resolve(Scope(draft)) if is_unresolved(term) else term
            if resolved.expression.composite:
                columns = resolved.expression.columns
                found.extend(OrderBy(column, resolved.descending) for column in columns)
                continue
            found.append(self._selected_form(resolved))
        if not draft.standard_ordering:
            found = [term.reverse_ordering() for term in found]
        return found

    def _selected_form(self, term: OrderBy) -> OrderBy:
        """The term by the name of an annotation, where it is one that is selected."""
        for output in self.outputs:
            if (
                output.alias is not None
                and output.expression is term.expression
                and not self._is_ambiguous(output.alias)
            ):
                clone = term.copy()
                clone.expression = Ref(output.alias, output.expression)
                return clone  # type: ignore[no-any-return]
        return term

    def _is_ambiguous(self, name: str) -> bool:
        """Whether a column of the result has the name of an annotation."""
        return any(
            isinstance(output.expression, Col)
            and output.alias is None
            and output.expression.target.column == name
            for output in self.outputs
        )

    def _named_terms(self, term: str) -> list[OrderBy]:
        draft = self.draft
        if term == "?":
            return [OrderBy(Random().resolve(Scope(draft)))]
        descending = term.startswith("-")
        name = term[1:] if term[0] in "-+" else term
        if name in draft.annotation_select and not self._is_ambiguous(name):
            return [OrderBy(Ref(name, draft.annotations[name]), descending)]
        if name in draft.annotations:
            return [OrderBy(draft.annotations[name], descending)]
        first = name.split(LOOKUP_SEP)[0]
        if first in draft.annotations:
            return [OrderBy(draft.ref(name), descending)]
        return self._path_terms(name, draft.opts, draft.initial_alias(), descending, ())

    def _path_terms(
        self, name: str, opts: Any, alias: str, descending: bool, seen: Sequence[Any]
    ) -> list[OrderBy]:
        """The terms for a name: that of the field, or the ordering of a related model."""
        draft = self.draft
        parts = name.split(LOOKUP_SEP)
        info = draft.setup_joins(parts, opts, alias)
        targets, alias, joins = info.targets, info.joins[-1], info.joins
        field = info.final_field
        if (
            field.is_relation
            and info.opts.ordering
            and getattr(field, "attname", None) != parts[-1]
            and parts[-1] != "pk"
            and isinstance(info.transform(Col(alias, targets[0]), alias), Col)
        ):
            key = (tuple(parts), opts.label)
            if key in seen:
                raise FieldError("Infinite loop caused by ordering.")
            found: list[OrderBy] = []
            for term in info.opts.ordering:
                found.extend(self._related_term(term, info.opts, alias, descending, (*seen, key)))
            return found
        targets, alias, joins = draft.trim_joins(targets, joins, info.path)
        return [
            OrderBy(info.transform(Col(alias, target), alias), descending)
            for each in targets
            for target in (
                getattr(each, "fields", None) or [each] if each.column is None else [each]
            )
        ]

    def _related_term(
        self, term: Any, opts: Any, alias: str, descending: bool, seen: Sequence[Any]
    ) -> list[OrderBy]:
        if isinstance(term, str):
            if term == "?":
                return [OrderBy(Random().resolve(Scope(self.draft)))]
            down = term.startswith("-")
            return self._path_terms(term.lstrip("-+"), opts, alias, descending != down, seen)
        if not isinstance(term, OrderBy):
            term = OrderBy(term if hasattr(term, "resolve") else F(term))
        resolved = term.mapped(lambda each: _resolved_below(each, self.draft, opts, alias))
        return [resolved.reverse_ordering() if descending else resolved]

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
        return split_having(self.draft.where)

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
        if of:
            text += " OF " + ", ".join(self._lock_tables(of))
        if nowait:
            text += " NOWAIT"
        elif skip_locked:
            text += " SKIP LOCKED"
        return text

    def _lock_tables(self, names: Sequence[str]) -> list[str]:
        """The tables of the objects that `of` names."""
        choices = _lockable(self.source, "self") if self.source is not None else {}
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
        draft = self.draft
        if draft.empty:
            raise EmptyResultSet
        if draft.combinator is not None:
            return self.combined(with_limits)
        rest, windows = split_windows(draft.where)
        if windows.children or draft.per:
            where, having = split_having(rest)
            return OverWindows(self, exists).render(where, having, windows, with_limits)
        order = self.ordering()
        where, having = self.split_where()
        columns, params = self._columns(exists)
        if draft.distinct and not exists:
            columns, params = self._with_ordering_columns(columns, params, order)
        groups = self.grouping([] if self._by_default() else order, having)
        if groups and self._by_default():
            order = []
        if groups and draft.distinct_fields:
            raise NotImplementedError("annotate() + distinct(fields) is not implemented.")
        where_sql, where_params = self._condition(where)
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

    def combined(self, with_limits: bool) -> Rendered:
        """UNION, INTERSECT or EXCEPT of several queries."""
        return COMBINED.render(self, with_limits)  # type: ignore[no-any-return]

    def _by_default(self) -> bool:
        """Whether the order is that of the model, which must not split groups."""
        return not self.draft.order_by

    def _columns(self, exists: bool) -> Rendered:
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
            return ("NULL", []) if empty is None else ("%s", [empty])
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
            raise NotSupportedError("DISTINCT ON fields is not supported by this database backend")
        parts = []
        for name in draft.distinct_fields:
            if name in draft.annotation_select:
                parts.append(self.quote(name))
                continue
            if name in draft.annotations:
                raise FieldError(
                    f"Cannot resolve keyword {name!r} into field. Use annotate() to promote it."
                )
            parts.append(self.compile(draft.ref(name))[0])
        return f"DISTINCT ON ({', '.join(parts)}) ", []

    def _limits(self) -> Rendered:
        return limit_clause(self.draft, self.dialect)


class CombinedRenderer:
    """Where the module of set operations says how they are rendered."""

    render: Any


COMBINED = CombinedRenderer()


def limit_clause(draft: Draft, dialect: Dialect) -> Rendered:
    """LIMIT and OFFSET with their parameters."""
    if not draft.is_sliced:
        return "", []
    text = dialect.limit_sql(draft.limit is not None, draft.offset is not None)  # type: ignore[attr-defined]
    return text, [
        place.number if isinstance(place, Fixed) else Param(place, None, int, typed=False)
        for place in (draft.limit, draft.offset)
        if place is not None
    ]


def from_clause(compiler: Compiler) -> Rendered:
    """FROM with the joins that something uses."""
    draft = compiler.draft
    if draft.inner is not None:
        sql, params = SUBQUERY.render(draft.inner, compiler.dialect)
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
        conditions = []
        for left, right in join.columns:
            pair = (
                comparable(Col(join.parent, left), left, right),
                comparable(Col(alias, right), right, left),
            )
            conditions.append(" = ".join(compiler.compile(each)[0] for each in pair))
        restriction = getattr(join.field, "get_extra_restriction", None)
        extra = restriction(alias, join.parent) if restriction is not None else None
        for further in (extra, join.filtered.condition_on(alias) if join.filtered else None):
            if further is not None:
                sql, found = compiler.compile(further)
                conditions.append(f"({sql})")
                params += found
        parts.append(f" {join.kind} {table} ON ({' AND '.join(conditions)})")
    return f" FROM {''.join(parts)}" if parts else "", params


def split_having(where: Where) -> tuple[Where, Where]:
    """A tree of conditions apart: those without aggregates, and those with."""
    if not where.contains_aggregate:
        return where, Where()
    if where.connector != "AND" or where.negated:
        return Where(), where
    rows: list[Any] = []
    groups: list[Any] = []
    for child in where.children:
        if isinstance(child, Where):
            inner_rows, inner_groups = split_having(child)
            if inner_rows.children:
                rows.append(inner_rows)
            if inner_groups.children:
                groups.append(inner_groups)
        elif child.contains_aggregate:
            groups.append(child)
        else:
            rows.append(child)
    return Where(rows), Where(groups)


def _selected_fields(draft: Draft) -> set[str]:
    return set(draft.values_names) - set(draft.annotation_select)


def _related_choices(opts: Any) -> list[str]:
    forward = [f.name for f in opts.fields if f.is_relation]
    reverse = [
        rel.field.related_query_name()
        for rel in opts.related_objects
        if rel.field.unique and not rel.many_to_many
    ]
    return forward + reverse


def _resolved_below(expression: Any, draft: Draft, opts: Any, alias: str) -> Any:
    """An expression of a related model's ordering, over the joined table."""
    if isinstance(expression, F):
        info = draft.setup_joins(expression.name.split(LOOKUP_SEP), opts, alias)
        targets, last, _ = draft.trim_joins(info.targets, info.joins, info.path)
        return info.transform(Col(last, targets[0]), last)
    return expression.mapped(lambda each: _resolved_below(each, draft, opts, alias))


def _lockable(source: Source, name: str) -> dict[str, int]:
    found = {name: source.fields[0][1]}
    for field, place in source.fields:
        if field.primary_key:
            found[name] = place
    for related in source.related:
        path = related.name if name == "self" else f"{name}{LOOKUP_SEP}{related.name}"
        found.update(_lockable(related, path))
    return found


# --- which columns are loaded ----------------------------------------


def _mask(draft: Draft) -> dict[str, Any] | None:
    """The columns to load as a tree of names; None for all of them."""
    names, defer = draft.deferred
    if not names:
        return None
    tree: dict[str, Any] = {}
    for name in names:
        node = tree
        for part in name.split(LOOKUP_SEP):
            node = node.setdefault(part, {})
    return _defer_mask(tree, draft.opts) if defer else _only_mask(tree, draft.opts)


def _only_mask(tree: dict[str, Any], opts: Any) -> dict[str, Any]:
    mask: dict[str, Any] = {}
    for field in opts.pk_fields if hasattr(opts, "pk_fields") else [opts.pk]:
        mask[field.name] = {}
    for name, inner in tree.items():
        name = opts.pk.name if name == "pk" else name
        field = opts.get_field(name)
        related = getattr(field, "related_model", None)
        mask[field.name] = _only_mask(inner, related._meta) if inner and related else {}
    return mask


def _defer_mask(tree: dict[str, Any], opts: Any) -> dict[str, Any]:
    mask: dict[str, Any] = {"*": {}}
    keys = {f.name for f in (opts.pk_fields if hasattr(opts, "pk_fields") else [opts.pk])}
    hidden = set()
    for name, inner in tree.items():
        field = opts.get_field(name)
        related = getattr(field, "related_model", None)
        if inner and related:
            mask[field.name] = _defer_mask(inner, related._meta)
        elif field.name not in keys:
            hidden.add(field.name)
    mask["-"] = hidden
    return mask


def _is_loaded(field: Any, mask: dict[str, Any]) -> bool:
    if "*" in mask:
        return field.name not in mask["-"]
    return not mask or field.name in mask


def _sub_mask(field: Any, mask: dict[str, Any] | None, names: Any) -> dict[str, Any] | None:
    """The columns of a related model; FieldError where its key itself is not loaded."""
    if not mask:
        return None
    if not _is_loaded(field, mask):
        if names is None:
            return None
        raise FieldError(
            f"Field {field.model._meta.object_name}.{field.name} cannot be both deferred and"
            " traversed using select_related at the same time."
        )
    return mask.get(field.name) or None


# --- entry points ----------------------------------------


def compile_select(query: Query, dialect: Dialect) -> Compiled:
    """The compiled form of a query, made once for each dialect."""
    found: Compiled | None = query.compiled.get(dialect)
    if found is None:
        found = query.compiled[dialect] = _compile_select(query, dialect)
    return found


def _compile_select(query: Query, dialect: Dialect) -> Compiled:
    compiler = SelectCompiler(query, dialect)
    compiler.collect_outputs()
    try:
        rendered = compiler.statement()
    except EmptyResultSet:
        return Compiled("", tuple, _no_rows, empty=True, outputs=compiler.outputs)
    sql, params = compiler.finished(rendered)
    bind = make_binder(params, dialect, query.slots)
    decode = decoder_of(compiler.outputs, compiler.source, query.form, dialect)
    return Compiled(sql, bind, decode, outputs=compiler.outputs)


def _no_rows(rows: Sequence[Any], loaded: Any) -> list[Any]:
    return []


def render_inner(query: Query, dialect: Dialect, *, exists: bool = False) -> Rendered:
    """A query inside another one: its text with `%s` marks."""
    if exists:
        draft = Draft.of(query)
        if draft.combinator is None and not draft.distinct_fields and not draft.is_sliced:
            draft.order_by, draft.default_ordering = (), False
        draft.select_related = False
        query = Query.frozen(draft)
    compiler = SelectCompiler(query, dialect)
    compiler.collect_outputs()
    rendered = compiler.statement(exists=exists and query.group_by is None and not query.distinct)
    return rendered if exists else compiler.without_hidden(rendered)


SUBQUERY.render = render_inner
