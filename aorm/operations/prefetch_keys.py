"""The values by which prefetched objects and instances find each other.

A loop over all objects is generated once for each key of a model: it reads attributes where they
are, without a call for each object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from aorm.generated import getting

_SOURCE = """\
def values(objects):
    return [{key} for o in objects]

def grouped(objects):
    groups = {{}}
    before = found = None
    for o in objects:
        key = {key}
        # Rows of one key mostly follow each other.
        if found is not None and key == before:
            found.append(o)
        elif key in groups:
            found = groups[before := key]
            found.append(o)
        else:
            groups[before := key] = found = [o]
    return groups
"""


class Key:
    """The value of an attribute of an object, or a tuple of several.

    Attributes:
        values: a function that lists the keys of many objects.
        grouped: a function that gives the objects of each key.
    """

    __slots__ = ("_of", "grouped", "values")

    def __init__(self, names: Sequence[str]) -> None:
        self._of = attrgetter(*names)
        key = ", ".join(getting("o", name) for name in names)
        space: dict[str, Any] = {}
        exec(_SOURCE.format(key=key if len(names) == 1 else f"({key})"), space)
        self.values: Callable[[Iterable[Any]], list[Any]] = space["values"]
        self.grouped: Callable[[Iterable[Any]], dict[Any, list[Any]]] = space["grouped"]

    def __call__(self, each: Any) -> Any:
        return self._of(each)


def key_named(model: Any, names: Iterable[str]) -> Key:
    """The key that these attributes of a model's objects are, made once."""
    derived = model._meta.derived
    attributes = tuple(names)
    found: Key | None = derived.get((Key, attributes))
    if found is None:
        found = derived[Key, attributes] = Key(attributes)
    return found


def key_of(fields: Sequence[Any]) -> Key:
    """The key that the columns of these fields of one model are."""
    return key_named(fields[0].model, [field.attname for field in fields])


def distinct(keys: list[Any]) -> list[Any]:
    """The keys that a row can have, each once."""
    different = set(keys)
    # Mostly they are, and this is the shorter way to find out.
    if len(different) == len(keys) and None not in different:
        return keys
    return [key for key in dict.fromkeys(keys) if key is not None]


def values_of(key: Callable[[Any], Any], objects: Sequence[Any]) -> list[Any]:
    """The keys of objects, of whatever kind the function is that gives one."""
    return key.values(objects) if type(key) is Key else list(map(key, objects))


def grouped(key: Callable[[Any], Any], objects: Sequence[Any]) -> dict[Any, list[Any]]:
    """The objects of each key, in their order."""
    if type(key) is Key:
        return key.grouped(objects)
    groups: dict[Any, list[Any]] = {}
    for each in objects:
        groups.setdefault(key(each), []).append(each)
    return groups
