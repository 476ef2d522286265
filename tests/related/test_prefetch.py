"""Prefetching: how many queries, what is shared out, what is refused."""

from __future__ import annotations

import pickle

import pytest
from shop.models import Author, Book, Cover, Tag

from aorm.models import Prefetch
from related.models import Holding, Item, Listening, Owner


@pytest.fixture
def library(database) -> None:
    ada = Author.objects.create(name="Ada")
    brian = Author.objects.create(name="Brian", mentor=ada)
    Author.objects.create(name="Chen", mentor=ada)
    first, second = Tag.objects.create(name="first"), Tag.objects.create(name="second")
    for author, title, tags in (
        (ada, "Notes", [first, second]),
        (ada, "Letters", [second]),
        (brian, "Poems", []),
    ):
        book = Book.objects.create(title=title, author=author)
        book.tags.set(tags)
    Cover.objects.create(book=Book.objects.get(title="Notes"), artist="Ben")


async def loaded(ask, queryset):
    """The objects, and how many queries that took."""
    with ask.queries() as queries:
        found = await ask(list, queryset)
    return found, len(queries)


async def test_many_objects_of_each_take_one_query(ask, library):
    authors, count = await loaded(ask, Author.objects.prefetch_related("books"))
    assert count == 2
    with ask.queries() as queries:
        assert {a.name: {b.title for b in a.books.all()} for a in authors} == {
            "Ada": {"Notes", "Letters"},
            "Brian": {"Poems"},
            "Chen": set(),
        }
        assert all(book.author is author for author in authors for book in author.books.all())
    assert len(queries) == 0


async def test_many_to_many_is_shared_out_both_ways(ask, library):
    books, count = await loaded(ask, Book.objects.prefetch_related("tags").order_by("pk"))
    assert count == 2
    assert [[t.name for t in b.tags.all()] for b in books] == [["first", "second"], ["second"], []]
    tags, count = await loaded(ask, Tag.objects.prefetch_related("books"))
    assert count == 2
    assert [len(tag.books.all()) for tag in tags] == [1, 2]


async def test_one_object_of_each_is_kept(ask, library):
    books, count = await loaded(
        ask, Book.objects.prefetch_related("author", "editor", "cover").order_by("pk")
    )
    assert count == 3  # nobody has an editor, so nobody is asked for
    with ask.queries() as queries:
        assert [book.author.name for book in books] == ["Ada", "Ada", "Brian"]
        assert {book.editor for book in books} == {None}
        assert books[0].cover.artist == "Ben"
        assert books[0].cover.book is books[0]
        assert not hasattr(books[1], "cover")
    assert len(queries) == 0
    assert books[0].author is books[1].author


async def test_paths_go_on_from_what_was_found(ask, library):
    authors, count = await loaded(
        ask, Author.objects.prefetch_related("books__tags", "books__cover", "mentor__books")
    )
    assert count == 6
    with ask.queries() as queries:
        ada, brian, _ = authors
        assert {t.name for b in ada.books.all() for t in b.tags.all()} == {"first", "second"}
        assert brian.mentor is not None
        assert len(brian.mentor.books.all()) == 2
    assert len(queries) == 0


async def test_a_queryset_of_its_own_orders_narrows_and_brings_more(ask, library):
    books = Book.objects.filter(author__name="Ada").order_by("title").prefetch_related("tags")
    authors, count = await loaded(
        ask, Author.objects.prefetch_related(Prefetch("books", books, to_attr="found"))
    )
    assert count == 3
    with ask.queries() as queries:
        assert [[b.title for b in a.found] for a in authors] == [["Letters", "Notes"], [], []]
        assert [len(b.tags.all()) for b in authors[0].found] == [1, 2]
    assert len(queries) == 0


async def test_one_relation_may_be_kept_under_several_names(ask, library):
    authors, count = await loaded(
        ask,
        Author.objects.prefetch_related(
            Prefetch("books", Book.objects.filter(title="Notes"), to_attr="notes"),
            Prefetch("books", Book.objects.filter(title="Letters"), to_attr="letters"),
            "notes__tags",
        ),
    )
    assert count == 4
    ada = authors[0]
    assert [b.title for b in [*ada.notes, *ada.letters]] == ["Notes", "Letters"]
    assert len(ada.notes[0].tags.all()) == 2


