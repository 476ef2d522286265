"""Rows for query sets, managers, raw query sets, and what is built on them."""

from __future__ import annotations

import io

from shop.models import Author, Book, Shelf, Tag

from aorm import models
from aorm.models import CTE, Count, F, Max, Prefetch, Q, with_cte
from aorm.models.manager import BaseManager
from aorm.models.raw import RawQuerySet
from faces.comparing import Group, Row, on
from faces.world import new_author

BUILDERS = """
    alias all annotate as_subquery complex_filter dates datetimes db defer difference distinct
    exclude extra fetch_mode filter intersection none only order_by prefetch_related raw returning
    reverse select_for_update select_related top union using values values_list
"""

BY_PAGES = CTE(Book.objects.values("author_id").annotate(longest=Max("pages")), name="longest")

READING: dict[str, Row] = {
    "aggregate": lambda w: on(Book.objects, n=Count("pk"), most=Max("pages")),
    "aggregate: of nothing": lambda w: on(Book.objects.filter(pages=0), n=Count("pk")),
    "aggregate: an unknown field": lambda w: on(Book.objects, n=Count("nothing")),
    "contains": lambda w: on(Book.objects.filter(pages__gt=100), w.book),
    "contains: an unsaved object": lambda w: on(Book.objects.all(), Book()),
    "copy_to": lambda w: on(Tag.objects.order_by("pk"), io.StringIO()),
    "count": lambda w: on(Book.objects.filter(tags__name="a")),
    "count: of what is loaded": lambda w: on(prefetched(w).books),
    "earliest": lambda w: on(Book.objects, "published"),
    "earliest: none": lambda w: on(Book.objects.filter(pages=0), "published"),
    "exists": lambda w: on(Book.objects.filter(author__name="Author 1")),
    "exists: none": lambda w: on(Book.objects.none()),
    "explain": lambda w: on(Shelf.objects.order_by("label")),
    "explain: an unknown option": lambda w: on(Tag.objects, what=True),
    "first": lambda w: on(Book.objects),
    "first: none": lambda w: on(Book.objects.filter(pages=0)),
    "get": lambda w: on(Author.objects, pk=1),
    "get: by a key of two columns": lambda w: on(Shelf.objects, pk=(1, 2)),
    "get: none found": lambda w: on(Author.objects, name="Nobody"),
    "get: several found": lambda w: on(Book.objects, title__startswith="A"),
    "get: a value that fits no field": lambda w: on(Author.objects, age="old"),
    "in_bulk": lambda w: on(Author.objects, [1, 2, 99]),
    "in_bulk: by another field": lambda w: on(Author.objects, ["Author 1"], field_name="name"),
    "iterator": lambda w: on(Tag.objects.order_by("pk")),
    "iterator: in chunks, with relations": lambda w: on(
        Author.objects.order_by("pk").prefetch_related("books"), chunk_size=2
    ),
    "last": lambda w: on(Book.objects),
    "latest": lambda w: on(Book.objects.all()),
    "page": lambda w: on(Book.objects.order_by("-pages"), size=2),
    "page: a cursor of nothing": lambda w: on(Book.objects.order_by("pages"), after="what"),
}

WRITING: dict[str, Row] = {
    "bulk_create": lambda w: on(Tag.objects, [Tag(name=f"t{n}") for n in range(5)], batch_size=2),
    "bulk_create: ignoring conflicts": lambda w: on(
        Tag.objects, [Tag(name="a"), Tag(name="z")], ignore_conflicts=True
    ),
    "bulk_create: a duplicate": lambda w: on(Tag.objects, [Tag(name="z"), Tag(name="z")]),
    "bulk_create: returning": lambda w: on(Tag.objects.returning("name"), [Tag(name="z")]),
    "bulk_update": lambda w: on(Author.objects, changed(w.authors), ["age"]).watching(w.author),
    "bulk_update: an unsaved object": lambda w: on(Author.objects, [new_author()], ["age"]),
    "bulk_upsert": lambda w: on(
        Tag.objects, [Tag(name="a"), Tag(name="z")], unique_fields=["name"]
    ),
    "copy_from": lambda w: on(Tag.objects, [("x",), ("y",)], fields=["name"]),
    "create": lambda w: on(Author.objects, name="New", age=3),
    "create: a duplicate": lambda w: on(Tag.objects, pk=1, name="z"),
    "create: an unknown field": lambda w: on(Tag.objects, colour="red"),
    "get_or_create": lambda w: on(Author.objects, name="New", defaults={"age": 5}),
    "get_or_create: one is there": lambda w: on(Author.objects, name="Author 2"),
    "insert_from": lambda w: on(
        Tag.objects, Author.objects.filter(age__gt=31).values("age"), {"name": "age"}
    ),
    "update": lambda w: on(Author.objects.filter(pk=1), age=F("age") + 1),
    "update: across a relation": lambda w: on(Book.objects.filter(author__age=31), pages=1),
    "update: returning": lambda w: on(Author.objects.filter(pk=1).returning("age"), age=9),
    "update: a slice": lambda w: on(Author.objects.order_by("pk")[:2], age=9),
    "update: an unknown field": lambda w: on(Author.objects, colour="red"),
    "update_or_create": lambda w: on(Author.objects, name="Author 1", defaults={"age": 9}),
    "update_or_create: none is there": lambda w: on(
        Author.objects, name="New", defaults={"age": 9}, create_defaults={"age": 1}
    ),
}

