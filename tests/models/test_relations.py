"""Relations as declarations: names, targets, joins, the table between."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from aorm import errors, models

pytestmark = pytest.mark.usefixtures("registry")


def columns(model: Any) -> list[Any]:
    return [field.column for field in model._meta.concrete_fields]


# --- foreign keys ----------------------------------------------------------------------


def test_a_foreign_key_has_the_kind_of_its_target() -> None:
    class Author(models.Model):
        code = models.CharField(max_length=7, primary_key=True)

    class Book(models.Model):
        author = models.ForeignKey(Author, models.CASCADE)
        best = models.ForeignKey("self", models.SET_NULL, null=True, db_column="top")

    author, best = Book._meta.get_field("author"), Book._meta.get_field("best")
    assert (author.attname, author.column) == ("author_id", "author_id")
    assert (best.attname, best.column) == ("best_id", "top")
    assert author.target_field is Author._meta.pk
    assert best.related_model is Book
    assert author.get_prep_value(3) == "3"
    assert best.to_python("3") == 3
    assert author.plain_types == Author._meta.pk.plain_types


def test_names_of_the_way_back() -> None:
    class Author(models.Model):
        pass

    class Book(models.Model):
        one = models.ForeignKey(Author, models.CASCADE)
        two = models.ForeignKey(Author, models.CASCADE, related_name="seconds")
        three = models.ForeignKey(
            Author, models.CASCADE, related_name="thirds", related_query_name="third"
        )
        four = models.ForeignKey(Author, models.CASCADE, related_name="%(app_label)s_%(class)s")
        five = models.OneToOneField(Author, models.CASCADE, related_name="fifth+")

        class Meta:
            app_label = "shop"

    class Cover(models.Model):
        book = models.OneToOneField(Book, models.CASCADE)

    rels = {field.name: field.remote_field for field in Book._meta.fields if field.is_relation}
    found = {name: (rel.get_accessor_name(), rel.name) for name, rel in rels.items()}
    assert found["one"] == ("book_set", "book")
    assert found["two"] == ("seconds", "seconds")
    assert found["three"] == ("thirds", "third")
    assert found["four"] == ("shop_book", "shop_book")
    assert rels["five"].hidden
    assert Cover._meta.get_field("book").remote_field.get_accessor_name() == "cover"


def test_default_related_name_is_the_models() -> None:
    class Author(models.Model):
        pass

    class Book(models.Model):
        author = models.ForeignKey(Author, models.CASCADE)

        class Meta:
            default_related_name = "%(class)ses"

    assert Book._meta.get_field("author").remote_field.get_accessor_name() == "bookes"


def test_joins_of_a_foreign_key() -> None:
    class Author(models.Model):
        pass

    class Book(models.Model):
        author = models.ForeignKey(Author, models.CASCADE)

    field = Book._meta.get_field("author")
    (there,) = field.path_infos
    (back,) = field.remote_field.path_infos
    assert (there.to_opts, there.m2m, there.direct) == (Author._meta, False, True)
    assert (back.to_opts, back.m2m, back.direct) == (Book._meta, True, False)
    assert field.get_joining_fields() == ((field, Author._meta.pk),)
    assert field.remote_field.get_joining_fields() == ((Author._meta.pk, field),)
    assert field.remote_field.get_related_field() is Author._meta.pk


@pytest.mark.parametrize("target", [1, object(), None])
def test_a_target_that_is_no_model_is_refused(target: Any) -> None:
    with pytest.raises(TypeError, match="First parameter to ForeignKey must be either a model"):
        models.ForeignKey(target, models.CASCADE)


def test_on_delete_is_one_of_the_rules() -> None:
    with pytest.raises(TypeError, match=r"on_delete must be .* 'CASCADE'"):
        models.ForeignKey("shop.Author", "CASCADE")


def test_to_field_must_be_local_to_the_target() -> None:
    class Parent(models.Model):
        key = models.IntegerField(unique=True)

    class Child(Parent):
        pass

    class Related(models.Model):
        child = models.ForeignKey(Child, models.CASCADE, to_field="key")

    with pytest.raises(errors.FieldError, match="which is not local to model"):
        _ = Related._meta.get_field("child").related_fields


def test_the_default_of_a_foreign_key_may_be_an_object() -> None:
    class Author(models.Model):
        pass

    class Book(models.Model):
        author = models.ForeignKey(Author, models.CASCADE, default=lambda: Author(pk=7))

    assert Book().author_id == 7  # type: ignore[attr-defined]


def test_foreign_keys_in_a_circle_have_no_kind() -> None:
    class Foo(models.Model):
        bar = models.ForeignKey("Bar", models.CASCADE, primary_key=True)

    class Bar(models.Model):
        foo = models.ForeignKey(Foo, models.CASCADE, primary_key=True)

    with pytest.raises(ValueError, match="Cannot resolve output_field"):
        _ = Foo._meta.get_field("bar").value_field


def test_deconstructed_foreign_keys() -> None:
    field = models.ForeignKey("shop.Author", models.SET_NULL, null=True, to_field="code")
    _, path, args, kwargs = field.deconstruct()
    assert path == "aorm.models.ForeignKey"
    assert args == []
    assert kwargs == {
        "to": "shop.author",
        "on_delete": models.SET_NULL,
        "null": True,
        "to_field": "code",
    }


def test_rules_of_deletion_survive_pickling() -> None:
    for rule in (models.CASCADE, models.DB_SET_NULL, models.SET(3)):
        assert pickle.loads(pickle.dumps(rule)) == rule
    assert repr(models.PROTECT) == "PROTECT"
    assert models.SET(lambda: 4).resolve() == 4


# --- many to many ---------------------------------------------------------------------------


def test_the_automatic_table() -> None:
    class Tag(models.Model):
        pass

    class Book(models.Model):
        tags = models.ManyToManyField(Tag)

        class Meta:
            app_label = "shop"

    through = Book._meta.get_field("tags").remote_field.through
    assert through.__name__ == "Book_tags"
    assert through._meta.db_table == "shop_book_tags"
    assert columns(through) == ["id", "book_id", "tag_id"]
    assert through._meta.unique_together == (("book", "tag"),)
    assert through._meta.auto_created is Book


def test_the_automatic_table_of_a_recursive_relation() -> None:
    class Person(models.Model):
        friends = models.ManyToManyField("self")
        idols = models.ManyToManyField("self", symmetrical=False, related_name="fans")

    friends, idols = Person._meta.get_field("friends"), Person._meta.get_field("idols")
    assert columns(friends.remote_field.through) == ["id", "from_person_id", "to_person_id"]
    assert friends.remote_field.symmetrical
    assert friends.remote_field.get_accessor_name() is None
    assert idols.remote_field.get_accessor_name() == "fans"
    assert [i.join_field.name for i in idols.path_infos][1] == "to_person"
    assert [i.join_field.name for i in idols.reverse_path_infos][1] == "from_person"


def test_a_table_of_the_users_own() -> None:
    class Book(models.Model):
        readers = models.ManyToManyField(
            "Person", through="Loan", through_fields=("book", "reader")
        )

    class Person(models.Model):
        pass

    class Loan(models.Model):
        lender = models.ForeignKey(Person, models.CASCADE, related_name="lent")
        reader = models.ForeignKey(Person, models.CASCADE)
        book = models.ForeignKey(Book, models.CASCADE)

    field = Book._meta.get_field("readers")
    assert field.m2m_field_name() == "book"
    assert field.m2m_reverse_field_name() == "reader"
    assert field.m2m_column_name() == "book_id"
    assert field.m2m_db_table() == Loan._meta.db_table
    assert [i.to_opts.model for i in field.path_infos] == [Loan, Person]
    assert [i.to_opts.model for i in field.remote_field.path_infos] == [Loan, Book]


def test_hidden_many_to_many_relations_have_names_of_their_own() -> None:
    class Tag(models.Model):
        pass

    class Book(models.Model):
        tags = models.ManyToManyField(Tag, related_name="+")

        class Meta:
            app_label = "shop"

    assert Book._meta.get_field("tags").remote_field.name == "_shop_book_tags_+"


def test_contradictions_are_refused() -> None:
    with pytest.raises(ValueError, match="Cannot specify a db_table"):
        models.ManyToManyField("Tag", through="Tagging", db_table="x")
    with pytest.raises(ValueError, match="Cannot specify through_fields"):
        models.ManyToManyField("Tag", through_fields=("a", "b"))
    with pytest.raises(ValueError, match="through model and db_constraint=False"):
        models.ManyToManyField("Tag", through="Tagging", db_constraint=False)


def test_automatic_tables_of_inherited_relations_are_the_childs() -> None:
    class Tag(models.Model):
        pass

    class Tagged(models.Model):
        tags = models.ManyToManyField(Tag, related_name="%(class)s_things")

        class Meta:
            abstract = True

    class Book(Tagged):
        pass

    class Song(Tagged):
        pass

    book, song = Book._meta.get_field("tags"), Song._meta.get_field("tags")
    assert book.remote_field.through is not song.remote_field.through
    assert {rel.name for rel in Tag._meta.related_objects} == {"book_things", "song_things"}
