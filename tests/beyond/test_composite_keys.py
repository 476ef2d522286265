"""Foreign keys over several columns, to a primary key of several columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from query.spelling import interned, where
from support import Ask

import aorm
from aorm import models
from aorm.errors import FieldError, IntegrityError, QueryValueError
from aorm.models import Count, Max
from aorm.sql.ddl import create_sql
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE
from beyond.models import ALL, Plan, Seat


@pytest.fixture
def plans(database: Any) -> Iterator[tuple[Any, Any]]:
    aorm.create_tables(*ALL)
    yield (
        Plan.objects.create(tenant=1, number=1, name="one"),
        Plan.objects.create(tenant=1, number=2, name="two"),
    )
    aorm.drop_tables(*ALL)


def test_the_constraint() -> None:
    key = (
        'CONSTRAINT "beyond_seat_tenant_plan_number_{}_fk_beyond_plan" FOREIGN KEY ("tenant",'
        ' "plan_number") REFERENCES "beyond_plan" ("tenant", "number")'
        " DEFERRABLE INITIALLY DEFERRED"
    )
    inside, after = create_sql(ALL, SQLITE)[-1], create_sql(ALL, POSTGRESQL)[-1]
    digest = inside.partition("plan_number_")[2].partition("_fk")[0]
    assert inside.endswith(f", {key.format(digest)})")
    assert after == f'ALTER TABLE "beyond_seat" ADD {key.format(digest)}'
    _, _, _, options = Seat._meta.get_field("plan").deconstruct()
    assert options["db_constraint"] is True


def test_a_key_of_one_column_names_the_way_out() -> None:
    with aorm.isolate_apps("beyond"):

        class Wrong(models.Model):
            plan = models.ForeignKey(Plan, on_delete=models.CASCADE)

            class Meta:
                app_label = "beyond"

        for dialect in (SQLITE, POSTGRESQL):
            with pytest.raises(FieldError, match=r"Use ForeignObject\(to, on_delete, from_fields"):
                create_sql([Wrong], dialect)


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (SQLITE, '("beyond_seat"."tenant" = ? AND "beyond_seat"."plan_number" = ?)'),
        (POSTGRESQL, '("beyond_seat"."tenant" = $1 AND "beyond_seat"."plan_number" = $2)'),
    ],
    ids=["sqlite", "postgresql"],
)
def test_the_text_of_a_condition(dialect: Any, text: str) -> None:
    for value in (Plan(tenant=1, number=2), (1, 2)):
        assert where(interned(Seat).filter(plan=value), dialect) == (text, (1, 2))


async def test_objects_are_created_and_found(ask: Ask, plans: Any) -> None:
    one, two = plans
    seat = await ask(Seat.objects.create, plan=one)
    assert (seat.tenant, seat.plan_number, seat.plan) == (1, 1, one)
    other = await ask(two.seats.create, label="b")
    seats = Seat.objects.order_by("pk")
    assert await ask(list, seats.filter(plan=one)) == [seat]
    assert await ask(list, seats.filter(plan__in=[one, two])) == [seat, other]
    assert await ask(list, seats.filter(plan__in=Plan.objects.filter(name="two"))) == [other]
    assert await ask(list, seats.filter(plan__name="two")) == [other]
    assert await ask(list, seats.exclude(plan=one)) == [other]
    assert await ask(list, Plan.objects.filter(seats__label="b")) == [two]
    counted = Plan.objects.annotate(seats_=Count("seats"), last=Max("seats__pk")).order_by("number")
    rows = await ask(list, counted.values_list("seats_", "last"))
    assert rows == [(1, seat.pk), (1, other.pk)]


async def test_related_objects_are_loaded(ask: Ask, plans: Any) -> None:
    one, two = plans
    await ask(Seat.objects.bulk_create, [Seat(plan=one), Seat(plan=one), Seat(plan=two), Seat()])
    for rows in (Seat.objects.select_related("plan"), Seat.objects.prefetch_related("plan")):
        found = await ask(list, rows.order_by("pk"))
        assert [seat.plan and seat.plan.name for seat in found] == ["one", "one", "two", None]
    with_seats = Plan.objects.prefetch_related("seats").order_by("number")
    assert [len(plan.seats.all()) for plan in await ask(list, with_seats)] == [2, 1]


async def test_relations_are_changed(ask: Ask, plans: Any) -> None:
    one, two = plans
    made = await ask(Seat.objects.bulk_create, [Seat(plan=one), Seat(plan=one), Seat()])
    assert await ask(Seat.objects.filter(pk=made[0].pk).update, plan=two) == 1
    assert await ask(two.seats.count) == 1
    assert await ask(Seat.objects.filter(pk=made[1].pk).update, plan=(1, 2), label="x") == 1
    assert await ask(two.seats.filter(label="x").count) == 1
    await ask(one.seats.add, made[2])
    assert await ask(one.seats.count) == 1
    await ask(one.seats.set, made[:2])
    assert await ask(one.seats.count) == 2
    await ask(one.seats.clear)
    assert await ask(Seat.objects.filter(plan=None).count) == 3
    made[0].plan = two
    assert await ask(Seat.objects.bulk_update, made[:1], ["plan", "label"]) == 1
    (again,) = await ask(
        Seat.objects.filter(plan=two).returning("tenant", "plan_number").update, label="y"
    )
    assert again == (1, 2)


async def test_what_points_to_a_deleted_object_goes_with_it(ask: Ask, plans: Any) -> None:
    one, _ = plans
    await ask(Seat.objects.bulk_create, [Seat(plan=one), Seat(plan=one), Seat()])
    assert await ask(one.delete) == (3, {"beyond.Seat": 2, "beyond.Plan": 1})
    assert await ask(Seat.objects.count) == 1


async def test_the_database_watches(ask: Ask, plans: Any) -> None:
    with pytest.raises(IntegrityError):
        await ask(Seat.objects.create, tenant=1, plan_number=7)


def test_wrong_values_are_refused(plans: Any) -> None:
    for value in (5, "x", (1,), Seat()):
        with pytest.raises(QueryValueError, match=r"Seat\.plan is set to an object of Plan"):
            Seat.objects.update(plan=value)
