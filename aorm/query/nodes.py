"""The base of all expressions: trees with a shape, values, and a way to be resolved.

1. Users build them; `parametrised` gives a copy in which every value is a `Param` with the
   number of its slot, and `resolve` a copy in which names are columns.  Resolved trees are what
   a `Query` keeps and what the compiler renders.
2. `shape` is all of a tree but its values, `collect` appends the values in the order in which
   `parametrised` numbers them; `keyed` does both at once, which is what a query's second use costs.
3. An expression is never changed after it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, ClassVar

from aorm.errors import FieldError, OutputFieldIsNoneError, QueryValueError
from aorm.query.shapes import SIMPLE, freeze

AND, OR, XOR = "AND", "OR", "XOR"
INT4, INT8 = 2**31, 2**63


class Slots:
    """Numbers the values of a tree, and remembers them while the tree is resolved."""

    __slots__ = ("arguments", "database", "first", "next")

    def __init__(self, first: int) -> None:
        self.first = self.next = first
        self.arguments: list[Any] = []
        #: The alias of the database that a query among the values was meant for.
        self.database: str | None = None

    def bind(self, database: str | None) -> None:
        """Note that a query among the values was meant for this database."""
        self.database = database or self.database

    def take(self, count: int = 1) -> int:
        first = self.next
        self.next += count
        return first


#: Attributes of an instance that say nothing about what it is.
INCIDENTAL = frozenset({"_shape", "_output_found", "_made_with", "_queryset"})


class Computed:
    """A property that a class, or an instance, may replace by a plain value."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else self.function(instance)


_APART = frozenset({"_make_shape", "collect", "shape"})


def _is_keyed_at_once(cls: type) -> bool:
    """Whether a class says no more about its shape and values than its `keyed` does."""
    for each in cls.__mro__:
        if "keyed" in each.__dict__:
            return True
        if not _APART.isdisjoint(each.__dict__):
            return False
    return True


