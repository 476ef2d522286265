"""PostgreSQL alone, with the garden's tables: these fixtures stand for the shop's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import server

import aorm
from aorm.contrib.postgres import create_extension

EXTENSIONS = ("hstore", "pg_trgm", "unaccent", "btree_gist")


@pytest.fixture(scope="session")
def garden(postgres_server: str) -> Iterator[str]:
    """A database with the garden's empty tables, to be emptied after each test."""
    from contrib.postgres.models import ALL

    name = f"aorm_garden_{os.getpid()}"
    url = server.create_database(postgres_server, name)
    aorm.configure(url)
    create_extension(*EXTENSIONS)
    aorm.create_tables(*ALL)
    aorm.close()
    yield url
    server.drop_database(postgres_server, name)


@pytest.fixture
def database(garden: str) -> Iterator[Any]:
    aorm.configure(garden)
    yield aorm.connections["default"]
    aorm.close()
    with psycopg.connect(garden, autocommit=True) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = ", ".join(f'"{name}"' for (name,) in rows)
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")  # type: ignore[arg-type]
