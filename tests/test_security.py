"""Text from outside never becomes SQL: as a value it is bound, as a name it is quoted or refused.

The tables go over every call that takes names or keyword arguments.  A name is refused at the
call, before any statement; what is taken as a value or as a key of JSON leaves the text of the
statement as it is for any other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from query.spelling import DIALECTS, spelt
from shop.models import Author, Book, Shelf, Tag

import aorm
from aorm.errors import (
    DataError,
    FieldDoesNotExist,
    FieldError,
    NotSupportedError,
    QueryTypeError,
    QueryValueError,
    ValidationError,
)
from aorm.models import (
    Avg,
    Case,
    CharField,
    Count,
    Exists,
    F,
    OuterRef,
    Prefetch,
    Q,
    StringAgg,
    Subquery,
    Value,
    When,
    Window,
)
from aorm.models.fields.json import KT
from aorm.models.functions import (
    Cast,
    Collate,
    Concat,
    Extract,
    JSONObject,
    Now,
    RowNumber,
    Trunc,
    TruncDay,
)

EVIL = (
    'x"; DROP TABLE shop_book; --',
    "x'; DROP TABLE shop_book; --",
    'title" AS t, (SELECT name FROM shop_author) AS "u',
    "x) OR (1 = 1",
    "x OR 1=1",
    "x--",
    "x/**/y",
    "x*/",
    "x#y",
    "x%s",
    "x%(y)s",
    "x\0y",
    "x\ny",
    "x\x1fy",
    "x\u2028y",
    "x`y",
    "x[y]",
    "",
)
#: Refused where columns are named, taken (and quoted) where users name things of their own.
ODD = ("shop_book.title", "x.y", "x{y}", "x\\y", "$1", "x:y", "x$$y", "é", "x" * 70)
#: Keywords that steer conditions from inside.
STEERING = ("_connector", "_negated")
REFUSALS = (
    FieldError,
    FieldDoesNotExist,
    QueryTypeError,
    QueryValueError,
    NotSupportedError,
    TypeError,
)

Use = Callable[[str], Any]

# --- names of columns ----------------------------------------------------------------

QUERIES: dict[str, Use] = {
    "filter": lambda name: Book.objects.filter(**{name: 1}),
    "filter, as a lookup": lambda name: Book.objects.filter(**{f"title__{name}": "x"}),
    "filter, behind a relation": lambda name: Book.objects.filter(**{f"author__{name}": "x"}),
    "filter, of an annotation": lambda name: Book.objects.alias(n=Count("tags")).filter(
        **{f"n__{name}": 1}
    ),
    "exclude": lambda name: Book.objects.exclude(**{name: 1}),
    "complex_filter": lambda name: Book.objects.complex_filter({name: 1}),
    "Q": lambda name: Book.objects.filter(Q((name, 1))),
    "Q, negated": lambda name: Book.objects.filter(~Q((name, 1)) | Q(pk=1)),
    "When": lambda name: Book.objects.annotate(
        x=Case(When(Q((name, 1)), then=Value(1)), default=Value(2))
    ),
    "filter= of an aggregate": lambda name: Author.objects.annotate(
        x=Count("books", filter=Q((f"books__{name}", 1)))
    ),
    "Exists": lambda name: Author.objects.filter(Exists(Book.objects.filter(**{name: 1}))),
    "OuterRef": lambda name: Author.objects.filter(
        Exists(Book.objects.filter(author=OuterRef(name)))
    ),
    "F": lambda name: Book.objects.annotate(x=F(name)),
    "F in a comparison": lambda name: Book.objects.filter(pages=F(name)),
    "F in arithmetic": lambda name: Book.objects.annotate(x=F("pages") + F(name)),
    "a function": lambda name: Book.objects.annotate(x=Concat("title", name)),
    "an aggregate": lambda name: Book.objects.annotate(x=Avg(name)),
    "a window's order": lambda name: Book.objects.annotate(x=Window(RowNumber(), order_by=name)),
    "a window's partition": lambda name: Book.objects.annotate(
        x=Window(RowNumber(), partition_by=name)
    ),
    "order_by= of an aggregate": lambda name: Book.objects.annotate(
        x=StringAgg("tags__name", Value(","), order_by=name)
    ),
    "order_by": lambda name: Book.objects.order_by(name),
    "order_by, descending": lambda name: Book.objects.order_by(f"-{name}"),
    "order_by, an expression": lambda name: Book.objects.order_by(F(name).desc(nulls_last=True)),
    "order_by, behind a relation": lambda name: Book.objects.order_by(f"author__{name}"),
    "values": lambda name: Book.objects.values(name),
    "values_list": lambda name: Book.objects.values_list(name),
    "values_list, flat": lambda name: Book.objects.values_list(name, flat=True),
    "only": lambda name: Book.objects.only(name),
    "defer": lambda name: Book.objects.defer(name),
    "select_related": lambda name: Book.objects.select_related(name),
    "dates, the field": lambda name: Book.objects.dates(name, "year"),
    "datetimes, the field": lambda name: Book.objects.datetimes(name, "year"),
}
UNITS: dict[str, Use] = {
    "dates": lambda unit: Book.objects.dates("published", unit),
    "dates, the order": lambda word: Book.objects.dates("published", "year", order=word),
    "datetimes": lambda unit: Book.objects.datetimes("added", unit),
    "Trunc": lambda unit: Book.objects.annotate(x=Trunc("added", unit)),
    "Extract": lambda unit: Book.objects.annotate(x=Extract("added", unit)),
    "a time zone": lambda zone: Book.objects.annotate(x=TruncDay("added", tzinfo=zone)),
}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)
@pytest.mark.parametrize("use", QUERIES.values(), ids=QUERIES)
def test_a_name_that_is_no_column_is_refused_before_any_statement(use: Use, dialect: Any) -> None:
    for name in (*EVIL, *ODD):
        with pytest.raises(REFUSALS):
            pytest.fail(f"{name!r} became {spelt(use(name), dialect)}")


@pytest.mark.parametrize("use", UNITS.values(), ids=UNITS)
def test_a_unit_that_there_is_not_is_refused_when_the_query_is_built(use: Use) -> None:
    for word in (*EVIL, *ODD):
        with pytest.raises((QueryValueError, QueryTypeError)):
            pytest.fail(f"{word!r} was taken by {use(word)._query}")


OPERATIONS: dict[str, tuple[Use, Callable[[str], tuple[Any, ...]], Callable[[str], Any]]] = {
    "get": (lambda _: Book.objects.get, lambda _: (), lambda n: {n: 1}),
    "create": (lambda _: Book.objects.create, lambda _: (), lambda n: {n: 1}),
    "update": (lambda _: Book.objects.update, lambda _: (), lambda n: {n: 1}),
    "get_or_create": (lambda _: Book.objects.get_or_create, lambda _: (), lambda n: {n: 1}),
    "update_or_create": (lambda _: Book.objects.update_or_create, lambda _: (), lambda n: {n: 1}),
    "defaults": (
        lambda _: Book.objects.update_or_create,
        lambda _: (),
        lambda n: {"title": "x", "defaults": {n: 1}},
    ),
    "latest": (lambda _: Book.objects.latest, lambda n: (n,), lambda _: {}),
    "earliest": (lambda _: Book.objects.earliest, lambda n: (n,), lambda _: {}),
    "in_bulk": (lambda _: Book.objects.in_bulk, lambda _: ([1],), lambda n: {"field_name": n}),
    "bulk_update": (
        lambda _: Book.objects.bulk_update,
        lambda n: ([Book(pk=1, title="x")], [n]),
        lambda _: {},
    ),
    "bulk_create, updated": (
        lambda _: Tag.objects.bulk_create,
        lambda _: ([Tag(name="x")],),
        lambda n: {"update_conflicts": True, "update_fields": [n], "unique_fields": ["name"]},
    ),
    "bulk_create, unique": (
        lambda _: Tag.objects.bulk_create,
        lambda _: ([Tag(name="x")],),
        lambda n: {"update_conflicts": True, "update_fields": ["name"], "unique_fields": [n]},
    ),
    "explain, the format": (
        lambda _: Book.objects.explain,
        lambda _: (),
        lambda n: {"format": n or " "},
    ),
    "explain, an option": (lambda _: Book.objects.explain, lambda _: (), lambda n: {n: True}),
    "save": (lambda _: Book(pk=1).save, lambda _: (), lambda n: {"update_fields": [n]}),
    "refresh_from_db": (
        lambda _: Book(pk=1).refresh_from_db,
        lambda _: (),
        lambda n: {"fields": [n]},
    ),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_an_operation_refuses_a_name_before_any_statement(ask: Any, operation: Any) -> None:
    method, args, kwargs = operation
    for name in (*EVIL, *ODD):
        with ask.queries() as queries, pytest.raises(REFUSALS):
            await ask(method(name), *args(name), **kwargs(name))
            pytest.fail(f"{name!r} was taken")
        assert not queries, name


async def test_a_lock_of_what_is_not_joined_is_refused(ask: Any) -> None:
    if not aorm.connections["default"].dialect.capabilities.select_for_update:
        pytest.skip("there are no locks of rows")
    for name in EVIL:
        with ask.queries() as queries, pytest.raises(FieldError):
            async with ask.atomic():
                await ask(list, Book.objects.select_for_update(of=(name,)))
        assert not [each for each in queries if "SELECT" in each.sql]


async def test_prefetching_refuses_what_is_no_relation(ask: Any) -> None:
    await ask(Author.objects.create, name="x")
    for name in EVIL:
        with pytest.raises((AttributeError, *REFUSALS)):
            await ask(list, Author.objects.prefetch_related(name))
        with pytest.raises((AttributeError, *REFUSALS)):
            await ask(list, Author.objects.prefetch_related(Prefetch(name)))


# --- keywords that steer ----------------------------------------------------------------

STEERED: dict[str, Use] = {
    "filter": lambda name: Book.objects.filter(**{name: "OR 1=1"}),
    "exclude": lambda name: Book.objects.exclude(**{name: True}),
    "complex_filter": lambda name: Book.objects.complex_filter({name: "OR"}),
    "filter with a Q": lambda name: Book.objects.filter(Q(pk=1), **{name: "OR"}),
    "When": lambda name: When(then=Value(1), **{name: "OR"}),
    "the related manager": lambda name: Author(pk=1).books.filter(**{name: "OR"}),
}


@pytest.mark.parametrize("name", STEERING)
@pytest.mark.parametrize("use", STEERED.values(), ids=STEERED)
def test_keywords_cannot_reach_the_connector_of_a_condition(use: Use, name: str) -> None:
    with pytest.raises(QueryTypeError, match=name):
        use(name)


@pytest.mark.parametrize("method", ["get", "get_or_create", "update_or_create", "create"])
async def test_no_operation_takes_them(ask: Any, method: str) -> None:
    for name in STEERING:
        with ask.queries() as queries, pytest.raises(TypeError):
            await ask(getattr(Book.objects, method), **{name: "OR"})
        assert not queries


@pytest.mark.parametrize("connector", [*EVIL, "OR 1=1 OR", "and", b"AND", 1])
def test_a_condition_has_one_of_three_connectors(connector: Any) -> None:
    with pytest.raises(ValueError, match="_connector must be one of"):
        Q(pk=1, _connector=connector)


# --- names that users give ----------------------------------------------------------------

ALIASES: dict[str, Use] = {
    "annotate": lambda name: Book.objects.annotate(**{name: F("pages")}),
    "annotate, aggregated": lambda name: Book.objects.annotate(**{name: Count("tags")}),
    "alias": lambda name: Book.objects.alias(**{name: F("pages")}).order_by(name),
    "values": lambda name: Book.objects.values(**{name: F("pages")}),
    "grouped": lambda name: Book.objects.values(**{name: F("pages")}).annotate(n=Count("pk")),
    "used again": lambda name: Book.objects.annotate(**{name: F("pages")}).annotate(x=F(name) + 1),
    "ordered by": lambda name: Book.objects.annotate(**{name: Count("tags")}).order_by(f"-{name}"),
    "in a subquery": lambda name: Author.objects.annotate(
        x=Subquery(Book.objects.annotate(**{name: F("pages")}).values(name)[:1])
    ),
}


@pytest.mark.parametrize("use", ALIASES.values(), ids=ALIASES)
def test_an_alias_with_marks_of_sql_is_refused(use: Use) -> None:
    for name in (*EVIL, "__class__", "__dict__"):
        with pytest.raises(QueryValueError):
            pytest.fail(f"{name!r} was taken by {use(name)._query}")


async def test_aggregate_refuses_such_a_name(ask: Any) -> None:
    for name in (*EVIL, "__class__"):
        with ask.queries() as queries, pytest.raises(QueryValueError):
            await ask(Book.objects.aggregate, **{name: Count("pk")})
        assert not queries


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)
@pytest.mark.parametrize("use", ALIASES.values(), ids=ALIASES)
def test_any_other_alias_is_quoted(use: Use, dialect: Any) -> None:
    plain, _ = spelt(use("plain"), dialect)
    for name in ODD:
        sql, _ = spelt(use(name), dialect)
        assert sql.replace(dialect.quote(name), '"plain"') == plain


@pytest.mark.parametrize("name", ["_state", "_loaded", "_meta"])
def test_an_annotation_cannot_take_the_place_of_an_instances_state(name: str) -> None:
    with pytest.raises(QueryValueError):
        Book.objects.annotate(**{name: Value(1)})


def test_long_aliases_that_differ_at_their_end_stay_apart(database: Any) -> None:
    Author.objects.create(name="x", age=7)
    first, second = "x" * 80 + "1", "x" * 80 + "2"
    found = Author.objects.annotate(**{first: F("age"), second: F("age") + 1}).get()
    assert (getattr(found, first), getattr(found, second)) == (7, 8)


@pytest.mark.parametrize("name", EVIL)
def test_a_collation_is_a_name_or_refused(name: str) -> None:
    if name == "x--":
        pytest.skip("a name with hyphens, which is quoted")
    with pytest.raises(QueryValueError):
        Collate("title", name)


@pytest.mark.parametrize("name", EVIL)
def test_a_collation_of_a_field_is_quoted(name: str) -> None:
    if "\0" in name or not name:
        return
    for dialect in DIALECTS:
        sql, _ = spelt(
            Book.objects.annotate(x=Cast("title", CharField(db_collation=name))), dialect
        )
        assert name not in sql.replace(dialect.quote(name), "")


# --- keys of JSON ----------------------------------------------------------------

KEYED: dict[str, Use] = {
    "exact": lambda key: Book.objects.filter(**{f"details__{key}": 1}),
    "nested": lambda key: Book.objects.filter(**{f"details__a__{key}": 1}),
    "isnull": lambda key: Book.objects.filter(**{f"details__{key}__isnull": True}),
    "in": lambda key: Book.objects.filter(**{f"details__{key}__in": [1, 2]}),
    "icontains": lambda key: Book.objects.filter(**{f"details__{key}__icontains": "x"}),
    "gt": lambda key: Book.objects.filter(**{f"details__{key}__gt": 1}),
    "excluded": lambda key: Book.objects.exclude(**{f"details__{key}": 1}),
    "order_by": lambda key: Book.objects.order_by(f"details__{key}"),
    "F": lambda key: Book.objects.annotate(x=F(f"details__{key}")),
    "KT": lambda key: Book.objects.annotate(x=KT(f"details__{key}")),
    "grouped": lambda key: (
        Book.objects.annotate(x=KT(f"details__{key}")).values("x").annotate(n=Count("pk"))
    ),
    "has_key": lambda key: Book.objects.filter(details__has_key=key),
    "has_keys": lambda key: Book.objects.filter(details__has_keys=[key, "y"]),
    "has_any_keys": lambda key: Book.objects.filter(details__has_any_keys=[key]),
    "JSONObject": lambda key: Book.objects.annotate(x=JSONObject(**{key: F("title")})),
}
KEYS = (*EVIL, *ODD, "'", '"', "\\", '\\"', "a.b", "$", "$.a", "[0]", "*", "a'b\"c", "{}", "{0}")


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)
@pytest.mark.parametrize("use", KEYED.values(), ids=KEYED)
def test_a_key_of_json_leaves_the_statement_as_it_is(use: Use, dialect: Any) -> None:
    for key in filter(None, KEYS):
        # SQLite's paths cannot name a key with a quotation mark: these have their own statement.
        plain = spelt(use('q"q' if '"' in key else "plain"), dialect)
        sql, params = spelt(use(key), dialect)
        assert sql == plain[0]
        assert params != plain[1]


@pytest.mark.parametrize("key", EVIL)
def test_a_selected_key_is_refused_where_its_alias_would_be(key: str) -> None:
    if not key:
        return
    for use in (Book.objects.values, Book.objects.values_list):
        with pytest.raises(QueryValueError):
            use(f"details__{key}")


async def test_odd_keys_find_their_values(ask: Any) -> None:
    author = await ask(Author.objects.create, name="x")
    for number, key in enumerate(each for each in KEYS if each and "\0" not in each):
        await ask(Book.objects.create, title=str(number), author=author, details={key: number})
        by_value = Book.objects.filter(**{f"details__{key}": number}, title=str(number))
        assert await ask(by_value.count) == 1, key
        by_key = Book.objects.filter(details__has_key=key)
        assert [book.title for book in await ask(list, by_key)] == [str(number)], key


# --- values ----------------------------------------------------------------

VALUES: dict[str, Use] = {
    "exact": lambda text: Book.objects.filter(title=text),
    "contains": lambda text: Book.objects.filter(title__contains=text),
    "iexact": lambda text: Book.objects.filter(title__iexact=text),
    "regex": lambda text: Book.objects.filter(title__regex=text),
    "in": lambda text: Book.objects.filter(title__in=[text, "y"]),
    "range": lambda text: Book.objects.filter(title__range=(text, text)),
    "json": lambda text: Book.objects.filter(details=text),
    "json, under a key": lambda text: Book.objects.filter(details__a=text),
    "Value": lambda text: Book.objects.annotate(x=Value(text)),
    "Concat": lambda text: Book.objects.annotate(x=Concat("title", Value(text))),
    "Case": lambda text: Book.objects.annotate(x=Case(When(title=text, then=Value(text)))),
    "a delimiter": lambda text: Author.objects.annotate(x=StringAgg("books__title", Value(text))),
    "a delimiter by itself": lambda text: Author.objects.annotate(
        x=StringAgg("books__title", text)
    ),
    "a subquery": lambda text: Author.objects.filter(books__in=Book.objects.filter(title=text)),
}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)
@pytest.mark.parametrize("use", VALUES.values(), ids=VALUES)
def test_a_value_leaves_the_statement_as_it_is(use: Use, dialect: Any) -> None:
    plain, _ = spelt(use("plain"), dialect)
    for text in EVIL:
        sql, params = spelt(use(text), dialect)
        assert sql == plain
        assert params


@pytest.mark.parametrize("place", ["title", "pages", "published", "rating", "available", "author"])
@pytest.mark.parametrize("value", [{"a": 1}, [1], {"_connector": "OR"}], ids=str)
def test_a_lookup_of_a_scalar_refuses_a_document(place: str, value: Any) -> None:
    with pytest.raises((FieldError, TypeError, ValueError, ValidationError)):
        Book.objects.filter(**{place: value})


@pytest.mark.parametrize("evil", ["1; DROP TABLE shop_book", "1 OR 1=1", "", {}, [1]], ids=str)
def test_slices_and_keys_are_numbers_or_refused(evil: Any) -> None:
    for refuse in (
        lambda: Shelf.objects.filter(pk=(evil, 1)),
        lambda: Shelf.objects.filter(pk__in=[(evil, 1)]),
        lambda: Book.objects.filter(pk=evil),
        lambda: Book.objects.all()[evil],
        lambda: Book.objects.all()[evil:],
    ):
        with pytest.raises((FieldError, TypeError, ValueError)):
            refuse()


# --- any text ----------------------------------------------------------------

TEXT = st.text(max_size=40) | st.sampled_from([*EVIL, *ODD, *KEYS])
ANY = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@ANY
@given(text=TEXT)
def test_any_text_as_a_value_is_bound(text: str) -> None:
    for dialect in DIALECTS:
        for name in ("exact", "contains", "Value", "json, under a key"):
            plain, _ = spelt(VALUES[name]("plain"), dialect)
            assert spelt(VALUES[name](text), dialect)[0] == plain


@ANY
@given(name=TEXT)
def test_any_text_as_the_name_of_a_column_is_refused(name: str) -> None:
    for kind in ("filter", "order_by", "F", "values", "only"):
        if name.lstrip("-+") in ("?", "pk") or name == "":
            continue
        with pytest.raises(REFUSALS):
            str(QUERIES[kind](f"no{name}").query)


@ANY
@given(name=TEXT)
def test_any_text_as_an_alias_is_quoted_or_refused(name: str) -> None:
    for dialect in DIALECTS:
        for kind in ("annotate", "values", "ordered by"):
            plain, _ = spelt(ALIASES[kind]("plain"), dialect)
            try:
                built = ALIASES[kind](name)
            except REFUSALS:
                continue
            quoted = dialect.quote(name)
            assert quoted[0] == quoted[-1] == '"'
            assert '"' not in quoted[1:-1]
            assert spelt(built, dialect)[0].replace(quoted, '"plain"') == plain


@ANY
@given(key=TEXT)
def test_any_text_as_a_key_of_json_is_bound(key: str) -> None:
    parts = key.split("__")
    if not all(parts) or parts[-1] in Book._meta.get_field("details").get_lookups():
        return
    for dialect in DIALECTS:
        alike = ["7" if _is_number(part) else 'q"q' if '"' in part else "plain" for part in parts]
        plain, _ = spelt(KEYED["exact"]("__".join(alike)), dialect)
        assert spelt(KEYED["exact"](key), dialect)[0] == plain


def _is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


@ANY
@given(text=TEXT)
def test_any_text_comes_back_as_it_was_stored(database: Any, text: str) -> None:
    try:
        Author.objects.update_or_create(name="only", defaults={"email": text})
    except (DataError, ValueError, UnicodeError):
        return  # what the database cannot hold (NUL, lone surrogates) is refused
    assert Author.objects.get(email=text).email == text
    assert Author.objects.annotate(x=Value(text, CharField())).get().x == text
    assert Author.objects.count() == 1


def test_the_time_of_the_database_takes_no_text(database: Any) -> None:
    Author.objects.create(name="x")
    found = Author.objects.annotate(now=Now()).get().now
    assert isinstance(found, dt.datetime)
