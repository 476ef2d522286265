"""The examples of docs/beyond_django.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import shop.models

import aorm.models
import aorm.models.functions

PAGE = Path(__file__).parents[2] / "docs" / "beyond_django.md"
EXAMPLES = re.findall(r"<!-- run -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.partition("\n")[0])
def test_an_example(library: Any, example: str) -> None:
    names = {**vars(aorm.models), **vars(aorm.models.functions), **vars(shop.models)}
    exec(compile(example, str(PAGE), "exec"), names)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == PAGE.read_text().count("<!-- run -->") > 8
