"""The options that fields take by keyword; for type checkers, so nothing imports it at run time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict


class FieldOptions(TypedDict, total=False):
    """The options that every field takes by keyword, `null` apart."""

    primary_key: bool
    max_length: int | None
    unique: bool
    blank: bool
    db_index: bool
    rel: Any
    default: Any
    editable: bool
    serialize: bool
    unique_for_date: str | None
    unique_for_month: str | None
    unique_for_year: str | None
    choices: Any
    help_text: Any
    db_column: str | None
    db_tablespace: str | None
    auto_created: bool
    validators: Iterable[Callable[[Any], None]]
    error_messages: Mapping[str, str] | None
    db_comment: str | None
    db_default: Any


class RelationOptions(FieldOptions, total=False):
    """What all relations take by keyword alone."""

    verbose_name: Any
    name: str | None


class ManyToManyOptions(RelationOptions, total=False):
    """The options of a many-to-many field."""

    null: bool


class ForeignKeyOptions(RelationOptions, total=False):
    """The options of a foreign key."""

    swappable: bool


class OneToOneOptions(ForeignKeyOptions, total=False):
    """The options of a one-to-one field."""

    related_name: str | None
    related_query_name: str | None
    limit_choices_to: Any
    parent_link: bool
    db_constraint: bool


class TextOptions(FieldOptions, total=False):
    """The options of a text field."""

    db_collation: str | None


class SlugOptions(TextOptions, total=False):
    """The options of a slug field."""

    allow_unicode: bool


class DecimalOptions(FieldOptions, total=False):
    """The options of a decimal field."""

    max_digits: int | None
    decimal_places: int | None


class DateOptions(FieldOptions, total=False):
    """The options of the fields that can take the present."""

    auto_now: bool
    auto_now_add: bool


class JSONOptions(FieldOptions, total=False):
    """The options of a JSON field."""

    encoder: Callable[..., Any] | None
    decoder: Callable[..., Any] | None


class AddressOptions(FieldOptions, total=False):
    """The options of an address field."""

    protocol: str
    unpack_ipv4: bool
