"""Booleans, bytes, UUIDs, addresses, and columns that the database computes."""

from __future__ import annotations

import binascii
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Unpack, overload

from aorm.errors import ValidationError
from aorm.fields.base import NOT_PROVIDED, AnyField, Field, N, is_expression
from aorm.functional import Promise, cached_property
from aorm.late import ipaddress
from aorm.validators import MaxLengthValidator, ip_address_validators, is_ipv6_address

if TYPE_CHECKING:
    from aorm.fields.keywords import AddressOptions

__all__ = [
    "BinaryField",
    "BooleanField",
    "GeneratedField",
    "GenericIPAddressField",
    "UUIDField",
]


class BooleanField(Field[bool, N]):
    """True or False."""

    internal_type = "BooleanField"
    plain_types = frozenset({bool})
    empty_strings_allowed = False
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "“%(value)s” value must be either True or False.",
        "invalid_nullable": "“%(value)s” value must be either True, False, or None.",
    }
    description = "Boolean (Either True or False)"

    _TRUE = frozenset({"t", "True", "1"})
    _FALSE = frozenset({"f", "False", "0"})

    def to_python(self, value: Any) -> Any:
        if value is True or value is False:
            return value
        if self.null and value in self.empty_values:
            return None
        if isinstance(value, str):
            if value in self._TRUE:
                return True
            if value in self._FALSE:
                return False
        elif value in (True, False):  # numbers
            return bool(value)
        raise self._invalid("invalid_nullable" if self.null else "invalid", value)

    def get_prep_value(self, value: Any) -> Any:
        if value is None or value is True or value is False or is_expression(value):
            return value
        if isinstance(value, Promise):
            value = value._cast()
        return self.to_python(value)


class BinaryField(Field[bytes, N]):
    """Bytes; not editable unless it is said to be."""

    internal_type = "BinaryField"
    plain_types = frozenset({bytes})
    empty_values = (None, b"")
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "“%(value)s” is not a valid binary value.",
    }
    description = "Raw binary data"

    if not TYPE_CHECKING:  # which is to see the signature of the base

        def __init__(self, *args, **kwargs):
            kwargs.setdefault("editable", False)
            super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if kwargs.pop("editable", True):
            kwargs["editable"] = True
        return name, path, args, kwargs

    def _own_validators(self) -> Iterable[Callable[[Any], None]]:
        return [] if self.max_length is None else [MaxLengthValidator(self.max_length)]

    @cached_property
    def _get_default(self) -> Callable[[], Any]:
        default = super()._get_default
        return bytes if default is str else default

    def to_python(self, value: Any) -> Any:
        # A text is what `value_to_string` has written.
        if isinstance(value, str):
            try:
                return memoryview(binascii.a2b_base64(value.encode("ascii"), strict_mode=True))
            except (binascii.Error, UnicodeEncodeError):
                raise self._invalid("invalid", value) from None
        return value

    def get_prep_value(self, value: Any) -> Any:
        if type(value) is bytes or value is None or is_expression(value):
            return value
        if isinstance(value, Promise):
            value = value._cast()
        if not isinstance(value, bytes | bytearray | memoryview):
            raise TypeError(f"Field {str(self.name)!r} expected bytes but got {value!r}.")
        return bytes(value)

    def value_to_string(self, obj: Any) -> str:
        return binascii.b2a_base64(self.value_from_object(obj), newline=False).decode("ascii")


class UUIDField(Field[uuid.UUID, N]):
    """A UUID."""

    internal_type = "UUIDField"
    plain_types = frozenset({uuid.UUID})
    empty_strings_allowed = False
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "“%(value)s” is not a valid UUID.",
    }
    description = "Universally unique identifier"

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, uuid.UUID):
            return value
        try:
            return uuid.UUID(int=value) if isinstance(value, int) else uuid.UUID(value)
        except (AttributeError, TypeError, ValueError):
            raise self._invalid("invalid", value) from None

    def get_prep_value(self, value: Any) -> Any:
        if value is None or is_expression(value):
            return value
        if isinstance(value, Promise):
            value = value._cast()
        return self.to_python(value)


