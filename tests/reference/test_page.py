"""docs/reference.md shows what both databases are sent."""

from __future__ import annotations

from typing import Any

import pytest
from support import Ask

from reference import page
from reference.examples import SECTIONS

SHOWN = page.read_back(page.PLACE.read_text())


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
async def test_the_databases_are_sent_what_the_page_shows(
    ask: Ask, database: Any, section: Any
) -> None:
    for example in section.examples:
        sent = await page.shown(ask, example, database.vendor)
        assert sent == SHOWN[example.code, database.vendor], "run `python -m tests.reference`"


def test_the_page_has_all_examples_and_no_others() -> None:
    assert page.written(SHOWN) == page.PLACE.read_text(), "run `python -m tests.reference`"


def test_a_clause_of_the_outermost_statement_starts_a_line() -> None:
    sql = """SELECT (SELECT 1 FROM "a" WHERE b), ' WHERE ' FROM "c" WHERE d"""
    assert page.laid_out(sql) == (
        """SELECT (SELECT 1 FROM "a" WHERE b), ' WHERE '\nFROM "c"\nWHERE d"""
    )
