"""A database with the tables of these tests, and what runs operations on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aorm.connections.databases import Database
from aorm.connections.run import run
from aorm.operations.tables import create_tables_operation, drop_tables_operation
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from aorm.steps import Operation
from sql_writes.models import ALL

DIALECTS = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with the tables of `models`, which are dropped at the end."""
    url = (
        f"sqlite:///{tmp_path}/writes.db"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    made = Database("default", url, dialect=DIALECTS[request.param])
    run(create_tables_operation(ALL, made.dialect), made)
    yield made
    run(drop_tables_operation(ALL, made.dialect), made)
    made.close()


@pytest.fixture
def perform(database: Database) -> Callable[[Operation[Any]], Any]:
    """Runs an operation on the database."""
    return lambda operation: run(operation, database)
