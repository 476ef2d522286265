"""What tables have: indexes of PostgreSQL's kinds, extensions, exclusion constraints."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from support import Ask

import aorm
from aorm import models
from aorm.contrib.postgres import acreate_extension, create_extension
from aorm.contrib.postgres.constraints import ExclusionConstraint
from aorm.contrib.postgres.fields import IntegerRangeField, RangeBoundary, RangeOperators
from aorm.contrib.postgres.indexes import (
    BloomIndex,
    BrinIndex,
    BTreeIndex,
    GinIndex,
    GistIndex,
    HashIndex,
    OpClass,
    SpGistIndex,
)
from aorm.contrib.postgres.search import SearchVector
from aorm.errors import IntegrityError, NotSupportedError, ValidationError
from aorm.models import F, Index, Q
from aorm.models.functions import Lower
from aorm.sql.ddl_indexes import index_sql
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from contrib.postgres.models import Plant, Season, Visit

JUNE = [datetime.date(2026, 6, day) for day in range(1, 29)]

INDEXES = {
    "gin": (
        GinIndex(fields=["colours"], name="i", fastupdate=True, gin_pending_list_limit=64),
        'USING gin ("colours") WITH (gin_pending_list_limit = 64, fastupdate = on)',
    ),
    "gist": (
        GistIndex(fields=["name"], name="i", buffering=True, fillfactor=80, include=["height"]),
        'USING gist ("name") INCLUDE ("height") WITH (buffering = on, fillfactor = 80)',
    ),
    "brin": (
        BrinIndex(fields=["height"], name="i", autosummarize=True, pages_per_range=4),
        'USING brin ("height") WITH (autosummarize = on, pages_per_range = 4)',
    ),
    "btree": (
        BTreeIndex(fields=["-height"], name="i", fillfactor=80, deduplicate_items=False),
        'USING btree ("height" DESC) WITH (fillfactor = 80, deduplicate_items = off)',
    ),
    "hash": (HashIndex(fields=["name"], name="i"), 'USING hash ("name")'),
    "spgist": (SpGistIndex(fields=["name"], name="i"), 'USING spgist ("name")'),
    "bloom": (
        BloomIndex(fields=["name", "height"], name="i", length=80, columns=[2, 4]),
        'USING bloom ("name", "height") WITH (length = 80, col1 = 2, col2 = 4)',
    ),
    "operator class": (
        GinIndex(OpClass("name", name="gin_trgm_ops"), name="i"),
        'USING gin ("name" gin_trgm_ops)',
    ),
    "operator class of an expression": (
        Index(OpClass(Lower("name"), name="text_pattern_ops").desc(nulls_last=True), name="i"),
        '((LOWER("name")) text_pattern_ops DESC NULLS LAST)',
    ),
    "order inside of an operator class": (
        Index(OpClass(Lower("name").desc(), name="text_pattern_ops"), name="i"),
        '((LOWER("name")) text_pattern_ops DESC)',
    ),
    "vector": (
        GinIndex(SearchVector("name", "height", config="english"), name="i"),
        "USING gin ((to_tsvector('english'::regconfig, COALESCE(\"name\", '') || ' ' ||"
        " COALESCE((\"height\")::text, ''))))",
    ),
    "item of an array": (Index(F("colours__0"), name="i"), '(("colours"[1]))'),
    "condition on an array": (
        GinIndex(fields=["colours"], name="i", condition=Q(colours__contains=["red"])),
        'USING gin ("colours") WHERE "colours" @> \'{"red"}\'::varchar(20)[]',
    ),
}


@pytest.mark.parametrize(("index", "text"), INDEXES.values(), ids=list(INDEXES))
def test_indexes_are_spelt(index: Any, text: str) -> None:
    assert index_sql(Plant, index, POSTGRESQL) == (f'CREATE INDEX "i" ON "garden_plant" {text}')


@pytest.mark.parametrize("index", [i for n, (i, _) in INDEXES.items() if n != "bloom"])
def test_indexes_can_be_made(database: Any, index: Any) -> None:
    with database.cursor() as cursor:
        cursor.execute(index_sql(Plant, index, POSTGRESQL))
        cursor.execute('DROP INDEX "i"')


def test_tables_come_with_their_indexes(database: Any) -> None:
    with database.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename LIKE 'garden%'")
        made = {name for (name,) in cursor.fetchall()}
    wanted = {index.name for model in (Plant, Season) for index in model._meta.indexes}
    assert wanted | {"visit_once"} <= made


async def test_extensions_are_installed_once(ask: Ask) -> None:
    create = create_extension if ask.face == "sync" else acreate_extension
    if ask.face == "sync":
        await ask.in_thread(create, "pg_trgm", "fuzzystrmatch")
    else:
        await acreate_extension("pg_trgm", "fuzzystrmatch")
    rows = await ask(list, Plant.objects.raw("SELECT levenshtein('a', 'b') AS id"))
    assert rows[0].pk == 1


def test_an_extension_that_the_server_lacks_is_an_error(database: Any) -> None:
    with pytest.raises(NotSupportedError):
        create_extension('no such "extension"')


def test_sqlite_has_no_extensions(tmp_path: Any) -> None:
    aorm.configure(f"sqlite:///{tmp_path / 'garden.db'}")
    with pytest.raises(NotSupportedError, match="PostgreSQL"):
        create_extension("hstore")
    aorm.close()


# --- exclusion constraints ----------------------------------------------------------


async def test_an_exclusion_constraint_refuses_a_row(ask: Ask) -> None:
    await ask(Visit.objects.create, bed=1, dates=(JUNE[0], JUNE[5]))
    await ask(Visit.objects.create, bed=2, dates=(JUNE[0], JUNE[5]))
    await ask(Visit.objects.create, bed=1, dates=(JUNE[2], JUNE[3]), cancelled=True)
    with pytest.raises(IntegrityError, match="visit_once"):
        await ask(Visit.objects.create, bed=1, dates=(JUNE[4], JUNE[9]))


@pytest.mark.parametrize(
    ("values", "valid"),
    [
        ({"bed": 1, "dates": (JUNE[4], JUNE[9])}, False),
        ({"bed": 1, "dates": (JUNE[5], JUNE[9])}, True),
        ({"bed": 2, "dates": (JUNE[4], JUNE[9])}, True),
        ({"bed": 1, "dates": (JUNE[4], JUNE[9]), "cancelled": True}, True),
    ],
)
async def test_an_exclusion_constraint_is_validated(
    ask: Ask, values: dict[str, Any], valid: bool
) -> None:
    visit = await ask(Visit.objects.create, bed=1, dates=(JUNE[0], JUNE[5]))
    await ask(visit.full_clean)
    if valid:
        await ask(Visit(**values).full_clean)
    else:
        with pytest.raises(ValidationError, match="visit_once"):
            await ask(Visit(**values).full_clean)


def test_an_exclusion_constraint_is_spelt() -> None:
    class Made(models.Func):
        function = "INT4RANGE"
        output_field = IntegerRangeField()

    constraint = ExclusionConstraint(
        name="odd",
        expressions=[
            (OpClass(Made("bed", "bed", RangeBoundary(True, True)), "range_ops"), "&&"),
            (F("dates"), RangeOperators.ADJACENT_TO),
        ],
        index_type="SPGIST",
        include=["bed"],
        condition=Q(bed__gt=3) & Q(cancelled=True),
        deferrable=models.Deferrable.DEFERRED,
    )
    assert constraint.create_sql(Visit, POSTGRESQL) == (
        'ALTER TABLE "garden_visit" ADD CONSTRAINT "odd" EXCLUDE USING SPGIST ((INT4RANGE("bed",'
        ' "bed", \'[]\')) range_ops WITH &&, "dates" WITH -|-) INCLUDE ("bed")'
        ' WHERE ("bed" > 3 AND "cancelled" = true) DEFERRABLE INITIALLY DEFERRED'
    )
    assert constraint.constraint_sql(Visit, SQLITE) is None
    with pytest.raises(NotSupportedError):
        constraint.create_sql(Visit, SQLITE)


@pytest.mark.parametrize(
    "options",
    [
        {"expressions": []},
        {"expressions": ["dates"]},
        {"expressions": [("dates", "&&) WITH x")]},
        {"expressions": [("dates", "&&")], "index_type": "gin"},
        {"expressions": [("dates", "&&")], "condition": F("bed")},
        {"expressions": [("dates", "&&")], "index_type": "hash"},
        {"expressions": [("bed", "="), ("dates", "=")], "index_type": "hash"},
        {"expressions": [("dates", "&&")], "include": "bed"},
        {"expressions": [("dates", "&&")], "deferrable": "yes"},
    ],
)
def test_exclusion_constraints_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        ExclusionConstraint(name="odd", **options)
