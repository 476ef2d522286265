from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import aorm


@pytest.fixture
def tables(database: Any) -> Iterator[None]:
    """The tables of content types and of this directory's models, on `database`."""
    from contrib.models import ALL

    aorm.create_tables(*ALL)
    yield
    aorm.drop_tables(*ALL)
