"""Relations whose joins have a condition that the running code decides: the current language."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from aorm import models

language: ContextVar[str | None] = ContextVar("language", default="en")


class Equals:
    """`alias.column = value`, as a user of `get_extra_restriction` spells it."""

    def __init__(self, alias: str, column: str, value: Any) -> None:
        self.alias, self.column, self.value = alias, column, value

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        quote = compiler.quote_name
        return f"{quote(self.alias)}.{quote(self.column)} = %s", [self.value]


class InCurrentLanguage(models.ForeignObject):
    requires_unique_target = False

    def get_extra_restriction(self, alias: Any, related_alias: Any) -> Any:
        return Equals(alias, "language", language.get())


class Nowhere(models.ForeignObject):
    """A relation that joins nothing."""

    requires_unique_target = False

    def get_joining_fields(self, reverse_join: bool = False) -> tuple[Any, ...]:
        return ()


class Page(models.Model):
    name = models.CharField(max_length=20)
    text = InCurrentLanguage(
        "Text",
        models.CASCADE,
        from_fields=["id"],
        to_fields=["page"],
        related_name="+",
        null=True,
    )
    broken = Nowhere(
        "Text",
        models.CASCADE,
        from_fields=["id"],
        to_fields=["page"],
        related_name="+",
        null=True,
    )


class Text(models.Model):
    page = models.ForeignKey(Page, models.CASCADE)
    language = models.CharField(max_length=2)
    title = models.CharField(max_length=20)


ALL = (Page, Text)
