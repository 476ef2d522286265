"""Expressions: what can be computed in SQL, as trees that hold no SQL.

1. Users build them; `parametrised` gives a copy in which every value is a `Param` with the
   number of its slot, and `resolve` a copy in which names are columns.  Resolved trees are what
   a `Query` keeps and what the compiler renders.
2. `shape` is all of a tree but its values, `collect` appends the values in the order in which
   `parametrised` numbers them.
3. An expression is never changed after it was made.
"""

from __future__ import annotations

import copy
import datetime
import decimal
import uuid
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, ClassVar

from aorm.errors import FieldError, NotSupportedError, QueryTypeError, QueryValueError
from aorm.fields import base, dates, numbers, text, various
from aorm.fields.constraints import ExpressionHolder
from aorm.fields.lookup_registry import RegisterLookupMixin
from aorm.query.shapes import field_key, freeze, normalised

AND, OR, XOR = "AND", "OR", "XOR"
INT4, INT8 = 2**31, 2**63


class Slots:
    """Numbers the values of a tree, and remembers them while the tree is resolved."""

    __slots__ = ("arguments", "first", "next")

    def __init__(self, first: int) -> None:
        self.first = self.next = first
        self.arguments: list[Any] = []

    def take(self, count: int = 1) -> int:
        first = self.next
        self.next += count
        return first


class Combinable:
    """What arithmetic works on."""

    ADD, SUB, MUL, DIV, POW, MOD = "+", "-", "*", "/", "^", "%%"
    BITAND, BITOR, BITLEFTSHIFT, BITRIGHTSHIFT, BITXOR = "&", "|", "<<", ">>", "#"

    conditional: bool = False

    def _combine(self, other: Any, connector: str, reversed_: bool) -> CombinedExpression:
        other = value_or_expression(other)
        if reversed_:
            return CombinedExpression(other, connector, self)
        return CombinedExpression(self, connector, other)

    def __neg__(self) -> CombinedExpression:
        return self._combine(-1, self.MUL, False)

    def __add__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.ADD, False)

    def __sub__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.SUB, False)

    def __mul__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.MUL, False)

    def __truediv__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.DIV, False)

    def __mod__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.MOD, False)

    def __pow__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.POW, False)

    def __radd__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.ADD, True)

    def __rsub__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.SUB, True)

    def __rmul__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.MUL, True)

    def __rtruediv__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.DIV, True)

    def __rmod__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.MOD, True)

    def __rpow__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.POW, True)

    def bitand(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.BITAND, False)

    def bitor(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.BITOR, False)

    def bitxor(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.BITXOR, False)

    def bitleftshift(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.BITLEFTSHIFT, False)

    def bitrightshift(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.BITRIGHTSHIFT, False)

    def _condition(self, other: Any, connector: str) -> Any:
        if self.conditional and getattr(other, "conditional", False):
            return CONDITION_HOOK.combine(self, other, connector)
        raise NotImplementedError(
            "&, | and ^ combine conditions; for bits use .bitand(), .bitor() and .bitxor()"
        )

    def __and__(self, other: Any) -> Any:
        return self._condition(other, AND)

    def __or__(self, other: Any) -> Any:
        return self._condition(other, OR)

    def __xor__(self, other: Any) -> Any:
        return self._condition(other, XOR)

    def __rand__(self, other: Any) -> Any:
        return self._condition(other, AND)

    def __ror__(self, other: Any) -> Any:
        return self._condition(other, OR)

    def __rxor__(self, other: Any) -> Any:
        return self._condition(other, XOR)

    def __invert__(self) -> Any:
        return NegatedExpression(self)


class ConditionHook:
    """Where the module of conditions says how two conditional expressions are joined."""

    combine: Callable[[Any, Any, str], Any]


CONDITION_HOOK = ConditionHook()


