"""The plugin for pytest: `@pytest.mark.aorm`, and the fixtures behind it.

1. A test that is marked runs in a transaction that is rolled back; with `commit=True` it commits,
   and the tables are emptied afterwards.
2. The transaction of a coroutine test has a connection of the asynchronous driver, on a loop that
   is neither the test's nor a fixture's; that of another test has a synchronous one (override
   the fixture `aorm_face` to choose).  Code on either face uses it from everywhere.
3. The databases are those of the fixture `aorm_databases`, which may be overridden.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from aorm.configure import configure
from aorm.connections import connections
from aorm.errors import ImproperlyConfigured
from aorm.tables import create_tables
from aorm.testing.blocks import rolled_back
from aorm.testing.databases import create_database, drop_database, url_of
from aorm.testing.loops import LoopThread
from aorm.testing.tables import all_models, truncate

MARKER = (
    "aorm(commit=False, using=None): run in a transaction that is rolled back, or commit and empty"
    " the tables afterwards; `using` lists the aliases, all without it"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(autouse=True)
def _aorm_marked(request: pytest.FixtureRequest) -> None:
    """What the marker asks for."""
    marker = request.node.get_closest_marker("aorm")
    if marker is not None:
        commits = _options(marker)["commit"]
        request.getfixturevalue("aorm_commits" if commits else "aorm_transaction")


@pytest.fixture(scope="session")
def aorm_databases() -> Iterator[None]:
    """Empty databases in place of the configured ones, with the tables of all models.

    Override it (scope `session`) to make other databases, or other tables in them: what it has to
    do is to call `aorm.configure`.
    """
    if not len(connections):
        _configure_from_environment()
    addresses = {alias: connections[alias].address for alias in connections}
    made: dict[Any, str] = {}
    urls: dict[str, str] = {}
    replicas = _replicas()
    primaries = {name: alias for alias, names in replicas.items() for name in names}
    for alias in addresses:
        # aliases of one database, and those of its replicas, are aliases of one test database
        address = addresses[primaries.get(alias, alias)]
        real = url_of(address, address.name)
        if real not in made:
            made[real] = create_database(address)
        urls[alias] = made[real]
    configure(urls)
    for url in made.values():
        first = next(alias for alias, given in urls.items() if given == url)
        create_tables(*all_models(), using=first)
    yield
    configure(
        {alias: url_of(address, address.name) for alias, address in addresses.items()},
        replicas=replicas,
    )
    for url in made.values():
        drop_database(url)


def _replicas() -> dict[str, list[str]]:
    """The aliases of replicas by that of their primary."""
    return {
        alias: [replica.database.alias for replica in database.replicas.members]
        for alias, database in connections.items()
        if database.replicas is not None
    }


def _configure_from_environment() -> None:
    try:
        configure()
    except ImproperlyConfigured as error:
        raise pytest.UsageError(
            "no database is configured for tests: call aorm.configure() in conftest.py, set"
            f" DATABASE_URL, or override the fixture aorm_databases ({error})"
        ) from error


@pytest.fixture(scope="session")
def _aorm_loop() -> Iterator[LoopThread]:
    """The home of the transactions of coroutine tests."""
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture
def aorm_face(request: pytest.FixtureRequest) -> str:
    """Which driver the transaction of a test uses: that for `sync` or that for `async` code."""
    return "async" if _is_coroutine_test(request.node) else "sync"


@pytest.fixture
def aorm_transaction(
    request: pytest.FixtureRequest, aorm_databases: Any, aorm_face: str
) -> Iterator[None]:
    """The test, and fixtures that ask for this one, in a transaction that is rolled back."""
    block = rolled_back(*_using(request))
    block.place = _place(request.node)
    if aorm_face == "sync":
        with block:
            yield
        return
    loop: LoopThread = request.getfixturevalue("_aorm_loop")
    loop.databases.update(connections[alias] for alias in block.using or connections)
    loop.run(block.__aenter__())
    yield
    loop.run(block.__aexit__(None, None, None))


@pytest.fixture
def aorm_commits(request: pytest.FixtureRequest, aorm_databases: Any) -> Iterator[None]:
    """The test commits; afterwards the tables of all models are empty."""
    yield
    for alias in _using(request) or connections:
        truncate(using=alias)


def _using(request: pytest.FixtureRequest) -> tuple[str, ...]:
    marker = request.node.get_closest_marker("aorm")
    return tuple(_options(marker)["using"] or ()) if marker is not None else ()


def _options(marker: pytest.Mark) -> dict[str, Any]:
    known = {"commit": False, "using": None}
    if marker.args or not marker.kwargs.keys() <= known.keys():
        raise pytest.UsageError(f"the marker is {MARKER.partition(':')[0]}, not {marker!r}")
    if isinstance(marker.kwargs.get("using"), str):
        raise pytest.UsageError("`using` of the marker aorm is a list of aliases")
    return {**known, **marker.kwargs}


def _place(item: Any) -> tuple[str, int]:
    path, line, _ = item.location
    return path, (line or 0) + 1


def _is_coroutine_test(item: Any) -> bool:
    function = getattr(item, "obj", None)
    # hypothesis puts a synchronous function around the test
    function = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    return inspect.iscoroutinefunction(function)
