"""Values as SQLite holds them: integers, floats, texts and bytes, in the forms of Django.

Templates are for the forms that are written here; what others may have written fails in them, and
is left to the functions.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from decimal import Context, Decimal
from functools import partial
from typing import Any

from aorm.sql.dialect import Adapter, Conversion, Converter, Dialect
from aorm.sql.dialects.values import (
    ADDRESSES,
    INTEGERS,
    NUMBERS,
    PLAIN_IN_BOTH,
    TEXTS,
    UTC,
    CommonValues,
    Direct,
    address,
    column_field,
    json_adapter,
    json_conversion,
    kind_of,
    named,
    plain,
    zone,
)

_DAY = 86_400
_MILLION = 1_000_000
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1
_FLOAT_DIGITS = 15
_FLOAT_FORM = "%.15g"  # two thirds of the time of an f-string
_ANY_DIGITS = 200
_EXACT = Context(prec=_ANY_DIGITS)


# --- adapters of SQLite ----------------------------------------------------------


def sqlite_datetime_utc(value: Any) -> Any:
    """Under use_tz: the text of the time in UTC, without an offset."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            if value.tzinfo is not UTC:
                value = value.astimezone(UTC)
            value = value.replace(tzinfo=None)
        return value.isoformat(" ")
    return _date_as_datetime(value)


