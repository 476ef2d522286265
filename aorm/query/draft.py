"""A query while it is made: the mutable form of `Query`, with its tables and names.

1. A `Draft` lives only while one step of a query is derived or while it is compiled.
2. A join is counted for each use, and left out of the SQL when nothing uses it any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import count, product
from typing import Any

from aorm.errors import FieldError, listed
from aorm.late import difflib
from aorm.query.expressions import Col, F, QueryNode, Ref, ResolvedOuterRef
from aorm.query.joins import INNER, LOUTER, Join, Route
from aorm.query.paths import LOOKUP_SEP, JoinInfo, Path, choices, names_to_path
from aorm.query.state import State
from aorm.query.tuples import column_at


class Draft(State):
    """A query that is being changed."""

    __slots__ = ()

    @classmethod
    def fresh(cls, model: Any) -> Draft:
        """The draft of a query for all rows of a model."""
        made = cls()
        made.start(model)
        return made

    @classmethod
    def of(cls, query: State) -> Draft:
        """A draft that starts as this query."""
        made = cls()
        made.copy_state(query)
        made.joins = dict(query.joins)
        made.refs = dict(query.refs)
        made.annotations = dict(query.annotations)
        made.filtered_relations = dict(query.filtered_relations)
        if not made.filter_is_sticky:
            made.used_aliases = frozenset()
        made.filter_is_sticky = False
        return made

    # --- aliases ----------------------------------

    @property
    def base_alias(self) -> str:
        return next(iter(self.joins))

    def initial_alias(self) -> str:
        """The alias of the model's own table, which is added when it is missing."""
        if self.joins:
            alias = self.base_alias
            self.refs[alias] += 1
            return alias
        table = self.opts.db_table
        alias = self._new_alias(table)
        self.joins[alias] = Join(alias, table)
        self.refs[alias] = 1
        return alias

    def _new_alias(self, table: str) -> str:
        if table not in self.joins and self.alias_prefix == "T":
            return table
        alias = f"{self.alias_prefix}{len(self.joins) + (self.alias_prefix == 'T')}"
        number = len(self.joins) + 1
        while alias in self.joins:
            number += 1
            alias = f"{self.alias_prefix}{number}"
        return alias

    def join(self, join: Join, reuse: Collection[str] | None) -> str:
        """The alias for a step: of an equal join that may be used again, or of a new one."""
        found = [
            alias
            for alias, other in self.joins.items()
            if (reuse is None or alias in reuse)
            and other.parent is not None
            and other.same_as(join)
        ]
        if found:
            alias = found[-1]  # the rows that were spoken of last
            self.refs[alias] += 1
            return alias
        alias = self._new_alias(join.alias or join.table)
        self.joins[alias] = join.replaced(alias=alias, kind=self.usual_kind(join))
        self.refs[alias] = 1
        return alias

    def usual_kind(self, join: Join) -> str:
        """How a table is joined where no condition needs its rows."""
        if join.parent is None:
            return INNER
        outer = join.nullable or self.joins[join.parent].kind == LOUTER
        return LOUTER if outer else INNER

    def pass_through(self, route: Route) -> tuple[str, ...]:
        """Count one more use of a filtered relation; the aliases of its tables."""
        for alias in route.aliases:
            self.refs[alias] += 1
        for alias, times in route.needs:
            self.refs[alias] += times
        return route.aliases

    def unref(self, alias: str, count: int = 1) -> None:
        self.refs[alias] -= count

    def promote_joins(self, aliases: Iterable[str]) -> None:
        """Make joins LEFT OUTER where a row may be missing, and all joined from them."""
        todo = list(aliases)
        while todo:
            alias = todo.pop(0)
            join = self.joins[alias]
            if join.parent is None:
                continue
            parent_is_outer = self.joins[join.parent].kind == LOUTER
            if (join.nullable or parent_is_outer) and join.kind != LOUTER:
                self.joins[alias] = join.replaced(kind=LOUTER)
                todo.extend(
                    other
                    for other, each in self.joins.items()
                    if each.parent == alias and other not in todo
                )

    def demote_joins(self, aliases: Iterable[str]) -> None:
        """Make joins INNER, and those that they are joined from."""
        todo = list(aliases)
        while todo:
            alias = todo.pop(0)
            join = self.joins[alias]
            if join.kind == LOUTER:
                self.joins[alias] = join.replaced(kind=INNER)
                parent = join.parent
                if parent is not None and self.joins[parent].kind == LOUTER:
                    todo.append(parent)

    def inner_aliases(self) -> set[str]:
        return {a for a, j in self.joins.items() if j.parent is not None and j.kind == INNER}

    # --- relabeling ----------------------------------

    def map_expressions(self, change: Callable[[Any], Any]) -> None:
        """Apply a function to every expression of this query."""
        self._map_clauses(change)
        if self.filtered_relations:
            self.joins = {
                alias: join if not join.filtered else join.replaced(filtered=change(join.filtered))
                for alias, join in self.joins.items()
            }

    def _map_clauses(self, change: Callable[[Any], Any]) -> None:
        self.where = change(self.where)
        self.annotations = {name: change(a) for name, a in self.annotations.items()}
        self.select = tuple(map(change, self.select))
        self.per = tuple(map(change, self.per))
        self.hidden = tuple(map(change, self.hidden))
        self.tables = tuple(map(change, self.tables))
        if any(join.derived for join in self.joins.values()):
            self.joins = {alias: join.mapped(change) for alias, join in self.joins.items()}
        if isinstance(self.group_by, tuple):
            self.group_by = tuple(map(change, self.group_by))
        self.order_by = tuple(
            change(o) if hasattr(o, "get_source_expressions") and not is_unresolved(o) else o
            for o in self.order_by
        )

    def shift(self, offset: int) -> None:
        """Count this query's values from another place on."""
        self.map_expressions(lambda expression: expression.shifted(offset))
        self.combined = tuple((query, base + offset) for query, base in self.combined)
        if isinstance(self.limit, int):
            self.limit += offset
        if self.offset is not None:
            self.offset += offset
        if self.returning is not None:
            self.returning = self.returning.shifted(offset)

    def relabel(self, aliases: dict[str, str]) -> None:
        """Give tables other aliases."""
        if not aliases:
            return
        self.joins = {
            aliases.get(alias, alias): join.relabeled(aliases) for alias, join in self.joins.items()
        }
        self.refs = {aliases.get(alias, alias): count for alias, count in self.refs.items()}
        self.used_aliases = frozenset(aliases.get(a, a) for a in self.used_aliases)
        self.external_aliases = frozenset(aliases.get(a, a) for a in self.external_aliases)
        self.filtered_relations = {
            name: route.relabeled(aliases) for name, route in self.filtered_relations.items()
        }
        self._map_clauses(lambda e: e.relabeled(aliases))

    def bump_prefix(self, other: State, exclude: Collection[str] = ()) -> None:
        """Take aliases that the query around does not have."""
        if self.alias_prefix != other.alias_prefix:
            return
        used = {self.alias_prefix, other.alias_prefix} | _prefixes(self) | _prefixes(other)
        self.alias_prefix = next(p for p in _candidate_prefixes() if p not in used)
        self.relabel(
            {
                alias: f"{self.alias_prefix}{number}"
                for number, alias in enumerate(self.joins)
                if alias not in exclude
            }
        )

    # --- names ----------------------------------

    def path(self, names: list[str], opts: Any = None, **options: Any) -> Path:
        own = opts is None or opts is self.opts
        if own and self.reads_values:
            raise FieldError(
                f"Cannot resolve keyword {names[0]!r} into field. Choices are: {self.choices()}"
            )
        relations = self.filtered_relations if own else {}
        return names_to_path(names, opts or self.opts, self.annotations, relations, **options)

    def setup_joins(
        self,
        names: list[str],
        opts: Any,
        alias: str,
        reuse: Collection[str] | None = None,
        allow_many: bool = True,
    ) -> JoinInfo:
        """Join the tables that a name passes; transforms may stand at its end."""
        transforms: list[str] = []
        error: FieldError | None = None
        for pivot in range(len(names), 0, -1):
            try:
                path = self.path(names[:pivot], opts, allow_many=allow_many, fail_on_missing=True)
            except FieldError as failure:
                if pivot == 1:
                    raise
                error = failure
            else:
                transforms = names[pivot:]
                break

        def apply(column: Any, _alias: str) -> Any:
            if transforms and isinstance(column, Col):
                # A key has the transforms of the column that it refers to.
                field = column.target
                while getattr(field, "is_relation", False) and hasattr(field, "target_field"):
                    field = field.target_field
                column = Col(column.alias, column.target, field)
            for name in transforms:
                column = self.transformed(column, name, error)
            return column

        joins = [alias]
        steps = path.steps
        route = self.filtered_relations.get(names[0]) if steps else None
        if route is not None and steps[len(route.aliases) - 1].filtered_relation == route.name:
            joins.extend(self.pass_through(route))
            steps = steps[len(route.aliases) :]
        for step in steps:
            joins.append(self.join(self.join_of(step, joins[-1]), reuse if step.m2m else None))
        return JoinInfo(
            path.final_field,
            path.targets,
            path.steps[-1].to_opts if path.steps else opts,
            joins,
            path.steps,
            apply,
        )

    def join_of(self, step: Any, parent: str) -> Join:
        """The join of a step from a table."""
        table = step.to_opts.db_table
        nullable = self.is_nullable(step.join_field) if step.direct else True
        return Join(table, table, parent=parent, field=step.join_field, nullable=nullable)

    def transformed(self, column: Any, name: str, error: FieldError | None = None) -> Any:
        """A column under a transform; FieldError with its lookups where there is none."""
        transform = column.get_transform(name)
        if transform is None:
            if error is not None:
                raise error
            raise unsupported_lookup(column, name)
        return transform(column)

    def is_nullable(self, field: Any) -> bool:
        return bool(getattr(field, "null", False))

    def trim_joins(
        self, targets: tuple[Any, ...], joins: list[str], path: list[Any]
    ) -> tuple[tuple[Any, ...], str, list[str]]:
        """Do without joins at the end whose column stands in the table before as well."""
        joins = joins[:]
        for step in reversed(path):
            if len(joins) == 1 or not step.direct or step.filtered_relation is not None:
                break
            foreign = {pair[1].column for pair in step.join_field.related_fields}
            if not {target.column for target in targets} <= foreign:
                break
            local = {pair[1].column: pair[0] for pair in step.join_field.related_fields}
            targets = tuple(local[target.column] for target in targets)
            self.unref(joins.pop())
        return targets, joins[-1], joins

    def ref(
        self,
        name: str,
        allow_joins: bool = True,
        reuse: Any = None,
        summarize: bool = False,
    ) -> Any:
        """What a name stands for: an annotation, or a column, which may need joins."""
        annotation = self.annotations.get(name)
        if annotation is not None:
            if not allow_joins:
                self._refuse_joined(annotation)
            if summarize:
                if name not in self.annotation_select:
                    raise FieldError(
                        f"Cannot aggregate over the {name!r} alias. Use annotate() to promote it."
                    )
                return Ref(name, annotation)
            return annotation
        names = name.split(LOOKUP_SEP)
        annotation = self.annotations.get(names[0])
        if annotation is not None:
            for transform in names[1:]:
                annotation = self.transformed(annotation, transform)
            return annotation
        info = self.setup_joins(names, self.opts, self.initial_alias(), reuse)
        targets, alias, joins = self.trim_joins(info.targets, info.joins, info.path)
        if not allow_joins and len(joins) > 1:
            raise FieldError("Joined field references are not permitted in this query")
        if len(targets) > 1:
            raise FieldError("Referencing multicolumn fields with F() objects isn't supported")
        if reuse is not None:
            reuse.update(joins)
        column = info.transform(column_at(alias, targets[0]), alias)
        if isinstance(column, Col):
            column.possibly_multivalued = any(getattr(s, "m2m", False) for s in info.path)
        return column

    def _refuse_joined(self, annotation: Any) -> None:
        for each in annotation.walk():
            join = self.joins.get(each.alias or "") if isinstance(each, Col) else None
            if join is not None and join.parent is not None:
                raise FieldError("Joined field references are not permitted in this query")

    def choices(self) -> str:
        if self.reads_values:
            return listed(self.annotations)
        return choices(self.opts, self.annotations)


