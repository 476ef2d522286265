"""How the rows of one fetch become objects, as far as the models have a say."""

from __future__ import annotations

from typing import Any

from aorm.conf import settings
from aorm.fields.kinds import Kinds
from aorm.fields.registry import hooks
from aorm.models.base import Model
from aorm.models.construct import has_plain_init
from aorm.models.fetch_modes import FETCH_PEERS
from aorm.models.state import Loaded
from aorm.operations.signals import post_init, pre_init

_FROM_DB = Model.from_db.__func__  # type: ignore[attr-defined]


def loaded_for(alias: str, fetch_mode: Any = None) -> Loaded:
    """The `Loaded` of a fetch from this database."""
    return Loaded(alias, None, fetch_mode or settings.FETCH_MODE or FETCH_PEERS)


def loads_plainly(model: Any) -> bool:
    """Whether no constructor, signal or `from_db` of the user's runs when an object is loaded."""
    if pre_init.receivers or post_init.receivers:
        return False
    kinds = model._meta.kinds
    if kinds is not None:
        # The row says which of these is made.
        return all(_is_plain(each) for each in (model, *kinds.classes.values()))
    return _is_plain(model)


def _is_plain(model: Any) -> bool:
    found: bool | None = model.__dict__.get("_loads_plainly")
    if found is None:
        found = (
            has_plain_init(model)
            and model.from_db.__func__ is _FROM_DB
            and model.__new__ is object.__new__
        )
        model._loads_plainly = found
    return found


def generation() -> int:
    """Counts the changes of what decides how objects are made."""
    return pre_init.generation + post_init.generation + Kinds.generation


hooks.loads_plainly = loads_plainly
hooks.generation = generation
