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


class SyncQueries(models.QuerySet[Any]):
    """What is overridden on the synchronous face."""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        Log.entries.append("get")
        return super().get(*args, **kwargs)

    def create(self, **kwargs: Any) -> Any:
        Log.entries.append("create")
        return super().create(**kwargs)

    def update(self, **kwargs: Any) -> int:
        Log.entries.append("update")
        return super().update(**kwargs)

    def delete(self) -> Any:
        Log.entries.append("delete")
        return super().delete()


class AsyncQueries(models.QuerySet[Any]):
    """The same on the asynchronous face."""

    async def aget(self, *args: Any, **kwargs: Any) -> Any:
        Log.entries.append("get")
        return await super().aget(*args, **kwargs)

    async def acreate(self, **kwargs: Any) -> Any:
        Log.entries.append("create")
        return await super().acreate(**kwargs)

    async def aupdate(self, **kwargs: Any) -> int:
        Log.entries.append("update")
        return await super().aupdate(**kwargs)

    async def adelete(self) -> Any:
        Log.entries.append("delete")
        return await super().adelete()


class Named(models.Manager[Any]):
    """A manager that takes one argument more than its model has fields."""

    def create(self, *, loud: bool = False, **kwargs: Any) -> Any:
        name = kwargs.pop("name")
        return super().create(name=name.upper() if loud else name, **kwargs)


class Shelf(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "saved"


class SyncKept(models.Model):
    name = models.CharField(max_length=20)
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True, related_name="sync_kept")
    shelves = models.ManyToManyField(Shelf, related_name="all_sync_kept")

    objects = SyncQueries.as_manager()

    class Meta:
        app_label = "saved"


class AsyncKept(models.Model):
    name = models.CharField(max_length=20)
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True, related_name="async_kept")
    shelves = models.ManyToManyField(Shelf, related_name="all_async_kept")

    objects = AsyncQueries.as_manager()

    class Meta:
        app_label = "saved"


class NamedKept(models.Model):
    name = models.CharField(max_length=20)
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True, related_name="named_kept")

    objects = Named()

    class Meta:
        app_label = "saved"


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
    Shelf,
    SyncKept,
    AsyncKept,
    NamedKept,
)
