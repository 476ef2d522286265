"""INSERT, UPDATE and DELETE as text and parameters."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

import aorm
from aorm import models
from aorm.models import F
from aorm.sql.bulk import bulk_inserter, bulk_updater
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from aorm.sql.writes import (
    Conflict,
    deleter,
    inserter,
    saving_inserter,
    saving_updater,
)
from sql_writes.models import Author, Book, Empty, Everything, Pair

BOTH = pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=lambda d: d.vendor)


def fields(model: Any, *names: str) -> list[Any]:
    return [model._meta.get_field(name) for name in names]


def shown(statement: Any) -> tuple[str, list[Any]]:
    return statement.sql, [list(p) if isinstance(p, tuple) else p for p in statement.params]


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (SQLITE, 'INSERT INTO "writes_author" ("name", "email") VALUES (?, ?)'),
        (
            POSTGRESQL,
            'INSERT INTO "writes_author" ("name", "email") VALUES ($1, $2) RETURNING "id"',
        ),
    ],
)
def test_insert(dialect: Any, text: str) -> None:
    statement, returned = saving_inserter(Author._meta, dialect, False).statement(
        Author(name="Ada", email="a@b.c")
    )
    assert shown(statement) == (text, ["Ada", "a@b.c"])
    assert [field.name for field in returned] == ["id"]


@BOTH
def test_insert_with_a_key_brings_nothing_back(dialect: Any) -> None:
    writer = saving_inserter(Author._meta, dialect, True)
    assert "RETURNING" not in writer.sql
    assert writer is saving_inserter(Author._meta, dialect, True)


@BOTH
def test_insert_of_nothing(dialect: Any) -> None:
    writer = saving_inserter(Empty._meta, dialect, False)
    tail = "" if dialect is SQLITE else ' RETURNING "id"'
    assert writer.sql == f'INSERT INTO "writes_empty" DEFAULT VALUES{tail}'


def test_defaults_of_the_database_are_left_out_and_come_back() -> None:
    writer = saving_inserter(Book._meta, SQLITE, False)
    statement, returned = writer.statement(Book(title="t", author_id=1))
    assert shown(statement) == (
        'INSERT INTO "writes_book" ("title", "author_id") VALUES (?, ?) '
        'RETURNING "id", "twice", "pages"',
        ["t", 1],
    )
    assert [field.name for field in returned] == ["id", "twice", "pages"]
    statement, returned = writer.statement(Book(title="t", author_id=1, pages=3))
    assert statement.params == ("t", 1, 3)


def test_expressions_are_part_of_the_statement_and_come_back() -> None:
    writer = saving_inserter(Author._meta, POSTGRESQL, False)
    value = models.Value("Ada")
    statement, returned = writer.statement(Author(name=value, email="e"))
    assert statement.sql.endswith('RETURNING "id", "name"')
    assert list(statement.params) == ["Ada", "e"]
    assert [field.name for field in returned] == ["id", "name"]


@pytest.mark.parametrize(
    ("conflict", "clause"),
    [
        (Conflict(ignore=True), " ON CONFLICT DO NOTHING"),
        (
            Conflict(unique=tuple(fields(Author, "email")), update=tuple(fields(Author, "name"))),
            ' ON CONFLICT("email") DO UPDATE SET "name" = EXCLUDED."name"',
        ),
    ],
)
def test_conflicts(conflict: Conflict, clause: str) -> None:
    writer = inserter(Author._meta, fields(Author, "name", "email"), (), SQLITE, conflict)
    assert writer.sql == f'INSERT INTO "writes_author" ("name", "email") VALUES (?, ?){clause}'


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (SQLITE, 'UPDATE "writes_pair" SET "weight" = ? WHERE "left" = ? AND "right" = ?'),
        (POSTGRESQL, 'UPDATE "writes_pair" SET "weight" = $1 WHERE "left" = $2 AND "right" = $3'),
    ],
)
def test_update(dialect: Any, text: str) -> None:
    statement, returned = saving_updater(Pair._meta, dialect).statement(
        Pair(left=1, right="x", weight=2)
    )
    assert shown(statement) == (text, [2.0, 1, "x"])
    assert not returned


@pytest.mark.parametrize(
    ("dialect", "value"), [(SQLITE, '("pages" + ?)'), (POSTGRESQL, '("pages" + $3::integer)')]
)
def test_update_with_an_expression(dialect: Any, value: str) -> None:
    book = Book(id=9, title="t", author_id=1, pages=F("pages") + 5)
    statement, returned = saving_updater(Book._meta, dialect).statement(book)
    assert f'"pages" = {value} WHERE' in statement.sql
    assert list(statement.params) == ["t", 1, 5, 9]
    assert [field.name for field in returned] == ["twice", "pages"]


@pytest.mark.parametrize(
    ("dialect", "one", "many", "params"),
    [
        (SQLITE, "= ?", "IN (SELECT value FROM json_each(?))", ["[1, 2]"]),
        (POSTGRESQL, "= $1", "= ANY($1::bigint[])", [[1, 2]]),
    ],
)
def test_delete(dialect: Any, one: str, many: str, params: list[Any]) -> None:
    by_key = deleter(Author._meta, dialect)
    start = 'DELETE FROM "writes_author" WHERE "id" '
    assert shown(by_key.one(7)) == (start + one, [7])
    assert shown(by_key.many([1, 2])) == (start + many, params)


@pytest.mark.parametrize(
    ("dialect", "many", "params"),
    [
        (
            SQLITE,
            "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)",
            ['[[1, "x"], [2, "y"]]'],
        ),
        (
            POSTGRESQL,
            "SELECT * FROM unnest($1::integer[], $2::varchar[])",
            [[1, 2], ["x", "y"]],
        ),
    ],
)
def test_delete_by_a_key_of_two_columns(dialect: Any, many: str, params: list[Any]) -> None:
    statement = deleter(Pair._meta, dialect).many([(1, "x"), (2, "y")])
    assert shown(statement) == (
        f'DELETE FROM "writes_pair" WHERE ("left", "right") IN ({many})',
        params,
    )


@pytest.mark.parametrize(
    ("dialect", "source", "params"),
    [
        (SQLITE, "VALUES (?, ?), (?, ?)", ["a", "b", "c", "d"]),
        (
            POSTGRESQL,
            "SELECT * FROM unnest($1::varchar[], $2::varchar[])",
            [["a", "c"], ["b", "d"]],
        ),
    ],
)
def test_insert_of_many(dialect: Any, source: str, params: list[Any]) -> None:
    writer = bulk_inserter(
        Author._meta, fields(Author, "name", "email"), fields(Author, "id"), dialect
    )
    (batch,) = writer.batches([Author(name="a", email="b"), Author(name="c", email="d")])
    text = f'INSERT INTO "writes_author" ("name", "email") {source} RETURNING "id"'
    assert shown(batch.statement) == (text, params)


def test_insert_of_many_has_one_text_where_lists_are_parameters() -> None:
    writer = bulk_inserter(Author._meta, fields(Author, "name", "email"), (), POSTGRESQL)
    texts = {
        batch.statement.sql
        for count in (1, 7, 1000)
        for batch in writer.batches([Author(name="a", email="b")] * count)
    }
    assert len(texts) == 1


def test_insert_of_many_respects_the_number_of_parameters() -> None:
    writer = bulk_inserter(Author._meta, fields(Author, "name", "email"), (), SQLITE)
    sizes = [len(b.objs) for b in writer.batches([Author(name="a", email="b")] * 40_000)]
    most = SQLITE.capabilities.max_parameters // 2
    assert sizes == [most, most, 40_000 - 2 * most]
    assert [len(b.objs) for b in writer.batches([Author()] * 5, 2)] == [2, 2, 1]


@pytest.mark.parametrize(
    ("dialect", "text", "params"),
    [
        (
            SQLITE,
            'SET "name" = v.column2 FROM (VALUES (?, ?), (?, ?)) AS v '
            'WHERE "writes_author"."id" = v.column1',
            [1, "a", 2, "c"],
        ),
        (
            POSTGRESQL,
            'SET "name" = v.v1 FROM unnest($1::bigint[], $2::varchar[]) AS v (v0, v1) '
            'WHERE "writes_author"."id" = v.v0',
            [[1, 2], ["a", "c"]],
        ),
    ],
)
def test_update_of_many(dialect: Any, text: str, params: list[Any]) -> None:
    writer = bulk_updater(Author._meta, fields(Author, "name"), dialect)
    (statement,) = writer.statements([Author(id=1, name="a"), Author(id=2, name="c")])
    assert shown(statement) == (f'UPDATE "writes_author" {text}', params)


def test_casts_of_lists_cut_nothing_off() -> None:
    writer = bulk_updater(Everything._meta, fields(Everything, "char", "price"), POSTGRESQL)
    assert "$2::varchar[], $3::numeric[]" in (writer.array_sql or "")


class Stamped(models.Model):
    """Fields that look at the clock, one of a user among them."""

    class Counted(models.IntegerField):
        def pre_save(self, model_instance: Any, add: bool) -> Any:
            return 100 if add else 200

        def get_db_prep_save(self, value: Any, connection: Any) -> Any:
            return value + 1

    added = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)
    counted = Counted(default=0)

    class Meta:
        app_label = "writes"


@BOTH
def test_what_fields_do_before_saving(dialect: Any) -> None:
    stamped = Stamped()
    statement, _ = saving_inserter(Stamped._meta, dialect, False).statement(stamped)
    assert statement.params[2] == 101
    assert stamped.added is not None
    assert stamped.changed is not None
    before, stamped.id = stamped.changed, 1
    stamped.added = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)  # noqa: UP017
    statement, _ = saving_updater(Stamped._meta, dialect).statement(stamped)
    assert statement.params[2] == 201
    assert stamped.added.year == 2000
    assert stamped.changed >= before


class Stamp(models.DateTimeField):
    """A column that the database may have its own say about."""

    db_returning = True


@BOTH
def test_a_field_that_asks_for_it_comes_back_from_an_insert(dialect: Any) -> None:
    with aorm.isolate_apps():

        class Event(models.Model):
            made = Stamp(primary_key=True)
            name = models.CharField(max_length=9)

            class Meta:
                app_label = "writes"

    assert saving_inserter(Event._meta, dialect, True).sql.endswith(' RETURNING "made"')
