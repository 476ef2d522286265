"""What an instance knows about its row: whether there is one, and in which database.

`_own_state`, where the instance has one, is what holds; else `_loaded`, which it shares with all
that came with it; else the instance is new.
"""

from __future__ import annotations

from typing import Any


def origin_of(instance: Any) -> Any:
    """What knows the database of an instance, without making a state for it; None if it is new."""
    held = instance.__dict__
    return held.get("_own_state") or held.get("_loaded")


def database_of(instance: Any) -> str | None:
    """The alias of the database that the instance's row is in, or None."""
    origin = origin_of(instance)
    db: str | None = None if origin is None else origin.db
    return db


def is_adding(instance: Any) -> bool:
    """Whether an instance has no row yet, as far as is known."""
    held = instance.__dict__
    state = held.get("_own_state")
    return held.get("_loaded") is None if state is None else state.adding
