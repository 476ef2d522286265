"""Models whose tables the tests of this directory create."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from aorm import models
from aorm.query.functions.text import Lower


class Writer(models.Model):
    name = models.CharField(max_length=20)
    born = models.IntegerField(null=True)

    class Meta:
        app_label = "saved"


class Page(models.Model):
    number = models.IntegerField(default=1)
    writer = models.ForeignKey(Writer, models.CASCADE, null=True)
    words = models.IntegerField(db_default=7)
    doubled = models.GeneratedField(
        expression=models.F("number") * 2, output_field=models.IntegerField(), db_persist=True
    )

    class Meta:
        app_label = "saved"


class Careful(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "saved"
        select_on_save = True


class Token(models.Model):
    key = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=20, default="")

    class Meta:
        app_label = "saved"


class Place(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "saved"


class Restaurant(Place):
    stars = models.IntegerField(default=0)

    class Meta:
        app_label = "saved"


class Pizzeria(Restaurant):
    ovens = models.IntegerField(default=1)

    class Meta:
        app_label = "saved"


class Event(models.Model):
    title = models.CharField(max_length=20, unique=True)
    day = models.DateField()
    room = models.CharField(max_length=5, blank=True, unique_for_date="day")
    start = models.IntegerField(default=0)
    end = models.IntegerField(default=1)
    host = models.ForeignKey(Writer, models.CASCADE, null=True, blank=True)

    class Meta:
        app_label = "saved"
        unique_together = (("day", "start"),)
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(end__gt=models.F("start")), name="ends"),
            models.UniqueConstraint(
                fields=["host"], condition=models.Q(start=9), name="one_morning_each"
            ),
            models.UniqueConstraint(Lower("title"), name="title_in_any_case"),
        ]


class Log:
    """What the overridden methods of the models below wrote down."""

    entries: ClassVar[list[str]] = []


class SyncSaved(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "saved"

    def save(self, **options: Any) -> None:
        Log.entries.append("save")
        super().save(**options)
        Log.entries.append("saved")

    def delete(self, **options: Any) -> Any:
        Log.entries.append("delete")
        return super().delete(**options)


class AsyncSaved(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "saved"

    async def asave(self, **options: Any) -> None:
        Log.entries.append("asave")
        await super().asave(**options)
        Log.entries.append("asaved")

    async def adelete(self, **options: Any) -> Any:
        Log.entries.append("adelete")
        return await super().adelete(**options)


class EachSaved(models.Model):
    """Both faces are overridden, each in its own way."""

    name = models.CharField(max_length=20)

    class Meta:
        app_label = "saved"

    def save(self, **options: Any) -> None:
        Log.entries.append("save")
        super().save(**options)

    async def asave(self, **options: Any) -> None:
        Log.entries.append("asave")
        await super().asave(**options)


class BothSaved(AsyncSaved):
    """A synchronous override above an asynchronous one."""

    class Meta:
        app_label = "saved"
        proxy = True

    def save(self, **options: Any) -> None:
        Log.entries.append("outer")
        super().save(**options)


ALL = (
    Writer,
    Page,
    Careful,
    Token,
    Place,
    Restaurant,
    Pizzeria,
    Event,
    SyncSaved,
    AsyncSaved,
    EachSaved,
)
