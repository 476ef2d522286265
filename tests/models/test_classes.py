"""How model classes are made."""

from __future__ import annotations

import copy
import pickle
from typing import Any, ClassVar

import pytest

from aorm import errors, models, settings
from aorm.models import signals

pytestmark = pytest.mark.usefixtures("registry")


class Pickled(models.Model):
    name = models.CharField(max_length=10)

    class Meta:
        app_label = "pickled"


def names(fields: Any) -> list[str]:
    return [field.name for field in fields]


# --- the plain case --------------------------------------------------------------------


def test_a_model_without_primary_key_gets_an_automatic_one() -> None:
    class Book(models.Model):
        title = models.CharField(max_length=10)

    assert names(Book._meta.fields) == ["id", "title"]
    assert isinstance(Book._meta.pk, models.BigAutoField)
    assert Book._meta.pk.verbose_name == "ID"
    assert Book._meta.db_returning_fields == [Book._meta.pk]


def test_the_automatic_primary_key_follows_the_setting() -> None:
    settings.DEFAULT_AUTO_FIELD = "aorm.models.SmallAutoField"
    try:

        class Book(models.Model):
            pass
    finally:
        del settings.DEFAULT_AUTO_FIELD

    assert type(Book._meta.pk) is models.SmallAutoField


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (None, errors.ImproperlyConfigured),
        ("aorm.models.NoField", errors.ImproperlyConfigured),
        ("aorm.models.TextField", ValueError),
    ],
)
def test_a_wrong_setting_of_the_automatic_primary_key_is_refused(
    path: Any, error: type[Exception]
) -> None:
    settings.DEFAULT_AUTO_FIELD = path
    try:
        with pytest.raises(error):

            class Book(models.Model):
                pass
    finally:
        del settings.DEFAULT_AUTO_FIELD


def test_fields_stand_in_the_order_of_their_declaration() -> None:
    class Book(models.Model):
        z = models.IntegerField()
        a = models.IntegerField()
        key = models.IntegerField(primary_key=True)

    assert names(Book._meta.fields) == ["z", "a", "key"]


def test_the_class_answers_for_columns_though_it_holds_nothing() -> None:
    class Book(models.Model):
        title = models.CharField(max_length=10)

    assert "title" not in vars(Book)
    assert Book.title.field is Book._meta.get_field("title")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = Book.nothing


def test_a_field_covers_what_a_base_has_under_its_name() -> None:
    class Base(models.Model):
        @property
        def title(self) -> str:
            return "base"

        def other(self) -> str:
            return "base"

        class Meta:
            abstract = True

    class Book(Base):
        title = models.CharField(max_length=10)
        other = models.CharField(max_length=10)

    book = Book(title="own", other="too")
    assert (book.title, book.other) == ("own", "too")


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"invalid attribute\(s\): odering; .*ordering"):

        class Book(models.Model):
            class Meta:
                odering = ("title",)


def test_names_of_a_model() -> None:
    class PrintedHTMLBook(models.Model):
        class Meta:
            app_label = "shop"

    meta = PrintedHTMLBook._meta
    assert meta.label == "shop.PrintedHTMLBook"
    assert meta.label_lower == "shop.printedhtmlbook"
    assert meta.db_table == "shop_printedhtmlbook"
    assert meta.verbose_name == "printed html book"
    assert meta.verbose_name_plural == "printed html books"


def test_the_app_label_is_the_first_part_of_the_module() -> None:
    class Book(models.Model):
        __module__ = "shop.catalogue.models"

    assert Book._meta.app_label == "shop"


def test_unique_together_takes_one_group_or_several() -> None:
    class One(models.Model):
        a = models.IntegerField()
        b = models.IntegerField()

        class Meta:
            unique_together = ("a", "b")

    class Several(models.Model):
        a = models.IntegerField()
        b = models.IntegerField()

        class Meta:
            unique_together = (["a", "b"], ["b", "a"])

    assert One._meta.unique_together == (("a", "b"),)
    assert Several._meta.unique_together == (("a", "b"), ("b", "a"))


def test_arguments_of_the_class_statement_reach_init_subclass() -> None:
    seen: dict[str, Any] = {}

    class Base(models.Model):
        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__()
            seen.update(kwargs)

        class Meta:
            abstract = True

    class Book(Base, shelf=3):
        pass

    assert seen == {"shelf": 3}


def test_exceptions_belong_to_the_model() -> None:
    class Book(models.Model):
        pass

    class Comic(Book):
        pass

    assert issubclass(Book.DoesNotExist, errors.ObjectDoesNotExist)
    assert issubclass(Comic.DoesNotExist, Book.DoesNotExist)
    assert issubclass(Book.MultipleObjectsReturned, errors.MultipleObjectsReturned)
    assert issubclass(Book.NotUpdated, errors.ObjectNotUpdated)
    assert issubclass(Book.NotUpdated, errors.DatabaseError)


