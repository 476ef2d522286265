"""Rows of several QuerySets together, on both databases and both faces."""

from __future__ import annotations

from typing import Any

import pytest
from shop.models import Author, Book, Shelf, Tag

from aorm.errors import FieldError, NotSupportedError
from aorm.models import (
    Avg,
    CharField,
    Count,
    Exists,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
)
from aorm.models.functions import Lower

AGES = {"Ada": 36, "bob": 20, "Cyd": 20, "Dan": None}


@pytest.fixture
def authors(database: Any) -> dict[str, Author]:
    return {name: Author.objects.create(name=name, age=age) for name, age in AGES.items()}


@pytest.fixture
def combined(authors: Any) -> Any:
    """Ada, bob and Cyd."""
    young, early = Author.objects.filter(age=20), Author.objects.filter(name__in=["Ada", "bob"])
    return young.union(early)


async def names(ask: Any, queryset: Any) -> list[str]:
    return [each.name for each in await ask(list, queryset)]


async def test_objects_in_the_order_of_the_model(ask: Any, combined: Any) -> None:
    assert await names(ask, combined.order_by("name")) == sorted(["Ada", "bob", "Cyd"])
    assert set(await names(ask, combined)) == {"Ada", "bob", "Cyd"}


async def test_union_all_keeps_equal_rows(ask: Any, authors: Any) -> None:
    everyone = Author.objects.all()
    assert await ask(everyone.union(everyone, all=True).count) == 8
    assert await ask(everyone.union(everyone).count) == 4


async def test_intersection_and_difference(ask: Any, authors: Any) -> None:
    young, early = Author.objects.filter(age=20), Author.objects.filter(name__lt="b")
    late = Author.objects.filter(name__gte="b")
    assert await names(ask, young.intersection(late)) == ["bob"]
    assert await names(ask, young.difference(late)) == ["Cyd"]
    assert set(await names(ask, early.union(late).difference(young))) == {"Ada", "Dan"}


async def test_order_and_slice(ask: Any, combined: Any) -> None:
    assert await names(ask, combined.order_by("age", "-pk")[:2]) == ["Cyd", "bob"]
    assert await names(ask, combined.order_by(Lower("name"))[1:]) == ["bob", "Cyd"]
    assert await names(ask, combined.order_by(Lower("name")).reverse()) == ["Cyd", "bob", "Ada"]
    assert len(await ask(list, combined.order_by("?"))) == 3


async def test_slices_of_the_parts(ask: Any, authors: Any) -> None:
    oldest = Author.objects.order_by(F("age").desc(nulls_last=True))[:1]
    last = Author.objects.order_by("-pk")[:1]
    assert await names(ask, oldest.union(last).order_by("pk")) == ["Ada", "Dan"]
    assert await names(ask, last.union(oldest, all=True).order_by("-pk")[:1]) == ["Dan"]


async def test_reading_one_result(ask: Any, combined: Any, authors: Any) -> None:
    ordered = combined.order_by("pk")
    assert await ask(ordered.first) == authors["Ada"]
    assert await ask(ordered.last) == authors["Cyd"]
    assert await ask(combined.latest, "pk") == authors["Cyd"]
    assert await ask(ordered[1:2].get) == authors["bob"]
    with pytest.raises(Author.MultipleObjectsReturned):
        await ask(combined.get)


async def test_counting_and_existence(ask: Any, combined: Any) -> None:
    nobody = Author.objects.filter(age=7)
    assert await ask(combined.count) == 3
    assert await ask(combined[:2].count) == 2
    assert await ask(combined.exists)
    assert not await ask(nobody.union(nobody).exists)
    assert not await ask(combined.intersection(nobody).exists)
    assert not await ask(nobody.difference(combined).exists)


async def test_aggregates_over_combined_rows(ask: Any, combined: Any) -> None:
    found = await ask(
        combined.aggregate,
        total=Sum("age"),
        young=Count("pk", filter=Q(age__lt=30)),
        shortest=Max(Lower("name")),
        number=Count("*"),
    )
    assert found == {"total": 76, "young": 2, "shortest": "cyd", "number": 3}
    first_two = combined.order_by("-age", "name")[:2]
    assert (await ask(first_two.aggregate, Sum("age")))["age__sum"] == 56