class Expression(Combinable):
    """The base of all expressions.

    A subclass names its operands in `operands`: attributes that hold an expression, None, or a
    list of expressions.  All its other attributes are options and part of its shape.
    """

    operands: ClassVar[tuple[str, ...]] = ()
    filterable: bool = True
    window_compatible: bool = False
    allows_composite_expressions: bool = False
    constraint_validation_compatible: bool = True
    empty_result_set_value: Any = None
    set_returning: bool = False
    allowed_default: bool = False
    is_summary: bool = False
    _output_field: Any = None
    _shape: Hashable | None = None

    def __init__(self, output_field: Any = None) -> None:
        if output_field is not None:
            self._output_field = output_field

    # --- the tree ----------------------------------

    def get_source_expressions(self) -> list[Any]:
        """The operands in order; None where one is absent."""
        found: list[Any] = []
        for name in self.operands:
            value = getattr(self, name)
            if isinstance(value, list | tuple):
                found.extend(value)
            else:
                found.append(value)
        return found

    def set_source_expressions(self, expressions: Sequence[Any]) -> None:
        """Put operands in the place of those that `get_source_expressions` gives."""
        rest = list(expressions)
        for name in self.operands:
            value = getattr(self, name)
            if isinstance(value, list | tuple):
                count = len(value)
                setattr(self, name, type(value)(rest[:count]))
                del rest[:count]
            else:
                setattr(self, name, rest.pop(0))

    def copy(self) -> Any:
        clone = copy.copy(self)
        clone.__dict__.pop("_shape", None)
        clone.__dict__.pop("_output_found", None)
        return clone

    def mapped(self, change: Callable[[Any], Any]) -> Any:
        """A copy whose operands are `change(operand)`; itself where none changed."""
        sources = self.get_source_expressions()
        changed = [None if source is None else change(source) for source in sources]
        if all(a is b for a, b in zip(sources, changed, strict=True)):
            return self
        clone = self.copy()
        clone.set_source_expressions(changed)
        return clone

    def walk(self) -> Iterator[Any]:
        """This expression and all below it."""
        yield self
        for source in self.get_source_expressions():
            if source is not None:
                yield from source.walk()

    flatten = walk

    # --- shape and values ----------------------------------

    @property
    def shape(self) -> Hashable:
        found = self._shape
        if found is None:
            found = self._shape = self._make_shape()
        return found

    def _make_shape(self) -> Hashable:
        options = tuple(
            (name, freeze(value))
            for name, value in self.__dict__.items()
            if name not in self.operands and name not in ("_shape", "_output_found")
        )
        sources = self.get_source_expressions()
        return (type(self), options, tuple(s if s is None else s.shape for s in sources))

    def collect(self, values: list[Any]) -> None:
        """Append the values of this tree."""
        for source in self.get_source_expressions():
            if source is not None:
                source.collect(values)

    @property
    def values_(self) -> tuple[Any, ...]:
        values: list[Any] = []
        self.collect(values)
        return tuple(values)

    def parametrised(self, slots: Slots) -> Any:
        """This tree with parameters in the place of values."""
        return self.mapped(lambda source: source.parametrised(slots))

    def shifted(self, offset: int) -> Any:
        """This resolved tree for a list of values that starts `offset` places earlier."""
        return self.mapped(lambda source: source.shifted(offset))

    @property
    def identity(self) -> Hashable:
        return (self.shape, _comparable(self.values_))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Expression):
            return NotImplemented
        return self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    # --- resolving ----------------------------------

    def resolve(self, scope: Any) -> Any:
        """This tree with columns in the place of names.

        Raises FieldError where a name is none of the query's.
        """
        resolved = self.mapped(lambda source: source.resolve(scope))
        if resolved is self:
            resolved = self.copy()
        if scope.summarize:
            resolved.is_summary = True
        return resolved

    def relabeled(self, aliases: dict[str, str]) -> Any:
        """This resolved tree over tables of other aliases."""
        return self.mapped(lambda source: source.relabeled(aliases))

    def prefixed(self, prefix: str) -> Any:
        """This unresolved tree with every name below a relation."""
        return self.mapped(lambda source: source.prefixed(prefix))

    def replaced(self, replacements: dict[Any, Any]) -> Any:
        """A copy in which some expressions stand in the place of others."""
        if self in replacements:
            return replacements[self]
        return self.mapped(lambda source: source.replaced(replacements))

    replace_expressions = replaced

    def without_output_check(self) -> Any:
        return self

    # --- what it is ----------------------------------

    @property
    def contains_aggregate(self) -> bool:
        return any(s is not None and s.contains_aggregate for s in self.get_source_expressions())

    @property
    def contains_over_clause(self) -> bool:
        return any(s is not None and s.contains_over_clause for s in self.get_source_expressions())

    @property
    def contains_column_references(self) -> bool:
        return any(
            s is not None and s.contains_column_references for s in self.get_source_expressions()
        )

    @property
    def contains_subquery(self) -> bool:
        return any(s is not None and s.contains_subquery for s in self.get_source_expressions())

    @property
    def conditional(self) -> bool:  # type: ignore[override]
        field = self._output_field_or_none
        return field is not None and field.get_internal_type() == "BooleanField"

    @property
    def output_field(self) -> Any:
        """The field that says what kind of value this gives; FieldError where it is unknown."""
        found = self.__dict__.get("_output_found")
        if found is None:
            found = self._output_field
            if found is None:
                found = self._resolve_output_field()
            if found is None:
                raise FieldError(
                    f"the type of {type(self).__name__} is not known; name it: output_field=..."
                )
            self.__dict__["_output_found"] = found
        return found

    @property
    def field(self) -> Any:
        return self.output_field

    @property
    def _output_field_or_none(self) -> Any:
        try:
            return self.output_field
        except FieldError:
            return None
        except AttributeError:
            return None  # names that are not resolved have no type

    def _resolve_output_field(self) -> Any:
        """The field of the operands, when these agree."""
        fields = [f for f in self.get_source_fields() if f is not None]
        if not fields:
            return None
        first = fields[0]
        for other in fields[1:]:
            if not isinstance(first, type(other)):
                raise FieldError(
                    f"{type(self).__name__} has operands of the types {type(first).__name__} and"
                    f" {type(other).__name__}: the expression contains mixed types: "
                    f"{type(first).__name__}, {type(other).__name__}. You must set output_field."
                )
        return first

    def get_source_fields(self) -> list[Any]:
        return [s._output_field_or_none for s in self.get_source_expressions() if s is not None]

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        field = self._output_field_or_none
        if hasattr(field, "select_format"):
            return field.select_format(compiler, sql, params)  # type: ignore[no-any-return]
        return sql, params

    def get_lookup(self, name: str) -> Any:
        return self.output_field.get_lookup(name)

    def get_transform(self, name: str) -> Any:
        return self.output_field.get_transform(name)

    def get_group_by_cols(self) -> list[Any]:
        """What GROUP BY must name so that this can be selected."""
        if not self.contains_aggregate:
            return [self]
        return [
            column
            for source in self.get_source_expressions()
            if source is not None
            for column in source.get_group_by_cols()
        ]

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> tuple[str, list[Any]]:
        """The text with `%s` for each parameter, and the parameters."""
        return compiler.render_standard(self, **options)  # type: ignore[no-any-return]

    # --- ordering ----------------------------------

    def asc(self, **options: Any) -> OrderBy:
        return OrderBy(self, **options)

    def desc(self, **options: Any) -> OrderBy:
        return OrderBy(self, descending=True, **options)

    def reverse_ordering(self) -> Any:
        return self

    def __repr__(self) -> str:
        sources = ", ".join(map(repr, self.get_source_expressions()))
        return f"{type(self).__name__}({sources})"

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state.pop("_shape", None)
        state.pop("_output_found", None)
        return state


