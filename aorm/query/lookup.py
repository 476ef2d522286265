"""`Lookup`: the base of all comparisons that are found by name."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from aorm.errors import EmptyResultSet, QueryValueError
from aorm.fields import various
from aorm.query.conditions import NOTHING, Argument, Arguments, argument, collect_value
from aorm.query.expressions import (
    Expression,
    Param,
    QueryNode,
    Slots,
    Subquery,
    Transform,
    Value,
    int_kind,
)
from aorm.query.nodes import public_path
from aorm.query.preparation import (
    Converter,
    NoneAtAll,
    OutOfRange,
    PreparedNone,
    scalar_converter,
)
from aorm.query.shapes import ItemShapes, normalised, shape_of

BOOLEAN = various.BooleanField()


class Items(list[Any]):
    """Several operands on the right side of a lookup."""


class Lookup(Expression):
    """A condition `lhs <lookup> rhs`; the base of all lookups."""

    lookup_name: str = ""
    prepare_rhs = True
    can_use_none_as_rhs = False
    takes_list = False
    template: str | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return object.__new__(cls)  # it is made of values, which a query must not keep

    def __init__(self, lhs: Any, rhs: Any) -> None:
        self.lhs = lhs if hasattr(lhs, "resolve") else Value(lhs)
        self.rhs = rhs
        if isinstance(rhs, Argument | Arguments | QueryNode):
            self._settle()
        elif getattr(rhs, "composite", False) and not self.lhs.composite:
            raise QueryValueError("CompositePrimaryKey cannot be used as a lookup value.")
        elif hasattr(rhs, "walk"):
            self.rhs = self._bilateral(rhs)

    # --- operands ----------------------------------

    def get_source_expressions(self) -> list[Any]:
        rhs = self.rhs
        if isinstance(rhs, Items):
            return [self.lhs, *rhs]
        return [self.lhs, rhs] if hasattr(rhs, "walk") else [self.lhs]

    def set_source_expressions(self, expressions: Any) -> None:
        self.lhs, *rest = expressions
        if isinstance(self.rhs, Items):
            self.rhs = Items(rest)
        elif rest:
            (self.rhs,) = rest

    def rhs_is_direct_value(self) -> bool:
        return not hasattr(self.rhs, "walk") or isinstance(self.rhs, Param)

    def _make_shape(self) -> Hashable:
        rhs = self.rhs
        if isinstance(rhs, Items):
            right: Hashable = ItemShapes(item.shape for item in rhs)
        elif type(rhs) is Argument:
            right = (Argument, rhs.slot)
        else:
            rhs = normalised(rhs)
            right = Value(rhs).shape if self._is_plain_operand(rhs) else shape_of(rhs)
        options = tuple(
            (k, v) for k, v in self.__dict__.items() if k not in ("lhs", "rhs") and k[0] != "_"
        )
        return (
            type(self),
            self.lhs.shape if hasattr(self.lhs, "shape") else self.lhs,
            right,
            options,
        )

    def collect(self, values: list[Any]) -> None:
        self.lhs.collect(values)
        if isinstance(self.rhs, Items):
            for item in self.rhs:
                item.collect(values)
        else:
            collect_value(self.rhs, values)

    def parametrised(self, slots: Slots) -> Any:
        clone = self.copy()
        clone.lhs = self.lhs.parametrised(slots)
        rhs = normalised(self.rhs)
        if self._is_plain_operand(rhs):
            rhs = Value(rhs)
        clone.rhs = argument(rhs, slots)
        return clone

    def _is_plain_operand(self, rhs: Any) -> bool:
        """Whether a value that was given beside an expression is compared as it is."""
        return self.prepare_rhs and not (
            self.takes_list or hasattr(rhs, "resolve") or hasattr(rhs, "as_subquery")
        )

    def resolve(self, scope: Any) -> Any:
        clone = self.copy()
        clone.lhs = self.lhs.resolve(scope)
        rhs = self.rhs
        clone.rhs = _resolved(rhs, scope)
        clone._settle()
        if scope.summarize:
            clone.is_summary = True
        return clone

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return all(
            not hasattr(each, "resolve") or each.allowed_default for each in (self.lhs, self.rhs)
        )

    @property  # type: ignore[misc]
    def output_field(self) -> Any:
        return BOOLEAN

    @property
    def conditional(self) -> bool:  # type: ignore[override]
        return True

    def get_group_by_cols(self) -> list[Any]:
        found = []
        for source in self.get_source_expressions():
            if isinstance(source, QueryNode):
                found.extend(source.query.outer_columns())
            else:
                found.extend(source.get_group_by_cols())
        return found

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """What makes this condition again: the path of its class, args and kwargs."""
        return public_path(type(self)), (self.lhs, self.rhs), {}

    # --- the right side ----------------------------------

    def _settle(self) -> None:
        """Give the right side its final form."""
        rhs = self.rhs
        if type(rhs) is Argument:
            self.rhs = self._bilateral(self.accept(rhs))
        elif isinstance(rhs, Arguments):
            self.rhs = Items(
                self._bilateral(self.accept_item(item) if type(item) is Argument else item)
                for item in rhs
            )
        elif isinstance(rhs, QueryNode | Subquery):
            if self._transforms_both():
                raise NotImplementedError(
                    "Bilateral transformations on nested querysets are not implemented."
                )
            self.accept_query(rhs)

    def _bilateral(self, rhs: Any) -> Any:
        for transform in self._transforms_both():
            rhs = transform(rhs)
        return rhs

    def _transforms_both(self) -> list[Any]:
        """The transforms of the left side that are for the right one as well."""
        found: list[Any] = getattr(self.lhs, "get_bilateral_transforms", list)()
        return found

    @property
    def has_given_value(self) -> bool:
        """Whether the right side is a value that the converter went over."""
        rhs = self.rhs
        while isinstance(rhs, Transform) and rhs.bilateral:
            rhs = rhs.lhs
        return isinstance(rhs, Param)

    def accept(self, given: Argument) -> Any:
        """The parameter for a value; raises what the field raises for a wrong one."""
        return self._param(given, self.converter(given.sample))

    def accept_item(self, given: Argument) -> Any:
        return self._param(given, scalar_converter(self.lhs, given.sample))

    def _param(self, given: Argument, convert: Converter | None, **options: Any) -> Param:
        kind: Hashable = shape_of(given.sample)
        if convert is not None:
            try:
                convert(given.sample)
            except NoneAtAll:
                given.use(None)
                given.volatile = True
                raise PreparedNone from None
            except OutOfRange:
                convert = None if type(given.sample) is int else self.param_field.get_prep_value
                kind = int_kind(given.sample if convert is None else convert(given.sample))
                options["typed"] = True
                given.volatile = True
        given.use(convert)
        options.setdefault("typed", False)
        field = options.pop("output_field", self.param_field)
        return Param(given.slot, field, kind, given.sample, **options)

    @property
    def param_field(self) -> Any:
        """The field whose representation the value takes."""
        return self.lhs._output_field_or_none if self.prepare_rhs else None

    def converter(self, sample: Any) -> Converter | None:
        """What each value of the sample's shape goes through when a query is built."""
        if not self.prepare_rhs:
            return None
        return scalar_converter(self.lhs, sample)

    def accept_query(self, node: Any) -> None:
        """Adjust a subquery on the right side."""

    # --- for classes that spell themselves in `as_sql` ----------------------------------

    @property
    def spells_itself(self) -> bool:
        return type(self).as_sql is not Expression.as_sql or any(
            hasattr(self, name) for name in ("as_sqlite", "as_postgresql")
        )

    def process_lhs(self, compiler: Any, connection: Any, lhs: Any = None) -> tuple[str, list[Any]]:
        """The text of the left side, or of `lhs`, and its parameters."""
        node = self.lhs if lhs is None else lhs
        sql, params = compiler.compile(node)
        return (f"({sql})" if isinstance(node, Lookup) else sql), params

    def process_rhs(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        """The text of the right side and its parameters, which stand for values yet to come.

        Raises EmptyResultSet where no row can match.
        """
        if self.rhs is NOTHING:
            raise EmptyResultSet
        if not isinstance(self.rhs, Items):
            return compiler.compile(self.rhs)  # type: ignore[no-any-return]
        parts, params = [], []
        for item in self.rhs:
            sql, found = compiler.compile(item)
            parts.append(sql)
            params += found
        return f"({', '.join(parts)})", params

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.lhs!r}, {self.rhs!r})"


def _resolved(value: Any, scope: Any) -> Any:
    if isinstance(value, Arguments):
        return Arguments(_resolved(item, scope) for item in value)
    return value.resolve(scope) if hasattr(value, "resolve") else value


class BuiltinLookup(Lookup):
    pass


def check_selected(query: Any, name: str, wanted: int = 1) -> None:
    """ValueError where a subquery selects another number of columns than it stands for."""
    number = query.selected_columns
    if query.has_select_fields and number != wanted:
        raise QueryValueError(
            f"The QuerySet value for the {name} lookup must have {wanted} selected fields"
            f" (received {number})"
        )
