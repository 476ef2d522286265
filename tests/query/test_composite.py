"""Primary keys of several columns in lookups, subqueries, groups and orderings."""

from __future__ import annotations

from typing import Any

import pytest
from shop.models import Shelf

from aorm.models import Count, F, Max, OuterRef, Subquery, Value
from query.spelling import DIALECTS, interned, spelt, where

SHELVES = interned(Shelf)
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)


@pytest.fixture
def shelves(database: Any) -> None:
    Shelf.objects.bulk_create(
        [Shelf(room=room, place=place, label=f"{room}") for room in (1, 2) for place in (1, 2, 3)]
    )


def keys(queryset: Any) -> list[tuple[int, int]]:
    return sorted(queryset.values_list("room", "place"))


def test_subqueries_of_keys(shelves: None) -> None:
    low = Shelf.objects.filter(place=1)
    assert keys(Shelf.objects.filter(pk__in=low)) == [(1, 1), (2, 1)]
    assert keys(Shelf.objects.filter(pk__in=low.values("place", "room"))) == [(1, 1), (1, 2)]
    assert keys(Shelf.objects.filter(pk=low.order_by("room")[:1])) == [(1, 1)]
    assert keys(Shelf.objects.filter(pk__gt=low.order_by("-room")[:1])) == [(2, 2), (2, 3)]
    explicit = Subquery(low.values("pk"))
    assert keys(Shelf.objects.filter(pk__in=explicit)) == [(1, 1), (2, 1)]
    with pytest.raises(ValueError, match="must have 2 selected fields"):
        Shelf.objects.filter(pk__in=low.values("room"))


def test_outer_keys(shelves: None) -> None:
    same = Shelf.objects.filter(pk=OuterRef("pk")).values("place")[:1]
    assert keys(Shelf.objects.filter(place=Subquery(same), room=1)) == [(1, 1), (1, 2), (1, 3)]


def test_items_of_a_key_may_be_expressions(shelves: None) -> None:
    for value in (1, 2):
        assert keys(Shelf.objects.filter(pk=(value, Value(1) + 1))) == [(value, 2)]


def test_groups_and_counts(shelves: None) -> None:
    by_key = Shelf.objects.values("pk").annotate(number=Count("label")).order_by("pk")
    assert next(iter(by_key)) == {"pk": (1, 1), "number": 1}
    assert Shelf.objects.aggregate(number=Count("pk"))["number"] == 6
    assert Shelf.objects.values("pk").annotate(number=Count("label")).first() == by_key[0]


@each_dialect
def test_ordering_by_the_key_as_an_expression(dialect: Any) -> None:
    sql, _ = spelt(SHELVES.order_by(F("pk").desc()), dialect)
    assert sql.endswith('ORDER BY "shop_shelf"."room" DESC, "shop_shelf"."place" DESC')


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: SHELVES.annotate(n=Max("pk")), "Max expression does not support composite"),
        (lambda: SHELVES.annotate(n=F("pk") + 1), "CombinedExpression expression does not"),
        (lambda: SHELVES.annotate(n=Count("pk", distinct=True)), "COUNT.DISTINCT. doesn't"),
        (lambda: SHELVES.filter(label=F("pk")), "cannot be used as a lookup value"),
        (lambda: SHELVES.filter(pk=1), "'exact' lookup of 'pk' must be a tuple or a list"),
        (lambda: SHELVES.filter(pk=(1, 2, 3)), "'exact' lookup of 'pk' must have 2 elements"),
        (lambda: SHELVES.filter(pk__in=[1]), "must be a collection of tuples or lists"),
        (lambda: SHELVES.filter(pk__in=[(1,)]), "must have 2 elements each"),
    ],
)
def test_wrong_uses_are_refused_where_they_are_made(build: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        build()


@each_dialect
def test_lists_of_keys_that_hold_none_match_nothing_by_it(dialect: Any) -> None:
    for values in ([(1, 2)], [(1, None)], [(1, None), (3, 4)]):
        sql, params = where(SHELVES.filter(pk__in=values), dialect)
        assert bool(sql) == any(None not in pair for pair in values)
        assert "None" not in str(params)
