"""Following relations, loading them together, and changing what is related."""

from __future__ import annotations

import pytest
from shop.models import Author, Book, Cover, Shop, Stock, Tag

from aorm.errors import ProtectedError, SynchronousOnlyOperation
from aorm.models import Prefetch


@pytest.fixture
def ada(database) -> Author:
    return Author.objects.create(name="Ada")


@pytest.fixture
def notes(ada) -> Book:
    return Book.objects.create(title="Notes", author=ada)


@pytest.fixture
def letters(ada) -> Book:
    return Book.objects.create(title="Letters", author=ada)


# --- loading ---------------------------------------------------------------------------


async def test_select_related_joins(ask, notes):
    with ask.queries() as queries:
        book = await ask(Book.objects.select_related("author", "editor").get, pk=notes.pk)
        assert book.author.name == "Ada"
        assert book.editor is None
    assert len(queries) == 1


async def test_prefetch_related_takes_one_query_a_relation(ask, notes, letters):
    await ask(Author.objects.create, name="Brian")
    with ask.queries() as queries:
        authors = await ask(list, Author.objects.prefetch_related("books__tags"))
        assert {a.name: sorted(b.title for b in a.books.all()) for a in authors} == {
            "Ada": ["Letters", "Notes"],
            "Brian": [],
        }
    assert len(queries) == 3


async def test_a_prefetch_may_narrow_and_name_its_result(ask, notes, letters):
    short = Prefetch("books", Book.objects.filter(title="Notes"), to_attr="short")
    (author,) = await ask(list, Author.objects.prefetch_related(short))
    assert [book.title for book in author.short] == ["Notes"]


def test_a_relation_is_loaded_when_touched(notes):
    book = Book.objects.get(pk=notes.pk)
    assert book.author.name == "Ada"


async def test_touching_an_unloaded_relation_on_a_loop_names_the_ways_out(database, notes):
    book = await Book.objects.aget(pk=notes.pk)
    with pytest.raises(SynchronousOnlyOperation, match="author"):
        _ = book.author


async def test_a_reverse_one_to_one_without_an_object_raises(ask, notes):
    book = await ask(Book.objects.select_related("cover").get, pk=notes.pk)
    with pytest.raises(Cover.DoesNotExist):
        _ = book.cover
    await ask(Cover.objects.create, book=notes, artist="Ben")
    book = await ask(Book.objects.select_related("cover").get, pk=notes.pk)
    assert book.cover.artist == "Ben"


async def test_deferred_fields_are_left_out(ask, ada):
    author = await ask(Author.objects.only("name").get, pk=ada.pk)
    assert author.get_deferred_fields() == {"age", "email", "mentor_id"}
    await ask(author.refresh_from_db, fields=["age"])
    assert author.age is None


# --- changing ----------------------------------------------------------------------------


async def test_a_reverse_manager_creates_and_filters(ask, ada):
    await ask(ada.books.create, title="Notes", pages=66)
    await ask(ada.books.create, title="Letters", pages=400)
    assert await ask(ada.books.filter(pages__gt=100).count) == 1
    assert await ask(ada.books.count) == 2


async def test_many_to_many_add_remove_set_clear(ask, notes):
    one, two, three = [await ask(Tag.objects.create, name=n) for n in ("one", "two", "three")]

    async def names():
        return await ask(list, notes.tags.values_list("name", flat=True))

    await ask(notes.tags.add, one, two)
    await ask(notes.tags.add, two)
    assert await names() == ["one", "two"]
    await ask(notes.tags.remove, one)
    assert await names() == ["two"]
    await ask(notes.tags.set, [one, three])
    assert await names() == ["one", "three"]
    assert [b.title for b in await ask(list, three.books.all())] == ["Notes"]
    await ask(notes.tags.clear)
    assert await names() == []


async def test_a_symmetrical_relation_holds_both_ways(ask, ada):
    brian = await ask(Author.objects.create, name="Brian")
    await ask(ada.friends.add, brian)
    assert await ask(list, brian.friends.all()) == [ada]


async def test_an_explicit_through_model_carries_more(ask, notes):
    shop = await ask(Shop.objects.create, name="Corner")
    await ask(shop.books.add, notes, through_defaults={"copies": 5})
    assert (await ask(Stock.objects.get)).copies == 5
    assert await ask(list, shop.books.all()) == [notes]


# --- deleting ----------------------------------------------------------------------------


async def test_delete_cascades_through_relations(ask, ada, notes):
    tag = await ask(Tag.objects.create, name="maths")
    await ask(notes.tags.add, tag)
    await ask(Cover.objects.create, book=notes, artist="Ben")
    total, kinds = await ask(Author.objects.filter(pk=ada.pk).delete)
    assert kinds == {"shop.Author": 1, "shop.Book": 1, "shop.Cover": 1, "shop.Book_tags": 1}
    assert total == 4
    assert await ask(Tag.objects.count) == 1


async def test_delete_sets_null_where_told(ask, ada):
    student = await ask(Author.objects.create, name="Chen", mentor=ada)
    await ask(ada.delete)
    await ask(student.refresh_from_db)
    assert student.mentor_id is None


async def test_delete_of_a_protected_object_is_refused_and_deletes_nothing(ask, ada):
    editor = await ask(Author.objects.create, name="Ed")
    book = await ask(Book.objects.create, title="Notes", author=ada, editor=editor)
    with pytest.raises(ProtectedError) as caught:
        await ask(editor.delete)
    assert set(caught.value.protected_objects) == {book}
    assert await ask(Author.objects.count) == 2
