"""What a type checker makes of fields, without a plugin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api

SOURCE = """
from typing import Any

from aorm.fields.dates import DateField, DateTimeField
from aorm.fields.json import JSONField
from aorm.fields.numbers import BigAutoField, DecimalField, IntegerField
from aorm.fields.text import CharField, SlugField
from aorm.fields.various import BooleanField, UUIDField

class Own(CharField): ...

class Upper(CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

class Book:
    id = BigAutoField(primary_key=True)
    title = CharField("the title", max_length=100, db_collation="c")
    subtitle = SlugField(null=True, allow_unicode=True)
    pages = IntegerField(null=True)
    price = DecimalField(max_digits=5, decimal_places=2)
    day = DateField()
    at = DateTimeField(null=True, auto_now=True)
    key = UUIDField(null=False)
    sold = BooleanField(default=False)
    data = JSONField(null=True)
    own = Own(null=True)
    upper = Upper(max_length=3)

book = Book()
reveal_type(book.id)
reveal_type(book.title)
reveal_type(book.subtitle)
reveal_type(book.pages)
reveal_type(book.price)
reveal_type(book.day)
reveal_type(book.at)
reveal_type(book.key)
reveal_type(book.sold)
reveal_type(book.data)
reveal_type(book.own)
reveal_type(book.upper)
reveal_type(Book.title)
book.title = "x"
book.pages = None
"""

REVEALED = [
    "int",
    "str",
    "str | None",
    "int | None",
    "decimal.Decimal",
    "datetime.date",
    "datetime.datetime | None",
    "uuid.UUID",
    "bool",
    "Any | None",
    "str",
    "str",
    "aorm.fields.text.CharField[Literal[False]]",
]

REFUSED = """
book.title = 3
book.title = None
CharField(max_lenght=3)
DateField(max_digits=3)
"""


def checked(source: str, directory: Path) -> tuple[list[str], list[str]]:
    """The types that are revealed, and the errors."""
    file = directory / "book.py"
    file.write_text(source)
    cache = Path(__file__).parents[2] / ".mypy_cache"
    output, _, _ = api.run(["--strict", "--cache-dir", str(cache), "--no-pretty", str(file)])
    output = output.replace("builtins.", "")
    own = [line for line in output.splitlines() if "book.py:" in line]
    revealed = re.findall(r'Revealed type is "(.*)"', "\n".join(own))
    return revealed, [line for line in own if ": error:" in line]


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.setenv("MYPYPATH", str(Path(__file__).parents[2]))


def test_attributes_have_the_types_of_their_values(tmp_path):
    revealed, errors = checked(SOURCE, tmp_path)
    assert errors == []
    assert revealed == REVEALED


def test_wrong_values_and_options_are_found(tmp_path):
    _, errors = checked(SOURCE + REFUSED, tmp_path)
    assert len(errors) == 4, errors