def test_exceptions_can_be_pickled() -> None:
    again = pickle.loads(pickle.dumps(Pickled.DoesNotExist("gone")))
    assert type(again) is Pickled.DoesNotExist
    assert again.args == ("gone",)


def test_class_prepared_is_sent_for_each_model() -> None:
    seen = []

    def prepared(sender: Any, **kwargs: Any) -> None:
        seen.append(sender)

    signals.class_prepared.connect(prepared)
    try:

        class Base(models.Model):
            class Meta:
                abstract = True

        class Book(Base):
            pass
    finally:
        signals.class_prepared.disconnect(prepared)

    assert seen == [Book]


# --- abstract bases ----------------------------------------------------------------------


def test_fields_of_abstract_bases_are_copied() -> None:
    class Named(models.Model):
        name = models.CharField(max_length=10)

        class Meta:
            abstract = True
            ordering = ("name",)
            get_latest_by = "name"

    class Book(Named):
        pages = models.IntegerField()

    class Song(Named):
        pass

    assert names(Book._meta.fields) == ["id", "name", "pages"]
    assert Book._meta.get_field("name").model is Book
    assert Song._meta.get_field("name").model is Song
    assert Named._meta.get_field("name").model is Named
    assert Book._meta.ordering == ("name",)
    assert Book._meta.get_latest_by == "name"
    assert not Book._meta.abstract


def test_a_child_may_drop_a_field_of_an_abstract_base() -> None:
    class Named(models.Model):
        name = models.CharField(max_length=10)

        class Meta:
            abstract = True

    class Silent(Named):
        name = None  # type: ignore[assignment]

    assert names(Silent._meta.fields) == ["id"]


def test_a_child_may_replace_a_field_of_an_abstract_base() -> None:
    class Named(models.Model):
        name = models.CharField(max_length=10)

        class Meta:
            abstract = True

    class Numbered(Named):
        name = models.IntegerField()  # type: ignore[assignment]

    assert isinstance(Numbered._meta.get_field("name"), models.IntegerField)


def test_the_first_of_two_abstract_bases_counts() -> None:
    class Short(models.Model):
        name = models.CharField(max_length=10)

        class Meta:
            abstract = True

    class Long(models.Model):
        name = models.CharField(max_length=99)

        class Meta:
            abstract = True

    class Book(Short, Long):
        pass

    assert Book._meta.get_field("name").max_length == 10


def test_an_abstract_model_has_no_instances() -> None:
    class Named(models.Model):
        class Meta:
            abstract = True

    with pytest.raises(TypeError, match=r"Abstract models cannot be instantiated\."):
        Named()


def test_names_of_constraints_and_indexes_take_the_class_in() -> None:
    class Named(models.Model):
        name = models.CharField(max_length=10)

        class Meta:
            abstract = True
            constraints: ClassVar = [
                models.UniqueConstraint(fields=["name"], name="%(app_label)s_%(class)s_unique")
            ]
            indexes: ClassVar = [models.Index(fields=["name"], name="%(class)s_name")]

    class Book(Named):
        class Meta(Named.Meta):
            app_label = "shop"

    assert [c.name for c in Book._meta.constraints] == ["shop_book_unique"]
    assert [i.name for i in Book._meta.indexes] == ["book_name"]
    assert Book._meta.total_unique_constraints == Book._meta.constraints


# --- tables of their own --------------------------------------------------------------------


def test_a_child_of_a_table_is_linked_to_it() -> None:
    class Place(models.Model):
        name = models.CharField(max_length=10)

    class Restaurant(Place):
        stars = models.IntegerField()

    meta = Restaurant._meta
    link = meta.get_field("place_ptr")
    assert names(meta.fields) == ["id", "name", "place_ptr", "stars"]
    assert meta.pk is link
    assert link.remote_field.parent_link
    assert meta.parents == {Place: link}
    assert meta.all_parents == (Place,)
    assert meta.get_ancestor_link(Place) is link
    assert names(Place._meta.related_objects) == ["restaurant"]
    assert names(meta.related_objects) == []


def test_a_declared_link_to_the_parent_is_taken() -> None:
    class Place(models.Model):
        pass

    class Restaurant(Place):
        place = models.OneToOneField(
            Place, models.CASCADE, parent_link=True, primary_key=True, related_name="kitchen"
        )

    assert names(Restaurant._meta.fields) == ["id", "place"]
    assert Restaurant._meta.parents[Place].name == "place"


def test_a_link_that_is_not_declared_as_one_is_refused() -> None:
    class Place(models.Model):
        pass

    with pytest.raises(errors.ImproperlyConfigured, match="Add parent_link=True"):

        class Restaurant(Place):
            place = models.OneToOneField(Place, models.CASCADE)


