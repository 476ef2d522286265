"""Lookups and transforms by name, of classes and of instances."""

from __future__ import annotations

import pytest

from aorm.fields import lookup_registry
from aorm.fields.lookup_registry import RegisterLookupMixin


class Parent(RegisterLookupMixin):
    pass


class Child(Parent):
    pass


class Loud:
    lookup_name = "loud"


class Quiet:
    lookup_name = "quiet"
    bilateral = False


class Wrapping(RegisterLookupMixin):
    def __init__(self, output_field):
        self.output_field = output_field


@pytest.fixture
def registered():
    Parent.register_lookup(Loud)
    Parent.register_lookup(Quiet)
    yield
    Parent._unregister_lookup(Loud)
    Parent._unregister_lookup(Quiet)


@pytest.mark.usefixtures("registered")
def test_lookups_are_inherited_and_told_from_transforms():
    child = Child()
    assert child.get_lookup("loud") is Loud
    assert child.get_transform("loud") is None
    assert child.get_transform("quiet") is Quiet
    assert child.get_lookup("quiet") is None
    assert child.get_lookup("other") is None
    assert set(child.get_lookups()) == {"loud", "quiet"}


@pytest.mark.usefixtures("registered")
def test_nearest_class_and_then_the_instance_win():
    class Louder(Loud):
        pass

    class Loudest(Loud):
        pass

    child, other = Child(), Child()
    Child.register_lookup(Louder)
    child.register_lookup(Loudest)
    assert (Parent().get_lookup("loud"), other.get_lookup("loud")) == (Loud, Louder)
    assert child.get_lookup("loud") is Loudest
    assert child.instance_lookups == {"loud": Loudest}
    child._unregister_lookup(Loudest)
    Child._unregister_lookup(Louder)
    assert child.get_lookup("loud") is Loud


@pytest.mark.usefixtures("registered")
def test_expressions_have_the_lookups_of_their_output():
    assert Wrapping(Child()).get_lookup("loud") is Loud
    assert Wrapping(None).get_lookup("loud") is None


def test_another_name_and_use_as_a_decorator(monkeypatch):
    calls = []
    monkeypatch.setattr(lookup_registry, "listeners", [lambda: calls.append(1)])

    @Child.register_lookup
    class Named:
        lookup_name = "named"

    Child.register_lookup(Named, "renamed")
    assert Child().get_lookup("named") is Child().get_lookup("renamed") is Named
    Child._unregister_lookup(Named)
    Child._unregister_lookup(Named, lookup_name="renamed")
    assert Child().get_lookups() == {}
    assert len(calls) == 4


def test_lookup_without_a_name_is_refused():
    with pytest.raises(TypeError, match="has no lookup_name"):
        Child.register_lookup(object)
