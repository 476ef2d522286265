"""Generic foreign keys and generic relations, on both faces."""

from __future__ import annotations

import inspect

import pytest

from aorm.contrib.contenttypes.models import ContentType
from aorm.contrib.contenttypes.prefetch import GenericPrefetch
from aorm.errors import FieldError, RelationNotLoaded
from aorm.models import Prefetch, aprefetch_related_objects
from contrib.models import Animal, Dance, Label, Note, Plant, Step, Stone, Tree, Weed

pytestmark = pytest.mark.usefixtures("tables")

RELATED = ["add", "clear", "create", "get_or_create", "remove", "set", "update_or_create"]


@pytest.fixture
def lion(tables) -> Animal:
    return Animal.objects.create(name="Lion")


@pytest.fixture
def rose(tables) -> Plant:
    return Plant.objects.create(name="Rose")


@pytest.fixture
def labels(lion, rose) -> list[Label]:
    """Two of the lion and one of the rose, who may well have the same key."""
    made = [Label.objects.create(text=text, about=lion) for text in ("big", "yellow")]
    return [*made, Label.objects.create(text="red", about=rose)]


def texts(found) -> list[str]:
    return [each.text for each in found]


# --- the foreign key ---------------------------------------------------------------------


async def test_assigning_sets_both_columns(ask, lion):
    label = await ask(Label.objects.create, text="big", about=lion)
    found = await ask(ContentType.objects.get_for_model, Animal)
    assert (label.content_type_id, label.object_id) == (found.pk, lion.pk)
    assert label.about is lion


async def test_an_unknown_content_type_is_found_out_when_the_object_is_saved(lion):
    ContentType.objects.clear_cache()
    label = Label(text="big", about=lion)
    assert label.about is lion
    await label.asave()
    again = await Label.objects.prefetch_related("about").aget()
    assert again.about == lion


async def test_bulk_create_finds_out_content_types(ask, lion, rose):
    ContentType.objects.clear_cache()
    made = [Label(text="big", about=lion), Label(text="red", about=rose)]
    await ask(Label.objects.bulk_create, made)
    found = await ask(list, Label.objects.prefetch_related("about"))
    assert [each.about for each in found] == [lion, rose]


async def test_an_object_that_was_saved_after_its_assignment(ask):
    bear = Animal(name="Bear")
    label = Label(text="brown", about=bear)
    with pytest.raises(ValueError, match="unsaved related object 'about'"):
        await ask(label.save)
    await ask(bear.save)
    label.about = bear
    await ask(label.save)
    assert label.object_id == bear.pk


async def test_touching_what_was_not_loaded_is_refused_on_a_loop(labels):
    label = await Label.objects.aget(text="big")
    with pytest.raises(RelationNotLoaded, match=r'prefetch_related\("about"\)') as caught:
        _ = label.about
    assert "select_related" not in str(caught.value)
    await label.afetch_related("about")
    assert label.about.name == "Lion"


def test_touching_loads_for_all_peers(labels, lion, rose):
    found = list(Label.objects.all())
    assert found[0].about == lion
    held = [each.__dict__["_about_cache"] for each in found]
    assert held == [lion, rose, lion]


async def test_a_changed_column_drops_the_object(ask, labels, rose):
    label = await ask(Label.objects.prefetch_related("about").get, text="big")
    label.content_type = await ask(ContentType.objects.get_for_model, Plant)
    label.object_id = rose.pk
    await ask(label.save)
    assert (await ask(Label.objects.prefetch_related("about").get, text="big")).about == rose
    with pytest.raises(RelationNotLoaded):
        _ = label.about


async def test_none_needs_no_query(ask):
    note = await ask(Note.objects.create, about=None)
    again = await ask(Note.objects.get, pk=note.pk)
    assert again.about is None


async def test_an_object_that_is_gone_is_none(ask):
    stone = await ask(Stone.objects.create)
    await ask(Label.objects.create, text="grey", about=stone)
    await ask(stone.delete)
    (label,) = await ask(list, Label.objects.prefetch_related("about"))
    assert label.about is None


async def test_a_proxy_comes_back_where_that_is_asked_for(ask, rose):
    weed = await ask(Weed.objects.get, pk=rose.pk)
    note = await ask(Note.objects.create, about=weed)
    again = await ask(Note.objects.prefetch_related("about").get, pk=note.pk)
    assert type(again.about) is Weed


async def test_it_cannot_be_filtered_by(ask, lion):
    with pytest.raises(FieldError, match="does not generate an automatic reverse relation"):
        await ask(Label.objects.get, about=lion)


# --- prefetching ---------------------------------------------------------------------------


