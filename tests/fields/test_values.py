"""What the kinds of fields make of values: `to_python`, `get_prep_value`, validators, options."""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from decimal import Decimal
from types import SimpleNamespace

import pytest

from aorm import timezone
from aorm.conf import settings
from aorm.errors import FieldError, ValidationError
from aorm.fields.dates import DateField, DateTimeField, DurationField, TimeField
from aorm.fields.json import JSONField
from aorm.fields.numbers import (
    AutoField,
    BigAutoField,
    BigIntegerField,
    DecimalField,
    FloatField,
    IntegerField,
    PositiveIntegerField,
    PositiveSmallIntegerField,
    SmallAutoField,
    SmallIntegerField,
)
from aorm.fields.text import CharField, EmailField, SlugField, TextField, URLField
from aorm.fields.various import (
    BinaryField,
    BooleanField,
    GeneratedField,
    GenericIPAddressField,
    UUIDField,
)
from aorm.functional import lazy
from aorm.validators import MaxValueValidator, MinValueValidator

UTC = dt.UTC
SOME_UUID = uuid.UUID("550e8400e29b41d4a716446655440000")


@pytest.fixture(autouse=True)
def _restored_settings():
    yield
    del settings.USE_TZ
    del settings.TIME_ZONE


class Expression:
    def resolve(self) -> None: ...


ALL = [
    AutoField(primary_key=True),
    BinaryField(),
    BooleanField(),
    CharField(),
    DateField(),
    DateTimeField(),
    DecimalField(),
    DurationField(),
    FloatField(),
    GenericIPAddressField(),
    IntegerField(),
    JSONField(),
    TextField(),
    TimeField(),
    UUIDField(),
]


@pytest.mark.parametrize("field", ALL, ids=lambda field: type(field).__name__)
def test_none_and_expressions_pass_untouched(field):
    expression = Expression()
    assert field.get_prep_value(None) is None
    assert field.get_prep_value(expression) is expression
    assert field.get_db_prep_save(expression, None) is expression


NOON = dt.datetime(2024, 5, 6, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "given", "expected"),
    [
        (IntegerField(), "10", 10),
        (IntegerField(), True, 1),
        (IntegerField(), Decimal(4), 4),
        (FloatField(), "1.5", 1.5),
        (FloatField(), 1, 1.0),
        (DecimalField(), "2.4", Decimal("2.4")),
        (DecimalField(max_digits=4), 3.1415926535, Decimal("3.142")),
        (DecimalField(max_digits=4), 2.0625, Decimal("2.062")),
        (CharField(), 5, "5"),
        (TextField(), Decimal("1.0"), "1.0"),
        (BooleanField(), 1, True),
        (BooleanField(), "0", False),
        (BooleanField(), "True", True),
        (BooleanField(null=True), "", None),
        (DateField(), "2008-10-1", dt.date(2008, 10, 1)),
        (DateField(), NOON, NOON.date()),
        (DateTimeField(), "2024-05-06T12:00:00Z", NOON),
        (DateTimeField(), NOON, NOON),
        (TimeField(), "1:02", dt.time(1, 2)),
        (TimeField(), NOON, dt.time(12)),
        (DurationField(), "1 00:00:02", dt.timedelta(days=1, seconds=2)),
        (UUIDField(), str(SOME_UUID), SOME_UUID),
        (UUIDField(), "550e84-00-e29b-41d4-a716-4-466-55440000", SOME_UUID),
        (UUIDField(), SOME_UUID.int, SOME_UUID),
        (BinaryField(), bytearray(b"a"), b"a"),
        (BinaryField(), memoryview(b"a"), b"a"),
        (GenericIPAddressField(), "DEAD::0:BEEF", "dead::beef"),
        (GenericIPAddressField(), "::ffff:0a0a:0a0a", "::ffff:10.10.10.10"),
        (GenericIPAddressField(unpack_ipv4=True), "::ffff:0a0a:0a0a", "10.10.10.10"),
        (GenericIPAddressField(), "1.2.3.4", "1.2.3.4"),
        (JSONField(), {"a": [1]}, {"a": [1]}),
    ],
)
def test_values_are_converted_for_queries(field, given, expected):
    for value in (given, lazy(lambda: given, type(given))()):
        prepared = field.get_prep_value(value)
        assert prepared == expected
        assert type(prepared) is type(expected)


