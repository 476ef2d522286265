"""Several databases with the shop's tables.

1. `two` configures `default` and `other`, on both vendors.
2. `lag` configures a PostgreSQL and its streaming replica, which lags behind for as long as a test
   wants: its replay is paused.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


# --- a replica ---------------------------------------------------------------------


class Lag:
    """What a test does to the replica."""

    def __init__(self, primary: str, replica: server.Replica) -> None:
        self.primary = primary
        self.replica = replica
        self.url = server.with_database(replica.url, primary.rpartition("/")[2])

    def on_replica(self, sql: Any) -> Any:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(sql).fetchall()

    def pause(self) -> None:
        """From now on nothing that is written arrives."""
        self.on_replica("SELECT pg_wal_replay_pause()")
        with psycopg.connect(self.url, autocommit=True) as connection:
            state = ""
            while state != "paused":
                (state,) = connection.execute("SELECT pg_get_wal_replay_pause_state()").fetchone()

    def resume(self) -> None:
        with psycopg.connect(self.replica.url, autocommit=True) as connection:
            connection.execute("SELECT pg_wal_replay_resume()")

    def catch_up(self) -> None:
        """Everything that has been written arrives."""
        self.resume()
        with psycopg.connect(self.primary, autocommit=True) as connection:
            connection.execute("SET synchronous_commit = on")
            (end,) = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
            # something behind it that is flushed
            connection.execute("SELECT pg_logical_emit_message(true, 'aorm', '')")
        # not in the database, which may have yet to arrive
        with psycopg.connect(self.replica.url, autocommit=True) as connection:
            there = False
            while not there:
                sql = "SELECT pg_last_wal_replay_lsn() > %s::pg_lsn"
                (there,) = connection.execute(sql, (end,)).fetchone()

    def end_connections(self) -> None:
        """End all other connections to the replica's database."""
        self.on_replica(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(scope="module")
def lag_of_module(postgres_server: str, replica_server: server.Replica) -> Iterator[Lag]:
    name = f"aorm_replicated_{os.getpid()}"
    url = server.create_database(postgres_server, name)
    aorm.configure(url)
    aorm.create_tables(*shop.models.ALL)
    aorm.close()
    yield Lag(url, replica_server)
    server.drop_database(postgres_server, name)


@pytest.fixture
def options() -> dict[str, Any]:
    """Options of the databases; a test may parametrise it."""
    return {}


@pytest.fixture
def lag(lag_of_module: Lag, options: dict[str, Any]) -> Iterator[Lag]:
    lag = lag_of_module
    empty(lag.primary)
    lag.catch_up()
    urls = {"default": lag.primary, "replica": lag.url}
    aorm.configure(urls, replicas={"default": ["replica"]}, **options)
    yield lag
    aorm.close()
    lag.resume()