async def test_prefetching_takes_one_query_for_each_model(ask, labels, lion, rose):
    with ask.queries() as queries:
        found = await ask(list, Label.objects.prefetch_related("about"))
    assert [each.about for each in found] == [lion, rose, lion]
    assert len(queries) == 3


async def test_prefetching_through_both_sides(ask, labels):
    ContentType.objects.clear_cache()
    found = await ask(list, Label.objects.prefetch_related("about__labels"))
    with ask.queries() as queries:
        assert [texts(each.about.labels.all()) for each in found] == [
            ["big", "yellow"],
            ["red"],
            ["big", "yellow"],
        ]
    assert not list(queries)


async def test_prefetching_with_querysets_of_ones_own(ask, labels):
    lookup = GenericPrefetch("about", [Animal.objects.filter(name="Tiger"), Plant.objects.all()])
    found = await ask(list, Label.objects.prefetch_related(lookup))
    assert [each.about and each.about.name for each in found] == [None, "Rose", None]


async def test_two_querysets_for_one_model_are_refused(ask, labels):
    lookup = GenericPrefetch("about", [Animal.objects.all(), Animal.objects.filter(pk=1)])
    with pytest.raises(ValueError, match="Only one queryset is allowed for each content type"):
        await ask(list, Label.objects.prefetch_related(lookup))


async def test_the_related_objects_are_prefetched(ask, labels):
    with ask.queries() as queries:
        (lion,) = await ask(list, Animal.objects.prefetch_related("labels"))
        assert texts(lion.labels.all()) == ["big", "yellow"]
    assert len(queries) == 2


async def test_a_prefetch_into_an_attribute(ask, labels):
    lookup = Prefetch("labels", Label.objects.filter(text="big"), to_attr="found")
    (lion,) = await ask(list, Animal.objects.prefetch_related(lookup))
    assert texts(lion.found) == ["big"]


async def test_objects_at_hand_are_prefetched_for(labels, lion, rose):
    await aprefetch_related_objects(labels, "about__labels")
    assert texts(lion.labels.all()) == ["big", "yellow"]


async def test_the_way_back_is_prefetched(ask, labels, lion):
    found = await ask(list, Label.objects.prefetch_related("animal"))
    assert [list(each.animal.all()) for each in found] == [[lion], [], [lion]]


async def test_a_slice_is_taken_for_each_object(ask, labels, rose):
    await ask(rose.labels.create, text="pink")
    lookup = Prefetch("about__labels", Label.objects.all()[:1], to_attr="first")
    found = await ask(list, Label.objects.prefetch_related(lookup))
    assert {each.about.name: texts(each.about.first) for each in found} == {
        "Lion": ["big"],
        "Rose": ["pink"],
    }


# --- filters -------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
async def test_filters_mind_the_content_type(ask, labels, lion, rose, known):
    if not known:
        ContentType.objects.clear_cache()
    assert await ask(list, Animal.objects.filter(labels__text="red")) == []
    assert await ask(list, Animal.objects.exclude(labels__text="red")) == [lion]
    assert await ask(list, Plant.objects.filter(labels__text="red")) == [rose]
    assert await ask(list, Plant.objects.exclude(labels__text="red")) == []
    assert texts(await ask(list, Label.objects.filter(animal__name="Lion"))) == ["big", "yellow"]


async def test_a_child_has_the_relation_with_its_own_content_type(ask, rose):
    tree = await ask(Tree.objects.create, name="Oak")
    await ask(tree.labels.create, text="old")
    await ask(rose.labels.create, text="old")
    assert await ask(list, Tree.objects.filter(labels__text="old")) == [tree]
    assert await ask(list, Plant.objects.filter(labels__text="old")) == [rose]


async def test_keys_that_are_kept_as_text(ask):
    stones = [await ask(Stone.objects.create) for _ in range(2)]
    note = await ask(stones[0].notes.create)
    assert await ask(list, Stone.objects.filter(notes=note)) == stones[:1]
    assert await ask(list, Stone.objects.exclude(notes=note)) == stones[1:]
    assert await ask(list, Note.objects.filter(stone=stones[0])) == [note]
    (found,) = await ask(list, Note.objects.prefetch_related("about__notes", "stone"))
    assert (found.about, list(found.stone.all())) == (stones[0], [stones[0]])
    assert list(found.about.notes.all()) == [note]


# --- the manager ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", RELATED)
def test_a_method_and_its_twin_are_the_managers_own(lion, name):
    for base in type(lion.labels).__mro__:
        if name in vars(base):
            pair = vars(base)[name], vars(base)[f"a{name}"]
            break
    first, second = (list(inspect.signature(each).parameters) for each in pair)
    assert first == second


