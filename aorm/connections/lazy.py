"""What is imported on first use: drivers, which may not be installed, and asyncio.

1. `import aorm` must import no driver, and asyncio alone would take most of the time that it may
   take; so whoever needs one of these asks here for the module.
2. Where nobody has imported asyncio, no event loop can be running.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from aorm.errors import ImproperlyConfigured

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_PACKAGE = __name__.rpartition(".")[0]

# name of a driver: (our module, what to install when the import fails)
_DRIVERS = {
    "sqlite3": (f"{_PACKAGE}.drivers.sqlite", ""),
    "aiosqlite": (f"{_PACKAGE}.drivers.aiosqlite", "aiosqlite"),
    "psycopg": (f"{_PACKAGE}.drivers.psycopg", '"aorm[postgres]"'),
    "asyncpg": (f"{_PACKAGE}.drivers.asyncpg", '"aorm[postgres]"'),
}


def driver(name: str) -> Any:
    """The module of `drivers/` for this driver; ImproperlyConfigured when it is not installed."""
    module, package = _DRIVERS[name]
    try:
        return import_module(module)
    except ImportError as error:
        if not _missing(error, name):
            raise
        raise ImproperlyConfigured(
            f"the driver {name} is not installed; pip install {package}"
        ) from error


def _missing(error: ImportError, name: str) -> bool:
    # psycopg reports a missing libpq as an ImportError of its own, which has no name
    return error.name is None or error.name.partition(".")[0] in (name, "psycopg_binary")


def async_pools() -> Any:
    """The module `apool`, which imports asyncio."""
    return import_module(f"{_PACKAGE}.apool")


def jobs() -> Any:
    """The module `jobs`, which imports asyncio."""
    return import_module(f"{_PACKAGE}.jobs")


def asyncio_module() -> Any:
    """The module `asyncio`."""
    return import_module("asyncio")


def asgiref() -> Any:
    """The module `asgiref.sync`, which imports asyncio."""
    return import_module("asgiref.sync")


def running_loop() -> AbstractEventLoop | None:
    """The event loop that runs on this thread, or None."""
    events = sys.modules.get("_asyncio")
    return None if events is None else events._get_running_loop()