@pytest.mark.parametrize("field", ALL, ids=lambda field: type(field).__name__)
def test_plain_types_are_left_alone(field):
    samples = [1, 1.5, "a", b"a", True, NOON.date(), NOON.time(), dt.timedelta(1), SOME_UUID, {}]
    for sample in samples:
        if type(sample) in field.plain_types:
            assert field.get_prep_value(sample) is sample


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        (IntegerField(name="n"), (), TypeError),
        (IntegerField(name="n"), "x", ValueError),
        (IntegerField(name="n"), math.inf, ValueError),
        (FloatField(name="n"), {}, TypeError),
        (FloatField(name="n"), b"x", ValueError),
    ],
)
def test_wrong_numbers_are_refused_by_name(field, value, error):
    with pytest.raises(error) as caught:
        field.get_prep_value(value)
    assert str(caught.value) == f"Field 'n' expected a number but got {value!r}."


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (IntegerField(), "x", "“x” value must be an integer."),
        (FloatField(), "x", "“x” value must be a float."),
        (DecimalField(), "x", "“x” value must be a decimal number."),
        (DecimalField(), (), "“()” value must be a decimal number."),
        (DecimalField(), math.nan, "“nan” value must be a decimal number."),
        (DecimalField(), Decimal("-inf"), "“-Infinity” value must be a decimal number."),
        (BooleanField(), "x", "“x” value must be either True or False."),
        (BooleanField(null=True), "x", "“x” value must be either True, False, or None."),
        (DateField(), "2011-10-32", "“2011-10-32” value has the correct format (YYYY-MM-DD) but"),
        (DateField(), 5, "“5” value has an invalid date format."),
        (DateTimeField(), "x", "“x” value has an invalid format."),
        (DateTimeField(), "2011-10-32", "(YYYY-MM-DD) but it is an invalid date."),
        (DateTimeField(), "2011-10-32 10:10", "but it is an invalid date/time."),
        (TimeField(), "25:50", "but it is an invalid time."),
        (TimeField(), 5, "“5” value has an invalid format."),
        (DurationField(), "x", "It must be in [DD] [[HH:]MM:]ss[.uuuuuu] format."),
        (UUIDField(), "550e8400", "“550e8400” is not a valid UUID."),
        (UUIDField(), {}, "is not a valid UUID."),
        (UUIDField(), 2**128, "is not a valid UUID."),
    ],
)
def test_wrong_values_are_refused_with_a_validation_error(field, value, message):
    with pytest.raises(ValidationError) as caught:
        field.to_python(value)
    assert message in caught.value.messages[0]


# --- numbers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "least", "greatest"),
    [
        (IntegerField(), -2147483648, 2147483647),
        (SmallIntegerField(), -32768, 32767),
        (BigIntegerField(), -(2**63), 2**63 - 1),
        (PositiveIntegerField(), 0, 2147483647),
        (PositiveSmallIntegerField(), 0, 32767),
        (BigAutoField(primary_key=True), -(2**63), 2**63 - 1),
    ],
)
def test_integers_have_the_range_of_their_column(field, least, greatest):
    assert field.integer_range == (least, greatest)
    field.run_validators(least)
    field.run_validators(greatest)
    for wrong in (least - 1, greatest + 1):
        with pytest.raises(ValidationError):
            field.run_validators(wrong)


@pytest.mark.parametrize("limit", [5, lambda: 5])
def test_stricter_validators_replace_those_of_the_column(limit):
    field = IntegerField(validators=[MinValueValidator(limit), MaxValueValidator(limit)])
    assert len(field.validators) == 2
    with pytest.raises(ValidationError) as caught:
        field.run_validators(-(2**40))
    assert caught.value.messages == ["Ensure this value is greater than or equal to 5."]


