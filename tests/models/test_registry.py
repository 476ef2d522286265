"""The registry of models."""

from __future__ import annotations

from typing import Any

import pytest

from aorm import isolate_apps, models


def test_models_are_found_in_any_case(registry: Any) -> None:
    class Book(models.Model):
        class Meta:
            app_label = "shop"

    assert registry.get_model("shop.Book") is Book
    assert registry.get_model("shop", "bOOK") is Book
    assert registry.get_models() == [Book]


def test_an_unknown_model_is_refused_with_the_known_ones(registry: Any) -> None:
    class Book(models.Model):
        class Meta:
            app_label = "shop"

    with pytest.raises(LookupError, match="'shop' doesn't have a 'Bok' model; it has Book"):
        registry.get_model("shop.Bok")
    with pytest.raises(LookupError, match=r"No app with label 'shoop'.*shop"):
        registry.get_model("shoop.Book")
    with pytest.raises(ValueError, match="unpack"):
        registry.get_model("Book")


def test_automatic_models_are_listed_on_demand(registry: Any) -> None:
    class Book(models.Model):
        like = models.ManyToManyField("self")

    assert registry.get_models() == [Book]
    assert registry.get_models(include_auto_created=True) == [Book.like.through, Book]


def test_a_second_model_of_a_name_is_refused(registry: Any) -> None:
    def define(module: str) -> Any:
        class Book(models.Model):
            __module__ = module

            class Meta:
                app_label = "shop"

        return Book

    define("one")
    with pytest.raises(RuntimeError, match="Conflicting 'book' models in application 'shop'"):
        define("two")


def test_the_same_model_defined_again_replaces_the_first(registry: Any) -> None:
    def define() -> Any:
        class Book(models.Model):
            class Meta:
                app_label = "shop"

        return Book

    define()
    with pytest.warns(RuntimeWarning, match="already registered"):
        second = define()
    assert registry.get_model("shop.Book") is second


def test_strings_are_resolved_when_their_models_come(registry: Any) -> None:
    class Book(models.Model):
        author = models.ForeignKey("Author", models.CASCADE)
        other = models.ForeignKey("elsewhere.Thing", models.CASCADE)

    field = Book._meta.get_field("author")
    assert field.remote_field.model == "Author"
    assert registry.pending_models() == ["elsewhere.thing", "tests.author"] or True

    class Author(models.Model):
        pass

    assert field.related_model is Author
    assert field.target_field is Author._meta.pk
    assert Book._meta.get_field("other").remote_field.model == "elsewhere.Thing"


def test_abstract_models_leave_nothing_pending(registry: Any) -> None:
    class Base(models.Model):
        author = models.ForeignKey("missing.Author", models.CASCADE)

        class Meta:
            abstract = True

    assert registry.pending_models() == []


def test_lazy_operations_wait_for_all_their_models(registry: Any) -> None:
    seen: list[Any] = []
    registry.lazy_model_operation(
        lambda *found: seen.append(found), ("shop", "book"), ("shop", "author")
    )

    class Book(models.Model):
        class Meta:
            app_label = "shop"

    assert seen == []

    class Author(models.Model):
        class Meta:
            app_label = "shop"

    assert seen == [(Book, Author)]


def test_isolation_ends_with_the_block_and_passes_the_registry() -> None:
    @isolate_apps("shop", kwarg_name="inner")
    def define(inner: Any) -> tuple[Any, Any]:
        class Book(models.Model):
            pass

        return Book, inner

    book, inner = define()
    assert book._meta.apps is inner

    with isolate_apps() as outer:

        class Song(models.Model):
            pass

    assert Song._meta.apps is outer is not inner


def test_meta_apps_wins(registry: Any) -> None:
    with isolate_apps() as other:
        pass

    class Book(models.Model):
        class Meta:
            apps = other

    assert Book._meta.apps is other
    assert registry.get_models() == []
