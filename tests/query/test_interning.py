"""A query that was built before answers for other values as one that is built for them."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import pytest
from shop.models import Author, Book, Shop, Tag

from aorm.models import (
    Case,
    CharField,
    Count,
    DecimalField,
    Exists,
    ExpressionWrapper,
    F,
    FilteredRelation,
    IntegerField,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from aorm.models.expressions import RawSQL
from aorm.models.functions import Coalesce, Concat, Length, Lower
from query.spelling import DIALECTS, fresh, interned, spelt

HUGE = 2**70


class Word(str):
    """A text of a class of its own."""


class Chain:
    """A chain of steps whose shape follows from one seed, and its values from another."""

    def __init__(self, shape: int, values: int, root: Any, modest: bool = False) -> None:
        self.pick = random.Random(shape)
        self.draw = random.Random(values)
        self.root = root
        self.modest = modest  # integers that arithmetic in a database can do with

    # Values: which kind is a matter of the shape, except where the kind may vary freely.

    def number(self) -> Any:
        return self.draw.choice([0, 1, 7, 2**31, 2**40, -(2**31) - 1, HUGE, -HUGE, True, None])

    def text(self) -> Any:
        return self.draw.choice(["", "a", "50%", "a_b\\", "7", Word("w"), "x" * 30])

    def numbers(self) -> Any:
        pool = [1, 2, 3, None, HUGE, "4", True, 2**33]
        return self.draw.sample(pool, self.draw.randrange(len(pool)))

    def plain_number(self) -> int:
        if self.modest:
            return self.draw.choice([1, 2, 5, 8])
        return self.draw.choice([1, 5, 2**20, 2**40, HUGE])

    def condition(self, depth: int = 0) -> Any:
        kind = self.pick.randrange(17 if depth < 2 else 12)
        if kind == 0:
            return Q(pages=self.number())
        if kind == 1:
            return Q(title__contains=self.text())
        if kind == 2:
            return Q(pages__in=self.numbers())
        if kind == 3:
            return Q(author__in=self.numbers())
        if kind == 4:
            number = self.number()
            return Q(pages__gt=3 if number is None else number)
        if kind == 5:
            return Q(tags__name=self.text())
        if kind == 6:
            return Q(pages__range=(self.plain_number(), self.plain_number()))
        if kind == 7:
            return Q(published__year=self.draw.choice([1999, 2020, 2031]))
        if kind == 8:
            return Q(pages__lt=F("author__age") + self.plain_number())
        if kind == 9:
            return Q(author__name__in=[self.text(), *(self.text() for _ in range(2))])
        if kind == 10:
            return Q(editor__isnull=self.draw.choice([True, False]))
        if kind == 11:
            return Q(editor__mentor__name__iexact=self.text())
        if kind == 12:
            inner = self.root(Author).filter(age__gt=self.plain_number())
            return Q(author__in=inner)
        if kind == 13:
            inner = self.root(Tag).filter(books=OuterRef("pk"), name=self.text())
            return Q(Exists(inner))
        if kind == 14:
            return ~self.condition(depth + 1)
        if kind == 15:
            return self.condition(depth + 1) | self.condition(depth + 1)
        return self.condition(depth + 1) & self.condition(depth + 1)

    def expression(self) -> Any:
        kind = self.pick.randrange(9)
        if kind == 0:
            return F("pages") * self.plain_number() + F("author__age")
        if kind == 1:
            return Concat("title", Value(self.text()), output_field=CharField())
        if kind == 2:
            return Case(
                When(self.condition(1), then=Value(self.text())),
                default=Value(self.text()),
                output_field=CharField(),
            )
        if kind == 3:
            inner = self.root(Shop).filter(books=OuterRef("pk"), name=self.text())
            return Subquery(inner.values("name")[:1])
        if kind == 4:
            return Coalesce("rating", Value(self.draw.choice([1.5, 2.5])))
        if kind == 5:
            return Value(self.draw.choice([1, True, None, self.plain_number()]), IntegerField())
        if kind == 6:
            return RawSQL("pages + %s", [self.plain_number()], IntegerField())
        if kind == 7:
            return Length(Lower("title")) + self.plain_number()
        return ExpressionWrapper(
            F("price") * Decimal(self.draw.randrange(9)), output_field=DecimalField()
        )

    def aggregate(self) -> Any:
        if self.pick.random() < 0.5:
            return Count("tags", filter=self.condition(1), distinct=True)
        return Sum("shops__stock__copies", default=self.draw.choice([0, 1]))

    def step(self, queryset: Any, number: int) -> Any:
        kind = self.pick.randrange(12)
        if kind == 11:
            name = f"near{number}"
            condition = Q(tags__name=self.text()) | Q(tags__pk__in=self.numbers())
            related = queryset.alias(**{name: FilteredRelation("tags", condition=condition)})
            if self.pick.random() < 0.5:
                return related.exclude(**{f"{name}__name__gt": self.text()})
            return related.filter(Q(**{f"{name}__isnull": True}) | Q(pages=self.number()))
        if kind == 9:
            mark = f"mark{number}"
            marked = queryset.alias(**{mark: F("pages") + self.plain_number()})
            near = self.root(Author).filter(name__gte=self.text(), age__lt=OuterRef(mark))
            return marked.filter(Exists(near.filter(books__title__contains=self.text())))
        if kind == 10:
            tags = self.root(Tag).filter(name=self.text(), books__author=OuterRef("author"))
            return queryset.annotate(**{f"count{number}": Subquery(tags.values("pk")[:1])})
        if kind in (0, 1):
            return queryset.filter(self.condition())
        if kind == 2:
            return queryset.exclude(self.condition())
        if kind == 3:
            return queryset.filter(
                pages=self.draw.choice([1, 2, HUGE]), title__startswith=self.text()
            )
        if kind == 4:
            return queryset.annotate(**{f"extra{number}": self.expression()})
        if kind == 5:
            return queryset.annotate(**{f"total{number}": self.aggregate()})
        if kind == 6:
            return queryset.order_by(
                self.pick.choice(["title", "-pages", "author"]),
                self.pick.choice([F("rating").desc(nulls_last=True), Length("title").asc()]),
                Coalesce("rating", Value(self.draw.choice([1.5, 2.5]))).desc(),
            )
        if kind == 7 and queryset._query.group_by is None and not queryset._query.annotations:
            other = self.root(Book).filter(self.condition(1))
            return queryset & other if self.pick.random() < 0.5 else queryset | other
        name = f"checked{number}"
        return queryset.alias(**{name: self.expression()}).filter(**{f"{name}__isnull": False})

    def build(self) -> Any:
        queryset = self.root(Book)
        for number in range(self.pick.randrange(1, 5)):
            queryset = self.step(queryset, number)
        if self.pick.random() < 0.5:
            start = self.draw.randrange(5)
            queryset = queryset[start : start + self.draw.randrange(1, 9)]
            if self.pick.random() < 0.5:
                queryset = queryset[self.draw.randrange(4) :]
        return queryset

    def together(self, built: Any) -> Any:
        """The rows of the chain and of another query, by themselves or as an operand."""
        other = self.root(Book).filter(self.condition(1)).values("pk")
        combine = self.pick.choice(["union", "intersection", "difference"])
        rows = getattr(built.values("pk"), combine)(other)
        if self.pick.random() < 0.5:
            return self.root(Author).filter(age=self.plain_number(), books__in=rows)
        low = self.draw.randrange(1, 4)
        return rows.order_by(F("pk") * self.plain_number(), "-pk")[low : low + 3]

    def used(self) -> Any:
        """The chain by itself, or as an operand of another query."""
        built = self.build()
        kind = self.pick.randrange(4)
        if kind == 3:
            return self.together(built)
        if kind == 0:
            return self.root(Author).filter(name=self.text(), books__in=built.values("pk"))
        if kind == 1 and not built._query.is_sliced:
            near = built.filter(author=OuterRef("pk"), title=self.text())
            return self.root(Author).filter(age__in=[self.plain_number(), 3]).filter(Exists(near))
        return built


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)
@pytest.mark.parametrize("shape", range(120))
def test_other_values_of_a_shape_give_what_a_fresh_query_gives(shape: int, dialect: Any) -> None:
    for values in range(6):
        again = spelt(Chain(shape, values, interned).used(), dialect)
        anew = spelt(Chain(shape, values, fresh).used(), dialect)
        assert (again[0], again[1]) == (anew[0], anew[1]), f"values {values}"
        assert [type(p) for p in again[1]] == [type(p) for p in anew[1]]


@pytest.fixture
def books(database: Any) -> None:
    people = [Author(name=n, age=a) for n, a in (("", 1), ("a", 40), ("x" * 30, None))]
    Author.objects.bulk_create(people)
    tags = Tag.objects.bulk_create([Tag(name=n) for n in ("a", "50", "7")])
    shops = Shop.objects.bulk_create([Shop(name=n) for n in ("a", "", "7")])
    titles = ("", "a", "50%", "a_b\\", "7", "w", "x" * 30, "ab", "another")
    for number, title in enumerate(titles):
        book = Book.objects.create(
            title=title,
            author=people[number % 3],
            editor=people[1] if number % 2 else None,
            pages=number,
            rating=None if number % 4 else number / 2,
            published=dt.date(1999 + 7 * number, 1, 31),
            price=Decimal(number),
        )
        book.tags.set([tags[number % 3]] if number % 4 else tags[:2])
        shops[number % 3].books.add(book)


@pytest.mark.parametrize("shapes", range(0, 120, 20))
def test_an_operand_means_what_the_query_means_by_itself(books: None, shapes: int) -> None:
    for shape in range(shapes, shapes + 20):
        for values in (1, 2):
            built = Chain(shape, values, interned, modest=True).build()
            if built._query.is_sliced:
                continue
            alone = set(built.values_list("pk", flat=True))
            every = Book.objects.filter(title__contains="", pages__gte=0)
            inside = every.filter(pk__in=built.values("pk"), pages__lt=99)
            assert set(inside.values_list("pk", flat=True)) == alone, (shape, values)
            near = every.filter(Exists(built.filter(pk=OuterRef("pk"))))
            assert set(near.values_list("pk", flat=True)) == alone, (shape, values)
            joined = every.order_by() & built.order_by() if not built._query.annotations else None
            if joined is not None:
                assert set(joined.values_list("pk", flat=True)) == alone, (shape, values)
            nothing = Book.objects.filter(pk__lt=0).values("pk")
            for rows in (built.values("pk").union(nothing), built.values("pk").difference(nothing)):
                assert {row["pk"] for row in rows} == alone, (shape, values)
                assert rows.count() == len(alone), (shape, values)
                assert set(every.filter(pk__in=rows).values_list("pk", flat=True)) == alone
            if built._query.group_by is None:
                assert built.count() == len(list(built)), (shape, values)