def test_automatic_fields_are_automatic_and_integers():
    for cls, kind in ((BigAutoField, BigIntegerField), (SmallAutoField, SmallIntegerField)):
        assert issubclass(cls, AutoField)
        assert issubclass(cls, kind)
    field = BigAutoField(primary_key=True)
    assert field.blank
    assert field.db_returning
    assert field.deconstruct()[1:] == ("aorm.models.BigAutoField", [], {"primary_key": True})
    field.validate(None, None)


def test_decimals_are_limited_by_their_options():
    for field, value in [
        (DecimalField(max_digits=2), 100),
        (DecimalField(decimal_places=1), Decimal("0.99")),
        (DecimalField(max_digits=3, decimal_places=1), Decimal("999")),
    ]:
        with pytest.raises(ValidationError):
            field.clean(value, None)


# --- texts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "kwargs"),
    [
        (EmailField(), {"max_length": 254}),
        (URLField(), {}),
        (URLField(max_length=9), {"max_length": 9}),
        (SlugField(), {}),
        (SlugField(db_index=False, max_length=9), {"db_index": False, "max_length": 9}),
        (SlugField(allow_unicode=True), {"allow_unicode": True}),
        (TextField(db_collation="c"), {"db_collation": "c"}),
        (BinaryField(), {}),
        (BinaryField(editable=True), {"editable": True}),
        (DecimalField(max_digits=5, decimal_places=0), {"max_digits": 5, "decimal_places": 0}),
        (DateField(auto_now=True), {"auto_now": True}),
        (DateTimeField(auto_now_add=True), {"auto_now_add": True}),
        (GenericIPAddressField(), {}),
        (GenericIPAddressField(protocol="IPv6"), {"protocol": "IPv6"}),
        (JSONField(encoder=json.JSONEncoder), {"encoder": json.JSONEncoder}),
    ],
)
def test_deconstruct_leaves_out_what_the_kind_implies(field, kwargs):
    assert field.deconstruct()[3] == kwargs
    assert field.clone().deconstruct()[3] == kwargs


def test_kinds_of_texts_check_their_form():
    SlugField().clean("a-b_1", None)
    SlugField(allow_unicode=True).clean("你好", None)
    EmailField().clean("a@example.com", None)
    URLField().clean("https://example.com/x", None)
    for field, value in [
        (SlugField(), "你好"),
        (EmailField(), "a@"),
        (URLField(), "x"),
        (GenericIPAddressField(), "1.2.3"),
        (GenericIPAddressField(protocol="IPv4"), "::1"),
    ]:
        with pytest.raises(ValidationError):
            field.clean(value, None)


def test_text_subclasses_become_plain_texts():
    class Marked(str):
        pass

    assert type(CharField().get_prep_value(Marked("a"))) is str


# --- dates -------------------------------------------------------------------------


def test_naive_datetime_is_taken_to_be_in_the_default_zone(make_model):
    settings.TIME_ZONE = "Africa/Nairobi"
    field = DateTimeField()
    make_model(dt=field)
    naive = dt.datetime(2011, 9, 1, 13, 20)
    with pytest.warns(RuntimeWarning, match=r"Book\.dt received a naive datetime \(2011-09-01 13"):
        value = field.get_prep_value(naive)
    assert value == dt.datetime(2011, 9, 1, 10, 20, tzinfo=UTC)
    with pytest.warns(RuntimeWarning, match=r"\(unbound\) received a naive datetime"):
        DateTimeField().get_prep_value(dt.date(2011, 9, 1))


def test_naive_datetimes_stay_where_time_zones_are_off():
    settings.USE_TZ = False
    naive = dt.datetime(2011, 9, 1)
    assert DateTimeField().get_prep_value(dt.date(2011, 9, 1)) == naive
    assert DateTimeField().get_prep_value(naive) is naive


def test_day_of_an_aware_datetime_is_that_of_the_default_zone():
    settings.TIME_ZONE = "Asia/Tokyo"
    late = dt.datetime(2024, 1, 1, 20, tzinfo=UTC)
    with timezone.override("America/Lima"):
        assert DateField().to_python(late) == dt.date(2024, 1, 2)


