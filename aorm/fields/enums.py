"""Enumerations whose members are the choices of a field.

    class Suit(IntegerChoices):
        SPADE = 1, "Spade"
        HEART = 2            # its label is "Heart", made from the name

A last text beside the value is the label; `__empty__` is the label of the blank choice.
"""

from __future__ import annotations

import enum
from typing import Any

from aorm.functional import Promise

__all__ = ["Choices", "ChoicesType", "IntegerChoices", "TextChoices"]


class ChoicesType(enum.EnumType):
    """The class of enumerations of choices."""

    def __new__(
        metacls, name: str, bases: tuple[type, ...], namespace: Any, **options: Any
    ) -> ChoicesType:
        labels = []
        for key in namespace._member_names:
            member = namespace[key]
            if isinstance(member, list | tuple) and len(member) > 1 and _is_text(member[-1]):
                *values, label = member
                value = values[0] if len(values) == 1 else tuple(values)
            else:
                value, label = member, key.replace("_", " ").title()
            labels.append(label)
            # The namespace of an enumeration refuses to be given a name twice.
            dict.__setitem__(namespace, key, value)
        cls: Any = super().__new__(metacls, name, bases, namespace, **options)
        for member, label in zip(cls.__members__.values(), labels, strict=True):
            member._label_ = label
        return enum.unique(cls)  # type: ignore[no-any-return]

    def _members(cls) -> list[Any]:
        return list(cls.__members__.values())

    @property
    def names(cls) -> list[str]:
        """The names of the members, before them `__empty__` where there is one."""
        empty = ["__empty__"] if hasattr(cls, "__empty__") else []
        return empty + [member.name for member in cls._members()]

    @property
    def choices(cls) -> list[tuple[Any, Any]]:
        """Pairs of value and label, before them that of None where there is `__empty__`."""
        empty = [(None, cls.__empty__)] if hasattr(cls, "__empty__") else []
        return empty + [(member.value, member.label) for member in cls._members()]

    @property
    def labels(cls) -> list[Any]:
        """The labels, in the order of `choices`."""
        return [label for _, label in cls.choices]

    @property
    def values(cls) -> list[Any]:
        """The values, in the order of `choices`."""
        return [value for value, _ in cls.choices]

    def __contains__(cls, member: object) -> bool:
        # Python 3.11 knows only members; later versions know their values as well.
        if not isinstance(member, enum.Enum):
            return any(known.value == member for known in cls._members())
        return super().__contains__(member)


class Choices(enum.Enum, metaclass=ChoicesType):
    """The base of all enumerations of choices; mix in the type of the values."""

    _label_: Any

    @enum.property
    def label(self) -> Any:
        """The text for people."""
        return self._label_

    # A template engine that calls what is callable would call the class.
    do_not_call_in_templates = enum.nonmember(True)

    def __str__(self) -> str:
        return str(self.value)

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}.{self.name}"


class IntegerChoices(int, Choices):
    """Choices whose values are integers."""


class TextChoices(str, Choices):
    """Choices whose values are texts; `auto()` is the member's name."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[Any]) -> str:
        return name


def _is_text(value: Any) -> bool:
    return isinstance(value, str | Promise)
