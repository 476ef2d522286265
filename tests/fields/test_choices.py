"""Choices in all their forms, and enumerations of them."""

from __future__ import annotations

import datetime
import enum
import pickle

import pytest

from aorm.fields.choices import CallableChoiceIterator, normalize_choices
from aorm.fields.enums import Choices, IntegerChoices, TextChoices
from aorm.fields.numbers import IntegerField
from aorm.fields.text import CharField
from aorm.functional import Promise, lazystr


class Suit(IntegerChoices):
    DIAMOND = 1, lazystr("Diamond")
    JET_SKI = 2


class Year(TextChoices):
    FRESHMAN = "FR", "Freshman"
    AUTO = enum.auto()

    __empty__ = "(none)"


class Landing(datetime.date, Choices):
    APOLLO_11 = 1969, 7, 20, "Eagle"
    APOLLO_12 = 1969, 11, 19


def offered():
    return {1: "A"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ((), []),
        ([(1, "A")], [(1, "A")]),
        (((1, "A"),), [(1, "A")]),
        ({1: "A"}, [(1, "A")]),
        ({"G": {1: "A"}}, [("G", [(1, "A")])]),
        ([("G", ((1, "A"),))], [("G", [(1, "A")])]),
        (iter([(1, "A")]), [(1, "A")]),
        (Suit, [(1, "Diamond"), (2, "Jet Ski")]),
        ({"G": Suit}, [("G", [(1, "Diamond"), (2, "Jet Ski")])]),
        (offered, [(1, "A")]),
    ],
)
def test_every_form_has_the_same_canonical_form(given, expected):
    assert normalize_choices(given) == expected


def test_function_is_called_each_time():
    given = {}
    field = IntegerField(choices=lambda: given)
    assert list(field.choices) == []
    given[1] = "A"
    assert field.choices[:2] == [(1, "A")]
    assert field.choices[-1] == (1, "A")
    assert field.flatchoices == [(1, "A")]
    assert isinstance(field.choices, CallableChoiceIterator)


def test_deconstruct_gives_the_function():
    assert IntegerField(choices=offered).deconstruct()[3] == {"choices": offered}
    assert IntegerField(choices=iter([(1, "A")])).deconstruct()[3] == {"choices": [(1, "A")]}


def test_enumeration_knows_choices_labels_values_and_names():
    assert Year.choices == [(None, "(none)"), ("FR", "Freshman"), ("AUTO", "Auto")]
    assert Year.labels == ["(none)", "Freshman", "Auto"]
    assert Year.values == [None, "FR", "AUTO"]
    assert Year.names == ["__empty__", "FRESHMAN", "AUTO"]
    assert Landing.choices[1] == (datetime.date(1969, 11, 19), "Apollo 12")


def test_members():
    assert isinstance(Suit.DIAMOND.label, Promise)
    assert (Suit.DIAMOND.value, str(Suit.DIAMOND), repr(Suit.DIAMOND)) == (1, "1", "Suit.DIAMOND")
    assert Suit(1) is Suit["DIAMOND"] is pickle.loads(pickle.dumps(Suit.DIAMOND))
    assert 1 in Suit
    assert 7 not in Suit
    assert "FR" in Year
    assert f"{Year.FRESHMAN}" == "FR"
    assert Suit.do_not_call_in_templates is True


def test_functional_form():
    assert TextChoices("Medal", "GOLD SILVER").choices == [("GOLD", "Gold"), ("SILVER", "Silver")]
    assert TextChoices("Stationery", "label stamp").label.label == "Label"
    special = IntegerChoices("Special", "do_not_call_in_templates")
    assert special.do_not_call_in_templates.value == 1
    with pytest.raises(AttributeError):
        TextChoices("Properties", "choices labels names values")


def test_values_are_unique():
    with pytest.raises(ValueError, match="PINEAPPLE -> APPLE"):

        class Fruit(IntegerChoices):
            APPLE = 1, "Apple"
            PINEAPPLE = 1, "Pineapple"


def test_members_become_plain_values_for_queries():
    assert type(CharField(choices=Year).get_prep_value(Year.FRESHMAN)) is str
    assert type(IntegerField(choices=Suit).get_prep_value(Suit.DIAMOND)) is int
    assert IntegerField(choices=Suit).clean("1", None) == 1
