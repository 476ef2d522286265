"""What happens when a deferred field or a relation is touched that was not loaded.

`FETCH_PEERS` (the default) loads it in one query for all objects of the same result,
`FETCH_ONE` for this object alone, `FETCH_RAISE` refuses.
"""

from __future__ import annotations

from typing import Any, Protocol

from aorm.conf import settings
from aorm.errors import FieldFetchBlocked
from aorm.operations.origins import origin_of


class Fetcher(Protocol):
    """What can load one attribute, for one instance or for many."""

    def fetch_one(self, instance: Any) -> None: ...

    def fetch_many(self, instances: list[Any]) -> None: ...


class FetchMode:
    """A way to load what was not loaded; the base of the three."""

    __slots__ = ("name",)

    #: Whether the instances of one result have to know each other.
    track_peers = False

    def __init__(self, name: str) -> None:
        self.name = name

    def fetch(self, fetcher: Any, instance: Any) -> None:
        """Load what `fetcher` is for."""
        raise NotImplementedError("a fetch mode defines fetch()")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}>"

    def __reduce__(self) -> str:
        return self.name


class FetchOne(FetchMode):
    __slots__ = ()

    def fetch(self, fetcher: Fetcher, instance: Any) -> None:
        fetcher.fetch_one(instance)


class FetchPeers(FetchMode):
    __slots__ = ()
    track_peers = True

    def fetch(self, fetcher: Fetcher, instance: Any) -> None:
        alive = live_peers(instance)
        if len(alive) > 1:
            fetcher.fetch_many(alive)
        else:
            fetcher.fetch_one(instance)


class Raise(FetchMode):
    __slots__ = ()

    def fetch(self, fetcher: Any, instance: Any) -> None:
        name = getattr(fetcher, "field_name", None) or getattr(fetcher, "name", fetcher)
        raise FieldFetchBlocked(f"Fetching of {type(instance).__name__}.{name} blocked.") from None


FETCH_ONE = FetchOne("FETCH_ONE")
FETCH_PEERS = FetchPeers("FETCH_PEERS")
FETCH_RAISE = Raise("FETCH_RAISE")
RAISE = FETCH_RAISE


def live_peers(instance: Any) -> list[Any]:
    """The instances of the same result that still exist, `instance` among them."""
    origin = origin_of(instance)
    references = (origin.peers if origin is not None else None) or ()
    found = [peer for reference in references if (peer := reference()) is not None]
    return found if any(peer is instance for peer in found) else [instance]


def own_fetch_mode(instance: Any) -> Any:
    """The mode that the instance was loaded with, or None."""
    origin = origin_of(instance)
    return None if origin is None else origin.fetch_mode


def fetch_mode_of(instance: Any) -> FetchMode:
    """The instance's own mode, else the one that is in force."""
    mode: FetchMode = own_fetch_mode(instance) or settings.FETCH_MODE or FETCH_PEERS
    return mode


__all__ = [
    "FETCH_ONE",
    "FETCH_PEERS",
    "FETCH_RAISE",
    "RAISE",
    "FetchMode",
    "FetchOne",
    "FetchPeers",
    "Raise",
]
