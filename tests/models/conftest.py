"""Models of these tests live in a registry of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aorm import isolate_apps


@pytest.fixture
def registry() -> Iterator[Any]:
    """A registry that models defined in the test enter."""
    with isolate_apps("tests") as apps:
        yield apps
