"""Arrays: lists of values of one kind, which may be lists themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, ClassVar

from aorm.contrib.postgres.fields.ranges import RangeField
from aorm.contrib.postgres.lookups import (
    ContainedBy,
    DataContains,
    Overlap,
    in_parentheses,
)
from aorm.contrib.postgres.validators import ArrayMaxLengthValidator
from aorm.errors import ValidationError
from aorm.fields.base import Field
from aorm.fields.numbers import IntegerField
from aorm.query.conditions import Argument, Arguments
from aorm.query.expressions import Expression, QueryNode, Transform
from aorm.query.json_lookups import JSONNull
from aorm.query.lookups import Exact, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual
from aorm.query.preparation import scalar_converter
from aorm.sql.dialect import Adapter, Conversion, Dialect
from aorm.sql.dialects.postgresql_text import array_of_text, array_text
from aorm.sql.dialects.values import kind_of, named

__all__ = ["ArrayField", "ArrayOf", "IndexTransform", "SliceTransform"]

_MOST = 2**31 - 1  # what an index of PostgreSQL can be


class ArrayField(Field[Any]):
    """A list of values of one kind.

    Args:
        base_field: the field that says of what kind the items are; another `ArrayField` for lists
            of lists, which then have to be equally long.
        size: the greatest number of items.

    Raises:
        FieldError: items cannot be of this kind.
    """

    takes_collections = True
    empty_strings_allowed = False
    default_error_messages: ClassVar[dict[str, Any]] = {
        "item_invalid": "Item %(nth)s in the array did not validate:",
        "nested_array_mismatch": "Nested arrays must have the same length.",
    }

    def __init__(self, base_field: Any, size: int | None = None, **kwargs: Any) -> None:
        self.base_field = base_field
        self.size = size
        super().__init__(**kwargs)

    # --- the field as an object -----------------------------------------------------

    @property
    def description(self) -> str:  # type: ignore[override]
        return f"Array of {self.base_field.description}"

    def get_internal_type(self) -> str:
        return "ArrayField"

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        self.base_field.model = cls

    def set_attributes_from_name(self, name: str) -> None:
        super().set_attributes_from_name(name)
        self.base_field.set_attributes_from_name(name)

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if self.base_field.remote_field:
            yield "Base field for array cannot be a related field."
            return
        for problem in self.base_field._problems():
            yield f"Base field for array has errors: {problem}"

    def __copy__(self) -> Any:
        copied = super().__copy__()
        copied.base_field = self.base_field.__copy__()
        return copied

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if path == f"{__name__}.ArrayField":
            path = "aorm.contrib.postgres.fields.ArrayField"
        kwargs["base_field"] = self.base_field.clone()
        if self.size is not None:
            kwargs["size"] = self.size
        return name, path, args, kwargs

    # --- the column -----------------------------------------------------------------

    def db_type(self, connection: Any) -> str:
        return f"{self.base_field.db_type(connection)}[{self.size or ''}]"

    def cast_db_type(self, connection: Any) -> str:
        return f"{self.base_field.cast_db_type(connection)}[{self.size or ''}]"

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        found = super().db_parameters(connection)
        collation = getattr(self.base_field, "db_collation", None)
        if collation:
            found["collation"] = collation
        return found

    def parameter_type(self, connection: Any) -> str | None:
        if connection.vendor != "postgresql":
            return None
        return self.cast_db_type(connection)

    def reading_cast(self, connection: Any) -> str:
        # Of types that they do not know, one driver gives the text, and another one has been seen
        # to crash on it.
        return "" if self._is_known(connection) else "::text"

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        """The array as it is read in the results of a query."""
        cast = "" if compiler.draft.subquery else self.reading_cast(compiler.dialect)
        return (f"({sql}){cast}" if cast else sql), params

    # --- values ---------------------------------------------------------------------

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            prepare = self.base_field.get_prep_value
            return [None if item is None else prepare(item) for item in value]
        return super().get_prep_value(value)

    def adapter_for(self, dialect: Dialect) -> Adapter:
        """What makes the text of an array."""
        adapt = self._item_adapter(dialect)

        def write(value: Any) -> Any:
            if not isinstance(value, list | tuple):
                return value
            return array_text(value if adapt is None else map(adapt, value))

        return write

    def _item_adapter(self, dialect: Dialect) -> Adapter | None:
        """What adapts an item; one that is a list stays a list."""
        base = self.base_field
        if isinstance(base, ArrayField):
            inner = base._item_adapter(dialect)
            return None if inner is None else partial(_adapted_items, inner)
        adapt = dialect.adapter(base)
        if kind_of(base) == "JSONField" and adapt is not None:
            return partial(_adapted_document, adapt)
        return adapt

    def conversion_for(self, dialect: Dialect) -> Conversion | None:
        """What makes the items from those that the drivers give."""
        found = dialect.conversion(self.base_field)
        if found is None and self._is_known(dialect):
            return None
        each = None if found is None else found.function

        def read(value: Any) -> Any:
            if value.__class__ is str:
                value = array_of_text(value)  # see reading_cast
            if each is None or value is None:
                return value
            return list(map(each, value))

        name, names = named(read, "array_of")
        return Conversion(f"{name}({{0}})", names, read)

    def _is_known(self, dialect: Any) -> bool:
        """Whether drivers know the type of the items by themselves."""
        base = self.base_field
        if isinstance(base, ArrayField):
            return base._is_known(dialect)
        return isinstance(base, RangeField) or kind_of(base) in dialect.data_types

    def to_python(self, value: Any) -> Any:
        # A text is what `value_to_string` has written.
        items = json.loads(value) if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            return items
        return [self.base_field.to_python(item) for item in items]

    def value_to_string(self, obj: Any) -> str:
        values = self.value_from_object(obj)
        if values is None:
            return json.dumps(None)
        return json.dumps(
            [None if v is None else self.base_field.value_to_string(_Holder(v)) for v in values],
            ensure_ascii=False,
        )

    # --- validation -----------------------------------------------------------------

    def _own_validators(self) -> Iterable[Callable[[Any], None]]:
        return [] if self.size is None else [ArrayMaxLengthValidator(self.size)]

    def validate(self, value: Any, model_instance: Any) -> None:
        super().validate(value, model_instance)
        for number, item in enumerate(value, 1):
            self._check(number, item, lambda item: self.base_field.validate(item, model_instance))
        if isinstance(self.base_field, ArrayField) and len({len(item) for item in value}) > 1:
            raise ValidationError(
                self.error_messages["nested_array_mismatch"], code="nested_array_mismatch"
            )

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        for number, item in enumerate(value, 1):
            self._check(number, item, self.base_field.run_validators)

    def _check(self, number: int, item: Any, check: Callable[[Any], None]) -> None:
        try:
            check(item)
        except ValidationError as error:
            raise self._prefixed(error, number, item) from error

    def _prefixed(self, error: ValidationError, number: int, item: Any) -> ValidationError:
        """The errors of an item, which say which one it is."""
        prefix = self.error_messages["item_invalid"]
        shown = {"nth": number, "value": item}
        found = []
        for each in error.error_list:
            given = {**(each.params or {}), **shown}
            text = each.message % given if each.params else each.message
            # The whole is filled in once more where it is shown.
            message = f"{prefix % given} {text}".replace("%", "%%")
            found.append(ValidationError(message, code="item_invalid", params=given))
        return found[0] if len(found) == 1 else ValidationError(found)

    # --- lookups --------------------------------------------------------------------

    def get_transform(self, lookup_name: str) -> Any:
        """The transform of this name, an item (`tags__0`), or a part (`tags__0_2`)."""
        found = super().get_transform(lookup_name)
        if found is not None:
            return found
        match = re.fullmatch(r"([0-9]{1,10})(?:_([0-9]{1,10}))?", lookup_name)
        if match is None:
            return None
        # PostgreSQL counts from 1, and the end of a part belongs to it.
        start = int(match[1]) + 1
        end = None if match[2] is None else int(match[2])
        if start > _MOST or (end or 0) > _MOST:
            return None
        if end is None:
            return IndexTransformFactory(start, self.base_field)
        return SliceTransformFactory(start, end)

    @staticmethod
    def slice_expression(source: Any, start: int, length: int | None) -> Any:
        """Some items of an array: `F("tags")[1:3]`."""
        return SliceTransform(start, None if length is None else start + length - 1, source)


def _adapted_items(adapt: Adapter, value: Any) -> Any:
    return list(map(adapt, value)) if isinstance(value, list | tuple) else value


def _adapted_document(adapt: Adapter, value: Any) -> Any:
    return "null" if isinstance(value, JSONNull) else adapt(value)


class _Holder:
    """Stands for an object of which any attribute is this value."""

    def __init__(self, value: Any) -> None:
        self.__dict__["value"] = value

    def __getattr__(self, name: str) -> Any:
        return self.__dict__["value"]


# --- arrays of expressions --------------------------------------------------------


class ArrayOf(Expression):
    """An array that the database makes of operands; `field` is that of the array."""

    operands = ("items",)

    def __init__(self, items: Iterable[Any], output_field: Any) -> None:
        super().__init__(output_field)
        self.items = list(items)

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> tuple[str, list[Any]]:
        parts, params = [], []
        for item in self.items:
            sql, found = compiler.compile(item)
            parts.append(sql)
            params += found
        return f"ARRAY[{', '.join(parts)}]::{self.output_field.cast_db_type(connection)}", params


class ArrayOperand:
    """A lookup whose value is an array: of values, of expressions, or from a query."""

    lhs: Any
    rhs: Any
    prepare_rhs: bool

    def _settle(self) -> None:
        if isinstance(self.rhs, Arguments):
            field = self.lhs.output_field
            self.rhs = ArrayOf((self._item(item, field.base_field) for item in self.rhs), field)
        else:
            super()._settle()  # type: ignore[misc]

    def process_rhs(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        sql, params = super().process_rhs(compiler, connection)  # type: ignore[misc]
        field = self.lhs.output_field
        if isinstance(self.rhs, ArrayOf) or getattr(self.rhs, "_output_field", None) is field:
            return sql, params
        # Arrays of similar types, such as integers of two sizes, are not compared otherwise.
        return f"{sql}::{field.cast_db_type(connection)}", params

    def _item(self, item: Any, field: Any) -> Any:
        if type(item) is not Argument:
            return item
        convert = scalar_converter(_Operand(field), item.sample)
        return self._param(item, convert, output_field=field)  # type: ignore[attr-defined]


class _Operand:
    """What a converter asks of a left side: its field."""

    def __init__(self, field: Any) -> None:
        self._output_field_or_none = field


@ArrayField.register_lookup
class ArrayContains(ArrayOperand, DataContains):
    """Whether all items of the other array are in this one."""


@ArrayField.register_lookup
class ArrayContainedBy(ArrayOperand, ContainedBy):
    """Whether all items of this array are in the other one."""


@ArrayField.register_lookup
class ArrayOverlap(ArrayOperand, Overlap):
    """Whether the arrays have an item in common."""

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        if isinstance(self.rhs, QueryNode):
            # Of the arrays of all rows.
            left, params = self.process_lhs(compiler, connection)
            right, right_params = compiler.subquery(self.rhs)
            return f"{left} && ARRAY({right})", [*params, *right_params]
        return super().as_postgresql(compiler, connection)


@ArrayField.register_lookup
class ArrayExact(ArrayOperand, Exact):
    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} = {right}", [*left_params, *right_params]


@ArrayField.register_lookup
class ArrayGreaterThan(ArrayOperand, GreaterThan):
    pass


@ArrayField.register_lookup
class ArrayGreaterThanOrEqual(ArrayOperand, GreaterThanOrEqual):
    pass


@ArrayField.register_lookup
class ArrayLessThan(ArrayOperand, LessThan):
    pass


@ArrayField.register_lookup
class ArrayLessThanOrEqual(ArrayOperand, LessThanOrEqual):
    pass


# --- transforms -------------------------------------------------------------------


@ArrayField.register_lookup
class ArrayLenTransform(Transform):
    """The number of items; 0 of an empty array, for which PostgreSQL itself says NULL."""

    lookup_name = "len"

    def _resolve_output_field(self) -> Any:
        return IntegerField()

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> tuple[str, list[Any]]:
        sql, params = compiler.compile(self.lhs)
        text = f"CASE WHEN {sql} IS NULL THEN NULL ELSE COALESCE(ARRAY_LENGTH({sql}, 1), 0) END"
        return text, [*params, *params]


class IndexTransform(Transform):
    """One item; the first has the number 1."""

    def __init__(self, index: int, base_field: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.index = int(index)
        self.base_field = base_field() if isinstance(base_field, type) else base_field

    def _resolve_output_field(self) -> Any:
        return self.base_field

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> tuple[str, list[Any]]:
        sql, params = compiler.compile(self.lhs)
        # Of lists of lists, an item of an item: matrix[1][2].
        array = sql if isinstance(self.lhs, IndexTransform) else in_parentheses(sql)
        return f"{array}[{self.index}]", params


class IndexTransformFactory:
    """Makes the transform of one item."""

    def __init__(self, index: int, base_field: Any) -> None:
        self.index = index
        self.base_field = base_field

    def __call__(self, *args: Any, **kwargs: Any) -> IndexTransform:
        return IndexTransform(self.index, self.base_field, *args, **kwargs)


class SliceTransform(Transform):
    """The items from `start` to `end`, counted from 1, both of them included."""

    def __init__(self, start: int, end: int | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.start = int(start)
        self.end = None if end is None else int(end)

    def _resolve_output_field(self) -> Any:
        return self.lhs.output_field

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> tuple[str, list[Any]]:
        sql, params = compiler.compile(self.lhs)
        end = "" if self.end is None else self.end
        return f"{in_parentheses(sql)}[{self.start}:{end}]", params


class SliceTransformFactory:
    """Makes the transform of a part."""

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end

    def __call__(self, *args: Any, **kwargs: Any) -> SliceTransform:
        return SliceTransform(self.start, self.end, *args, **kwargs)
