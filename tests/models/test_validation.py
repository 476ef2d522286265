"""Checks before saving, on both faces."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from aorm import errors
from models.saved import Event, Pizzeria, Writer

pytestmark = pytest.mark.usefixtures("tables")

DAY = date(2024, 1, 1)


def event(**values: Any) -> Event:
    return Event(**{"title": "New", "day": DAY, "start": 1, "end": 2, **values})


@pytest.fixture
def others(database: Any) -> list[Event]:
    ada = Writer.objects.create(name="Ada")
    return [
        Event.objects.create(title="One", day=DAY, room="a", start=8, end=9, host=ada),
        Event.objects.create(title="Two", day=DAY, room="b", start=9, end=10, host=ada),
    ]


async def refused(ask: Any, call: Any, **options: Any) -> dict[str, list[str]]:
    with pytest.raises(errors.ValidationError) as caught:
        await ask(call, **options)
    return caught.value.message_dict


async def test_what_is_right_passes(ask: Any, others: list[Event]) -> None:
    await ask(event().full_clean)
    await ask(others[0].full_clean)


async def test_a_unique_field(ask: Any, others: list[Event]) -> None:
    assert await refused(ask, event(title="One").validate_unique) == {
        "title": ["Event with this Title already exists."]
    }


async def test_fields_that_are_unique_together(ask: Any, others: list[Event]) -> None:
    assert await refused(ask, event(start=8).validate_unique) == {
        "__all__": ["Event with this Day and Start already exists."]
    }
    await ask(event(start=8).validate_unique, exclude=["day"])


async def test_a_field_that_is_unique_for_a_date(ask: Any, others: list[Event]) -> None:
    assert await refused(ask, event(room="a").validate_unique) == {
        "room": ["Room must be unique for Day date."]
    }


async def test_a_check_constraint(ask: Any, others: list[Event]) -> None:
    assert await refused(ask, event(start=3, end=2).validate_constraints) == {
        "__all__": ["Constraint “ends” is violated."]
    }
    await ask(event(start=3, end=2).validate_constraints, exclude=["end"])


async def test_a_conditional_unique_constraint(ask: Any, others: list[Event]) -> None:
    host = others[0].host
    await ask(event(host=host, start=5, end=9).validate_constraints)
    assert await refused(ask, event(host=host, start=9, end=10).validate_constraints) == {
        "__all__": ["Constraint “one_morning_each” is violated."]
    }


async def test_a_unique_constraint_over_an_expression(ask: Any, others: list[Event]) -> None:
    assert await refused(ask, event(title="ONE").validate_constraints) == {
        "__all__": ["Constraint “title_in_any_case” is violated."]
    }


async def test_full_clean_collects_everything(ask: Any, others: list[Event]) -> None:
    found = await refused(ask, event(title="", start=8, end=3).full_clean)
    assert set(found) == {"title", "__all__"}
    assert len(found["__all__"]) == 2


async def test_a_foreign_key_to_nothing(ask: Any, others: list[Event]) -> None:
    found = await refused(ask, event(host_id=77).full_clean)
    assert found == {"host": ["writer instance with id 77 is not a valid choice."]}


async def test_a_child_is_checked_with_its_parents(ask: Any) -> None:
    with pytest.raises(errors.ValidationError) as caught:
        await ask(Pizzeria(name="").full_clean)
    assert set(caught.value.message_dict) == {"name"}
