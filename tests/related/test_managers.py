"""Managers: where they are, what they can, what they are made of."""

from __future__ import annotations

import inspect

import pytest
from shop.models import Book

from aorm import models
from aorm.models.manager import BaseManager, EmptyManager


class Found(models.QuerySet):
    def cheap(self):
        """Those below ten."""
        return self.filter(price__lt=10)

    def hidden(self):
        return self

    hidden.queryset_only = True

    def _shown(self):
        return self

    _shown.queryset_only = False

    def _private(self):
        return self


FromFound = models.Manager.from_queryset(Found)


def test_a_manager_is_on_the_class_and_not_on_instances():
    assert isinstance(Book.objects, models.Manager)
    with pytest.raises(AttributeError, match="isn't accessible via Book instances"):
        _ = Book().objects


def test_the_same_manager_is_handed_out_each_time():
    assert Book.objects is Book.objects
    assert str(Book.objects) == "shop.Book.objects"


def test_a_manager_has_the_public_methods_of_its_queryset():
    manager = FromFound()
    assert callable(manager.cheap)
    assert callable(manager._shown)
    assert not hasattr(manager, "hidden")
    assert not hasattr(manager, "_private")


def test_a_copied_method_keeps_its_signature_and_docstring():
    assert FromFound.cheap.__doc__ == "Those below ten."
    assert next(iter(inspect.signature(Book.objects.bulk_create).parameters)) == "objs"


def test_the_first_manager_is_the_default_one():
    assert Book._default_manager is Book.objects
    assert not Book.on_sale.auto_created


def test_managers_are_equal_when_they_were_made_alike():
    assert models.Manager() != models.Manager()  # each has its place in the order
    manager = models.Manager()
    assert manager == manager
    assert manager.db_manager("other") != manager


def test_db_manager_leaves_the_manager_alone():
    Book.objects.filter(pages=1)
    other = Book.objects.db_manager("other")
    assert (other.db, Book.objects.db) == ("other", "default")
    assert other.filter(pages=1).db == "other"


def test_deconstruct_tells_how_to_make_it():
    assert models.Manager().deconstruct() == (False, "aorm.models.manager.Manager", None, (), {})
    made = Found.as_manager().deconstruct()
    assert made[0] is True
    assert made[2] == f"{__name__}.Found"
    with pytest.raises(ValueError, match="Could not find manager ManagerFromFound"):
        FromFound().deconstruct()


def test_chaining_from_a_manager_never_changes_what_it_starts_with(database):
    first = Book.objects.filter(pages=1)
    assert first is not Book.objects.filter(pages=1)
    assert str(Book.objects.all().query) == str(models.QuerySet(Book).query)


def test_a_manager_of_nothing_finds_nothing(database):
    assert list(EmptyManager(Book).all()) == []


def test_subscripting_is_for_type_checkers():
    assert models.Manager[Book] is models.Manager
    assert BaseManager[Book] is BaseManager
