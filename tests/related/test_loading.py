"""Relations to one object: loading, keeping, assigning."""

from __future__ import annotations

import pickle
import sys

import pytest
from shop.models import Author, Book, Cover

import aorm
from aorm import models
from aorm.errors import FieldFetchBlocked, RelationNotLoaded
from aorm.models import F
from related.models import Bottle, Label, Sheet, WatchedSheet


@pytest.fixture
def ada(database) -> Author:
    return Author.objects.create(name="Ada")


@pytest.fixture
def brian(database) -> Author:
    return Author.objects.create(name="Brian")


@pytest.fixture
def books(ada, brian) -> list[Book]:
    return [
        Book.objects.create(title="Notes", author=ada),
        Book.objects.create(title="Letters", author=brian),
    ]


@pytest.fixture
def bottle(tables) -> Bottle:
    return Bottle.objects.create(label=Label.objects.create(code="P", text="Port"))


# --- lazy loading ---------------------------------------------------------------------


def test_touching_a_relation_loads_it_for_all_of_the_result(books):
    notes, letters = Book.objects.order_by("pk")
    with aorm.capture_queries() as queries:
        assert (notes.author.name, letters.author.name) == ("Ada", "Brian")
    assert len(queries) == 1


def test_a_column_that_a_kept_object_lacks_is_not_asked_for(bottle):
    found = Bottle.objects.select_related("label").only("label", "label__text").get()
    assert found.label.get_deferred_fields() == {"code"}
    with aorm.capture_queries() as queries:
        assert found.label.text == "Port"
    assert len(queries) == 0
    assert found.label.get_deferred_fields() == {"code"}


def test_another_key_than_the_primary_one_is_followed(bottle):
    other = Label.objects.create(code="S", text="Sherry")
    found = Bottle.objects.select_related("label").get()
    assert found.label.text == "Port"
    found.label_id = "S"
    assert found.label == other


def test_no_object_is_kept_as_well(books):
    notes = Book.objects.select_related("editor").get(pk=books[0].pk)
    with aorm.capture_queries() as queries:
        assert notes.editor is None
    assert len(queries) == 0


def test_a_column_that_was_deleted_is_loaded_and_compared(books, brian):
    notes = Book.objects.select_related("author").get(pk=books[0].pk)
    Book.objects.filter(pk=notes.pk).update(author=brian)
    del notes.author_id
    assert notes.author == brian


def test_fetch_one_loads_for_one_object(books):
    notes, letters = Book.objects.order_by("pk").fetch_mode(models.FETCH_ONE)
    with aorm.capture_queries() as queries:
        assert (notes.author.name, letters.author.name) == ("Ada", "Brian")
    assert len(queries) == 2


def test_raise_refuses_to_load(books):
    notes = Book.objects.fetch_mode(models.FETCH_RAISE).get(pk=books[0].pk)
    with pytest.raises(FieldFetchBlocked, match=r"Fetching of Book.author blocked"):
        _ = notes.author


def test_what_is_found_is_fetched_in_the_same_mode(books):
    notes = Book.objects.fetch_mode(models.FETCH_ONE).get(pk=books[0].pk)
    assert notes.author._state.fetch_mode is models.FETCH_ONE


def test_what_was_loaded_is_kept(books):
    notes = Book.objects.get(pk=books[0].pk)
    author = notes.author
    with aorm.capture_queries() as queries:
        assert notes.author is author
    assert len(queries) == 0


def test_a_changed_column_is_followed(books, brian):
    notes = Book.objects.select_related("author").get(pk=books[0].pk)
    notes.author_id = brian.pk
    assert notes.author == brian
    notes.editor_id = brian.pk
    assert notes.editor == brian
    notes.editor_id = None
    assert notes.editor is None


async def test_on_a_loop_the_error_names_relation_model_and_ways_out(books):
    notes = await Book.objects.aget(pk=books[0].pk)
    with pytest.raises(RelationNotLoaded) as caught:
        _ = notes.author
    for words in (
        "Book.author",
        'select_related("author")',
        'prefetch_related("author")',
        'await book.afetch_related("author")',
        'await models.aprefetch_related_objects(books, "author")',
    ):
        assert words in str(caught.value)


async def test_fetch_related_loads_for_all_of_the_result(ask, books):
    notes, letters = await ask(list, Book.objects.order_by("pk"))
    with ask.queries() as queries:
        await ask(notes.fetch_related, "author")
        assert (notes.author.name, letters.author.name) == ("Ada", "Brian")
    assert len(queries) == 1


async def test_related_objects_of_objects_at_hand_are_loaded_together(database, books):
    found = [book async for book in Book.objects.order_by("pk")]
    with aorm.capture_queries() as queries:
        await models.aprefetch_related_objects(found, "author", "cover")
        assert [book.author.name for book in found] == ["Ada", "Brian"]
    assert len(queries) == 2


# --- nothing there --------------------------------------------------------------------


def test_a_required_relation_that_was_never_set_does_not_exist():
    with pytest.raises(Author.DoesNotExist, match="Book has no author"):
        _ = Book().author
    assert not hasattr(Book(), "author")
    assert Book().editor is None


