"""Two databases with the shop's tables, `default` and `other`, on both vendors."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import server
import shop.models
from support import Ask

import aorm


def empty(url: str) -> None:
    """Empty the shop's tables of a PostgreSQL database."""
    tables = ", ".join(f'"{model._meta.db_table}"' for model in shop.models.ALL)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")


@pytest.fixture(scope="module")
def two_on_postgresql(postgres_server: str) -> Iterator[dict[str, str]]:
    names = {alias: f"aorm_{alias}_{os.getpid()}" for alias in ("default", "other")}
    urls = {alias: server.create_database(postgres_server, name) for alias, name in names.items()}
    aorm.configure(urls)
    for alias in urls:
        aorm.create_tables(*shop.models.ALL, using=alias)
    aorm.close()
    yield urls
    for name in names.values():
        server.drop_database(postgres_server, name)


@pytest.fixture(params=["sqlite", "postgresql"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Two configured databases with the shop's empty tables; their URLs by alias."""
    urls = {}
    if request.param == "sqlite":
        for alias in ("default", "other"):
            path = tmp_path / f"{alias}.db"
            shutil.copyfile(request.getfixturevalue("shop_on_sqlite"), path)
            urls[alias] = f"sqlite:///{path}"
    else:
        urls = request.getfixturevalue("two_on_postgresql")
        for url in urls.values():
            empty(url)
    routers = aorm.settings.DATABASE_ROUTERS
    aorm.configure(urls)
    yield urls
    aorm.close()
    aorm.settings.DATABASE_ROUTERS = routers


@pytest.fixture
def ask_two(two: dict[str, str], face: str) -> Iterator[Ask]:
    """As `ask`, on two databases."""
    asking = Ask(face)
    yield asking
    asking.close()
