"""SQL of users' own classes: what stands beside their parameters, and rows that functions make."""

from __future__ import annotations

from typing import Any

import pytest
from shop.models import Author, Book
from support import needs

from aorm.models import CharField, Count, F, Func, IntegerField, JSONField, Lookup, Q, Value


class Numbered(Lookup):
    """The text is a letter and the number."""

    lookup_name = "numbered"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> tuple[str, list[Any]]:
        left, params = self.process_lhs(compiler, connection)
        right, more = self.process_rhs(compiler, connection)
        return f"{left} = ('n' || {right})", [*params, *more]


class Found(Func):
    """Whatever a path leads to in a JSON document, each in a row."""

    function = "jsonb_path_query"
    set_returning = True
    output_field = JSONField()


@pytest.fixture
def books(database: Any) -> None:
    ada = Author.objects.create(name="n7")
    Book.objects.create(title="a", author=ada, details={"colours": ["red", "blue"]})
    Book.objects.create(title="b", author=ada, details={"colours": []})


async def test_a_lookup_of_a_user_knows_that_its_number_is_one(ask, books) -> None:
    CharField.register_lookup(Numbered)
    try:
        assert await ask(Author.objects.filter(name__numbered=7).exists)
        assert not await ask(Author.objects.filter(name__numbered=8).exists)
        assert "'n' || 7)" in str(Author.objects.filter(name__numbered=7).query)
    finally:
        CharField._unregister_lookup(Numbered)


@needs("native_json")
async def test_rows_that_a_function_makes_are_counted(ask, books) -> None:
    rows = Book.objects.annotate(colour=Found("details", Value("$.colours[*]")))
    assert await ask(list, rows.values_list("title", "colour")) == [("a", "red"), ("a", "blue")]
    assert await ask(rows.count) == 2
    assert await ask(rows.aggregate, n=Count("pk")) == {"n": 2}


@needs("typed_parameters")
async def test_a_text_without_a_type_is_one_for_functions_of_any_type(ask, books) -> None:
    shown = Func(Value("<"), F("title"), Value(">"), function="CONCAT", output_field=CharField())
    rows = Book.objects.annotate(shown=shown).order_by("pk").values_list("shown", flat=True)
    assert await ask(list, rows) == ["<a>", "<b>"]


async def test_an_aggregate_over_nothing_has_its_own_type(ask, books) -> None:
    empty = Q(pk__in=[])
    authors = Author.objects.annotate(n=Count("books", filter=empty)).values_list("n", flat=True)
    assert await ask(list, authors) == [0]
    total = Func(Count("books", filter=empty), function="ABS", output_field=IntegerField())
    assert await ask(list, Author.objects.values_list(total)) == [(0,)]