BaseExpression = Expression


def _comparable(values: tuple[Any, ...]) -> Hashable:
    try:
        hash(values)
    except TypeError:
        return repr(values)
    return tuple((type(value), value) for value in values)


def expression_of(value: Any) -> Any:
    """An operand: an expression as it is, a text as the name of a field, else a value."""
    if hasattr(value, "parametrised"):
        return value
    if hasattr(value, "as_subquery"):
        return Subquery(value)
    return F(value) if isinstance(value, str) else Value(value)


def value_or_expression(value: Any) -> Any:
    if hasattr(value, "parametrised"):
        return value
    if hasattr(value, "as_subquery"):
        return Subquery(value)
    return Value(value)


# --- leaves ----------------------------------------


class F(Combinable):
    """The value of a field, an annotation, or a field behind relations (`author__name`)."""

    allowed_default = False

    def __init__(self, name: Any) -> None:
        self.name: Any = name

    @property
    def shape(self) -> Hashable:
        return (type(self), self.name)

    def collect(self, values: list[Any]) -> None:
        pass

    def parametrised(self, slots: Slots) -> F:
        return self

    def shifted(self, offset: int) -> F:
        return self

    def resolve(self, scope: Any) -> Any:
        return scope.ref(self.name)

    def prefixed(self, prefix: str) -> F:
        return F(f"{prefix}{self.name}")

    def replaced(self, replacements: dict[Any, Any]) -> Any:
        return replacements.get(self, self)

    replace_expressions = replaced

    def walk(self) -> Iterator[Any]:
        yield self

    flatten = walk

    def get_source_expressions(self) -> list[Any]:
        return []

    @property
    def contains_aggregate(self) -> bool:
        return False

    contains_over_clause = contains_aggregate
    contains_subquery = contains_aggregate
    _output_field_or_none = None

    def asc(self, **options: Any) -> OrderBy:
        return OrderBy(self, **options)

    def desc(self, **options: Any) -> OrderBy:
        return OrderBy(self, descending=True, **options)

    def copy(self) -> Any:
        return copy.copy(self)

    def __getitem__(self, key: Any) -> Any:
        return Sliced(self, key)

    def __contains__(self, other: object) -> bool:
        raise QueryTypeError(f"argument of type {type(self).__name__!r} is not iterable")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"


ExpressionHolder.expression_maker = F


class Sliced(F):
    """Some characters of a text field: `F("name")[:3]`."""

    def __init__(self, source: F, key: Any) -> None:
        super().__init__(source.name)
        self.source = source
        if isinstance(key, int):
            if key < 0:
                raise QueryValueError("Negative indexing is not supported.")
            self.start: int = key + 1
            self.length: int | None = 1
        elif isinstance(key, slice):
            if (key.start is not None and key.start < 0) or (key.stop is not None and key.stop < 0):
                raise QueryValueError("Negative indexing is not supported.")
            if key.step is not None:
                raise QueryValueError("Step argument is not supported.")
            if key.stop is not None and key.start is not None and key.stop < key.start:
                raise QueryValueError("Slice stop must be greater than slice start.")
            self.start = 1 if key.start is None else key.start + 1
            self.length = None if key.stop is None else key.stop - (key.start or 0)
        else:
            raise QueryTypeError("Argument to slice must be either int or slice instance.")

    @property
    def shape(self) -> Hashable:
        return (Sliced, self.source.shape, self.start, self.length)

    def resolve(self, scope: Any) -> Any:
        return sliced(self.source.resolve(scope), self.start, self.length)

    def __repr__(self) -> str:
        stop = None if self.length is None else self.start - 1 + self.length
        return f"{type(self).__name__}({self.source!r}, slice({self.start - 1}, {stop}))"


def sliced(source: Any, start: int, length: int | None) -> Any:
    """Some characters of a resolved operand; NotSupportedError where it has none."""
    if isinstance(source, ResolvedOuterRef):
        return ResolvedOuterSlice(source, start, length)
    cut = getattr(source.output_field, "slice_expression", None)
    if cut is None:
        raise NotSupportedError("This field does not support slicing.")
    return cut(source, start, length)


