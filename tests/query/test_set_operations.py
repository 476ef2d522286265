"""The SQL of UNION, INTERSECT and EXCEPT."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from shop.models import Author, Book, Shelf

from aorm.errors import DatabaseError, FieldError
from aorm.models import Exists, F, OuterRef, Value
from aorm.models.functions import Lower
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from query.spelling import DIALECTS, interned, spelt

AUTHORS = interned(Author)
YOUNG, NAMED = AUTHORS.filter(age=1).values("name"), AUTHORS.filter(name="x").values("name")
FIRST = 'SELECT "shop_author"."name" FROM "shop_author" WHERE "shop_author"."age" = %s'
SECOND = 'SELECT "shop_author"."name" FROM "shop_author" WHERE "shop_author"."name" = %s'
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)


def marked(text: str, dialect: Any) -> str:
    """A text with the marks of the dialect."""
    count = text.count("%s")
    marks = ["?"] * count if dialect is SQLITE else [f"${n + 1}" for n in range(count)]
    return text % tuple(marks)


@pytest.mark.parametrize(
    ("combined", "text", "params"),
    [
        (YOUNG.union(NAMED), f"{FIRST} UNION {SECOND}", (1, "x")),
        (YOUNG.union(NAMED, all=True), f"{FIRST} UNION ALL {SECOND}", (1, "x")),
        (YOUNG.intersection(NAMED), f"{FIRST} INTERSECT {SECOND}", (1, "x")),
        (YOUNG.difference(NAMED), f"{FIRST} EXCEPT {SECOND}", (1, "x")),
        (YOUNG.union(NAMED).order_by("-name"), f"{FIRST} UNION {SECOND} ORDER BY 1 DESC", (1, "x")),
        (
            YOUNG.union(NAMED).order_by(F("name").asc(nulls_last=True)).reverse(),
            f"{FIRST} UNION {SECOND} ORDER BY 1 DESC NULLS FIRST",
            (1, "x"),
        ),
        (YOUNG.union(NAMED)[:3], f"{FIRST} UNION {SECOND} LIMIT 3", (1, "x")),
        (
            YOUNG.order_by("age")[:2].union(NAMED),
            f'SELECT * FROM ({FIRST} ORDER BY "shop_author"."age" ASC LIMIT 2) "part"'
            f" UNION {SECOND}",
            (1, "x"),
        ),
        (YOUNG.order_by("age").union(NAMED), f"{FIRST} UNION {SECOND}", (1, "x")),
        (
            YOUNG.union(NAMED.intersection(YOUNG)),
            f'{FIRST} UNION SELECT * FROM ({SECOND} INTERSECT {FIRST}) "part"',
            (1, "x", 1),
        ),
        (YOUNG.union(NAMED.filter(pk__in=[])), FIRST, (1,)),
        (
            YOUNG.union(NAMED).order_by(Lower("name")),
            f'WITH "combined rows" ("name") AS ({FIRST} UNION {SECOND})'
            ' SELECT "name" FROM "combined rows" ORDER BY LOWER("name") ASC',
            (1, "x"),
        ),
    ],
)
@each_dialect
def test_set_operation(dialect: Any, combined: Any, text: str, params: Any) -> None:
    assert spelt(combined, dialect) == (marked(text, dialect), params)


@each_dialect
def test_values_after_a_combination_of_objects_are_those_of_each_part(dialect: Any) -> None:
    young, named = AUTHORS.filter(age=1), AUTHORS.filter(name="x")
    combined = young.union(named).values_list("name")
    assert spelt(combined, dialect)[0] == marked(f"{FIRST} UNION {SECOND}", dialect)


@each_dialect
def test_values_after_a_combination_of_values_choose_among_the_columns(dialect: Any) -> None:
    both = AUTHORS.values("name", "age")
    sql, _ = spelt(both.union(both).values("age"), dialect)
    assert sql.startswith('WITH "combined rows" ("name", "age") AS (SELECT ')
    assert sql.endswith(' SELECT "age" FROM "combined rows"')


@each_dialect
def test_objects_are_ordered_by_what_they_do_not_select(dialect: Any) -> None:
    combined = AUTHORS.union(AUTHORS).values("name").order_by("-age", "mentor__name")
    sql, _ = spelt(combined, dialect)
    part = (
        'SELECT "shop_author"."name", "shop_author"."age", "T2"."name" FROM "shop_author"'
        ' LEFT OUTER JOIN "shop_author" "T2" ON ("shop_author"."mentor_id" = "T2"."id")'
    )
    assert sql == f"{part} UNION {part} ORDER BY 2 DESC, 3 ASC"


@each_dialect
def test_values_of_an_ordering_count_after_those_of_the_parts(dialect: Any) -> None:
    young = AUTHORS.filter(age=1).annotate(mark=Value(7))
    named = AUTHORS.filter(name="x").annotate(mark=Value(8))
    combined = young.union(named).order_by(F("mark") * Value(3)).values("name")
    params = spelt(combined, dialect)[1]
    assert sorted(params, key=str) == sorted(
        (7, 1, 8, "x", 3, 3) if dialect is SQLITE else (7, 1, 8, "x", 3), key=str
    )


@each_dialect
def test_composite_key_orders_by_each_of_its_columns(dialect: Any) -> None:
    shelves = interned(Shelf)
    for combined in (
        shelves.union(shelves).order_by("-pk"),
        shelves.union(shelves).values("label", "pk").order_by("-pk"),
    ):
        assert spelt(combined, dialect)[0].endswith((" 1 DESC, 2 DESC", " 2 DESC, 3 DESC"))


@each_dialect
def test_combination_as_an_operand(dialect: Any) -> None:
    combined = AUTHORS.filter(age=1).union(AUTHORS.filter(name="x"))
    sql, params = spelt(interned(Book).filter(pages=9, author__in=combined), dialect)
    text = (
        'IN (SELECT "U0"."id" FROM "shop_author" "U0" WHERE "U0"."age" = %s'
        ' UNION SELECT "U0"."id" FROM "shop_author" "U0" WHERE "U0"."name" = %s)'
    )
    text = text % ("$2", "$3") if dialect is POSTGRESQL else text.replace("%s", "?")
    assert sql.endswith(text)
    assert params == (9, 1, "x")


@each_dialect
def test_outer_references_in_the_parts(dialect: Any) -> None:
    by = AUTHORS.filter(pk=OuterRef("author"), age=3).union(AUTHORS.filter(pk=OuterRef("editor")))
    sql, params = spelt(interned(Book).filter(Exists(by)), dialect)
    assert '"U0"."id" = "shop_book"."author_id"' in sql
    assert '"U0"."id" = "shop_book"."editor_id"' in sql
    assert params == (3,)


def test_second_use_has_the_same_query() -> None:
    def combined(age: int, name: str) -> Any:
        young, named = AUTHORS.filter(age=age), AUTHORS.filter(name=name)
        return young.union(named).values_list("name").order_by("-name")[1:3]

    assert combined(1, "x")._query is combined(2, "y")._query
    assert combined(2, "y")._values == (2, "y", 1)


@each_dialect
def test_parts_of_different_widths_are_refused(dialect: Any) -> None:
    with pytest.raises(FieldError, match="equally many columns: the first has 1, another 2"):
        spelt(YOUNG.union(AUTHORS.values("name", "age")), dialect)


@each_dialect
def test_values_that_the_parts_do_not_have_are_refused(dialect: Any) -> None:
    with pytest.raises(FieldError, match="can only choose among the columns"):
        spelt(YOUNG.union(NAMED).values("name", "age"), dialect)


@each_dialect
@pytest.mark.parametrize("term", ["age", F("age"), F("age").desc()])
def test_order_by_a_column_that_values_do_not_have_is_refused(dialect: Any, term: Any) -> None:
    with pytest.raises(DatabaseError, match="does not match any column in the result set"):
        spelt(YOUNG.union(NAMED).order_by(term), dialect)


@pytest.mark.parametrize("combine", [AUTHORS.union, AUTHORS.intersection, AUTHORS.difference])
def test_unknown_names_are_refused_at_the_call(combine: Any) -> None:
    with pytest.raises(FieldError, match="nonsense"):
        combine(AUTHORS).order_by("nonsense")
    with pytest.raises(FieldError, match="nonsense"):
        combine(AUTHORS).values("nonsense")
    with pytest.raises(FieldError, match="nonsense"):
        combine(AUTHORS).order_by(F("nonsense") + 1)


@each_dialect
def test_pickled_combination_is_the_same(dialect: Any) -> None:
    combined = YOUNG.union(NAMED.intersection(YOUNG)).order_by("name")[:2]
    again = AUTHORS.all()
    again.query = pickle.loads(pickle.dumps(combined.query))
    assert spelt(again, dialect) == spelt(combined, dialect)
