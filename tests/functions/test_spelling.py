"""How functions, parts of dates and JSON are spelt, on both databases side by side."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from shop.models import Book

from aorm import models
from aorm.models import F, JSONNull, RowRange, Sum, Value, Window
from aorm.models import functions as f
from aorm.models.fields.json import KT
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from aorm.sql.select import compile_select

BOOKS = Book.objects.order_by()
MELBOURNE = ZoneInfo("Australia/Melbourne")
EAST = dt.timezone(dt.timedelta(hours=5, minutes=30))


def compiled(queryset: Any, dialect: Any) -> tuple[str, tuple[Any, ...]]:
    found = compile_select(queryset._query, dialect)
    return found.sql, tuple(found.bind(queryset._values))


def value_of(expression: Any, dialect: Any) -> tuple[str, tuple[Any, ...]]:
    sql, params = compiled(BOOKS.values_list(expression, flat=True), dialect)
    text = sql.removeprefix("SELECT ").removesuffix(' FROM "shop_book"')
    return text.rpartition(" AS ")[0].replace('"shop_book".', ""), params


def where(dialect: Any, **lookups: Any) -> tuple[str, tuple[Any, ...]]:
    sql, params = compiled(BOOKS.filter(**lookups), dialect)
    return sql.partition(" WHERE ")[2].replace('"shop_book".', ""), params


VALUES = [
    (
        f.ExtractMonth("added"),
        ('aorm_datetime_extract(?, "added", ?)', ("month", "UTC")),
        ('EXTRACT(MONTH FROM ("added" AT TIME ZONE $1))::integer', ("UTC",)),
    ),
    (
        f.ExtractWeekDay("published"),
        ('aorm_date_extract(?, "published")', ("week_day",)),
        ('(EXTRACT(DOW FROM "published")::integer + 1)', ()),
    ),
    (
        f.TruncYear("added", tzinfo=MELBOURNE),
        ('aorm_datetime_trunc(?, "added", ?)', ("year", "Australia/Melbourne")),
        ('DATE_TRUNC($1, "added", $2)', ("year", "Australia/Melbourne")),
    ),
    (
        f.TruncDate("added", tzinfo=EAST),
        ('aorm_datetime_cast_date("added", ?)', ("UTC+05:30",)),
        ('("added" AT TIME ZONE $1)::date', ("UTC-05:30",)),
    ),
    (
        f.TruncMonth("published"),
        ('aorm_date_trunc(?, "published", NULL)', ("month",)),
        ('DATE_TRUNC($1, "published"::timestamp)::date', ("month",)),
    ),
    (
        f.Now(),
        ("STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')", ()),
        ("STATEMENT_TIMESTAMP()", ()),
    ),
    (
        f.Concat("title", Value("-"), "pages", output_field=models.TextField()),
        ("(COALESCE(\"title\", '') || COALESCE(?, '') || COALESCE(\"pages\", ''))", ("-",)),
        (
            "(COALESCE(\"title\", '') || COALESCE($1, '') || COALESCE((\"pages\")::text, ''))",
            ("-",),
        ),
    ),
    (
        f.Cast("added", models.DateField()),
        ('date("added")', ()),
        ('("added")::date', ()),
    ),
    (
        f.Collate("title", "de-x-icu"),
        ('"title" COLLATE "de-x-icu"', ()),
        ('"title" COLLATE "de-x-icu"', ()),
    ),
    (
        f.Greatest("pages", "rating", output_field=models.FloatField()),
        ('MAX("pages", "rating")', ()),
        ('GREATEST("pages", "rating")', ()),
    ),
    (
        f.Right("title", 2),
        ('SUBSTR("title", -(?), ?)', (2, 2)),
        ('RIGHT("title", $1::integer)', (2,)),
    ),
    (
        f.SHA256("title"),
        ('SHA256("title")', ()),
        ("ENCODE(SHA256(CONVERT_TO(\"title\", 'UTF8')), 'hex')", ()),
    ),
    (
        f.Round("rating", 2),
        ('ROUND("rating", ?)', (2,)),
        ('ROUND(("rating")::numeric, $1::integer)', (2,)),
    ),
    (
        F("added") - F("added"),
        ('aorm_timestamp_diff("added", "added")', ()),
        ('("added" - "added")', ()),
    ),
    (
        F("added") + dt.timedelta(seconds=1),
        ("aorm_dtdelta('+', \"added\", ?)", (1_000_000,)),
        ('("added" + $1::interval)', (dt.timedelta(seconds=1),)),
    ),
    (
        Window(Sum("pages"), partition_by="author", order_by="-title", frame=RowRange(-1, 0)),
        (
            'SUM("pages") OVER (PARTITION BY "author_id" ORDER BY "title" DESC'
            " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
            (),
        ),
    ),
    (
        f.JSONObject(name="title"),
        ('JSON_OBJECT(?, "title")', ("name",)),
        ('JSONB_BUILD_OBJECT($1::text, "title")', ("name",)),
    ),
    (
        KT("details__owner__0"),
        (
            "(CASE WHEN JSON_TYPE(\"details\", ?) IN ('true', 'false') THEN JSON_TYPE(\"details\","
            ' ?) ELSE CAST(JSON_EXTRACT("details", ?) AS TEXT) END)',
            ('$."owner"[0]',) * 3,
        ),
        ('("details" #>> ARRAY[$1, $2]::text[])', ("owner", "0")),
    ),
]


@pytest.mark.parametrize("case", VALUES, ids=lambda case: type(case[0]).__name__)
def test_values(case: Any) -> None:
    expression, sqlite, *rest = case
    assert value_of(expression, SQLITE) == sqlite
    assert value_of(expression, POSTGRESQL) == (rest[0] if rest else sqlite)


CONDITIONS: list[tuple[dict[str, Any], tuple[str, tuple[Any, ...]], tuple[str, tuple[Any, ...]]]]
CONDITIONS = [
    (
        {"published__year": 2020},
        ('"published" BETWEEN ? AND ?', ("2020-01-01", "2020-12-31")),
        ('"published" BETWEEN $1 AND $2', (dt.date(2020, 1, 1), dt.date(2020, 12, 31))),
    ),
    (
        {"published__iso_year__gte": 2020},
        ('"published" >= ?', ("2019-12-30",)),
        ('"published" >= $1', (dt.date(2019, 12, 30),)),
    ),
    (
        {"details": {"a": 1}},
        ('JSON("details") = JSON(?)', ('{"a": 1}',)),
        ('"details" = $1', ('{"a": 1}',)),
    ),
    (
        {"details": JSONNull()},
        ("JSON(\"details\") = 'null'", ()),
        ("\"details\" = 'null'::jsonb", ()),
    ),
    (
        {"details__in": [1, "a"]},
        ('JSON("details") IN (SELECT JSON(value) FROM json_each(?))', ('["1", "\\"a\\""]',)),
        ('"details" = ANY($1::jsonb[])', (["1", '"a"'],)),
    ),
    (
        {"details__has_key": "x'"},
        ('JSON_TYPE("details", ?) IS NOT NULL', ('$."x\'"',)),
        ('"details" ? $1', ("x'",)),
    ),
    (
        {"details__x__has_any_keys": ["a", "b"]},
        (
            "EXISTS (SELECT 1 FROM (SELECT value AS aorm_path FROM json_each(?)) WHERE"
            ' JSON_TYPE("details", aorm_path) IS NOT NULL)',
            ('["$.\\"x\\".\\"a\\"", "$.\\"x\\".\\"b\\""]',),
        ),
        ('("details" -> $1) ?| $2::text[]', ("x", ["a", "b"])),
    ),
    (
        {"details__x__isnull": True},
        ('JSON_TYPE("details", ?) IS NULL', ('$."x"',)),
        ('("details" -> $1) IS NULL', ("x",)),
    ),
]


@pytest.mark.parametrize(
    ("lookups", "sqlite", "postgresql"), CONDITIONS, ids=[next(iter(c[0])) for c in CONDITIONS]
)
def test_conditions(lookups: Any, sqlite: Any, postgresql: Any) -> None:
    assert where(SQLITE, **lookups) == sqlite
    assert where(POSTGRESQL, **lookups) == postgresql


HOSTILE = ["a' OR 1=1 --", 'a"', "a\\", "a%s", "$1", "a]", "?", "a;b"]


@pytest.mark.parametrize("key", HOSTILE)
@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=lambda d: d.vendor)
def test_key_is_never_in_the_text(key: str, dialect: Any) -> None:
    sql, _ = where(dialect, **{f"details__{key}": 1})
    plain, _ = where(dialect, **{'details__z"' if '"' in key else "details__z": 1})
    assert sql == plain


@pytest.mark.parametrize("part", HOSTILE)
def test_part_of_a_date_is_a_word_or_refused(part: str) -> None:
    with pytest.raises(ValueError, match="lookup_name"):
        f.Extract("added", part)


@pytest.mark.parametrize("name", ["", None, 'a" OR', "a b", "a;"])
def test_collation_has_to_be_a_name(name: Any) -> None:
    with pytest.raises(ValueError, match="Invalid collation name"):
        f.Collate("title", name)
