"""Conditions: `Q` as users write it, and `Where` as a query keeps it.

A `Q` holds pairs of a lookup's name and a value, expressions, and other `Q`s.  `parametrised`
puts an `Argument` in the place of each value; the query's draft then turns each pair into a
lookup with columns and joins, in a `Where`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Container, Hashable, Iterator, Mapping
from typing import Any

from aorm.errors import FieldError, QueryTypeError
from aorm.fields import various
from aorm.fields.registry import hooks
from aorm.query.expressions import (
    AND,
    MAKERS,
    OR,
    XOR,
    Combinable,
    Expression,
    F,
    QueryNode,
    Slots,
)
from aorm.query.paths import LOOKUP_SEP
from aorm.query.shapes import (
    CONSTANT,
    LIST_TYPES,
    PLAIN,
    ItemShapes,
    has_structure,
    list_shape,
    normalised,
    shape_of,
)


class Argument:
    """A value that a lookup was given: its slot, and a sample to find the structure with."""

    __slots__ = ("converter", "sample", "slot", "volatile")

    def __init__(self, slot: int, sample: Any) -> None:
        self.slot = slot
        self.sample = sample
        self.converter: Callable[[Any], Any] | None = None
        self.volatile = False  # the structure fits this value alone

    def use(self, converter: Callable[[Any], Any] | None) -> None:
        """Remember what the values of this slot go through."""
        self.converter = converter


class Arguments(list[Any]):
    """The places of a list's items, where these hold expressions."""


def argument(value: Any, slots: Slots) -> Any:
    """A value's place: an `Argument`, a parametrised expression, or a list of these."""
    if hasattr(value, "parametrised"):
        return value.parametrised(slots)
    if hasattr(value, "as_subquery"):
        query, values = value.as_subquery()
        slots.bind(getattr(value, "_db", None) or query.database)
        return QueryNode(query, slots.take(len(values)))
    if isinstance(value, list | tuple | set | frozenset) and has_structure(value):
        return Arguments(argument(item, slots) for item in value)
    made = Argument(slots.take(), value)
    slots.arguments.append(made)
    return made


def collect_value(value: Any, values: list[Any]) -> None:
    """Append the values of what a lookup was given, in the order of `argument`."""
    if hasattr(value, "parametrised"):
        value.collect(values)
    elif hasattr(value, "as_subquery"):
        values.extend(value.as_subquery()[1])
    elif isinstance(value, list | tuple | set | frozenset) and has_structure(value):
        for item in value:
            collect_value(item, values)
    else:
        values.append(value)


def keyed(value: Any, values: list[Any]) -> Hashable:
    """The shape of a (normalised) value; the values are appended in the order of `argument`."""
    kind: Any = type(value)
    if kind in PLAIN:
        values.append(value)
        return kind  # type: ignore[no-any-return]
    if kind in CONSTANT:
        values.append(value)
        return (value,)
    if kind in LIST_TYPES:
        shape = list_shape(value)
        if shape is None:
            return (list, ItemShapes([keyed(each, values) for each in value]))
        values.append(value)
        return shape
    if hasattr(value, "keyed"):
        return value.keyed(values)  # type: ignore[no-any-return]
    collect_value(value, values)
    return shape_of(value)


_new = object.__new__  # a name of its own: its method is found sooner


