"""What a SELECT loads: columns, objects, the objects of relations, and what is deferred."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aorm.errors import FieldError
from aorm.query.draft import Draft
from aorm.query.expressions import Col
from aorm.query.joins import LOUTER, Join
from aorm.query.paths import LOOKUP_SEP
from aorm.query.query import Query
from aorm.sql.compiler import Compiler
from aorm.sql.decoders import Output, Source
from aorm.sql.dialect import Dialect

MAX_RELATED_DEPTH = 5


class Loading(Compiler):
    """Works out which columns a SELECT has, and where each of them goes."""

    def __init__(self, query: Query, dialect: Dialect) -> None:
        super().__init__(dialect, Draft.of(query))
        if self.draft.inner is None:
            self.draft.initial_alias()
        self.outputs: list[Output] = []
        self.source: Source | None = None

    # --- what is selected ----------------------------------

    def collect_outputs(self) -> None:
        """List the columns of the rows, and where each of them goes."""
        self._shown_outputs()
        for expression in self.draft.hidden:
            self.outputs.append(Output(expression, None, hidden=True))

    def _shown_outputs(self) -> None:
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
        parent: Source | None = None,
    ) -> Source:
        """The columns of a model's objects.

        Args:
            parent: objects in the same rows whose children these are: what is loaded of their
                columns belongs to the children, too.
        """
        opts = model._meta
        source = Source(model)
        known = {} if parent is None else dict(parent.fields)
        inherited = () if parent is None else (parent.model, *parent.model._meta.all_parents)
        for field in opts.concrete_fields:
            if field.model in inherited:
                if field in known:
                    source.fields.append((field, known[field]))
                continue
            if mask is not None and not _is_loaded(field, mask):
                continue
            column = Col(self._alias_of(field, alias, opts), field)
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
        if depth == 1:
            for name in self.draft.filtered_relations:
                if name in names:
                    found.add(name)
                    self._filtered(source, alias, name, names[name], (mask or {}).get(name))
        unknown = set(names) - found
        if unknown:
            self._refuse(unknown, opts, depth)

    def _filtered(self, source: Source, alias: str, name: str, inner: Any, mask: Any) -> None:
        """The objects of a filtered relation, as attributes of its name."""
        info = self.draft.setup_joins([name], self.draft.opts, alias)
        target = info.joins[-1]
        related = self._object(info.opts.model, target, mask or None)
        related.nullable = self.draft.joins[target].kind == LOUTER
        related.name = related.cache = name
        if len(info.joins) == 2:
            # Behind a single join the way back is known, where it leads to one object.
            back = info.final_field.remote_field
            if not (back.one_to_many or back.many_to_many):
                related.remote_cache = back.cache_attname
        source.related.append(related)
        if inner:
            self._relations(related, target, inner, mask, 2, ())

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
        parent = source if link else None
        related = self._object(rel.related_model, target, mask or None, parent)
        related.nullable = True
        related.name = name
        related.cache = rel.cache_attname
        related.remote_cache = rel.field.cache_attname
        source.related.append(related)
        if names[name]:
            self._relations(related, target, names[name], mask, depth + 1, ())

    def _refuse(self, unknown: set[str], opts: Any, depth: int) -> None:
        filtered = self.draft.filtered_relations if depth == 1 else ()
        choices = ", ".join([*_related_choices(opts), *filtered]) or "(none)"
        for name in unknown:
            if any(f.name == name for f in opts.fields):
                raise FieldError(
                    f"Non-relational field given in select_related: {name!r}. Choices are:"
                    f" {choices}"
                )
        wrong = ", ".join(map(repr, sorted(unknown)))
        raise FieldError(
            f"Invalid field name(s) given in select_related: {wrong}. Choices are: {choices}"
        )


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
    filtered = {name: tree.pop(name) for name in draft.filtered_relations if name in tree}
    mask = _defer_mask(tree, draft.opts) if defer else _only_mask(tree, draft.opts)
    for name, inner in filtered.items():
        mask[name] = _defer_mask(inner, draft.path([name]).steps[-1].to_opts)
    return mask


def _always(opts: Any) -> set[str]:
    """The fields that are never deferred: the key, and what says of which class a row is."""
    names = {field.name for field in opts.pk_fields}
    if opts.kinds is not None:
        names.add(opts._columns_by_attname[opts.kinds.attname].name)
    return names


def _only_mask(tree: dict[str, Any], opts: Any) -> dict[str, Any]:
    mask: dict[str, Any] = {}
    for name in _always(opts):
        mask[name] = {}
    for name, inner in tree.items():
        name = opts.pk.name if name == "pk" else name
        field = opts.get_field(name)
        related = getattr(field, "related_model", None)
        mask[field.name] = _only_mask(inner, related._meta) if inner and related else {}
    return mask


def _defer_mask(tree: dict[str, Any], opts: Any) -> dict[str, Any]:
    mask: dict[str, Any] = {"*": {}}
    keys = _always(opts)
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
