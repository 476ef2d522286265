"""Lookups on relations: a value may be an object, a key, a list of these, or a query set."""

from __future__ import annotations

from typing import Any

from aorm.errors import QueryValueError
from aorm.fields.relations import ForeignObject
from aorm.functional import SimpleLazyObject
from aorm.query.expressions import QueryNode
from aorm.query.lookups import (
    RANGE_CHECKS,
    Converter,
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    column_of,
    fitting,
    list_converter,
    never_none,
    pipe,
    refused,
)


def target_of(field: Any) -> Any:
    """The column at the end of a relation, which a value is compared with."""
    # Both ways of a generic relation end at a primary key, but not at the one that is looked up.
    return getattr(field, "lookup_target", None) or field.path_infos[-1].target_fields[-1]


def key_of(value: Any, field: Any, source: Any) -> Any:
    """The key of an object for a comparison with a relation.

    Raises ValueError for an object that was not saved.
    """
    while not isinstance(value, source.model) and source.remote_field:
        source = source.remote_field.model._meta.get_field(source.remote_field.field_name)
    try:
        found = getattr(value, source.attname)
    except AttributeError:
        return value.pk
    if found is None and value.pk is None:
        raise QueryValueError("Model instances passed to related filters must be saved.")
    return found


def related_converter(lhs: Any, sample: Any) -> Converter | None:
    """What turns a value of the sample's type into the key that the relation keeps."""
    check = RANGE_CHECKS.get(column_of(lhs.output_field).get_internal_type())
    prepare = item_converter(lhs, type(sample), sample)
    if prepare is None:
        return check if type(sample) is int else None
    return never_none(prepare) if hasattr(sample, "_meta") else pipe(never_none(prepare), check)


def item_converter(lhs: Any, kind: type, sample: Any) -> Converter | None:
    """The same for the items of this type in a list."""
    field = lhs.output_field
    target = target_of(field)
    source = target
    if hasattr(kind, "_meta"):

        def convert(value: Any) -> Any:
            return key_of(value, field, source)

        return convert
    if issubclass(kind, list | tuple | set | frozenset | dict):
        raise refused(field, sample)
    while target.is_relation:
        target = target.target_field
    if kind in target.plain_types:
        return None
    prepare: Converter = target.get_prep_value
    if not issubclass(kind, SimpleLazyObject):
        return prepare
    # What a lazy object stands for may be another kind of value each time.
    return lambda value: key_of(value, field, source) if hasattr(value, "_meta") else prepare(value)


class RelatedLookupMixin:
    lhs: Any

    def converter(self, sample: Any) -> Converter | None:
        return related_converter(self.lhs, sample)

    @property
    def param_field(self) -> Any:
        return target_of(self.lhs.output_field)


@ForeignObject.register_lookup
class RelatedExact(RelatedLookupMixin, Exact):
    def accept_query(self, node: Any) -> None:
        super().accept_query(node)


@ForeignObject.register_lookup
class RelatedLessThan(RelatedLookupMixin, LessThan):
    pass


@ForeignObject.register_lookup
class RelatedGreaterThan(RelatedLookupMixin, GreaterThan):
    pass


@ForeignObject.register_lookup
class RelatedGreaterThanOrEqual(RelatedLookupMixin, GreaterThanOrEqual):
    pass


@ForeignObject.register_lookup
class RelatedLessThanOrEqual(RelatedLookupMixin, LessThanOrEqual):
    pass


@ForeignObject.register_lookup
class RelatedIsNull(IsNull):
    pass


@ForeignObject.register_lookup
class RelatedIn(RelatedLookupMixin, In):
    def list_converter(self, sample: Any, kinds: frozenset[type]) -> Converter:
        rest = kinds - {type(None)}
        converters = {kind: item_converter(self.lhs, kind, sample) for kind in rest}
        if not any(converters.values()):
            return fitting(list_converter(None, kinds), self.lhs)

        def convert(value: Any) -> list[Any]:
            found = []
            for each in value:
                if each is not None:
                    prepare = converters.get(type(each))
                    key = each if prepare is None else prepare(each)
                    if key is not None:
                        found.append(key)
            return found

        return fitting(convert, self.lhs)

    def accept_query(self, node: Any) -> None:
        if not isinstance(node, QueryNode):
            return
        query = node.query
        field = self.lhs.output_field
        if not query.has_select_fields and not getattr(field, "primary_key", False):
            target = target_of(field)
            if not target.primary_key or query.opts.pk is not target:
                node.query = _selecting(query, field, target)
                return
        super().accept_query(node)


def _selecting(query: Any, field: Any, target: Any) -> Any:
    """The query of the column that the relation refers to."""
    if target.model is not query.model and target.model not in query.opts.get_parent_list():
        return query.for_in()
    name = target.name

    def change(draft: Any) -> None:
        draft.select = (draft.ref(name),)
        draft.default_cols = False
        if not draft.is_sliced and not draft.distinct_fields:
            draft.order_by, draft.default_ordering = (), False

    return query.changed(("in", name), change)
