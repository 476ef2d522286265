"""COPY in and out, on both faces."""

from __future__ import annotations

import datetime
import io
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
from support import Ask

import aorm
from aorm.contrib.postgres.ranges import NumericRange
from aorm.errors import IntegrityError, NotSupportedError, QueryTypeError, QueryValueError
from aorm.models import F
from aorm.operations import copying
from contrib.postgres.models import NOON, Plant, Reading, Season, Tally, Visit

AWKWARD = 'a\tb\nc\\d\r\\N "quoted" {braces} ü\x0b'
FULL = {
    "at": NOON,
    "day": datetime.date(2026, 6, 1),
    "value": Decimal("-1.500"),
    "text": AWKWARD,
    "data": {"a": [1, None, AWKWARD]},
    "raw": b"\x00\xff\\",
    "took": datetime.timedelta(days=-2, seconds=3, microseconds=4),
}


async def test_rows_of_values_go_in(ask: Ask) -> None:
    rows = [("oak", 30, []), ["elm", "20", ("green",)]]
    assert await ask(Plant.objects.copy_from, rows, fields=["name", "height", "colours"]) == 2
    found = await ask(list, Plant.objects.order_by("pk").values_list("name", "height", "colours"))
    assert found == [("oak", 30, []), ("elm", 20, ["green"])]


async def test_every_type_comes_back_as_it_went_in(ask: Ask) -> None:
    await ask(Reading.objects.copy_from, [FULL])
    found = await ask(Reading.objects.get)
    assert {name: getattr(found, name) for name in FULL} == {**FULL, "raw": FULL["raw"]}


async def test_instances_go_in_with_their_defaults(ask: Ask) -> None:
    plants = [Plant(name="fern", colours=["green", 'say "hi"', "a,b", "NULL", ""])]
    await ask(Plant.objects.copy_from, plants)
    assert (await ask(Plant.objects.get)).colours == plants[0].colours


async def test_instances_keep_keys_that_are_set(ask: Ask) -> None:
    await ask(Plant.objects.copy_from, [Plant(pk=77, name="fern")])
    assert (await ask(Plant.objects.get)).pk == 77


async def test_nulls_ranges_and_documents_go_in(ask: Ask) -> None:
    await ask(
        Season.objects.copy_from, [(NumericRange(1, 5), [(1, 2)]), (None, None)], ["days", "steps"]
    )
    found = await ask(list, Season.objects.order_by("pk").values_list("days", "steps"))
    assert found == [(NumericRange(1, 5), [NumericRange(1, 2)]), (None, None)]


async def test_rows_without_end_are_written_in_pieces_and_all_or_none(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "SIZE", 1000)

    def rows() -> Iterator[tuple[int]]:
        for number in range(3000):
            yield (number,)
        raise LookupError("the source dried up")

    with ask.queries() as queries, pytest.raises(LookupError):
        await ask(Tally.objects.copy_from, rows(), ["number"])
    assert sum("COPY" in query.sql for query in queries) > 1
    assert await ask(Tally.objects.count) == 0


async def test_all_pieces_count(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "SIZE", 1000)
    rows = ((number,) for number in range(1777))
    assert await ask(Tally.objects.copy_from, rows, ["number"]) == 1777
    assert await ask(Tally.objects.count) == 1777


async def test_an_asynchronous_iterable_goes_in_on_the_asynchronous_face(database: Any) -> None:
    async def rows() -> AsyncIterator[dict[str, Any]]:
        for number in range(1200):
            yield {"number": number}

    assert await Tally.objects.acopy_from(rows()) == 1200
    assert await Tally.objects.acount() == 1200


async def test_copy_in_is_part_of_the_transaction(ask: Ask) -> None:
    with pytest.raises(LookupError):
        async with ask.atomic():
            await ask(Tally.objects.copy_from, [(1,)], ["number"])
            assert await ask(Tally.objects.count) == 1
            raise LookupError
    assert await ask(Tally.objects.count) == 0


def test_whoever_gives_the_rows_may_ask_the_database(database: Any) -> None:
    Tally.objects.create(number=1)

    def doubled() -> Iterator[tuple[int]]:
        for number in range(3):
            yield (number + Tally.objects.count(),)

    assert Tally.objects.copy_from(doubled(), ["number"]) == 3


async def test_a_violated_constraint_is_an_integrity_error(ask: Ask) -> None:
    with pytest.raises(IntegrityError):
        await ask(Reading.objects.copy_from, [(NOON, 99)], ["at", "plant"])
    assert await ask(Reading.objects.count) == 0


