"""Several columns side by side: composite primary keys and foreign keys of several columns."""

from __future__ import annotations

from typing import Any

from aorm.errors import QueryTypeError, QueryValueError
from aorm.query.conditions import NOTHING, Argument, Arguments
from aorm.query.expressions import Col, Expression, Param, QueryNode
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
    with_rest,
)


class ColumnTuple(Expression):
    """`(a, b)`: columns of one table that stand for one field."""

    allows_composite_expressions = True
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

    @property
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


def values_of(column: ColumnTuple, value: Any) -> tuple[Any, ...]:
    """The values of one key: of an object, or of a list or tuple of the right length."""
    if hasattr(value, "_meta"):
        return tuple(_attribute(value, source) for source in column.sources)
    if not isinstance(value, list | tuple):
        raise QueryValueError(
            f"{_name(column)} has {len(column)} columns: its value must be a tuple or a list, not"
            f" {value!r}"
        )
    if len(value) != len(column):
        raise QueryValueError(
            f"{_name(column)} has {len(column)} columns, but {value!r} has {len(value)} values"
        )
    return tuple(
        None if item is None else source.get_prep_value(item)
        for source, item in zip(column.sources, value, strict=True)
    )


def _attribute(value: Any, source: Any) -> Any:
    while not isinstance(value, source.model) and source.remote_field:
        source = source.remote_field.model._meta.get_field(source.remote_field.field_name)
    return getattr(value, source.attname)


def _name(column: ColumnTuple) -> str:
    return repr(getattr(column.output_field, "name", "the field"))


class TupleLookup(Lookup):
    """A comparison of several columns with as many values."""

    lhs: ColumnTuple

    def accept(self, given: Argument) -> Any:
        column = self.lhs
        given.use(lambda value: values_of(column, value))
        values_of(column, given.sample)
        return Items(
            Param(given.slot, source, None, item=number, typed=False)
            for number, source in enumerate(column.sources)
        )

    def _settle(self) -> None:
        rhs = self.rhs
        if type(rhs) is Argument:
            self.rhs = self.accept(rhs)
        elif isinstance(rhs, QueryNode):
            self.accept_query(rhs)
        elif isinstance(rhs, Arguments):
            self.rhs = Items(rhs)


class TupleExact(TupleLookup, Exact):
    pass


class TupleGreaterThan(TupleLookup, GreaterThan):
    pass


class TupleGreaterThanOrEqual(TupleLookup, GreaterThanOrEqual):
    pass


class TupleLessThan(TupleLookup, LessThan):
    pass


class TupleLessThanOrEqual(TupleLookup, LessThanOrEqual):
    pass


class TupleIn(TupleLookup, In):
    """A list of keys: one parameter for each column, whatever the length of the list."""

    def accept(self, given: Argument) -> Any:
        column = self.lhs
        if not hasattr(given.sample, "__iter__"):
            raise QueryTypeError(
                f"the value of an 'in' lookup must be a list, not {given.sample!r}"
            )

        def convert(value: Any) -> list[tuple[Any, ...]]:
            keys = [values_of(column, item) for item in value]
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
    def _settle(self) -> None:
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
