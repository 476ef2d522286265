"""Field: identity, names, options, defaults, choices, validation, column types."""

from __future__ import annotations

import copy
import pathlib
import pickle
from typing import Any

import pytest

from aorm.errors import FieldError, ValidationError
from aorm.fields.base import (
    NOT_PROVIDED,
    DatabaseDefault,
    Field,
    is_expression,
)
from aorm.fields.numbers import AutoField, BigAutoField, DecimalField, IntegerField
from aorm.fields.numbers import PositiveIntegerField as PositiveField
from aorm.fields.text import CharField
from aorm.functional import lazy


class Expression:
    conditional = True

    def resolve(self) -> None: ...


class Nested:
    class Field(Field[Any]):
        pass


# --- the field as an object --------------------------------------------------------


def test_repr_names_the_public_class_and_the_field(make_model):
    field = CharField(max_length=3)
    assert repr(field) == str(field) == "<aorm.models.fields.CharField>"
    make_model(title=field)
    assert repr(field) == "<aorm.models.fields.CharField: title>"
    assert str(field) == "shop.Book.title"


def test_path_of_a_nested_class_is_qualified():
    path = f"{__name__}.Nested.Field"
    assert repr(Nested.Field()) == f"<{path}>"
    assert Nested.Field().deconstruct()[1] == path


def test_fields_are_ordered_by_creation_and_automatic_ones_come_first():
    first, automatic, last = Field(), Field(auto_created=True), Field()
    assert automatic < first < last
    assert sorted([last, first, automatic]) == [automatic, first, last]
    assert automatic not in (None, 1, "")


def test_copies_on_several_models_differ(make_model):
    field = IntegerField()
    copies = [copy.deepcopy(field) for _ in range(2)]
    for copied in copies:
        make_model(rank=copied)
    assert copies[0] != copies[1] != field
    assert hash(copies[0]) == hash(field)


def test_copy_has_its_own_lookups():
    class Loud:
        lookup_name = "loud"

    field = CharField()
    field.register_lookup(Loud)
    copied = copy.deepcopy(field)
    copied._unregister_lookup(Loud)
    assert field.get_lookup("loud") is Loud
    assert copied.get_lookup("loud") is None


def test_pickle_of_a_field_without_a_model_holds_its_options():
    field = CharField(max_length=100, default="a text")
    field.get_default()
    restored = pickle.loads(pickle.dumps(field))
    assert restored == field
    assert restored.get_default() == "a text"


def test_pickle_of_a_field_of_a_model_is_a_reference(make_model):
    field = CharField()
    make_model(title=field)
    assert field.__reduce__()[1] == ("shop", "Book", "title")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_length": 5, "null": True, "blank": True},
        {"db_index": True, "unique": True, "help_text": "why", "db_column": "c"},
        {"choices": [("a", "A")], "default": "a"},
        {"db_default": "x", "db_comment": "y", "db_tablespace": "z"},
        {"validators": [len], "error_messages": {"null": "no"}, "editable": False},
        {"verbose_name": "the title", "db_collation": "nocase"},
    ],
)
def test_deconstruct_gives_what_was_given(options):
    assert CharField(**options).deconstruct() == (None, "aorm.models.CharField", [], options)
    assert CharField(**options).clone().deconstruct()[3] == options


# --- names -------------------------------------------------------------------------


def test_name_gives_attname_column_and_verbose_name(make_model):
    field = CharField()
    model = make_model(is_awesome=field)
    assert (field.name, field.attname, field.column) == ("is_awesome",) * 3
    assert field.verbose_name == "is awesome"
    assert field.concrete is True
    assert model._meta.added == [field]
    assert not hasattr(model, "is_awesome")


