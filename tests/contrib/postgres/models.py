"""A garden: what only PostgreSQL has columns for."""

from __future__ import annotations

import datetime

from aorm import models
from aorm.contrib.postgres.constraints import ExclusionConstraint
from aorm.contrib.postgres.fields import (
    ArrayField,
    BigIntegerRangeField,
    DateRangeField,
    DateTimeRangeField,
    DecimalRangeField,
    HStoreField,
    IntegerRangeField,
    RangeOperators,
)
from aorm.contrib.postgres.indexes import BrinIndex, GinIndex, GistIndex, HashIndex, OpClass
from aorm.contrib.postgres.search import SearchVectorField


class Plant(models.Model):
    name = models.CharField(max_length=50)
    height = models.IntegerField(default=0)
    colours = ArrayField(models.CharField(max_length=20), default=list)
    grid = ArrayField(ArrayField(models.IntegerField()), null=True)
    watered = ArrayField(models.DateTimeField(), null=True)
    notes = ArrayField(models.JSONField(), null=True)
    labels = HStoreField(null=True)
    label_sets = ArrayField(HStoreField(), null=True)
    document = SearchVectorField(null=True)

    class Meta:
        app_label = "garden"
        indexes = [
            GinIndex(fields=["colours"], name="plant_colours", fastupdate=False),
            GinIndex(OpClass("name", name="gin_trgm_ops"), name="plant_trigrams"),
            BrinIndex(fields=["height"], name="plant_height", pages_per_range=8),
            HashIndex(fields=["name"], name="plant_name_hash", fillfactor=70),
        ]


class Season(models.Model):
    days = IntegerRangeField(null=True)
    seeds = BigIntegerRangeField(null=True)
    rain = DecimalRangeField(null=True)
    dates = DateRangeField(null=True)
    times = DateTimeRangeField(null=True, default_bounds="[]")
    steps = ArrayField(IntegerRangeField(), null=True)

    class Meta:
        app_label = "garden"
        indexes = [GistIndex(fields=["dates"], name="season_dates", buffering=False)]


class Visit(models.Model):
    bed = models.IntegerField()
    dates = DateRangeField()
    cancelled = models.BooleanField(default=False)

    class Meta:
        app_label = "garden"
        constraints = [
            ExclusionConstraint(
                name="visit_once",
                expressions=[("dates", RangeOperators.OVERLAPS), ("bed", RangeOperators.EQUAL)],
                condition=models.Q(cancelled=False),
            )
        ]


class Reading(models.Model):
    at = models.DateTimeField()
    day = models.DateField(null=True)
    value = models.DecimalField(max_digits=9, decimal_places=3, null=True)
    text = models.TextField(default="")
    data = models.JSONField(null=True)
    raw = models.BinaryField(null=True)
    took = models.DurationField(null=True)
    plant = models.ForeignKey(Plant, models.CASCADE, null=True)

    class Meta:
        app_label = "garden"


class Tally(models.Model):
    number = models.IntegerField()

    class Meta:
        app_label = "garden"


ALL = (Plant, Season, Visit, Reading, Tally)
NOON = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)
