"""Instances without a database: construction, identity, copies, state."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from aorm import errors, models
from aorm.models import signals

DEFERRED = models.DEFERRED


class Author(models.Model):
    name = models.CharField(max_length=10)

    class Meta:
        app_label = "instances"


class Book(models.Model):
    title = models.CharField(max_length=10, default="untitled")
    pages = models.IntegerField(null=True)
    author = models.ForeignKey(Author, models.CASCADE, null=True)
    tags = models.JSONField(default=list)

    class Meta:
        app_label = "instances"

    @property
    def heading(self) -> str:
        return self.title.upper()

    @heading.setter
    def heading(self, value: str) -> None:
        self.title = value.lower()


class Place(models.Model):
    name = models.CharField(max_length=10)

    class Meta:
        app_label = "instances"


class Restaurant(Place):
    class Meta:
        app_label = "instances"


# --- construction --------------------------------------------------------------------------


def test_keywords_and_defaults_in_the_order_of_the_columns() -> None:
    book = Book(pages=3)
    assert vars(book) == {
        "id": None, "title": "untitled", "pages": 3, "author_id": None, "tags": [],
    }  # fmt: skip
    assert list(vars(book)) == ["id", "title", "pages", "author_id", "tags"]


def test_a_callable_default_is_called_for_each_instance() -> None:
    assert Book().tags is not Book().tags


def test_positional_values_are_the_columns_in_order() -> None:
    book = Book(1, "A", pages=4)
    assert (book.id, book.title, book.pages) == (1, "A", 4)


def test_a_value_given_twice_is_refused() -> None:
    with pytest.raises(TypeError, match="both positional and keyword arguments for field 'title'"):
        Book(1, "A", title="")
    with pytest.raises(IndexError, match="Number of args exceeds number of fields"):
        Book(1, "A", 2, 3, [], 5)


def test_unknown_keywords_are_refused_with_the_known_ones() -> None:
    with pytest.raises(
        TypeError, match=r"Book\(\) got unexpected keyword arguments: 'a', 'b'; .*author_id"
    ):
        Book(a=1, b=2)


def test_related_objects_are_set_by_name() -> None:
    ada = Author(pk=7, name="Ada")
    book = Book(author=ada)
    assert book.author_id == 7  # type: ignore[attr-defined]
    assert book.author is ada
    assert Book(author=None).author_id is None  # type: ignore[attr-defined]
    assert Book(author_id=8).author_id == 8  # type: ignore[attr-defined]


def test_properties_with_a_setter_and_pk_are_keywords() -> None:
    assert Book(heading="LOUD").title == "loud"
    assert Book(pk=5).id == 5


def test_deferred_values_are_left_out() -> None:
    book = Book(pk=1, title=DEFERRED)
    assert "title" not in vars(book)
    assert book.get_deferred_fields() == {"title"}


def test_an_overridden_init_sees_the_arguments_once() -> None:
    seen = []

    class Mixin:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            seen.append((args, kwargs))
            super().__init__(*args, **kwargs)

    with_init = type(models.Model)(
        "WithInit",
        (Mixin, Place),
        {"__module__": __name__, "Meta": type("Meta", (), {"proxy": True, "app_label": "i"})},
    )
    Place(name="first")  # the parent has its generated constructor by now
    assert with_init(name="x").name == "x"
    assert with_init(1, "y").name == "y"
    assert seen == [((), {"name": "x"}), ((1, "y"), {})]


def test_signals_are_sent_around_construction() -> None:
    seen: list[Any] = []

    def before(sender: Any, args: Any, kwargs: Any, **more: Any) -> None:
        seen.append(("before", sender, args, kwargs))

    def after(sender: Any, instance: Any, **more: Any) -> None:
        seen.append(("after", sender, instance.name))

    Author(name="quiet")
    signals.pre_init.connect(before, sender=Author)
    signals.post_init.connect(after, sender=Author)
    try:
        Author(name="Ada")
    finally:
        signals.pre_init.disconnect(before, sender=Author)
        signals.post_init.disconnect(after, sender=Author)
    assert seen == [("before", Author, (), {"name": "Ada"}), ("after", Author, "Ada")]


def test_a_field_whose_name_is_no_identifier_is_set_all_the_same() -> None:
    body = {
        "__module__": __name__,
        "class": models.IntegerField(default=3),
        "Meta": type("Meta", (), {"app_label": "instances"}),
    }
    odd = type(models.Model)("Odd", (models.Model,), body)
    assert vars(odd()) == {"id": None, "class": 3}
    assert getattr(odd(**{"class": 4}), "class") == 4
    assert getattr(odd(1, 5), "class") == 5


def test_from_db_defers_what_was_not_loaded() -> None:
    book = Book.from_db("other", ["id", "title"], [1, "A"])
    assert book.get_deferred_fields() == {"pages", "author_id", "tags"}
    assert (book._state.db, book._state.adding) == ("other", False)


# --- identity ----------------------------------------------------------------------------------


def test_equality_is_that_of_table_and_key() -> None:
    new = Book()
    assert Book(pk=1) == Book(pk=1)
    assert Book(pk=1) != Book(pk=2)
    assert Book(pk=1) != Author(pk=1)
    assert new == new
    assert new != Book()
    assert Place(pk=1) != Restaurant(pk=1)
    assert Book(pk=1) != object()


def test_hash_is_that_of_the_key() -> None:
    assert hash(Book(pk=1)) == hash(1)
    with pytest.raises(TypeError, match="without primary key value are unhashable"):
        hash(Book())


def test_texts() -> None:
    assert str(Book(pk=3)) == "Book object (3)"
    assert repr(Book()) == "<Book: Book object (None)>"


def test_the_key_of_a_child_is_its_link() -> None:
    restaurant = Restaurant(pk=3, name="x")
    assert restaurant.pk == restaurant.place_ptr_id == 3  # type: ignore[attr-defined]
    assert restaurant.id is None


def test_an_unknown_attribute_names_what_comes_close() -> None:
    with pytest.raises(AttributeError, match="no attribute 'titel'; did you mean 'title'"):
        _ = Book().titel  # type: ignore[attr-defined]
    assert not hasattr(Book(), "nothing")


# --- state and copies ------------------------------------------------------------------------


def test_the_state_of_a_new_instance() -> None:
    book = Book()
    assert (book._state.adding, book._state.db) == (True, None)
    book._state.adding = False
    book._state.db = "other"
    assert (book._state.adding, book._state.db) == (False, "other")


def test_related_objects_show_in_the_state() -> None:
    ada = Author(pk=1)
    book = Book(author=ada)
    assert dict(book._state.fields_cache) == {"author": ada}
    book._state.fields_cache.clear()
    assert "_author_cache" not in vars(book)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda book: pickle.loads(pickle.dumps(book))]
)
def test_copies_have_a_state_of_their_own(again: Any) -> None:
    book = Book.from_db("other", ["id", "title"], [1, "A"])
    book._state.fetch_mode = models.FETCH_ONE
    copied = again(book)
    assert copied == book
    assert copied._state is not book._state
    assert (copied._state.db, copied._state.fetch_mode) == ("other", models.FETCH_ONE)
    assert copied.get_deferred_fields() == book.get_deferred_fields()
    copied._state.adding = True
    assert not book._state.adding


def test_values_by_the_name_of_a_field() -> None:
    book = Book(title="A", author_id=4)
    assert book.serializable_value("title") == "A"
    assert book.serializable_value("author") == 4
    assert book.serializable_value("heading") == "A"


def test_the_label_of_a_choice(registry: Any) -> None:
    class Shirt(models.Model):
        size = models.CharField(max_length=1, choices=[("S", "Small"), ("L", "Large")])

        class Meta:
            app_label = "instances"

    assert Shirt(size="S").get_size_display() == "Small"  # type: ignore[attr-defined]
    assert Shirt(size="M").get_size_display() == "M"  # type: ignore[attr-defined]


# --- checks without a database -------------------------------------------------------------------


def test_clean_fields_converts_and_collects_errors() -> None:
    from_text = Book(title="A", pages="12", author_id=1)
    from_text.clean_fields(exclude=["author", "tags"])
    assert from_text.pages == 12
    with pytest.raises(errors.ValidationError) as caught:
        Book(title="much too long", pages="x").clean_fields(exclude=["author", "tags"])
    assert set(caught.value.message_dict) == {"title", "pages"}


def test_a_refusal_of_the_class_is_not_covered_up() -> None:
    class Moody(models.Model):
        class Meta:
            app_label = "instances"

        @property
        def mood(self) -> str:
            raise AttributeError("not today")

    with pytest.raises(AttributeError, match="not today"):
        _ = Moody().mood
