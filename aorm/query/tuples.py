"""Several columns side by side: composite primary keys and foreign keys of several columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aorm.errors import QueryValueError
from aorm.query.conditions import NOTHING, Argument, Arguments
from aorm.query.expressions import Col, Expression, F, Func, Param, QueryNode, Subquery
from aorm.query.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    Items,
    LessThan,
    LessThanOrEqual,
    Lookup,
    NothingLeft,
    check_selected,
    with_rest,
)


class ColumnTuple(Expression):
    """`(a, b)`: columns of one table that stand for one field."""

    allows_composite_expressions = True
    composite = True
    contains_column_references = True

    def __init__(
        self, alias: str, targets: tuple[Any, ...], sources: tuple[Any, ...], output_field: Any
    ) -> None:
        self.alias = alias
        self.targets = tuple(targets)
        self.sources = tuple(sources)
        self._output_field = output_field

    @property
    def columns(self) -> list[Col]:
        return [Col(self.alias, target) for target in self.targets]

    @property  # type: ignore[misc]
    def output_field(self) -> Any:
        return self._output_field

    def __len__(self) -> int:
        return len(self.targets)

    def _make_shape(self) -> Any:
        return (ColumnTuple, self.alias, self.targets, self._output_field)

    def resolve(self, scope: Any) -> Any:
        return self

    def parametrised(self, slots: Any) -> Any:
        return self

    def shifted(self, offset: int) -> Any:
        return self

    def relabeled(self, aliases: dict[str, str]) -> Any:
        clone = self.copy()
        clone.alias = aliases.get(self.alias, self.alias)
        return clone

    def get_group_by_cols(self) -> list[Any]:
        return list(self.columns)

    def get_lookup(self, name: str) -> Any:
        return TUPLE_LOOKUPS.get(name)

    def get_transform(self, name: str) -> Any:
        return None


class Row(Func):
    """`(a, b)`: expressions side by side."""

    template = "(%(expressions)s)"
    arg_joiner = ", "
    allows_composite_expressions = True
    composite = True

    @property
    def columns(self) -> list[Any]:
        return list(self.source_expressions)

    @property
    def sources(self) -> tuple[Any, ...]:
        """The fields whose values these expressions have."""
        return tuple(each.output_field for each in self.source_expressions)

    def __len__(self) -> int:
        return len(self.source_expressions)


def column_at(alias: str, target: Any) -> Any:
    """The column of a field in a table; those of a primary key of several columns."""
    if getattr(target, "column", None) is None and hasattr(target, "fields"):
        fields = tuple(target.fields)
        return ColumnTuple(alias, fields, fields, target)
    return Col(alias, target)


def relation_column(alias: str, targets: Any, sources: Any, field: Any) -> Any:
    """The column of a relation in a table, or its columns; `sources` are what they refer to."""
    if len(targets) > 1:
        return ColumnTuple(alias, targets, sources, field)
    (target,) = targets
    if getattr(target, "column", None) is None and hasattr(target, "fields"):
        fields = tuple(target.fields)
        return ColumnTuple(alias, fields, fields, field)
    return Col(alias, target, field)


def values_of(column: ColumnTuple | Row, value: Any, lookup: str = "exact") -> tuple[Any, ...]:
    """The values of one key: of an object, or of a list or tuple of the right length."""
    if hasattr(value, "_meta"):
        found = [_attribute(value, source) for source in column.sources]
        return _prepared(column, found)
    related = isinstance(column, ColumnTuple) and column.output_field.is_relation
    if related and not isinstance(value, list | tuple):
        value = (value,)
    check_length(column, value, lookup)
    return _prepared(column, value)


def _prepared(column: ColumnTuple | Row, values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(
        None if item is None else source.get_prep_value(item)
        for source, item in zip(column.sources, values, strict=True)
    )


def check_length(column: Any, value: Any, lookup: str) -> None:
    """QueryValueError where a key is no list or tuple of as many values as there are columns."""
    many = lookup == "in"
    if not isinstance(value, list | tuple):
        wanted = "a collection of tuples or lists" if many else "a tuple or a list"
        raise QueryValueError(
            f"{lookup!r} lookup of {_name(column)} must be {wanted}, not {value!r}"
        )
    if hasattr(column, "__len__") and len(value) != len(column):
        raise QueryValueError(
            f"{lookup!r} lookup of {_name(column)} must have {len(column)} elements"
            f"{' each' if many else ''}, and {value!r} has {len(value)}"
        )


def _attribute(value: Any, source: Any) -> Any:
    while not isinstance(value, source.model) and source.remote_field:
        source = source.remote_field.model._meta.get_field(source.remote_field.field_name)
    return getattr(value, source.attname)


def _name(column: Any) -> str:
    if isinstance(column, Row):
        return repr(tuple(map(_bare_name, column.columns)))
    return repr(_bare_name(column))


def _bare_name(column: Any) -> str:
    """The name of a field, of a reference to it, or of its column."""
    if isinstance(column, F):
        return str(column.name)
    return str(getattr(column._output_field_or_none, "name", None) or "the field")


_QUERIES = (QueryNode, Subquery)


class TupleLookup(Lookup):
    """A comparison of several columns with as many values."""

    lhs: ColumnTuple | Row
    what_it_takes = "only supports OuterRef and QuerySet objects"

    def __init__(self, lhs: Any, rhs: Any) -> None:
        lhs = Row(*lhs) if isinstance(lhs, list | tuple) else lhs
        super().__init__(lhs, rhs)
        if hasattr(rhs, "as_subquery"):
            self._check_columns(rhs.as_subquery()[0])
        elif not (hasattr(rhs, "resolve") or isinstance(rhs, Argument | Arguments | Items)):
            self.check_values(rhs)
        if isinstance(rhs, Expression) and not (rhs.composite or isinstance(rhs, _QUERIES)):
            raise QueryValueError(
                f"{self.lookup_name!r} subquery lookup of {_name(lhs)} {self.what_it_takes}"
                f" (received {type(rhs).__name__!r})"
            )

    def _is_plain_operand(self, rhs: Any) -> bool:
        return False  # what is compared are the parts of a value

    def check_values(self, rhs: Any) -> None:
        """QueryValueError where these cannot be the values of the columns."""
        if not hasattr(rhs, "_meta"):
            check_length(self.lhs, rhs, self.lookup_name)

    def _check_columns(self, query: Any) -> None:
        if hasattr(self.lhs, "__len__"):
            name = repr(self.lookup_name) if self.takes_list else self.lookup_name
            check_selected(query, name, len(self.lhs))

    def accept(self, given: Argument) -> Any:
        column, lookup = self.lhs, self.lookup_name
        given.use(lambda value: values_of(column, value, lookup))
        values_of(column, given.sample, lookup)
        return Items(
            Param(given.slot, source, None, item=number, typed=False)
            for number, source in enumerate(column.sources)
        )

    def _settle(self) -> None:
        rhs = self.rhs
        if type(rhs) is Argument:
            self.rhs = self.accept(rhs)
        elif isinstance(rhs, QueryNode | Subquery):
            self.rhs = rhs.source.copy() if isinstance(rhs, Subquery) else rhs
            self.accept_query(self.rhs)
        elif isinstance(rhs, Arguments):
            self.rhs = self._accept_items(rhs)

    def _accept_items(self, items: Arguments) -> Items:
        column = self.lhs
        if len(items) != len(column):
            raise QueryValueError(
                f"{self.lookup_name!r} lookup of {_name(column)} must have {len(column)} elements"
            )
        return Items(map(self._item, column.sources, items))

    def _item(self, source: Any, item: Any) -> Any:
        if type(item) is not Argument:
            return item
        item.use(source.get_prep_value)
        return Param(item.slot, source, None, typed=False)

    def accept_query(self, node: Any) -> None:
        """Compare with a query of as many columns; of the columns referred to, by itself."""
        name = repr(self.lookup_name) if self.takes_list else self.lookup_name
        check_selected(node.query, name, len(self.lhs))
        if not node.query.has_select_fields:
            node.query = self._selecting(node.query)

    def _selecting(self, query: Any) -> Any:
        """The query of the columns that stand for its objects here: those of their keys."""
        if len(query.opts.pk_fields) != len(self.lhs):
            raise QueryValueError(
                f"The QuerySet value for the {self.lookup_name} lookup must have"
                f" {len(self.lhs)} selected fields (received {len(query.opts.pk_fields)})"
            )
        return query.for_comparison()


class TupleExact(TupleLookup, Exact):
    def accept_query(self, node: Any) -> None:
        if not node.query.is_limited_to_one:
            raise QueryValueError(
                "The QuerySet value for an exact lookup must be limited to one result using"
                " slicing."
            )
        super().accept_query(node)


class TupleOrder(TupleLookup):
    """A comparison of order, also with a query whose columns are named, or are keys as wide."""

    def _selecting(self, query: Any) -> Any:
        if len(query.opts.pk_fields) != len(self.lhs):
            raise QueryValueError(
                f"{self.lookup_name!r} doesn't support multi-column subqueries. Those can be "
                f"compared whose {len(self.lhs)} columns are named: values()"
            )
        return super()._selecting(query)


class TupleGreaterThan(TupleOrder, GreaterThan):
    pass


class TupleGreaterThanOrEqual(TupleOrder, GreaterThanOrEqual):
    pass


class TupleLessThan(TupleOrder, LessThan):
    pass


class TupleLessThanOrEqual(TupleOrder, LessThanOrEqual):
    pass


class TupleIn(TupleLookup, In):
    """A list of keys: one parameter for each column, whatever the length of the list.

    Where expressions are among the keys, each key is a comparison of its own.
    """

    what_it_takes = "must be a Query object"

    def check_values(self, rhs: Any) -> None:
        if not isinstance(rhs, list | tuple | set | frozenset):
            raise QueryValueError(
                f"'in' lookup of {_name(self.lhs)} must be a tuple or a list, not {rhs!r}"
            )
        for each in rhs:
            if not hasattr(each, "_meta"):
                check_length(self.lhs, each, "in")

    def _accept_items(self, items: Arguments) -> Items:
        return Items(TupleExact(self.lhs, item) for item in items)

    def _selecting(self, query: Any) -> Any:
        """The query of the columns that the relation refers to."""
        names = tuple(source.attname for source in self.lhs.sources)
        known = {field.attname for field in query.opts.concrete_fields}
        if not known.issuperset(names):
            return super()._selecting(query)

        def change(draft: Any) -> None:
            draft.select = tuple(draft.ref(name) for name in names)
            draft.default_cols, draft.annotation_mask = False, ()
            if not draft.is_sliced and not draft.distinct_fields:
                draft.order_by, draft.default_ordering = (), False

        return query.changed(("columns", names), change)

    def accept(self, given: Argument) -> Any:
        column = self.lhs
        if not hasattr(given.sample, "__iter__"):
            raise QueryValueError(
                f"'in' lookup of {_name(column)} must be a tuple or a list of keys, not"
                f" {given.sample!r}"
            )

        def convert(value: Any) -> list[tuple[Any, ...]]:
            keys = [values_of(column, item, "in") for item in value]
            return [key for key in keys if None not in key]

        checked = with_rest(convert)
        given.use(checked)
        try:
            checked(given.sample)
        except NothingLeft:
            given.use(None)
            given.volatile = True
            return NOTHING
        return Items(
            Param(given.slot, source, (list, None), item=number, typed=False)
            for number, source in enumerate(column.sources)
        )


class TupleIsNull(TupleLookup, IsNull):
    def check_values(self, rhs: Any) -> None:
        pass  # True or False, as IsNull says

    def _settle(self) -> None:
        if isinstance(self.rhs, _QUERIES):
            raise QueryValueError(
                "'isnull' doesn't support multi-column subqueries. It takes True or False"
            )
        IsNull._settle(self)

    def accept(self, given: Argument) -> Any:
        return IsNull.accept(self, given)


TUPLE_LOOKUPS: dict[str, type[Lookup]] = {
    "exact": TupleExact,
    "in": TupleIn,
    "gt": TupleGreaterThan,
    "gte": TupleGreaterThanOrEqual,
    "lt": TupleLessThan,
    "lte": TupleLessThanOrEqual,
    "isnull": TupleIsNull,
}
