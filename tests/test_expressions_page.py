"""What the page about expressions of one's own shows is true on every database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aorm.models import CharField, IntegerField

PAGE = Path(__file__).parents[1] / "docs" / "expressions.md"


def own_lookups(field: Any) -> dict[str, Any]:
    return dict(vars(field).get("class_lookups", {}))


def test_every_example_of_the_page_holds(database: Any) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) > 5
    names: dict[str, Any] = {"__name__": "page"}
    before = {field: own_lookups(field) for field in (CharField, IntegerField)}
    try:
        for block in blocks:
            exec(compile(block, str(PAGE), "exec"), names)
        assert {field: own_lookups(field) for field in before} == before
    finally:
        for field, lookups in before.items():
            for name in own_lookups(field).keys() - lookups.keys():
                field._unregister_lookup(None, name)
