"""Constraints and indexes as data."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from aorm.fields.constraints import BaseConstraint, CheckConstraint, Deferrable, UniqueConstraint
from aorm.fields.indexes import Index


@dataclass(frozen=True)
class Q:
    """The least that a condition is."""

    text: str
    conditional = True
    connector = "AND"

    def resolve(self) -> None: ...

    def __str__(self) -> str:
        return f"({self.text})"


@dataclass(frozen=True)
class Lower:
    name: str

    def resolve(self) -> None: ...


COLD = Q("cold")


@pytest.mark.parametrize(
    ("make", "path", "kwargs"),
    [
        (BaseConstraint, "BaseConstraint", {"name": "n"}),
        (CheckConstraint, "CheckConstraint", {"name": "n", "condition": COLD}),
        (UniqueConstraint, "UniqueConstraint", {"name": "n", "fields": ("a",)}),
        (
            UniqueConstraint,
            "UniqueConstraint",
            {"name": "n", "fields": ("a",), "condition": COLD, "include": ("b",)},
        ),
        (
            UniqueConstraint,
            "UniqueConstraint",
            {"name": "n", "fields": ("a",), "deferrable": Deferrable.DEFERRED},
        ),
        (
            UniqueConstraint,
            "UniqueConstraint",
            {
                "name": "n",
                "fields": ("a",),
                "opclasses": ["o"],
                "nulls_distinct": False,
                "violation_error_code": "c",
                "violation_error_message": "m",
            },
        ),
        (Index, "Index", {"name": "n", "fields": ["a", "-b"]}),
        (
            Index,
            "Index",
            {"name": "n", "fields": ["a"], "condition": COLD, "include": ("b",)},
        ),
        (Index, "Index", {"name": "n", "fields": ["a"], "opclasses": ["o"], "db_tablespace": "t"}),
    ],
)
def test_deconstruct_gives_what_was_given(make, path, kwargs):
    made = make(**kwargs)
    assert made.deconstruct() == (f"aorm.models.{path}", (), kwargs)
    assert made.clone() == made
    assert hash(made.clone()) == hash(made)
    assert made != make(**{**kwargs, "name": "other"})
    assert made != 1


def test_expressions():
    for make in (UniqueConstraint, Index):
        made = make(Lower("a"), name="n")
        assert made.contains_expressions
        assert made.deconstruct()[1:] == ((Lower("a"),), {"name": "n"})
        assert made != make(Lower("b"), name="n")


def test_names_among_expressions_become_references(monkeypatch):
    monkeypatch.setattr("aorm.fields.constraints.ExpressionHolder.expression_maker", Lower)
    assert Index("a", Lower("b"), name="n").expressions == (Lower("a"), Lower("b"))


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (CheckConstraint(condition=COLD, name="n"), "<CheckConstraint: condition=(cold) name='n'>"),
        (
            UniqueConstraint(
                fields=["a", "b"], name="n", condition=COLD, violation_error_message="m"
            ),
            "<UniqueConstraint: fields=('a', 'b') name='n' condition=(cold) "
            "violation_error_message='m'>",
        ),
        (
            UniqueConstraint(
                fields=["a"], name="n", deferrable=Deferrable.IMMEDIATE, nulls_distinct=True
            ),
            "<UniqueConstraint: fields=('a',) name='n' deferrable=Deferrable.IMMEDIATE "
            "nulls_distinct=True>",
        ),
        (Index(fields=["a"]), "<Index: fields=['a']>"),
        (
            Index(fields=["a"], name="n", include=["b"], opclasses=["o"]),
            "<Index: fields=['a'] name='n' include=('b',) opclasses=['o']>",
        ),
    ],
)
def test_repr(made, text):
    assert repr(made) == text


def test_violation_message_names_the_constraint():
    assert BaseConstraint(name="n").get_violation_error_message() == "Constraint “n” is violated."
    own = BaseConstraint(name="n", violation_error_message="no %(name)s", violation_error_code="c")
    assert own.clone().get_violation_error_message() == "no n"
    assert own.clone().violation_error_code == "c"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UniqueConstraint(fields=["a"], name=""), "must be named"),
        (lambda: UniqueConstraint(name="n"), "At least one field or expression"),
        (lambda: UniqueConstraint("a", fields=["b"], name="n"), "mutually exclusive"),
        (lambda: UniqueConstraint("a", opclasses=["o"], name="n"), "cannot be used with expr"),
        (lambda: UniqueConstraint(fields=["a"], opclasses="o", name="n"), "be a list or tuple"),
        (lambda: UniqueConstraint(fields=["a"], include="b", name="n"), "be a list or tuple"),
        (lambda: UniqueConstraint(fields=["a"], opclasses=["o", "p"], name="n"), "same number"),
        (lambda: UniqueConstraint(fields=["a"], name="n", nulls_distinct="x"), "must be a bool"),
        (lambda: UniqueConstraint(fields=["a"], name="n", deferrable="x"), "Deferrable instance"),
        (lambda: UniqueConstraint(fields=["a"], name="n", condition="x"), "must be a Q instance"),
        (lambda: CheckConstraint(condition=Lower("a"), name="n"), "Q instance or boolean"),
        (lambda: Index(), "At least one field or expression"),
        (lambda: Index(fields="a"), "be a list or tuple"),
        (lambda: Index(fields=[Lower("a")]), "only strings"),
        (lambda: Index("a", fields=["b"], name="n"), "mutually exclusive"),
        (lambda: Index("a"), "must be named to use expressions"),
        (lambda: Index(fields=["a"], opclasses=["o"]), "must be named to use opclasses"),
        (lambda: Index(fields=["a"], condition=COLD), "must be named to use condition"),
        (lambda: Index(fields=["a"], include=["b"]), "covering index must be named"),
        (lambda: Index(fields=["a"], condition="x", name="n"), "must be a Q instance"),
        (lambda: Index(fields=["a"], opclasses=["o", "p"], name="n"), "same number"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


@pytest.mark.parametrize(
    "options",
    [{"condition": COLD}, {"include": ["b"]}, {"opclasses": ["o"]}],
)
def test_deferred_constraints_have_nothing_that_an_index_needs(options):
    with pytest.raises(ValueError, match="cannot be deferred"):
        UniqueConstraint(fields=["a"], name="n", deferrable=Deferrable.DEFERRED, **options)


# --- names -------------------------------------------------------------------------


def table(name: str, **columns: str) -> SimpleNamespace:
    def get_field(field: str) -> SimpleNamespace:
        return SimpleNamespace(column=columns.get(field, field))

    return SimpleNamespace(_meta=SimpleNamespace(db_table=name, get_field=get_field))


@pytest.mark.parametrize(
    ("fields", "model", "name"),
    [
        (["author"], table("model_indexes_book"), "model_index_author_0f5565_idx"),
        (["-author"], table("model_indexes_book"), "model_index_author_708765_idx"),
        (["p"], table("model_indexes_book", p="page_count"), "model_index_page_co_69235a_idx"),
        (["name"], table('"t_quoted"'), "t_quoted_name_e4ed1b_idx"),
    ],
)
def test_made_up_names_are_short_and_stable(fields, model, name):
    index = Index(fields=fields)
    index.set_name_with_model(model)
    assert index.name == name


def test_made_up_names_begin_with_a_letter():
    for name in ("_t", "1t"):
        index = Index(fields=["a"])
        index.set_name_with_model(table(name))
        assert index.name.startswith("Dt_a_")


def test_long_suffixes_are_refused():
    index = Index(fields=["long_name"])
    index.suffix = "suffix"
    with pytest.raises(ValueError, match="longer than 3 characters"):
        index.set_name_with_model(table("model_indexes_book"))


def test_fields_know_their_order():
    assert Index(fields=["a", "-b"]).fields_orders == [("a", ""), ("b", "DESC")]
