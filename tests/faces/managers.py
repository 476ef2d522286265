"""Rows for the managers of related objects: of foreign keys, many-to-many and generic relations."""

from __future__ import annotations

from contrib.models import ALL as GENERIC
from contrib.models import Animal, Label, Plant
from shop.models import Author, Book, Tag

from aorm import models
from aorm.contrib.contenttypes.models import ContentType
from faces.comparing import Group, Row, on
from faces.querysets import prefetched

REVERSE: dict[str, Row] = {
    "add": lambda w: on(w.author.books, w.books[2]).watching(w.books[2]),
    "add: without bulk": lambda w: on(w.author.books, Book(title="n"), bulk=False),
    "add: unsaved": lambda w: on(w.author.books, Book(title="n")),
    "add: another model": lambda w: on(w.author.books, w.tags[0]),
    "add: after a prefetch": lambda w: on(prefetched(w).books, w.books[2]),
    "aggregate": lambda w: on(w.author.books, n=models.Count("pk")),
    "bulk_create": lambda w: on(w.author.books, [Book(title="n", author=w.author)]),
    "count": lambda w: on(w.author.books),
    "create": lambda w: on(w.author.books, title="New"),
    "create: of an unsaved author": lambda w: on(Author().books, title="New"),
    "get_or_create": lambda w: on(w.author.books, title="A1"),
    "get_or_create: none is there": lambda w: on(w.author.books, title="New"),
    "set": lambda w: on(w.author.books, w.books[:3]).watching(w.books[2]),
    "update": lambda w: on(w.author.books, pages=1),
    "update_or_create": lambda w: on(w.author.books, title="A1", defaults={"pages": 5}),
    "update_or_create: none is there": lambda w: on(w.author.books, title="New"),
}

NULLABLE: dict[str, Row] = {
    "add": lambda w: on(w.author.students, w.authors[2]).watching(w.authors[2]),
    "add: an object of nobody": lambda w: on(Author().students, w.authors[2]),
    "clear": lambda w: on(w.author.students),
    "clear: without bulk": lambda w: on(w.author.students, bulk=False),
    "create": lambda w: on(w.author.students, name="New"),
    "remove": lambda w: on(w.author.students, w.authors[1]).watching(w.authors[1]),
    "remove: one that is not there": lambda w: on(w.author.students, w.authors[2]),
    "set": lambda w: on(w.author.students, [w.authors[2]]),
    "set: clearing first": lambda w: on(w.author.students, [w.authors[2]], clear=True),
}

MANY: dict[str, Row] = {
    "add": lambda w: on(w.book.tags, w.tags[1], 3),
    "add: one that is there": lambda w: on(w.book.tags, w.tags[0]),
    "add: symmetrical": lambda w: on(w.author.friends, w.authors[2]),
    "add: from the other side": lambda w: on(w.tags[2].books, w.book),
    "add: with values between": lambda w: on(
        w.shop.books, w.books[1], through_defaults={"copies": 9}
    ),
    "add: another model": lambda w: on(w.book.tags, w.author),
    "add: after a prefetch": lambda w: on(w.labelled.tags, w.tags[1]),
    "remove: after a prefetch": lambda w: on(w.labelled.tags, w.tags[0]),
    "add: something unsaved": lambda w: on(w.book.tags, Tag(name="x")),
    "bulk_create": lambda w: on(w.book.tags, [Tag(name="x")]),
    "clear": lambda w: on(w.book.tags),
    "clear: symmetrical": lambda w: on(w.author.friends),
    "count": lambda w: on(w.book.tags),
    "create": lambda w: on(w.book.tags, name="new"),
    "create: with values between": lambda w: on(
        w.shop.books, title="New", author=w.author, through_defaults={"copies": 2}
    ),
    "exists": lambda w: on(w.book.tags),
    "get_or_create": lambda w: on(w.book.tags, name="a"),
    "get_or_create: none is there": lambda w: on(w.book.tags, name="new"),
    "remove": lambda w: on(w.book.tags, w.tags[0]),
    "remove: symmetrical": lambda w: on(w.author.friends, w.authors[1]),
    "remove: one that is not there": lambda w: on(w.book.tags, w.tags[2]),
    "set": lambda w: on(w.book.tags, w.tags[1:]),
    "set: clearing first": lambda w: on(w.book.tags, w.tags[1:], clear=True),
    "set: with values between": lambda w: on(
        w.shop.books, w.books[1:3], through_defaults={"copies": 2}
    ),
    "set_base": lambda w: on(w.book.tags, w.tags[1:]),
    "update_or_create": lambda w: on(w.book.tags, name="a", defaults={"name": "b2"}),
    "update_or_create: none is there": lambda w: on(w.book.tags, name="new"),
}

GENERICALLY: dict[str, Row] = {
    "add": lambda w: on(LION.labels, Label(pk=3, text="red")),
    "add: without bulk": lambda w: on(LION.labels, Label(text="big"), bulk=False),
    "add: another model": lambda w: on(LION.labels, w.author),
    "clear": lambda w: on(LION.labels),
    "clear: without bulk": lambda w: on(LION.labels, bulk=False),
    "count": lambda w: on(LION.labels),
    "create": lambda w: on(LION.labels, text="new"),
    "get_or_create": lambda w: on(LION.labels, text="new"),
    "get_or_create: one is there": lambda w: on(LION.labels, text="big"),
    "remove": lambda w: on(LION.labels, Label(pk=1, text="big")),
    "set": lambda w: on(LION.labels, [Label(pk=1, text="big")]),
    "set: clearing first": lambda w: on(LION.labels, [], clear=True),
    "update_or_create": lambda w: on(LION.labels, text="big", defaults={"text": "small"}),
    "update_or_create: none is there": lambda w: on(LION.labels, text="new"),
}

LION = Animal(pk=1, name="Lion")
LION._state.adding, LION._state.db = False, "default"


def labels() -> None:
    """A lion with two labels, a plant with one."""
    ContentType.objects.clear_cache()
    lion = Animal.objects.create(name="Lion")
    plant = Plant.objects.create(name="Rose")
    for text, about in (("big", lion), ("yellow", lion), ("red", plant)):
        Label.objects.create(text=text, about=about)


INNER = "all core_filters get_prefetch_querysets model"
AUTHOR, BOOK = Author(pk=1), Book(pk=1)

GROUPS = (
    Group(type(AUTHOR.books), REVERSE, base=models.Manager, lazily=INNER),
    Group(type(AUTHOR.students), NULLABLE, base=models.Manager, lazily=INNER),
    Group(type(BOOK.tags), MANY, base=models.Manager, lazily=f"{INNER} related_val through"),
    Group(
        type(LION.labels),
        GENERICALLY,
        base=models.Manager,
        tables=GENERIC,
        fill=labels,
        lazily="all get_prefetch_querysets model",
    ),
)
