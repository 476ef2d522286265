"""Keys and contents of JSON documents.

1. A name behind a JSON field is a key, and an index where it is an integer: `data__owner__0`.
   Keys are part of the structure of a query, but never of its text: they are bound.
2. None compares with the null of JSON (as `JSONNull()` does); the NULL of SQL is `isnull`.
3. `KeyTransform` gives a part as JSON, `KeyTextTransform` (and `KT`) as text.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

from aorm.errors import QueryTypeError, QueryValueError
from aorm.fields.json import JSONField
from aorm.fields.text import TextField
from aorm.query import lookups
from aorm.query.conditions import Argument
from aorm.query.expressions import Param, Slots, Transform, Value
from aorm.query.lookups import Converter
from aorm.query.paths import LOOKUP_SEP

__all__ = [
    "KT",
    "ContainedBy",
    "DataContains",
    "HasAnyKeys",
    "HasKey",
    "HasKeys",
    "JSONExact",
    "JSONIn",
    "JSONNull",
    "KeyTextTransform",
    "KeyTransform",
    "KeyTransformExact",
    "KeyTransformFactory",
    "KeyTransformIn",
    "KeyTransformIsNull",
    "KeyTransformTextLookupMixin",
]

_JSON, _TEXT = JSONField(), TextField()
_INDEX = r"-?[0-9]+"


class JSONNull(Value):
    """The null of JSON, which is not the NULL of SQL."""

    def __init__(self) -> None:
        super().__init__(None, output_field=_JSON)

    def _make_shape(self) -> Hashable:
        return (JSONNull,)

    def collect(self, values: list[Any]) -> None:
        """It brings no value: it is structure."""

    def parametrised(self, slots: Slots) -> Any:
        return self

    def resolve(self, scope: Any) -> Any:
        return self

    def relabeled(self, aliases: dict[str, str]) -> Any:
        return self

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        return "aorm.models.JSONNull", (), {}

    def __repr__(self) -> str:
        return "JSONNull()"


# --- keys ---------------------------------------------------------------------------------


class KeyTransform(Transform):
    """The part of a JSON document under a key or an index, as JSON."""

    def __init__(self, key_name: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.key_name = str(key_name)

    def _resolve_output_field(self) -> Any:
        field = self.lhs._output_field_or_none
        return field if isinstance(field, JSONField) else _JSON

    @property
    def keys(self) -> tuple[Any, list[str]]:
        """The document, and the keys that lead from it to here."""
        source, keys = self.lhs, [self.key_name]
        while isinstance(source, KeyTransform):
            keys.insert(0, source.key_name)
            source = source.lhs
        return source, keys

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        """In the results of a query it is JSON text, so that every value can be told."""
        if compiler.draft.subquery or not isinstance(self.output_field, JSONField):
            return super().select_format(compiler, sql, params)
        return compiler.renderer(SelectedKey)(self, compiler)  # type: ignore[no-any-return]


class SelectedKey:
    """How a part of a document is spelt in the results of a query."""


class KeyTextTransform(KeyTransform):
    """The part of a JSON document under a key or an index, as text."""

    def _resolve_output_field(self) -> Any:
        return _TEXT

    @classmethod
    def from_lookup(cls, lookup: str) -> KeyTextTransform:
        """The text under the keys of a name such as `data__owner__name`.

        Raises:
            ValueError: there is no key in it.
        """
        transform, *keys = lookup.split(LOOKUP_SEP)
        if not keys:
            raise QueryValueError("Lookup must contain key or index transforms.")
        found: Any = transform
        for key in keys:
            found = cls(key, found)
        return found  # type: ignore[no-any-return]


KT = KeyTextTransform.from_lookup


def index_of(key: str) -> int | None:
    """The index that a key is; None where it is a name."""
    return int(key) if re.fullmatch(_INDEX, key) else None


class KeyTransformFactory:
    """Makes the transform of one key."""

    def __init__(self, key_name: str) -> None:
        self.key_name = key_name

    def __call__(self, *args: Any, **kwargs: Any) -> KeyTransform:
        return KeyTransform(self.key_name, *args, **kwargs)


JSONField.key_transform_factory = KeyTransformFactory


# --- whole documents ------------------------------------------------------------------------


class JSONOperand:
    """A lookup whose value is a JSON document, of any kind."""

    lhs: Any

    def converter(self, sample: Any) -> Converter | None:
        field = self.lhs._output_field_or_none
        prepare = getattr(field, "get_prep_value", None)
        if prepare is None or type(field).get_prep_value is JSONField.get_prep_value:
            return None
        return prepare  # type: ignore[no-any-return]

    def list_converter(self, sample: Any, kinds: frozenset[type]) -> Converter:
        return lookups.list_converter(self.converter(sample), kinds)

    def accept_item(self, given: Argument) -> Any:
        return self._param(given, self.converter(given.sample))  # type: ignore[attr-defined]


@JSONField.register_lookup
class JSONExact(JSONOperand, lookups.Exact):
    can_use_none_as_rhs = True
    rhs_is_none = False

    def accept(self, given: Argument) -> Any:
        if given.sample is None:
            given.use(None)
            self.rhs_is_none = True
            return JSONNull()
        return super().accept(given)


@JSONField.register_lookup
class JSONIn(JSONOperand, lookups.In):
    pass


@JSONField.register_lookup
class DataContains(JSONOperand, lookups.BuiltinLookup):
    """Whether the document has all that is in the other one."""

    lookup_name = "contains"


@JSONField.register_lookup
class ContainedBy(JSONOperand, lookups.BuiltinLookup):
    """Whether the other document has all that is in this one."""

    lookup_name = "contained_by"


# --- has keys ---------------------------------------------------------------------------------


class HasKeyLookup(lookups.BuiltinLookup):
    """Whether an object has a key; `key` is one that belongs to the structure."""

    prepare_rhs = False
    key: str | None = None

    def __init__(self, lhs: Any, rhs: Any) -> None:
        super().__init__(lhs, rhs)
        if isinstance(rhs, KeyTransform):
            self._settle()

    def _settle(self) -> None:
        rhs = self.rhs
        if not isinstance(rhs, KeyTransform):
            super()._settle()
            return
        # A path on the right side says where to look, whatever document it begins with.
        _, (*path, self.key) = rhs.keys
        for key in path:
            self.lhs = KeyTransform(key, self.lhs)
        self.rhs = None

    def accept(self, given: Argument) -> Any:
        try:
            key = _simple_key(given.sample)
        except lookups.OutOfRange:
            given.volatile = True
            self.key = str(given.sample)
            return None
        given.use(_simple_key)
        return Param(given.slot, _TEXT, type(key), typed=False)


@JSONField.register_lookup
class HasKey(HasKeyLookup):
    lookup_name = "has_key"


class HasKeyOrArrayIndex(HasKey):
    """Whether there is such a key or index."""


class HasKeysLookup(HasKeyLookup):
    """Whether an object has keys of a list; `keys` are those that belong to the structure."""

    keys: tuple[str, ...] | None = None

    def accept(self, given: Argument) -> Any:
        kinds: frozenset[type] = frozenset(map(type, given.sample))
        try:
            _simple_keys(given.sample)
        except lookups.OutOfRange:
            given.volatile = True
            self.keys = tuple(map(str, given.sample))
            return None
        given.use(_simple_keys)
        return Param(given.slot, _TEXT, (list, kinds), typed=False)


def _simple_key(key: Any) -> str:
    """The key as a text; OutOfRange for one that cannot stand in every database's paths."""
    text = str(key)
    if '"' in text:
        raise lookups.OutOfRange
    return text


