"""Rows that are really written, on each database."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from aorm.connections.databases import Database
from aorm.errors import IntegrityError
from aorm.models import F, IntegerField, Value
from aorm.models.functions import Coalesce
from aorm.operations.bulk import bulk_create, bulk_update, insert_rows
from aorm.operations.writes import delete_many, delete_one, insert, update
from aorm.sql.writes import deleter, saving_inserter, saving_updater
from aorm.steps import Operation, fetch
from sql_writes.models import Author, Book, Empty, Everything, Pair, Tag

Perform = Callable[[Operation[Any]], Any]
UTC = datetime.timezone.utc  # noqa: UP017
VALUES: list[dict[str, Any]] = [
    {
        "boolean": True,
        "char": "it's",
        "text": "naïve\n\\",
        "small": -5,
        "integer": 2**31 - 1,
        "big": -(2**63),
        "positive": 2**63 - 1,
        "real": 1.5,
        "price": Decimal("1234567.8901"),
        "number": Decimal("0.25"),
        "day": datetime.date(2024, 2, 29),
        "clock": datetime.time(1, 2, 3, 4),
        "moment": datetime.datetime(2024, 2, 29, 12, 30, 15, 123456, UTC),
        "duration": datetime.timedelta(days=-3, microseconds=7),
        "uuid": uuid.UUID(int=12345),
        "data": b"\x00\xff",
        "json": {"a": [1, 2.5, None, {"b": "é"}], "big": 12345678901234567890123},
        "address": "2001:db8::1",
    },
    {"boolean": False, "text": "", "price": Decimal("5.0000"), "json": [], "address": "1.2.3.4"},
    {"json": "text", "real": 0.1},
    {"json": 0, "moment": datetime.datetime(2024, 1, 1, tzinfo=UTC)},
    {},
]


def stored(perform: Perform, database: Database, model: Any = Everything) -> list[dict[str, Any]]:
    """What the table holds, without nulls and keys."""
    dialect = database.dialect
    fields = model._meta.concrete_fields
    columns = ", ".join(dialect.quote(field.column) for field in fields)
    key = ", ".join(dialect.quote(field.column) for field in model._meta.pk_fields)
    rows = perform(fetch(f"SELECT {columns} FROM {model._meta.db_table} ORDER BY {key}"))
    found = []
    for row in rows:
        values = {}
        for field, value in zip(fields, row, strict=True):
            conversion = dialect.conversion(field)
            values[field.name] = value if conversion is None else conversion.function(value)
        found.append({k: v for k, v in values.items() if v is not None and k != "id"})
    return found


def everything() -> list[Everything]:
    return [Everything(**values) for values in VALUES]


def test_every_kind_of_value_comes_back(database: Database, perform: Perform) -> None:
    writer = saving_inserter(Everything._meta, database.dialect, False)
    objs = everything()
    for obj in objs:
        perform(insert(writer, obj))
    assert [obj.id for obj in objs] == [1, 2, 3, 4, 5]
    assert stored(perform, database) == VALUES


def test_every_kind_of_value_comes_back_from_many(database: Database, perform: Perform) -> None:
    objs = everything()
    assert perform(bulk_create(Everything, objs, "default", database.dialect)) == objs
    assert [obj.id for obj in objs] == [1, 2, 3, 4, 5]
    assert stored(perform, database) == VALUES


@pytest.mark.parametrize("size", [None, 2])
def test_every_kind_of_value_can_be_updated(
    database: Database, perform: Perform, size: int | None
) -> None:
    dialect = database.dialect
    names = [field.name for field in Everything._meta.concrete_fields if field.name != "id"]
    objs = [Everything() for _ in VALUES]
    perform(bulk_create(Everything, objs, "default", dialect))
    for obj, values in zip(objs, VALUES, strict=True):
        obj.__dict__.update(values)
    count = perform(bulk_update(Everything, objs, names, "default", dialect, batch_size=size))
    assert count == len(objs)
    assert stored(perform, database) == VALUES


def test_enough_rows_for_several_statements(database: Database, perform: Perform) -> None:
    objs = [Author(name=f"n{i}", email=f"{i}") for i in range(25_000)]
    perform(bulk_create(Author, objs, "default", database.dialect))
    assert [obj.id for obj in objs] == list(range(1, 25_001))
    assert {obj._state.adding for obj in objs} == {False}


def test_failing_row_leaves_nothing_behind(database: Database, perform: Perform) -> None:
    objs = [Author(name="x", email=f"{i % 900}") for i in range(1000)]
    with pytest.raises(IntegrityError):
        perform(bulk_create(Author, objs, "default", database.dialect, batch_size=100))
    assert stored(perform, database, Author) == []


def test_objects_with_and_without_keys(database: Database, perform: Perform) -> None:
    objs = [Author(id=i if i % 2 else None, name="x", email=f"{i}") for i in range(1001, 1011)]
    perform(bulk_create(Author, objs, "default", database.dialect))
    assert len({obj.id for obj in objs}) == 10


def test_conflicts_can_be_ignored(database: Database, perform: Perform) -> None:
    dialect = database.dialect
    perform(bulk_create(Author, [Author(name="old", email="1")], "default", dialect))
    again = [Author(name="new", email="1"), Author(name="new", email="2")]
    perform(bulk_create(Author, again, "default", dialect, ignore_conflicts=True))
    assert [obj.id for obj in again] == [None, None]
    assert [row["name"] for row in stored(perform, database, Author)] == ["old", "new"]


def test_conflicts_can_update(database: Database, perform: Perform) -> None:
    dialect = database.dialect
    (old,) = perform(bulk_create(Author, [Author(name="old", email="1")], "default", dialect))
    again = [Author(name="new", email="1"), Author(name="new", email="2")]
    perform(
        bulk_create(
            Author,
            again,
            "default",
            dialect,
            update_conflicts=True,
            unique_fields=["email"],
            update_fields=["name"],
        )
    )
    assert again[0].id == old.id
    assert again[1].id not in (None, old.id)
    assert [row["name"] for row in stored(perform, database, Author)] == ["new", "new"]


def test_what_the_database_makes_is_set(database: Database, perform: Perform) -> None:
    dialect = database.dialect
    (author,) = perform(bulk_create(Author, [Author(name="a", email="1")], "default", dialect))
    default, given = Book(title="a", author=author), Book(title="b", author=author, pages=7)
    perform(bulk_create(Book, [default], "default", dialect))
    assert (default.pages, default.twice) == (1, 2)
    mixed = [Book(title="c", author=author), given]
    mixed[0].title = Value("computed")
    perform(bulk_create(Book, mixed, "default", dialect))
    assert [(book.title, book.pages, book.twice) for book in mixed] == [
        ("computed", 1, 2),
        ("b", 7, 14),
    ]


def test_rows_of_nothing(database: Database, perform: Perform) -> None:
    objs = perform(bulk_create(Empty, [Empty(), Empty()], "default", database.dialect))
    perform(insert(saving_inserter(Empty._meta, database.dialect, False), third := Empty()))
    assert [obj.id for obj in [*objs, third]] == [1, 2, 3]


def test_expressions_in_updates(database: Database, perform: Perform) -> None:
    dialect = database.dialect
    (author,) = perform(bulk_create(Author, [Author(name="a", email="1")], "default", dialect))
    books = [Book(title=f"{i}", author=author, pages=i) for i in (1, 2)]
    perform(bulk_create(Book, books, "default", dialect))
    books[0].pages = F("pages") + 10
    books[1].pages = 5
    assert perform(bulk_update(Book, books, ["pages"], "default", dialect)) == 2
    assert [row["pages"] for row in stored(perform, database, Book)] == [11, 5]
    books[1].pages = F("pages") * 2
    assert perform(update(saving_updater(Book._meta, dialect), books[1]))
    assert (books[1].pages, books[1].twice) == (10, 20)


def test_an_expression_of_another_type_becomes_the_value_of_its_column(
    database: Database, perform: Perform
) -> None:
    dialect = database.dialect
    (row,) = perform(bulk_create(Everything, [Everything(json={}, integer=7)], "default", dialect))
    row.json = Coalesce(None, None, output_field=IntegerField())
    row.text = F("integer")
    assert perform(bulk_update(Everything, [row], ["json", "text"], "default", dialect)) == 1
    ((missing, text),) = perform(fetch("SELECT json IS NULL, text FROM writes_everything"))
    assert (bool(missing), text) == (True, "7")


def test_update_of_a_missing_row_says_so(database: Database, perform: Perform) -> None:
    for model in (Author(id=5, name="x", email="y"), Book(id=5, title="x", author_id=1, pages=2)):
        assert not perform(update(saving_updater(model._meta, database.dialect), model))


def test_keys_of_two_columns(database: Database, perform: Perform) -> None:
    dialect = database.dialect
    pairs = [Pair(left=1, right="x"), Pair(left=1, right="y")]
    perform(bulk_create(Pair, pairs, "default", dialect))
    pairs[0].weight = 2.5
    assert perform(bulk_update(Pair, pairs, ["weight"], "default", dialect)) == 2
    writer = deleter(Pair._meta, dialect)
    assert perform(delete_many(writer, [(1, "y"), (3, "z")])) == 1
    assert stored(perform, database, Pair) == [{"left": 1, "right": "x", "weight": 2.5}]
    assert perform(delete_one(writer, 1, "x")) == 1


def test_rows_of_a_table_between(database: Database, perform: Perform) -> None:
    dialect = database.dialect
    (author,) = perform(bulk_create(Author, [Author(name="a", email="1")], "default", dialect))
    (book,) = perform(bulk_create(Book, [Book(title="b", author=author)], "default", dialect))
    tags = perform(bulk_create(Tag, [Tag(name=f"{i}") for i in range(3)], "default", dialect))
    through = Book.tags.through._meta
    fields = [through.get_field("book"), through.get_field("tag")]
    rows = [(book.id, tag.id) for tag in tags]
    perform(insert_rows(through, fields, rows[:2], dialect))
    perform(insert_rows(through, fields, rows, dialect, ignore_conflicts=True))
    assert perform(delete_many(deleter(through, dialect, fields[1:]), [t.id for t in tags])) == 3


def test_duplicates_in_an_update_count_once(database: Database, perform: Perform) -> None:
    dialect = database.dialect
    (author,) = perform(bulk_create(Author, [Author(name="a", email="1")], "default", dialect))
    assert perform(bulk_update(Author, [author, author], ["name"], "default", dialect)) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "Batch size must be a positive integer."),
        ({"ignore_conflicts": True, "update_conflicts": True}, "are mutually exclusive"),
        ({"update_conflicts": True}, "Fields that will be updated"),
        ({"update_conflicts": True, "update_fields": ["name"]}, "Unique fields that can trigger"),
        (
            {"update_conflicts": True, "update_fields": ["id"], "unique_fields": ["email"]},
            "cannot be used with primary keys in update_fields",
        ),
    ],
)
def test_options_of_bulk_create_are_checked_before_any_sql(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        bulk_create(Author, [], "default", None, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "objs", "message"),
    [
        ([], [], "Field names must be given"),
        (["id"], [], "cannot be used with primary key fields"),
        (["name"], [Author()], "must have a primary key set"),
    ],
)
def test_arguments_of_bulk_update_are_checked_before_any_sql(
    names: list[str], objs: list[Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        bulk_update(Author, objs, names, "default", None)  # type: ignore[arg-type]