def test_given_name_and_column_win(make_model):
    field = CharField("Title", name="title", db_column="t")
    make_model(other=field)
    assert (field.name, field.column, field.verbose_name) == ("title", "t", "Title")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("a_", "underscore"), ("a__b", "contain '__'"), ("pk", "reserved")],
)
def test_unusable_names_are_refused(make_model, name, reason):
    with pytest.raises(FieldError, match=rf"Book\.{name}: .*{reason}"):
        make_model(**{name: CharField()})


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (CharField(max_length=0), "positive integer"),
        (CharField(max_length="5"), "positive integer"),
        (CharField(choices="abc"), "ordered iterable"),
        (CharField(choices=[1, 2]), "tuples, not 1"),
        (CharField(primary_key=True, null=True), "null=True"),
        (DecimalField(max_digits=2, decimal_places=3), "greater or equal"),
        (DecimalField(max_digits=-1), "positive"),
        (AutoField(), "primary_key=True"),
    ],
)
def test_unusable_options_are_refused(make_model, field, reason):
    with pytest.raises(FieldError, match=reason):
        make_model(value=field)


def test_second_automatic_field_is_refused(make_model):
    with pytest.raises(ValueError, match=r"shop\.Book can't have more than one auto-generated"):
        make_model(a=AutoField(primary_key=True), b=BigAutoField(primary_key=True))


def test_descriptor_class_stands_on_the_model(make_model):
    class Descriptor:
        def __init__(self, field):
            self.field = field

    class Described(CharField):
        descriptor_class = Descriptor

    field = Described()
    assert make_model(title=field).title.field is field


# --- defaults ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (CharField(), ""),
        (CharField(null=True), None),
        (IntegerField(), None),
        (CharField(default="x"), "x"),
        (CharField(default=lambda: "y"), "y"),
        (CharField(default=None), None),
    ],
)
def test_default_of_a_new_instance(field, expected):
    assert field.get_default() == expected


def test_database_default_is_a_marker():
    field = IntegerField(db_default=3)
    assert isinstance(field.get_default(), DatabaseDefault)
    assert field.has_db_default()
    assert field.db_returning
    assert not field.has_default()
    assert IntegerField().db_default is NOT_PROVIDED


def test_copy_has_its_own_database_default():
    field = IntegerField(db_default=3)
    field.get_default()
    copied = copy.deepcopy(field)
    assert copied.get_default().field is copied


# --- choices -----------------------------------------------------------------------


def test_display_shows_the_label(make_model):
    choices = {"Group": {1: "First"}, 0: "Other", 5: lazy(lambda: "late", str)()}
    model = make_model(c=IntegerField(choices=choices, null=True))

    def shown(value):
        book = model()
        book.c = value
        return book.get_c_display()

    assert [shown(value) for value in (1, 0, 9, None, "")] == ["First", "Other", 9, None, ""]
    assert shown(5) == "late"
    assert type(shown(5)) is str


def test_display_of_the_class_body_stays(make_model):
    body = {"get_c_display": lambda self: "own"}
    assert make_model(body, c=CharField(choices={"a": "A"})).get_c_display(None) == "own"


def test_choices_set_later_are_shown(make_model):
    field = IntegerField(choices=())
    model = make_model(c=field)
    field.choices = {1: "One"}
    book = model()
    book.c = 1
    assert book.get_c_display() == "One"


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ([], [("", "---------")]),
        ([("a", "A")], [("", "---------"), ("a", "A")]),
        ([("", "none"), ("a", "A")], [("", "none"), ("a", "A")]),
        ([("G", [("", "none")])], [("G", [("", "none")])]),
    ],
)
def test_choices_for_forms_have_one_blank(choices, expected):
    assert CharField(choices=choices).get_choices() == expected
    assert CharField(choices=choices).get_choices(include_blank=False) == choices


def test_labels_of_groups_are_not_evaluated():
    broken = lazy(lambda: 1 / 0, int)()
    field = CharField(choices=[(broken, [("a", "A")])])
    assert field.get_choices()[0] == ("", "---------")


