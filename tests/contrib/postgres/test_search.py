"""Full text, trigrams, unaccent, aggregates and functions."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import pytest
from support import Ask

from aorm.contrib.postgres.aggregates import (
    ArrayAgg,
    BitAnd,
    BitOr,
    BitXor,
    BoolAnd,
    BoolOr,
    Corr,
    CovarPop,
    JSONBAgg,
    RegrAvgX,
    RegrCount,
    RegrSlope,
    StringAgg,
)
from aorm.contrib.postgres.functions import RandomUUID, TransactionNow
from aorm.contrib.postgres.search import (
    Lexeme,
    SearchHeadline,
    SearchQuery,
    SearchRank,
    SearchVector,
    TrigramDistance,
    TrigramSimilarity,
    TrigramStrictWordSimilarity,
    TrigramWordDistance,
    TrigramWordSimilarity,
)
from aorm.errors import QueryTypeError, QueryValueError
from aorm.models import F, Q, Value
from contrib.postgres.models import NOON, Plant, Reading

TEXTS = [
    "The quick brown fox jumps over the lazy dog",
    "Foxes are quick",
    "A dog sleeps",
    "Âge de l'été",
]


@pytest.fixture
def readings(database: Any) -> None:
    Reading.objects.bulk_create([Reading(at=NOON, text=text) for text in TEXTS])


def english(value: Any, **options: Any) -> SearchQuery:
    return SearchQuery(value, config="english", **options)


SEARCHES = {
    "plain": (english("fox quick"), [1, 2]),
    "phrase": (english("quick fox", search_type="phrase"), []),
    "raw": (english("fox & !dog", search_type="raw"), [2]),
    "websearch": (english('"lazy dog" -sleeps', search_type="websearch"), [1]),
    "and": (english("fox") & english("dog"), [1]),
    "or": (english("sleep") | english("lazy"), [1, 3]),
    "not": (~english("dog"), [2, 4]),
    "lexeme": (english(Lexeme("fox") & ~Lexeme("lazi")), [2]),
    "prefix": (english(Lexeme("sle", prefix=True) | Lexeme("brown")), [1, 3]),
    "awkward": (english("fox' & | !! :* (\\"), [1, 2]),
    "awkward lexeme": (SearchQuery(Lexeme("fox' | dog")), []),
}


@pytest.mark.parametrize(("query", "keys"), SEARCHES.values(), ids=list(SEARCHES))
async def test_searches(ask: Ask, readings: None, query: Any, keys: list[int]) -> None:
    vector = SearchVector("text", config="english")
    found = await ask(list, Reading.objects.annotate(v=vector).filter(v=query).order_by("pk"))
    assert [each.pk for each in found] == keys


async def test_the_search_lookup_takes_texts_and_queries(ask: Ask, readings: None) -> None:
    assert await ask(Reading.objects.filter(text__search="dog").count) == 2
    assert await ask(Reading.objects.filter(text__search=english("foxes")).count) == 2


async def test_a_stored_vector_is_searched(ask: Ask) -> None:
    await ask(Plant.objects.create, name="red rose")
    vector = SearchVector("name", weight="A", config="english") + SearchVector("height")
    await ask(Plant.objects.update, document=vector)
    assert await ask(Plant.objects.filter(document=english("roses")).count) == 1
    assert (await ask(Plant.objects.get)).document == "'0':3 'red':1A 'rose':2A"


async def test_ranks_are_the_same_numbers_on_both_faces(ask: Ask, readings: None) -> None:
    vector = SearchVector("text", config="english")
    rank = SearchRank(vector, english("quick fox"), weights=[0.1, 0.2, 0.4, 1.0], normalization=2)
    rows = Reading.objects.annotate(rank=rank).order_by("-rank", "pk").values_list("pk", "rank")
    found = await ask(list, rows)
    assert [pk for pk, _ in found] == [2, 1, 3, 4]
    assert found[0][1] == 0.049250428


async def test_headlines_take_their_options_as_values(ask: Ask, readings: None) -> None:
    headline = SearchHeadline(
        "text",
        english("dog"),
        config="english",
        start_sel='<b class="x">',
        stop_sel="</b>'",
        max_words=3,
        min_words=2,
    )
    rows = Reading.objects.annotate(line=headline).filter(pk=3).values_list("line", flat=True)
    assert await ask(list, rows) == ['<b class="x">dog</b>\' sleeps']


async def test_trigrams(ask: Ask) -> None:
    for name in ("Matthew", "Cat sat on mat."):
        await ask(Plant.objects.create, name=name)
    rows = Plant.objects.order_by("pk").values_list(
        TrigramSimilarity("name", "Mathew"),
        TrigramDistance("name", "Mathew"),
        TrigramWordSimilarity("mat", "name"),
        TrigramWordDistance("mat", "name"),
        TrigramStrictWordSimilarity("matt", "name"),
    )
    first, second = await ask(list, rows)
    assert first == (0.6666667, 0.3333333, 0.75, 0.25, 0.44444445) or first[2:] == (
        0.75,
        0.25,
        0.44444445,
    )
    assert second[2:] == (1.0, 0.0, 0.5)
    similar = Plant.objects.filter(name__trigram_similar="Mathew")
    assert [plant.name for plant in await ask(list, similar)] == ["Matthew"]
    assert await ask(Plant.objects.filter(name__trigram_word_similar="mat").count) == 2
    assert await ask(Plant.objects.filter(name__trigram_strict_word_similar="mat").count) == 1


async def test_unaccent_is_for_both_sides(ask: Ask, readings: None) -> None:
    assert await ask(Reading.objects.filter(text__unaccent__icontains="êTE").count) == 1


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: SearchQuery("a", search_type="fuzzy"), QueryValueError),
        (lambda: SearchVector("a", weight="E"), QueryValueError),
        (lambda: SearchVector("a") + 1, QueryTypeError),
        (lambda: SearchQuery("a") & "b", QueryTypeError),
        (lambda: Lexeme("a") | "b", QueryTypeError),
        (lambda: Lexeme(""), QueryValueError),
        (lambda: Lexeme(1), QueryTypeError),
        (lambda: Lexeme("a", weight="AB"), QueryValueError),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        make()


# --- aggregates ---------------------------------------------------------------------


@pytest.fixture
def plants(database: Any) -> None:
    Plant.objects.bulk_create(
        [Plant(name="a", height=1), Plant(name="b", height=3), Plant(name="b", height=5)]
    )


AGGREGATES = {
    "ArrayAgg": (ArrayAgg("name", order_by="-height"), ["b", "b", "a"]),
    "ArrayAgg distinct": (ArrayAgg("name", distinct=True, order_by="name"), ["a", "b"]),
    "ArrayAgg filter": (ArrayAgg("height", filter=Q(height__gt=1), order_by="height"), [3, 5]),
    "ArrayAgg default": (ArrayAgg("height", filter=Q(height=9), default=[0]), [0]),
    "JSONBAgg": (JSONBAgg("height", order_by="height"), [1, 3, 5]),
    "StringAgg": (StringAgg("name", Value("-"), order_by="name"), "a-b-b"),
    "BoolAnd": (BoolAnd(Q(height__gt=1)), False),
    "BoolOr": (BoolOr(Q(height__gt=1)), True),
    "BitAnd": (BitAnd("height"), 1),
    "BitOr": (BitOr("height"), 7),
    "BitXor": (BitXor("height"), 7),
    "Corr": (Corr(y="height", x="height"), 1.0),
    "CovarPop": (CovarPop(y="height", x="height", sample=True), 4.0),
    "RegrAvgX": (RegrAvgX(y=5, x="height"), 3.0),
    "RegrCount": (RegrCount(y="height", x="height"), 3),
    "RegrSlope": (RegrSlope(y=F("height") * 2, x="height"), 2.0),
}


@pytest.mark.parametrize(("aggregate", "value"), AGGREGATES.values(), ids=list(AGGREGATES))
async def test_aggregates(ask: Ask, plants: None, aggregate: Any, value: Any) -> None:
    assert await ask(Plant.objects.aggregate, found=aggregate) == {"found": value}


async def test_lookups_of_an_aggregated_array(ask: Ask, plants: None) -> None:
    rows = Plant.objects.values("name").annotate(all=ArrayAgg("height", order_by="height"))
    found = await ask(list, rows.filter(all__contains=[5]).values_list("name", "all__0"))
    assert found == [("b", 3)]


async def test_functions_of_the_server(ask: Ask, plants: None) -> None:
    rows = Plant.objects.values_list(RandomUUID(), TransactionNow())
    made, when = zip(*await ask(list, rows), strict=True)
    assert len(set(made)) == 3
    assert isinstance(made[0], uuid.UUID)
    assert isinstance(when[0], datetime.datetime)
    assert len(set(when)) == 1
