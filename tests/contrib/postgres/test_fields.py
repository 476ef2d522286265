"""Values and lookups of the fields: the same on both faces, though each has a driver of its own."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from support import Ask

from aorm import models
from aorm.contrib.postgres.expressions import ArraySubquery
from aorm.contrib.postgres.fields import ArrayField, HStoreField, IntegerRangeField
from aorm.contrib.postgres.ranges import DateRange, DateTimeTZRange, NumericRange
from aorm.errors import FieldError, NotSupportedError, ValidationError
from aorm.models import F, Value
from aorm.models.functions import Lower
from contrib.postgres.models import NOON, Plant, Reading, Season

HOUR = datetime.timedelta(hours=1)
DAY = datetime.date(2026, 6, 1)
AWKWARD = ["", " ", "NULL", "null", 'say "hi"', "back\\slash", "{a,b}", "line\nbreak", "ü", "'"]

SAVED = {
    "texts": (Plant, "colours", AWKWARD),
    "no items": (Plant, "colours", []),
    "lists of lists": (Plant, "grid", [[1, None], [3, 4]]),
    "points in time": (Plant, "watered", [NOON, None, NOON + HOUR]),
    "documents": (Plant, "notes", [{"a": AWKWARD}, [1, 2], "text", 3, None]),
    "dictionary": (Plant, "labels", {**{text: text for text in AWKWARD}, "none": None}),
    "empty dictionary": (Plant, "labels", {}),
    "dictionaries": (Plant, "label_sets", [{"a": 'b"\\'}, {}, {"c": None}]),
    "integers": (Season, "days", NumericRange(1, 10)),
    "large integers": (Season, "seeds", NumericRange(2**40, None)),
    "decimals": (Season, "rain", NumericRange(Decimal("0.5"), Decimal("2.25"), "(]")),
    "everything": (Season, "rain", NumericRange(None, None, "()")),
    "nothing": (Season, "days", NumericRange(empty=True)),
    "dates": (Season, "dates", DateRange(DAY, DAY + 24 * HOUR)),
    "times": (Season, "times", DateTimeTZRange(NOON, NOON + HOUR, "[]")),
    "ranges": (Season, "steps", [NumericRange(1, 2), None, NumericRange(empty=True)]),
}


@pytest.mark.parametrize(("model", "name", "value"), SAVED.values(), ids=list(SAVED))
async def test_values_come_back_as_they_were_saved(
    ask: Ask, model: Any, name: str, value: Any
) -> None:
    made = await ask(model.objects.create, **{name: value})
    found = await ask(model.objects.get, pk=made.pk)
    assert getattr(found, name) == value
    assert type(getattr(found, name)) is type(value)


@pytest.mark.parametrize(("model", "name", "value"), SAVED.values(), ids=list(SAVED))
async def test_values_are_found_by_what_they_are(
    ask: Ask, model: Any, name: str, value: Any
) -> None:
    made = await ask(model.objects.create, **{name: value})
    assert await ask(model.objects.get, **{name: value}) == made
    assert await ask(model.objects.get, **{f"{name}__in": [value]}) == made


@pytest.mark.parametrize(("model", "name", "value"), SAVED.values(), ids=list(SAVED))
async def test_many_rows_are_written_at_once(ask: Ask, model: Any, name: str, value: Any) -> None:
    made = await ask(model.objects.bulk_create, [model(), model(**{name: value})])
    setattr(made[0], name, value)
    await ask(model.objects.bulk_update, made, [name])
    found = await ask(list, model.objects.values_list(name, flat=True))
    assert found == [value, value]


async def test_items_of_other_classes_are_converted(ask: Ask) -> None:
    await ask(Plant.objects.create, grid=(("1", 2.0),), labels={1: 2})
    found = await ask(Plant.objects.get, labels__1=2)
    assert (found.grid, found.labels) == ([[1, 2]], {"1": "2"})


@pytest.fixture
def plants(database: Any) -> None:
    Plant.objects.bulk_create(
        [
            Plant(name="a", colours=["red"], height=1, grid=[[1, 2], [3, 4]], labels={"k": "v"}),
            Plant(name="b", colours=["red", "blue"], height=2, labels={"k": None, "l": "w"}),
            Plant(name="c", colours=[], height=3),
        ]
    )


ARRAYS = {
    "contains": ({"colours__contains": ["red"]}, "ab"),
    "contained_by": ({"colours__contained_by": ["red", "green"]}, "ac"),
    "overlap": ({"colours__overlap": ["blue", "green"]}, "b"),
    "len": ({"colours__len": 0}, "c"),
    "len and gt": ({"colours__len__gt": 0}, "ab"),
    "item": ({"colours__1": "blue"}, "b"),
    "item and lookup": ({"colours__0__startswith": "r"}, "ab"),
    "part": ({"colours__0_1": ["red"]}, "ab"),
    "item of an item": ({"grid__1__0": 3}, "a"),
    "expressions": ({"colours__overlap": [Lower(Value("BLUE")), "x"]}, "b"),
    "an expression": ({"colours__contains": [Value("re"), "red"][1:]}, "ab"),
    "key": ({"labels__k": "v"}, "a"),
    "key and lookup": ({"labels__l__startswith": "w"}, "b"),
    "key is null": ({"labels__k__isnull": True}, "bc"),
    "has_key": ({"labels__has_key": "k"}, "ab"),
    "has_keys": ({"labels__has_keys": ["k", "l"]}, "b"),
    "has_any_keys": ({"labels__has_any_keys": ["l", "x"]}, "b"),
    "contains pairs": ({"labels__contains": {"l": "w"}}, "b"),
    "contained_by pairs": ({"labels__contained_by": {"k": "v", "x": "y"}}, "a"),
    "keys": ({"labels__keys__contains": ["l"]}, "b"),
    "values": ({"labels__values__contains": ["w"]}, "b"),
}


@pytest.mark.parametrize(("condition", "names"), ARRAYS.values(), ids=list(ARRAYS))
async def test_lookups_of_arrays_and_hstores(
    ask: Ask, plants: None, condition: dict[str, Any], names: str
) -> None:
    found = await ask(list, Plant.objects.filter(**condition).order_by("name"))
    assert "".join(plant.name for plant in found) == names


async def test_a_second_use_of_a_lookup_has_other_values(ask: Ask, plants: None) -> None:
    for wanted, number in (["red"], 2), (["blue", "red"], 1), ([], 3):
        assert await ask(Plant.objects.filter(colours__contains=wanted).count) == number


def test_lookups_of_equal_shape_are_one_query(database: Any) -> None:
    first = Plant.objects.filter(colours__contains=["a"], labels__has_keys=["b"])
    second = Plant.objects.filter(colours__contains=["c", "d"], labels__has_keys=["e", "f"])
    assert first._query is second._query
    one = Season.objects.filter(days__overlap=NumericRange(1, 2), times__contains=NOON)
    other = Season.objects.filter(days__overlap=NumericRange(5, None), times__contains=NOON + HOUR)
    assert one._query is other._query


async def test_parts_of_arrays_can_be_selected_and_saved(ask: Ask, plants: None) -> None:
    rows = Plant.objects.filter(name="b").values_list("colours__1", F("colours")[:1], "labels__l")
    assert await ask(list, rows) == [("blue", ["red"], "w")]
    await ask(Plant.objects.filter(name="b").update, colours=F("colours")[1:])
    assert (await ask(Plant.objects.get, name="b")).colours == ["blue"]


async def test_a_subquery_gives_an_array(ask: Ask, plants: None) -> None:
    heights = Plant.objects.order_by("-height").values("height")
    found = await ask(Plant.objects.annotate(all=ArraySubquery(heights)).first)
    assert found.all == [3, 2, 1]


@pytest.fixture
def seasons(database: Any) -> None:
    Season.objects.bulk_create(
        [
            Season(days=(0, 10), times=(NOON, NOON + HOUR)),
            Season(days=(5, 15)),
            Season(days=(None, 0)),
            Season(days=NumericRange(empty=True)),
            Season(),
        ]
    )


RANGES = {
    "contains a value": ({"days__contains": 7}, [1, 2]),
    "contains a range": ({"days__contains": (6, 9)}, [1, 2]),
    "contains an expression": ({"days__contains": Value(2) + Value(1)}, [1]),
    "contains a point in time": ({"times__contains": NOON + HOUR}, [1]),
    "contained_by": ({"days__contained_by": NumericRange(0, 12)}, [1, 4]),
    "overlap": ({"days__overlap": (9, 11)}, [1, 2]),
    "fully_lt": ({"days__fully_lt": (5, 6)}, [3]),
    "fully_gt": ({"days__fully_gt": (0, 2)}, [2]),
    "not_lt": ({"days__not_lt": (5, 6)}, [2]),
    "not_gt": ({"days__not_gt": (0, 10)}, [1, 3]),
    "adjacent_to": ({"days__adjacent_to": (10, 12)}, [1]),
    "startswith": ({"days__startswith": 5}, [2]),
    "endswith": ({"days__endswith__lt": 15}, [1, 3]),
    "isempty": ({"days__isempty": True}, [4]),
    "lower_inf": ({"days__lower_inf": True}, [3]),
    "lower_inc": ({"days__lower_inc": True}, [1, 2]),
    "upper_inf": ({"times__upper_inf": False}, [1]),
    "upper_inc": ({"times__upper_inc": True}, [1]),
    "a value in a range": ({"pk__contained_by": NumericRange(2, 4)}, [2, 3]),
}


@pytest.mark.parametrize(("condition", "keys"), RANGES.values(), ids=list(RANGES))
async def test_lookups_of_ranges(
    ask: Ask, seasons: None, condition: dict[str, Any], keys: list[int]
) -> None:
    found = await ask(list, Season.objects.filter(**condition).order_by("pk"))
    assert [season.pk for season in found] == keys


@pytest.mark.parametrize(
    "condition",
    [
        {"day__contained_by": DateRange(DAY, None)},
        {"at__contained_by": DateTimeTZRange(NOON, NOON + HOUR)},
        {"value__contained_by": NumericRange(Decimal("1.4"), Decimal("1.6"))},
    ],
)
async def test_values_of_other_kinds_in_ranges(ask: Ask, condition: dict[str, Any]) -> None:
    await ask(Reading.objects.create, at=NOON, day=DAY, value=Decimal("1.5"))
    await ask(Reading.objects.create, at=NOON - HOUR, value=2)
    assert await ask(Reading.objects.filter(**condition).count) == 1


# --- without a database -------------------------------------------------------------


def test_sqlite_says_that_the_lookups_are_postgresqls(tmp_path: Any) -> None:
    import aorm

    aorm.configure(f"sqlite:///{tmp_path / 'garden.db'}")
    with pytest.raises(NotSupportedError, match="PostgreSQL"):
        list(Plant.objects.filter(colours__contains=["red"]))
    aorm.close()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (ArrayField(models.IntegerField(), size=1), [1, 2], "no more than 1"),
        (ArrayField(models.IntegerField()), [1, None], "Item 2 in the array did not validate"),
        (ArrayField(models.CharField(max_length=3)), ["100%"], r"Item 1 .* at most 3"),
        (ArrayField(ArrayField(models.IntegerField())), [[1], [2, 3]], "same length"),
        (HStoreField(), {"a": 1}, "not a string"),
    ],
)
def test_values_that_do_not_fit_are_refused(field: Any, value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        field.clean(value, None)


def test_items_cannot_be_relations() -> None:
    with pytest.raises(FieldError, match="related field"):

        class Bad(models.Model):
            plants = ArrayField(models.ForeignKey(Plant, models.CASCADE))

            class Meta:
                app_label = "garden_bad"


@pytest.mark.parametrize(
    "value",
    [
        NumericRange(1, 5),
        NumericRange(1, 5, "(]"),
        NumericRange(None, 5),
        NumericRange(empty=True),
        DateRange(DAY, None),
    ],
)
def test_ranges_are_values(value: Any) -> None:
    import copy
    import pickle

    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
    assert hash(copy.copy(value)) == hash(value)
    assert eval(repr(value).replace("datetime.", "datetime.")) == value


def test_ranges_know_what_is_in_them() -> None:
    assert [n for n in range(7) if n in NumericRange(2, 4, "[]")] == [2, 3, 4]
    assert [n for n in range(7) if n in NumericRange(None, 2, "()")] == [0, 1]
    assert 1 not in NumericRange(empty=True)
    assert not NumericRange(empty=True)


def test_ranges_are_ordered_as_in_sql(database: Any) -> None:
    ranges = [
        NumericRange(1, 5),
        NumericRange(None, 3),
        NumericRange(1, None),
        NumericRange(1, 4),
        NumericRange(empty=True),
        NumericRange(None, None),
    ]
    Season.objects.bulk_create([Season(days=each) for each in ranges])
    found = Season.objects.order_by("days").values_list("days", flat=True)
    assert list(found) == sorted(ranges)


def test_fields_can_be_made_again() -> None:
    for field in ArrayField(models.IntegerField(), size=3), IntegerRangeField(null=True):
        _, path, args, kwargs = field.deconstruct()
        assert path.startswith("aorm.contrib.postgres.fields.")
        assert type(field)(*args, **kwargs).deconstruct()[1:2] == (path,)