class OuterRef(F):
    """A field of the query around a subquery."""

    contains_aggregate = False

    @property
    def shape(self) -> Hashable:
        name = self.name
        return (type(self), name.shape if isinstance(name, F) else name)

    def resolve(self, scope: Any) -> Any:
        if isinstance(self.name, F):
            return self.name
        return ResolvedOuterRef(self.name)

    def prefixed(self, prefix: str) -> F:
        return self

    def relabeled(self, aliases: dict[str, str]) -> Any:
        return self


class ResolvedOuterRef(F):
    """An `OuterRef` inside the subquery, until the query around resolves it."""

    conditional = False
    contains_aggregate = False
    contains_over_clause = False
    contains_column_references = True
    is_summary = False

    @property
    def shape(self) -> Hashable:
        return (ResolvedOuterRef, self.name)

    def resolve(self, scope: Any) -> Any:
        column = super().resolve(scope)
        if column.contains_over_clause:
            raise aggregate_error(
                f"Referencing outer query window expression is not supported: {self.name}."
            )
        return column

    def relabeled(self, aliases: dict[str, str]) -> Any:
        return self

    def get_group_by_cols(self) -> list[Any]:
        return []

    @property
    def output_field(self) -> Any:
        raise FieldError(f"the type of OuterRef({self.name!r}) is known to the outer query alone")


class ResolvedOuterSlice(ResolvedOuterRef):
    """Some characters of an `OuterRef`, until the query around resolves it."""

    def __init__(self, source: ResolvedOuterRef, start: int, length: int | None) -> None:
        super().__init__(source.name)
        self.source, self.start, self.length = source, start, length

    @property
    def shape(self) -> Hashable:
        return (ResolvedOuterSlice, self.source.shape, self.start, self.length)

    def resolve(self, scope: Any) -> Any:
        return sliced(self.source.resolve(scope), self.start, self.length)


def aggregate_error(text: str) -> FieldError:
    return FieldError(text)


_FIELD_OF_TYPE: dict[type, Callable[[], Any]] = {
    bool: various.BooleanField,
    str: text.CharField,
    int: numbers.IntegerField,
    float: numbers.FloatField,
    datetime.datetime: dates.DateTimeField,
    datetime.date: dates.DateField,
    datetime.time: dates.TimeField,
    datetime.timedelta: dates.DurationField,
    decimal.Decimal: numbers.DecimalField,
    bytes: various.BinaryField,
    bytearray: various.BinaryField,
    memoryview: various.BinaryField,
    uuid.UUID: various.UUIDField,
}
_FIELD_INSTANCES: dict[type, Any] = {}


def field_for_type(kind: type) -> Any:
    """The field that stands for values of this Python type, or None."""
    found = _FIELD_INSTANCES.get(kind)
    if found is None:
        for base in kind.__mro__:
            if base in _FIELD_OF_TYPE:
                found = _FIELD_INSTANCES[kind] = _FIELD_OF_TYPE[base]()
                break
    return found


def int_kind(value: int) -> Hashable:
    """The size class of an int, for the type of its parameter."""
    if -INT4 <= value < INT4:
        return int
    return (int, 8) if -INT8 <= value < INT8 else (int, 0)


class Value(Expression):
    """A Python value; it is bound as a parameter, never written into SQL."""

    allowed_default = True
    for_save = False

    def __init__(self, value: Any, output_field: Any = None) -> None:
        super().__init__(output_field)
        self.value = normalised(value)

    def _make_shape(self) -> Hashable:
        value = self.value
        kind: Any = type(value)
        if kind is int:
            kind = int_kind(value)
        elif value is None or kind is bool:
            kind = (value,)
        elif kind in (list, tuple):
            kind = (kind, len(value))
        return (type(self), kind, field_key(self._output_field))

    def collect(self, values: list[Any]) -> None:
        values.append(self.value)

    def parametrised(self, slots: Slots) -> Any:
        return Param(slots.take(), self._output_field, self.shape[1], self.value)  # type: ignore[index]

    def resolve(self, scope: Any) -> Any:
        raise AssertionError("a value is parametrised before it is resolved")

    def prefixed(self, prefix: str) -> Any:
        return self

    def _resolve_output_field(self) -> Any:
        return field_for_type(type(self.value))

    @property
    def empty_result_set_value(self) -> Any:
        return self.value

    def get_group_by_cols(self) -> list[Any]:
        return []

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"


