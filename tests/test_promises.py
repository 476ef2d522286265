"""docs/transactions.md: each promise names the tests that hold it, and these exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "transactions.md"


def promises() -> list[str]:
    _, *items = re.split(r"^- ", PAGE.read_text(), flags=re.MULTILINE)
    return [" ".join(item.partition("\n\n")[0].split()) for item in items]


def functions_of(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text())
    functions = [
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return {function.name for function in functions if function.name.startswith("test_")}


@pytest.mark.parametrize("promise", promises())
def test_a_promise_is_held_by_tests_that_exist(promise):
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", promise)
    assert named
    assert [(file, name) for file, name in named if name not in functions_of(file)] == []
