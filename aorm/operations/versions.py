"""Optimistic locking: writing a row only if it is as it was loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from aorm.connections import connections
from aorm.errors import QueryValueError, StaleObjectError
from aorm.operations.writes import update
from aorm.sql.late import versions, writes
from aorm.steps import Operation, in_block


def update_version(writer: writes.Updater, instance: Any, version: Any) -> Operation[bool]:
    """Update the row of an instance if it has the instance's version; whether it had.

    Raises:
        ValueError: the instance does not know which version it is of.
    """
    seen = instance.__dict__.get(version.attname)
    if type(seen) is not int:
        kind = type(instance).__name__
        problem = "was not loaded" if version.attname not in instance.__dict__ else f"is {seen!r}"
        raise QueryValueError(
            f"{kind}.{version.name} {problem}: without the version nobody can tell whether the row "
            f"has changed since; load it with the object, or use {kind}.objects.filter().update()"
        )
    updated = yield from update(writer, instance)
    if updated:
        setattr(instance, version.attname, seen + 1)
    return updated


def claim_version(instance: Any, version: Any, using: str) -> Operation[None]:
    """Lock the row of an instance that is about to go, if it has the instance's version.

    Raises:
        StaleObjectError: it has another one, or is gone.
    """
    options = version.model._meta
    writer = versions.counting_updater(options, (), connections[using].dialect, version)
    if not (yield from update(writer, instance)):
        refuse_stale(instance, version)


def refuse_stale(instance: Any, version: Any) -> NoReturn:
    """Raise StaleObjectError for this instance."""
    raise StaleObjectError(
        f"{type(instance).__name__} {instance.pk!r} is no longer of version "
        f"{getattr(instance, version.attname)!r}: its row was changed or deleted since it was "
        "loaded; load it again"
    )


def refuse_in_block(instance: Any, version: Any) -> Operation[NoReturn]:
    """The same, marking an open transaction for rollback."""
    return in_block(_refuse(instance, version), savepoint=False)


def _refuse(instance: Any, version: Any) -> Operation[NoReturn]:
    yield from ()
    refuse_stale(instance, version)


def refuse_any_stale(objs: Sequence[Any], found: int) -> None:
    """Raise StaleObjectError where fewer rows than objects had the objects' versions."""
    wanted = len({obj.pk for obj in objs})
    if found < wanted:
        raise StaleObjectError(
            f"{wanted - found} of {wanted} objects of {type(objs[0]).__name__} are no longer of "
            "the version that was loaded: their rows were changed or deleted since; load them again"
        )
