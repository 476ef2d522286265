"""The fixtures that every test may use.

1. `database` configures aorm on an empty database with the shop's tables, once for each vendor; on
   PostgreSQL by `aorm.testing`, in a transaction around the test.
2. `ask` calls a sync method, or its twin, once for each face: see `support.Ask`.
3. Coroutine tests run on an event loop of their own; fixtures are synchronous.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import server
import shop.models
from support import Ask

import aorm
from aorm.connections import Database

pytest_plugins = ["aorm.testing.plugin", "pytester"]

SERVER_DIRECTORY = pytest.StashKey[Path]()


# --- one PostgreSQL for the whole run ----------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    given = getattr(config, "workerinput", {}).get("server_directory")
    config.stash[SERVER_DIRECTORY] = Path(given) if given else server.shared_directory()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["server_directory"] = str(node.config.stash[SERVER_DIRECTORY])


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        server.stop(config.stash[SERVER_DIRECTORY])


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> str:
    """URL of a server on which databases may be created."""
    return server.server_url(pytestconfig.stash[SERVER_DIRECTORY])


@pytest.fixture(scope="session")
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of this process's own database; its tables are the caller's to clean."""
    name = f"aorm_test_{os.getpid()}"
    yield server.create_database(postgres_server, name)
    server.drop_database(postgres_server, name)


@pytest.fixture(scope="session")
def replica_server(pytestconfig: pytest.Config, postgres_server: str) -> Iterator[server.Replica]:
    """This process's own streaming replica of the server, with all its databases.

    Only a server that the tests have started themselves has one.
    """
    if server.VARIABLE in os.environ:
        pytest.skip(f"the server of {server.VARIABLE} is not ours to replicate")
    replica = server.Replica(pytestconfig.stash[SERVER_DIRECTORY], postgres_server)
    yield replica
    replica.stop()


# --- coroutine tests ---------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj) or pyfuncitem.get_closest_marker("anyio"):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    with asyncio.Runner() as runner:
        runner.run(_test_then_close(pyfuncitem.obj, arguments))
    return True


async def _test_then_close(test: Callable[..., Any], arguments: dict[str, Any]) -> None:
    try:
        await test(**arguments)
    finally:
        await aorm.aclose()


# --- databases and faces -----------------------------------------------------------


@pytest.fixture(scope="session")
def shop_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the shop's empty tables, to be copied."""
    path = tmp_path_factory.mktemp("shop") / "template.db"
    _create_tables(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def shop_on_postgresql(postgres_server: str) -> Iterator[Database]:
    """A PostgreSQL database with the shop's empty tables, which tests leave as they found it."""
    name = f"aorm_shop_{os.getpid()}"
    url = server.create_database(postgres_server, name)
    _create_tables(url)
    yield aorm.connections["default"]
    server.drop_database(postgres_server, name)


def _create_tables(url: str) -> None:
    aorm.configure(url)
    aorm.create_tables(*shop.models.ALL)
    aorm.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def aorm_databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """aorm configured on the shop's empty tables."""
    if request.param == "sqlite":
        path = tmp_path / "shop.db"
        shutil.copyfile(request.getfixturevalue("shop_on_sqlite"), path)
        aorm.configure(f"sqlite:///{path}")
    else:
        aorm.connections.configure({"default": request.getfixturevalue("shop_on_postgresql")})
    _skip_what_it_cannot(request, aorm.connections["default"])
    yield
    aorm.close()


@pytest.fixture
def aorm_face(request: pytest.FixtureRequest, aorm_face: str) -> str:
    """A test of one face uses the driver of that face."""
    return request.getfixturevalue("face") if "face" in request.fixturenames else aorm_face


@pytest.fixture
def database(request: pytest.FixtureRequest, aorm_databases: None) -> Any:
    """`connections["default"]`, on the shop's empty tables.

    SQLite's is a file of its own for each test.  On PostgreSQL the test runs in a transaction that
    is rolled back, unless it is marked by `committed`.
    """
    configured = aorm.connections["default"]
    if configured.vendor == "postgresql" and request.node.get_closest_marker("aorm") is None:
        configured.execute(RESTART_SEQUENCES)
        request.getfixturevalue("aorm_transaction")
    return configured


RESTART_SEQUENCES = "SELECT setval(seqrelid::regclass, 1, false) FROM pg_sequence"


def _skip_what_it_cannot(request: pytest.FixtureRequest, database: Any) -> None:
    wanted = [name for mark in request.node.iter_markers("needs") for name in mark.args]
    for name in wanted:
        if not getattr(database.dialect.capabilities, name):
            pytest.skip(f"{database.vendor} has no {name}")


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> str:
    """Which half of the API is asked."""
    return str(request.param)


@pytest.fixture
def ask(database: Any, face: str) -> Iterator[Ask]:
    """Calls what touches a database, by its sync name, on either face."""
    asking = Ask(face)
    yield asking
    asking.close()
