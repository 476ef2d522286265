"""Validators of arrays, ranges and hstores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aorm.errors import ValidationError
from aorm.validators import (
    Counted,
    MaxLengthValidator,
    MaxValueValidator,
    MinLengthValidator,
    MinValueValidator,
)

__all__ = [
    "ArrayMaxLengthValidator",
    "ArrayMinLengthValidator",
    "KeysValidator",
    "RangeMaxValueValidator",
    "RangeMinValueValidator",
]


class ArrayMaxLengthValidator(MaxLengthValidator):
    """Refuses longer lists."""

    message = Counted(
        "List contains %(show_value)d item, it should contain no more than %(limit_value)d.",
        "List contains %(show_value)d items, it should contain no more than %(limit_value)d.",
        "show_value",
    )


class ArrayMinLengthValidator(MinLengthValidator):
    """Refuses shorter lists."""

    message = Counted(
        "List contains %(show_value)d item, it should contain no fewer than %(limit_value)d.",
        "List contains %(show_value)d items, it should contain no fewer than %(limit_value)d.",
        "show_value",
    )


class RangeMaxValueValidator(MaxValueValidator):
    """Refuses ranges that go beyond a value, or have no upper bound."""

    message = "Ensure that the upper bound of the range is not greater than %(limit_value)s."

    def compare(self, value: Any, limit: Any) -> bool:
        return value.upper is None or bool(value.upper > limit)


class RangeMinValueValidator(MinValueValidator):
    """Refuses ranges that begin before a value, or have no lower bound."""

    message = "Ensure that the lower bound of the range is not less than %(limit_value)s."

    def compare(self, value: Any, limit: Any) -> bool:
        return value.lower is None or bool(value.lower < limit)


class KeysValidator:
    """Refuses dictionaries without certain keys.

    Args:
        keys: what has to be there.
        strict: refuse other keys.
        messages: texts by code, `missing_keys` and `extra_keys`.
    """

    messages: Mapping[str, Any] = {
        "missing_keys": "Some keys were missing: %(keys)s",
        "extra_keys": "Some unknown keys were provided: %(keys)s",
    }

    def __init__(
        self, keys: Iterable[str], strict: bool = False, messages: Mapping[str, Any] | None = None
    ) -> None:
        self._given = {"keys": keys, "strict": strict, "messages": messages}
        self.keys = set(keys)
        self.strict = strict
        if messages is not None:
            self.messages = {**self.messages, **messages}

    def __call__(self, value: Mapping[str, Any]) -> None:
        self._refuse("missing_keys", self.keys - set(value))
        if self.strict:
            self._refuse("extra_keys", set(value) - self.keys)

    def _refuse(self, code: str, keys: set[str]) -> None:
        if keys:
            shown = {"keys": ", ".join(sorted(keys))}
            raise ValidationError(self.messages[code], code=code, params=shown)

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """What makes this validator again: the path of its class, args and kwargs."""
        given = {name: value for name, value in self._given.items() if value is not None}
        if not self.strict:
            given.pop("strict")
        return f"{type(self).__module__}.{type(self).__qualname__}", (), given

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeysValidator):
            return NotImplemented
        return (self.keys, self.strict, dict(self.messages)) == (
            other.keys,
            other.strict,
            dict(other.messages),
        )

    def __hash__(self) -> int:
        return hash((frozenset(self.keys), self.strict))
