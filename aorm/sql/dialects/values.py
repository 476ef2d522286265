"""How values look to the drivers of SQLite and PostgreSQL, and what becomes of what they return.

1. A target is a field, or `("expression", field)` for a value that does not come straight from
   a column: its Decimals have no fixed number of places, and numbers are brought to the type that
   the field has.  A relation stands for the field that it points to.
2. Every adapter takes None and gives it back, and takes a value that is adapted already.
3. What a field of the user overrides has the last word when reading (`from_db_value`, after the
   conversion here) and the first one when writing (`get_db_prep_value`, before the adapter).
4. A field of a kind that is unknown here may bring `adapter_for(dialect)`, which makes a text, and
   `conversion_for(dialect)`, with `parameter_type(dialect)` for the cast of that text.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from functools import cache, partial
from itertools import count
from typing import Any, ClassVar

from aorm.late import json, zoneinfo
from aorm.records import Record
from aorm.sql.dialect import Adapter, Conversion, Converter, Dialect
from aorm.sql.dialects import json_text

UTC = datetime.timezone.utc  # noqa: UP017 (what the drivers return; datetime.UTC is the same)

INTEGERS = frozenset(
    f"{prefix}{name}"
    for prefix, name in (
        ("", "AutoField"),
        ("Big", "AutoField"),
        ("Small", "AutoField"),
        ("", "IntegerField"),
        ("Big", "IntegerField"),
        ("Small", "IntegerField"),
        ("Positive", "IntegerField"),
        ("PositiveBig", "IntegerField"),
        ("PositiveSmall", "IntegerField"),
    )
)
TEXTS = frozenset(
    ("CharField", "TextField", "SlugField", "FileField", "FilePathField", "EmailField", "URLField")
)
ADDRESSES = frozenset(("GenericIPAddressField", "IPAddressField"))


class NullConversion(Conversion):
    """A conversion whose template has to be used for None as well: user code may look at it."""

    takes_none: ClassVar[bool] = True


# --- what a field is -------------------------------------------------------------


def column_field(field: Any) -> Any:
    """The field whose values stand in the column: what a relation finally points to."""
    while True:
        if getattr(field, "generated", False):
            field = field.output_field
        elif getattr(field, "remote_field", None) is not None and hasattr(field, "target_field"):
            field = field.target_field
        else:
            return field


def kind_of(field: Any) -> str:
    """The internal type of the column of this field; empty for what is not a field."""
    field = column_field(field)
    found = getattr(field, "get_internal_type", None)
    return (found() or "") if found is not None else ""


def overrides(field: Any, name: str) -> bool:
    """Whether the class of this field got this method from outside of aorm."""
    method = getattr(type(field), name, None)
    module = getattr(method, "__module__", None) or ""
    return method is not None and not (module == "aorm" or module.startswith("aorm.fields"))


def _split(target: Any) -> tuple[bool, Any]:
    """Whether the target is an expression, and its field."""
    if type(target) is tuple:
        return True, target[1]
    return False, target


# --- adapters for both -----------------------------------------------------------


def plain_text(value: Any) -> Any:
    """A str that is nothing but a str: drivers look at the class, and would see an Enum."""
    if value.__class__ is str or value is None:
        return value
    if isinstance(value, Enum):
        value = value.value
    return str.__str__(value) if isinstance(value, str) else value


def plain_integer(value: Any) -> Any:
    """An int that is nothing but an int."""
    if value.__class__ is int or value is None:
        return value
    if isinstance(value, Enum):
        value = value.value
    return int(value) if isinstance(value, int) else value


def address(value: Any) -> Any:
    """The text of an IP address; an empty one is none."""
    return plain_text(value) or None


def plain(value: Any) -> Any:
    """The value of a member of an Enum; anything else as it is."""
    return value.value if isinstance(value, Enum) else value


def json_adapter(field: Any) -> Adapter:
    """What writes JSON texts with the encoder of this field."""
    encoder = getattr(field, "encoder", None)
    if encoder is None:
        return _json_dumps
    return partial(_json_dumps_with, encoder)


def _json_dumps(value: Any) -> Any:
    return None if value is None else json.dumps(value)


def _json_dumps_with(encoder: Any, value: Any) -> Any:
    return None if value is None else json.dumps(value, cls=encoder)


@cache
def zone(name: str) -> datetime.tzinfo:
    """The time zone of this name."""
    return UTC if name.upper() == "UTC" else zoneinfo.ZoneInfo(name)


# --- names ----------------------------------------------------------------------

_numbers = count(1)


def named(function: Callable[..., Any], hint: str) -> tuple[str, dict[str, Any]]:
    """A name for a function that no other conversion uses."""
    name = f"{hint}_{next(_numbers)}"
    return name, {name: function}


# --- both dialects ---------------------------------------------------------------


def json_conversion(field: Any) -> Conversion:
    decoder = getattr(field, "decoder", None)
    reader = json_text.reader()
    loads, batch = reader.loads, reader.batch
    if decoder is not None:
        loads, batch = partial(json.loads, cls=decoder), None
    name, names = named(loads, "json_loads")

    def convert(value: Any) -> Any:
        # A path into JSON may give plain text, which is the value itself.
        if not isinstance(value, str | bytes):
            return value
        try:
            return loads(value)  # type: ignore[arg-type]
        except ValueError:
            return value

    return Conversion(f"{name}({{0}})", names, convert, batch)


def _typed(kind: type, name: str) -> Conversion:
    """A number that a function or an aggregate may have given another type."""

    def convert(value: Any) -> Any:
        return value if value is None or value.__class__ is kind else kind(value)

    return Conversion(
        f"({{0}} if {{0}}.__class__ is {name} else {name}({{0}}))", {name: kind}, convert
    )


def _then_user(conversion: Conversion | None, field: Any, dialect: Dialect) -> Conversion | None:
    """The conversion, and after it what the class of the field does to the value."""
    if not (hasattr(field, "from_db_value") and overrides(field, "from_db_value")):
        return conversion
    before, theirs = (conversion.function if conversion else None), field.from_db_value

    def convert(value: Any) -> Any:
        if before is not None:
            value = before(value)
        return theirs(value, None, dialect)

    name, names = named(convert, "from_db_value")
    return NullConversion(f"{name}({{0}})", names, convert)


class Direct(Record):
    """What is stored, as an expression over `{0}`, for values that meet a condition over it."""

    condition: str
    value: str
    names: Mapping[str, Any]


class CommonValues:
    """What a field of the user adds, around what the dialect does by itself."""

    #: By kind of field: the exact classes that the adapter leaves alone.
    plain_classes: ClassVar[Mapping[str, frozenset[type]]] = {}

    def adapter(self, dialect: Dialect, target: Any) -> Adapter | None:
        """What turns a prepared value into what the driver binds; None where nothing does."""
        expression, field = _split(target)
        field = column_field(field)
        own = self._adapter(dialect, field, expression)
        if not overrides(field, "get_db_prep_value"):
            return own
        theirs = field.get_db_prep_value
        if own is None:
            return lambda value: theirs(value, connection=dialect, prepared=True)
        return lambda value: own(theirs(value, connection=dialect, prepared=True))

    def conversion(self, dialect: Dialect, target: Any) -> Conversion | None:
        """What turns what the driver returns into a value of the field; None: nothing."""
        expression, field = _split(target)
        column = column_field(field)
        brings = getattr(column, "conversion_for", None)
        if brings is None:
            found = self.own_conversion(dialect, column, kind_of(column), expression)
        else:
            found = brings(dialect)
        found = _then_user(found, column, dialect)
        return found if field is column else _then_user(found, field, dialect)

    def storing_adapter(self, dialect: Dialect, field: Any) -> Adapter | None:
        """The adapter for what `get_db_prep_save` gave and a column is going to hold."""
        return self._adapter(dialect, column_field(field), False)

    def _adapter(self, dialect: Dialect, field: Any, expression: bool) -> Adapter | None:
        """The adapter that the field brings along, or that of the dialect for its kind."""
        brings = getattr(field, "adapter_for", None)
        if brings is not None:
            return brings(dialect)  # type: ignore[no-any-return]
        return self.own_adapter(dialect, field, kind_of(field), expression)

    def cast(self, dialect: Dialect, target: Any) -> str:
        """What stands behind the mark of a parameter for this field."""
        field = column_field(_split(target)[1])
        brings = getattr(field, "parameter_type", None)
        kind = None if brings is None else brings(dialect)
        return "" if kind is None else f"::text::{kind}"

    def direct(self, dialect: Dialect, field: Any) -> Direct | None:
        """How most values of a field are stored, in one expression; None where there is none."""
        column = column_field(field)
        classes = self.plain_classes.get(kind_of(column), frozenset()) & column.plain_types
        if not classes:
            return None
        names = {kind.__name__: kind for kind in sorted(classes, key=lambda kind: kind.__name__)}
        condition = " or ".join(f"{{0}}.__class__ is {name}" for name in names)
        return Direct(f"{condition} or {{0}} is None" if field.null else condition, "{0}", names)

    def own_adapter(
        self, dialect: Dialect, field: Any, kind: str, expression: bool
    ) -> Adapter | None:
        raise NotImplementedError

    def own_conversion(
        self, dialect: Dialect, field: Any, kind: str, expression: bool
    ) -> Conversion | None:
        raise NotImplementedError


PLAIN_IN_BOTH: Mapping[str, frozenset[type]] = {
    **dict.fromkeys(INTEGERS, frozenset({int})),
    **dict.fromkeys(TEXTS, frozenset({str})),
    "BinaryField": frozenset({bytes}),
    "BooleanField": frozenset({bool}),
    "FloatField": frozenset({float}),
}


NUMBERS: Mapping[str, Conversion] = {
    **dict.fromkeys(INTEGERS, _typed(int, "int")),
    "FloatField": _typed(float, "float"),
}


def _aware_in(where: datetime.tzinfo) -> Adapter:
    def adapt(value: Any) -> Any:
        if isinstance(value, datetime.datetime):
            return value.replace(tzinfo=where) if value.tzinfo is None else value
        if isinstance(value, datetime.date):
            return datetime.datetime(value.year, value.month, value.day, tzinfo=where)
        return value

    return adapt


def _naive_in(where: datetime.tzinfo) -> Converter:
    def convert(value: Any) -> Any:
        if value is None or value.tzinfo is None:
            return value
        return value.astimezone(where).replace(tzinfo=None)

    return convert


def _postgresql_decimal(value: Any) -> Any:
    return value if value is None or isinstance(value, Decimal) else Decimal(value)


def _text_or_none(value: Any) -> Any:
    return value if value is None else str(value)


_POSTGRESQL_ADAPTERS: Mapping[str, Adapter | None] = {
    **dict.fromkeys(INTEGERS, plain_integer),
    **dict.fromkeys(TEXTS, plain_text),
    **dict.fromkeys(ADDRESSES, address),
    **dict.fromkeys(
        (
            "BinaryField",
            "BooleanField",
            "DateField",
            "DecimalField",
            "DurationField",
            "FloatField",
            "TimeField",
            "UUIDField",
        )
    ),
}
_POSTGRESQL_CONVERSIONS: Mapping[str, Conversion] = dict.fromkeys(
    ADDRESSES, Conversion("str({0})", {}, _text_or_none)
)


class PostgresqlValues(CommonValues):
    """Values as PostgreSQL's drivers have them by themselves; JSON goes both ways as text."""

    plain_classes: ClassVar[Mapping[str, frozenset[type]]] = {
        **PLAIN_IN_BOTH,
        "DateField": frozenset({datetime.date}),
        "DecimalField": frozenset({Decimal}),
        "DurationField": frozenset({datetime.timedelta}),
        "TimeField": frozenset({datetime.time}),
        "UUIDField": frozenset({uuid.UUID}),
    }

    def direct(self, dialect: Dialect, field: Any) -> Direct | None:
        """As for every dialect; and aware times need nothing."""
        if kind_of(field) == "DateTimeField":
            condition = "{0}.__class__ is datetime and {0}.tzinfo is not None"
            return Direct(condition, "{0}", {"datetime": datetime.datetime})
        return super().direct(dialect, field)

    def own_adapter(
        self, dialect: Dialect, field: Any, kind: str, expression: bool
    ) -> Adapter | None:
        if kind == "DateTimeField":
            return _aware_in(UTC if dialect.use_tz else zone(dialect.time_zone))
        if kind == "JSONField":
            return json_adapter(field)
        return _POSTGRESQL_ADAPTERS.get(kind, plain)

    def own_conversion(
        self, dialect: Dialect, field: Any, kind: str, expression: bool
    ) -> Conversion | None:
        if kind == "DateTimeField" and not dialect.use_tz:
            where = zone(dialect.time_zone)
            name, names = named(where, "zone")  # type: ignore[arg-type]
            template = f"{{0}}.astimezone({name}).replace(tzinfo=None)"
            return Conversion(template, names, _naive_in(where))
        if kind == "JSONField":
            return json_conversion(field)
        if expression and kind in NUMBERS:
            return NUMBERS[kind]
        if expression and kind == "DecimalField":
            return Conversion(
                "({0} if {0}.__class__ is Decimal else Decimal({0}))",
                {"Decimal": Decimal},
                _postgresql_decimal,
            )
        return _POSTGRESQL_CONVERSIONS.get(kind)