def test_the_exception_is_the_related_model_s_and_can_be_pickled():
    missing = Book.author.RelatedObjectDoesNotExist
    assert issubclass(missing, Author.DoesNotExist)
    assert issubclass(missing, AttributeError)
    assert type(pickle.loads(pickle.dumps(missing("none")))) is missing


def test_the_other_side_of_one_to_one_may_be_missing(books):
    with pytest.raises(Cover.DoesNotExist, match="Book has no cover"):
        _ = books[0].cover


def test_nothing_is_asked_for_an_object_without_a_key(database):
    with aorm.capture_queries() as queries, pytest.raises(Cover.DoesNotExist):
        _ = Book().cover
    assert len(queries) == 0


# --- assigning ------------------------------------------------------------------------


def test_assigning_sets_the_column(ada, brian):
    book = Book(title="Notes", author=ada)
    assert book.author_id == ada.pk
    book.author = brian
    assert (book.author_id, book.author) == (brian.pk, brian)
    book.editor = brian
    book.editor = None
    assert (book.editor_id, book.editor) == (None, None)


def test_another_model_s_object_is_refused(ada):
    with pytest.raises(ValueError, match=r'"Book.author" must be a "Author" instance'):
        Book().author = Book()
    with pytest.raises(ValueError, match=r'"Book.cover" must be a "Cover" instance'):
        Book().cover = ada


def test_an_object_without_a_key_stays_assigned(database):
    author = Author(name="New")
    book = Book(title="Notes", author=author)
    assert book.author is author
    author.save()
    assert book.author is author
    book.save()
    assert Book.objects.get().author_id == author.pk


def test_both_sides_of_one_to_one_know_each_other(books):
    cover = Cover(artist="Ben", book=books[0])
    assert books[0].cover is cover
    other = Cover(artist="Eva")
    books[1].cover = other
    assert (other.book, other.book_id) == (books[1], books[1].pk)


def test_the_descriptor_is_on_the_class():
    assert Book.author.field is Book._meta.get_field("author")
    assert Author.books.rel is Book._meta.get_field("author").remote_field
    assert Book.tags.through is Book._meta.get_field("tags").remote_field.through


def test_a_manager_of_many_cannot_be_assigned(books):
    with pytest.raises(TypeError, match=r"Use books.set\(\) instead"):
        books[0].author.books = []
    with pytest.raises(TypeError, match=r"Use tags.set\(\) instead"):
        books[0].tags = []


# --- awaitable ways -----------------------------------------------------------------------


async def test_an_awaited_relation_is_loaded_for_all_of_the_result(ask, books):
    notes, letters = await ask(list, Book.objects.order_by("pk"))
    with ask.queries() as queries:
        await ask(notes.fetch_related, "author")
        assert (notes.author.name, letters.author.name) == ("Ada", "Brian")
    assert len(queries) == 1


async def test_an_awaited_relation_under_fetch_one_is_loaded_for_one(books):
    notes, letters = await Book.objects.order_by("pk").fetch_mode(models.FETCH_ONE)
    await notes.afetch_related("author")
    assert notes.author.name == "Ada"
    with pytest.raises(RelationNotLoaded):
        _ = letters.author


async def test_relations_of_objects_at_hand_are_loaded_together(books):
    found = await Book.objects.order_by("pk")
    await models.aprefetch_related_objects(found, "author", "tags")
    assert [each.author.name for each in found] == ["Ada", "Brian"]
    assert [list(each.tags.all()) for each in found] == [[], []]


CELLS = [f"cell_{n:02}" for n in range(34)]


@pytest.fixture
def sheet(tables) -> Sheet:
    return Sheet.objects.create(cell_33=None)


async def test_a_model_of_many_columns_is_loaded_whole(ask, sheet):
    found = await ask(Sheet.objects.get)
    assert [getattr(found, name) for name in CELLS] == [*range(33), None]
    assert found._state.db == "default"
    assert vars(pickle.loads(pickle.dumps(found))).keys() == vars(found).keys()
    found.cell_32 = 5
    await ask(found.save)
    assert await ask(Sheet.objects.filter(cell_32=5).count) == 1


async def test_an_object_of_many_columns_takes_no_more_room_than_their_dictionary(ask, sheet):
    kept = vars(await ask(Sheet.objects.get))
    filled = {}
    for name in kept:
        filled[name] = None
    assert sys.getsizeof(kept) <= sys.getsizeof(filled)


async def test_of_many_columns_some_may_be_left_for_later(ask, sheet):
    found = await ask(
        Sheet.objects.defer("cell_00", "cell_33").annotate(twice=F("cell_02") * 2).get
    )
    assert found.get_deferred_fields() == {"cell_00", "cell_33"}
    assert (found.cell_32, found.twice) == (32, 4)
    await ask(found.refresh_from_db, fields=["cell_33"])
    assert found.get_deferred_fields() == {"cell_00"}


async def test_the_setattr_of_a_model_hears_of_every_column(ask, sheet):
    WatchedSheet.heard.clear()
    await ask(WatchedSheet.objects.get)
    assert set(CELLS) < WatchedSheet.heard