class GenericIPAddressField(Field[str, N]):
    """An IPv4 or IPv6 address, as text.

    Args:
        protocol: "both", "IPv4" or "IPv6".
        unpack_ipv4: whether an IPv4 address that is mapped to IPv6 is stored as IPv4.

    Raises:
        ValueError: there is no such protocol.
    """

    internal_type = "GenericIPAddressField"
    empty_strings_allowed = False
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "Enter a valid %(protocol)s address.",
    }
    description = "IP address"

    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: N = ...,
        **options: Unpack[AddressOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: bool,
        **options: Unpack[AddressOptions],
    ) -> None: ...
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        protocol: str = "both",
        unpack_ipv4: bool = False,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self.unpack_ipv4 = unpack_ipv4
        self.protocol = protocol
        self.default_validators = ip_address_validators(protocol, unpack_ipv4)
        kwargs["max_length"] = 39
        super().__init__(verbose_name, name, *args, **kwargs)

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if self.blank and not self.null:
            yield (
                "GenericIPAddressFields cannot have blank=True if null=False, as blank values "
                "are stored as nulls."
            )

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if self.unpack_ipv4:
            kwargs["unpack_ipv4"] = True
        if self.protocol != "both":
            kwargs["protocol"] = self.protocol
        del kwargs["max_length"]
        return name, path, args, kwargs

    def to_python(self, value: Any) -> Any:
        if value is None:
            return None
        text = str(value).strip()
        if ":" not in text:
            return text
        if not is_ipv6_address(text):
            raise ValidationError(
                self.error_messages["invalid"],
                code="invalid",
                params={"protocol": "IPv6", "value": value},
            )
        return clean_ipv6_address(text, self.unpack_ipv4)

    def get_prep_value(self, value: Any) -> Any:
        if value is None or is_expression(value):
            return value
        text = str(value)
        if ":" in text and is_ipv6_address(text):
            return clean_ipv6_address(text, self.unpack_ipv4)
        return text

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        # No address is stored as null; the column may be of a type without an empty text.
        value = super().get_db_prep_value(value, connection, prepared)
        return None if value == "" else value


def clean_ipv6_address(text: str, unpack_ipv4: bool = False) -> str:
    """The shortest form of an IPv6 address; one that is mapped to IPv4 has that in it.

    Args:
        text: a valid address.
        unpack_ipv4: give a mapped address as IPv4 alone.
    """
    address = ipaddress.IPv6Address(text)
    mapped = address.ipv4_mapped
    if mapped is None:
        return str(address)
    return str(mapped) if unpack_ipv4 else f"::ffff:{mapped}"


# --- computed columns --------------------------------------------------------------


class GeneratedField(Field[Any]):
    """A column that the database computes from others of its row.

    Args:
        expression: the computation.
        output_field: the field of its result.
        db_persist: whether the result is stored, or computed when it is read.

    Raises:
        ValueError: an option is given that such a column cannot have.
    """

    generated = True
    empty_strings_allowed = False

    def __init__(
        self, *, expression: Any, output_field: AnyField, db_persist: bool | None, **kwargs: Any
    ) -> None:
        if kwargs.setdefault("editable", False):
            raise ValueError("GeneratedField cannot be editable.")
        if not kwargs.setdefault("blank", True):
            raise ValueError("GeneratedField must be blank.")
        if kwargs.get("default", NOT_PROVIDED) is not NOT_PROVIDED:
            raise ValueError("GeneratedField cannot have a default.")
        if kwargs.get("db_default", NOT_PROVIDED) is not NOT_PROVIDED:
            raise ValueError("GeneratedField cannot have a database default.")
        if db_persist is not True and db_persist is not False:
            raise ValueError("GeneratedField.db_persist must be True or False.")
        self.expression = expression
        self.output_field = output_field
        self.db_persist = db_persist
        super().__init__(**kwargs)
        if hasattr(output_field, "from_db_value"):
            self.from_db_value = output_field.from_db_value

    @property
    def db_returning(self) -> bool:
        return True

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["blank"]
        del kwargs["editable"]
        kwargs["db_persist"] = self.db_persist
        kwargs["expression"] = self.expression
        kwargs["output_field"] = self.output_field
        return name, path, args, kwargs

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only=private_only)
        if self.output_field.name is None:
            # Its messages name this column.
            self.output_field.set_attributes_from_name(name)

    # --- what the field of the result knows -----------------------------------------

    def get_internal_type(self) -> str:
        return self.output_field.get_internal_type()

    def get_lookup(self, lookup_name: str) -> Any:
        return self.output_field.get_lookup(lookup_name)

    def get_transform(self, lookup_name: str) -> Any:
        return self.output_field.get_transform(lookup_name)

    def to_python(self, value: Any) -> Any:
        return self.output_field.to_python(value)

    def get_prep_value(self, value: Any) -> Any:
        return self.output_field.get_prep_value(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return self.output_field.get_db_prep_value(value, connection, prepared)

    def db_type(self, connection: Any) -> str | None:
        return self.output_field.db_type(connection)

    def db_type_parameters(self, connection: Any) -> Mapping[str, Any]:
        return self.output_field.db_type_parameters(connection)

    def rel_db_type(self, connection: Any) -> str | None:
        return self.output_field.rel_db_type(connection)

    def cast_db_type(self, connection: Any) -> str | None:
        return self.output_field.cast_db_type(connection)

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        return self.output_field.db_parameters(connection)
