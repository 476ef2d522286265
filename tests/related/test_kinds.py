"""`Meta.polymorphic_on`: rows of one table come back as the classes that they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import aorm
from aorm import models
from aorm.errors import ImproperlyConfigured
from aorm.models import signals
from related.zoo import ALL, Animal, Cat, Dog, Keeper, Puppy, Toy


@pytest.fixture
def tables(database: Any) -> Iterator[None]:
    aorm.create_tables(*ALL)
    yield
    aorm.drop_tables(*ALL)


@pytest.fixture
def zoo(tables) -> list[Any]:
    keeper = Keeper.objects.create(name="k")
    return [
        model.objects.create(name=model.__name__, keeper=keeper)
        for model in (Animal, Dog, Puppy, Cat)
    ]


def _types(objs: Any) -> list[type]:
    return [type(each) for each in objs]


async def test_a_new_object_has_the_value_of_its_class(ask, zoo):
    assert [each.kind for each in zoo] == ["animal", "dog", "young dog", "cat"]
    assert Puppy().kind == "young dog"
    kinds = await ask(list, Animal.objects.values_list("kind", flat=True))
    assert kinds == ["animal", "dog", "young dog", "cat"]


async def test_rows_come_back_as_what_they_are(ask, zoo):
    found = await ask(list, Animal.objects.all())
    assert _types(found) == [Animal, Dog, Puppy, Cat]
    assert found[1].sound() == found[2].sound() == "woof"
    assert type(await ask(Animal.objects.get, name="Cat")) is Cat


async def test_queries_of_a_class_are_about_its_rows(ask, zoo):
    assert _types(await ask(list, Dog.objects.all())) == [Dog, Puppy]
    assert _types(await ask(list, Dog.objects.filter(name__contains="u"))) == [Puppy]
    assert await ask(Cat.objects.count) == 1
    assert await ask(Cat.objects.filter(name="Dog").exists) is False
    await ask(Dog.objects.update, name="x")
    assert await ask(Animal.objects.filter(name="x").count) == 2
    assert (await ask(Dog.objects.all().delete))[0] == 2
    assert _types(await ask(list, Animal.objects.all())) == [Animal, Cat]


async def test_related_objects_are_what_they_are(ask, zoo):
    for each in zoo:
        await ask(Toy.objects.create, owner=each)
    joined = await ask(list, Toy.objects.select_related("owner").order_by("pk"))
    assert _types(each.owner for each in joined) == [Animal, Dog, Puppy, Cat]
    fetched = await ask(list, Toy.objects.prefetch_related("owner").order_by("pk"))
    assert _types(each.owner for each in fetched) == [Animal, Dog, Puppy, Cat]
    keeper = await ask(Keeper.objects.prefetch_related("animals__toys").get)
    assert _types(keeper.animals.all()) == [Animal, Dog, Puppy, Cat]
    assert [len(each.toys.all()) for each in keeper.animals.all()] == [1, 1, 1, 1]


async def test_the_column_of_kinds_is_never_deferred(ask, zoo):
    assert _types(await ask(list, Animal.objects.only("name"))) == [Animal, Dog, Puppy, Cat]
    assert _types(await ask(list, Animal.objects.defer("kind"))) == [Animal, Dog, Puppy, Cat]


async def test_a_value_that_no_class_has_is_the_class_asked_for(ask, zoo):
    await ask(Animal.objects.filter(name="Cat").update, kind="unicorn")
    assert type(await ask(Animal.objects.get, name="Cat")) is Animal


async def test_a_changed_value_is_another_class(ask, zoo):
    dog = zoo[1]
    dog.kind = "cat"
    await ask(dog.save)
    assert type(await ask(Animal.objects.get, pk=dog.pk)) is Cat
    await ask(dog.refresh_from_db)
    assert dog.name == "Dog"


async def test_get_or_create_looks_at_the_class(ask, zoo):
    cat, created = await ask(Cat.objects.get_or_create, name="Dog")
    assert (type(cat), created) == (Cat, True)
    assert (await ask(Cat.objects.get_or_create, name="Dog"))[1] is False


async def test_bulk_create_takes_all_kinds(ask, tables):
    await ask(Animal.objects.bulk_create, [Dog(name="a"), Cat(name="b")])
    assert _types(await ask(list, Animal.objects.all())) == [Dog, Cat]


async def test_raw_rows_are_what_they_are(ask, zoo):
    raw = Animal.objects.raw("SELECT * FROM related_animal ORDER BY id")
    found = await raw
    assert _types(found) == [Animal, Dog, Puppy, Cat]


async def test_deleting_tells_the_receivers_of_each_class(ask, zoo):
    told: list[Any] = []

    def receiver(sender: Any, instance: Any, **kwargs: Any) -> None:
        told.append(sender)

    signals.post_delete.connect(receiver, sender=Dog)
    try:
        counts = await ask(Animal.objects.all().delete)
    finally:
        signals.post_delete.disconnect(receiver, sender=Dog)
    assert told == [Dog]
    assert counts[0] == 4


async def test_an_own_from_db_of_one_class_is_called(ask, tables):
    with aorm.isolate_apps("related"):

        class Loud(Animal):
            loud = False

            class Meta:
                proxy = True
                app_label = "related"

            @classmethod
            def from_db(cls, db, field_names, values, **options):
                made = super().from_db(db, field_names, values, **options)
                made.loud = True
                return made

    try:
        await ask(Animal.objects.bulk_create, [Dog(), Loud()])
        dog, loud = await ask(list, Animal.objects.all())
        assert (type(dog), type(loud), loud.loud) == (Dog, Loud, True)
    finally:
        Animal._meta.kinds.classes.pop("loud")


def test_two_classes_of_one_value_are_refused():
    with (
        aorm.isolate_apps("related"),
        pytest.raises(ImproperlyConfigured, match="have the same value of 'kind', 'cat'"),
    ):

        class Lion(Animal):
            class Meta:
                proxy = True
                app_label = "related"
                polymorphic_value = "cat"


def test_a_column_that_does_not_exist_is_refused():
    with aorm.isolate_apps("related"), pytest.raises(ImproperlyConfigured, match="names 'sort'"):

        class Stone(models.Model):
            name = models.CharField(max_length=5)

            class Meta:
                polymorphic_on = "sort"
                app_label = "related"