class Param(Expression):
    """The place of one value: the number of its slot, and what kind of value is expected.

    `item` is a place inside a value that is a list.  A `typed` parameter stands where the
    database cannot tell its type (`SELECT $1`), so that dialects which need a cast write one.
    """

    def __init__(
        self,
        slot: int,
        output_field: Any = None,
        kind: Hashable = None,
        sample: Any = None,
        *,
        item: int | None = None,
        typed: bool = True,
        for_save: bool = False,
    ) -> None:
        self.slot = slot
        self.kind = kind
        self.item = item
        self.typed = typed
        self.for_save = for_save
        # What a NULL result of an empty subquery would be; constants only (None, bool).
        self.constant = sample if sample is None or isinstance(sample, bool) else ...
        if output_field is not None:
            self._output_field = output_field

    def _make_shape(self) -> Hashable:
        return (Param, self.slot, self.item, self.kind, self.typed, field_key(self._output_field))

    def resolve(self, scope: Any) -> Any:
        if scope.for_save and not self.for_save:
            clone = self.copy()
            clone.for_save = True
            return clone
        return self

    def parametrised(self, slots: Slots) -> Any:
        return self

    def shifted(self, offset: int) -> Any:
        clone = self.copy()
        clone.slot += offset
        return clone

    def relabeled(self, aliases: dict[str, str]) -> Any:
        return self

    def replaced(self, replacements: dict[Any, Any]) -> Any:
        return self

    def prefixed(self, prefix: str) -> Any:
        return self

    def _resolve_output_field(self) -> Any:
        kind = self.kind
        if isinstance(kind, tuple):
            kind = type(kind[0]) if not isinstance(kind[0], type) else kind[0]
        return field_for_type(kind) if isinstance(kind, type) else None

    def get_group_by_cols(self) -> list[Any]:
        return []

    def __repr__(self) -> str:
        return f"Param({self.slot})"


class Col(Expression):
    """A column of a table of the query."""

    contains_column_references = True
    possibly_multivalued = False

    def __init__(self, alias: str | None, target: Any, output_field: Any = None) -> None:
        self.alias = alias
        self.target = target
        self._output_field = target if output_field is None else output_field

    def _make_shape(self) -> Hashable:
        return (Col, self.alias, self.target, field_key(self._output_field))

    @property
    def output_field(self) -> Any:
        return self._output_field

    def resolve(self, scope: Any) -> Any:
        return self

    def parametrised(self, slots: Slots) -> Any:
        return self

    def shifted(self, offset: int) -> Any:
        return self

    def relabeled(self, aliases: dict[str, str]) -> Any:
        if self.alias in aliases:
            clone = self.copy()
            clone.alias = aliases[self.alias]
            return clone
        return self

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def __repr__(self) -> str:
        return f"Col({self.alias}, {self.target})"


class Ref(Expression):
    """An annotation of the same query by its name, where SQL can use the name."""

    operands = ("source",)

    def __init__(self, name: str, source: Any) -> None:
        self.name = name
        self.source = source

    @property
    def output_field(self) -> Any:
        return self.source.output_field

    def resolve(self, scope: Any) -> Any:
        return self

    def relabeled(self, aliases: dict[str, str]) -> Any:
        clone = self.copy()
        clone.source = self.source.relabeled(aliases)
        return clone

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def __repr__(self) -> str:
        return f"Ref({self.name}, {self.source!r})"


class Star(Expression):
    """`*`"""

    def __repr__(self) -> str:
        return "'*'"


class DatabaseDefault(Expression):
    """The DEFAULT of a column, where a row is written."""

    operands = ("expression",)

    def __init__(self, expression: Any, output_field: Any = None) -> None:
        super().__init__(output_field)
        self.expression = expression


# --- functions ----------------------------------------


class Func(Expression):
    """A call of a database function.

    Subclasses set `function`, or a `template` over `%(function)s` and `%(expressions)s`;
    `arity` bounds the number of arguments, `arg_joiner` separates them.
    """

    operands = ("source_expressions",)
    function: str | None = None
    template: str = "%(function)s(%(expressions)s)"
    arg_joiner: str = ", "
    arity: int | None = None

    def __init__(self, *expressions: Any, output_field: Any = None, **extra: Any) -> None:
        if self.arity is not None and len(expressions) != self.arity:
            noun = "argument" if self.arity == 1 else "arguments"
            raise QueryTypeError(
                f"{type(self).__name__!r} takes exactly {self.arity} {noun}"
                f" ({len(expressions)} given)"
            )
        super().__init__(output_field)
        self.source_expressions = [expression_of(e) for e in expressions]
        self.extra = extra

    def get_source_expressions(self) -> list[Any]:
        return self.source_expressions

    def set_source_expressions(self, expressions: Sequence[Any]) -> None:
        self.source_expressions = list(expressions)

    def copy(self) -> Any:
        clone = super().copy()
        clone.source_expressions = self.source_expressions[:]
        clone.extra = dict(self.extra)
        return clone

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return all(getattr(s, "allowed_default", False) for s in self.source_expressions)

    def __repr__(self) -> str:
        arguments = self.arg_joiner.join(map(str, self.source_expressions))
        extra = "".join(f", {key}={value}" for key, value in sorted(self.extra.items()))
        return f"{type(self).__name__}({arguments}{extra})"


class Transform(RegisterLookupMixin, Func):
    """A function of one argument that can stand in the name of a lookup."""

    lookup_name: str | None = None
    bilateral = False
    arity = 1

    @property
    def lhs(self) -> Any:
        return self.get_source_expressions()[0]

    def get_bilateral_transforms(self) -> list[Any]:
        inner = self.lhs
        found = (
            inner.get_bilateral_transforms() if hasattr(inner, "get_bilateral_transforms") else []
        )
        if self.bilateral:
            found.append(type(self))
        return found

    def get_lookup(self, name: str) -> Any:
        return self._get_own("get_lookup", name)

    def get_transform(self, name: str) -> Any:
        return self._get_own("get_transform", name)

    def _get_own(self, method: str, name: str) -> Any:
        found = getattr(RegisterLookupMixin, method)(self, name)
        if found is None and self._output_field_or_none is not None:
            return getattr(self.output_field, method)(name)
        return found


