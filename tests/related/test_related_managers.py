"""Changing what is related, on both faces."""

from __future__ import annotations

import pytest
from shop.models import ALL, Author, Book, Shop, Stock, Tag

import aorm
from aorm.models import Prefetch, signals
from related.models import Item, Member, Owner


@pytest.fixture
def ada(database) -> Author:
    return Author.objects.create(name="Ada")


@pytest.fixture
def notes(ada) -> Book:
    return Book.objects.create(title="Notes", author=ada)


@pytest.fixture
def tags(database) -> list[Tag]:
    return [Tag.objects.create(name=name) for name in ("a", "b", "c")]


@pytest.fixture
def owner(tables) -> Owner:
    return Owner.objects.create(name="one")


# --- objects that point here -------------------------------------------------------------


async def test_children_know_their_parent_without_a_query(ask, ada, notes):
    (book,) = await ask(list, ada.books.all())
    assert book.author is ada


async def test_add_points_objects_here(ask, owner):
    items = [await ask(Item.objects.create, name=name) for name in "ab"]
    with ask.queries() as queries:
        await ask(owner.nulled.add, *items)
    assert len(queries) == 1
    assert await ask(owner.nulled.count) == 2
    assert items[0].set_null is owner


async def test_add_refuses_what_is_unsaved_or_of_another_model(ask, owner):
    with pytest.raises(ValueError, match="Use bulk=False or save the object first"):
        await ask(owner.nulled.add, Item())
    with pytest.raises(TypeError, match="'Item' instance expected, got"):
        await ask(owner.nulled.add, owner)


async def test_add_without_bulk_saves(ask, owner):
    item = Item(name="new")
    await ask(owner.nulled.add, item, bulk=False)
    assert item.pk is not None
    assert await ask(list, owner.nulled.all()) == [item]


@pytest.mark.parametrize("bulk", [True, False])
async def test_remove_and_clear_let_go(ask, owner, bulk):
    one, two = [await ask(Item.objects.create, name=n, set_null=owner) for n in "ab"]
    await ask(owner.nulled.remove, one, bulk=bulk)
    assert await ask(list, owner.nulled.all()) == [two]
    await ask(owner.nulled.clear, bulk=bulk)
    assert not await ask(owner.nulled.exists)


async def test_remove_of_a_stranger_is_refused(ask, owner):
    stranger = await ask(Item.objects.create, name="stranger")
    with pytest.raises(Owner.DoesNotExist, match="is not related to"):
        await ask(owner.nulled.remove, stranger)


@pytest.mark.parametrize("clear", [True, False])
async def test_set_keeps_exactly_these(ask, owner, clear):
    one, two, three = [await ask(Item.objects.create, name=n) for n in "abc"]
    await ask(owner.nulled.set, [one, two])
    await ask(owner.nulled.set, [two, three], clear=clear)
    assert set(await ask(list, owner.nulled.all())) == {two, three}


def test_what_cannot_be_null_cannot_be_let_go():
    manager = Owner(pk=1).members
    assert not hasattr(manager, "remove")
    assert not hasattr(manager, "clear")


async def test_create_and_its_like_point_here(ask, ada):
    book = await ask(ada.books.create, title="Notes")
    assert book.author is ada
    assert await ask(ada.books.get_or_create, title="Notes") == (book, False)
    other, created = await ask(ada.books.update_or_create, title="Other", defaults={"pages": 7})
    assert (other.author_id, other.pages, created) == (ada.pk, 7, True)
    same, created = await ask(ada.books.update_or_create, title="Other", defaults={"pages": 8})
    assert (same, same.pages, created) == (other, 8, False)


def test_an_unsaved_object_has_no_related_ones(database):
    with pytest.raises(ValueError, match="needs to have a primary key value before"):
        Author(name="new").books.all()
    with pytest.raises(ValueError, match='needs to have a value for field "id" before'):
        Book(title="new").tags.all()


async def test_another_manager_of_the_related_model_can_be_asked(ask, ada):
    await ask(ada.books.create, title="There", available=True)
    await ask(ada.books.create, title="Gone", available=False)
    (book,) = await ask(list, ada.books(manager="on_sale").all())
    assert book.title == "There"


# --- many to many ----------------------------------------------------------------------------


async def test_add_ignores_what_is_there(ask, notes, tags):
    await ask(notes.tags.add, tags[0], tags[1])
    with ask.queries() as queries:
        await ask(notes.tags.add, tags[1], tags[2].pk)
    assert sum("INSERT" in query.sql for query in queries) == 1
    assert await ask(list, notes.tags.all()) == tags


async def test_add_refuses_other_models_and_objects_without_a_key(ask, notes, ada):
    with pytest.raises(TypeError, match="'Tag' instance expected, got"):
        await ask(notes.tags.add, ada)
    with pytest.raises(ValueError, match='is on database "default", value is on database "None"'):
        await ask(notes.tags.add, Tag(name="new"))


async def test_the_other_side_sees_and_changes_the_same(ask, notes, tags):
    await ask(tags[0].books.add, notes)
    assert await ask(list, notes.tags.all()) == [tags[0]]
    await ask(tags[0].books.remove, notes)
    assert not await ask(notes.tags.exists)


async def test_set_changes_no_more_than_it_must(ask, notes, tags):
    await ask(notes.tags.set, tags[:2])
    with ask.queries() as queries:
        await ask(notes.tags.set, tags[:2])
    assert not any("DELETE" in q.sql or "INSERT" in q.sql for q in queries)
    await ask(notes.tags.set, [tags[1].pk, tags[2]])
    assert await ask(list, notes.tags.all()) == tags[1:]
    await ask(notes.tags.set, tags[:1], clear=True)
    assert await ask(list, notes.tags.all()) == tags[:1]


