"""Emptying tables; making and dropping databases."""

from __future__ import annotations

import os

import pytest
import server
from shop.models import Author, Book, Tag
from support import committed

import aorm
from aorm.errors import ImproperlyConfigured, OperationalError
from aorm.testing import create_database, drop_database, truncate


@pytest.fixture
def library(database):
    book = Book.objects.create(title="Notes", author=Author.objects.create(name="Ada"))
    book.tags.add(Tag.objects.create(name="old"))


@committed
@pytest.mark.usefixtures("library")
async def test_all_tables_are_emptied_and_keys_begin_anew(ask):
    await ask(truncate) if ask.face == "sync" else await aorm.testing.atruncate()
    for model in Book.tags.through, Book, Author, Tag:
        assert await ask(model.objects.count) == 0
    assert (await ask(Author.objects.create, name="Eve")).pk == 1


@committed
@pytest.mark.usefixtures("library")
def test_named_tables_are_emptied():
    truncate(Book, Book.tags.through)
    assert not Book.objects.exists()
    assert Author.objects.exists()
    assert Tag.objects.exists()


def test_truncating_what_does_not_exist_does_nothing(tmp_path):
    aorm.configure(f"sqlite:///{tmp_path / 'empty.db'}")
    truncate()
    aorm.close()


# --- databases -------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def real(request, tmp_path):
    """The URL of a database beside which others are made."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'real.db'}?pool_size=3"
    base = request.getfixturevalue("postgres_server")
    return server.with_database(base, f'aorm "real" {os.getpid()}') + "?pool_size=3"


def test_a_database_is_made_used_and_dropped(real):
    url = create_database(real, "one")
    try:
        assert "test_" in url
        aorm.configure(url)
        assert aorm.connections["default"].address["pool_size"] == 3
        aorm.connections["default"].execute("CREATE TABLE thing (id integer)")
        assert create_database(real, "one") == url
        assert aorm.connections["default"].execute("SELECT 1")
    except OperationalError:
        pass  # PostgreSQL ended the connection to the database that was replaced
    finally:
        aorm.close()
        drop_database(url)
        drop_database(url)


def test_a_database_made_again_is_empty(real):
    for _ in range(2):
        url = create_database(real, "two")
        aorm.configure(url)
        aorm.connections["default"].execute("CREATE TABLE thing (id integer)")
        aorm.close()
    drop_database(url)


def test_the_worker_is_the_end_of_the_name(real, monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw7")
    url = create_database(real)
    drop_database(url)
    assert url.partition("?")[0].removesuffix(".db").endswith("_gw7")


@pytest.mark.parametrize("url", ["sqlite:///shop.db", "postgresql://user@host/shop"])
def test_other_databases_are_not_dropped(url):
    with pytest.raises(ImproperlyConfigured, match="does not begin with 'test_'"):
        drop_database(url)


def test_databases_in_memory_are_not_files():
    url = create_database("sqlite://:memory:", "x")
    drop_database(url)
    aorm.configure(url)
    assert aorm.connections["default"].address.name == ":memory:"
    aorm.close()