def test_a_field_of_the_parents_name_is_refused() -> None:
    class Place(models.Model):
        name = models.CharField(max_length=10)

    with pytest.raises(errors.FieldError, match="clashes with field of the same name"):

        class Restaurant(Place):
            name = models.CharField(max_length=10)


def test_paths_between_generations() -> None:
    class Place(models.Model):
        pass

    class Restaurant(Place):
        pass

    class Pizzeria(Restaurant):
        pass

    up = Pizzeria._meta.get_path_to_parent(Place)
    down = Pizzeria._meta.get_path_from_parent(Place)
    assert [info.to_opts.model for info in up] == [Restaurant, Place]
    assert [info.to_opts.model for info in down] == [Restaurant, Pizzeria]
    assert Pizzeria._meta.get_base_chain(Place) == [Restaurant, Place]


def test_a_diamond_has_the_fields_of_its_top_once() -> None:
    class Top(models.Model):
        name = models.CharField(max_length=10)

    class Left(Top):
        left = models.OneToOneField(Top, models.CASCADE, parent_link=True, primary_key=True)

    class Right(Top):
        right = models.OneToOneField(Top, models.CASCADE, parent_link=True, primary_key=True)

    class Bottom(Left, Right):
        pass

    assert names(Bottom._meta.fields).count("name") == 1
    assert Bottom._meta.all_parents == (Left, Right, Top)


# --- proxies ----------------------------------------------------------------------------------


def test_a_proxy_shares_the_table() -> None:
    class Book(models.Model):
        title = models.CharField(max_length=10)

    class Cheap(Book):
        class Meta:
            proxy = True

    assert Cheap._meta.db_table == Book._meta.db_table
    assert Cheap._meta.concrete_model is Book
    assert Cheap._meta.pk is Book._meta.pk
    assert names(Cheap._meta.fields) == ["id", "title"]
    assert Cheap(pk=1) == Book(pk=1)


@pytest.mark.parametrize("count", [0, 2])
def test_a_proxy_has_exactly_one_concrete_base(count: int) -> None:
    class Book(models.Model):
        pass

    class Song(models.Model):
        pass

    class Base(models.Model):
        class Meta:
            abstract = True

    with pytest.raises(TypeError, match="non-abstract model base class"):
        type(models.Model)(
            "Stand",
            (Book, Song) if count else (Base,),
            {"__module__": "tests", "Meta": type("Meta", (), {"proxy": True})},
        )


# --- managers ---------------------------------------------------------------------------------


def test_managers_come_from_all_bases_and_the_first_is_the_default() -> None:
    class Named(models.Model):
        by_name = models.Manager()

        class Meta:
            abstract = True

    class Book(Named):
        cheap = models.Manager()

    class Plain(Named):
        pass

    assert [m.name for m in Book._meta.managers] == ["cheap", "by_name"]
    assert Book._default_manager.name == "cheap"
    assert Plain._default_manager.name == "by_name"
    assert not hasattr(Plain, "objects")
    assert Plain.by_name.model is Plain


def test_meta_names_the_default_and_the_base_manager() -> None:
    class Book(models.Model):
        objects = models.Manager()
        every = models.Manager()

        class Meta:
            default_manager_name = "every"
            base_manager_name = "every"

    class Comic(Book):
        pass

    assert Book._default_manager.name == "every"
    assert Book._base_manager.name == "every"
    assert Comic._default_manager.name == "every"
    assert Comic._base_manager.model is Comic


def test_an_unknown_manager_name_is_refused() -> None:
    class Book(models.Model):
        class Meta:
            default_manager_name = "evry"

    with pytest.raises(ValueError, match=r"Book has no manager named 'evry'; .*objects"):
        _ = Book._default_manager


def test_a_field_named_objects_needs_a_manager() -> None:
    with pytest.raises(ValueError, match="must specify a custom Manager"):

        class Book(models.Model):
            objects = models.IntegerField()  # type: ignore[assignment]


# --- fields that come later ---------------------------------------------------------------------


def test_a_field_may_be_added_to_a_finished_class() -> None:
    class Place(models.Model):
        pass

    class Restaurant(Place):
        pass

    assert Restaurant(pk=1).pk == 1
    Place.add_to_class("name", models.CharField(max_length=10, default="new"))

    assert names(Restaurant._meta.fields) == ["id", "name", "place_ptr"]
    assert Restaurant().name == "new"  # type: ignore[attr-defined]


def test_a_copied_field_belongs_to_no_other_model() -> None:
    class Book(models.Model):
        author = models.ForeignKey("Author", models.CASCADE)

    class Author(models.Model):
        pass

    field = Book._meta.get_field("author")
    copied = copy.deepcopy(field)
    assert copied == field
    assert copied.remote_field.field is copied
    assert field.remote_field.field is field
