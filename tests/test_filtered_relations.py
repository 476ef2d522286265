"""Relations with conditions of their own, on both databases and both faces."""

from __future__ import annotations

from typing import Any

import pytest
from shop.models import Author, Book, Cover, Tag

from aorm.models import Count, F, FilteredRelation, Q, Sum


@pytest.fixture
def shop(database: Any) -> dict[str, Any]:
    """Ada wrote a long and a short book, Bob a short one, Cyd none."""
    ada, bob, cyd = (Author.objects.create(name=name) for name in ("Ada", "Bob", "Cyd"))
    long = Book.objects.create(title="Long", author=ada, editor=cyd, pages=500)
    short = Book.objects.create(title="Short", author=ada, editor=bob, pages=50)
    brief = Book.objects.create(title="Brief", author=bob, editor=cyd, pages=20)
    tag = Tag.objects.create(name="t")
    long.tags.add(tag)
    Cover.objects.create(book=long, artist="Dan")
    return {"ada": ada, "bob": bob, "cyd": cyd, "long": long, "short": short, "brief": brief}


def with_long(pages: int = 100) -> Any:
    return Author.objects.annotate(
        long=FilteredRelation("books", condition=Q(books__pages__gt=pages))
    )


async def test_conditions(ask: Any, shop: Any) -> None:
    assert await ask(list, with_long()) == [shop["ada"], shop["bob"], shop["cyd"]]
    assert await ask(list, with_long().filter(long__isnull=False)) == [shop["ada"]]
    assert await ask(list, with_long().filter(long__isnull=True)) == [shop["bob"], shop["cyd"]]
    assert await ask(list, with_long(30).filter(long=shop["short"])) == [shop["ada"]]
    assert await ask(list, with_long(10).exclude(long__title="Long")) == [shop["bob"], shop["cyd"]]
    either = with_long().filter(Q(long__isnull=False) | Q(name="Cyd"))
    assert await ask(list, either) == [shop["ada"], shop["cyd"]]


async def test_values_and_order(ask: Any, shop: Any) -> None:
    rows = with_long(30).values_list("name", "long__title").order_by("name", "-long__pages")
    assert await ask(list, rows) == [
        ("Ada", "Long"),
        ("Ada", "Short"),
        ("Bob", None),
        ("Cyd", None),
    ]
    titled = with_long().annotate(of=F("long__title")).order_by("of", "name")
    assert {author.of for author in await ask(list, titled)} == {"Long", None}


async def test_aggregates(ask: Any, shop: Any) -> None:
    counted = with_long(30).annotate(n=Count("long"), pages=Sum("long__pages")).order_by("name")
    assert [(a.n, a.pages) for a in await ask(list, counted)] == [(2, 550), (0, None), (0, None)]
    assert await ask(with_long().filter(long__pages__gt=3).count) == 1
    assert await ask(with_long().aggregate, Sum("long__pages")) == {"long__pages__sum": 500}


async def test_objects_of_the_relation_are_loaded(ask: Any, shop: Any) -> None:
    queryset = with_long().select_related("long__editor").order_by("name")
    with ask.queries() as queries:
        found = await ask(list, queryset)
        ada = found[0]
        assert (ada.long, ada.long.editor) == (shop["long"], shop["cyd"])
        assert ada.long.author is ada
        assert found[1].long is None
    assert len(queries) == 1


async def test_deferred_columns_of_the_relation(ask: Any, shop: Any) -> None:
    queryset = with_long().filter(long__isnull=False).select_related("long").defer("long__title")
    (found,) = await ask(list, queryset)
    assert found.long.get_deferred_fields() == {"title"}
    assert found.long.pages == 500


async def test_forward_and_many_to_many_relations(ask: Any, shop: Any) -> None:
    books = Book.objects.annotate(
        by_ada=FilteredRelation("author", condition=Q(author__name="Ada")),
        tagged=FilteredRelation("tags", condition=Q(tags__name="t")),
    )
    assert await ask(books.filter(tagged__isnull=False).get) == shop["long"]
    one = await ask(
        books.select_related("by_ada").filter(by_ada__isnull=False).order_by("pk").first
    )
    assert one.by_ada == shop["ada"]


async def test_relation_behind_relations(ask: Any, shop: Any) -> None:
    authors = Author.objects.annotate(
        through=FilteredRelation("books__editor", condition=Q(books__pages__lt=100)),
        covered=FilteredRelation("books__cover", condition=Q(books__cover__artist="Dan")),
    )
    rows = authors.filter(through__isnull=False).order_by("name").values_list("through__name")
    assert await ask(list, rows) == [("Bob",), ("Cyd",)]
    assert await ask(authors.filter(covered__isnull=False).get) == shop["ada"]
    loaded = authors.select_related("through").filter(through__name="Cyd")
    assert (await ask(loaded.get)).through == shop["cyd"]


async def test_chained_relations(ask: Any, shop: Any) -> None:
    authors = with_long(30).annotate(
        edited=FilteredRelation("long__editor", condition=Q(long__editor__name__gt="C"))
    )
    rows = authors.filter(long__isnull=False).order_by("long__pk")
    assert await ask(list, rows.values_list("long__title", "edited__name")) == [
        ("Long", "Cyd"),
        ("Short", None),
    ]


async def test_subqueries_updates_and_deletions(ask: Any, shop: Any) -> None:
    writers = with_long().filter(long__isnull=False)
    assert await ask(Book.objects.filter(author__in=writers).count) == 2
    assert await ask(Book.objects.exclude(author__in=writers).count) == 1
    assert await ask(writers.update, age=7) == 1
    assert (await ask(Author.objects.get, age=7)).name == "Ada"
    books = Book.objects.annotate(by=FilteredRelation("author", condition=Q(author__age=7)))
    await ask(books.filter(by__name="Ada").delete)
    assert await ask(Book.objects.count) == 1


async def test_alias_hides_nothing_and_combines(ask: Any, shop: Any) -> None:
    hidden = Author.objects.alias(
        long=FilteredRelation("books", condition=Q(books__pages__gt=100))
    ).filter(long__isnull=False)
    other = with_long(10).filter(long__title="Brief")
    assert await ask(list, hidden.union(other)) == [shop["ada"], shop["bob"]]
    assert await ask(list, (hidden | hidden)) == [shop["ada"]]
