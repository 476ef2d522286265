"""References by name: `F` and `OuterRef`."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator
from typing import Any

from aorm.errors import FieldError, NotSupportedError, QueryTypeError, QueryValueError
from aorm.fields.constraints import ExpressionHolder
from aorm.query.nodes import (
    MAKERS,
    Combinable,
    Slots,
    public_path,
)


class F(Combinable):
    """The value of a field, an annotation, or a field behind relations (`author__name`)."""

    allowed_default = False
    composite = False

    def __init__(self, name: Any) -> None:
        self.name: Any = name

    @property
    def shape(self) -> Hashable:
        return (type(self), self.name)

    def keyed(self, values: list[Any]) -> Hashable:
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
        found = replacements.get(self)
        return self._transformed(replacements) if found is None else found

    def _transformed(self, replacements: dict[Any, Any]) -> Any:
        """What stands in the place of the first part of the name, with the rest applied to it."""
        first, *transforms = str(self.name).split("__")
        found = replacements.get(F(first)) if transforms else None
        for name in transforms:
            field = getattr(found, "_output_field_or_none", None)
            transform = None if field is None else field.get_transform(name)
            if transform is None:
                return self
            found = transform(found)
        return self if found is None else found

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

    def asc(self, **options: Any) -> Any:
        return MAKERS.ordered(self, **options)

    def desc(self, **options: Any) -> Any:
        return MAKERS.ordered(self, descending=True, **options)

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

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """What makes this reference again: the path of its class, args and kwargs."""
        return public_path(type(self)), (self.name,), {}

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
        return f"{type(self).__name__}({self.source!r}, {slice(self.start - 1, stop)!r})"


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
        return self.keyed([])

    def keyed(self, values: list[Any]) -> Hashable:
        name = self.name
        return (type(self), name if type(name) is str or not isinstance(name, F) else name.shape)

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
            raise NotSupportedError(
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
