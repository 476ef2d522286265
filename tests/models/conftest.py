"""Registries of their own for models that tests define, and tables for those of `saved`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import aorm
from aorm import isolate_apps


@pytest.fixture
def registry() -> Iterator[Any]:
    """A registry that models defined in the test enter."""
    with isolate_apps("tests") as apps:
        yield apps


@pytest.fixture
def tables(database: Any) -> Iterator[None]:
    """The tables of this directory's models, on `database`."""
    from models.saved import ALL

    aorm.create_tables(*ALL)
    yield
    aorm.drop_tables(*ALL)
