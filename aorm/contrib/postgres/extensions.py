"""Extensions of PostgreSQL, installed where they are needed."""

from __future__ import annotations

from aorm.connections import arun, connections, run
from aorm.errors import NotSupportedError
from aorm.sql.dialect import Dialect
from aorm.steps import Operation, execute

__all__ = ["acreate_extension", "create_extension"]


def create_extension(*names: str, using: str = "default") -> None:
    """Install extensions that are not installed yet: hstore, pg_trgm, unaccent, btree_gist, ...

    Raises:
        NotSupportedError: the database is no PostgreSQL, or its server has no such extension.
    """
    database = connections[using]
    run(_create(names, database.dialect), database)


async def acreate_extension(*names: str, using: str = "default") -> None:
    database = connections[using]
    await arun(_create(names, database.dialect), database)


def _create(names: tuple[str, ...], dialect: Dialect) -> Operation[None]:
    if dialect.vendor != "postgresql":
        raise NotSupportedError(f"extensions are PostgreSQL's: {dialect.vendor} has none")
    for name in names:
        yield from execute(f"CREATE EXTENSION IF NOT EXISTS {dialect.quote(name)}")
