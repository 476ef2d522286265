"""Values: `Value` as users write it, and the `Param` that takes its place."""

from __future__ import annotations

import datetime
import decimal
import re
import uuid
from collections.abc import Callable, Hashable
from typing import Any

from aorm.errors import QueryTypeError
from aorm.fields import base, dates, numbers, text, various
from aorm.query.nodes import (
    INT4,
    INT8,
    Expression,
    Slots,
)
from aorm.query.shapes import PLAIN, field_key, normalised

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


class Value(Expression, recorded=False):
    """A Python value; it is bound as a parameter, never written into SQL."""

    allowed_default = True
    for_save = False

    def __init__(self, value: Any, output_field: Any = None) -> None:
        self.value = value if type(value) in PLAIN else normalised(value)
        if output_field is not None:
            self._output_field = output_field

    def keyed(self, values: list[Any]) -> Hashable:
        value = self.value
        values.append(value)
        kind: Any = type(value)
        if kind is int:
            if not -INT4 <= value < INT4:
                kind = int_kind(value)
        elif kind not in PLAIN:
            if value is None or kind is bool:
                kind = (value,)
            elif kind is list or kind is tuple:
                kind = (kind, len(value))
        field = self._output_field
        return (type(self), kind, None if field is None else field_key(field))

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

    def made_with(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        field = self._output_field
        return (self.value,), {} if field is None else {"output_field": field}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"


class Param(Expression):
    """The place of one value: the number of its slot, and what kind of value is expected.

    `item` is a place inside a value that is a list.  A `typed` parameter stands where the
    database cannot tell its type (`SELECT $1`), so that dialects which need a cast write one.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return object.__new__(cls)

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


class RawSQL(Expression):
    """Text of SQL with `%s` for its values; the text is the caller's responsibility.

    Among the values may be expressions, whose SQL then stands in the place of the mark.
    """

    operands = ("params",)
    allowed_default = True

    def __init__(self, sql: str, params: Any = (), output_field: Any = None) -> None:
        super().__init__(output_field)
        self.sql = sql
        self.params = list(params) if isinstance(params, tuple) else params

    def get_source_expressions(self) -> list[Any]:
        if not isinstance(self.params, list):
            raise QueryTypeError(f"the values of RawSQL must be a list, not {self.params!r}")
        return [p if hasattr(p, "parametrised") else Value(p) for p in self.params]

    def resolve(self, scope: Any) -> Any:
        """This text; the tables of parents whose columns it names are joined."""
        options = scope.draft.opts
        for parent in options.all_parents if options.parents else ():
            for field in parent._meta.local_fields:
                if field.column and re.search(rf"\b{re.escape(field.column)}\b", self.sql, re.I):
                    scope.ref(field.name)
                    break
        return super().resolve(scope)

    def _resolve_output_field(self) -> Any:
        return base.Field()

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.sql}, {self.params})"
