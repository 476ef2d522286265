"""Integers, automatic keys, floats and decimals."""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Unpack, overload

from aorm.errors import QueryTypeError, QueryValueError
from aorm.fields.base import Field, N, is_expression
from aorm.functional import Promise, cached_property
from aorm.validators import (
    BaseValidator,
    DecimalValidator,
    MaxValueValidator,
    MinValueValidator,
)

if TYPE_CHECKING:
    from aorm.fields.keywords import DecimalOptions

__all__ = [
    "INTEGER_RANGES",
    "AutoField",
    "BigAutoField",
    "BigIntegerField",
    "DecimalField",
    "FloatField",
    "IntegerField",
    "PositiveBigIntegerField",
    "PositiveIntegerField",
    "PositiveSmallIntegerField",
    "SmallAutoField",
    "SmallIntegerField",
]

#: The least and the greatest integer that a column of each kind holds in every database.
INTEGER_RANGES: dict[str, tuple[int, int]] = {
    "SmallIntegerField": (-(2**15), 2**15 - 1),
    "IntegerField": (-(2**31), 2**31 - 1),
    "BigIntegerField": (-(2**63), 2**63 - 1),
    "PositiveSmallIntegerField": (0, 2**15 - 1),
    "PositiveIntegerField": (0, 2**31 - 1),
    "PositiveBigIntegerField": (0, 2**63 - 1),
    "SmallAutoField": (-(2**15), 2**15 - 1),
    "AutoField": (-(2**31), 2**31 - 1),
    "BigAutoField": (-(2**63), 2**63 - 1),
}


def _expected_a_number(field: Any, value: Any, error: Exception) -> Exception:
    # An overflow is a wrong value as well: infinity is no integer.
    kind = QueryTypeError if isinstance(error, TypeError) else QueryValueError
    return kind(f"Field {str(field.name)!r} expected a number but got {value!r}.")


# --- integers ----------------------------------------------------------------------


class IntegerField(Field[int, N]):
    """An integer of 32 bits."""

    internal_type = "IntegerField"
    plain_types = frozenset({int})
    empty_strings_allowed = False
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "“%(value)s” value must be an integer.",
    }
    description = "Integer"

    @property
    def integer_range(self) -> tuple[int, int] | None:
        """The least and the greatest value that the column holds; None: not known."""
        return INTEGER_RANGES.get(self.get_internal_type())

    def _own_validators(self) -> Iterable[Callable[[Any], None]]:
        if self.integer_range is None:
            return
        least, greatest = self.integer_range
        # A stricter validator that was given makes that of the column needless.
        if not self._limited(MinValueValidator, lambda limit: limit >= least):
            yield MinValueValidator(least)
        if not self._limited(MaxValueValidator, lambda limit: limit <= greatest):
            yield MaxValueValidator(greatest)

    def _limited(self, kind: type[BaseValidator], strict: Callable[[Any], bool]) -> bool:
        for validator in (*self.default_validators, *self._validators):
            if isinstance(validator, kind):
                limit = validator.limit_value
                if strict(limit() if callable(limit) else limit):
                    return True
        return False

    def to_python(self, value: Any) -> Any:
        if value is None:
            return value
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError):
            raise self._invalid("invalid", value) from None

    def get_prep_value(self, value: Any) -> Any:
        if type(value) is int or value is None or is_expression(value):
            return value
        if isinstance(value, Promise):
            value = value._cast()
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise _expected_a_number(self, value, error) from error


class BigIntegerField(IntegerField[N]):
    """An integer of 64 bits."""

    internal_type = "BigIntegerField"
    description = "Big (8 byte) integer"
    MAX_BIGINT = 2**63 - 1


class SmallIntegerField(IntegerField[N]):
    """An integer of 16 bits."""

    internal_type = "SmallIntegerField"
    description = "Small integer"


class PositiveIntegerField(IntegerField[N]):
    """An integer from 0 to 2147483647."""

    internal_type = "PositiveIntegerField"
    description = "Positive integer"

    def rel_db_type(self, connection: Any) -> str | None:
        # The column that is pointed to checks the sign.
        return IntegerField().db_type(connection)


class PositiveSmallIntegerField(SmallIntegerField[N]):
    """An integer from 0 to 32767."""

    internal_type = "PositiveSmallIntegerField"
    description = "Positive small integer"

    def rel_db_type(self, connection: Any) -> str | None:
        return SmallIntegerField().db_type(connection)


class PositiveBigIntegerField(BigIntegerField[N]):
    """An integer from 0 to 9223372036854775807."""

    internal_type = "PositiveBigIntegerField"
    description = "Positive big integer"

    def rel_db_type(self, connection: Any) -> str | None:
        return BigIntegerField().db_type(connection)