class Q(Combinable):
    """A condition: keyword lookups and other conditions, joined by AND, OR or XOR, or negated.

    `Q(a=1) | ~Q(b=2)`; the positional arguments are conditions or conditional expressions.
    """

    AND = AND
    OR = OR
    XOR = XOR
    default = AND
    conditional = True
    connectors = (None, AND, OR, XOR)
    contains_aggregate = False
    _children: list[Any]
    _lookups: dict[str, Any] | None

    def __init__(
        self, *args: Any, _connector: str | None = None, _negated: bool = False, **kwargs: Any
    ) -> None:
        if _connector is not None and _connector not in self.connectors:
            raise ValueError(f"_connector must be one of {AND!r}, {OR!r}, {XOR!r}, or None.")
        self.connector = _connector or AND
        self.negated = _negated
        if len(kwargs) > 1:
            kwargs = dict(sorted(kwargs.items()))
        for name in kwargs:  # sooner than over pairs, which are made one by one
            if type(value := kwargs[name]) not in PLAIN:
                kwargs[name] = normalised(value)
        self._lookups = kwargs
        if args:
            self.children = [*map(_normalised_pair, args), *kwargs.items()]

    @classmethod
    def of(cls, lookups: dict[str, Any]) -> Q:
        """`Q(**lookups)`, sooner where there is one lookup; it keeps the dictionary."""
        if len(lookups) != 1:
            return cls(**lookups)
        for name in lookups:
            if type(value := lookups[name]) not in PLAIN:
                lookups[name] = normalised(value)
        made = _new(cls)
        made.connector, made.negated, made._lookups = AND, False, lookups
        return made

    @property
    def children(self) -> list[Any]:
        """Pairs of a lookup and a value, expressions, and other conditions.

        The list is made of the keywords when it is first asked for, which a second use of a
        query never does: list, pairs and all are half of what a `Q` costs.
        """
        lookups = self._lookups
        if lookups is not None:
            self.__dict__.setdefault("_children", [*lookups.items()])
            self._lookups = None
        return self._children

    @children.setter
    def children(self, children: list[Any]) -> None:
        self._children = children
        self._lookups = None

    @classmethod
    def create(
        cls, children: list[Any] | None = None, connector: str | None = None, negated: bool = False
    ) -> Q:
        made = cls(_connector=connector, _negated=negated)
        made.children = list(children or ())
        return made

    @property
    def shape(self) -> Hashable:
        return self.keyed([])

    def keyed(self, values: list[Any]) -> Hashable:
        lookups = self._lookups
        if lookups is not None and len(lookups) == 1:
            # A tuple at once takes half as long as a list that is filled.
            for name in lookups:
                one: Any = type(value := lookups[name])
                if one in PLAIN:
                    values.append(value)
                elif isinstance(value, Combinable):
                    one = value.keyed(values)
                else:
                    one = keyed(value, values)
                return (type(self), self.connector, self.negated, name, one)
        parts: list[Any] = [type(self), self.connector, self.negated]
        children: Collection[Any] = self._children if lookups is None else lookups.items()
        for child in children:
            if type(child) is tuple:
                name, value = child
                kind = type(value)
                parts.append(name)
                if kind in PLAIN:
                    values.append(value)
                    parts.append(kind)
                elif isinstance(value, Combinable):
                    parts.append(value.keyed(values))
                else:
                    parts.append(keyed(value, values))
            else:
                parts.append(child.keyed(values))
        return tuple(parts)

    def collect(self, values: list[Any]) -> None:
        for child in self.children:
            if type(child) is tuple:
                collect_value(child[1], values)
            else:
                child.collect(values)

    @property
    def values_(self) -> tuple[Any, ...]:
        values: list[Any] = []
        self.collect(values)
        return tuple(values)

    def parametrised(self, slots: Slots) -> Any:
        return self._with(
            [
                (child[0], argument(child[1], slots))
                if type(child) is tuple
                else child.parametrised(slots)
                for child in self.children
            ]
        )

    def prefixed(self, prefix: str) -> Any:
        return self._with(
            [
                (prefix + child[0], prefixed_value(child[1], prefix))
                if type(child) is tuple
                else child.prefixed(prefix)
                for child in self.children
            ]
        )

    def replaced(self, replacements: dict[Any, Any]) -> Any:
        """This condition with values or expressions in the place of names."""
        return self._with(
            [
                _replaced_pair(child, replacements)
                if type(child) is tuple
                else child.replaced(replacements)
                for child in self.children
            ]
        )

    replace_expressions = replaced

    def _with(self, children: list[Any]) -> Q:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.children = children
        return made

    def resolve(self, scope: Any) -> Any:
        return scope.condition(self)

    def check(self, against: Mapping[str, Any], using: str = "default") -> bool:
        """Whether the condition holds for values, or expressions, by their names.

        The database is asked, without any table.  Where it cannot tell, that is logged, and the
        answer is True.  Raises FieldError for a name that has no value.
        """
        return hooks.check(self, against, using)

    async def acheck(self, against: Mapping[str, Any], using: str = "default") -> bool:
        return await hooks.acheck(self, against, using)

    def referenced_names(self) -> Iterator[str]:
        """The names of the lookups and fields in this condition."""
        for each in self.walk():
            if isinstance(each, Q):
                yield from (child[0] for child in each.children if type(child) is tuple)
            elif isinstance(each, F):
                yield each.name

    @property
    def referenced_base_fields(self) -> set[str]:
        return {name.split("__", 1)[0] for name in self.referenced_names()}

    def walk(self) -> Iterator[Any]:
        yield self
        for child in self.children:
            value = child[1] if type(child) is tuple else child
            if hasattr(value, "walk"):
                yield from value.walk()
            else:
                yield value

    flatten = walk

    def _combined(self, other: Any, connector: str) -> Any:
        if type(self) is Q and type(other) is Q:
            mine: Any = self._lookups
            others: Any = other._lookups
            if (
                mine is not None
                and others is not None
                and not (self.negated or other.negated)
                and len(mine) == len(others) == 1
            ):
                mine, others = mine.items(), others.items()
            else:
                mine, others = self._parts(connector), other._parts(connector)
            if mine and others:
                made = _new(Q)
                made.connector, made.negated, made._lookups = connector, False, None
                made._children = [*mine, *others]
                return made
        if not getattr(other, "conditional", False):
            raise TypeError(other)
        if not self.children:
            return other.copy() if hasattr(other, "copy") else copy.copy(other)
        if not isinstance(other, Q):
            children = [*self._joined(connector), other]
        elif other.children:
            children = self._joined(connector) + other._joined(connector)
        else:
            return self.copy()
        made = object.__new__(Q) if type(self) is Q else self._with(children)
        made.children, made.connector, made.negated = children, connector, False
        return made

    def _parts(self, connector: str) -> Collection[Any]:
        """What this condition adds to one of a connector, as `_joined`; nothing if it is empty."""
        lookups = self._lookups
        children: Collection[Any] = self._children if lookups is None else lookups.items()
        if (self.negated or self.connector != connector) and len(children) > 1 - self.negated:
            return (self,)
        return children

    def _joined(self, connector: str) -> list[Any]:
        """What this condition adds to one of a connector: its children where that is the same."""
        children = self.children
        flat = not self.negated and (self.connector == connector or len(children) == 1)
        return children if flat else [self]

    def add(self, data: Any, connector: str) -> Any:
        """Join another condition to this one by a connector; equal connectors are flattened."""
        if self.connector != connector:
            inner = self.copy()
            self.connector, self.negated = connector, False
            self.children = [inner, data]
            return data
        if isinstance(data, Q) and (joined := data._joined(connector)) is data.children:
            self.children.extend(joined)
            return self
        self.children.append(data)
        return data

    def copy(self) -> Any:
        return self._with(self.children[:])

    def __and__(self, other: Any) -> Any:
        return self._combined(other, AND)

    def __or__(self, other: Any) -> Any:
        return self._combined(other, OR)

    def __xor__(self, other: Any) -> Any:
        return self._combined(other, XOR)

    def __invert__(self) -> Q:
        if type(self) is Q and self._lookups is not None:
            made = _new(Q)
            made.connector, made._lookups = self.connector, self._lookups
        else:
            made = self.copy()
        made.negated = not self.negated
        return made

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        if path.startswith("aorm.query."):
            path = f"aorm.models.{type(self).__qualname__}"
        options: dict[str, Any] = {}
        if self.connector != self.default:
            options["_connector"] = self.connector
        if self.negated:
            options["_negated"] = True
        return path, tuple(self.children), options

    def __bool__(self) -> bool:
        return bool(self.children)

    def __len__(self) -> int:
        return len(self.children)

    def __contains__(self, other: object) -> bool:
        return other in self.children

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Q)
            and type(self) is type(other)
            and (self.connector, self.negated) == (other.connector, other.negated)
            and list(map(_comparable, self.children)) == list(map(_comparable, other.children))
        )

    def __hash__(self) -> int:
        return hash(self.shape)

    def __str__(self) -> str:
        text = f"({self.connector}: {', '.join(map(str, self.children))})"
        return f"(NOT {text})" if self.negated else text

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


