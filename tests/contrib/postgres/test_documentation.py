"""The examples of docs/postgres.md run, and its table says what SQL there is."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import aorm
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.select import compile_select

PAGE = Path(__file__).parents[3] / "docs" / "postgres.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
ROWS = re.findall(r"^\| `(\w+=.*?)` \| `(.*?)` \|$", PAGE.read_text(), re.MULTILINE)


@pytest.fixture
def page(database: Any) -> Iterator[types.ModuleType]:
    """A module in which the first block, the one of the models, has run."""
    module = types.ModuleType("page")
    module.__dict__["aorm"] = aorm
    with aorm.isolate_apps("page"):
        exec(compile(BLOCKS[0], str(PAGE), "exec"), module.__dict__)
        yield module


def test_the_examples_run(page: types.ModuleType) -> None:
    try:
        for block in BLOCKS[1:]:
            exec(compile(block, str(PAGE), "exec"), page.__dict__)
    finally:
        aorm.drop_tables(page.Post, page.Booking)


@pytest.mark.parametrize(("lookup", "sql"), ROWS, ids=[lookup for lookup, _ in ROWS])
def test_the_lookups_are_spelt_as_the_table_says(
    page: types.ModuleType, lookup: str, sql: str
) -> None:
    queryset = eval(f"Post.objects.filter({lookup})", page.__dict__)
    text = compile_select(queryset._query, POSTGRESQL).sql.partition(" WHERE ")[2]
    assert text.replace('"page_post"', '"post"') == sql