def is_unresolved(expression: Any) -> bool:
    """Whether names of this query's own columns stand in an expression."""
    return any(isinstance(e, F) and not isinstance(e, ResolvedOuterRef) for e in expression.walk())


def unsupported_lookup(column: Any, name: str, lookups: list[str] | None = None) -> FieldError:
    """The error for a lookup or transform that a column does not have.

    `lookups` are all parts of the name behind the field.
    """
    field = column._output_field_or_none
    kind = type(field).__name__
    known = sorted(field.get_lookups()) if hasattr(field, "get_lookups") else []
    near = _near(name, known)
    hint = f", perhaps you meant {' or '.join(near)}?" if near else "."
    shown = LOOKUP_SEP.join(lookups or [name])
    text = f"Unsupported lookup {shown!r} for {kind} or join on the field not permitted{hint}"
    if not near:
        text += f" Its lookups and transforms are: {', '.join(known)}"
    return FieldError(text)


def _near(name: str, known: list[str]) -> list[str]:
    return difflib.get_close_matches(name, known)


def _candidate_prefixes() -> Iterable[str]:
    for length in count(1):
        for letters in product("UVWXYZABCDEFGHIJKLMNOPQRST", repeat=length):
            prefix = "".join(letters)
            if prefix != "T":
                yield prefix


def _prefixes(state: State) -> set[str]:
    """The alias prefixes of the queries inside this one."""
    found: set[str] = set()
    for expression in (state.where, *state.annotations.values(), *state.select):
        for each in expression.walk() if hasattr(expression, "walk") else ():
            if isinstance(each, QueryNode):
                found.add(each.query.alias_prefix)
                found |= _prefixes(each.query)
    for query, _ in state.combined:
        found.add(query.alias_prefix)
        found |= _prefixes(query)
    return found