def _normalised_pair(child: Any) -> Any:
    if type(child) is tuple and len(child) == 2:
        return (child[0], normalised(child[1]))
    return child


def _comparable(child: Any) -> Any:
    """A child of a condition for comparison: of which kind a list is does not matter."""
    if type(child) is tuple and isinstance(child[1], list):
        return (child[0], tuple(child[1]))
    return child


def prefixed_value(value: Any, prefix: str) -> Any:
    return value.prefixed(prefix) if hasattr(value, "prefixed") else value


def _replaced_pair(child: tuple[str, Any], replacements: dict[Any, Any]) -> Any:
    """A lookup, or the condition that it is where its field is replaced by an expression."""
    name, value = child
    if hasattr(value, "replaced"):
        value = value.replaced(replacements)
    start, *names = name.split(LOOKUP_SEP)
    replacement = replacements.get(F(start))
    if replacement is None or replacement._output_field_or_none is None:
        return (name, value)
    return _compared(replacement, names, value) or (name, value)


def _compared(left: Any, names: list[str], value: Any) -> Any:
    """The lookup that names behind a field stand for, on an expression; None where it has none."""
    last = "exact"
    for number, name in enumerate(names):
        if number == len(names) - 1 and left.get_lookup(name) is not None:
            last = name
            break
        transform = left.get_transform(name)
        if transform is None:
            return None
        left = transform(left)
    if value is None and last == "exact":
        last, value = "isnull", True
    lookup = left.get_lookup(last)
    return None if lookup is None else lookup(left, value)


