"""What the objects of one fetch have in common."""

from __future__ import annotations

from typing import Any

from aorm.models.state import Loaded


def loaded_for(alias: str, fetch_mode: Any = None) -> Loaded:
    """The `Loaded` of a fetch from this database."""
    return Loaded(alias, None, fetch_mode)