class ExpressionList(Func):
    """Expressions side by side, as in ORDER BY of an aggregate or PARTITION BY."""

    template = "%(expressions)s"

    def __init__(self, *expressions: Any, **extra: Any) -> None:
        if not expressions:
            raise QueryValueError(f"{type(self).__name__} requires at least one expression.")
        super().__init__(*expressions, **extra)


class OrderByList(ExpressionList):
    """The terms of an ORDER BY inside an expression."""

    template = "ORDER BY %(expressions)s"

    def __init__(self, *expressions: Any, **extra: Any) -> None:
        super().__init__(*map(order_term, expressions), **extra)

    @classmethod
    def from_param(cls, context: str, param: Any) -> OrderByList | None:
        if param is None:
            return None
        if isinstance(param, list | tuple):
            return cls(*param) if param else None
        if isinstance(param, str) or hasattr(param, "parametrised"):
            return cls(param)
        raise QueryValueError(
            f"{context} must be either a string reference to a field, an expression,"
            " or a list or tuple of them."
        )


class ExpressionWrapper(Expression):
    """An expression with another output field."""

    operands = ("expression",)

    def __init__(self, expression: Any, output_field: Any) -> None:
        super().__init__(output_field)
        self.expression = expression

    def get_group_by_cols(self) -> list[Any]:
        if isinstance(self.expression, Expression):
            inner = self.expression.copy()
            inner._output_field = self._output_field
            return inner.get_group_by_cols()  # type: ignore[no-any-return]
        return super().get_group_by_cols()

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return bool(getattr(self.expression, "allowed_default", False))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.expression!r})"


class NegatedExpression(ExpressionWrapper):
    """NOT of a conditional expression."""

    def resolve(self, scope: Any) -> Any:
        resolved = super().resolve(scope)
        if not getattr(resolved.expression, "conditional", False):
            raise QueryTypeError("Cannot negate non-conditional expressions.")
        return resolved

    def __init__(self, expression: Any) -> None:
        super().__init__(expression, various.BooleanField())

    def __invert__(self) -> Any:
        return self.expression

    @property
    def conditional(self) -> bool:  # type: ignore[override]
        return True

    def __repr__(self) -> str:
        return f"~{self.expression!r}"