def _simple_keys(keys: Any) -> list[str]:
    return [_simple_key(key) for key in keys]


@JSONField.register_lookup
class HasKeys(HasKeysLookup):
    lookup_name = "has_keys"


@JSONField.register_lookup
class HasAnyKeys(HasKeysLookup):
    lookup_name = "has_any_keys"


# --- lookups of a key's value -------------------------------------------------------------------


class KeyTransformTextLookupMixin:
    """A lookup of the text under a key."""

    def __init__(self, key_transform: Any, *args: Any, **kwargs: Any) -> None:
        if not isinstance(key_transform, KeyTransform):
            raise QueryTypeError(
                "Transform should be an instance of KeyTransform in order to use this lookup."
            )
        text = KeyTextTransform(
            key_transform.key_name, *key_transform.source_expressions, **key_transform.extra
        )
        super().__init__(text, *args, **kwargs)  # type: ignore[call-arg]


@KeyTransform.register_lookup
class KeyTransformExact(JSONExact):
    pass


@KeyTransform.register_lookup
class KeyTransformIn(JSONIn):
    pass


@KeyTransform.register_lookup
class KeyTransformIsNull(lookups.IsNull):
    """`isnull=False` says that there is such a key, whatever its value."""


@KeyTransform.register_lookup
class KeyTransformIExact(KeyTransformTextLookupMixin, lookups.IExact):
    can_use_none_as_rhs = True

    def __new__(cls, lhs: Any = None, rhs: Any = None) -> Any:
        # Case says nothing about a null.
        if type(rhs) is Argument and rhs.sample is None:
            return KeyTransformExact(lhs, rhs)
        return super().__new__(cls)


@KeyTransform.register_lookup
class KeyTransformIContains(KeyTransformTextLookupMixin, lookups.IContains):
    pass


@KeyTransform.register_lookup
class KeyTransformStartsWith(KeyTransformTextLookupMixin, lookups.StartsWith):
    pass


@KeyTransform.register_lookup
class KeyTransformIStartsWith(KeyTransformTextLookupMixin, lookups.IStartsWith):
    pass


@KeyTransform.register_lookup
class KeyTransformEndsWith(KeyTransformTextLookupMixin, lookups.EndsWith):
    pass


@KeyTransform.register_lookup
class KeyTransformIEndsWith(KeyTransformTextLookupMixin, lookups.IEndsWith):
    pass


@KeyTransform.register_lookup
class KeyTransformRegex(KeyTransformTextLookupMixin, lookups.Regex):
    pass


@KeyTransform.register_lookup
class KeyTransformIRegex(KeyTransformTextLookupMixin, lookups.IRegex):
    pass


class KeyOrder(JSONOperand):
    """A comparison of order with the value under a key."""


@KeyTransform.register_lookup
class KeyTransformLt(KeyOrder, lookups.LessThan):
    pass


@KeyTransform.register_lookup
class KeyTransformLte(KeyOrder, lookups.LessThanOrEqual):
    pass


@KeyTransform.register_lookup
class KeyTransformGt(KeyOrder, lookups.GreaterThan):
    pass


@KeyTransform.register_lookup
class KeyTransformGte(KeyOrder, lookups.GreaterThanOrEqual):
    pass
