"""How one kind of database spells SQL and represents values: a value, without any I/O.

1. A name reaches SQL text only through `quote`.
2. Adapters turn Python values into what the drivers bind, converters turn what the drivers
   return into Python values; None means that nothing has to be done.
3. What depends on the time zone settings is part of the value: `for_settings` gives the
   dialect that is in force, and caches of compiled queries are keyed by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol, TypeVar

from aorm.errors import FieldError
from aorm.fields.dates import DateField, DateTimeField, TimeField
from aorm.fields.numbers import INTEGER_RANGES
from aorm.late import hashlib
from aorm.records import Record
from aorm.sql.capabilities import Capabilities

Adapter = Callable[[Any], Any]
Converter = Callable[[Any], Any]
V = TypeVar("V")
MAX_IDENTIFIER = 200
MAX_CACHED = 10_000


class Identifier(str):
    """A quoted name: the only text besides a dialect's own words that becomes SQL."""

    __slots__ = ()


class Conversion(Record):
    """How a value from the driver becomes the value of a field.

    `template` is an expression over `{0}` for generated decoders, for a value that is not None
    and in the form that the dialect itself writes; `names` are what it refers to.  `function`
    does the same for any form that may be found in a table, None included.  `batch`, where there is
    one, gets all values of a column in one fetch, and answers with the quickest converter for them.
    """

    template: str
    names: Mapping[str, Any]
    function: Converter
    batch: Callable[[list[Any]], Converter] | None = None


class Values(Protocol):
    """The part of a dialect that knows the representations of values."""

    def adapter(self, dialect: Dialect, target: Any) -> Adapter | None: ...

    def conversion(self, dialect: Dialect, target: Any) -> Conversion | None: ...

    def cast(self, dialect: Dialect, target: Any) -> str: ...


class Dialect:
    """The spelling and the values of one kind of database; never changed after it was made."""

    def __init__(
        self,
        *,
        vendor: str,
        capabilities: Capabilities,
        renderers: Mapping[type, Any],
        values: Values,
        data_types: Mapping[str, Any],
        data_types_suffix: Mapping[str, str],
        data_type_check_constraints: Mapping[str, str],
        cast_types: Mapping[str, str],
        connection_functions: tuple[Any, ...] = (),
        numbered: bool = False,
        max_name_length: int = MAX_IDENTIFIER,
    ) -> None:
        self.vendor = vendor
        self.capabilities = capabilities
        self.renderers = renderers
        self.values = values
        self.data_types = data_types
        self.data_types_suffix = data_types_suffix
        self.data_type_check_constraints = data_type_check_constraints
        self.cast_types = cast_types
        self.connection_functions = connection_functions
        self.numbered = numbered
        self.max_name_length = max_name_length
        self.use_tz = True
        self.time_zone = "UTC"
        self._variants: dict[tuple[bool, str], Dialect] = {}
        self._adapters: dict[Any, Adapter | None] = {}
        self._conversions: dict[Any, Conversion | None] = {}

    @property
    def name(self) -> str:
        return self.vendor

    def for_settings(self, use_tz: bool, time_zone: str) -> Dialect:
        """This dialect under these time zone settings; the same object each time."""
        key = (use_tz, time_zone)
        found = self._variants.get(key)
        if found is None:
            found = self._variants[key] = object.__new__(type(self))
            found.__dict__.update(
                self.__dict__, use_tz=use_tz, time_zone=time_zone, _adapters={}, _conversions={}
            )
        return found

    @property
    def ops(self) -> Dialect:
        """The dialect itself, where hooks that were written for Django look for its methods."""
        return self

    def quote_name(self, name: str) -> str:
        """The name as an identifier, as Django's `connection.ops` has it."""
        return self.quote(name)

    def quote(self, name: str) -> Identifier:
        """The name as an identifier; FieldError where it cannot be one.

        A name that the database would cut off ends in a hash of all of it instead, so that two
        long names never become the same one.
        """
        if len(name) > self.max_name_length // 4:
            name = shortened(name, self.max_name_length)
        if not name or "\0" in name:
            raise FieldError(
                f"{name!r} cannot be a name in SQL: it is empty or has a null character"
            )
        if len(name) > 1 and name[0] == '"' == name[-1] and '"' not in name[1:-1]:
            return Identifier(name)
        return Identifier('"' + name.replace('"', '""') + '"')

    def placeholder(self, number: int) -> str:
        """The mark of the parameter with this number, counted from 1."""
        return f"${number}" if self.numbered else "?"

    def parameter(self, number: int, target: Any) -> str:
        """The mark of a parameter for a value of this field."""
        return self.placeholder(number) + self.cast(target)

    def cast(self, target: Any) -> str:
        """What stands behind the mark of a parameter for this field; mostly nothing."""
        return self.values.cast(self, target)

    def adapter(self, target: Any) -> Adapter | None:
        """What turns a prepared value of this field into what the drivers bind; None: nothing."""
        try:
            return self._adapters[target]
        except KeyError:
            return _kept(self._adapters, target, self.values.adapter(self, target))

    def conversion(self, target: Any) -> Conversion | None:
        """What turns a driver's value into a value of this field; None: nothing."""
        try:
            return self._conversions[target]
        except KeyError:
            return _kept(self._conversions, target, self.values.conversion(self, target))

    def adapted(self, internal_type: str, value: Any) -> Any:
        """A date, time or moment in the form that columns of this type of field keep."""
        adapter = None if value is None else self.adapter(_TEMPORAL[internal_type])
        return value if adapter is None else adapter(value)

    def integer_range(self, internal_type: str) -> tuple[int, int]:
        """The least and the greatest integer of a column; the same in every database."""
        return INTEGER_RANGES[internal_type]

    def __reduce__(self) -> Any:
        return (_dialect, (self.vendor, self.use_tz, self.time_zone))


def shortened(name: str, limit: int) -> str:
    """A name of at most `limit` bytes in UTF-8."""
    encoded = name.encode()
    if len(encoded) <= limit or name[0] == '"':
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:12]
    return f"{encoded[: limit - 13].decode(errors='ignore')}_{digest}"


def _kept(cache: dict[Any, V], key: Any, value: V) -> V:
    if len(cache) >= MAX_CACHED:
        cache.clear()  # fields that are made for one query only would pile up
    cache[key] = value
    return value


DIALECTS: dict[str, Dialect] = {}  # each adds itself when its module is imported
_TEMPORAL = {
    "DateField": DateField(),
    "DateTimeField": DateTimeField(),
    "TimeField": TimeField(),
}


def dialect_of(vendor: str) -> Dialect:
    """The dialect of this kind of database; imported, like its driver, when it is first needed."""
    if vendor not in DIALECTS:
        import_module(f"aorm.sql.dialects.{vendor}")
    return DIALECTS[vendor]


def _dialect(vendor: str, use_tz: bool, time_zone: str) -> Dialect:
    return dialect_of(vendor).for_settings(use_tz, time_zone)
