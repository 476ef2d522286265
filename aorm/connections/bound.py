"""A database seen from inside of one transaction, for code that its context does not reach.

A dependency of a web framework, or a fixture of a test, may open a transaction in one context and
hand it to code that runs in another: `queryset.using(transaction)`, `atomic(using=transaction)`.
"""

from __future__ import annotations

from typing import Any

from aorm.connections.current import current_block, staying_in
from aorm.connections.databases import Database
from aorm.connections.transaction import Block, within
from aorm.errors import TransactionManagementError


class BoundDatabase(Database):
    """The same database, pools and all; what is run on it is in the block."""

    __slots__ = ("_block", "_database")

    is_bound = True

    def __init__(self, database: Database, block: Block) -> None:
        self.__dict__ = database.__dict__  # one state, seen from two places
        self._database = database
        self._block = block

    @property
    def unbound(self) -> Database:
        """The database itself."""
        return self._database

    @property
    def around(self) -> Block | None:  # type: ignore[override]
        """Code that is further inside of the transaction stays where it is."""
        if self._block.closed:
            raise TransactionManagementError(
                f"the block opened at {self._block.where} has ended, and cannot be used any more"
            )
        current = current_block(self._database)
        return current if within(current, self._block) else self._block

    def staying(self, block: Block) -> Any:
        """`with database.staying(block):` this context is in the block."""
        return staying_in(self._database, block)
