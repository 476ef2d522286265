"""Deleting: what goes along, what stands in the way, in how many statements."""

from __future__ import annotations

import pytest
from shop.models import Author, Book

from aorm.errors import ProtectedError, RestrictedError
from aorm.models import signals
from related.models import (
    Branch,
    Carried,
    Default,
    Egg,
    Hen,
    Item,
    Leaf,
    Member,
    Owner,
    OwnerProxy,
    Part,
    Plain,
    Root,
)


@pytest.fixture
def owner(tables) -> Owner:
    return Owner.objects.create(name="one")


# --- one object ---------------------------------------------------------------------------


async def test_a_plain_object_takes_one_statement(ask, tables):
    plain = await ask(Plain.objects.create)
    with ask.queries() as queries:
        assert await ask(plain.delete) == (1, {"related.Plain": 1})
    assert [query.sql.split()[0] for query in queries] == ["DELETE"]
    assert plain.pk is None
    assert not await ask(Plain.objects.exists)


async def test_an_object_without_a_key_cannot_be_deleted(ask, tables):
    with pytest.raises(ValueError, match="can't be deleted because its id attribute is set to"):
        await ask(Plain().delete)


async def test_a_queryset_of_plain_objects_takes_one_statement(ask, tables):
    for name in "ab":
        await ask(Plain.objects.create, name=name)
    with ask.queries() as queries:
        assert await ask(Plain.objects.filter(name="a").delete) == (1, {"related.Plain": 1})
    assert [query.sql.split()[0] for query in queries] == ["DELETE"]
    assert await ask(Plain.objects.filter(name="none").delete) == (0, {})


# --- rules ----------------------------------------------------------------------------------


async def test_cascade_goes_down_all_levels(ask, owner):
    item = await ask(Item.objects.create, cascade=owner)
    for _ in range(3):
        await ask(Part.objects.create, item=item)
    assert await ask(owner.delete) == (
        5,
        {"related.Part": 3, "related.Item": 1, "related.Owner": 1},
    )
    assert not await ask(Part.objects.exists)


async def test_set_null_default_and_set_keep_the_object(ask, owner):
    item = await ask(Item.objects.create, set_null=owner, set_default=owner, set_to=owner)
    assert await ask(owner.delete) == (1, {"related.Owner": 1})
    await ask(item.refresh_from_db)
    assert (item.set_null_id, item.set_default_id) == (None, None)
    assert (await ask(Owner.objects.get, pk=item.set_to_id)).name == "fallback"


async def test_protect_refuses_and_names_what_protects(ask, owner):
    item = await ask(Item.objects.create, protect=owner)
    with pytest.raises(ProtectedError) as caught:
        await ask(owner.delete)
    assert caught.value.args[0] == (
        "Cannot delete some instances of model 'Owner' because they are referenced through "
        "protected foreign keys: 'Item.protect'."
    )
    assert caught.value.protected_objects == {item}
    assert await ask(Owner.objects.exists)


async def test_restrict_refuses_unless_the_object_goes_anyway(ask, owner):
    item = await ask(Item.objects.create, restrict=owner)
    with pytest.raises(RestrictedError) as caught:
        await ask(owner.delete)
    assert caught.value.restricted_objects == {item}
    assert "'Item.restrict'" in caught.value.args[0]
    item.cascade = owner
    await ask(item.save)
    assert (await ask(owner.delete))[0] == 2


async def test_the_database_carries_out_its_own_rules(ask, owner):
    await ask(Carried.objects.create, owner=owner)
    assert await ask(owner.delete) == (1, {"related.Owner": 1})
    assert not await ask(Carried.objects.exists)


async def test_rows_between_go_with_either_end(ask, owner):
    one, two = [await ask(Member.objects.create, name=n, owner=owner) for n in "ab"]
    await ask(one.follows.add, two)
    assert await ask(two.delete) == (
        2,
        {"related.Member_follows": 1, "related.Member": 1},
    )


async def test_cycles_are_deleted(ask, tables):
    hen = await ask(Hen.objects.create)
    egg = await ask(Egg.objects.create, hen=hen)
    hen.egg = egg
    await ask(hen.save)
    assert await ask(hen.delete) == (2, {"related.Egg": 1, "related.Hen": 1})


