"""Texts by key: PostgreSQL's hstore, an extension that `create_extension("hstore")` installs."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from aorm.contrib.postgres.fields.array import ArrayField
from aorm.contrib.postgres.lookups import (
    ContainedBy,
    DataContains,
    HasAnyKeys,
    HasKey,
    HasKeys,
)
from aorm.errors import ValidationError
from aorm.fields.base import Field
from aorm.fields.text import TextField
from aorm.query.conditions import Argument
from aorm.query.expressions import Param, Transform
from aorm.query.lookups import Converter
from aorm.sql.dialect import Adapter, Conversion, Dialect

__all__ = ["HStoreField", "KeyTransform"]

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})
_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"=>(?:NULL|"((?:[^"\\]|\\.)*)")', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class HStoreField(Field[Any]):
    """A dictionary whose keys are texts and whose values are texts or None."""

    takes_collections = True
    empty_strings_allowed = False
    description = "Map of strings to strings/nulls"
    default_error_messages: ClassVar[dict[str, Any]] = {
        "not_a_string": "The value of “%(key)s” is not a string or null.",
    }

    def get_internal_type(self) -> str:
        return "HStoreField"

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if path == f"{__name__}.HStoreField":
            path = "aorm.contrib.postgres.fields.HStoreField"
        return name, path, args, kwargs

    def db_type(self, connection: Any) -> str:
        return "hstore"

    def parameter_type(self, connection: Any) -> str | None:
        return "hstore" if connection.vendor == "postgresql" else None

    def get_transform(self, lookup_name: str) -> Any:
        """The transform of this name, or that of a key."""
        return super().get_transform(lookup_name) or KeyTransformFactory(lookup_name)

    # --- values ---------------------------------------------------------------------

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def validate(self, value: Any, model_instance: Any) -> None:
        super().validate(value, model_instance)
        for key, item in value.items():
            if not isinstance(item, str) and item is not None:
                raise ValidationError(
                    self.error_messages["not_a_string"], code="not_a_string", params={"key": key}
                )

    def value_to_string(self, obj: Any) -> str:
        return json.dumps(self.value_from_object(obj), ensure_ascii=False)

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if isinstance(value, dict):
            return {str(k): None if v is None else str(v) for k, v in value.items()}
        return value

    def adapter_for(self, dialect: Dialect) -> Adapter:
        """What makes the text of a dictionary."""
        return hstore_text

    def conversion_for(self, dialect: Dialect) -> Conversion:
        """What reads the text, which all drivers give for an extension's type."""
        return Conversion("dictionary({0})", {"dictionary": dictionary}, dictionary)


def hstore_text(value: Any) -> Any:
    """A dictionary as PostgreSQL writes it (documentation, F.16.1)."""
    if not isinstance(value, dict):
        return value
    return ", ".join(
        f"{_quoted(str(key))}=>{'NULL' if item is None else _quoted(str(item))}"
        for key, item in value.items()
    )


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def dictionary(text: Any) -> Any:
    """The dictionary that a text says; a value of another class as it is."""
    if not isinstance(text, str):
        return text
    return {
        _plain(found[1]): None if found[2] is None else _plain(found[2])
        for found in _PAIR.finditer(text)
    }


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


# --- lookups ----------------------------------------------------------------------

_TEXTS = ArrayField(TextField())

HStoreField.register_lookup(DataContains)
HStoreField.register_lookup(ContainedBy)


@HStoreField.register_lookup
class HStoreHasKey(HasKey):
    """Whether there is this key, given as anything that is a text."""

    def converter(self, sample: Any) -> Converter | None:
        return None if type(sample) is str else str


def _keys(value: Any) -> list[str]:
    return [str(key) for key in value]


class _Keys:
    """A lookup whose value is a list of keys."""

    def accept(self, given: Argument) -> Any:
        given.use(_keys)
        kinds = frozenset(map(type, given.sample))
        return Param(given.slot, _TEXTS, (list, kinds), typed=False)


@HStoreField.register_lookup
class HStoreHasKeys(_Keys, HasKeys):
    pass


@HStoreField.register_lookup
class HStoreHasAnyKeys(_Keys, HasAnyKeys):
    pass


# --- transforms -------------------------------------------------------------------


class KeyTransform(Transform):
    """The text under a key, which is bound as a value."""

    def __init__(self, key_name: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.key_name = str(key_name)

    def _resolve_output_field(self) -> Any:
        return TextField()

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> tuple[str, list[Any]]:
        sql, params = compiler.compile(self.lhs)
        return f"({sql} -> %s)", [*params, self.key_name]


class KeyTransformFactory:
    """Makes the transform of one key."""

    def __init__(self, key_name: str) -> None:
        self.key_name = key_name

    def __call__(self, *args: Any, **kwargs: Any) -> KeyTransform:
        return KeyTransform(self.key_name, *args, **kwargs)


class _Texts(Transform):
    def _resolve_output_field(self) -> Any:
        return _TEXTS


@HStoreField.register_lookup
class KeysTransform(_Texts):
    """All keys, as an array."""

    lookup_name = "keys"
    function = "akeys"


@HStoreField.register_lookup
class ValuesTransform(_Texts):
    """All values, as an array."""

    lookup_name = "values"
    function = "avals"