async def test_aggregates_over_values_and_annotations(ask: Any, authors: Any) -> None:
    marked = Author.objects.annotate(mark=Value(2)).values("name", "mark")
    other = Author.objects.annotate(mark=Value(3)).values("name", "mark")
    assert await ask(marked.union(other).aggregate, Sum("mark")) == {"mark__sum": 20}
    ages = Author.objects.values("age")
    assert await ask(ages.union(ages).aggregate, middle=Avg("age")) == {"middle": 28.0}


async def test_aggregates_over_sliced_and_distinct_rows(ask: Any, authors: Any) -> None:
    ages = Author.objects.values("age").order_by("age")
    assert await ask(ages.distinct().aggregate, Sum("age")) == {"age__sum": 56}
    two = Author.objects.order_by("pk")[:2]
    assert await ask(two.aggregate, Sum("age"), Count("pk")) == {"age__sum": 56, "pk__count": 2}
    assert await ask(two.count) == 2


async def test_in_bulk(ask: Any, combined: Any, authors: Any) -> None:
    assert len(await ask(combined.in_bulk)) == 3
    keys = [authors["Ada"].pk, authors["Dan"].pk]
    for _ in range(2):
        assert await ask(combined.in_bulk, keys) == {authors["Ada"].pk: authors["Ada"]}
    assert await ask(combined.in_bulk, ["bob"], field_name="name") == {"bob": authors["bob"]}


async def test_streaming(ask: Any, combined: Any) -> None:
    ordered = combined.order_by("pk")
    if ask.face == "sync":
        found = await ask.in_thread(lambda: [each.name for each in ordered.iterator(1)])
    else:
        found = [each.name async for each in ordered.aiterator(1)]
    assert found == ["Ada", "bob", "Cyd"]


async def test_explain(ask: Any, combined: Any) -> None:
    assert await ask(combined.explain)


async def test_values(ask: Any, combined: Any) -> None:
    flat = combined.values_list("name", flat=True)
    assert await ask(list, flat.order_by("pk")) == ["Ada", "bob", "Cyd"]
    assert await ask(list, combined.values("age").order_by("-age")) == [{"age": 36}, {"age": 20}]
    rows = await ask(list, combined.order_by("-age").values_list("name", named=True)[:1])
    assert rows[0].name == "Ada"


async def test_values_of_different_models(ask: Any, authors: Any) -> None:
    await ask(Tag.objects.create, name="zoo")
    kind = CharField()
    people = Author.objects.values_list("name", "age", F("age"), Value("person", kind))
    tags = Tag.objects.values_list(
        "name", Value(None, IntegerField()), Value(1), Value("tag", kind)
    )
    found = await ask(list, people.union(tags).order_by("-name")[:2])
    assert [row[0] for row in found] == ["zoo", "bob"]
    assert found[0][1:] == (None, 1, "tag")


async def test_none_and_impossible_parts(ask: Any, authors: Any) -> None:
    nothing, everyone = Author.objects.none(), Author.objects.all()
    impossible = Author.objects.filter(pk__in=[])
    for empty in (nothing, impossible):
        assert await ask(empty.union(everyone).count) == 4
        assert await ask(everyone.union(empty).count) == 4
        assert await ask(list, everyone.intersection(empty)) == []
        assert await ask(list, empty.difference(everyone)) == []
        assert await ask(everyone.difference(empty).count) == 4
        assert await ask(list, empty.union(empty)) == []
    assert await ask(list, everyone.union(everyone).none()) == []
    assert await ask(list, everyone[1:1].difference(everyone).order_by("pk")) == []
    assert await ask(everyone[1:1].union(everyone).order_by("pk").count) == 4
    assert await ask(impossible.union(impossible).aggregate, n=Count("*"), s=Sum("age")) == {
        "n": 0,
        "s": None,
    }


