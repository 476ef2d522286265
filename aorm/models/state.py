"""Where an instance comes from, and whether it has a row yet.

1. What one fetch loaded shares one `Loaded`; an instance gets a state of its own only when
   somebody looks at `_state`.
2. What the two say together: `aorm.operations.origins`.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, MutableMapping
from typing import Any

PREFETCHED = "_prefetched_objects_cache"


class Deferred:
    """Stands for a value that was not loaded."""

    def __repr__(self) -> str:
        return "<Deferred field>"

    def __str__(self) -> str:
        return "<Deferred field>"

    def __reduce__(self) -> str:
        return "DEFERRED"


DEFERRED = Deferred()


class Loaded:
    """What the instances of one fetch have in common."""

    __slots__ = ("db", "fetch_mode", "peers")

    def __init__(self, db: str | None, peers: Any = None, fetch_mode: Any = None) -> None:
        self.db = db
        self.peers = peers
        self.fetch_mode = fetch_mode

    def of_relation(self) -> Loaded:
        """The same for the objects of a relation that are in the same rows."""
        return Loaded(self.db, None, self.fetch_mode)

    def __reduce__(self) -> Any:
        # Peers are weak references into this process.
        return (Loaded, (self.db, None, self.fetch_mode))

    def __copy__(self) -> Loaded:
        return Loaded(self.db, None, self.fetch_mode)

    def __deepcopy__(self, memo: Any) -> Loaded:
        return self.__copy__()


class FieldsCache(MutableMapping[str, Any]):
    """The related objects that an instance keeps, by the name of the relation."""

    __slots__ = ("_held",)

    def __init__(self, held: dict[str, Any]) -> None:
        self._held = held

    def __getitem__(self, name: str) -> Any:
        try:
            return self._held[f"_{name}_cache"]
        except KeyError:
            raise KeyError(name) from None

    def __setitem__(self, name: str, value: Any) -> None:
        self._held[f"_{name}_cache"] = value

    def __delitem__(self, name: str) -> None:
        try:
            del self._held[f"_{name}_cache"]
        except KeyError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        for name in list(self._held):
            if name.startswith("_") and name.endswith("_cache") and name != PREFETCHED:
                yield name[1 : -len("_cache")]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))


class ModelState:
    """`instance._state`: `adding` (it has no row yet), `db` (where its row is), and how to load.

    `fields_cache` shows the related objects that the instance keeps.
    """

    __slots__ = ("_owner", "adding", "db", "fetch_mode", "peers")

    def __init__(
        self,
        owner: Any = None,
        adding: bool = True,
        db: str | None = None,
        fetch_mode: Any = None,
        peers: Any = (),
    ) -> None:
        # Weakly: the instance holds its state.
        self._owner = None if owner is None else weakref.ref(owner)
        self.adding = adding
        self.db = db
        self.fetch_mode = fetch_mode
        self.peers = peers

    @property
    def fields_cache(self) -> MutableMapping[str, Any]:
        owner = None if self._owner is None else self._owner()
        return FieldsCache({} if owner is None else owner.__dict__)

    def __reduce__(self) -> Any:
        return (ModelState, (None, self.adding, self.db, self.fetch_mode))

    def __copy__(self) -> ModelState:
        return ModelState(None, self.adding, self.db, self.fetch_mode)

    def __deepcopy__(self, memo: Any) -> ModelState:
        return self.__copy__()

    def __repr__(self) -> str:
        return f"<ModelState: adding={self.adding}, db={self.db!r}>"


def own_state(instance: Any) -> ModelState:
    """The instance's own state, made of what is known when there is none."""
    held = instance.__dict__
    state: ModelState | None = held.get("_own_state")
    if state is None:
        loaded: Loaded | None = held.get("_loaded")
        if loaded is None:
            state = ModelState(instance)
        else:
            peers = loaded.peers or ()
            state = ModelState(instance, False, loaded.db, loaded.fetch_mode, peers)
        held["_own_state"] = state
    elif state._owner is None:
        state._owner = weakref.ref(instance)
    return state


def mark_saved(instance: Any, db: str) -> None:
    """Note that the instance's row is in this database."""
    held = instance.__dict__
    state: ModelState | None = held.get("_own_state")
    if state is not None:
        state.adding = False
        state.db = db
        return
    loaded: Loaded | None = held.get("_loaded")
    if loaded is None or loaded.db != db:
        held["_loaded"] = _SAVED.get(db) or _SAVED.setdefault(db, Loaded(db))


#: What instances that were saved rather than loaded share, by database.
_SAVED: dict[str, Loaded] = {}
