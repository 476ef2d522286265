from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support import made_tables


@pytest.fixture
def tables(database: Any) -> Iterator[None]:
    """The tables of this directory's models, on `database`."""
    from related.models import ALL

    yield from made_tables(database, *ALL)