async def test_as_operands(ask: Any, combined: Any, authors: Any) -> None:
    for author in authors.values():
        await ask(Book.objects.create, title=author.name, author=author)
    by = Book.objects.filter(author__in=combined)
    assert await ask(by.count) == 3
    assert await ask(Book.objects.exclude(author__in=combined).count) == 1
    first = combined.order_by("name")[:1]
    assert [b.title for b in await ask(list, Book.objects.filter(author__in=first))] == ["Ada"]
    own = Author.objects.filter(pk=OuterRef("author"), age=36)
    other = Author.objects.filter(pk=OuterRef("author"), name="Dan")
    either = own.union(other)
    assert await ask(Book.objects.filter(Exists(either)).count) == 2
    named = Book.objects.annotate(who=Subquery(either.values("name")))
    assert {b.who for b in await ask(list, named)} == {"Ada", "Dan", None}


async def test_related_objects_are_loaded_with_the_parts(ask: Any, authors: Any) -> None:
    await ask(Book.objects.create, title="a", author=authors["Ada"])
    books = Book.objects.select_related("author")
    found = await ask(list, books.filter(title="a").union(books.filter(title="b")))
    assert found[0].author.name == "Ada"


async def test_composite_keys(ask: Any, database: Any) -> None:
    for place in range(3):
        await ask(Shelf.objects.create, room=1, place=place)
    low, high = Shelf.objects.filter(place__lt=2), Shelf.objects.filter(place__gt=0)
    found = await ask(list, low.union(high).order_by("-pk"))
    assert [each.place for each in found] == [2, 1, 0]
    assert await ask(list, low.intersection(high).values_list("pk", flat=True)) == [(1, 1)]
    assert await ask(low.union(high).count) == 3


REFUSED = {
    "alias": {},
    "annotate": {},
    "complex_filter": {"filter_obj": Q(pk=1)},
    "defer": {},
    "delete": {},
    "distinct": {},
    "exclude": {},
    "extra": {},
    "filter": {},
    "only": {},
    "prefetch_related": {},
    "select_for_update": {},
    "select_related": {},
    "update": {},
}


@pytest.mark.parametrize("operator", ["union", "intersection", "difference"])
@pytest.mark.parametrize("method", REFUSED)
def test_refused_after_a_combination(database: Any, operator: str, method: str) -> None:
    combined = getattr(Author.objects, operator)(Author.objects.all())
    text = rf"Calling QuerySet.{method}\(\) after {operator}\(\) is not supported\. .*pk__in"
    with pytest.raises(NotSupportedError, match=text):
        getattr(combined, method)(**REFUSED[method])


@pytest.mark.parametrize("operator", ["__and__", "__or__", "__xor__"])
def test_operators_refuse_combined_rows(database: Any, operator: str) -> None:
    everyone = Author.objects.all()
    combined = everyone.union(everyone)
    for left, right in ((everyone, combined), (combined, everyone)):
        with pytest.raises(TypeError, match="operator with combined queryset"):
            getattr(left, operator)(right)


def test_something_else_than_a_queryset_is_refused(database: Any) -> None:
    with pytest.raises(TypeError, match=r"union\(\) takes QuerySets, not \[1\]"):
        Author.objects.union([1])


async def test_aggregates_over_unknown_names_are_refused(ask: Any, combined: Any) -> None:
    with pytest.raises(FieldError, match="nonsense"):
        await ask(combined.aggregate, Sum("nonsense"))
    with pytest.raises(FieldError, match="mentor__name"):
        await ask(combined.aggregate, Max("mentor__name"))


async def test_get_with_conditions_is_refused(ask: Any, combined: Any) -> None:
    with pytest.raises(NotSupportedError, match=r"get\(\.\.\.\) with filters after union"):
        await ask(combined.get, name="Ada")


def test_combining_leaves_the_parts_as_they_are(combined: Any) -> None:
    parts = Author.objects.filter(age=20), Author.objects.filter(age=36)
    texts = [str(each.query) for each in parts]
    parts[0].union(parts[1]).order_by("-age").values("name")
    assert [str(each.query) for each in parts] == texts