# --- automatic keys ----------------------------------------------------------------


class AutoField(IntegerField):
    """A primary key of 32 bits that the database counts up."""

    internal_type = "AutoField"
    description = "Integer"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["blank"] = True
        super().__init__(*args, **kwargs)

    @property
    def db_returning(self) -> bool:
        return True

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["blank"]
        kwargs["primary_key"] = True
        return name, path, args, kwargs

    def validate(self, value: Any, model_instance: Any) -> None:
        """Nothing: None means that the database is to give a value."""

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        if getattr(cls._meta, "auto_field", None) is not None:
            raise ValueError(
                f"Model {cls._meta.label} can't have more than one auto-generated field."
            )
        super().contribute_to_class(cls, name, private_only=private_only)
        cls._meta.auto_field = self

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if not self.primary_key:
            yield "AutoFields must set primary_key=True."

    def rel_db_type(self, connection: Any) -> str | None:
        return IntegerField().db_type(connection)


class BigAutoField(AutoField, BigIntegerField):
    """A primary key of 64 bits that the database counts up."""

    internal_type = "BigAutoField"

    def rel_db_type(self, connection: Any) -> str | None:
        return BigIntegerField().db_type(connection)


class SmallAutoField(AutoField, SmallIntegerField):
    """A primary key of 16 bits that the database counts up."""

    internal_type = "SmallAutoField"

    def rel_db_type(self, connection: Any) -> str | None:
        return SmallIntegerField().db_type(connection)


# --- fractions ---------------------------------------------------------------------


class FloatField(Field[float, N]):
    """A binary floating point number of 64 bits."""

    internal_type = "FloatField"
    plain_types = frozenset({float})
    empty_strings_allowed = False
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "“%(value)s” value must be a float.",
    }
    description = "Floating point number"

    def to_python(self, value: Any) -> Any:
        if value is None:
            return value
        try:
            return float(value)
        except (TypeError, ValueError):
            raise self._invalid("invalid", value) from None

    def get_prep_value(self, value: Any) -> Any:
        if type(value) is float or value is None or is_expression(value):
            return value
        if isinstance(value, Promise):
            value = value._cast()
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise _expected_a_number(self, value, error) from error


class DecimalField(Field[Decimal, N]):
    """A decimal number.

    Args:
        max_digits: the greatest number of digits in all.
        decimal_places: how many of them stand behind the point.  Both may be left out where the
            database has numbers of any precision.
    """

    internal_type = "DecimalField"
    empty_strings_allowed = False
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "“%(value)s” value must be a decimal number.",
    }
    description = "Decimal number"

    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: N = ...,
        **options: Unpack[DecimalOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: bool,
        **options: Unpack[DecimalOptions],
    ) -> None: ...
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        max_digits: int | None = None,
        decimal_places: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.max_digits = max_digits
        self.decimal_places = decimal_places
        super().__init__(verbose_name, name, **kwargs)

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        digits, places = self.max_digits, self.decimal_places
        if places is not None and (type(places) is not int or places < 0):
            yield f"'decimal_places' must be a non-negative integer, not {places!r}."
        elif digits is not None and (type(digits) is not int or digits < 1):
            yield f"'max_digits' must be a positive integer, not {digits!r}."
        elif digits is not None and places is not None and places > digits:
            yield "'max_digits' must be greater or equal to 'decimal_places'."

    def _own_validators(self) -> Iterable[Callable[[Any], None]]:
        return [DecimalValidator(self.max_digits, self.decimal_places)]

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if self.max_digits is not None:
            kwargs["max_digits"] = self.max_digits
        if self.decimal_places is not None:
            kwargs["decimal_places"] = self.decimal_places
        return name, path, args, kwargs

    @cached_property
    def context(self) -> decimal.Context:
        """How floats are rounded."""
        if self.max_digits is None:
            return decimal.Context()
        return decimal.Context(prec=self.max_digits)

    def to_python(self, value: Any) -> Any:
        if value is None:
            return value
        if type(value) is Decimal and value.is_finite():
            return value
        try:
            if isinstance(value, float):
                number = self.context.create_decimal_from_float(value)
            else:
                number = Decimal(value)
        except (decimal.InvalidOperation, TypeError, ValueError):
            raise self._invalid("invalid", value) from None
        if not number.is_finite():
            raise self._invalid("invalid", value)
        return number

    def get_prep_value(self, value: Any) -> Any:
        if value is None or is_expression(value):
            return value
        if isinstance(value, Promise):
            value = value._cast()
        return self.to_python(value)
