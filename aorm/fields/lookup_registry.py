"""Which lookups and transforms a field or an expression knows by name.

1. A class has its own and those of its bases; the nearest in the method resolution order wins.
2. An instance may have some for itself alone; these go before those of its class.
3. A transform is told from a lookup by its attribute `bilateral`: the classes themselves live in
   the query layer.
4. `listeners` are called after registrations, for those who keep what names meant.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, TypeVar

L = TypeVar("L", bound=type)

#: Called whenever a lookup was registered or unregistered anywhere.
listeners: list[Callable[[], None]] = []


def meanings_changed() -> None:
    """Tell those who keep what names meant."""
    for listener in listeners:
        listener()


class _ClassOrInstanceMethod:
    """A method that is another one when it is called on the class."""

    def __init__(self, on_class: Callable[..., Any], on_instance: Callable[..., Any]) -> None:
        self.on_class = on_class
        self.on_instance = on_instance

    def __get__(self, instance: Any, owner: type) -> Callable[..., Any]:
        if instance is None:
            return self.on_class.__get__(owner)  # type: ignore[no-any-return]
        return self.on_instance.__get__(instance)  # type: ignore[no-any-return]


class RegisterLookupMixin:
    """Registration and search of lookups and transforms."""

    class_lookups: ClassVar[dict[str, Any]]
    instance_lookups: dict[str, Any]

    # --- search ---------------------------------------------------------------------

    @classmethod
    def _lookup_bases(cls) -> tuple[type, ...]:
        """The classes whose lookups this class has, the nearest first."""
        return cls.__mro__

    @classmethod
    @cache
    def get_class_lookups(cls) -> dict[str, Any]:
        """All lookups and transforms of this class by name; not to be changed."""
        found: dict[str, Any] = {}
        for base in reversed(cls._lookup_bases()):
            found.update(base.__dict__.get("class_lookups", ()))
        return found

    def _get_instance_lookups(self) -> dict[str, Any]:
        own = self.__dict__.get("instance_lookups")
        return {**self.get_class_lookups(), **own} if own else self.get_class_lookups()

    #: `X.get_lookups()`: all lookups and transforms by name, X a class or an instance.
    get_lookups: Any = _ClassOrInstanceMethod(
        get_class_lookups.__func__,  # type: ignore[attr-defined]
        _get_instance_lookups,
    )

    def get_lookup(self, lookup_name: str) -> Any:
        """The lookup class of this name, or None.  May be overridden to make lookups up."""
        found = self.get_lookups().get(lookup_name)
        if found is None:
            output_field = getattr(self, "output_field", None)
            return None if output_field is None else output_field.get_lookup(lookup_name)
        return None if hasattr(found, "bilateral") else found

    def get_transform(self, lookup_name: str) -> Any:
        """The transform class of this name, or None.  May be overridden to make them up."""
        found = self.get_lookups().get(lookup_name)
        if found is None:
            output_field = getattr(self, "output_field", None)
            return None if output_field is None else output_field.get_transform(lookup_name)
        return found if hasattr(found, "bilateral") else None

    # --- registration ---------------------------------------------------------------

    def _register_on_instance(self, lookup: L, lookup_name: str | None = None) -> L:
        self.__dict__.setdefault("instance_lookups", {})[lookup_name or _name_of(lookup)] = lookup
        meanings_changed()
        return lookup

    def _unregister_on_instance(self, lookup: Any, lookup_name: str | None = None) -> None:
        del self.instance_lookups[lookup_name or _name_of(lookup)]
        meanings_changed()

    @classmethod
    def _register_on_class(cls, lookup: L, lookup_name: str | None = None) -> L:
        if "class_lookups" not in cls.__dict__:
            cls.class_lookups = {}
        cls.class_lookups[lookup_name or _name_of(lookup)] = lookup
        _forget_class_lookups()
        return lookup

    @classmethod
    def _unregister_on_class(cls, lookup: Any, lookup_name: str | None = None) -> None:
        del cls.class_lookups[lookup_name or _name_of(lookup)]
        _forget_class_lookups()

    #: `X.register_lookup(Lookup, lookup_name=None)`, X a class or an instance; a decorator too.
    register_lookup: Any = _ClassOrInstanceMethod(
        _register_on_class.__func__,  # type: ignore[attr-defined]
        _register_on_instance,
    )
    _unregister_lookup: Any = _ClassOrInstanceMethod(
        _unregister_on_class.__func__,  # type: ignore[attr-defined]
        _unregister_on_instance,
    )


def _name_of(lookup: Any) -> str:
    name = getattr(lookup, "lookup_name", None)
    if not name:
        raise TypeError(f"{lookup!r} has no lookup_name to be registered under")
    return str(name)


def _forget_class_lookups() -> None:
    RegisterLookupMixin.get_class_lookups.__func__.cache_clear()  # type: ignore[attr-defined]
    meanings_changed()