@pytest.mark.parametrize(
    ("rows", "fields", "error"),
    [
        ([("oak",)], None, QueryValueError),
        ([("oak", 3)], ["name"], QueryValueError),
        ([("oak",), {"name": "elm"}], ["name"], QueryTypeError),
        (["oak"], ["name"], QueryTypeError),
        ([{"name": "oak"}, {"height": 1}], None, QueryValueError),
        ([Plant(name="oak"), Visit(bed=1)], None, QueryTypeError),
        ([(F("height"),)], ["height"], QueryValueError),
        (7, ["name"], QueryTypeError),
    ],
)
async def test_rows_that_do_not_fit_are_refused(
    ask: Ask, rows: Any, fields: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await ask(Plant.objects.copy_from, rows, fields)
    assert await ask(Plant.objects.count) == 0


async def test_no_rows_make_no_statement(ask: Ask) -> None:
    with ask.queries() as queries:
        assert await ask(Plant.objects.copy_from, [], ["name"]) == 0
    assert not queries


# --- out --------------------------------------------------------------------------


@pytest.fixture
def trees(database: Any) -> None:
    Plant.objects.bulk_create(
        [Plant(name="oak", height=30, colours=["green"]), Plant(name='a "b", c', height=2)]
    )


async def test_results_are_written_as_csv(ask: Ask, trees: None) -> None:
    file = io.BytesIO()
    rows = Plant.objects.order_by("height").values_list("name", "height", "colours")
    assert await ask(rows.copy_to, file, header=True) == 2
    assert file.getvalue().decode() == ('name,height,colours\n"a ""b"", c",2,{}\noak,30,{green}\n')


async def test_a_model_is_written_with_all_its_columns(ask: Ask, trees: None, tmp_path) -> None:
    path = tmp_path / "plants.txt"
    assert await ask(Plant.objects.filter(name="oak").copy_to, path, format="text") == 1
    assert path.read_text() == "1\toak\t30\t{green}" + "\t\\N" * 6 + "\n"


@pytest.mark.parametrize(
    "value", ["oak", 'a "b", c', "'; DROP TABLE garden_plant; --", "\\'", "$1", "x' || 'y"]
)
async def test_values_of_the_query_are_written_safely(ask: Ask, trees: None, value: str) -> None:
    await ask(Plant.objects.create, name=value)
    wanted = await ask(Plant.objects.filter(name=value).count)
    pieces: list[bytes] = []
    rows = Plant.objects.annotate(odd=F("name")).filter(odd=value, height__in=[0, 30, 2])
    written = await ask(rows.values(**{"named$1": F("name")}).copy_to, pieces.append)
    assert written == wanted


async def test_slices_lists_dates_and_documents_can_be_asked_for(ask: Ask) -> None:
    await ask(Reading.objects.create, **FULL)
    rows = Reading.objects.filter(
        at=NOON,
        day__in=[FULL["day"]],
        data__a__0=1,
        raw=FULL["raw"],
        took=FULL["took"],
        value__lt=Decimal("0.5"),
    )[:5]
    assert await ask(rows.values_list("pk").copy_to, lambda piece: None) == 1


async def test_the_binary_format_is_postgresqls(ask: Ask, trees: None) -> None:
    file = io.BytesIO()
    await ask(Plant.objects.copy_to, file, format="binary")
    assert file.getvalue().startswith(b"PGCOPY\n\xff\r\n\0")


async def test_nothing_is_written_of_an_empty_query(ask: Ask) -> None:
    file = io.BytesIO()
    assert await ask(Plant.objects.none().copy_to, file) == 0
    assert file.getvalue() == b""


async def test_copy_out_sees_its_own_transaction(ask: Ask) -> None:
    file = io.BytesIO()
    async with ask.atomic():
        await ask(Plant.objects.create, name="oak")
        await ask(Plant.objects.values_list("name").copy_to, file)
    assert file.getvalue() == b"oak\n"


async def test_a_coroutine_function_takes_the_pieces(trees: None) -> None:
    pieces: list[bytes] = []

    async def take(piece: bytes) -> None:
        pieces.append(piece)

    await Plant.objects.order_by("pk").values_list("height").acopy_to(take)
    assert b"".join(pieces) == b"30\n2\n"


async def test_a_failing_target_leaves_the_database_usable(ask: Ask, trees: None) -> None:
    def refuse(piece: bytes) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        await ask(Plant.objects.copy_to, refuse)
    assert await ask(Plant.objects.count) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"format": "xml"},
        {"delimiter": "ab"},
        {"null": 0},
        {"format": "binary", "header": True},
        {"format": "csv); DROP TABLE garden_plant; --"},
    ],
)
async def test_options_that_do_not_exist_are_refused(ask: Ask, options: dict[str, Any]) -> None:
    with pytest.raises(QueryValueError):
        await ask(Plant.objects.copy_to, io.BytesIO(), **options)


async def test_the_target_must_be_one(ask: Ask) -> None:
    with pytest.raises(QueryTypeError):
        await ask(Plant.objects.copy_to, 7)


@pytest.mark.parametrize("face", ["sync", "async"])
async def test_sqlite_names_what_there_is_instead(face: str, tmp_path) -> None:
    aorm.configure(f"sqlite:///{tmp_path / 'garden.db'}")
    ask = Ask(face)
    try:
        with pytest.raises(NotSupportedError, match="bulk_create"):
            await ask(Plant.objects.copy_from, [("oak",)], ["name"])
        with pytest.raises(NotSupportedError, match="iterator"):
            await ask(Plant.objects.copy_to, io.BytesIO())
    finally:
        ask.close()
