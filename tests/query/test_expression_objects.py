"""Expressions as objects, what they are worth over no rows, and what makes queries anew."""

from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from shop.models import Author, Book, Shelf

import aorm
from aorm.errors import FieldError, FieldFetchBlocked, OutputFieldIsNoneError, QueryTypeError
from aorm.models import (
    FETCH_PEERS,
    FETCH_RAISE,
    Aggregate,
    BooleanField,
    Case,
    CharField,
    Count,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    Max,
    OuterRef,
    PositiveIntegerField,
    Q,
    StdDev,
    Subquery,
    Sum,
    Value,
    When,
)
from aorm.models.expressions import CombinedExpression, Expression, RawSQL
from aorm.models.functions import Coalesce, ExtractDay, Lower, Substr, TruncDate
from aorm.models.lookups import IntegerFieldExact, IntegerLessThanOrEqual, IsNull
from query.spelling import DIALECTS, spelt, where

# --- as objects ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "path", "args", "kwargs"),
    [
        (F("title"), "aorm.models.F", ("title",), {}),
        (Value(3), "aorm.models.Value", (3,), {}),
        (Lower("title"), "aorm.models.functions.Lower", ("title",), {}),
        (Substr("title", 1, length=2), "aorm.models.functions.Substr", ("title", 1), {"length": 2}),
        (Count("tags", distinct=True), "aorm.models.Count", ("tags",), {"distinct": True}),
        (RawSQL("1", []), "aorm.models.expressions.RawSQL", ("1", []), {}),
    ],
    ids=str,
)
def test_an_expression_says_what_makes_it_again(
    expression: Any, path: str, args: Any, kwargs: Any
) -> None:
    assert expression.deconstruct() == (path, args, kwargs)
    assert type(expression)(*args, **kwargs) == expression
    assert pickle.loads(pickle.dumps(expression)).deconstruct() == (path, args, kwargs)


def test_the_same_list_in_another_form_is_the_same_condition() -> None:
    one, other = (Case(When(age__in=ages, then=1)) for ages in ([1, 2], (1, 2)))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Case(When(age__in=[1, 3], then=1))


def test_a_condition_that_is_negated_twice_is_itself_again() -> None:
    assert ~~F("available") == F("available")


def test_what_an_expression_shows() -> None:
    assert repr(StdDev("pages", sample=True)) == "StdDev(F(pages), sample=True)"
    assert repr(F("title")[1:5]) == "Sliced(F(title), slice(1, 5, None))"


def test_a_name_behind_a_replaced_one_is_applied_to_what_replaces_it() -> None:
    moment = Value(dt.datetime(2025, 3, 1, 14, 10))
    replaced = F("added__date").replaced({F("added"): moment})
    assert replaced.get_source_expressions() == [moment]
    assert F("added__nothing").replaced({F("added"): moment}) == F("added__nothing")


def test_an_output_field_may_be_named_later() -> None:
    expression = Value(None)
    with pytest.raises(OutputFieldIsNoneError):
        _ = expression.output_field
    expression.output_field = IntegerField()
    assert isinstance(expression.output_field, IntegerField)


def test_numbers_that_cannot_be_negative_stay_so() -> None:
    count = Expression(PositiveIntegerField())
    assert isinstance(CombinedExpression(count, "+", count).output_field, PositiveIntegerField)
    assert type(CombinedExpression(count, "-", count).output_field) is IntegerField


# --- types ----------------------------------------------------------------


@pytest.mark.parametrize("expression", [F("title") + F("pages"), Value(None)], ids=str)
async def test_what_is_selected_must_have_a_type(ask: Any, expression: Any) -> None:
    with ask.queries() as queries, pytest.raises(FieldError):
        await ask(list, Book.objects.annotate(x=expression))
    assert not queries


async def test_a_named_type_is_enough(ask: Any) -> None:
    author = await ask(Author.objects.create, name="Ada")
    await ask(Book.objects.create, title="Notes", author=author)
    books = Book.objects.annotate(x=Value(None, IntegerField()))
    assert [book.x for book in await ask(list, books)] == [None]


# --- over no rows ----------------------------------------------------------------


class Rows(Func):
    function = "COUNT"
    contains_aggregate = True
    output_field = IntegerField()


async def test_an_aggregate_of_ones_own_is_asked_of_the_database_over_no_rows(ask: Any) -> None:
    nothing = Author.objects.none()
    with ask.queries() as queries:
        found = await ask(nothing.aggregate, total=Sum("age"), n=Rows("age"))
    assert found == {"total": None, "n": 0}
    assert len(queries) == 1
    with ask.queries() as queries:
        assert await ask(nothing.aggregate, n=Count("pk"), top=Coalesce(Max("age"), 7)) == {
            "n": 0,
            "top": 7,
        }
    assert not queries


