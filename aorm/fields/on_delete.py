"""What becomes of the objects that point to a deleted one: rules as data.

`operations/deletion.py` interprets them; the `DB_...` ones are carried out by the database, as
part of the foreign key constraint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aorm.errors import ProtectedError, RestrictedError


class OnDelete:
    """One rule.

    Attributes:
        name: what users import it as.
        sql: the `ON DELETE` clause of a rule of the database, else None.
        needs_null: the column has to be nullable.
        needs_default: the field has to have a default.
    """

    __slots__ = ("in_database", "name", "needs_default", "needs_null", "sql")

    def __init__(
        self,
        name: str,
        *,
        sql: str | None = None,
        needs_null: bool = False,
        needs_default: bool = False,
    ) -> None:
        self.name = name
        self.sql = sql
        self.in_database = sql is not None
        self.needs_null = needs_null
        self.needs_default = needs_default

    @property
    def __name__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return self.name

    def __copy__(self) -> OnDelete:
        return self

    def __deepcopy__(self, memo: Any) -> OnDelete:
        return self


class SetTo(OnDelete):
    """`SET(value)`: the foreign key gets this value, or what this callable returns."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        super().__init__("SET")
        self.value = value

    def resolve(self) -> Any:
        """The value of this moment."""
        return self.value() if callable(self.value) else self.value

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        return ("aorm.models.SET", (self.value,), {})

    def __repr__(self) -> str:
        return f"SET({self.value!r})"

    def __reduce__(self) -> Any:
        return (SetTo, (self.value,))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SetTo) and other.value == self.value

    def __hash__(self) -> int:
        return hash((SetTo, self.value if callable(self.value) else repr(self.value)))


def SET(value: Any | Callable[[], Any]) -> SetTo:
    """Set the foreign key to a value, or to what a callable returns at that time."""
    return SetTo(value)


CASCADE = OnDelete("CASCADE")
PROTECT = OnDelete("PROTECT")
RESTRICT = OnDelete("RESTRICT")
SET_NULL = OnDelete("SET_NULL", needs_null=True)
SET_DEFAULT = OnDelete("SET_DEFAULT", needs_default=True)
DO_NOTHING = OnDelete("DO_NOTHING")
DB_CASCADE = OnDelete("DB_CASCADE", sql="CASCADE")
DB_SET_NULL = OnDelete("DB_SET_NULL", sql="SET NULL", needs_null=True)
DB_SET_DEFAULT = OnDelete("DB_SET_DEFAULT", sql="SET DEFAULT", needs_default=True)

__all__ = [
    "CASCADE",
    "DB_CASCADE",
    "DB_SET_DEFAULT",
    "DB_SET_NULL",
    "DO_NOTHING",
    "PROTECT",
    "RESTRICT",
    "SET",
    "SET_DEFAULT",
    "SET_NULL",
    "OnDelete",
    "ProtectedError",
    "RestrictedError",
    "SetTo",
]
