"""Many-to-many relations through a child table, and what changes of relations leave alone."""

from __future__ import annotations

from typing import Any

import pytest
from shop.models import Author, Book, Tag

from related.models import Athlete, Match, Member, Owner, Player

pytestmark = pytest.mark.usefixtures("tables")


async def test_both_ways_through_a_child_table(ask: Any) -> None:
    ada, bob = await ask(Athlete.objects.bulk_create, [Athlete(name="Ada"), Athlete(name="Bob")])
    match, other = await ask(Match.objects.create), await ask(Match.objects.create)
    await ask(Player.objects.create, match=match, athlete=ada)
    assert await ask(list, match.players.all()) == [ada]
    assert await ask(list, ada.matches.all()) == [match]
    assert await ask(list, bob.matches.all()) == []
    assert await ask(Match.objects.filter(players__name="Ada").get) == match
    assert await ask(Match.objects.exclude(players=ada).get) == other
    (found,) = await ask(list, Athlete.objects.filter(name="Ada").prefetch_related("matches"))
    assert await ask(list, found.matches.all()) == [match]


async def test_what_is_no_list_of_objects_leaves_a_relation_and_a_transaction_alone(
    ask: Any,
) -> None:
    author = await ask(Author.objects.create, name="Ada")
    book = await ask(Book.objects.create, title="t", author=author)
    tag = await ask(Tag.objects.create, name="t")
    owner = await ask(Owner.objects.create)
    member = await ask(Member.objects.create, name="m", owner=owner)
    async with ask.atomic():
        await ask(book.tags.set, [tag])
        for related in (book.tags, owner.members):
            with pytest.raises(TypeError, match="'int' object is not iterable"):
                await ask(related.set, 7)
        assert await ask(list, book.tags.all()) == [tag]
    assert await ask(list, owner.members.all()) == [member]


async def test_a_copy_without_a_deferred_column_cannot_be_inserted(ask: Any) -> None:
    await ask(Author.objects.create, name="Ada", age=3)
    author = await ask(Author.objects.defer("age").get)
    author.pk, author._state.adding = None, True
    for options in ({}, {"force_insert": True}):
        with pytest.raises(AttributeError, match="deferred field 'age' from an unsaved model"):
            await ask(author.save, **options)
