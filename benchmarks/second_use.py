"""What a query costs when its shape was used before: to build it and to bind its values.

    python benchmarks/second_use.py [--rounds N] [--profile NAME]

Ten typical queries, each the same in aorm and in Django (which has to be installed), from the first
name to the text of the statement and its parameters, for SQLite; no database is asked.  Values
differ from one use to the next.  Times are CPU time, the best of all rounds, in which the two
take turns, so that what else the machine does counts little.  The interpreter counts: one that was
built without its optimisations (`./configure` alone) takes a quarter longer.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
from collections.abc import Callable
from decimal import Decimal
from time import process_time
from types import SimpleNamespace
from typing import Any

import django
import django.db.models
import django.db.models.functions
from django.apps import AppConfig
from django.conf import settings

import aorm.models
import aorm.models.functions
from aorm.sql.dialects.sqlite import SQLITE
from aorm.sql.select import compile_select

LIMIT = 15.0  # µs, of each query
SHARE = 1 / 20  # of Django's time
USES = 200  # of aorm in a round, where Django's are a tenth

Query = Callable[[Any, int], Any]


def shop(models: Any) -> dict[str, Any]:
    """The same models in either language."""

    class Author(models.Model):
        name = models.CharField(max_length=100)
        age = models.IntegerField(null=True)

        class Meta:
            app_label = "benchmarks"

    class Tag(models.Model):
        name = models.CharField(max_length=50)

        class Meta:
            app_label = "benchmarks"

    class Book(models.Model):
        title = models.CharField(max_length=200)
        author = models.ForeignKey(Author, models.CASCADE, related_name="books")
        tags = models.ManyToManyField(Tag, related_name="books")
        pages = models.IntegerField(default=0)
        price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
        rating = models.FloatField(null=True)
        published = models.DateField(null=True)

        class Meta:
            app_label = "benchmarks"

    class Review(models.Model):
        book = models.ForeignKey(Book, models.CASCADE, related_name="reviews")
        text = models.TextField()
        stars = models.IntegerField()

        class Meta:
            app_label = "benchmarks"

    return {"Author": Author, "Tag": Tag, "Book": Book, "Review": Review}


# --- the queries; `m` is one of the two languages, `n` differs from use to use ----------


def keywords(m: Any, n: int) -> Any:
    books = m.Book.objects.filter(author__name=f"a{n}", pages__gte=n)
    return books.exclude(title__startswith="x").order_by("-rating", "title")[n : n + 20]


def conditions(m: Any, n: int) -> Any:
    wanted = m.Q(title__icontains=f"t{n}") | m.Q(author__name=f"a{n}", pages__gt=n)
    return m.Book.objects.filter(wanted & ~m.Q(tags__name="old"), rating__isnull=False)


def arithmetic(m: Any, n: int) -> Any:
    books = m.Book.objects.annotate(cost=m.F("price") * Decimal("1.19") + n)
    return books.filter(cost__lt=m.F("pages") * 2).order_by(m.F("rating").desc(nulls_last=True))


def cases(m: Any, n: int) -> Any:
    size = m.Case(
        m.When(pages__lt=n, then=m.Value("short")),
        m.When(pages__lt=n + 200, then=m.Value("middle")),
        default=m.Value("long"),
    )
    return m.Book.objects.annotate(size=size).filter(size="short")


def exists(m: Any, n: int) -> Any:
    praised = m.Review.objects.filter(book=m.OuterRef("pk"), stars__gte=n)
    return m.Book.objects.filter(m.Exists(praised), pages__gt=n)


def subquery(m: Any, n: int) -> Any:
    latest = m.Review.objects.filter(book=m.OuterRef("pk"), stars__lt=n).order_by("-pk")
    return m.Book.objects.annotate(said=m.Subquery(latest.values("text")[:1])).filter(pages=n)


def aggregates(m: Any, n: int) -> Any:
    good = m.Count("reviews", filter=m.Q(reviews__stars__gte=n), distinct=True)
    books = m.Book.objects.annotate(good=good, stars=m.Avg("reviews__stars"))
    return books.filter(good__gt=2).order_by("-good")


def grouped(m: Any, n: int) -> Any:
    books = m.Book.objects.filter(published__year=2000 + n % 20).values("author__name")
    return books.annotate(pages=m.Sum("pages"), books=m.Count("pk")).filter(books__gt=n)


def functions(m: Any, n: int) -> Any:
    shown = m.Concat(m.Upper("title"), m.Value(f" {n}: "), "author__name")
    books = m.Book.objects.annotate(shown=shown, stars=m.Coalesce("rating", m.Value(0.5)))
    return books.filter(shown__contains=f"{n}").order_by(m.Length("title"))


def everything(m: Any, n: int) -> Any:
    praised = m.Review.objects.filter(book=m.OuterRef("pk"), stars__gte=n)
    latest = m.Review.objects.filter(book=m.OuterRef("pk")).order_by("-pk").values("text")
    size = m.Case(m.When(pages__lt=n, then=m.Value("short")), default=m.Value("long"))
    wanted = m.Q(title__contains=f"t{n}") | m.Q(pages__gt=m.F("author__age") + n)
    return (
        m.Book.objects.filter(wanted, m.Exists(praised))
        .annotate(size=size, said=m.Subquery(latest[:1]))
        .order_by("title")[:20]
    )


QUERIES: tuple[Query, ...] = (
    keywords,
    conditions,
    arithmetic,
    cases,
    exists,
    subquery,
    aggregates,
    grouped,
    functions,
    everything,
)

# --- the two languages ------------------------------------------------------------------


def language(models: Any, functions: Any) -> SimpleNamespace:
    """The names that the queries use."""
    return SimpleNamespace(**{**vars(functions), **vars(models), **shop(models)})


def django_language() -> SimpleNamespace:
    sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    app = AppConfig("benchmarks", sys.modules[__name__])
    settings.configure(DATABASES={"default": sqlite}, INSTALLED_APPS=[app], USE_TZ=True)
    django.setup()
    return language(django.db.models, django.db.models.functions)


def bind(queryset: Any) -> Any:
    """The text and the parameters, as aorm gives them to a driver."""
    compiled = compile_select(queryset._query, SQLITE)
    return compiled.sql, compiled.bind(queryset._values)


def django_bind(queryset: Any) -> Any:
    return queryset.query.sql_with_params()


# --- measuring --------------------------------------------------------------------------


def timed(query: Query, m: Any, bound: Callable[[Any], Any], uses: int) -> float:
    """CPU microseconds of one use, the mean of some."""
    before = process_time()
    for number in range(uses):
        bound(query(m, number))
    return (process_time() - before) / uses * 1e6


def measure(query: Query, ours: Any, theirs: Any, rounds: int) -> tuple[float, float]:
    """The best times of aorm and of Django."""
    timed(query, ours, bind, USES), timed(query, theirs, django_bind, 1)
    pairs = [
        (timed(query, ours, bind, USES), timed(query, theirs, django_bind, USES // 10))
        for _ in range(rounds)
    ]
    return min(our for our, _ in pairs), min(their for _, their in pairs)


def profile(query: Query, m: Any) -> None:
    """Where the time of aorm goes."""
    timed(query, m, bind, USES)
    with cProfile.Profile() as profiler:
        timed(query, m, bind, USES * 50)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--profile", help="the name of one query")
    options = parser.parse_args()
    ours = language(aorm.models, aorm.models.functions)
    if options.profile:
        profile(globals()[options.profile], ours)
        return 0
    theirs, missed = django_language(), 0
    print(f"{'query':12} {'aorm µs':>9} {'Django µs':>11} {'Django / aorm':>14}")
    for query in QUERIES:
        our, their = measure(query, ours, theirs, options.rounds)
        kept = our <= LIMIT and our <= their * SHARE
        missed += not kept
        verdict = "" if kept else "  missed"
        print(f"{query.__name__:12} {our:9.1f} {their:11.1f} {their / our:14.1f}{verdict}")
    print(f"limits: {LIMIT:.0f} µs, and 1/{1 / SHARE:.0f} of Django's time; {missed} missed")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