@pytest.mark.parametrize("kind", [DateField, DateTimeField, TimeField])
def test_present_is_filled_in_when_saving(kind):
    changed, made, plain = kind("c"), kind(auto_now_add=True), kind(auto_now=True)
    for name, field in {"changed": changed, "made": made, "plain": plain}.items():
        field.set_attributes_from_name(name)
    book = SimpleNamespace(changed=None, made=None, plain=None)
    assert changed.pre_save(book, add=True) is None
    assert made.pre_save(book, add=False) is None
    assert made.pre_save(book, add=True) is book.made is not None
    assert plain.pre_save(book, add=False) is book.plain is not None
    assert not made.editable
    assert made.blank


def test_defaults_and_the_present_exclude_each_other(make_model):
    with pytest.raises(FieldError, match="mutually exclusive"):
        make_model(d=DateField(auto_now=True, auto_now_add=True))


def test_dates_that_are_never_null_have_neighbours(make_model):
    model = make_model(d=DateField(), n=DateTimeField(null=True), t=TimeField())
    names = [name for name in dir(model) if "_by_" in name]
    assert names == ["aget_next_by_d", "aget_previous_by_d", "get_next_by_d", "get_previous_by_d"]


# --- others ------------------------------------------------------------------------


def test_bytes():
    assert BinaryField().get_default() == b""
    assert BinaryField(null=True).get_default() is None
    assert not BinaryField().editable
    assert bytes(BinaryField().to_python("AEb+")) == b"\x00F\xfe"
    for value in (" A", "!", "ä"):
        with pytest.raises(ValidationError, match=f"“{value}” is not a valid binary value."):
            BinaryField().to_python(value)
    with pytest.raises(TypeError, match="expected bytes but got 'a'"):
        BinaryField().get_prep_value("a")


def test_empty_address_is_saved_as_null():
    assert GenericIPAddressField(null=True).get_db_prep_save("", None) is None
    with pytest.raises(ValueError, match="'x' is unknown"):
        GenericIPAddressField(protocol="x")
    with pytest.raises(ValueError, match="unpack_ipv4"):
        GenericIPAddressField(protocol="IPv4", unpack_ipv4=True)


class Encoder(json.JSONEncoder):
    def default(self, value):
        return str(value)


def test_json_documents():
    field = JSONField(encoder=Encoder)
    assert field.dumps({"a": SOME_UUID}) == f'{{"a": "{SOME_UUID}"}}'
    assert field.from_db_value('{"a": [1, null]}', None, None) == {"a": [1, None]}
    assert field.from_db_value(None, None, None) is None
    field.clean({"a": SOME_UUID}, None)
    with pytest.raises(ValidationError, match="Value must be valid JSON"):
        JSONField().clean({"a": SOME_UUID}, None)
    with pytest.raises(ValueError, match="encoder parameter must be a callable"):
        JSONField(encoder=Encoder())


def test_json_keys_are_transforms(monkeypatch):
    monkeypatch.setattr(JSONField, "key_transform_factory", lambda name: f"key {name}")
    assert JSONField().get_transform("colour") == "key colour"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"editable": True}, "cannot be editable"),
        ({"blank": False}, "must be blank"),
        ({"default": ""}, "cannot have a default"),
        ({"db_default": ""}, "cannot have a database default"),
        ({"db_persist": None}, "must be True or False"),
    ],
)
def test_computed_columns_refuse_options(option, message):
    options = {"expression": Expression(), "output_field": CharField(), "db_persist": True}
    with pytest.raises(ValueError, match=message):
        GeneratedField(**{**options, **option})


def test_computed_column_is_like_the_field_of_its_result(make_model, sqlite_like):
    class Shouting(CharField):
        def from_db_value(self, value, expression, connection):
            return value.upper()

    expression = Expression()
    field = GeneratedField(
        expression=expression, output_field=Shouting(max_length=7), db_persist=True
    )
    make_model(name=field)
    assert field.db_type(sqlite_like) == "v7"
    assert field.get_internal_type() == "CharField"
    assert field.get_prep_value(5) == "5"
    assert field.from_db_value("a", None, None) == "A"
    assert field.generated
    assert field.db_returning
    assert set(field.deconstruct()[3]) == {"expression", "output_field", "db_persist"}
    plain = GeneratedField(expression=expression, output_field=IntegerField(), db_persist=True)
    assert not hasattr(plain, "from_db_value")
