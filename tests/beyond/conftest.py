"""Rows that the tests beyond Django ask about."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from shop.models import Author, Book

Fill = Callable[[], list[Any]]


@pytest.fixture
def library(database: Any) -> list[Any]:
    """Two authors with three and two books; the first two have a mentor."""
    old = Author.objects.create(name="Old", age=70)
    ada = Author.objects.create(name="Ada", age=36, mentor=old)
    bob = Author.objects.create(name="Bob", age=40, mentor=old)
    rows = [
        ("a1", ada, 100, "10", 4.5),
        ("a2", ada, 200, "20", None),
        ("a3", ada, 300, "30", 3.0),
        ("b1", bob, 50, "5", 4.5),
        ("b2", bob, 150, "15", None),
    ]
    return [
        Book.objects.create(title=title, author=author, pages=pages, price=Decimal(price), rating=r)
        for title, author, pages, price, r in rows
    ]