@pytest.mark.parametrize("known", [True, False])
async def test_it_gives_what_points_here(ask, labels, lion, known):
    if not known:
        ContentType.objects.clear_cache()
    assert texts(await ask(list, lion.labels.all())) == ["big", "yellow"]
    assert await ask(lion.labels.count) == 2


async def test_an_unsaved_object_has_none(ask):
    assert await ask(list, Animal().labels.all()) == []
    with pytest.raises(ValueError, match="needs to have a primary key value"):
        await ask(Animal().labels.create, text="new")


async def test_what_it_creates_knows_its_object(ask, lion):
    ContentType.objects.clear_cache()
    label = await ask(lion.labels.create, text="big")
    assert label.about is lion
    assert await ask(lion.labels.get_or_create, text="big") == (label, False)
    updated, created = await ask(lion.labels.update_or_create, text="old", defaults={"text": "new"})
    assert (updated.text, created) == ("new", True)


async def test_adding_takes_one_statement(ask, labels, rose):
    with ask.queries() as queries:
        await ask(rose.labels.add, *labels[:2])
    assert len(queries) == 1
    assert texts(await ask(list, rose.labels.all())) == ["big", "red", "yellow"]
    assert labels[0].about is rose


async def test_adding_refuses_what_is_unsaved_or_of_another_model(ask, lion, rose):
    with pytest.raises(ValueError, match="Use bulk=False or save the object first"):
        await ask(lion.labels.add, Label(text="new"))
    with pytest.raises(TypeError, match="'Label' instance expected, got"):
        await ask(lion.labels.add, rose)
    await ask(lion.labels.add, Label(text="new"), bulk=False)
    assert texts(await ask(list, lion.labels.all())) == ["new"]


@pytest.mark.parametrize("bulk", [True, False])
async def test_removing_and_clearing_delete(ask, labels, lion, bulk):
    await ask(lion.labels.remove, labels[0], labels[2], bulk=bulk)
    assert texts(await ask(list, Label.objects.all())) == ["red", "yellow"]
    await ask(lion.labels.clear, bulk=bulk)
    assert texts(await ask(list, Label.objects.all())) == ["red"]


@pytest.mark.parametrize("clear", [True, False])
async def test_setting_keeps_exactly_these(ask, labels, lion, clear):
    await ask(lion.labels.set, [labels[0], labels[2]], bulk=False, clear=clear)
    assert texts(await ask(list, lion.labels.all())) == ["big", "red"]
    assert await ask(Label.objects.count) == 2


async def test_changing_forgets_what_was_prefetched(ask, labels):
    (lion,) = await ask(list, Animal.objects.prefetch_related("labels"))
    await ask(lion.labels.create, text="new")
    assert texts(await ask(list, lion.labels.all())) == ["big", "new", "yellow"]


def test_it_cannot_be_assigned(lion):
    with pytest.raises(TypeError, match=r"Use labels\.set\(\) instead"):
        lion.labels = []


# --- deletion ------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
async def test_what_points_here_is_deleted_along(ask, labels, lion, known):
    if not known:
        ContentType.objects.clear_cache()
    assert await ask(lion.delete) == (3, {"contrib.Label": 2, "contrib.Animal": 1})
    assert texts(await ask(list, Label.objects.all())) == ["red"]


async def test_a_queryset_deletes_along_as_well(ask, labels):
    assert (await ask(Plant.objects.all().delete))[0] == 2
    assert texts(await ask(list, Label.objects.all())) == ["big", "yellow"]


async def test_what_a_generic_foreign_key_orders_is_put_in_order(ask):
    dance, other = await ask(Dance.objects.create), await ask(Dance.objects.create)
    steps = [await ask(dance.steps.create, text=text) for text in "abc"]
    first, second, third = (step.pk for step in steps)
    foreign = await ask(other.steps.create, text="d")
    assert await ask(list, dance.get_step_order()) == [first, second, third]
    await ask(dance.set_step_order, [third, foreign.pk, first, second])
    assert await ask(list, dance.get_step_order()) == [third, first, second]
    assert await ask(list, other.get_step_order()) == [foreign.pk]
    assert (await ask(steps[0].get_next_in_order)).pk == second


async def test_things_are_ordered_below_others_of_their_kind(ask):
    top = await ask(Step.objects.create, text="top")
    below = [(await ask(top.steps.create, text=text)).pk for text in "ab"]
    await ask(top.set_step_order, reversed(below))
    assert await ask(list, top.get_step_order()) == below[::-1]