class Combinable:
    """What arithmetic works on."""

    ADD, SUB, MUL, DIV, POW, MOD = "+", "-", "*", "/", "^", "%%"
    BITAND, BITOR, BITLEFTSHIFT, BITRIGHTSHIFT, BITXOR = "&", "|", "<<", ">>", "#"

    conditional: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        """A class that says apart what its shape or its values are is asked for these apart."""
        super().__init_subclass__(**options)
        if not _is_keyed_at_once(cls):
            cls.keyed = Combinable.keyed  # type: ignore[method-assign]

    @property
    def shape(self) -> Hashable:
        """All that it is, but its values."""
        return (type(self),)

    def collect(self, values: list[Any]) -> None:
        """Append the values of this tree."""

    def keyed(self, values: list[Any]) -> Hashable:
        """The shape; the values are appended."""
        self.collect(values)
        return self.shape

    def _combine(self, other: Any, connector: str, reversed_: bool) -> Any:
        other = MAKERS.operand(other)
        # All arguments: a class that is called with fewer is called the long way.
        if reversed_:
            return MAKERS.combined(other, connector, self, None)
        return MAKERS.combined(self, connector, other, None)

    def __neg__(self) -> Any:
        return self._combine(-1, self.MUL, False)

    def __add__(self, other: Any) -> Any:
        return self._combine(other, self.ADD, False)

    def __sub__(self, other: Any) -> Any:
        return self._combine(other, self.SUB, False)

    def __mul__(self, other: Any) -> Any:
        return self._combine(other, self.MUL, False)

    def __truediv__(self, other: Any) -> Any:
        return self._combine(other, self.DIV, False)

    def __mod__(self, other: Any) -> Any:
        return self._combine(other, self.MOD, False)

    def __pow__(self, other: Any) -> Any:
        return self._combine(other, self.POW, False)

    def __radd__(self, other: Any) -> Any:
        return self._combine(other, self.ADD, True)

    def __rsub__(self, other: Any) -> Any:
        return self._combine(other, self.SUB, True)

    def __rmul__(self, other: Any) -> Any:
        return self._combine(other, self.MUL, True)

    def __rtruediv__(self, other: Any) -> Any:
        return self._combine(other, self.DIV, True)

    def __rmod__(self, other: Any) -> Any:
        return self._combine(other, self.MOD, True)

    def __rpow__(self, other: Any) -> Any:
        return self._combine(other, self.POW, True)

    def bitand(self, other: Any) -> Any:
        return self._combine(other, self.BITAND, False)

    def bitor(self, other: Any) -> Any:
        return self._combine(other, self.BITOR, False)

    def bitxor(self, other: Any) -> Any:
        return self._combine(other, self.BITXOR, False)

    def bitleftshift(self, other: Any) -> Any:
        return self._combine(other, self.BITLEFTSHIFT, False)

    def bitrightshift(self, other: Any) -> Any:
        return self._combine(other, self.BITRIGHTSHIFT, False)

    def _condition(self, other: Any, connector: str) -> Any:
        if self.conditional and getattr(other, "conditional", False):
            return MAKERS.condition(self, other, connector)
        raise NotImplementedError(
            "&, | and ^ combine conditions."
            " Use .bitand(), .bitor(), and .bitxor() for bitwise logical operations."
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
        return MAKERS.negated(self)


class Makers:
    """What operators on an expression make; the modules of those classes say so on import.

    Operators stand on the base of all expressions, and the classes that they make derive from it.
    """

    operand: Callable[[Any], Any]
    combined: Callable[[Any, str, Any, Any], Any]
    negated: Callable[[Any], Any]
    ordered: Callable[..., Any]
    condition: Callable[[Any, Any, str], Any]
    branch: Callable[[Any, dict[str, Any]], Any]


MAKERS = Makers()


class Expression(Combinable):
    """The base of all expressions.

    A subclass names its operands in `operands`: attributes that hold an expression, None, or a
    list of expressions.  All its other attributes are options and part of its shape.
    """

    operands: ClassVar[tuple[str, ...]] = ()
    filterable: bool = True
    window_compatible: bool = False
    allows_composite_expressions: bool = False
    composite: bool = False
    constraint_validation_compatible: bool = True
    #: What it gives where there are no rows; NotImplemented where only the database knows.
    empty_result_set_value: Any = NotImplemented
    set_returning: bool = False
    allowed_default: bool = False
    is_summary: bool = False
    _output_field: Any = None
    _shape: Hashable | None = None
    _made_with: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def __init_subclass__(cls, *, recorded: bool = True, **options: Any) -> None:
        """Have instances remember what they are made with, unless the class can tell itself."""
        super().__init_subclass__(**options)
        if recorded and cls.__new__ is object.__new__:
            _record(cls)
        if cls.keyed is not Combinable.keyed:
            cls._keyed_at_once = cls.keyed

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
        clone = object.__new__(type(self))
        clone.__dict__.update(self.__dict__)
        for name in INCIDENTAL:
            clone.__dict__.pop(name, None)
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
        return self._keyed_at_once([])

    def keyed(self, values: list[Any]) -> Hashable:
        operands = self.operands
        options: list[Any] = []
        for name, value in self.__dict__.items():
            if name not in operands and name not in INCIDENTAL:
                options.append(name)
                if type(value) in SIMPLE:
                    options.append(value)
                else:
                    options.append(() if type(value) is dict and not value else freeze(value))
        sources = [s if s is None else s.keyed(values) for s in self.get_source_expressions()]
        return (type(self), tuple(options), tuple(sources))

    _keyed_at_once = keyed

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
        return (self.shape, comparable(self.values_))

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
        elif not self.allows_composite_expressions and any(
            getattr(source, "composite", False) for source in resolved.get_source_expressions()
        ):
            raise QueryValueError(
                f"{type(self).__name__} expression does not support composite primary keys."
            )
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

    # --- what it is ----------------------------------

    @Computed
    def contains_aggregate(self) -> bool:
        return any(s is not None and s.contains_aggregate for s in self.get_source_expressions())

    @Computed
    def contains_over_clause(self) -> bool:
        return any(s is not None and s.contains_over_clause for s in self.get_source_expressions())

    @Computed
    def contains_column_references(self) -> bool:
        return any(
            s is not None and s.contains_column_references for s in self.get_source_expressions()
        )

    @Computed
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
                raise OutputFieldIsNoneError(
                    f"Cannot resolve expression type, unknown output_field: say what"
                    f" {type(self).__name__} gives, output_field=..."
                )
            self.__dict__["_output_found"] = found
        return found

    @output_field.setter
    def output_field(self, field: Any) -> None:
        self._output_field = field
        self.__dict__.pop("_shape", None)
        self.__dict__.pop("_output_found", None)

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

    def convert_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """A value of the result, after the conversion of its output field; to be overridden."""
        return value

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

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """What makes this expression again: the path of its class, args and kwargs."""
        made_with = self._made_with if "_made_with" in self.__dict__ else self.made_with()
        return (public_path(type(self)), *made_with)

    def made_with(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments that make this expression, of classes whose instances do not remember them."""
        return (), {}

    def get_expression_for_validation(self) -> Any:
        """What of this expression an instance can be checked with; ValueError for several."""
        if self.constraint_validation_compatible:
            return self
        sources = self.get_source_expressions()
        if len(sources) != 1:
            raise QueryValueError(
                "Expressions with constraint_validation_compatible set to False must have"
                " only one source expression."
            )
        return sources[0]

    # --- ordering ----------------------------------

    def asc(self, **options: Any) -> Any:
        return MAKERS.ordered(self, **options)

    def desc(self, **options: Any) -> Any:
        return MAKERS.ordered(self, descending=True, **options)

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


def _record(cls: Any) -> None:
    # Not in the class, where it would declare `__new__` to a type checker.
    cls.__new__ = _recording


def _recording(cls: type, *args: Any, **kwargs: Any) -> Any:
    made: Any = object.__new__(cls)
    if args or kwargs:
        made._made_with = (args, kwargs)
    return made


def comparable(values: tuple[Any, ...]) -> Hashable:
    """Values in a form that is equal, and hashes alike, where they mean the same."""
    return tuple(map(_comparable, values))


def _comparable(value: Any) -> Hashable:
    if isinstance(value, list | tuple):
        return (list, comparable(tuple(value)))
    try:
        hash(value)
    except TypeError:
        return (type(value), repr(value))
    return (type(value), value)


_AT_HOME = frozenset(
    [
        "Case",
        "Exists",
        "Expression",
        "ExpressionList",
        "ExpressionWrapper",
        "F",
        "Func",
        "Lookup",
        "OrderBy",
        "OuterRef",
        "Q",
        "RowRange",
        "Subquery",
        "Transform",
        "Value",
        "ValueRange",
        "When",
        "Window",
        "WindowFrame",
    ]
)
_PACKAGES = {
    "aorm.query.functions": "aorm.models.functions",
    "aorm.query.aggregates": "aorm.models",
    "aorm.query.lookups": "aorm.models.lookups",
    "aorm.query.related_lookups": "aorm.models.fields.related_lookups",
    "aorm.query.json_lookups": "aorm.models.fields.json",
    "aorm.query.": "aorm.models.expressions",
}


def public_path(cls: type) -> str:
    """Where users import a class of expressions from."""
    module, name = cls.__module__, cls.__qualname__
    if module.startswith("aorm.query.") and name in _AT_HOME:
        return f"aorm.models.{name}"
    for prefix, package in _PACKAGES.items():
        if module.startswith(prefix):
            return f"{package}.{name}"
    return f"{module}.{name}"
