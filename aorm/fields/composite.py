"""A primary key of several columns.

It has no column of its own: `pk` on an instance is the tuple of the values of its fields, and
setting it sets these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aorm.fields.base import NOT_PROVIDED, Field
from aorm.functional import cached_property
from aorm.late import json


class CompositeAttribute:
    """`pk` on the model class: reads and writes the values of the key's fields."""

    def __init__(self, field: CompositePrimaryKey) -> None:
        self.field = field

    @property
    def attnames(self) -> tuple[str, ...]:
        return self.field.attnames

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return tuple([getattr(instance, attname) for attname in self.field.attnames])

    def __set__(self, instance: Any, values: Any) -> None:
        attnames = self.field.attnames
        if values is None:
            values = (None,) * len(attnames)
        if not isinstance(values, list | tuple):
            raise ValueError(f"{self.field.name!r} must be a list or a tuple.")
        if len(values) != len(attnames):
            raise ValueError(f"{self.field.name!r} must have {len(attnames)} elements.")
        for attname, value in zip(attnames, values, strict=True):
            setattr(instance, attname, value)


class CompositePrimaryKey(Field[Any]):
    """The primary key that consists of these fields of the model, by name.

    Args:
        args: names of at least two fields, or their attnames.

    Raises:
        ValueError: the names are not such, or an option is given that the key cannot have.
    """

    descriptor_class = CompositeAttribute
    empty_strings_allowed = False
    derived_from_model = (*Field.derived_from_model, "fields", "attnames", "columns")

    def __init__(self, *args: str, **kwargs: Any) -> None:
        if (
            not args
            or not all(isinstance(name, str) for name in args)
            or len(set(args)) != len(args)
        ):
            raise ValueError("CompositePrimaryKey args must be unique strings.")
        if len(args) == 1:
            raise ValueError("CompositePrimaryKey must include at least two fields.")
        if kwargs.get("default", NOT_PROVIDED) is not NOT_PROVIDED:
            raise ValueError("CompositePrimaryKey cannot have a default.")
        if kwargs.get("db_default", NOT_PROVIDED) is not NOT_PROVIDED:
            raise ValueError("CompositePrimaryKey cannot have a database default.")
        if kwargs.get("db_column") is not None:
            raise ValueError("CompositePrimaryKey cannot have a db_column.")
        if kwargs.setdefault("editable", False):
            raise ValueError("CompositePrimaryKey cannot be editable.")
        if not kwargs.setdefault("primary_key", True):
            raise ValueError("CompositePrimaryKey must be a primary key.")
        if not kwargs.setdefault("blank", True):
            raise ValueError("CompositePrimaryKey must be blank.")
        self.field_names = args
        super().__init__(**kwargs)

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, _, kwargs = super().deconstruct()
        for option in ("editable", "primary_key", "blank"):
            kwargs.pop(option, None)
        return name, path, list(self.field_names), kwargs

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only=private_only)
        cls._meta.pk = self
        setattr(cls, self.attname, self.descriptor_class(self))

    def _problems(self) -> Iterator[str]:
        if self.name != "pk":
            yield "'CompositePrimaryKey' must be named 'pk'."

    def get_attname_column(self) -> tuple[str, Any]:
        return self.get_attname(), None

    # --- the fields it consists of --------------------------------------------------

    @cached_property
    def fields(self) -> tuple[Any, ...]:
        """The fields of the key, in its order."""
        return tuple([self.model._meta.get_field(name) for name in self.field_names])

    @cached_property
    def attnames(self) -> tuple[str, ...]:
        """Under which names an instance holds the values."""
        return tuple([field.attname for field in self.fields])

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns of the key, in its order."""
        return tuple([field.column for field in self.fields])

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.field_names)

    def __bool__(self) -> bool:
        return True

    # --- values ---------------------------------------------------------------------

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = json.loads(value)
        if isinstance(value, list | tuple):
            return tuple(
                [field.to_python(item) for field, item in zip(self.fields, value, strict=True)]
            )
        return value

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if isinstance(value, list | tuple) and len(value) == len(self.field_names):
            return tuple(
                [field.get_prep_value(item) for field, item in zip(self.fields, value, strict=True)]
            )
        return value

    def value_to_string(self, obj: Any) -> str:
        values = []
        for field in self.fields:
            value = field.value_from_object(obj)
            values.append(value if value is None else field.value_to_string(obj))
        return json.dumps(values)

    def get_pk_value_on_save(self, instance: Any) -> tuple[Any, ...]:
        """The values of the key, with defaults in place of those that are None."""
        return tuple(
            [
                value
                if (value := field.value_from_object(instance)) is not None
                else field.get_pk_value_on_save(instance)
                for field in self.fields
            ]
        )

    def db_type(self, connection: Any) -> None:
        return None

    def db_check(self, connection: Any) -> None:
        return None
