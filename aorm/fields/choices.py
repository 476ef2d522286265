"""The forms in which choices may be given, and their one canonical form.

Canonical: a list of `(value, label)` and `(group, [(value, label), ...])`.  Given may be an
enumeration of `Choices`, a mapping, an iterable of pairs, groups of these, or a function without
arguments that returns any of them and is called each time the choices are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from aorm.fields.enums import ChoicesType
from aorm.functional import Promise


class CallableChoiceIterator:
    """Choices that a function gives anew each time they are looked at."""

    def __init__(self, func: Callable[[], Any]) -> None:
        self.func = func

    def _listed(self) -> list[Any]:
        found = normalize_choices(self.func())
        return found if isinstance(found, list) else list(found)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._listed())

    def __getitem__(self, index: Any) -> Any:
        return self._listed()[index]

    def __len__(self) -> int:
        return len(self._listed())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CallableChoiceIterator):
            return self.func == other.func
        return isinstance(other, list | tuple) and self._listed() == list(other)

    def __hash__(self) -> int:
        return hash(self.func)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.func!r})"


def normalize_choices(value: Any) -> Any:
    """The canonical form of choices; what is no form of choices is returned as it is."""
    if value is None or isinstance(value, str | bytes | Promise | CallableChoiceIterator):
        return value
    if isinstance(value, ChoicesType):
        return value.choices
    if isinstance(value, Mapping):
        return [_normalize_item(item) for item in value.items()]
    if callable(value):
        return CallableChoiceIterator(value)
    if isinstance(value, Iterable):
        return [_normalize_item(item) for item in value]
    return value


def _normalize_item(item: Any) -> Any:
    if isinstance(item, str | bytes | Promise):
        return item
    try:
        first, second = item
    except (TypeError, ValueError):
        return item
    if isinstance(second, list | tuple | Mapping | Iterator | ChoicesType):
        return (first, normalize_choices(second))
    return (first, second)


def flatten_choices(choices: Any) -> Iterator[tuple[Any, Any]]:
    """All `(value, label)`, those in groups too; labels are not evaluated."""
    for value, label in choices or ():
        if isinstance(label, list | tuple):
            yield from label
        else:
            yield value, label


def choices_problem(choices: Any) -> str | None:
    """What is wrong with canonical choices, or None."""
    if isinstance(choices, CallableChoiceIterator):
        return None
    if isinstance(choices, str) or not isinstance(choices, Iterable):
        return "'choices' must be a mapping (e.g. a dictionary) or an ordered iterable of pairs."
    for item in choices:
        pairs = item[1] if _is_pair(item) and isinstance(item[1], list) else [item]
        if not all(_is_pair(pair) for pair in pairs):
            return (
                "'choices' must be a mapping of actual values to human readable names or an "
                f"iterable containing (actual value, human readable name) tuples, not {item!r}."
            )
    return None


def _is_pair(item: Any) -> bool:
    return isinstance(item, list | tuple) and len(item) == 2