def sqlite_datetime_local(value: Any) -> Any:
    """Without use_tz: the text of a naive time."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            raise ValueError(
                "SQLite backend does not support timezone-aware datetimes when USE_TZ is False."
            )
        return value.isoformat(" ")
    return _date_as_datetime(value)


def _date_as_datetime(value: Any) -> Any:
    return f"{value.isoformat()} 00:00:00" if isinstance(value, datetime.date) else value


def sqlite_date(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        value = value.date()
    return value.isoformat() if isinstance(value, datetime.date) else value


def sqlite_time(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        value = value.timetz()
    if not isinstance(value, datetime.time):
        return value
    if value.tzinfo is not None:
        raise ValueError("SQLite backend does not support timezone-aware times.")
    return value.isoformat()


def sqlite_duration(value: Any) -> Any:
    if isinstance(value, datetime.timedelta):
        return (value.days * _DAY + value.seconds) * _MILLION + value.microseconds
    return value


def sqlite_uuid(value: Any) -> Any:
    return value.hex if isinstance(value, uuid.UUID) else value


def sqlite_number(value: Any) -> Any:
    """A Decimal as the number that a numeric column would hold: an int where it is one."""
    if not isinstance(value, Decimal):
        return value
    if not value.is_finite():
        return float(value)
    whole = int(value)
    return whole if whole == value and _MIN_INTEGER <= whole <= _MAX_INTEGER else float(value)


def decimal_rounder(field: Any) -> Adapter | None:
    """What rounds a Decimal to the places of a column, half to even; None where it has none.

    For what is stored in SQLite, whose columns round nothing; a value to compare with stays.
    """
    places = getattr(field, "decimal_places", None)
    if places is None:
        return None
    unit, context = Decimal(1).scaleb(-places), _EXACT

    def rounded(value: Any) -> Any:
        if value.__class__ is Decimal and value.is_finite():
            return value.quantize(unit, context=context)
        return value

    return rounded


_SQLITE_BY_CLASS: dict[type, Adapter] = {
    datetime.date: sqlite_date,
    datetime.time: sqlite_time,
    datetime.timedelta: sqlite_duration,
    uuid.UUID: sqlite_uuid,
    Decimal: sqlite_number,
}


def sqlite_any(value: Any, *, use_tz: bool = True) -> Any:
    """A value of which nothing is known but its class."""
    value = plain(value)
    if isinstance(value, datetime.datetime):
        return sqlite_datetime_utc(value) if use_tz else sqlite_datetime_local(value)
    for known, adapt in _SQLITE_BY_CLASS.items():
        if isinstance(value, known):
            return adapt(value)
    return value


# --- converters of SQLite --------------------------------------------------------

_UUID_INT = uuid.UUID.int.__set__  # type: ignore[attr-defined,misc]
_UUID_SAFE = uuid.UUID.is_safe.__set__  # type: ignore[attr-defined,misc]
_UUID_UNKNOWN = uuid.SafeUUID.unknown


def uuid_from_hex(
    text: str,
    new: Any = object.__new__,
    kind: Any = uuid.UUID,
    set_int: Any = _UUID_INT,
    set_safe: Any = _UUID_SAFE,
    safe: Any = _UUID_UNKNOWN,
) -> uuid.UUID:
    """A UUID from its 32 digits, four times as fast as its own constructor."""
    made: uuid.UUID = new(kind)
    set_int(made, int(text, 16))
    set_safe(made, safe)
    return made


def _any_uuid(value: Any) -> Any:
    if value is None or isinstance(value, uuid.UUID):
        return value
    return uuid.UUID(bytes=value) if isinstance(value, bytes) else uuid.UUID(str(value))


def _any_datetime(value: Any) -> Any:
    """A datetime from any text that SQLite may hold, as it is written."""
    if value is None or isinstance(value, datetime.datetime):
        return value
    return datetime.datetime.fromisoformat(value)


def _any_datetime_utc(value: Any) -> Any:
    found = _any_datetime(value)
    if found is None:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _any_datetime_in(where: datetime.tzinfo) -> Converter:
    def convert(value: Any) -> Any:
        found = _any_datetime(value)
        if found is None or found.tzinfo is None:
            return found
        return found.astimezone(where).replace(tzinfo=None)

    return convert


def _any_date(value: Any) -> Any:
    if isinstance(value, str):
        return datetime.date.fromisoformat(value[:10])
    return value.date() if isinstance(value, datetime.datetime) else value


def _any_time(value: Any) -> Any:
    if isinstance(value, str):
        return datetime.time.fromisoformat(value.replace("T", " ").rpartition(" ")[2])
    return value


def _any_duration(value: Any) -> Any:
    return datetime.timedelta(0, 0, value) if isinstance(value, int | float) else value


def _any_boolean(value: Any) -> Any:
    return bool(value) if value in (0, 1) else value


def _column_decimal(places: int) -> Converter:
    """A Decimal of the places of the column, from an int, a float or a text."""
    unit, context = Decimal(1).scaleb(-places), _EXACT

    def convert(value: Any) -> Any:
        if value is None:
            return None
        # What a float shows are the digits that it can vouch for.
        text = repr(value) if value.__class__ is float else value
        return Decimal(text).quantize(unit, context=context)

    return convert


def expression_decimal(value: Any) -> Any:
    """A Decimal with as many digits as a float can vouch for."""
    if value.__class__ is float:
        return Decimal(_FLOAT_FORM % value)
    return value if value is None or isinstance(value, Decimal) else Decimal(value)


def _sqlite_decimal_conversion(field: Any, expression: bool) -> Conversion:
    places = getattr(field, "decimal_places", None)
    if expression:
        # A number of few places is next to what a count of millionths makes: if nearer than half
        # of a 15th digit, that is it.  To print 15 digits and read them takes half as long again.
        return Conversion(
            "(multiply(near, millionth) if {0}.__class__ is float and -1e9 < {0} < 1e9"
            " and abs((near := ({0} * 1e6).__round__()) / 1e6 - {0}) <= abs({0}) * 3.5e-16"
            " else expression_decimal({0}))",
            {
                "multiply": _EXACT.multiply,
                "millionth": Decimal("1e-6"),
                "expression_decimal": expression_decimal,
            },
            expression_decimal,
        )
    if places is None:
        own = {"expression_decimal": expression_decimal}
        return Conversion("expression_decimal({0})", own, expression_decimal)
    # Counting the last places is the cheapest way from a float, and right for all that a float
    # can vouch for.  A numeric column holds 5.00 as the integer 5, which has the same method.
    convert = _column_decimal(places)
    template = f"multiply(({{0}} * {10**places}).__round__(), unit)"
    names = {"multiply": _EXACT.multiply, "unit": Decimal(1).scaleb(-places)}
    digits = getattr(field, "max_digits", None)
    if digits is None or digits > _FLOAT_DIGITS:
        limit = float(f"1e{_FLOAT_DIGITS - places}")
        name, careful = named(convert, "column_decimal")
        template = f"({template} if -{limit!r} < {{0}} < {limit!r} else {name}({{0}}))"
        names.update(careful)
    return Conversion(template, names, convert)


# --- the dialect -----------------------------------------------------------------

_SQLITE_ADAPTERS: Mapping[str, Adapter | None] = {
    **dict.fromkeys(INTEGERS | TEXTS | {"FloatField", "BooleanField", "BinaryField"}),
    **dict.fromkeys(ADDRESSES, address),
    "DateField": sqlite_date,
    "TimeField": sqlite_time,
    "DurationField": sqlite_duration,
    "UUIDField": sqlite_uuid,
}
_BOOLEAN = Conversion("{0} != 0", {}, _any_boolean)
_SQLITE_CONVERSIONS: Mapping[str, Conversion] = {
    "BooleanField": _BOOLEAN,
    "DateField": Conversion("date_of({0})", {"date_of": datetime.date.fromisoformat}, _any_date),
    "TimeField": Conversion("time_of({0})", {"time_of": datetime.time.fromisoformat}, _any_time),
    "DurationField": Conversion(
        "timedelta(0, 0, {0})", {"timedelta": datetime.timedelta}, _any_duration
    ),
    "UUIDField": Conversion("uuid_from_hex({0})", {"uuid_from_hex": uuid_from_hex}, _any_uuid),
}


class SqliteValues(CommonValues):
    """Values as Django stores them in SQLite, which knows integers, floats, texts and bytes."""

    plain_classes = PLAIN_IN_BOTH

    def storing_adapter(self, dialect: Dialect, field: Any) -> Adapter | None:
        """The adapter; a Decimal is rounded before, as the column would on other databases."""
        column = column_field(field)
        rounded = decimal_rounder(column) if kind_of(column) == "DecimalField" else None
        if rounded is None:
            return super().storing_adapter(dialect, field)
        return lambda value: sqlite_number(rounded(value))

    def direct(self, dialect: Dialect, field: Any) -> Direct | None:
        """As for every dialect; and the usual kind of time is written at once."""
        kind = kind_of(field)
        if kind == "DateTimeField":
            zone_now = "UTC" if dialect.use_tz else "None"
            naive = ".replace(tzinfo=None)" if dialect.use_tz else ""
            return Direct(
                f"{{0}}.__class__ is datetime and {{0}}.tzinfo is {zone_now}",
                f"{{0}}{naive}.isoformat(' ')",
                {"datetime": datetime.datetime, "UTC": UTC},
            )
        if kind == "DateField" and datetime.date in column_field(field).plain_types:
            return Direct("{0}.__class__ is date", "{0}.isoformat()", {"date": datetime.date})
        if kind == "UUIDField" and uuid.UUID in column_field(field).plain_types:
            return Direct("{0}.__class__ is UUID", "{0}.hex", {"UUID": uuid.UUID})
        return super().direct(dialect, field)

    def own_adapter(
        self, dialect: Dialect, field: Any, kind: str, expression: bool
    ) -> Adapter | None:
        if kind == "DateTimeField":
            return sqlite_datetime_utc if dialect.use_tz else sqlite_datetime_local
        if kind == "DecimalField":
            return sqlite_number
        if kind == "JSONField":
            return json_adapter(field)
        if kind in _SQLITE_ADAPTERS:
            return _SQLITE_ADAPTERS[kind]
        return partial(sqlite_any, use_tz=dialect.use_tz)

    def own_conversion(
        self, dialect: Dialect, field: Any, kind: str, expression: bool
    ) -> Conversion | None:
        if kind == "DateTimeField":
            names = {"datetime_of": datetime.datetime.fromisoformat}
            if dialect.use_tz:
                # "Z" fails on whatever has an offset or no time, which then goes the long way.
                return Conversion("datetime_of({0} + 'Z')", names, _any_datetime_utc)
            return Conversion("datetime_of({0})", names, _any_datetime_in(zone(dialect.time_zone)))
        if kind == "DecimalField":
            return _sqlite_decimal_conversion(field, expression)
        if kind == "JSONField":
            return json_conversion(field)
        if expression and kind in NUMBERS:
            return NUMBERS[kind]
        return _SQLITE_CONVERSIONS.get(kind)