# --- validation --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (CharField(), None, "This field cannot be null."),
        (CharField(), "", "This field cannot be blank."),
        (CharField(choices=[("a", "A")]), "b", "Value 'b' is not a valid choice."),
        (CharField(max_length=2), "abc", "Ensure this value has at most 2 characters (it has 3)."),
        (CharField(max_length=1), "abc", "Ensure this value has at most 1 character (it has 3)."),
        (CharField(error_messages={"null": "Give one."}), None, "Give one."),
    ],
)
def test_clean_refuses(field, value, message):
    with pytest.raises(ValidationError) as caught:
        field.clean(value, None)
    assert caught.value.messages == [message]


def test_clean_returns_the_converted_value():
    assert IntegerField(choices={"G": {10: "A"}}).clean("10", None) == 10
    assert CharField(blank=True).clean("", None) == ""
    assert IntegerField(null=True, blank=True).clean(None, None) is None


def test_errors_of_all_validators_are_collected():
    def refuse(value):
        raise ValidationError("no", code="refused")

    field = CharField(max_length=1, validators=[refuse], error_messages={"refused": "mine"})
    with pytest.raises(ValidationError) as caught:
        field.run_validators("abc")
    assert caught.value.messages[0] == "mine"
    assert len(caught.value.messages) == 2


def test_fields_that_are_not_editable_are_not_validated():
    CharField(editable=False).validate(None, None)


# --- values for queries ------------------------------------------------------------


def test_expressions_are_recognised():
    class Model:
        _meta = None

        def resolve(self) -> None: ...

    assert is_expression(Expression())
    for value in (Model(), pathlib.PurePath("x"), Expression, "text", None):
        assert not is_expression(value)


def test_lazy_values_are_evaluated():
    assert Field().get_prep_value(lazy(lambda: [1], list)()) == [1]


def test_plain_types_are_not_inherited_past_an_own_conversion():
    class Prepared(CharField):
        def get_prep_value(self, value):
            return value

    class Converted(IntegerField):
        def to_python(self, value):
            return value

    class Kept(CharField):
        pass

    assert Prepared.plain_types == Converted.plain_types == frozenset()
    assert Kept.plain_types == {str}


def test_subclass_hooks_are_called_when_saving():
    class Shouted(CharField):
        def get_prep_value(self, value):
            return super().get_prep_value(value).upper()

    assert Shouted().get_db_prep_save("a", None) == "A"
    assert Shouted().get_db_prep_value("a", None, prepared=True) == "a"
    expression = Expression()
    assert Shouted().get_db_prep_save(expression, None) is expression


# --- column types ------------------------------------------------------------------


def test_column_types(make_model, sqlite_like):
    fields = {
        "a": CharField(max_length=7),
        "b": CharField(),
        "c": PositiveField(),
        "d": DecimalField(max_digits=5, decimal_places=2),
        "e": BigAutoField(primary_key=True),
    }
    make_model(**fields)
    types = {name: field.db_type(sqlite_like) for name, field in fields.items()}
    assert types == {
        "a": "v7",
        "b": "varchar",
        "c": "integer unsigned",
        "d": "numeric(5, 2)",
        "e": "bigint auto",
    }
    assert fields["c"].db_check(sqlite_like) == '"c" >= 0'
    assert fields["c"].rel_db_type(sqlite_like) == "integer"
    assert fields["e"].rel_db_type(sqlite_like) == "bigint"
    assert fields["a"].db_parameters(sqlite_like) == {
        "type": "v7",
        "check": None,
        "collation": None,
    }
    assert IntegerField().cast_db_type(sqlite_like) == "signed"
    assert fields["a"].cast_db_type(sqlite_like) == "v7"
    assert AutoField(primary_key=True).db_type_suffix(sqlite_like) == "AUTOINCREMENT"


def test_unknown_kind_has_no_column(sqlite_like):
    assert Nested.Field().db_type(sqlite_like) is None


def test_subclass_keeps_the_internal_type():
    class Title(CharField):
        pass

    assert Title().get_internal_type() == "CharField"
    assert Nested.Field().get_internal_type() == "Field"
