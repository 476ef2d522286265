"""Relations over several columns: seats of plans, and notes of seats, within a tenant."""

from __future__ import annotations

from aorm import models


class Plan(models.Model):
    pk = models.CompositePrimaryKey("tenant", "number")
    tenant = models.IntegerField()
    number = models.IntegerField()
    name = models.CharField(max_length=20, default="")

    class Meta:
        app_label = "beyond"


class Seat(models.Model):
    tenant = models.IntegerField(null=True)
    plan_number = models.IntegerField(null=True)
    plan = models.ForeignObject(
        Plan,
        on_delete=models.CASCADE,
        from_fields=["tenant", "plan_number"],
        to_fields=["tenant", "number"],
        related_name="seats",
        null=True,
        db_constraint=True,
    )
    label = models.CharField(max_length=20, default="")

    class Meta:
        app_label = "beyond"


ALL = (Plan, Seat)
