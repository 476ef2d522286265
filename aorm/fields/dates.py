"""Dates, times, points in time and durations."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, Unpack, overload

from aorm import timezone
from aorm.conf import settings
from aorm.errors import ValidationError
from aorm.fields.base import Field, N, V, is_expression
from aorm.fields.dateparse import (
    duration_string,
    parse_date,
    parse_datetime,
    parse_duration,
    parse_time,
)
from aorm.functional import Promise

__all__ = ["DateField", "DateTimeField", "DurationField", "TimeField"]

T = TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    from aorm.fields.keywords import DateOptions

    D = TypeVarWithDefault("D", default=dt.date)
else:
    D = None


class _ClockField(Field[V, N]):
    """A field that can be set to the present when an object is saved.

    Args:
        auto_now: set it each time.
        auto_now_add: set it when the object is made.
    """

    empty_strings_allowed = False

    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: N = ...,
        **options: Unpack[DateOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: bool,
        **options: Unpack[DateOptions],
    ) -> None: ...
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        auto_now: bool = False,
        auto_now_add: bool = False,
        **kwargs: Any,
    ) -> None:
        self.auto_now, self.auto_now_add = auto_now, auto_now_add
        if auto_now or auto_now_add:
            kwargs["editable"] = False
            kwargs["blank"] = True
        super().__init__(verbose_name, name, **kwargs)

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if [self.auto_now, self.auto_now_add, self.has_default()].count(True) > 1:
            yield (
                "The options auto_now, auto_now_add, and default are mutually exclusive. Only "
                "one of these options may be present."
            )

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if self.auto_now:
            kwargs["auto_now"] = True
        if self.auto_now_add:
            kwargs["auto_now_add"] = True
        if self.auto_now or self.auto_now_add:
            del kwargs["editable"]
            del kwargs["blank"]
        return name, path, args, kwargs

    def _present(self) -> Any:
        raise NotImplementedError

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        if self.auto_now or (self.auto_now_add and add):
            value = self._present()
            setattr(model_instance, self.attname, value)
            return value
        return super().pre_save(model_instance, add)

    def _parsed(self, parse: Callable[[str], T | None], value: Any, code: str) -> T:
        """What the text names.

        Raises:
            ValidationError: "invalid" where it has another form, `code` where it names nothing.
        """
        try:
            found = parse(value) if isinstance(value, str) else None
        except ValueError:
            raise self._invalid(code, value) from None
        if found is None:
            raise self._invalid("invalid", value)
        return found

    def get_prep_value(self, value: Any) -> Any:
        if value is None or is_expression(value):
            return value
        if isinstance(value, Promise):
            value = value._cast()
        return self.to_python(value)

    def value_to_string(self, obj: Any) -> str:
        value = self.value_from_object(obj)
        return "" if value is None else str(value.isoformat())


class DateField(_ClockField[D, N]):
    """A day."""

    internal_type = "DateField"
    plain_types = frozenset({dt.date})
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": (
            "“%(value)s” value has an invalid date format. It must be in YYYY-MM-DD format."
        ),
        "invalid_date": (
            "“%(value)s” value has the correct format (YYYY-MM-DD) but it is an invalid date."
        ),
    }
    description = "Date (without time)"

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only=private_only)
        if not self.null:
            for is_next in (True, False):
                for method in _neighbours(self, is_next):
                    setattr(cls, method.__name__, method)

    def to_python(self, value: Any) -> Any:
        if value is None:
            return value
        if isinstance(value, dt.datetime):
            if settings.USE_TZ and timezone.is_aware(value):
                # Which day it is depends on the zone: the default one, not that of the request.
                value = timezone.make_naive(value, timezone.get_default_timezone())
            return value.date()
        if isinstance(value, dt.date):
            return value
        return self._parsed(parse_date, value, "invalid_date")

    def _present(self) -> Any:
        return dt.date.today()


class DateTimeField(DateField[dt.datetime, N]):
    """A point in time: aware where USE_TZ is on."""

    internal_type = "DateTimeField"
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": (
            "“%(value)s” value has an invalid format. It must be in "
            "YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ] format."
        ),
        "invalid_date": (
            "“%(value)s” value has the correct format (YYYY-MM-DD) but it is an invalid date."
        ),
        "invalid_datetime": (
            "“%(value)s” value has the correct format (YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ]) but "
            "it is an invalid date/time."
        ),
    }
    description = "Date (with time)"

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, dt.datetime):
            return value
        if isinstance(value, dt.date):
            return self._in_force(dt.datetime(value.year, value.month, value.day))
        if isinstance(value, str):
            try:
                return self._parsed(parse_datetime, value, "invalid_datetime")
            except ValidationError as error:
                if error.code != "invalid":
                    raise
            try:
                day = parse_date(value)
            except ValueError:
                raise self._invalid("invalid_date", value) from None
            if day is not None:
                return dt.datetime(day.year, day.month, day.day)
        raise self._invalid("invalid", value)

    def get_prep_value(self, value: Any) -> Any:
        if type(value) is not dt.datetime:
            if value is None or is_expression(value):
                return value
            if isinstance(value, Promise):
                value = value._cast()
            value = self.to_python(value)
        # Asking the zone for its offset costs more than the rest; zones without one do not occur.
        return value if value.tzinfo is not None else self._in_force(value)

    def _in_force(self, value: dt.datetime) -> dt.datetime:
        """The naive datetime, or one of the default zone where USE_TZ is on."""
        if not settings.USE_TZ:
            return value
        model = getattr(self, "model", None)
        name = "(unbound)" if model is None else f"{model.__name__}.{self.name}"
        warnings.warn(
            f"DateTimeField {name} received a naive datetime ({value}) while time zone support "
            "is active.",
            RuntimeWarning,
            stacklevel=3,
        )
        return timezone.make_aware(value, timezone.get_default_timezone())

    def _present(self) -> Any:
        return timezone.now()


class TimeField(_ClockField[dt.time, N]):
    """A time of day."""

    internal_type = "TimeField"
    plain_types = frozenset({dt.time})
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": (
            "“%(value)s” value has an invalid format. It must be in HH:MM[:ss[.uuuuuu]] format."
        ),
        "invalid_time": (
            "“%(value)s” value has the correct format (HH:MM[:ss[.uuuuuu]]) but it is an "
            "invalid time."
        ),
    }
    description = "Time"

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, dt.time):
            return value
        if isinstance(value, dt.datetime):
            return value.time()
        return self._parsed(parse_time, value, "invalid_time")

    def _present(self) -> Any:
        return dt.datetime.now().time()


class DurationField(Field[dt.timedelta, N]):
    """A length of time."""

    internal_type = "DurationField"
    plain_types = frozenset({dt.timedelta})
    empty_strings_allowed = False
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": (
            "“%(value)s” value has an invalid format. It must be in "
            "[DD] [[HH:]MM:]ss[.uuuuuu] format."
        ),
    }
    description = "Duration"

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, dt.timedelta):
            return value
        try:
            found = parse_duration(value) if isinstance(value, str) else None
        except (ValueError, OverflowError):
            found = None
        if found is None:
            raise self._invalid("invalid", value)
        return found

    def get_prep_value(self, value: Any) -> Any:
        if value is None or is_expression(value):
            return value
        if isinstance(value, Promise):
            value = value._cast()
        return self.to_python(value)

    def value_to_string(self, obj: Any) -> str:
        value = self.value_from_object(obj)
        return "" if value is None else duration_string(value)


def _neighbours(field: Any, is_next: bool) -> Iterator[Callable[..., Any]]:
    """`get_next_by_<name>` or `get_previous_by_<name>`, and its asynchronous twin."""

    def get(self: Any, **conditions: Any) -> Any:
        return self._get_next_or_previous_by_FIELD(field, is_next, **conditions)

    async def aget(self: Any, **conditions: Any) -> Any:
        return await self._aget_next_or_previous_by_FIELD(field, is_next, **conditions)

    name = f"get_{'next' if is_next else 'previous'}_by_{field.name}"
    side = "after" if is_next else "before"
    get.__doc__ = aget.__doc__ = (
        f"The object {side} this one by `{field.name}`, of those that match."
    )
    get.__name__ = get.__qualname__ = name
    aget.__name__ = aget.__qualname__ = f"a{name}"
    yield get
    yield aget