async def test_an_aggregate_may_be_marked_as_such(ask: Any) -> None:
    rows: Any = Func("age", function="COUNT", output_field=IntegerField())
    rows.contains_aggregate = True
    await ask(Author.objects.create, name="Ada", age=36)
    assert await ask(Author.objects.aggregate, n=rows) == {"n": 1}


async def test_a_subquery_that_has_no_rows_can_be_compared(ask: Any) -> None:
    await ask(Author.objects.create, name="Ada")
    without = Author.objects.annotate(has=Exists(Book.objects.none()))
    assert [author.has for author in await ask(list, without.filter(has=False))] == [False]
    assert await ask(without.filter(has=True).count) == 0


async def test_aggregates_over_a_subquery_are_its_own(ask: Any) -> None:
    ada = await ask(Author.objects.create, name="Ada")
    await ask(Author.objects.create, name="Brian")
    for title in ("a", "b"):
        await ask(Book.objects.create, title=title, author=ada)
    books = Book.objects.filter(author=OuterRef("pk")).order_by().values("author")
    counted = Author.objects.annotate(n=Subquery(books.annotate(n=Count("pk")).values("n")))
    assert await ask(counted.aggregate, total=Sum("n")) == {"total": 2}


# --- keys of several columns ----------------------------------------------------------------


async def test_a_key_may_have_expressions_among_its_parts(ask: Any) -> None:
    for place in (1, 2):
        await ask(Shelf.objects.create, room=3, place=place)
    second = (3, Value(1) + 1)
    assert (await ask(Shelf.objects.get, pk=second)).place == 2
    both = Shelf.objects.filter(pk__in=[second, (Value(2) + 1, 1)])
    assert sorted(shelf.place for shelf in await ask(list, both)) == [1, 2]
    assert (await ask(Shelf.objects.filter(pk__in=[second, (9, 9)]).get)).place == 2


def test_a_key_is_compared_with_keys_alone() -> None:
    with pytest.raises(ValueError, match="only supports OuterRef and QuerySet"):
        Shelf.objects.filter(pk=F("room"))
    with pytest.raises(ValueError, match="'in' lookup of 'pk' must be a tuple or a list"):
        Shelf.objects.filter(pk__in=1)


async def test_a_part_of_a_key_is_no_field_to_update(ask: Any) -> None:
    shelf = await ask(Shelf.objects.create, room=1, place=1)
    with pytest.raises(ValueError, match="primary keys"):
        await ask(shelf.save, update_fields=["room"])


# --- queries that are worked out anew ----------------------------------------------------------


@pytest.fixture
def ordering() -> Iterator[Any]:
    options = Author._meta
    before = options.ordering
    yield options
    options.ordering = before


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)
def test_a_changed_ordering_is_noticed(ordering: Any, dialect: Any) -> None:
    for terms in (("name",), ("-age",), ()):
        ordering.ordering = terms
        by = ", ".join(f"{t.lstrip('-')} {'DESC' if '-' in t else 'ASC'}" for t in terms)
        sql, _ = spelt(Author.objects.all(), dialect)
        assert sql.partition(" ORDER BY ")[2].replace('"shop_author".', "").replace('"', "") == by
        sql, _ = spelt(Book.objects.order_by("author"), dialect)
        column = f"shop_author.{by}" if terms else "shop_book.author_id ASC"
        assert sql.partition(" ORDER BY ")[2].replace('"', "") == column


# --- points in time without zones ----------------------------------------------------------


def test_days_are_those_of_the_application_where_values_have_no_zone(database: Any) -> None:
    """On PostgreSQL columns have a zone all the same, and the session another one."""
    before = aorm.settings.USE_TZ, aorm.settings.TIME_ZONE
    aorm.settings.USE_TZ, aorm.settings.TIME_ZONE = False, "America/Chicago"
    try:
        author = Author.objects.create(name="Ada")
        book = Book.objects.create(title="Notes", author=author, published=dt.date(2011, 3, 13))
        late = dt.datetime(2011, 3, 12, 23, 30)
        Book.objects.update(added=late)
        day = Value(dt.timedelta(days=1), DurationField())
        moved = Book.objects.annotate(
            later=ExpressionWrapper(F("added") + day, output_field=DateTimeField())
        ).get()
        assert moved.later == late + dt.timedelta(days=1)
        assert Book.objects.filter(published__gt=F("added")).get() == book
        assert not Book.objects.filter(published__gt=F("added") + day).exists()
        Book.objects.update(added=F("added") + day)
        assert Book.objects.get().added == late + dt.timedelta(days=1)
    finally:
        aorm.settings.USE_TZ, aorm.settings.TIME_ZONE = before


