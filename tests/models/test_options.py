"""What `_meta` knows about fields and relations."""

from __future__ import annotations

from typing import Any

import pytest

from aorm import errors, models, settings

pytestmark = pytest.mark.usefixtures("registry")


def names(fields: Any) -> list[str]:
    return [field.name for field in fields]


@pytest.fixture
def shop() -> dict[str, Any]:
    class Author(models.Model):
        name = models.CharField(max_length=10)

    class Tag(models.Model):
        pass

    class Book(models.Model):
        title = models.CharField(max_length=10)
        author = models.ForeignKey(Author, models.CASCADE, related_name="books")
        editor = models.ForeignKey(Author, models.CASCADE, related_name="+")
        tags = models.ManyToManyField(Tag)

    class Review(models.Model):
        book = models.OneToOneField(Book, models.CASCADE)

    return {"Author": Author, "Tag": Tag, "Book": Book, "Review": Review}


def test_fields_by_kind(shop: dict[str, Any]) -> None:
    meta = shop["Book"]._meta
    assert names(meta.fields) == ["id", "title", "author", "editor"]
    assert names(meta.many_to_many) == ["tags"]
    assert names(meta.related_objects) == ["review"]
    assert names(meta.get_fields()) == ["review", "id", "title", "author", "editor", "tags"]
    assert meta._columns_by_attname.keys() == {"id", "title", "author_id", "editor_id"}


def test_hidden_relations_are_found_only_when_asked_for(shop: dict[str, Any]) -> None:
    meta = shop["Author"]._meta
    assert names(meta.related_objects) == ["books"]
    hidden = [f for f in meta.get_fields(include_hidden=True) if f.auto_created and not f.concrete]
    assert sorted(names(hidden)) == ["+", "books"]


def test_a_field_is_found_by_name_attname_and_reverse_name(shop: dict[str, Any]) -> None:
    book, author = shop["Book"]._meta, shop["Author"]._meta
    assert book.get_field("author") is book.get_field("author_id")
    assert author.get_field("books").field is book.get_field("author")
    assert book.get_field("review").one_to_one


def test_an_unknown_field_is_refused_with_the_known_ones(shop: dict[str, Any]) -> None:
    with pytest.raises(
        errors.FieldDoesNotExist,
        match="Book has no field named 'titel'; its fields are author, editor, id, review, tags",
    ):
        shop["Book"]._meta.get_field("titel")


def test_a_new_model_appears_in_the_relations_of_its_target(shop: dict[str, Any]) -> None:
    Author = shop["Author"]
    assert names(Author._meta.related_objects) == ["books"]

    class Letter(models.Model):
        sender = models.ForeignKey(Author, models.CASCADE)

    assert names(Author._meta.related_objects) == ["books", "letter"]
    assert Author._meta.get_field("letter").related_model is Letter


def test_what_is_derived_goes_when_a_relation_comes(shop: dict[str, Any]) -> None:
    Author = shop["Author"]
    _ = Author._meta.related_objects
    Author._meta.derived["x"] = 1

    class Letter(models.Model):
        sender = models.ForeignKey(Author, models.CASCADE)

    assert Author._meta.derived == {}


def test_answers_cannot_be_changed(shop: dict[str, Any]) -> None:
    with pytest.raises(AttributeError, match="make a copy first"):
        shop["Book"]._meta.get_fields().append(1)
    with pytest.raises(AttributeError, match="make a copy first"):
        fields = shop["Book"]._meta.fields
        fields += [1]


def test_a_composite_primary_key() -> None:
    class Line(models.Model):
        pk = models.CompositePrimaryKey("order", "number")
        order = models.IntegerField()
        number = models.IntegerField()

    meta = Line._meta
    assert meta.is_composite_pk
    assert names(meta.pk_fields) == ["order", "number"]
    assert names(meta.concrete_fields) == ["order", "number"]
    assert meta.get_field("pk") is meta.pk
    assert Line(pk=(1, 2)).number == 2
    assert Line(1, 2).pk == (1, 2)
    assert hash(Line(pk=(1, 2))) == hash((1, 2))
    assert not Line(order=1)._is_pk_set()


def test_swapped_models() -> None:
    class User(models.Model):
        class Meta:
            app_label = "auth"
            swappable = "TESTED_USER_MODEL"

    assert User._meta.swapped is None
    settings.TESTED_USER_MODEL = "auth.user"
    assert User._meta.swapped is None
    settings.TESTED_USER_MODEL = "shop.Customer"
    try:
        assert User._meta.swapped == "shop.Customer"
        assert User not in User._meta.apps.get_models()
        with pytest.raises(AttributeError, match=r"swapped for 'shop\.Customer'"):
            _ = User.objects
    finally:
        del settings.TESTED_USER_MODEL


def test_properties_are_known_by_name() -> None:
    class Book(models.Model):
        @property
        def shout(self) -> str:
            return "!"

    assert Book._meta._property_names == {"pk", "shout"}