async def test_a_single_object_may_be_kept_under_another_name(ask, library):
    lookup = Prefetch("author", Author.objects.only("name"), to_attr="writer")
    books, count = await loaded(ask, Book.objects.prefetch_related(lookup).order_by("pk"))
    assert (count, books[0].writer.name) == (2, "Ada")


async def test_what_is_there_is_not_fetched_again(ask, library):
    books, count = await loaded(
        ask, Book.objects.select_related("author").prefetch_related("author__books")
    )
    assert count == 2
    assert all(book in book.author.books.all() for book in books)


async def test_none_forgets_the_lookups(ask, library):
    _, count = await loaded(ask, Author.objects.prefetch_related("books").prefetch_related(None))
    assert count == 1


async def test_no_objects_need_no_query(ask, library):
    _, count = await loaded(ask, Author.objects.filter(name="none").prefetch_related("books"))
    assert count == 1


async def test_iterators_prefetch_in_chunks(ask, library):
    queryset = Author.objects.prefetch_related("books")
    rows = queryset.iterator if ask.face == "sync" else queryset.aiterator
    with ask.queries() as queries:
        found = await ask(list, rows(chunk_size=2))
    assert [len(author.books.all()) for author in found] == [2, 1, 0]
    assert sum('"shop_book"' in query.sql for query in queries) == 2


async def test_unknown_and_useless_lookups_are_refused(ask, library):
    with pytest.raises(AttributeError) as caught:
        await ask(list, Book.objects.prefetch_related("author__nothing"))
    assert str(caught.value) == (
        "Cannot find 'nothing' on Author object, 'author__nothing' is an invalid parameter to "
        "prefetch_related()"
    )
    with pytest.raises(ValueError, match="'title' does not resolve to an item that supports"):
        await ask(list, Book.objects.prefetch_related("title"))


async def test_the_same_lookup_with_another_queryset_is_refused(ask, library):
    lookups = ("books", Prefetch("books", Book.objects.all()))
    with pytest.raises(ValueError, match="'books' lookup was already seen with a different"):
        await ask(list, Author.objects.prefetch_related(*lookups))


async def test_a_result_may_not_hide_a_field(ask, library):
    lookup = Prefetch("books", Book.objects.all(), to_attr="name")
    with pytest.raises(ValueError, match="to_attr=name conflicts with a field on the Author model"):
        await ask(list, Author.objects.prefetch_related(lookup))


def test_only_querysets_of_instances_can_prefetch():
    with pytest.raises(ValueError, match="cannot use raw"):
        Prefetch("books", Book.objects.values("title"))


def test_a_lookup_can_be_compared_and_pickled():
    lookup = Prefetch("books", Book.objects.filter(pages=1), to_attr="short")
    assert lookup == Prefetch("books", to_attr="short")
    assert lookup != Prefetch("books")
    assert pickle.loads(pickle.dumps(lookup)) == lookup


async def test_prefetched_objects_go_along_in_pickles(ask, library):
    authors, _ = await loaded(ask, Author.objects.prefetch_related("books"))
    again = pickle.loads(pickle.dumps(authors))
    with ask.queries() as queries:
        assert [len(author.books.all()) for author in again] == [2, 1, 0]
    assert len(queries) == 0


async def test_several_lookups_of_new_objects_are_all_kept(ask, library):
    lookups = ("books__tags", "students")
    authors, count = await loaded(ask, Author.objects.prefetch_related(*lookups).order_by("pk"))
    assert count == 4
    with ask.queries() as queries:
        assert sorted(len(book.tags.all()) for book in authors[0].books.all()) == [1, 2]
        assert [len(author.books.all()) for author in authors] == [2, 1, 0]
        assert [len(author.students.all()) for author in authors] == [2, 0, 0]
    assert len(queries) == 0


@pytest.fixture
def item(tables) -> Item:
    return Item.objects.create(cascade=Owner.objects.create(name="Ada"))


async def test_what_from_db_has_put_there_is_not_asked_for(ask, item):
    found, count = await loaded(ask, Holding.objects.prefetch_related("cascading"))
    assert count == 1
    assert found[0].cascading.all() == []


async def test_the_setattr_of_a_model_hears_nothing_of_prefetching(ask, item):
    Listening.heard.clear()
    found, count = await loaded(ask, Listening.objects.prefetch_related("cascading"))
    assert count == 2
    assert list(found[0].cascading.all()) == [item]
    assert Listening.heard <= {"id", "name", "_loaded"}
