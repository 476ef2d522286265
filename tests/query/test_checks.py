"""Conditions over values that stand in no table."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from aorm.errors import FieldError
from aorm.models import BooleanField, ExpressionWrapper, F, Q, Value
from aorm.models.expressions import RawSQL
from aorm.models.functions import Lower

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Q(price__gt=20), [25, 30.5]),
        (Q(price__gt=F("least")) & ~Q(name="x"), [25, 30.5]),
        (Q(ExpressionWrapper(Q(price__lt=20), output_field=BooleanField())), [10]),
        (Q(price__isnull=True), []),
        (Q(name="test"), [10, 25, 30.5]),
        (Q(price__in=[]), []),
    ],
    ids=str,
)
async def test_a_condition_is_checked_against_values(ask, condition: Q, holds: Any) -> None:
    found = []
    for price in (10, 25, 30.5):
        values = {"price": price, "name": Lower(Value("TeSt")), "least": 11}
        if await ask(condition.check, values):
            found.append(price)
    assert found == holds


async def test_a_name_without_a_value_is_refused(ask) -> None:
    with pytest.raises(FieldError, match=r"'title' into field\. Choices are: name, price$"):
        await ask(Q(title__startswith="x").check, {"name": "a", "price": 1})


async def test_what_the_database_cannot_tell_is_logged(ask, caplog: Any) -> None:
    condition = Q(RawSQL("nonsense > %s", (20,), output_field=BooleanField()))
    async with ask.atomic():
        with caplog.at_level(logging.WARNING, "aorm.models"):
            assert await ask(condition.check, {"nonsense": 10}) is True
        assert await ask(Q(a=1).check, {"a": 1})
    assert "Got a database error calling check()" in caplog.text