async def test_create_and_its_like_relate(ask, notes):
    tag = await ask(notes.tags.create, name="new")
    assert await ask(notes.tags.get_or_create, name="new") == (tag, False)
    other, created = await ask(notes.tags.get_or_create, name="other")
    assert created
    assert set(await ask(list, notes.tags.all())) == {tag, other}


async def test_through_defaults_fill_the_row_between(ask, notes):
    shop = await ask(Shop.objects.create, name="Corner")
    await ask(shop.books.add, notes, through_defaults={"copies": lambda: 3})
    assert (await ask(Stock.objects.get)).copies == 3
    await ask(shop.books.add, notes, through_defaults={"copies": 9})
    assert (await ask(Stock.objects.get)).copies == 3


async def test_one_way_relations_of_a_model_with_itself(ask, owner):
    one, two = [await ask(Member.objects.create, name=n, owner=owner) for n in "ab"]
    await ask(one.follows.add, two)
    assert await ask(list, one.follows.all()) == [two]
    assert await ask(list, two.followers.all()) == [one]
    assert await ask(list, two.follows.all()) == []


async def test_symmetrical_relations_are_removed_both_ways(ask, ada):
    brian = await ask(Author.objects.create, name="Brian")
    await ask(ada.friends.add, brian)
    await ask(brian.friends.remove, ada)
    assert await ask(list, ada.friends.all()) == []


async def test_counting_needs_only_the_table_between(ask, notes, tags):
    await ask(notes.tags.add, *tags)
    with ask.queries() as queries:
        assert await ask(notes.tags.count) == 3
        assert await ask(notes.tags.exists)
    assert not any("JOIN" in query.sql for query in queries)


async def test_filters_on_a_manager_mean_the_same_row_between(ask, notes, tags, ada):
    await ask(notes.tags.add, tags[0])
    other = await ask(Book.objects.create, title="Other", author=ada)
    await ask(other.tags.add, tags[0])
    assert not await ask(notes.tags.filter(books__title="Other").exists)


# --- prefetched -----------------------------------------------------------------------------------


async def test_a_change_drops_what_was_prefetched(ask, notes, tags):
    await ask(notes.tags.add, tags[0])
    book = await ask(Book.objects.prefetch_related("tags").get, pk=notes.pk)
    with ask.queries() as queries:
        assert list(book.tags.all()) == [tags[0]]
    assert len(queries) == 0
    await ask(book.tags.add, tags[1])
    assert await ask(list, book.tags.all()) == tags[:2]


async def test_prefetched_objects_are_filtered_by_the_given_queryset(ask, ada, notes):
    lookup = Prefetch("books", Book.objects.filter(title="none"))
    author = await ask(Author.objects.prefetch_related(lookup).get, pk=ada.pk)
    assert list(author.books.all()) == []
    assert await ask(list, author.books.filter(pages=0)) == []
    assert await ask(list, ada.books.filter(pages=0)) == [notes]


# --- m2m_changed ---------------------------------------------------------------------


@pytest.fixture(params=["plain receiver", "async receiver"])
def changes(request):
    seen = []

    def plain(action, instance, reverse, model, pk_set, **kwargs):
        seen.append((action, instance, reverse, model, pk_set))

    async def awaited(**kwargs):
        kwargs.pop("sender")
        plain(**kwargs)

    receiver = plain if request.param == "plain receiver" else awaited
    signals.m2m_changed.connect(receiver, sender=Book.tags.through)
    yield seen
    signals.m2m_changed.disconnect(receiver, sender=Book.tags.through)


async def test_each_change_is_announced_before_and_after(ask, notes, tags, changes):
    one, two = tags[0].pk, tags[1].pk
    await ask(notes.tags.add, *tags[:2])
    await ask(notes.tags.remove, tags[0])
    await ask(tags[0].books.add, notes)
    await ask(notes.tags.clear)
    assert changes == [
        ("pre_add", notes, False, Tag, {one, two}),
        ("post_add", notes, False, Tag, {one, two}),
        ("pre_remove", notes, False, Tag, {one}),
        ("post_remove", notes, False, Tag, {one}),
        ("pre_add", tags[0], True, Book, {notes.pk}),
        ("post_add", tags[0], True, Book, {notes.pk}),
        ("pre_clear", notes, False, Tag, None),
        ("post_clear", notes, False, Tag, None),
    ]


async def test_an_error_in_a_receiver_undoes_the_change(ask, notes, tags):
    def refuse(action, **kwargs):
        if action == "post_add":
            raise RuntimeError("no")

    signals.m2m_changed.connect(refuse, sender=Book.tags.through)
    try:
        with pytest.raises(RuntimeError, match="no"):
            await ask(notes.tags.add, *tags)
    finally:
        signals.m2m_changed.disconnect(refuse, sender=Book.tags.through)
    assert not await ask(notes.tags.exists)


async def test_counting_looks_at_the_objects_where_no_foreign_keys_are_watched(
    ask, database, notes, tags, monkeypatch
):
    await ask(notes.tags.add, *tags)
    monkeypatch.setattr(database.features, "supports_foreign_keys", False)
    for question, answer in ((notes.tags.count, 3), (notes.tags.exists, True)):
        with ask.queries() as queries:
            assert await ask(question) == answer
        assert "JOIN" in queries[0].sql


async def test_counting_misses_what_a_dangling_row_points_to(tmp_path):
    path = tmp_path / "unwatched.db"
    aorm.configure(f"sqlite:///{path}", foreign_keys=False)
    await aorm.acreate_tables(*ALL)
    book = await Book.objects.acreate(author_id=1)
    await Book.tags.through.objects.acreate(book=book, tag_id=9)
    assert await book.tags.acount() == 0
    assert not await book.tags.aexists()
