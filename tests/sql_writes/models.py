"""Models with a column of every kind, and with every kind of index and constraint."""

from __future__ import annotations

from aorm import models
from aorm.models import F, Q


class Author(models.Model):
    name = models.CharField(max_length=100, db_index=True)
    email = models.EmailField(unique=True)

    class Meta:
        app_label = "writes"


class Tag(models.Model):
    name = models.SlugField()

    class Meta:
        app_label = "writes"


class Book(models.Model):
    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, on_delete=models.DB_CASCADE)
    pages = models.PositiveIntegerField(db_default=1)
    twice = models.GeneratedField(
        expression=F("pages") * 2, output_field=models.IntegerField(), db_persist=True
    )
    tags = models.ManyToManyField(Tag)

    class Meta:
        app_label = "writes"
        unique_together = [("title", "author")]
        indexes = [
            models.Index(fields=["-pages", "title"], name="by_pages"),
            models.Index(F("title").desc(), name="by_title", condition=Q(pages__gt=3)),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(pages__gt=0) | Q(title="it's"), name="positive"),
            models.UniqueConstraint(
                fields=["title"], name="title_once", condition=Q(pages__gt=9), include=["pages"]
            ),
        ]


class Pair(models.Model):
    pk = models.CompositePrimaryKey("left", "right")
    left = models.IntegerField()
    right = models.CharField(max_length=5)
    weight = models.FloatField(default=0)

    class Meta:
        app_label = "writes"


class Empty(models.Model):
    class Meta:
        app_label = "writes"


class Chicken(models.Model):
    egg = models.ForeignKey("Egg", null=True, on_delete=models.CASCADE)

    class Meta:
        app_label = "writes"


class Egg(models.Model):
    chicken = models.ForeignKey(Chicken, null=True, on_delete=models.CASCADE)

    class Meta:
        app_label = "writes"


class Everything(models.Model):
    """A column of every kind."""

    boolean = models.BooleanField(null=True)
    char = models.CharField(max_length=20, null=True)
    text = models.TextField(null=True)
    small = models.SmallIntegerField(null=True)
    integer = models.IntegerField(null=True)
    big = models.BigIntegerField(null=True)
    positive = models.PositiveBigIntegerField(null=True)
    real = models.FloatField(null=True)
    price = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    number = models.DecimalField(null=True)
    day = models.DateField(null=True)
    clock = models.TimeField(null=True)
    moment = models.DateTimeField(null=True)
    duration = models.DurationField(null=True)
    uuid = models.UUIDField(null=True)
    data = models.BinaryField(null=True)
    json = models.JSONField(null=True)
    address = models.GenericIPAddressField(null=True)

    class Meta:
        app_label = "writes"


ALL = (Author, Tag, Book, Pair, Empty, Chicken, Egg, Everything)
