"""Models that remember what was loaded."""

from __future__ import annotations

from aorm import models


class Maker(models.Model):
    name = models.CharField(max_length=50)


class Product(models.Model):
    name = models.CharField(max_length=50, default="")
    price = models.IntegerField(default=0)
    details = models.JSONField(default=dict)
    maker = models.ForeignKey(Maker, models.CASCADE, null=True)
    touched = models.DateTimeField(auto_now=True)

    class Meta:
        track_changes = True


class Drink(Product):
    """A child table, which remembers as its parent does."""

    volume = models.IntegerField(default=0)


ALL = (Maker, Product, Drink)
