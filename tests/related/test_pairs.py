"""Comparisons of several columns made by hand, hidden relations, children of two parents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import aorm
from aorm.errors import FieldError, QueryValueError, ValidationError
from aorm.models import F
from aorm.models.fields.tuple_lookups import (
    TupleExact,
    TupleGreaterThan,
    TupleGreaterThanOrEqual,
    TupleIn,
    TupleIsNull,
    TupleLessThan,
    TupleLessThanOrEqual,
)
from related.pairs import ALL, Both, Contact, Customer, Left, Limited, More, Right

COLUMNS = (F("customer_number"), F("company_code"))


@pytest.fixture
def tables(database: Any) -> Iterator[None]:
    aorm.create_tables(*ALL)
    yield
    aorm.drop_tables(*ALL)


@pytest.fixture
def contacts(tables) -> list[Contact]:
    for number, company in ((1, "a"), (1, "b"), (2, "a")):
        Customer.objects.create(number=number, company=company)
    return [
        Contact.objects.create(customer_number=number, company_code=company)
        for number, company in ((1, "a"), (1, "b"), (2, "a"), (None, "a"))
    ]


@pytest.mark.parametrize(
    ("lookup", "value", "found"),
    [
        (TupleExact, (1, "b"), [1]),
        (TupleExact, ("1", "b"), [1]),
        (TupleIn, [(1, "a"), (2, "a"), (9, "z")], [0, 2]),
        (TupleIn, [], []),
        (TupleGreaterThan, (1, "a"), [1, 2]),
        (TupleGreaterThanOrEqual, (1, "b"), [1, 2]),
        (TupleLessThan, (1, "b"), [0]),
        (TupleLessThanOrEqual, (1, "b"), [0, 1]),
        (TupleIsNull, True, [3]),
        (TupleIsNull, False, [0, 1, 2]),
    ],
)
async def test_columns_are_compared_together(ask, contacts, lookup, value, found):
    rows = await ask(list, Contact.objects.filter(lookup(COLUMNS, value)))
    assert rows == [contacts[place] for place in found]


async def test_columns_are_found_in_a_query_of_as_many(ask, contacts):
    keys = Customer.objects.filter(company="a").values("number", "company")
    rows = await ask(list, Contact.objects.filter(TupleIn(COLUMNS, keys)))
    assert rows == [contacts[0], contacts[2]]


@pytest.mark.parametrize(
    ("lookup", "value", "message"),
    [
        (TupleExact, 1, "'exact' lookup of .'customer_number', 'company_code'. must be a tuple"),
        (TupleExact, (1,), "must have 2 elements, and"),
        (TupleLessThan, None, "must be a tuple or a list, not None"),
        (TupleIn, 1, "must be a tuple or a list, not 1"),
        (TupleIn, [1, 2], "must be a collection of tuples or lists, not 1"),
        (TupleIn, [(1, 2, 3)], "must have 2 elements each"),
    ],
)
def test_what_cannot_be_compared_is_refused_at_once(lookup, value, message):
    with pytest.raises(QueryValueError, match=message):
        lookup(COLUMNS, value)


def test_a_query_of_another_width_is_refused_at_once():
    with pytest.raises(QueryValueError, match="must have 2 selected fields"):
        TupleIn(COLUMNS, Customer.objects.values("number"))


async def test_a_hidden_relation_of_two_columns_is_prefetched_by_its_columns(ask, contacts):
    with ask.queries() as queries:
        found = await ask(list, Contact.objects.prefetch_related("customer"))
    assert [each.customer and each.customer.number for each in found] == [1, 1, 2, None]
    assert len(queries) == 2
    assert "JOIN" not in queries[1].sql


async def test_where_all_columns_are_empty_nothing_is_asked(ask, tables):
    await ask(Contact.objects.create, company_code="a")
    with ask.queries() as queries:
        await ask(list, Contact.objects.prefetch_related("customer"))
    assert len(queries) == 1


async def test_constraints_over_a_relation_without_a_column_are_checked(ask, tables):
    with pytest.raises(ValidationError, match="related_limited_number"):
        await ask(Limited(number=1500).validate_constraints)
    await ask(Limited(number=5).validate_constraints)


# --- children of two parents ---------------------------------------------------------------


async def test_a_child_that_is_not_there_is_not_made_of_its_parent(ask, tables):
    await ask(Left.objects.create, left_name="l")
    left = await ask(Left.objects.select_related("both").get)
    with pytest.raises(Both.DoesNotExist):
        _ = left.both


async def test_a_child_has_what_was_loaded_of_its_parent(ask, tables):
    await ask(Right.objects.create, right_name="x")
    made = await ask(More.objects.create, left_name="l", right_name="r", value=1, extra=2)
    rows = Right.objects.select_related("both__more").only(
        "right_id", "both__value", "both__more__extra"
    )
    with ask.queries() as queries:
        right = await ask(rows.get, right_id=made.right_id)
        more = right.both.more
        assert (more.right_id, right.both.value, more.extra) == (made.right_id, 1, 2)
    assert len(queries) == 1
    assert queries[0].sql.count('"right_id"') < 4


def test_the_key_of_another_parent_is_loaded_and_not_guessed(tables):
    Right.objects.create(right_name="x")
    made = More.objects.create(left_name="l", right_name="r")
    assert made.right_id != made.pk
    assert More.objects.only("extra").get().right_id == made.right_id


def test_choices_of_select_related_come_in_the_order_of_the_model():
    with pytest.raises(FieldError, match=r"'nothing'. Choices are: both$"):
        str(Right.objects.select_related("nothing").query)
