"""`Meta.track_changes`: what was changed since an object was loaded, and saving only that."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

import aorm
from aorm.errors import QueryValueError
from related.tracked import ALL, Drink, Maker, Product


@pytest.fixture
def tables(database: Any) -> Iterator[None]:
    aorm.create_tables(*ALL)
    yield
    aorm.drop_tables(*ALL)


@pytest.fixture
def product(tables) -> Product:
    Product.objects.create(name="tea", price=3, details={"sorts": ["green"]})
    return Product.objects.get()


async def test_changed_fields_are_known(product):
    assert product.get_changed_fields() == set()
    product.price = 4
    assert product.get_changed_fields() == {"price"}
    product.price = 3
    assert product.get_changed_fields() == set()


def test_all_fields_of_an_object_without_row_are_changed(tables):
    assert Product().get_changed_fields() == {
        *("id", "name", "price", "details", "maker", "touched")
    }


def test_a_change_inside_of_a_document_is_seen(product):
    product.details["sorts"].append("black")
    assert product.get_changed_fields() == {"details"}


async def test_only_what_was_changed_is_written(ask, product):
    await ask(Product.objects.update, name="coffee")
    product.price = 4
    with ask.queries() as queries:
        await ask(product.save, changed_only=True)
    assert '"name"' not in queries[0].sql
    found = await ask(Product.objects.get)
    assert (found.name, found.price) == ("coffee", 4)
    assert product.get_changed_fields() == set()


async def test_fields_that_set_themselves_belong_to_a_change(ask, product):
    before = product.touched
    product.price = 4
    await ask(product.save, changed_only=True)
    assert (await ask(Product.objects.get)).touched == product.touched > before


async def test_nothing_is_written_where_nothing_was_changed(ask, product):
    with ask.queries() as queries:
        await ask(product.save, changed_only=True)
    assert len(queries) == 0


async def test_a_new_object_is_inserted(ask, tables):
    product = Product(name="tea")
    await ask(product.save, changed_only=True)
    assert product.get_changed_fields() == set()
    assert await ask(Product.objects.count) == 1


async def test_saving_some_fields_forgets_their_changes_alone(ask, product):
    product.name, product.price = "coffee", 4
    await ask(product.save, update_fields=["name"])
    assert product.get_changed_fields() == {"price"}


async def test_a_related_object_that_was_saved_after_its_assignment_is_a_change(ask, product):
    product.maker = Maker(name="m")
    await ask(product.maker.save)
    await ask(product.save, changed_only=True)
    assert (await ask(Product.objects.get)).maker_id == product.maker.pk


async def test_a_field_that_is_loaded_later_is_unchanged(ask, product):
    part = await ask(Product.objects.only("name").get)
    await ask(part.refresh_from_db, fields=["price"])
    assert part.get_changed_fields() == set()
    part.details = {}
    assert part.get_changed_fields() == {"details"}


def test_a_field_that_is_loaded_for_all_peers_is_unchanged(product):
    Product.objects.create(name="coffee")
    first, second = Product.objects.only("name")
    assert (first.price, second.price) == (3, 0)
    assert first.get_changed_fields() == second.get_changed_fields() == set()


async def test_loading_again_forgets_changes(ask, product):
    product.name, product.price = "coffee", 4
    await ask(product.refresh_from_db, fields=["name"])
    assert product.get_changed_fields() == {"price"}
    await ask(product.refresh_from_db)
    assert product.get_changed_fields() == set()


async def test_a_child_writes_only_the_tables_that_change(ask, tables):
    await ask(Drink.objects.create, name="tea", volume=1)
    drink = await ask(Drink.objects.get)
    drink.volume = 2
    assert drink.get_changed_fields() == {"volume"}
    await ask(drink.save, changed_only=True)
    assert (await ask(Drink.objects.get)).volume == 2


async def test_bulk_writes_forget_changes(ask, tables):
    made = [Product(name=name) for name in "ab"]
    await ask(Product.objects.bulk_create, made)
    assert made[0].get_changed_fields() == set()
    made[0].name = made[0].price = 5
    await ask(Product.objects.bulk_update, made, ["price"])
    assert made[0].get_changed_fields() == {"name"}


async def test_objects_of_raw_queries_remember(product):
    (raw,) = await Product.objects.raw("SELECT * FROM related_product")
    raw.price = 9
    assert raw.get_changed_fields() == {"price"}


def test_copies_remember_for_themselves(product):
    for twin in (copy.copy(product), pickle.loads(pickle.dumps(product))):
        twin.price = 7
        twin.save(changed_only=True)
        assert twin.get_changed_fields() == set()
        product.price = 7
        assert product.get_changed_fields() == {"price"}
        product.price = 3


async def test_a_model_that_does_not_track_says_so(ask, tables):
    maker = await ask(Maker.objects.create, name="m")
    assert "_remembered_values" not in vars(maker)
    with pytest.raises(QueryValueError, match=r"say `track_changes = True` in its Meta"):
        await ask(maker.save, changed_only=True)


async def test_changed_only_goes_with_no_other_choice(ask, product):
    with pytest.raises(QueryValueError, match="goes with neither"):
        await ask(product.save, changed_only=True, update_fields=["name"])
