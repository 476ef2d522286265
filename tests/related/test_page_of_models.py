"""The examples of docs/models.md do what the page says."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import aorm
import aorm.errors

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
EXAMPLES = re.findall(r"<!-- run (\w+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize(("module", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example(database: Any, module: str, example: str) -> None:
    found = import_module(f"related.{module}")
    aorm.create_tables(*found.ALL)
    try:
        exec(compile(example, str(PAGE), "exec"), {**vars(aorm.errors), **vars(found)})
    finally:
        aorm.drop_tables(*found.ALL)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == PAGE.read_text().count("<!-- run ") == 3