# --- parents ------------------------------------------------------------------------------------


async def test_a_child_goes_with_its_parent_both_ways(ask, tables):
    child = await ask(Default.objects.create, name="child")
    assert await ask(child.delete) == (2, {"related.Default": 1, "related.Owner": 1})
    child = await ask(Default.objects.create, name="child")
    parent = await ask(Owner.objects.get, pk=child.pk)
    assert await ask(parent.delete) == (2, {"related.Default": 1, "related.Owner": 1})


async def test_parents_can_be_kept(ask, tables):
    child = await ask(Default.objects.create, name="child")
    await ask(Item.objects.create, cascade=await ask(Owner.objects.get, pk=child.pk))
    assert await ask(child.delete, keep_parents=True) == (1, {"related.Default": 1})
    assert await ask(Owner.objects.count) == 1
    assert await ask(Item.objects.count) == 1


async def test_deleting_a_proxy_cascades_as_its_model_does(ask, owner):
    await ask(Item.objects.create, cascade=owner)
    proxy = await ask(OwnerProxy.objects.get)
    assert await ask(proxy.delete) == (2, {"related.Item": 1, "related.OwnerProxy": 1})


# --- many -----------------------------------------------------------------------------------------


async def test_two_levels_of_many_take_four_statements(ask, tables):
    root = await ask(Root.objects.create)
    branches = await ask(Branch.objects.bulk_create, [Branch(root=root) for _ in range(50)])
    await ask(Leaf.objects.bulk_create, [Leaf(branch=each) for each in branches for _ in "ab"])
    async with ask.atomic():
        with ask.queries() as queries:
            assert (await ask(root.delete))[0] == 151
    words = [query.sql.split()[0] for query in queries]
    assert words == ["SELECT", "DELETE", "DELETE", "DELETE"]
    assert not await ask(Leaf.objects.exists)


async def test_a_failure_leaves_everything(ask, owner):
    await ask(Item.objects.create, cascade=owner)

    def refuse(**kwargs):
        raise RuntimeError("no")

    signals.post_delete.connect(refuse, sender=Owner)
    try:
        with pytest.raises(RuntimeError, match="no"):
            await ask(owner.delete)
    finally:
        signals.post_delete.disconnect(refuse, sender=Owner)
    assert await ask(Item.objects.count) == 1
    assert await ask(Owner.objects.count) == 1


# --- signals --------------------------------------------------------------------------------------


async def test_receivers_see_each_object_before_and_after(ask, owner):
    seen = []

    def before(sender, instance, using, origin, **kwargs):
        seen.append(("pre", sender.__name__, instance.pk is not None, using))

    async def after(sender, instance, using, origin, **kwargs):
        seen.append(("post", sender.__name__, origin is owner, using))

    await ask(Member.objects.create, name="m", owner=owner)
    signals.pre_delete.connect(before)
    signals.post_delete.connect(after)
    try:
        await ask(owner.delete)
    finally:
        signals.pre_delete.disconnect(before)
        signals.post_delete.disconnect(after)
    assert seen == [
        ("pre", "Member", True, "default"),
        ("pre", "Owner", True, "default"),
        ("post", "Member", True, "default"),
        ("post", "Owner", True, "default"),
    ]
    assert owner.pk is None


async def test_a_new_receiver_is_noticed(ask, tables):
    seen = []

    def note(instance, **kwargs):
        seen.append(instance.name)

    await ask((await ask(Plain.objects.create, name="quiet")).delete)
    signals.pre_delete.connect(note, sender=Plain)
    try:
        await ask((await ask(Plain.objects.create, name="loud")).delete)
        await ask(Plain.objects.create, name="also")
        await ask(Plain.objects.all().delete)
    finally:
        signals.pre_delete.disconnect(note, sender=Plain)
    assert seen == ["loud", "also"]


async def test_what_stands_in_the_way_is_loaded_whole(ask, database):
    author = await ask(Author.objects.create, name="Ada")
    await ask(Book.objects.create, title="Notes", author=author, editor=author)
    with pytest.raises(ProtectedError) as caught:
        await ask(author.delete)
    assert "<Book: Notes>" in str(caught.value)  # asks for nothing more, here on the event loop
    (book,) = caught.value.protected_objects
    assert book.get_deferred_fields() == set()
