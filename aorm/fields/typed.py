"""Fields as type checkers see them, and what may stand in place of a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, Self, overload

if TYPE_CHECKING:
    # Defaults of type parameters come with Python 3.13; type checkers know them in all versions.
    from typing_extensions import TypeVar

    #: The type of the values.
    V = TypeVar("V", default=Any)
    #: What was given for `null`, so that the type of an attribute has `| None` or not.
    N = TypeVar("N", Literal[True], Literal[False], default=Literal[False])

    class Typed(Generic[V, N]):
        """A field as the type checker sees it: a descriptor with a type of values."""

        @overload
        def __get__(self, instance: None, owner: Any) -> Self: ...
        @overload
        def __get__(self: Typed[V, Literal[True]], instance: object, owner: Any) -> V | None: ...
        @overload
        def __get__(self: Typed[V, Literal[False]], instance: object, owner: Any) -> V: ...
        def __get__(self, instance: object, owner: Any) -> Any: ...

        @overload
        def __set__(
            self: Typed[V, Literal[True]], instance: object, value: V | Resolvable | None
        ) -> None: ...
        @overload
        def __set__(
            self: Typed[V, Literal[False]], instance: object, value: V | Resolvable
        ) -> None: ...
        def __set__(self, instance: object, value: Any) -> None: ...

else:
    V = N = None

    class Typed:
        """At run time fields are neither generic nor descriptors."""

        def __class_getitem__(cls, types):
            return cls


class Resolvable(Protocol):
    """What may stand in place of a value: an expression, a query set."""

    def resolve(self, *args: Any, **kwargs: Any) -> Any: ...


def is_expression(value: Any) -> bool:
    """Whether the value is an expression of the query layer, which no field converts.

    Paths and model instances are values even where they happen to have a method `resolve`.
    """
    kind = type(value)
    return (
        hasattr(kind, "resolve")
        and not hasattr(kind, "_meta")
        and not hasattr(kind, "__fspath__")
        and not isinstance(value, type)
    )
