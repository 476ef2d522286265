"""`Record`: small values with named parts."""

from __future__ import annotations

from typing import Any, ClassVar, Self, dataclass_transform

__all__ = ["Record"]


@dataclass_transform(frozen_default=True)
class Record:
    """A value that consists of the parts that its class annotates, in their order.

        class Point(Record):
            x: int
            y: int = 0

    It is used as a frozen dataclass is.  Dataclasses and named tuples compile code for each class,
    which takes twenty times as long as the class itself, and every import would pay it.
    """

    _parts: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        own = (name for name, kind in cls.__annotations__.items() if "ClassVar" not in kind)
        cls._parts = (*cls._parts, *own)

    def __init__(self, *values: Any, **named: Any) -> None:
        self.__dict__.update(zip(self._parts, values), **named)  # noqa: B905 - some are named

    def replaced(self, **changes: Any) -> Self:
        """The same value with other parts of these names."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, **changes)
        return twin

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._parts)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._parts)
        return f"{type(self).__name__}({parts})"
