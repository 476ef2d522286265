"""Both faces run the same statements and give the same answers."""

from __future__ import annotations

import pytest
from shop.models import Author, Book, Shelf, Tag
from support import Ask, committed

import aorm
from aorm.models import Count, F, Q


@pytest.fixture
def library(database) -> None:
    for number in range(1, 4):
        author = Author.objects.create(name=f"Author {number}", age=30 + number)
        for title in "AB":
            book = Book.objects.create(title=f"{title}{number}", author=author, pages=number)
            book.tags.add(Tag.objects.get_or_create(name=title.lower())[0])
    Shelf.objects.create(room=1, place=1)


def first_author() -> Author:
    return Author(pk=1, name="Author 1", age=31)


CASES = {
    "all": lambda ask: ask(list, Author.objects.all()),
    "get": lambda ask: ask(Author.objects.get, pk=1),
    "filter": lambda ask: ask(list, Book.objects.filter(author__name="Author 2", pages__gt=1)),
    "exclude": lambda ask: ask(list, Book.objects.exclude(tags__name="a").order_by("pk")),
    "many-to-many": lambda ask: ask(
        list, Book.objects.filter(Q(tags__name="a") | Q(pages=3)).distinct().order_by("pk")
    ),
    "select_related": lambda ask: ask(list, Book.objects.select_related("author").order_by("pk")),
    "prefetch_related": lambda ask: ask(
        list, Author.objects.prefetch_related("books", "books__tags")
    ),
    "values": lambda ask: ask(list, Book.objects.order_by("pk").values("title", "author__age")),
    "aggregate": lambda ask: ask(Book.objects.aggregate, n=Count("pk")),
    "annotate": lambda ask: ask(list, Author.objects.annotate(n=Count("books")).order_by("pk")),
    "count": lambda ask: ask(Book.objects.count),
    "exists": lambda ask: ask(Book.objects.exists),
    "first": lambda ask: ask(Book.objects.first),
    "last": lambda ask: ask(Book.objects.last),
    "in_bulk": lambda ask: ask(Author.objects.in_bulk, [1, 2]),
    "iterator": lambda ask: ask(
        list, getattr(Tag.objects, "iterator" if ask.face == "sync" else "aiterator")()
    ),
    "create": lambda ask: ask(Author.objects.create, name="New"),
    "get_or_create": lambda ask: ask(Author.objects.get_or_create, name="New"),
    "update_or_create": lambda ask: ask(
        Author.objects.update_or_create, name="Author 1", defaults={"age": 9}
    ),
    "save": lambda ask: ask(first_author().save),
    "refresh": lambda ask: ask(first_author().refresh_from_db),
    "delete": lambda ask: ask(first_author().delete),
    "update": lambda ask: ask(Author.objects.filter(pk=1).update, age=F("age") + 1),
    "delete queryset": lambda ask: ask(Author.objects.filter(age__lt=33).delete),
    "bulk_create": lambda ask: ask(
        Tag.objects.bulk_create, [Tag(name=f"t{n}") for n in range(5)], batch_size=2
    ),
    "bulk_update": lambda ask: ask(Author.objects.bulk_update, [first_author()], ["age"]),
    "add": lambda ask: ask(first_author().friends.add, 2, 3),
    "composite": lambda ask: ask(Shelf.objects.get, pk=(1, 1)),
}


def plain(answer):
    """An answer as something that can be compared across two databases' worth of objects."""
    if isinstance(answer, list | tuple):
        return [plain(one) for one in answer]
    if isinstance(answer, dict):
        return {key: plain(one) for key, one in answer.items()}
    return repr(answer)


@committed  # so that both faces give savepoints the same names
@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("case", CASES)
async def test_same_statements_same_answer(database, case):
    seen = []
    for face in "sync", "async":
        ask = Ask(face)
        with pytest.raises(Undone):
            async with ask.atomic():
                # Inside a block, so that the second face finds what the first one found.
                await reset_sequences(ask, database.vendor)
                with ask.queries() as queries:
                    answer = await CASES[case](ask)
                seen.append((plain(answer), [(q.sql, plain(q.params)) for q in queries]))
                raise Undone
        ask.close()
    assert seen[0] == seen[1]
    assert seen[0][1]


class Undone(Exception):
    """Leaves the block without its changes."""


async def reset_sequences(ask: Ask, vendor: str) -> None:
    """Sequences of PostgreSQL don't roll back: both faces shall be given the same keys."""
    if vendor != "postgresql":
        return
    execute = aorm.connections["default"].execute
    if ask.face == "async":
        execute = aorm.connections["default"].aexecute
    for table in "shop_author", "shop_tag", "shop_author_friends":
        sql = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 100)"
        await (ask.in_thread(execute, sql) if ask.face == "sync" else execute(sql))
