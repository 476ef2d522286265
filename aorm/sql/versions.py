"""UPDATE of a row that has the version which the instance has, and then the next one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from aorm.fields.base import Field
from aorm.sql.binding import kept
from aorm.sql.dialect import Dialect
from aorm.sql.writes import Updater, next_version


class CountingUpdater(Updater):
    """UPDATE of one row that its primary key and its version name."""

    def __init__(
        self,
        opts: Any,
        fields: Iterable[Field[Any]],
        dialect: Dialect,
        version: Field[Any],
        returning: Iterable[Field[Any]] = (),
    ) -> None:
        self.version = version
        super().__init__(
            opts, [field for field in fields if field is not version], dialect, returning
        )

    def _keys(self, opts: Any) -> tuple[Field[Any], ...]:
        return (*opts.pk_fields, self.version)

    def _changes(self, fields: Sequence[Field[Any]], values: Sequence[str]) -> list[str]:
        return [*super()._changes(fields, values), next_version(self.version, self.dialect)]


def counting_updater(
    opts: Any,
    fields: Iterable[Field[Any]],
    dialect: Dialect,
    version: Field[Any],
    returning: Iterable[Field[Any]] = (),
) -> CountingUpdater:
    """The UPDATE of these fields and of the version, made once."""
    fields, returning = tuple(fields), tuple(returning)
    found = kept(
        opts,
        (CountingUpdater, dialect, fields, returning),
        lambda: CountingUpdater(opts, fields, dialect, version, returning),
    )
    return cast(CountingUpdater, found)


__all__ = ["CountingUpdater", "counting_updater"]
