"""Single cases of a query's second use, of its memory, and of its pickles."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import pytest
from shop.models import Author, Book, Tag

from aorm.functional import SimpleLazyObject
from aorm.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    F,
    IntegerField,
    Lookup,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Transform,
    Value,
    When,
)
from aorm.models.expressions import Func, RawSQL
from aorm.models.functions import Abs, Coalesce
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from query.spelling import DIALECTS, fresh, interned, spelt, where

HUGE = 2**70
BOOKS = interned(Book)
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.vendor)


@each_dialect
def test_names_and_expressions_in_one_ordering(dialect: Any) -> None:
    by = F("rating").desc()
    first = spelt(BOOKS.order_by("title", by), dialect)[0]
    second = spelt(BOOKS.order_by("pages", by), dialect)[0]
    assert first.endswith('ORDER BY "shop_book"."title" ASC, "shop_book"."rating" DESC')
    assert second.endswith('ORDER BY "shop_book"."pages" ASC, "shop_book"."rating" DESC')


@each_dialect
def test_list_without_a_fitting_item_matches_nothing_at_its_second_use_too(dialect: Any) -> None:
    for lookup in ("pages__in", "author__in"):
        for values in ([1], [HUGE], [None, 2], [None, HUGE], ["3"], [str(HUGE)], [1, str(HUGE)]):
            sql, params = spelt(BOOKS.filter(**{lookup: values}), dialect)
            fitting = [int(v) for v in values if v is not None and abs(int(v)) < HUGE]
            assert bool(sql) == bool(fitting)
            assert not sql or str(fitting[0]) in str(params[0])


@pytest.mark.parametrize("value", [HUGE, -HUGE, str(HUGE), float(HUGE)])
def test_integers_that_no_row_can_have(database: Any, value: Any) -> None:
    author = Author.objects.create(name="a", age=1)
    Book.objects.create(title="t", author=author, pages=3)
    above = int(value) > 0
    for name in ("pages", "author", "author_id", "pk", "author__age"):
        assert not Book.objects.filter(**{name: value}).exists()
        assert Book.objects.exclude(**{name: value}).exists()
        assert Book.objects.filter(**{f"{name}__lt": value}).exists() is above
        assert Book.objects.filter(**{f"{name}__gte": value}).exists() is not above
        assert Book.objects.filter(**{f"{name}__in": [value, 1, 3, author.pk]}).exists()
    assert Book.objects.filter(pages__range=(1, value)).exists() is above
    assert Book.objects.filter(pages__range=(value, 5)).exists() is not above


def test_a_lazy_object_stands_for_an_object(database: Any) -> None:
    author = Author.objects.create(name="a")
    book = Book.objects.create(title="t", author=author)
    lazy = SimpleLazyObject(lambda: author)
    for _ in range(2):
        assert Book.objects.get(author=lazy) == book
        assert Book.objects.get(author__in=[lazy]) == book


@each_dialect
def test_values_of_an_annotation_that_a_subquery_refers_to(dialect: Any) -> None:
    marked = BOOKS.filter(title="first").alias(mark=F("pages") + 7)
    near = interned(Author).filter(name="n", age=OuterRef("mark"))
    _, params = where(marked.filter(Exists(near.filter(email="e"))), dialect)
    assert params == ("first", "n", 7, "e")


@each_dialect
def test_outer_reference_in_the_ordering_of_a_subquery(dialect: Any) -> None:
    nearest = interned(Author).order_by(Abs(F("age") - OuterRef("pages"))).values("name")[:1]
    sql, _ = spelt(BOOKS.values_list(Subquery(nearest)), dialect)
    assert 'ORDER BY ABS(("U0"."age" - "shop_book"."pages")) ASC' in sql


class Plain(Func):
    function = "PLAIN"


class Loud(RawSQL):
    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> Any:
        sql, params = super().as_sql(compiler, connection)
        return f"LOUD{sql}", params


class Name(F):
    def resolve(self, scope: Any) -> Any:
        return scope.ref(f"{self.name}__name")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (RawSQL("1", (), IntegerField()), Loud("1", (), IntegerField())),
        (F("author"), Name("author")),
        (Value(1), Value(True)),
        (Value(1), Value(2**40)),
        (Value(1), Value(1, output_field=IntegerField())),
        (Value(1, output_field=IntegerField()), Value(1, output_field=IntegerField(null=True))),
        (Plain("pages", word=1), Plain("pages", word=True)),
        (Count("tags", distinct=True), Count("tags")),
        (Count("tags", filter=Q(pages=1)), Count("tags", filter=Q(pages=None))),
        (Coalesce("rating", Value(1.0)), Coalesce("rating", Value(None))),
    ],
    ids=str,
)
def test_different_structures_have_different_shapes(one: Any, other: Any) -> None:
    assert one.shape != other.shape


class Marked(When):
    def __init__(self, mark: str, **lookups: Any) -> None:
        super().__init__(**lookups)
        self.mark = mark


class Twice(F):
    """Brings a value of its own, as an operand that is no Expression may."""

    def collect(self, values: list[Any]) -> None:
        values.append(2)


class Counted(Case):
    """Says apart what its values are."""

    def collect(self, values: list[Any]) -> None:
        super().collect(values)
        values.append(len(self.cases))


class CountedToo(Counted):
    pass


def _expressions() -> list[Any]:
    inner = interned(Tag).filter(name="t", books=OuterRef("pk"))
    when = When(title="a", then=Value("b"))
    return [
        F("pages") + 1,
        Value([1, "x"]),
        when,
        Case(when, When(Q(pages=2) | ~Q(title="c"), then=F("title")), default=Value(None)),
        Case(when, output_field=IntegerField()),
        Marked("m", pages=4, then=Value(7)),
        Subquery(inner.values("pk")[:1]),
        Subquery(inner, output_field=IntegerField()),
        Exists(inner),
        ~Exists(inner),
        Count("tags", filter=Q(pages=3), distinct=True),
        Sum("pages", default=9),
        Coalesce(F("rating"), Value(0.5)).desc(nulls_last=True),
        RawSQL("%s + %s", [1, 2], IntegerField()),
        Q(pages__in=[1, F("author__age") + 3], author=inner.values("pk")) ^ Q(Exists(inner)),
        Twice("pages"),
        Counted(when, default=Value(3)),
        CountedToo(when, default=Value(3)),
    ]


@pytest.mark.parametrize("expression", _expressions(), ids=lambda e: type(e).__name__)
def test_shape_and_values_are_the_same_at_once_and_apart(expression: Any) -> None:
    apart: list[Any] = []
    expression.collect(apart)
    at_once: list[Any] = []
    assert expression.keyed(at_once) == expression.shape
    assert at_once == apart


def test_expressions_of_one_kind_with_different_options_have_different_shapes() -> None:
    shapes = [expression.shape for expression in _expressions()]
    others = [
        Marked("n", pages=4, then=Value(7)).shape,
        Case(When(title="a", then=Value("b")), default=Value(1)).shape,
        Case(When(title="a", then=Value("b")), output_field=IntegerField(null=True)).shape,
        Subquery(interned(Tag).filter(name="t")).shape,
        Count("tags", filter=Q(pages=3)).shape,
        Sum("pages").shape,
    ]
    assert len({*shapes, *others}) == len(shapes) + len(others)


def test_fields_made_anew_have_one_shape() -> None:
    size = len(BOOKS._query.steps)
    for number in range(20):
        BOOKS.annotate(made_anew=Value(number, output_field=IntegerField()))
    assert len(BOOKS._query.steps) <= size + 1


class Tracked(str):
    """A text that can be watched."""

    __slots__ = ("__weakref__",)


def test_no_query_keeps_a_value() -> None:
    texts = [Tracked(f"text{number}") for number in range(9)]
    authors = [Author(pk=1, name="a"), Author(pk=2, name="b")]
    watched = [weakref.ref(each) for each in (*texts, *authors)]
    authors_of = interned(Author).filter(name=texts[0])
    queryset = (
        BOOKS.filter(title=texts[1], author=authors[0])
        .filter(author__in=[authors[1]], title__in=[texts[2]])
        .exclude(tags__name=texts[3])
        .annotate(kind=Case(When(title=texts[4], then=Value(texts[5])), default=Value(texts[6])))
        .annotate(raw=RawSQL("%s", [texts[7]]), own=Subquery(authors_of.values("pk")[:1]))
        .filter(title__range=(texts[8], "z"))
    )
    for dialect in DIALECTS:
        assert spelt(queryset, dialect)[0]
    kept = queryset._query
    del queryset, authors_of, texts, authors
    gc.collect()
    assert [each() for each in watched] == [None] * len(watched)
    assert kept.slots > 9


@each_dialect
def test_a_pickled_query_is_the_same_query(dialect: Any) -> None:
    inner = interned(Tag).filter(name="t", books=OuterRef("pk"))
    queryset = (
        BOOKS.annotate(number=Count("tags"), mark=F("pages") + 1)
        .filter(Exists(inner), number__gt=2)
        .exclude(tags__name__in=["a"])[2:7]
    )
    again = BOOKS.all()
    again.query = pickle.loads(pickle.dumps(queryset.query))
    assert spelt(again, dialect) == spelt(queryset, dialect)
    assert spelt(again[1:3], dialect) == spelt(queryset[1:3], dialect)


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (SQLITE, '"shop_book"."pages" IN (SELECT value FROM json_each(?))'),
        (POSTGRESQL, '"shop_book"."pages" = ANY($1::bigint[])'),
    ],
)
def test_lists_of_any_length_have_one_text(dialect: Any, text: str) -> None:
    for length in (1, 2, 50):
        assert where(BOOKS.filter(pages__in=range(length)), dialect)[0] == text


@each_dialect
def test_an_object_of_the_same_model_stands_for_its_key(dialect: Any) -> None:
    mentor = Author(pk=7, name="m", mentor_id=3)
    authors = interned(Author)
    assert where(authors.filter(mentor=mentor), dialect)[1] == (7,)
    assert where(authors.filter(students=mentor), dialect)[1] == (7,)
    assert str(7) in str(where(authors.filter(mentor__in=[mentor]), dialect)[1])
    assert where(authors.filter(mentor__mentor=mentor), dialect)[1] == (7,)
    assert where(authors.filter(friends=mentor), dialect)[1] == (7,)


@each_dialect
def test_objects_are_excluded_across_reverse_relations(dialect: Any) -> None:
    book, author = Book(pk=5, title="t"), Author(pk=9, name="a", mentor_id=2)
    authors = interned(Author)
    assert where(authors.exclude(books=book), dialect)[1] == (5,)
    assert where(authors.exclude(students=author), dialect)[1] == (9,)
    assert where(authors.exclude(students=4), dialect)[1] == (4,)
    assert "5" in str(where(authors.exclude(books__in=[book]), dialect)[1])
    with pytest.raises(ValueError, match="Must be"):
        authors.exclude(books=author)


def test_a_lookup_that_is_registered_later_counts_for_queries_that_were_built_before() -> None:
    class Third(Transform):
        lookup_name = "part"
        function = "THIRD"

    class Half(Third):
        function = "HALF"

    for transform in (Third, Half, Third):
        IntegerField.register_lookup(transform)
        try:
            sql, _ = where(Book.objects.filter(pages__part=1), SQLITE)
        finally:
            IntegerField._unregister_lookup(transform)
        assert sql == f'{transform.function}("shop_book"."pages") = ?'


class Doubled(Lookup):
    lookup_name = "doubled"

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> Any:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{right} = {left} * 2 AND {right} > 0", [*right_params, *left_params, *right_params]


@pytest.mark.parametrize(
    ("dialect", "text", "params"),
    [
        (SQLITE, '? = "shop_book"."pages" * 2 AND ? > 0', (6, 6)),
        (
            POSTGRESQL,
            '$1::integer = "shop_book"."pages" * 2 AND $1::integer > 0',
            (6,),
        ),
    ],
)
def test_a_lookup_of_a_user_spells_itself(dialect: Any, text: str, params: Any) -> None:
    IntegerField.register_lookup(Doubled)
    try:
        assert where(BOOKS.filter(pages__doubled="6"), dialect) == (text, params)
        other = where(BOOKS.filter(pages__doubled=F("author__age")), dialect)[0]
        assert other == text.replace("?", "$1::integer").replace(
            "$1::integer", '"shop_author"."age"'
        )
    finally:
        IntegerField._unregister_lookup(Doubled)


@each_dialect
def test_ordering_by_a_subquery_without_values(dialect: Any) -> None:
    edited = interned(Book).filter(editor=OuterRef("pk"))
    sql, _ = spelt(interned(Author).order_by(Exists(edited).desc(), "name"), dialect)
    condition = '"U0"."editor_id" = "shop_author"."id"'
    assert f'EXISTS(SELECT 1 FROM "shop_book" "U0" WHERE {condition}) DESC' in sql


class Named(RawSQL):
    """A condition whose shape is a text: the name of a lookup."""

    def keyed(self, values: list[Any]) -> Any:
        return "pages"


class Shaped(Value):
    """A value with the shape of a condition."""

    def keyed(self, values: list[Any]) -> Any:
        values.append(self.value)
        return Q(title="t").keyed([])


@each_dialect
def test_a_condition_is_not_mistaken_for_the_name_of_a_lookup(dialect: Any) -> None:
    named = Named("1 = 1", (), BooleanField())
    for _ in range(2):
        assert "1 = 1" in where(BOOKS.exclude(named, Q(title="t")), dialect)[0]
        assert "1 = 1" not in where(BOOKS.exclude(pages=Shaped(3)), dialect)[0]


@each_dialect
def test_keywords_in_another_order_or_number_are_another_filter(dialect: Any) -> None:
    for _ in range(2):
        assert where(BOOKS.filter(title="a", pages=1), dialect)[1] == ("a", 1)
        assert where(BOOKS.filter(pages=1, title="a"), dialect)[1] == (1, "a")
        assert where(BOOKS.filter(pages=1), dialect)[1] == (1,)
        assert where(BOOKS.exclude(pages=1), dialect)[0] != where(BOOKS.filter(pages=1), dialect)[0]


@each_dialect
def test_children_added_to_a_used_condition_count(dialect: Any) -> None:
    q = Q(pages=1)
    assert where(BOOKS.filter(q), dialect)[1] == (1,)
    other = ~q
    q.children.append(("title", "t"))
    assert where(BOOKS.filter(q), dialect)[1] == (1, "t")
    assert where(BOOKS.filter(other), dialect)[1] == (1,)
    q.children = [("rating", 2.0)]
    assert where(BOOKS.filter(q), dialect)[1] == (2.0,)
    assert q == Q(rating=2.0)


@pytest.mark.parametrize("looked_at", [False, True])
def test_a_condition_is_copied_and_pickled_with_its_lookups(looked_at: bool) -> None:
    q = Q(pages=1, title="t")
    if looked_at:
        assert q.children == [("pages", 1), ("title", "t")]
    assert copy.copy(q) == q
    for twin in (q.copy(), copy.deepcopy(q), pickle.loads(pickle.dumps(q))):
        assert twin == q
        assert twin.keyed([]) == q.keyed([])
        twin.children.append(("rating", 1.0))
        assert len(q) == 2


@each_dialect
@pytest.mark.parametrize("looked_at", [False, True])
def test_joined_conditions_are_flattened_only_where_that_says_the_same(
    dialect: Any, looked_at: bool
) -> None:
    one, two = Q(pages=1), Q(title="a", rating=2.0)
    if looked_at:
        assert one.children
        assert two.children
    for q, children in (
        (one | two, [("pages", 1), two]),
        (one & two, [("pages", 1), ("rating", 2.0), ("title", "a")]),
        (~one | two, [~one, two]),
        (two & ~two, [("rating", 2.0), ("title", "a"), ~two]),
        (one | ~two, [("pages", 1), ~two]),
        (~one & ~one, [~one, ~one]),
        (Q() | one, [("pages", 1)]),
        (one & Q(), [("pages", 1)]),
        (~Q() | one, [("pages", 1)]),
    ):
        assert q.children == children
        assert spelt(BOOKS.filter(q), dialect) == spelt(fresh(Book).filter(q), dialect)


def test_a_dictionary_of_lookups_stays_as_it_is() -> None:
    given = {"pages__in": iter([1, 2])}
    kept = given["pages__in"]
    found = BOOKS.complex_filter(given)
    assert given == {"pages__in": kept}
    assert where(found, POSTGRESQL)[1] == ([1, 2],)


@each_dialect
def test_an_iterator_is_read_once_however_often_its_condition_is_used(dialect: Any) -> None:
    q = Q(pages__in=(number for number in (1, 2)))
    when = When(pages__in=iter([1, 2]), then=Value(1))
    for _ in range(2):
        assert where(BOOKS.filter(q), dialect) == where(BOOKS.filter(pages__in=[1, 2]), dialect)
        counted = BOOKS.annotate(n=Case(when)).filter(n=1)
        assert "IN" in spelt(counted, dialect)[0] or "ANY" in spelt(counted, dialect)[0]


@each_dialect
def test_slices_with_the_same_bounds_given_otherwise(dialect: Any) -> None:
    for _ in range(2):
        for part in (slice(0, 3), slice(None, 3)):
            sql, params = spelt(BOOKS[part], dialect)
            assert sql.endswith(" LIMIT 3")
            assert params == ()
        assert spelt(BOOKS[1:3], dialect)[1] == (1,)
        assert spelt(BOOKS[:0], dialect) == ("", ())
        assert spelt(BOOKS[2:2], dialect) == ("", ())
        sql, params = spelt(BOOKS[2:10][:3], dialect)
        assert " LIMIT 3 OFFSET " in sql
        assert params == (2,)
        assert spelt(BOOKS[:5][:9], dialect)[0].endswith(" LIMIT 5")


@each_dialect
@pytest.mark.parametrize(
    ("size", "bound"),
    [(1, False), (100, False), (101, True), (150, False), (1000, False), (1050, True)],
)
def test_usual_sizes_of_slices_are_in_the_text(dialect: Any, size: int, bound: bool) -> None:
    for _ in range(2):
        sql, params = spelt(BOOKS[:size], dialect)
        assert params == ((size,) if bound else ())
        assert sql.endswith(f" LIMIT {size}") is not bound
        sql, params = spelt(BOOKS[7 : size + 7], dialect)
        assert sorted(params) == ([7, size] if bound else [7])
        assert (f" LIMIT {size} OFFSET " in sql) is not bound


@each_dialect
def test_slices_of_slices_know_both_kinds_of_sizes(dialect: Any) -> None:
    for outer, inner, expected in (
        (slice(101), slice(5), 5),
        (slice(5), slice(101), 5),
        (slice(101), slice(300), 101),
        (slice(90, 200), slice(20, 700), 90),
    ):
        queryset = BOOKS[outer][inner]
        sql, params = spelt(queryset, dialect)
        assert f" LIMIT {expected}" in sql or expected in params
    for _ in range(2):
        assert spelt(BOOKS[:1234], dialect)[1] == (1234,)
        assert spelt(BOOKS[:0], dialect) == ("", ())
    assert spelt(BOOKS[:5][5:], dialect) == ("", ())
    assert spelt(BOOKS[:101][101:], dialect) == ("", ())


@each_dialect
def test_a_subquery_is_another_one_as_a_value_of_another_type(dialect: Any) -> None:
    tags = Tag.objects.values("pk")[:1]
    kinds = (Subquery(tags), Exists(tags), Subquery(tags, output_field=IntegerField()))
    shapes = {each.keyed([]) for each in kinds}
    assert len(shapes) == 3
    for each in kinds:
        assert each.source is each.source
        assert each.keyed([]) in shapes
        assert each.deconstruct()[1] == (tags,)
        first, again = (spelt(root.annotate(x=each), dialect) for root in (fresh(Book), BOOKS))
        assert first == again
