"""A stand-in for a model class: the fields layer needs no more of one."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest


class Options:
    app_label = "shop"
    object_name = "Book"
    model_name = "book"
    label = "shop.Book"
    label_lower = "shop.book"
    db_table = "shop_book"

    def __init__(self) -> None:
        self.added: list[Any] = []
        self.auto_field = None
        self.pk = None

    def add_field(self, field: Any, private: bool = False) -> None:
        self.added.append(field)

    def get_field(self, name: str) -> Any:
        return next(field for field in self.added if name in (field.name, field.attname))


@pytest.fixture
def make_model() -> Callable[..., Any]:
    """A function that makes a class with these fields by name."""

    def make(body: dict[str, Any] | None = None, **fields: Any) -> Any:
        model: Any = type("Book", (), {"_meta": Options(), **(body or {})})
        for name, field in fields.items():
            field.contribute_to_class(model, name)
        return model

    return make


@pytest.fixture
def sqlite_like() -> Any:
    """What a field asks of a database or a dialect."""
    return SimpleNamespace(
        vendor="sqlite",
        data_types={
            "CharField": lambda p: "varchar" if p["max_length"] is None else f"v{p['max_length']}",
            "IntegerField": "integer",
            "PositiveIntegerField": "integer unsigned",
            "SmallIntegerField": "smallint",
            "BigIntegerField": "bigint",
            "AutoField": "integer",
            "BigAutoField": "bigint auto",
            "DecimalField": "numeric(%(max_digits)s, %(decimal_places)s)",
        },
        data_type_check_constraints={"PositiveIntegerField": "%(qn_column)s >= 0"},
        data_types_suffix={"AutoField": "AUTOINCREMENT"},
        cast_types={"IntegerField": "signed"},
        quote=lambda name: f'"{name}"',
    )
