"""Models whose tables the tests of schemas make themselves: shelves, and boxes on them."""

from __future__ import annotations

from aorm import isolate_apps, models
from aorm.models import CheckConstraint, F, Index, Q, UniqueConstraint
from aorm.models.functions import Lower

with isolate_apps():

    class Shelf(models.Model):
        name = models.CharField(max_length=30, db_index=True)
        width = models.PositiveIntegerField(unique=True)
        colours = models.ManyToManyField("self")

        class Meta:
            app_label = "schema"

    class Box(models.Model):
        shelf = models.ForeignKey(Shelf, on_delete=models.DB_CASCADE)
        above = models.ForeignKey("self", null=True, on_delete=models.CASCADE)
        label = models.CharField(max_length=20)
        weight = models.DecimalField(max_digits=6, decimal_places=2, null=True)
        details = models.JSONField(default=dict)

        class Meta:
            app_label = "schema"
            unique_together = (("shelf", "label"),)
            indexes = (Index(fields=["label", "-weight"], name="by_label"),)
            constraints = (CheckConstraint(condition=Q(weight__gt=0), name="heavy"),)


ADDED_INDEXES = [
    Index(fields=["-weight"], name="by_weight"),
    Index(fields=["label"], name="of_light_ones", condition=Q(weight__lt=1) & Q(label="x")),
    Index(Lower("label").desc(), name="caseless"),
]
ADDED_CONSTRAINTS = [
    CheckConstraint(condition=~Q(label=""), name="labelled"),
    UniqueConstraint(fields=["label", "weight"], name="one_of_a_kind"),
    UniqueConstraint(fields=["weight"], name="one_of_a_weight", condition=Q(weight__gt=5)),
    UniqueConstraint(Lower("label"), F("shelf"), name="one_in_any_case"),
]
