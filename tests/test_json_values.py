"""Values in JSON documents keep their kinds when they are compared and written."""

from __future__ import annotations

from typing import Any

import pytest
from shop.models import Author, Book

from aorm.models import F, JSONField, Q, Value

KINDS = [
    "null",
    None,
    "true",
    True,
    "false",
    False,
    "1",
    1,
    0,
    [1],
    "[1]",
    {"b": 1},
    '{"b":1}',
    "é",
]


@pytest.fixture
def books(database: Any) -> None:
    ada = Author.objects.create(name="Ada")
    Book.objects.bulk_create(
        [Book(title=f"{n:02}", author=ada, details={"a": kind}) for n, kind in enumerate(KINDS)]
    )
    Book.objects.create(title="none", author=ada, details={})


def same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and left == right


async def found(ask: Any, condition: Q) -> list[Any]:
    rows = Book.objects.filter(condition).order_by("title").values_list("details", flat=True)
    return [each["a"] for each in await ask(list, rows)]


@pytest.mark.parametrize("kind", KINDS, ids=repr)
async def test_a_value_under_a_key_is_found_by_its_kind(ask, books, kind) -> None:
    (only,) = await found(ask, Q(details__a=kind))
    assert same(only, kind)
    (only,) = await found(ask, Q(details__a=Value(kind, JSONField())))
    assert same(only, kind)


@pytest.mark.parametrize("kind", [each for each in KINDS if each is not None], ids=repr)
async def test_a_list_has_values_by_their_kinds(ask, books, kind) -> None:
    (only,) = await found(ask, Q(details__a__in=[kind, "no such value"]))
    assert same(only, kind)


async def test_the_same_key_of_the_same_document_is_the_same_value(ask, books) -> None:
    assert len(await found(ask, Q(details__a=F("details__a")))) == len(KINDS)
