"""Primary keys of several columns."""

from __future__ import annotations

import copy

import pytest

from aorm.errors import FieldError
from aorm.fields.composite import CompositePrimaryKey
from aorm.fields.numbers import IntegerField
from aorm.fields.text import CharField


class Reference(IntegerField):
    def get_attname(self):
        return f"{self.name}_id"


@pytest.fixture
def key() -> CompositePrimaryKey:
    return CompositePrimaryKey("tenant", "id")


@pytest.fixture
def model(make_model, key):
    return make_model(pk=key, tenant=Reference(), id=CharField(default="x"))


def test_consists_of_fields_of_the_model(model, key):
    assert model._meta.pk is key
    assert [field.name for field in key.fields] == ["tenant", "id"]
    assert key.attnames == key.columns == ("tenant_id", "id")
    assert key.column is None
    assert key.db_type(None) is None
    assert (len(key), list(key)) == (2, list(key.fields))


def test_pk_reads_and_writes_the_values(model):
    book = model()
    book.pk = (1, "a")
    assert (book.tenant_id, book.id) == (1, "a")
    book.tenant_id = 2
    assert book.pk == (2, "a")
    book.pk = None
    assert book.pk == (None, None)
    assert model.pk.attnames == ("tenant_id", "id")


@pytest.mark.parametrize(
    ("value", "message"),
    [("ab", "must be a list or a tuple"), (5, "must be a list"), ((1,), "must have 2 elements")],
)
def test_wrong_keys_are_refused(model, value, message):
    with pytest.raises(ValueError, match=f"'pk' {message}"):
        model().pk = value


@pytest.mark.parametrize("names", [(), (0,), ("id", False), ("id", "id"), (("id",),)])
def test_names_are_unique_texts(names):
    with pytest.raises(ValueError, match="args must be unique strings"):
        CompositePrimaryKey(*names)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"default": (1, 1)}, "cannot have a default"),
        ({"db_default": 1}, "cannot have a database default"),
        ({"db_column": "x"}, "cannot have a db_column"),
        ({"editable": True}, "cannot be editable"),
        ({"primary_key": False}, "must be a primary key"),
        ({"blank": False}, "must be blank"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CompositePrimaryKey("a", "b", **options)


def test_one_field_is_not_enough():
    with pytest.raises(ValueError, match="at least two fields"):
        CompositePrimaryKey("id")


def test_is_named_pk(make_model):
    with pytest.raises(FieldError, match="must be named 'pk'"):
        make_model(key=CompositePrimaryKey("a", "b"))


def test_values_are_converted_by_their_fields(model, key):
    assert key.to_python('["1", 2]') == key.to_python(["1", 2]) == (1, "2")
    assert key.get_prep_value(("1", 2)) == (1, "2")
    book = model()
    book.pk = (1, "a")
    assert key.value_to_string(book) == '["1", "a"]'
    book.pk = None
    assert key.get_pk_value_on_save(book) == (None, "x")


def test_deconstruct(key):
    path = "aorm.models.CompositePrimaryKey"
    assert key.deconstruct() == (None, path, ["tenant", "id"], {})
    assert key.clone().field_names == ("tenant", "id")


def test_copy_belongs_to_the_model_it_is_put_on(make_model, model, key):
    assert [field.model for field in key.fields] == [model, model]
    fields = {"tenant": Reference(), "id": CharField()}
    copied = copy.deepcopy(key)
    child = make_model(pk=copied, **fields)
    assert [field.model for field in copied.fields] == [child, child]
