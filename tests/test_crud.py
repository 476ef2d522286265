"""Creating, reading, changing and deleting objects, one by one and in bulk."""

from __future__ import annotations

import datetime
import json
import pickle
from decimal import Decimal

import pytest
from shop.models import Author, Book, Shelf, Tag
from support import needs

from aorm.errors import (
    FieldDoesNotExist,
    FieldError,
    IntegrityError,
    NotSupportedError,
    QueryValueError,
)
from aorm.models import F, Value
from aorm.models.functions import Concat, Lower

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def ada(database) -> Author:
    return Author.objects.create(name="Ada", age=36)


@pytest.fixture
def authors(database) -> list[Author]:
    return [Author.objects.create(name=name, age=age) for name, age in PEOPLE]


PEOPLE = [("Ada", 36), ("Brian", 81), ("Chen", None), ("Dora", 36)]


# --- one object --------------------------------------------------------------------


async def test_create_returns_the_stored_object(ask):
    ada = await ask(Author.objects.create, name="Ada", age=36)
    assert ada.pk is not None
    assert (ada.name, ada.age, ada.email) == ("Ada", 36, "")
    assert await ask(Author.objects.get, pk=ada.pk) == ada


async def test_get_finds_the_one_match(ask, ada):
    assert (await ask(Author.objects.get, name="Ada")).pk == ada.pk


async def test_get_without_a_match_raises_the_models_own_error(ask):
    with pytest.raises(Author.DoesNotExist, match="Author"):
        await ask(Author.objects.get, name="Nobody")


async def test_get_of_several_matches_raises(ask, authors):
    with pytest.raises(Author.MultipleObjectsReturned):
        await ask(Author.objects.get, age=36)


async def test_save_inserts_then_updates(ask):
    author = Author(name="Ada")
    await ask(author.save)
    author.age = 37
    await ask(author.save)
    assert await ask(list, Author.objects.values_list("name", "age")) == [("Ada", 37)]


async def test_save_of_named_fields_leaves_the_others(ask, ada):
    ada.name, ada.age = "Changed", 99
    await ask(ada.save, update_fields=["age"])
    await ask(ada.refresh_from_db)
    assert (ada.name, ada.age) == ("Ada", 99)


async def test_save_of_an_expression_computes_in_the_database(ask, ada):
    ada.age = F("age") + 1
    await ask(ada.save)
    await ask(ada.refresh_from_db)
    assert ada.age == 37


async def test_delete_reports_what_went(ask, ada):
    await ask(Book.objects.create, title="Notes", author=ada)
    assert await ask(ada.delete) == (2, {"shop.Author": 1, "shop.Book": 1})
    assert ada.pk is None
    assert not await ask(Author.objects.exists)


async def test_refresh_sees_what_others_changed(ask, ada):
    await ask(Author.objects.filter(pk=ada.pk).update, name="Ada L.")
    await ask(ada.refresh_from_db)
    assert ada.name == "Ada L."


async def test_every_kind_of_value_comes_back_as_it_went_in(ask, ada):
    values = {
        "title": "Notes — ünïcode '%s' \"?\" $1",
        "pages": 2**31 - 1,
        "price": Decimal("19.99"),
        "rating": 4.25,
        "published": datetime.date(1843, 9, 5),
        "available": False,
        "binding": Book.Binding.HARD,
        "details": {"isbn": None, "chapters": [1, 2.5, "drei"], "nested": {"a": True}},
    }
    made = await ask(Book.objects.create, author=ada, **values)
    found = await ask(Book.objects.get, pk=made.pk)
    assert {name: getattr(found, name) for name in values} == values
    assert type(found.available) is bool
    assert found.added.tzinfo is not None
    assert found.added == made.added
    assert found.get_binding_display() == "Hardcover"


async def test_objects_compare_and_hash_by_primary_key(ask, ada):
    again = await ask(Author.objects.get, pk=ada.pk)
    assert again == ada
    assert again is not ada
    assert len({again, ada}) == 1
    assert Author() != Author()


async def test_an_object_survives_pickling(ask, ada):
    found = await ask(Author.objects.get, pk=ada.pk)
    copy = pickle.loads(pickle.dumps(found))
    assert copy == ada
    assert copy.name == "Ada"


async def test_a_primary_key_of_two_columns(ask):
    await ask(Shelf.objects.create, room=1, place=2, label="crime")
    shelf = await ask(Shelf.objects.get, pk=(1, 2))
    assert shelf.pk == (1, 2)
    shelf.label = "poetry"
    await ask(shelf.save)
    assert await ask(Shelf.objects.filter(pk=(1, 2)).count) == 1
    assert (await ask(Shelf.objects.get, room=1, place=2)).label == "poetry"


