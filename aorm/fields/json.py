"""JSON documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Unpack, overload

from aorm.errors import ValidationError
from aorm.fields.base import Field, N, is_expression
from aorm.late import json

if TYPE_CHECKING:
    from aorm.fields.keywords import JSONOptions

__all__ = ["JSONField"]


class JSONField(Field[Any, N]):
    """A JSON document: dictionaries, lists, texts, numbers, booleans and None.

    Args:
        encoder: a subclass of `json.JSONEncoder` for values of other types.
        decoder: a subclass of `json.JSONDecoder`.

    Raises:
        ValueError: one of these cannot be called.
    """

    internal_type = "JSONField"
    plain_types = frozenset({dict, list, str, int, float, bool})
    empty_strings_allowed = False
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "Value must be valid JSON.",
    }
    description = "A JSON object"

    #: Makes the transform of a key; the query layer puts it here.
    key_transform_factory: ClassVar[Any] = None

    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: N = ...,
        **options: Unpack[JSONOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: bool,
        **options: Unpack[JSONOptions],
    ) -> None: ...
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        encoder: Any = None,
        decoder: Any = None,
        **kwargs: Any,
    ) -> None:
        if encoder and not callable(encoder):
            raise ValueError("The encoder parameter must be a callable object.")
        if decoder and not callable(decoder):
            raise ValueError("The decoder parameter must be a callable object.")
        self.encoder = encoder
        self.decoder = decoder
        super().__init__(verbose_name, name, **kwargs)

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if self.encoder is not None:
            kwargs["encoder"] = self.encoder
        if self.decoder is not None:
            kwargs["decoder"] = self.decoder
        return name, path, args, kwargs

    def dumps(self, value: Any) -> str:
        """The document as text.

        Raises:
            TypeError: it has a value in it that the encoder does not know.
        """
        return json.dumps(value, cls=self.encoder)

    def loads(self, text: str | bytes) -> Any:
        """The document that a text holds."""
        return json.loads(text, cls=self.decoder)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """The document from the text that all drivers return for a JSON column."""
        if value is None:
            return None
        try:
            return self.loads(value)
        except json.JSONDecodeError:
            return value

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        # None is the null of SQL; that of JSON is an expression of its own.
        if value is None or is_expression(value):
            return value
        return self.get_db_prep_value(value, connection)

    def get_transform(self, lookup_name: str) -> Any:
        """The transform of this name, or that of a key."""
        found = super().get_transform(lookup_name)
        factory = type(self).key_transform_factory
        return factory(lookup_name) if found is None and factory is not None else found

    def validate(self, value: Any, model_instance: Any) -> None:
        super().validate(value, model_instance)
        if is_expression(value):
            return
        try:
            self.dumps(value)
        except TypeError:
            raise ValidationError(
                self.error_messages["invalid"], code="invalid", params={"value": value}
            ) from None

    def value_to_string(self, obj: Any) -> Any:
        return self.value_from_object(obj)
