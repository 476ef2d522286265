"""Foreign keys that wait, and that are looked at: what Django's `connection` does about them.

1. The foreign keys of aorm's tables are checked at the end of a transaction anyway; those of other
   tables can be made to wait as long (SQLite's `PRAGMA defer_foreign_keys`, PostgreSQL's
   `SET CONSTRAINTS`, which leaves those alone that were not declared DEFERRABLE).
2. Outside of a transaction there is nothing to wait for: each statement is one of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any

from aorm.errors import IntegrityError

_DEFERRED = {
    "sqlite": "PRAGMA defer_foreign_keys = ON",
    "postgresql": "SET CONSTRAINTS ALL DEFERRED",
}


class ForeignKeys:
    """The part of a `Database` that is about the foreign keys of its tables."""

    vendor: str
    ops: Any

    @property
    def autocommit(self) -> bool:
        """Whether each statement of this code commits on its own."""
        raise NotImplementedError

    def execute(self, sql: str) -> Any:
        """Run SQL in the current transaction, or on its own."""
        raise NotImplementedError

    async def aexecute(self, sql: str) -> Any:
        """Run SQL in the current transaction, or on its own."""
        raise NotImplementedError

    def disable_constraint_checking(self) -> bool:
        """Let foreign keys wait for the end of the transaction; whether they do now.

        Outside of a transaction they do not.
        """
        if self.autocommit:
            return False
        self.execute(_DEFERRED[self.vendor])
        return True

    async def adisable_constraint_checking(self) -> bool:
        if self.autocommit:
            return False
        await self.aexecute(_DEFERRED[self.vendor])
        return True

    def enable_constraint_checking(self) -> None:
        """Let foreign keys no longer wait; what was written since is checked at the end."""
        if not self.autocommit and self.vendor == "sqlite":
            self.execute("PRAGMA defer_foreign_keys = OFF")

    async def aenable_constraint_checking(self) -> None:
        if not self.autocommit and self.vendor == "sqlite":
            await self.aexecute("PRAGMA defer_foreign_keys = OFF")

    def constraint_checks_disabled(self) -> Waiting:
        """A block, `with` or `async with`, in which foreign keys wait."""
        return Waiting(self)

    def check_constraints(self, table_names: Iterable[str] | None = None) -> None:
        """Check now what waits for the end of the transaction.

        Args:
            table_names: on SQLite, look at these tables only.

        Raises:
            IntegrityError: a row refers to another one that is not there.
        """
        for sql in self._checks(table_names):
            self._refuse(self.execute(sql))

    async def acheck_constraints(self, table_names: Iterable[str] | None = None) -> None:
        for sql in self._checks(table_names):
            self._refuse(await self.aexecute(sql))

    def _checks(self, tables: Iterable[str] | None) -> list[str]:
        if self.vendor == "sqlite":
            names = None if tables is None else [self.ops.quote_name(name) for name in tables]
            check = "PRAGMA foreign_key_check"
            return [check] if names is None else [f"{check}({name})" for name in names]
        if self.autocommit:
            return []
        return ["SET CONSTRAINTS ALL IMMEDIATE", _DEFERRED[self.vendor]]

    @staticmethod
    def _refuse(found: Any) -> None:
        """Raise what SQLite found: (table, row, table that is referred to, number of the key)."""
        if isinstance(found, list) and found:
            table, row, target, _ = found[0]
            raise IntegrityError(
                f"the row {row} of {table!r} has a foreign key to a row of {target!r} that is"
                f" not there; {len(found)} such foreign keys were found"
            )


class Waiting:
    """A block in which foreign keys wait for the end of the transaction around it."""

    def __init__(self, keys: ForeignKeys) -> None:
        self._keys = keys
        self._disabled = False

    def __enter__(self) -> None:
        self._disabled = self._keys.disable_constraint_checking()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._disabled and error is None:
            self._keys.enable_constraint_checking()

    async def __aenter__(self) -> None:
        self._disabled = await self._keys.adisable_constraint_checking()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._disabled and error is None:
            await self._keys.aenable_constraint_checking()
