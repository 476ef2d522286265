"""What a QuerySet knows besides its query goes on to those that are made of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from shop.models import Author, Book

from aorm import models

BOOKS = models.QuerySet(Book)

STEPS: tuple[Callable[[Any], Any], ...] = (
    lambda books: books.filter(pages=1),
    lambda books: books.filter(pages__in=[1, 2]),
    lambda books: books.filter(models.Q(pages=1) | models.Q(pages=2)),
    lambda books: books.exclude(pages=1),
    lambda books: books.order_by("title"),
    lambda books: books.annotate(more=models.F("pages") + 1),
    lambda books: books.select_related("author"),
    lambda books: books.all(),
    lambda books: books[:5],
    lambda books: books[2:5],
    lambda books: books.reverse(),
    copy.copy,
    copy.deepcopy,
)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("known", "given"),
    [
        ("_prefetch_related_lookups", BOOKS.prefetch_related("tags")),
        ("_fetch_mode", BOOKS.fetch_mode(models.RAISE)),
        ("_for_write", BOOKS.select_for_update()),
        ("_hints", models.QuerySet(Book, hints={"instance": None})),
        ("_known_related_objects", Author(pk=7).books.filter(title="x")),
        ("_db", BOOKS.using("default")),
    ],
)
def test_it_is_there_after_each_step(known: str, given: Any, step: Callable[[Any], Any]) -> None:
    before = getattr(given, known)
    assert before
    for _ in range(2):
        assert getattr(step(given), known) == before
        assert getattr(step(step(given.all()).all()), known) == before
    assert getattr(given, known) == before


def test_it_stays_with_its_own_family() -> None:
    plain = BOOKS.filter(pages=1)
    plain.prefetch_related("tags").fetch_mode(models.RAISE)
    assert plain.order_by("title")._prefetch_related_lookups == ()
    assert plain.order_by("title")._fetch_mode is None


def test_a_class_with_a_state_of_its_own() -> None:
    class Counted(models.QuerySet[Book]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.steps: list[str] = ["made"]

    class Noted(models.QuerySet[Book]):
        note = ""

        def noted(self, note: str) -> Any:
            clone = self._chain()
            clone.note = note
            return clone

        def _clone(self) -> Any:
            clone = super()._clone()
            clone.note = self.note
            return clone

    for step in STEPS:
        assert step(Counted(Book)).steps == ["made"]
        assert step(Noted(Book).noted("here")).note == "here"