class CombinedExpression(Expression):
    """Two operands with an operator between them."""

    operands = ("lhs", "rhs")

    def __init__(self, lhs: Any, connector: str, rhs: Any, output_field: Any = None) -> None:
        super().__init__(output_field)
        self.connector = connector
        self.lhs = lhs
        self.rhs = rhs

    def _make_shape(self) -> Hashable:
        return (
            type(self),
            self.connector,
            self.lhs.shape,
            self.rhs.shape,
            field_key(self._output_field),
        )

    def resolve(self, scope: Any) -> Any:
        resolved = super().resolve(scope)
        if type(self) is CombinedExpression:
            return resolved._specialised()
        return resolved

    def _specialised(self) -> Any:
        """A form of its own for arithmetic with dates and durations."""
        left, right = _kind(self.lhs), _kind(self.rhs)
        if self.connector == self.SUB and left in TEMPORAL and left == right:
            return TemporalSubtraction(self.lhs, self.rhs)
        if "DurationField" in (left, right) and left != right:
            return DurationExpression(self.lhs, self.connector, self.rhs, self._output_field)
        return self

    def _resolve_output_field(self) -> Any:
        return combined_field(
            self.connector, self.lhs._output_field_or_none, self.rhs._output_field_or_none
        )

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return bool(
            getattr(self.lhs, "allowed_default", False)
            and getattr(self.rhs, "allowed_default", False)
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def __str__(self) -> str:
        return f"{self.lhs} {self.connector} {self.rhs}"


class DurationExpression(CombinedExpression):
    """Arithmetic in which one side is a duration."""


class TemporalSubtraction(CombinedExpression):
    """The time between two dates, times or moments."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        super().__init__(lhs, self.SUB, rhs, output_field=dates.DurationField())

    def copy(self) -> Any:
        clone = super().copy()
        clone._output_field = self._output_field
        return clone


TEMPORAL = frozenset({"DateField", "DateTimeField", "TimeField"})


def _kind(expression: Any) -> str | None:
    field = expression._output_field_or_none
    return None if field is None else field.get_internal_type()


_INTEGERS, _FLOATS, _DECIMALS = "int", "float", "decimal"


def _number(field: Any) -> str | None:
    if isinstance(field, numbers.IntegerField):
        return _INTEGERS
    if isinstance(field, numbers.FloatField):
        return _FLOATS
    return _DECIMALS if isinstance(field, numbers.DecimalField) else None


_NUMBERS: dict[frozenset[str], Callable[[], Any]] = {
    frozenset({_INTEGERS}): numbers.IntegerField,
    frozenset({_FLOATS}): numbers.FloatField,
    frozenset({_DECIMALS}): numbers.DecimalField,
    frozenset({_INTEGERS, _FLOATS}): numbers.FloatField,
    frozenset({_INTEGERS, _DECIMALS}): numbers.DecimalField,
}
_TEMPORAL_RESULTS: dict[tuple[str, str, str], Callable[[], Any]] = {
    ("+", "DateField", "DurationField"): dates.DateTimeField,
    ("+", "DateTimeField", "DurationField"): dates.DateTimeField,
    ("+", "TimeField", "DurationField"): dates.TimeField,
    ("+", "DurationField", "DurationField"): dates.DurationField,
    ("+", "DurationField", "DateField"): dates.DateTimeField,
    ("+", "DurationField", "DateTimeField"): dates.DateTimeField,
    ("+", "DurationField", "TimeField"): dates.TimeField,
    ("-", "DateField", "DurationField"): dates.DateTimeField,
    ("-", "DateTimeField", "DurationField"): dates.DateTimeField,
    ("-", "TimeField", "DurationField"): dates.TimeField,
    ("-", "DurationField", "DurationField"): dates.DurationField,
    ("-", "DateField", "DateField"): dates.DurationField,
    ("-", "DateTimeField", "DateTimeField"): dates.DurationField,
    ("-", "TimeField", "TimeField"): dates.DurationField,
}
_BIT_OPERATORS = frozenset({"&", "|", "<<", ">>", "#"})


def combined_field(connector: str, left: Any, right: Any) -> Any:
    """The type of `left connector right`; FieldError where there is no rule."""
    if left is None or right is None:
        if connector in _BIT_OPERATORS or connector == "%%":
            return left or right
        if (left is None) != (right is None) and _number(left or right):
            # The other operand is NULL: the result has this operand's kind.
            return left or right
    a, b = _number(left), _number(right)
    if a and b:
        made = _NUMBERS.get(frozenset({a, b}))
        if made is not None and not (
            connector in _BIT_OPERATORS and made is not numbers.IntegerField
        ):
            return made()
    elif left is not None and right is not None:
        made = _TEMPORAL_RESULTS.get(
            (connector, left.get_internal_type(), right.get_internal_type())
        )
        if made is not None:
            return made()
    names = (type(left).__name__, type(right).__name__)
    raise FieldError(
        f"Cannot infer type of {connector!r} expression involving these types: {names[0]},"
        f" {names[1]}. You must set output_field."
    )


# --- conditions in expressions ----------------------------------------


class When(Expression):
    """One branch of a `Case`: `When(condition, then=...)` or `When(field=value, then=...)`."""

    operands = ("condition", "result")

    def __init__(self, condition: Any = None, then: Any = None, **lookups: Any) -> None:
        condition = CONDITION_HOOK.combine(condition, lookups, "WHEN")
        super().__init__()
        self.condition = condition
        self.result = expression_of(then)

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return all(each.allowed_default for each in self.get_source_expressions())

    def get_source_fields(self) -> list[Any]:
        return [self.result._output_field_or_none]

    def get_group_by_cols(self) -> list[Any]:
        # A branch alone is nothing that rows can be grouped by.
        return self.condition.get_group_by_cols() + self.result.get_group_by_cols()  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return f"WHEN {self.condition!r} THEN {self.result!r}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


class Case(Expression):
    """The result of the first `When` that holds, else `default`."""

    operands = ("cases", "default")

    def __init__(
        self, *cases: Any, default: Any = None, output_field: Any = None, **extra: Any
    ) -> None:
        if not all(isinstance(case, When) for case in cases):
            raise QueryTypeError("Positional arguments must all be When objects.")
        super().__init__(output_field)
        self.cases = list(cases)
        self.default = expression_of(default)
        self.extra = extra

    def get_group_by_cols(self) -> list[Any]:
        if not self.cases:
            return self.default.get_group_by_cols()  # type: ignore[no-any-return]
        return super().get_group_by_cols()

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return all(each.allowed_default for each in self.get_source_expressions())

    def __str__(self) -> str:
        cases = ", ".join(map(str, self.cases))
        return f"CASE {cases}, ELSE {self.default!r}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


# --- subqueries ----------------------------------------


class QueryNode(Expression):
    """A query as an operand; its values start at `base` among those of the query around."""

    contains_subquery = True

    def __init__(self, query: Any, base: int = 0) -> None:
        self.query = query
        self.base = base

    def _make_shape(self) -> Hashable:
        return (QueryNode, self.query, self.base)

    @property
    def output_field(self) -> Any:
        return self.query.output_field

    def parametrised(self, slots: Slots) -> Any:
        return self

    def resolve(self, scope: Any) -> Any:
        clone = self.copy()
        clone.query = self.query.resolved_inside(scope, self.base)
        return clone

    def shifted(self, offset: int) -> Any:
        clone = self.copy()
        clone.base += offset
        return clone

    def relabeled(self, aliases: dict[str, str]) -> Any:
        clone = self.copy()
        clone.query = self.query.outer_relabeled(aliases)
        return clone

    def prefixed(self, prefix: str) -> Any:
        return self

    @property
    def contains_aggregate(self) -> bool:
        return False

    @property
    def contains_over_clause(self) -> bool:
        return False

    def get_group_by_cols(self) -> list[Any]:
        return self.query.outer_columns() or [self]

    def get_lookup(self, name: str) -> Any:
        return self.output_field.get_lookup(name)

    def __repr__(self) -> str:
        return f"QueryNode({self.query!r})"


class Subquery(Expression):
    """A query set as a value: its first column, of at most one row."""

    operands = ("source",)
    template = "(%(subquery)s)"
    contains_aggregate = False
    empty_result_set_value: Any = None

    def __init__(self, queryset: Any, output_field: Any = None, **extra: Any) -> None:
        super().__init__(output_field)
        self.source: Any = None
        self._bind(queryset)
        self.extra = extra

    def _bind(self, queryset: Any) -> None:
        if isinstance(queryset, QueryNode):
            self.source, self.inner_values = queryset, ()
            return
        query, values = queryset.as_subquery()
        self.source = QueryNode(query)
        self.inner_values = values

    @property
    def query(self) -> Any:
        return self.source.query

    def _make_shape(self) -> Hashable:
        options = {**self.__dict__, "template": self.template}
        for name in ("source", "inner_values", "_shape", "_output_found"):
            options.pop(name, None)
        return (type(self), self.source.shape, freeze(options))

    def collect(self, values: list[Any]) -> None:
        values.extend(self.inner_values)

    def parametrised(self, slots: Slots) -> Any:
        clone = self.copy()
        clone.source = QueryNode(self.source.query, slots.take(len(self.inner_values)))
        clone.inner_values = ()
        return clone

    def _resolve_output_field(self) -> Any:
        return self.source.query.output_field

    def get_group_by_cols(self) -> list[Any]:
        outer = self.query.outer_columns()
        if any(column.possibly_multivalued for column in outer):
            return [self]
        return outer or [self]

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__()


class Exists(Subquery):
    """Whether a query set has any row."""

    template = "EXISTS(%(subquery)s)"
    empty_result_set_value = False

    def __init__(self, queryset: Any, **extra: Any) -> None:
        super().__init__(queryset, output_field=various.BooleanField(), **extra)

    @property
    def conditional(self) -> bool:  # type: ignore[override]
        return True


# --- the rest ----------------------------------------


class RawSQL(Expression):
    """Text of SQL with `%s` for its values; the text is the caller's responsibility."""

    allowed_default = True

    def __init__(self, sql: str, params: Sequence[Any] = (), output_field: Any = None) -> None:
        super().__init__(output_field)
        self.sql = sql
        self.params = list(params)

    def _make_shape(self) -> Hashable:
        kinds = tuple(Value(p).shape if not hasattr(p, "slot") else p.shape for p in self.params)
        return (type(self), self.sql, kinds, field_key(self._output_field))

    def collect(self, values: list[Any]) -> None:
        values.extend(p for p in self.params if not isinstance(p, Param))

    def parametrised(self, slots: Slots) -> Any:
        clone = self.copy()
        clone.params = [
            p if isinstance(p, Param) else Value(p).parametrised(slots) for p in self.params
        ]
        return clone

    def shifted(self, offset: int) -> Any:
        clone = self.copy()
        clone.params = [p.shifted(offset) for p in self.params]
        return clone

    def _resolve_output_field(self) -> Any:
        return base.Field()

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.sql}, {self.params})"


