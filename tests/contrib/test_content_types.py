"""Content types: found by model, by key and by name, made and remembered."""

from __future__ import annotations

import inspect

import pytest

from aorm.contrib.contenttypes.models import ContentType, ContentTypeManager
from contrib.models import Animal, Plant, Tree, Weed

pytestmark = pytest.mark.usefixtures("tables")

TWINS = ["get_for_model", "get_for_models", "get_for_id", "get_by_natural_key"]


@pytest.mark.parametrize("name", TWINS)
def test_a_method_and_its_twin_take_the_same_parameters(name):
    pair = vars(ContentTypeManager)[name], vars(ContentTypeManager)[f"a{name}"]
    first, second = (list(inspect.signature(each).parameters.values()) for each in pair)
    assert [(p.name, p.kind, p.default) for p in first] == [
        (p.name, p.kind, p.default) for p in second
    ]


async def test_it_is_made_when_it_is_first_asked_for(ask):
    found = await ask(ContentType.objects.get_for_model, Animal)
    assert (found.app_label, found.model) == ("contrib", "animal")
    assert await ask(ContentType.objects.count) == 1


async def test_it_is_asked_for_once(ask):
    found = await ask(ContentType.objects.get_for_model, Animal)
    with ask.queries() as queries:
        assert await ask(ContentType.objects.get_for_model, Animal(name="Lion")) is found
        assert await ask(ContentType.objects.get_for_id, found.pk) is found
        assert await ask(ContentType.objects.get_by_natural_key, "contrib", "animal") is found
    assert not list(queries)


async def test_clearing_the_cache_forgets(ask):
    await ask(ContentType.objects.get_for_model, Animal)
    ContentType.objects.clear_cache()
    with ask.queries() as queries:
        await ask(ContentType.objects.get_for_model, Animal)
    assert len(queries) == 1


async def test_many_are_found_by_one_query(ask):
    await ask(ContentType.objects.get_for_models, Animal, Plant)
    ContentType.objects.clear_cache()
    with ask.queries() as queries:
        found = await ask(ContentType.objects.get_for_models, Animal, Plant, Weed)
    assert len(queries) == 1
    assert {model: each.model for model, each in found.items()} == {
        Animal: "animal",
        Plant: "plant",
        Weed: "plant",
    }


async def test_a_proxy_has_its_own_where_that_is_asked_for(ask):
    own = await ask(ContentType.objects.get_for_model, Weed, for_concrete_model=False)
    assert own.model_class() is Weed
    assert (await ask(ContentType.objects.get_for_model, Weed)).model_class() is Plant
    assert (await ask(ContentType.objects.get_for_model, Tree)).model_class() is Tree


async def test_an_unknown_key_is_refused(ask):
    with pytest.raises(ContentType.DoesNotExist):
        await ask(ContentType.objects.get_for_id, 77)


async def test_an_object_of_the_type_is_found(ask):
    lion = await ask(Animal.objects.create, name="Lion")
    found = await ask(ContentType.objects.get_for_model, Animal)
    assert await ask(found.get_object_for_this_type, name="Lion") == lion
    assert await ask(list, found.get_all_objects_for_this_type(name="Bear")) == []


def test_a_model_that_is_gone_has_no_class():
    gone = ContentType(app_label="contrib", model="dodo")
    assert gone.model_class() is None
    assert str(gone) == "contrib | dodo"
    with pytest.raises(LookupError, match=r"'contrib\.dodo' has no model"):
        gone.get_object_for_this_type(pk=1)


def test_a_model_is_named_with_its_application():
    assert str(ContentType(app_label="contrib", model="animal")) == "Contrib | animal"


class Undone(Exception):
    """Rolls a block back."""


async def undone(ask, *calls):
    """Calls in a block that is rolled back."""
    with pytest.raises(Undone):
        async with ask.atomic():
            for call, *arguments in calls:
                await ask(call, *arguments)
            raise Undone


@pytest.fixture
def forgotten(tables):
    ContentType.objects.all().delete()
    ContentType.objects.clear_cache()


@pytest.mark.usefixtures("forgotten")
async def test_what_a_rollback_undid_is_made_again(ask):
    lion = await ask(Animal.objects.create, name="Lion")
    await undone(ask, (ContentType.objects.get_for_model, Animal))
    await undone(ask, (ContentType.objects.get_for_models, Animal, Plant))
    assert await ask(ContentType.objects.count) == 0
    label = await ask(lion.labels.create, text="big")
    assert await ask(list, lion.labels.all()) == [label]


@pytest.mark.usefixtures("forgotten")
async def test_what_a_savepoint_undid_is_made_again_in_the_same_transaction(ask):
    lion = await ask(Animal.objects.create, name="Lion")
    async with ask.atomic():
        await undone(ask, (ContentType.objects.get_for_model, Animal))
        label = await ask(lion.labels.create, text="big")
        assert await ask(list, lion.labels.all()) == [label]
    assert await ask(list, lion.labels.all()) == [label]


@pytest.mark.usefixtures("forgotten")
async def test_what_a_transaction_made_is_known_to_it_and_to_all_after_the_commit(ask):
    async with ask.atomic():
        made = await ask(ContentType.objects.get_for_model, Animal)
        with ask.queries() as queries:
            assert await ask(ContentType.objects.get_for_model, Animal) is made
            assert await ask(ContentType.objects.get_for_id, made.pk) is made
        assert not queries
        assert not ContentType.objects._shared()
    assert await ask(ContentType.objects.get_for_model, Animal) == made
    with ask.queries() as queries:
        await ask(ContentType.objects.get_for_id, made.pk)
    assert not queries
