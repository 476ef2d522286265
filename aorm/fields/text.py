"""Texts and the kinds of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Unpack, overload

from aorm.fields.base import Field, N, is_expression
from aorm.functional import Promise
from aorm.validators import (
    MaxLengthValidator,
    URLValidator,
    validate_email,
    validate_slug,
    validate_unicode_slug,
)

if TYPE_CHECKING:
    from aorm.fields.keywords import SlugOptions, TextOptions

__all__ = ["CharField", "EmailField", "SlugField", "TextField", "URLField"]


class _StringField(Field[str, N]):
    """What the fields of texts have in common."""

    plain_types = frozenset({str})
    #: What `max_length` is where it is not given.
    default_max_length: ClassVar[int | None] = None

    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: N = ...,
        **options: Unpack[TextOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: bool,
        **options: Unpack[TextOptions],
    ) -> None: ...
    def __init__(self, *args: Any, db_collation: str | None = None, **kwargs: Any) -> None:
        self.db_collation = db_collation
        if self.default_max_length is not None:
            kwargs.setdefault("max_length", self.default_max_length)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if self.db_collation:
            kwargs["db_collation"] = self.db_collation
        return name, path, args, kwargs

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        return {**super().db_parameters(connection), "collation": self.db_collation}

    def to_python(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else str(value)

    def get_prep_value(self, value: Any) -> Any:
        if type(value) is str or value is None or is_expression(value):
            return value
        if isinstance(value, Promise):
            value = value._cast()
        value = self.to_python(value)
        # Drivers look at the exact type: an enumeration's text is to be a text for them.
        return str.__str__(value) if isinstance(value, str) else value


class CharField(_StringField[N]):
    """A text.

    Args:
        max_length: the greatest number of characters; None where the database has no limit.
        db_collation: the column's collation.
    """

    internal_type = "CharField"
    description = "String (up to %(max_length)s)"

    def _own_validators(self) -> Iterable[Callable[[Any], None]]:
        return [] if self.max_length is None else [MaxLengthValidator(self.max_length)]


class TextField(_StringField[N]):
    """A text of any length; `max_length` is for forms alone."""

    internal_type = "TextField"
    description = "Text"


class EmailField(CharField[N]):
    """An e-mail address."""

    default_max_length = 254
    default_validators = (validate_email,)
    description = "Email address"


class URLField(CharField[N]):
    """A URL."""

    default_max_length = 200
    default_validators = (URLValidator(),)
    description = "URL"

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if self.max_length == self.default_max_length:
            del kwargs["max_length"]
        return name, path, args, kwargs


class SlugField(CharField[N]):
    """Letters, digits, underscores and hyphens; has an index unless `db_index=False`.

    Args:
        allow_unicode: whether letters and digits of all alphabets are accepted.
    """

    internal_type = "SlugField"
    default_max_length = 50
    default_validators = (validate_slug,)

    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: N = ...,
        **options: Unpack[SlugOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: bool,
        **options: Unpack[SlugOptions],
    ) -> None: ...
    def __init__(
        self, *args: Any, db_index: bool = True, allow_unicode: bool = False, **kwargs: Any
    ) -> None:
        self.allow_unicode = allow_unicode
        if allow_unicode:
            self.default_validators = (validate_unicode_slug,)
        super().__init__(*args, db_index=db_index, **kwargs)

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if self.max_length == self.default_max_length:
            del kwargs["max_length"]
        if kwargs.pop("db_index", False) is not True:
            kwargs["db_index"] = False
        if self.allow_unicode:
            kwargs["allow_unicode"] = True
        return name, path, args, kwargs
