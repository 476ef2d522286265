"""Modules that are imported when something of them is first used: of the standard library, here.

1. Their import takes milliseconds each, a quarter of all that `import aorm` would take, and a
   program may never come to use them: they say what is wrong, look at user code, or belong to
   one kind of field.
2. They are used through the module (`hashlib.md5()`), never while a module of ours is imported.
3. Modules of ours are not imported late, which could hide a cycle, but at the border of a package
   that is not needed to declare models: all that the layers above use of `aorm.sql` is named in
   `aorm.sql.late`.  Type checkers and the check of the layers take these for plain imports.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "LateModule",
    "base64",
    "difflib",
    "futures",
    "hashlib",
    "inspect",
    "ipaddress",
    "json",
    "logging",
    "pathlib",
    "random",
    "secrets",
    "urls",
    "zoneinfo",
]


class LateModule:
    """Stands for a module; keeps what was used of it, so that only the first use is slow."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Any:
        found = getattr(import_module(self.__name__), name)
        setattr(self, name, found)
        return found


if TYPE_CHECKING:
    import base64
    import concurrent.futures as futures
    import difflib
    import hashlib
    import inspect
    import ipaddress
    import json
    import logging
    import pathlib
    import random
    import secrets
    import urllib.parse as urls
    import zoneinfo
else:
    base64 = LateModule("base64")
    difflib = LateModule("difflib")
    futures = LateModule("concurrent.futures")
    hashlib = LateModule("hashlib")
    inspect = LateModule("inspect")
    ipaddress = LateModule("ipaddress")
    json = LateModule("json")
    logging = LateModule("logging")
    pathlib = LateModule("pathlib")
    random = LateModule("random")
    secrets = LateModule("secrets")
    urls = LateModule("urllib.parse")
    zoneinfo = LateModule("zoneinfo")