RESULTS: dict[str, Row] = {
    "__iter__": lambda w: on(Author.objects.all()),
    "__iter__: conditions over relations": lambda w: on(
        Book.objects.filter(Q(tags__name="a") | Q(pages=300)).exclude(author__age=31).distinct()
    ),
    "__iter__: excluded over many": lambda w: on(
        Author.objects.exclude(books__tags__name="c").order_by("-pk")
    ),
    "__iter__: select_related": lambda w: on(
        Book.objects.select_related("author__mentor", "cover").order_by("pk")
    ),
    "__iter__: prefetch_related": lambda w: on(
        Author.objects.prefetch_related("books__tags", "friends").order_by("pk")
    ),
    "__iter__: Prefetch": lambda w: on(
        Author.objects.prefetch_related(
            Prefetch("books", Book.objects.order_by("-pages")[:1], to_attr="best")
        ).order_by("pk")
    ),
    "__iter__: annotated": lambda w: on(Author.objects.annotate(n=Count("books")).order_by("n")),
    "__iter__: values": lambda w: on(Book.objects.order_by("pk").values("title", "author__age")),
    "__iter__: named": lambda w: on(
        Book.objects.order_by("pk").values_list("title", "pages", named=True)
    ),
    "__iter__: dates": lambda w: on(Book.objects.dates("published", "year")),
    "__iter__: only": lambda w: on(Author.objects.only("name").order_by("pk")),
    "__iter__: sliced": lambda w: on(Author.objects.order_by("pk")[1:3]),
    "__iter__: a union": lambda w: on(
        Author.objects.filter(pk=1).union(Author.objects.filter(pk=3)).order_by("name")
    ),
    "__iter__: top of each group": lambda w: on(Book.objects.order_by("-title").top(1, "author")),
    "__iter__: a common table": lambda w: on(
        with_cte(
            BY_PAGES,
            select=BY_PAGES.join(Author, pk=BY_PAGES.col.author_id)
            .annotate(longest=BY_PAGES.col.longest)
            .order_by("pk"),
        )
    ),
    "__iter__: none": lambda w: on(Author.objects.none()),
    "__iter__: a division by zero": lambda w: on(
        Author.objects.annotate(n=F("age") % models.Value(0)).values("n")
    ),
}

DELETING: dict[str, Row] = {
    "delete": lambda w: on(Book.objects.filter(tags__name="a")),
    "delete: with a cascade": lambda w: on(Author.objects.filter(age__gt=31)),
    "delete: a slice": lambda w: on(Tag.objects.order_by("pk")[:1]),
    "delete: returning": lambda w: on(Tag.objects.filter(name="c").returning("name")),
    "delete: values": lambda w: on(Author.objects.values("name")),
}

RAW = "SELECT id, name, age + 1 AS older FROM shop_author ORDER BY id"

RAW_RESULTS: dict[str, Row] = {
    "__iter__": lambda w: on(Author.objects.raw(RAW)),
    "__iter__: with values and relations": lambda w: on(
        Author.objects.raw(
            "SELECT * FROM shop_author WHERE age > %s ORDER BY id", [31]
        ).prefetch_related("books")
    ),
    "__iter__: without the key": lambda w: on(Author.objects.raw("SELECT name FROM shop_author")),
    "iterator": lambda w: on(Author.objects.raw(RAW)),
}


def prefetched(world):
    """An author whose books are loaded."""
    author = Author(pk=world.author.pk)
    author._prefetched_objects_cache = {"books": loaded(author, world.books[:2])}
    return author


def loaded(author, books):
    queryset = author.books.all()
    queryset._result_cache = list(books)
    return queryset


def changed(authors):
    for author in authors:
        author.age += 1
    return authors


def of_query_sets(rows: dict[str, Row]) -> dict[str, Row]:
    """The same rows asked of a query set instead of its manager."""
    return {key: lambda w, row=row: _on_query_set(row(w)) for key, row in rows.items()}


def _on_query_set(call):
    if isinstance(call.target, BaseManager):
        call.target = call.target.all()
    return call


GROUPS = (
    Group(
        models.QuerySet,
        of_query_sets(READING | WRITING | DELETING) | RESULTS,
        lazily=f"{BUILDERS} as_manager ordered query totally_ordered",
    ),
    Group(
        models.Manager,
        READING | WRITING,
        lazily=f"""
            {BUILDERS} check contribute_to_class db_manager deconstruct from_queryset get_queryset
        """,
    ),
    Group(RawQuerySet, RAW_RESULTS, lazily="columns db prefetch_related query using"),
)