async def test_a_duplicate_is_an_integrity_error(ask, ada):
    with pytest.raises(IntegrityError) as caught:
        await ask(Author.objects.create, name="Ada")
    assert caught.value.__cause__ is not None


async def test_a_check_constraint_is_enforced_by_the_database(ask, ada):
    with pytest.raises(IntegrityError):
        await ask(Book.objects.create, title="Less than nothing", author=ada, pages=-1)


async def test_a_dangling_foreign_key_is_refused(ask):
    with pytest.raises(IntegrityError):
        await ask(Book.objects.create, title="Orphan", author_id=12345)


# --- get or create -----------------------------------------------------------------


async def test_get_or_create_creates_once(ask):
    first, created = await ask(Author.objects.get_or_create, name="Ada", defaults={"age": 36})
    again, created_again = await ask(Author.objects.get_or_create, name="Ada", defaults={"age": 1})
    assert (created, created_again) == (True, False)
    assert again == first
    assert again.age == 36


async def test_update_or_create_updates_what_is_there(ask, ada):
    author, created = await ask(Author.objects.update_or_create, {"age": 40}, name="Ada")
    assert (author.pk, author.age, created) == (ada.pk, 40, False)
    author, created = await ask(Author.objects.update_or_create, {"age": 1}, name="New")
    assert (author.age, created) == (1, True)


# --- in bulk -----------------------------------------------------------------------


async def test_bulk_create_sets_primary_keys(ask):
    made = await ask(Author.objects.bulk_create, [Author(name=f"A{n}") for n in range(5)])
    assert len({author.pk for author in made}) == 5
    assert None not in {author.pk for author in made}
    assert await ask(Author.objects.count) == 5


async def test_bulk_create_in_batches(ask):
    tags = [Tag(name=f"t{n}") for n in range(7)]
    await ask(Tag.objects.bulk_create, tags, batch_size=3)
    assert await ask(Tag.objects.count) == 7


async def test_a_failing_row_leaves_nothing_of_a_bulk_behind(ask):
    rows = [Author(name=name) for name in ("a", "b", "c", "a")]
    with pytest.raises(IntegrityError):
        await ask(Author.objects.bulk_create, rows, batch_size=2)
    assert await ask(Author.objects.count) == 0


async def test_bulk_create_can_ignore_conflicts(ask, ada):
    rows = [Author(name="Ada"), Author(name="Brian")]
    await ask(Author.objects.bulk_create, rows, ignore_conflicts=True)
    assert await ask(Author.objects.count) == 2


