"""URLs and options."""

from __future__ import annotations

from pathlib import Path

import pytest

from aorm.connections import Database
from aorm.connections.urls import parse
from aorm.errors import ImproperlyConfigured


def test_relative_sqlite_path_is_made_absolute():
    assert parse("sqlite:///shop.db").name == str(Path("shop.db").absolute())


def test_absolute_sqlite_path():
    assert parse("sqlite:////var/a%20b.db").name == "/var/a b.db"


@pytest.mark.parametrize("url", ["sqlite://:memory:", "sqlite:///:memory:"])
def test_memory(url):
    assert parse(url).name == ":memory:"


def test_each_memory_database_is_its_own():
    assert parse("sqlite://:memory:").target != parse("sqlite://:memory:").target


def test_postgresql_with_everything():
    address = parse("postgresql://ada:p%40ss@db:5433/shop?pool_size=3&sslmode=require")
    assert (address.name, address["host"], address["port"]) == ("shop", "db", 5433)
    assert (address["user"], address["password"]) == ("ada", "p@ss")
    assert (address["pool_size"], address["sslmode"]) == (3, "require")


def test_socket_directory_as_query_parameter():
    address = parse("postgresql://ada@/shop?host=/run/pg")
    assert (address.name, address["host"]) == ("shop", "/run/pg")


@pytest.mark.parametrize(
    ("scheme", "drivers"),
    [
        ("postgresql", ("psycopg", "asyncpg")),
        ("postgresql+psycopg", ("psycopg", "psycopg")),
        ("sqlite", ("sqlite3", "aiosqlite")),
    ],
)
def test_scheme_chooses_the_drivers(scheme, drivers):
    address = parse(f"{scheme}:///name")
    assert (address.sync_driver, address.async_driver) == drivers


def test_keywords_win_over_the_url():
    assert parse("sqlite:///a.db?pool_size=3", {"pool_size": 4})["pool_size"] == 4


def test_unknown_scheme_names_the_known_ones():
    with pytest.raises(ImproperlyConfigured, match=r"mysql.*postgresql.*sqlite"):
        parse("mysql://x/y")


def test_unknown_option_names_the_known_ones():
    with pytest.raises(ImproperlyConfigured, match=r"pool_sise.*pool_size"):
        parse("sqlite:///a.db?pool_sise=3")


def test_option_of_another_database_is_unknown():
    with pytest.raises(ImproperlyConfigured, match="journal_mode"):
        parse("postgresql:///x", {"journal_mode": "wal"})


@pytest.mark.parametrize(
    "option", ["pool_size=0", "pool_size=x", "pool_timeout=-1", "journal_mode=fast"]
)
def test_bad_value(option):
    with pytest.raises(ImproperlyConfigured, match=option.partition("=")[0]):
        parse(f"sqlite:///a.db?{option}")


def test_password_is_never_shown():
    database = Database("default", "postgresql://ada:secret@db/shop")
    assert "secret" not in repr(database) + database.url


def test_malformed_url_does_not_show_the_password():
    with pytest.raises(ImproperlyConfigured) as caught:
        parse("postgresql://ada:secret@db:port/shop")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