class OrderBy(Expression):
    """A term of ORDER BY with its direction and the place of NULL."""

    operands = ("expression",)
    constraint_validation_compatible = False

    def __init__(
        self,
        expression: Any,
        descending: bool = False,
        nulls_first: bool | None = None,
        nulls_last: bool | None = None,
    ) -> None:
        if nulls_first and nulls_last:
            raise QueryValueError("nulls_first and nulls_last are mutually exclusive")
        if nulls_first is False or nulls_last is False:
            raise QueryValueError("nulls_first and nulls_last values must be True or None.")
        if not hasattr(expression, "parametrised"):
            raise QueryValueError("expression must be an expression type")
        self.nulls_first = nulls_first
        self.nulls_last = nulls_last
        self.descending = descending
        self.expression = expression

    def _resolve_output_field(self) -> Any:
        return self.expression.output_field

    def reverse_ordering(self) -> Any:
        clone = self.copy()
        clone.descending = not self.descending
        if self.nulls_first:
            clone.nulls_last, clone.nulls_first = True, None
        elif self.nulls_last:
            clone.nulls_first, clone.nulls_last = True, None
        return clone

    def asc(self, **options: Any) -> OrderBy:
        clone: OrderBy = self.copy()
        clone.descending = False
        return clone

    def desc(self, **options: Any) -> OrderBy:
        clone: OrderBy = self.copy()
        clone.descending = True
        return clone

    def get_group_by_cols(self) -> list[Any]:
        return self.expression.get_group_by_cols()  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.expression!r}, descending={self.descending})"


def order_term(value: Any) -> Any:
    """A term of an ordering: `"-name"`, an expression, or an `OrderBy`."""
    if isinstance(value, str):
        if value.startswith("-"):
            return OrderBy(F(value[1:]), descending=True)
        return OrderBy(F(value.removeprefix("+")))
    return value