async def test_bulk_create_can_update_conflicts(ask, ada):
    await ask(
        Author.objects.bulk_create,
        [Author(name="Ada", age=99), Author(name="Brian", age=81)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["age"],
    )
    assert await ask(list, Author.objects.values_list("name", "age")) == [
        ("Ada", 99),
        ("Brian", 81),
    ]


async def test_bulk_update_changes_named_fields(ask, authors):
    for author in authors:
        author.age = (author.age or 0) + 1
        author.name += "!"
    changed = await ask(Author.objects.bulk_update, authors, ["age"])
    assert changed == 4
    assert await ask(list, Author.objects.values_list("name", "age")) == [
        ("Ada", 37),
        ("Brian", 82),
        ("Chen", 1),
        ("Dora", 37),
    ]


async def test_update_returns_the_number_of_rows(ask, authors):
    assert await ask(Author.objects.filter(age=36).update, age=F("age") + 1) == 2
    assert await ask(Author.objects.filter(age=37).count) == 2


async def test_update_with_functions(ask, authors):
    await ask(Author.objects.update, email=Concat(Lower("name"), Value("@example.org")))
    assert (await ask(Author.objects.get, name="Ada")).email == "ada@example.org"


async def test_delete_of_a_queryset_reports_what_went(ask, authors):
    assert await ask(Author.objects.filter(age=36).delete) == (2, {"shop.Author": 2})
    assert await ask(Author.objects.count) == 2


async def test_in_bulk_maps_keys_to_objects(ask, authors):
    keys = [authors[0].pk, authors[2].pk]
    found = await ask(Author.objects.in_bulk, keys)
    assert found == {authors[0].pk: authors[0], authors[2].pk: authors[2]}
    assert set(await ask(Author.objects.in_bulk, field_name="name")) == {n for n, _ in PEOPLE}


# --- the ends of a queryset ----------------------------------------------------------


async def test_first_and_last_follow_the_order(ask, authors):
    by_name = Author.objects.order_by("name")
    assert (await ask(by_name.first)).name == "Ada"
    assert (await ask(by_name.last)).name == "Dora"
    assert await ask(Author.objects.filter(name="x").first) is None


async def test_latest_and_earliest(ask, ada):
    for year in (1843, 1999, 1812):
        day = datetime.date(year, 1, 1)
        await ask(Book.objects.create, title=str(year), author=ada, published=day)
    assert (await ask(Book.objects.latest)).title == "1999"
    assert (await ask(Book.objects.earliest)).title == "1812"
    assert (await ask(Book.objects.earliest, "-published")).title == "1999"


async def test_count_exists_contains(ask, authors):
    grown_up = Author.objects.filter(age__gte=40)
    assert await ask(grown_up.count) == 1
    assert await ask(grown_up.exists)
    assert await ask(grown_up.contains, authors[1])
    assert not await ask(grown_up.contains, authors[0])


async def test_an_empty_queryset_asks_nothing(ask):
    with ask.queries() as queries:
        assert await ask(list, Author.objects.none()) == []
        assert await ask(Author.objects.filter(pk__in=[]).count) == 0
        assert not await ask(Author.objects.none().exists)
    assert list(queries) == []


async def test_iterator_streams_in_chunks(ask):
    await ask(Tag.objects.bulk_create, [Tag(name=f"t{n:03}") for n in range(250)])
    streamed = Tag.objects.values_list("name", flat=True)
    iterator = streamed.iterator if ask.face == "sync" else streamed.aiterator
    assert await ask(list, iterator(chunk_size=100)) == [f"t{n:03}" for n in range(250)]


@needs("select_for_update")
async def test_select_for_update_inside_a_transaction(ask, ada):
    async with ask.atomic():
        locked = await ask(Author.objects.select_for_update().get, pk=ada.pk)
    assert locked == ada


async def test_raw_maps_columns_to_fields(ask, authors):
    raw = Author.objects.raw("SELECT * FROM shop_author WHERE age = %s ORDER BY name", [36])
    assert [author.name for author in await ask(list, raw)] == ["Ada", "Dora"]


# --- bad input -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "blamed"),
    [("nmae", "nmae"), ("name__like", "like"), ("books__titel", "titel"), ("age__up__y", "up")],
)
def test_an_unknown_name_is_refused_where_it_stands(database, name, blamed):
    with pytest.raises(FieldError, match=blamed):
        Author.objects.filter(**{name: "x"})


@pytest.mark.parametrize("call", ["only", "defer", "order_by", "values", "values_list"])
def test_unknown_fields_name_the_known_ones(database, call):
    with pytest.raises((FieldError, FieldDoesNotExist), match="email"):
        list(getattr(Author.objects, call)("emial"))


def test_a_value_of_the_wrong_kind_is_refused_when_the_filter_is_built(database):
    with pytest.raises((ValueError, TypeError), match="age"):
        Author.objects.filter(age="many")


async def test_a_plan_is_explained(ask):
    assert "shop" in await ask(Book.objects.filter(pages=1).explain)


@pytest.mark.parametrize(
    "options", [{"format": "wrong"}, {"format": "text) --"}, {"nonsense": True}]
)
async def test_an_unknown_way_to_explain_is_refused(ask, options):
    with pytest.raises(QueryValueError):
        await ask(Book.objects.all().explain, **options)


@needs("distinct_on")
async def test_a_plan_in_a_format_and_with_options(ask):
    plan = await ask(Book.objects.filter(pages=1).explain, format="json", costs=False)
    assert json.loads(plan)[0]["Plan"]["Node Type"]


async def test_a_named_row_can_be_pickled(ask, database):
    await ask(Author.objects.create, name="Ada", age=36)
    row = await ask(Author.objects.values_list("name", "age", named=True).get)
    again = pickle.loads(pickle.dumps(row))
    assert again == row
    assert (again.name, again.age) == ("Ada", 36)


@pytest.mark.parametrize("size", [0, -1])
async def test_chunks_have_at_least_one_row(ask, size):
    with pytest.raises(ValueError, match="strictly positive"):
        if ask.face == "sync":
            await ask.in_thread(Author.objects.iterator, size)
        else:
            async for _ in Author.objects.aiterator(size):
                pass


async def test_a_dictionary_is_no_condition(ask):
    with pytest.raises(FieldError, match="Cannot parse keyword query as dict"):
        Author.objects.filter({"name": "x"})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, r"annotate\(name=RawSQL.* filter\(RawSQL.* FilteredRelation.* order_by\(RawSQL"),
        ({"select": {"a": "1"}}, r"use annotate\(name=RawSQL\(sql, params\)\) for select$"),
        ({"where": ["1 = 1"], "params": [1]}, r"use filter\(RawSQL\("),
    ],
)
def test_extra_points_to_its_replacement(options, text):
    with pytest.raises(NotSupportedError, match=text):
        Author.objects.extra(**options)
