"""Which database a query goes to where none was named.

1. The routers of the settings are asked in order; the first that answers decides.
2. Else an instance's own database, else `default`; to write, the primary of a replica.
"""

from __future__ import annotations

import importlib
from typing import Any

from aorm.conf import settings
from aorm.connections import connections

DEFAULT_DB_ALIAS = "default"


class ConnectionRouter:
    """Asks the routers; without an argument those of `settings.DATABASE_ROUTERS`.

    A router is an object with any of `db_for_read`, `db_for_write`, `allow_relation` and
    `allow_migrate`, or the dotted path of a class of such objects.
    """

    def __init__(self, routers: list[Any] | None = None) -> None:
        self._given = None if routers is None else [_router(each) for each in routers]
        self._seen: list[Any] | None = None
        self._made: list[Any] = []

    @property
    def is_idle(self) -> bool:
        """Whether there are no routers to ask."""
        return not (self._given or settings.DATABASE_ROUTERS)

    @property
    def routers(self) -> list[Any]:
        """The router objects that are asked."""
        if self._given is not None:
            return self._given
        wanted = settings.DATABASE_ROUTERS
        if self._seen != wanted:
            self._made = [_router(each) for each in wanted]
            self._seen = list(wanted)
        return self._made

    @routers.setter
    def routers(self, routers: list[Any]) -> None:
        self._given = routers

    @routers.deleter
    def routers(self) -> None:
        self._given = None

    def db_for_read(self, model: Any, **hints: Any) -> str:
        """The alias of the database to read this model's rows from."""
        return self._database("db_for_read", model, hints)

    def db_for_write(self, model: Any, **hints: Any) -> str:
        """The alias of the database to write this model's rows to."""
        return self._database("db_for_write", model, hints)

    def _database(self, question: str, model: Any, hints: dict[str, Any]) -> str:
        if self._given or settings.DATABASE_ROUTERS:
            for router in self.routers:
                asked = getattr(router, question, None)
                answer: str | None = asked(model, **hints) if asked is not None else None
                if answer:
                    return answer
        instance = hints.get("instance") if hints else None
        own: str | None = instance._state.db if instance is not None else None
        if question == "db_for_write":
            own = primary_of(own)
        return own or DEFAULT_DB_ALIAS

    def allow_relation(self, obj1: Any, obj2: Any, **hints: Any) -> bool:
        """Whether these two objects may be related."""
        for router in self.routers:
            asked = getattr(router, "allow_relation", None)
            answer: bool | None = asked(obj1, obj2, **hints) if asked is not None else None
            if answer is not None:
                return answer
        return primary_of(obj1._state.db) == primary_of(obj2._state.db)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Whether tables of this application belong into the database."""
        for router in self.routers:
            asked = getattr(router, "allow_migrate", None)
            answer: bool | None = asked(db, app_label, **hints) if asked is not None else None
            if answer is not None:
                return answer
        return True

    def allow_migrate_model(self, db: str, model: Any) -> bool:
        """Whether this model's table belongs into the database."""
        options = model._meta
        return self.allow_migrate(db, options.app_label, model_name=options.model_name, model=model)


def primary_of(alias: str | None) -> str | None:
    """The alias of the database that is written where this one is a replica, else itself."""
    if alias is None or alias == DEFAULT_DB_ALIAS or alias not in connections:
        return alias
    replica = connections[alias].replica
    return alias if replica is None else str(replica.primary.alias)


def _router(router: Any) -> Any:
    if not isinstance(router, str):
        return router
    module, _, name = router.rpartition(".")
    return getattr(importlib.import_module(module), name)()


router = ConnectionRouter()
