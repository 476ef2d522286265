"""Models that are pointed to generically, and models that point."""

from __future__ import annotations

from typing import Any

from aorm import models
from aorm.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from aorm.contrib.contenttypes.models import ContentType


class Label(models.Model):
    text = models.CharField(max_length=50)
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveIntegerField()
    about: Any = GenericForeignKey()

    class Meta:
        ordering = ("text",)


class Animal(models.Model):
    name = models.CharField(max_length=50)
    labels: Any = GenericRelation(Label, related_query_name="animal")


class Plant(models.Model):
    name = models.CharField(max_length=50)
    labels: Any = GenericRelation(Label)


class Tree(Plant):
    """A child table: it has a content type of its own."""


class Weed(Plant):
    class Meta:
        proxy = True


class Note(models.Model):
    """Tells proxies from the models whose table they show; may be about nothing."""

    content_type = models.ForeignKey(ContentType, models.CASCADE, null=True)
    object_id = models.CharField(max_length=50, null=True)
    about: Any = GenericForeignKey(for_concrete_model=False)


class Stone(models.Model):
    """No way from here to its labels, but one to its notes, which keep keys as text."""

    notes: Any = GenericRelation(Note, for_concrete_model=False, related_query_name="stone")


class Step(models.Model):
    """Ordered among the steps of the same thing."""

    text = models.CharField(max_length=50)
    content_type = models.ForeignKey(ContentType, models.CASCADE, null=True)
    object_id = models.PositiveIntegerField(null=True)
    of: Any = GenericForeignKey()
    steps: Any = GenericRelation("self")

    class Meta:
        order_with_respect_to = "of"


class Dance(models.Model):
    steps: Any = GenericRelation(Step)


ALL = (ContentType, Label, Animal, Plant, Tree, Note, Stone, Step, Dance)
