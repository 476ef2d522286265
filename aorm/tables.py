"""The tables of models, and the end of all connections: functions of both faces."""

from __future__ import annotations

from typing import Any

from aorm.connections import arun, connections, run
from aorm.operations.tables import create_tables_operation, drop_tables_operation


def create_tables(*models: Any, using: str = "default") -> None:
    """Create the tables of these models, in the order that their relations demand.

    The tables of automatic many-to-many relations come along.
    """
    database = connections[using]
    run(create_tables_operation(models, database.dialect), database)


async def acreate_tables(*models: Any, using: str = "default") -> None:
    database = connections[using]
    await arun(create_tables_operation(models, database.dialect), database)


def drop_tables(*models: Any, using: str = "default") -> None:
    """Drop the tables of these models, and what depends on them."""
    database = connections[using]
    run(drop_tables_operation(models, database.dialect), database)


async def adrop_tables(*models: Any, using: str = "default") -> None:
    database = connections[using]
    await arun(drop_tables_operation(models, database.dialect), database)


def close() -> None:
    """Close the idle synchronous connections of all databases."""
    connections.close_all()


async def aclose() -> None:
    """Close the connections that the running loop has, and the synchronous ones."""
    await connections.aclose_all()
