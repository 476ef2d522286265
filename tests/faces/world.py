"""What stands in the database when a row of the tables is called, the same for both faces."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

from shop.models import Author, Book, Cover, Shelf, Shop, Stock, Tag

import aorm
from aorm.contrib.contenttypes.models import ContentType

EXTRA = (Shop, Stock, Cover, Shelf)


def fill() -> None:
    """Three authors with two books each, tags, a shop, shelves."""
    authors = Author.objects.bulk_create(
        Author(name=f"Author {number}", age=30 + number) for number in (1, 2, 3)
    )
    authors[1].mentor = authors[0]
    authors[1].save()
    authors[0].friends.add(authors[1])
    tags = Tag.objects.bulk_create(Tag(name=name) for name in "abc")
    books = Book.objects.bulk_create(
        Book(
            title=f"{title}{number}",
            author=author,
            pages=number * 100,
            published=datetime.date(2000 + number, 1, 1 if title == "A" else 2),
        )
        for number, author in enumerate(authors, 1)
        for title in "AB"
    )
    for book in books:
        book.tags.add(tags[0] if book.title.startswith("A") else tags[1])
    books[0].editor = authors[2]
    books[0].save()
    Cover.objects.create(book=books[0], artist="Someone")
    shop = Shop.objects.create(name="Corner")
    Stock.objects.create(shop=shop, book=books[0], copies=3)
    Shelf.objects.bulk_create(Shelf(room=1, place=place) for place in (1, 2))


class World(SimpleNamespace):
    """Objects loaded anew for each face, by the names that the rows use."""

    @classmethod
    def loaded(cls) -> World:
        ContentType.objects.clear_cache()
        database = aorm.connections["default"]
        authors = list(Author.objects.order_by("pk"))
        return cls(
            database=database,
            vendor=database.vendor,
            authors=authors,
            author=authors[0],
            book=Book.objects.order_by("pk").first(),
            labelled=Book.objects.prefetch_related("tags").order_by("pk").first(),
            books=list(Book.objects.order_by("pk")),
            tags=list(Tag.objects.order_by("pk")),
            shop=Shop.objects.get(),
            shelf=Shelf.objects.first(),
        )


def new_author(**values: Any) -> Author:
    return Author(**{"name": "New", "age": 1, **values})
