"""Values that are computed late: lazy texts, lazy objects, cached and class properties."""

from __future__ import annotations

import copy
import operator
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

__all__ = [
    "LatePattern",
    "Promise",
    "SimpleLazyObject",
    "cached_property",
    "classproperty",
    "lazy",
    "lazystr",
]

T = TypeVar("T")


class classproperty(Generic[T]):
    """A read-only property of the class and of its instances."""

    def __init__(self, method: Callable[[Any], T] | None = None) -> None:
        self.fget = method

    def __get__(self, instance: object, owner: type | None = None) -> T:
        if self.fget is None:
            raise AttributeError("this class property has no getter")
        return self.fget(type(instance) if owner is None else owner)

    def getter(self, method: Callable[[Any], T]) -> classproperty[T]:
        """The same property with another getter; for use as a decorator."""
        self.fget = method
        return self


class LatePattern:
    """A regular expression that is compiled when it is first used.

    Those with large classes of characters take milliseconds each, which the import would pay.
    """

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern = pattern
        self._given_flags = flags

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, self._given_flags)

    @property
    def flags(self) -> int:
        return self._compiled.flags

    def search(self, text: str) -> re.Match[str] | None:
        return self._compiled.search(text)

    def match(self, text: str) -> re.Match[str] | None:
        return self._compiled.match(text)


# --- lazy calls --------------------------------------------------------------------


class Promise:
    """The result of a call that has not been made; `lazy` makes the classes that are used."""

    __slots__ = ()

    def _cast(self) -> Any:
        """The result."""
        raise NotImplementedError


def lazy(function: Callable[..., Any], *result_classes: type) -> Callable[..., Any]:
    """A function whose calls return promises that behave like instances of `result_classes`.

    The call is made anew each time something is asked of the promise, so that a text may
    depend on what is in force then.
    """
    promise = _promise_class(function, result_classes)

    def make(*args: Any, **kwargs: Any) -> Any:
        return promise(args, kwargs)

    return make


def lazystr(text: Any) -> Any:
    """`str(text)`, evaluated when it is used."""
    return lazy(str, str)(text)


def _cast(value: Any) -> Any:
    return value._cast() if isinstance(value, Promise) else value


class _LazyCall(Promise):
    """A promise with the operators that every result may have."""

    __slots__ = ("_args", "_kwargs")

    _function: Callable[..., Any]
    _result_classes: tuple[type, ...]

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._args = args
        self._kwargs = kwargs

    def _cast(self) -> Any:
        return type(self)._function(*self._args, **self._kwargs)

    def __str__(self) -> str:
        return str(self._cast())

    def __repr__(self) -> str:
        return repr(self._cast())

    def __bytes__(self) -> bytes:
        return bytes(self._cast())

    def __format__(self, specification: str) -> str:
        return format(self._cast(), specification)

    def __hash__(self) -> int:
        return hash(self._cast())

    def __bool__(self) -> bool:
        return bool(self._cast())

    def __eq__(self, other: object) -> bool:
        return bool(self._cast() == _cast(other))

    def __lt__(self, other: Any) -> bool:
        return bool(self._cast() < _cast(other))

    def __le__(self, other: Any) -> bool:
        return bool(self._cast() <= _cast(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self._cast() > _cast(other))

    def __ge__(self, other: Any) -> bool:
        return bool(self._cast() >= _cast(other))

    def __add__(self, other: Any) -> Any:
        return self._cast() + _cast(other)

    def __radd__(self, other: Any) -> Any:
        return other + self._cast()

    def __mul__(self, other: Any) -> Any:
        return self._cast() * _cast(other)

    def __rmul__(self, other: Any) -> Any:
        return other * self._cast()

    def __mod__(self, other: Any) -> Any:
        return self._cast() % _cast(other)

    def __rmod__(self, other: Any) -> Any:
        return other % self._cast()

    def __len__(self) -> int:
        return len(self._cast())

    def __iter__(self) -> Any:
        return iter(self._cast())

    def __getitem__(self, key: Any) -> Any:
        return self._cast()[key]

    def __contains__(self, item: Any) -> bool:
        return item in self._cast()

    def __int__(self) -> int:
        return int(self._cast())

    def __float__(self) -> float:
        return float(self._cast())

    def __deepcopy__(self, memo: dict[int, Any]) -> _LazyCall:
        memo[id(self)] = self
        return self

    def __reduce__(self) -> Any:
        cls = type(self)
        return (_remake, (cls._function, cls._result_classes, self._args, self._kwargs))


def _promise_class(
    function: Callable[..., Any], result_classes: tuple[type, ...]
) -> Callable[[tuple[Any, ...], dict[str, Any]], _LazyCall]:
    namespace: dict[str, Any] = {
        "__slots__": (),
        "_function": staticmethod(function),
        "_result_classes": result_classes,
    }
    for result_class in result_classes:
        for name in dir(result_class):
            if not name.startswith("__") and not hasattr(_LazyCall, name):
                namespace.setdefault(name, _forwarded(name))
    return type("LazyCall", (_LazyCall,), namespace)


def _forwarded(name: str) -> property:
    return property(lambda promise: getattr(promise._cast(), name))


def _remake(
    function: Callable[..., Any],
    result_classes: tuple[type, ...],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    return lazy(function, *result_classes)(*args, **kwargs)


# --- lazy objects ------------------------------------------------------------------

_EMPTY = object()


def _through(function: Callable[..., Any]) -> Any:
    def method(self: SimpleLazyObject, *args: Any) -> Any:
        return function(self._get(), *args)

    return method


class SimpleLazyObject:
    """Stands for the result of a call that is made when something is first asked of it."""

    _setup: Callable[[], Any]
    _wrapped: Any

    def __init__(self, function: Callable[[], Any]) -> None:
        self.__dict__["_setup"] = function
        self.__dict__["_wrapped"] = _EMPTY

    def _get(self) -> Any:
        if self._wrapped is _EMPTY:
            self.__dict__["_wrapped"] = self._setup()
        return self._wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._get(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._get(), name)

    def __copy__(self) -> Any:
        return SimpleLazyObject(self._setup) if self._wrapped is _EMPTY else copy.copy(self._get())

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if self._wrapped is not _EMPTY:
            return copy.deepcopy(self._wrapped, memo)
        result = memo[id(self)] = SimpleLazyObject(self._setup)
        return result

    def __reduce__(self) -> Any:
        return (_itself, (self._get(),))

    def __repr__(self) -> str:
        shown = self._setup if self._wrapped is _EMPTY else self._wrapped
        return f"<SimpleLazyObject: {shown!r}>"

    __class__ = property(_through(operator.attrgetter("__class__")))
    __str__ = _through(str)
    __bytes__ = _through(bytes)
    __bool__ = _through(bool)
    __dir__ = _through(dir)
    __eq__ = _through(operator.eq)
    __ne__ = _through(operator.ne)
    __lt__ = _through(operator.lt)
    __gt__ = _through(operator.gt)
    __hash__ = _through(hash)
    __getitem__ = _through(operator.getitem)
    __setitem__ = _through(operator.setitem)
    __delitem__ = _through(operator.delitem)
    __iter__ = _through(iter)
    __len__ = _through(len)
    __contains__ = _through(operator.contains)
    __add__ = _through(operator.add)

    def __radd__(self, other: Any) -> Any:
        return other + self._get()


def _itself(value: Any) -> Any:
    return value
