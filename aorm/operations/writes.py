"""Writing single rows: what `Model.save` and the deletion of objects do in the database.

Each row that is saved comes through here, so the steps are yielded without a generator between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aorm.sql.late import binding, writes
from aorm.steps import Fetch, Operation, perform


def insert(inserter: writes.Inserter, instance: Any) -> Operation[None]:
    """Insert the row of an instance, and set what the database made of it."""
    statement, returned = inserter.statement(instance)
    reply: Any = yield statement
    if returned and reply:
        if returned is inserter.returning:
            inserter.store(instance, reply[0])
        else:
            store(inserter, instance, reply[0], returned)


def update(updater: writes.Updater, instance: Any) -> Operation[bool]:
    """Update the row of an instance; whether there is one."""
    statement, returned = updater.statement(instance)
    reply: Any = yield statement
    if not isinstance(statement, Fetch):
        return bool(reply)
    if reply:
        store(updater, instance, reply[0], returned)
    return bool(reply)


def store(
    writer: writes.Inserter | writes.Updater,
    instance: Any,
    row: Sequence[Any],
    returned: Sequence[Any],
) -> None:
    """Set the fields that came back."""
    if returned is writer.returning:
        writer.store(instance, row)
        return
    key = ("store", writer.dialect, *(field.attname for field in returned))
    made = binding.kept(writer.opts, key, lambda: binding.storing(returned, writer.dialect))
    made(instance, row)


def delete_one(deleter: writes.Deleter, *values: Any) -> Operation[int]:
    """Delete the rows whose fields have these values; how many there were."""
    count: int = yield from perform(deleter.one(*values))
    return count


def delete_many(deleter: writes.Deleter, values: Iterable[Any]) -> Operation[int]:
    """Delete the rows whose field has one of these values; how many there were."""
    count: int = yield from perform(deleter.many(values))
    return count
