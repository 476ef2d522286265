"""Values as SQL text, for DDL, which takes no parameters.  Nothing else may use this."""

from __future__ import annotations

import datetime
import math
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from aorm.sql.dialect import Dialect
from aorm.sql.dialects.postgresql_text import array_text
from aorm.sql.dialects.sqlite_values import sqlite_any
from aorm.sql.dialects.values import kind_of, plain


def literal(value: Any, dialect: Dialect, field: Any = None) -> str:
    """A value as a literal.

    Args:
        value: what a user gave, or what an adapter of the dialect made of it.
        field: the field whose value it is; without it the class of the value decides.
    Raises:
        ValueError: the value cannot be written as SQL, as a text with a null character.
        TypeError: nothing is known about values of this class.
    """
    if field is not None and value is not None:
        value = field.get_db_prep_value(value, connection=dialect, prepared=False)
        adapt = dialect.adapter(field)
        if adapt is not None:
            value = adapt(value)
    value = plain(value)
    if dialect.vendor == "sqlite":
        value = sqlite_any(value, use_tz=dialect.use_tz)
    writers = _WRITERS[dialect.vendor]
    for kind in type(value).__mro__:
        if kind in writers:
            text = writers[kind](value)
            return (
                f"{text}::jsonb" if dialect.capabilities.native_json and _is_json(field) else text
            )
    raise TypeError(f"a value of {type(value).__name__} cannot be written as SQL: {value!r}")


def _is_json(field: Any) -> bool:
    return field is not None and kind_of(field) == "JSONField"


def text_literal(value: str) -> str:
    """A text between single quotes."""
    if "\0" in value:
        raise ValueError("a text with a null character cannot be written as SQL")
    return "'" + value.replace("'", "''") + "'"


def _postgresql_text(value: str) -> str:
    quoted = text_literal(value)
    # Whether a plain literal takes backslashes as they are is a setting of the server.
    return f"E{quoted}".replace("\\", "\\\\") if "\\" in quoted else quoted


def _null(value: None) -> str:
    return "NULL"


def _integer(value: int) -> str:
    # A negative number stands apart from an operator or a cast beside it.
    return str(int(value)) if value >= 0 else f"({int(value)})"


def _float(value: float) -> str:
    return repr(float(value)) if value >= 0 else f"({float(value)!r})"


def _sqlite_float(value: float) -> str:
    if math.isnan(value):
        return "NULL"
    if math.isinf(value):
        return "9e999" if value > 0 else "(-9e999)"
    return _float(value)


def _postgresql_float(value: float) -> str:
    return _float(value) if math.isfinite(value) else f"'{value!r}'::double precision"


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        return f"'{value}'::numeric"
    return f"{value:f}" if value >= 0 else f"({value:f})"


def _interval(value: datetime.timedelta) -> str:
    seconds = f"{value.seconds}.{value.microseconds:06d}"
    return f"'{value.days} days {seconds} seconds'::interval"


def _typed(type_name: str) -> Callable[[Any], str]:
    def write(value: Any) -> str:
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
        return f"'{text}'::{type_name}"

    return write


def _datetime(value: datetime.datetime) -> str:
    kind = "timestamp" if value.tzinfo is None else "timestamp with time zone"
    return f"'{value.isoformat()}'::{kind}"


_SQLITE: dict[type, Callable[[Any], str]] = {
    type(None): _null,
    bool: lambda value: "1" if value else "0",
    int: _integer,
    float: _sqlite_float,
    str: text_literal,
    bytes: lambda value: f"X'{value.hex()}'",
    bytearray: lambda value: f"X'{value.hex()}'",
    memoryview: lambda value: f"X'{value.hex()}'",
}
_POSTGRESQL: dict[type, Callable[[Any], str]] = {
    type(None): _null,
    bool: lambda value: "true" if value else "false",
    int: _integer,
    float: _postgresql_float,
    Decimal: _decimal,
    str: _postgresql_text,
    bytes: lambda value: f"'\\x{value.hex()}'::bytea",
    bytearray: lambda value: f"'\\x{value.hex()}'::bytea",
    memoryview: lambda value: f"'\\x{value.hex()}'::bytea",
    list: lambda value: _postgresql_text(array_text(value)),
    datetime.datetime: _datetime,
    datetime.date: _typed("date"),
    datetime.time: _typed("time"),
    datetime.timedelta: _interval,
    uuid.UUID: _typed("uuid"),
}
_WRITERS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