# --- SQL by hand ----------------------------------------------------------------


async def test_objects_of_a_statement_by_hand_load_for_all_of_their_kind(ask: Any) -> None:
    for name in ("Ada", "Brian"):
        author = await ask(Author.objects.create, name=name, age=1)
        await ask(Book.objects.create, title=f"By {name}", author=author)
    raw = Book.objects.fetch_mode(FETCH_PEERS).raw("SELECT * FROM shop_book ORDER BY id")
    books = await ask(list, raw)

    def touched() -> list[str]:
        return [book.author.name for book in books]

    with ask.queries() as queries:
        if ask.face == "sync":
            assert await ask.in_thread(touched) == ["Ada", "Brian"]
            assert len(queries) == 1
    blocked = await ask(list, Book.objects.fetch_mode(FETCH_RAISE).raw("SELECT id FROM shop_book"))
    with pytest.raises(FieldFetchBlocked):
        await ask.in_thread(lambda: blocked[0].title)


async def test_a_moment_is_a_value_of_a_statement_by_hand(ask: Any) -> None:
    author = await ask(Author.objects.create, name="Ada")
    book = await ask(Book.objects.create, title="Notes", author=author)
    raw = Book.objects.raw("SELECT * FROM shop_book WHERE added = %s", [book.added])
    assert [found.pk for found in await ask(list, raw)] == [book.pk]
    assert str(raw.query).startswith("SELECT * FROM shop_book WHERE added = ")


# --- lookups of relations ----------------------------------------------------------------


def test_relations_do_not_have_the_lookups_of_columns() -> None:
    for name in ("contains", "startswith", "regex"):
        assert Book._meta.get_field("author").get_lookup(name) is None
        assert Book._meta.get_field("title").get_lookup(name) is not None


def test_an_error_names_the_part_that_does_not_fit() -> None:
    with pytest.raises(FieldError, match="Unsupported lookup 'junk' for IntegerField"):
        Book.objects.filter(published__year__junk=1)
    with pytest.raises(FieldError, match="Unsupported lookup 'junk__more' for IntegerField"):
        Book.objects.filter(published__year__junk__more=1)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)
def test_an_aggregate_with_too_many_arguments_is_refused(dialect: Any) -> None:
    class Total(Aggregate):
        function = "SUM"
        arity = 1

    with pytest.raises(TypeError, match="takes exactly 1 argument"):
        Total("pages", "price")
    sql, _ = spelt(Author.objects.values("name").annotate(n=Total("books__pages")), dialect)
    assert 'SUM("shop_book"."pages") AS "n"' in sql
    assert where(Book.objects.filter(Q(title=Value("x", CharField()))), dialect)[1] == ("x",)


# --- expressions in the place of names and values ----------------------------------------


def test_a_name_gives_way_to_an_expression_with_its_transforms() -> None:
    moment = Value(dt.datetime(2025, 10, 23))
    day = ExtractDay(TruncDate(moment))
    condition = Q(Q(at__date__day__lte=5) | Q(at__date__day=7), at=None, other=1)
    assert condition.replace_expressions({F("at"): moment}) == Q(
        Q(IntegerLessThanOrEqual(day, 5)) | Q(IntegerFieldExact(day, 7)),
        IsNull(moment, True),
        ("other", 1),
    )


@pytest.mark.parametrize(
    "condition", [Q(at__nonsense=1), Q(at__date__nonsense__gt=1), Q(to=F("x"))]
)
def test_a_name_without_such_lookups_stays(condition: Q) -> None:
    assert condition.replace_expressions({F("at"): Value(dt.datetime(2025, 10, 23))}) == condition
    assert Q(at=1).replace_expressions({F("at"): Value(None)}) == Q(at=1)


async def test_sql_by_hand_may_have_expressions_among_its_values(ask: Any, database: Any) -> None:
    await ask(Author.objects.create, name="Ada")
    for mark in ("a", "b"):
        shown = RawSQL("%s || '%%' || %s", [Lower("name"), mark], CharField())
        rows = Author.objects.annotate(shown=shown).values_list("shown", flat=True)
        assert await ask(list, rows) == [f"ada%{mark}"]


def test_values_of_sql_by_hand_are_a_list() -> None:
    condition = RawSQL("1 = 1", BooleanField())
    with pytest.raises(QueryTypeError, match="the values of RawSQL must be a list"):
        Book.objects.filter(ExpressionWrapper(condition, output_field=BooleanField()))