def _join_conditions(left: Any, right: Any, connector: str) -> Any:
    if isinstance(left, Q):
        return left._combined(right, connector)
    return Q(left)._combined(Q(right), connector)


def check_keywords(names: Container[str]) -> None:
    """QueryTypeError for keywords that steer a `Q` and are no lookups."""
    if "_connector" in names or "_negated" in names:
        wrong = [name for name in ("_connector", "_negated") if name in names]
        raise QueryTypeError(f"The following kwargs are invalid: {', '.join(map(repr, wrong))}")


def _when_condition(condition: Any, lookups: dict[str, Any]) -> Any:
    if lookups:
        if "_connector" in lookups or "_negated" in lookups:
            check_keywords(lookups)
        if condition is None:
            return Q.of(lookups)
        if getattr(condition, "conditional", False):
            return Q(condition, **lookups)
    if condition is None or not getattr(condition, "conditional", False) or lookups:
        raise TypeError(
            "When() supports a Q object, a boolean expression, or lookups as a condition."
        )
    if isinstance(condition, Q) and not condition:
        raise ValueError("An empty Q() can't be used as a When() condition.")
    return condition


MAKERS.condition = _join_conditions
MAKERS.branch = _when_condition


class Where(Expression):
    """Resolved conditions joined by AND, OR or XOR."""

    operands = ("children",)
    conditional = True
    negated: bool

    def __init__(
        self, children: list[Any] | None = None, connector: str = AND, negated: bool = False
    ) -> None:
        self.children: list[Any] = list(children or ())
        self.connector = connector
        self.negated = negated

    @property  # type: ignore[misc]
    def output_field(self) -> Any:
        return _BOOLEAN

    def copy(self) -> Any:
        clone = super().copy()
        clone.children = self.children[:]
        return clone

    def resolve(self, scope: Any) -> Any:
        return self

    def joined(self, condition: Any, connector: str = AND) -> Where:
        """A new tree: this one and another condition; equal connectors are flattened."""
        if not self.children:
            if isinstance(condition, Where) and not condition.negated:
                return condition
            return Where([condition], connector)
        flat = self.connector == connector and not self.negated
        children = self.children[:] if flat else [self]
        return Where([*children, *flattened(condition, connector)], connector)

    def parted(self, holds: Callable[[Any], bool]) -> tuple[Where, Where]:
        """Two trees that say the same together: without what `holds` is true of, and with it."""
        if not holds(self):
            return self, Where()
        if self.connector != AND or self.negated:
            return Where(), self
        without: list[Any] = []
        having: list[Any] = []
        for child in self.children:
            if isinstance(child, Where):
                inner_without, inner_having = child.parted(holds)
                without.extend([inner_without] if inner_without.children else [])
                having.extend([inner_having] if inner_having.children else [])
            else:
                (having if holds(child) else without).append(child)
        return Where(without), Where(having)

    def get_group_by_cols(self) -> list[Any]:
        return [column for child in self.children for column in child.get_group_by_cols()]

    def __bool__(self) -> bool:
        return bool(self.children)

    def __repr__(self) -> str:
        return f"<{'NOT ' if self.negated else ''}{self.connector} {self.children}>"


def flattened(condition: Any, connector: str) -> list[Any]:
    """What a condition adds to a tree of this connector: its children where that is the same."""
    if (
        isinstance(condition, Where)
        and not condition.negated
        and (condition.connector == connector or len(condition.children) == 1)
    ):
        return condition.children
    return [condition]


class Never(Expression):
    """A condition that no row satisfies."""

    conditional = True

    @property  # type: ignore[misc]
    def output_field(self) -> Any:
        return _BOOLEAN

    def resolve(self, scope: Any) -> Any:
        return self

    def parametrised(self, slots: Slots) -> Any:
        return self

    def relabeled(self, aliases: dict[str, str]) -> Any:
        return self


_BOOLEAN = various.BooleanField()
NOTHING = Never()


def check_filterable(expression: Any) -> None:
    """FieldError for an expression that WHERE cannot have."""
    if hasattr(expression, "resolve") and not getattr(expression, "filterable", True):
        raise FieldError(f"{type(expression).__name__} is disallowed in the filter clause.")
    if hasattr(expression, "get_source_expressions"):
        for source in expression.get_source_expressions():
            check_filterable(source)
