"""Managers: where the queries of a model begin.

1. A manager has every public method of its QuerySet class; each is one call away from it.
2. As long as `get_queryset` is not overridden, QuerySet's methods are bound to one QuerySet that
   the manager keeps: `Book.objects.filter(...)` makes one object and passes nothing on.
3. QuerySets know nothing of managers.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from aorm.models.overrides import QUERYSET_METHODS, bridge_faces
from aorm.models.queryset import MANAGER_HOOK, QuerySet
from aorm.operations.routing import router

M = TypeVar("M")

# QuerySet's own methods that leave the QuerySet they are called on as it is.
UNCHANGING = frozenset(
    {
        *("filter", "exclude", "complex_filter", "order_by", "reverse", "distinct", "none"),
        *(
            "union",
            "intersection",
            "difference",
            "annotate",
            "alias",
            "values",
            "values_list",
            "dates",
            "datetimes",
        ),
        *("only", "defer", "select_related", "prefetch_related", "using", "select_for_update"),
        *("get", "aget", "count", "acount", "exists", "aexists", "aggregate", "aaggregate"),
        *("first", "afirst", "last", "alast", "create", "acreate"),
        *("bulk_create", "abulk_create", "get_or_create", "aget_or_create"),
    }
)


#: The manager that saving and lazy loading start from: it sees the rows of all kinds.
BASE_MANAGER = "_base_manager"


class ManagerDescriptor:
    """Hands out a model's manager: from the class, never from an instance."""

    def __init__(self, manager: BaseManager[Any]) -> None:
        self.manager = manager
        self.ready: dict[type, BaseManager[Any]] = {}

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            try:
                return self.ready[owner]
            except KeyError:
                pass
        return self.look_up(instance, owner)

    def look_up(self, instance: Any, owner: Any) -> BaseManager[Any]:
        if instance is not None:
            raise AttributeError(
                f"Manager isn't accessible via {owner.__name__} instances; "
                f"use {owner.__name__}.{self.manager.name}"
            )
        options = owner._meta
        if options.abstract:
            raise AttributeError(f"Manager isn't available; {options.object_name} is abstract")
        if options.swapped:
            raise AttributeError(
                f"Manager isn't available; {options.label!r} has been swapped for "
                f"{options.swapped!r}"
            )
        manager: BaseManager[Any] = options.managers_map[self.manager.name]
        # Whether a swappable model is swapped may change with a setting at any time.
        if not options.swappable:
            manager._prepare()
            self.ready[owner] = manager
        return manager


class BaseManager(Generic[M]):
    """A manager without QuerySet methods; `from_queryset` makes classes that have them."""

    #: Counts managers, so that a model's default is the one that was written first.
    creation_counter: ClassVar[int] = 0
    #: Set on the managers that a model gets without having written them.
    auto_created: bool = False
    #: Whether migrations write the manager down.
    use_in_migrations: bool = False

    _queryset_class: ClassVar[type[QuerySet[Any]]]
    _constructor_args: tuple[tuple[Any, ...], dict[str, Any]]
    _built_with_asmanager: bool = False

    model: Any
    name: str | None
    _db: str | None
    _hints: dict[str, Any]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        bridge_faces(cls, QUERYSET_METHODS)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self._constructor_args = (args, kwargs)
        return self

    def __init__(self) -> None:
        super().__init__()
        self._set_creation_counter()
        self.model = None
        self.name = None
        self._db = None
        self._hints = {}

    if not TYPE_CHECKING:

        def __class_getitem__(cls, *args: Any) -> type:
            # `class BookManager(Manager["Book"])` is for type checkers; the class stays itself.
            return cls

    def __str__(self) -> str:
        """`app_label.Model.manager`."""
        return f"{self.model._meta.label}.{self.name}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return id(self)

    def _identity(self) -> dict[str, Any]:
        """The attributes without what was prepared."""
        prepared = self.__dict__.get("_prepared")
        if not prepared:
            return self.__dict__.copy()
        return {key: value for key, value in self.__dict__.items() if key not in prepared}

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        twin.__dict__.update(self._identity())
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return self._identity()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self._constructor_args

    def _set_creation_counter(self) -> None:
        self.creation_counter = BaseManager.creation_counter  # type: ignore[misc]
        BaseManager.creation_counter += 1

    # --- what a manager class is made of ------------------------------------------------

    @classmethod
    def _get_queryset_methods(
        cls, queryset_class: type[QuerySet[Any]]
    ) -> dict[str, Callable[..., Any]]:
        """The methods that `from_queryset` copies, by name."""
        methods = {}
        for name in dir(queryset_class):
            method = getattr(queryset_class, name, None)
            if not isinstance(method, FunctionType) or hasattr(cls, name):
                continue
            only = getattr(method, "queryset_only", None)
            if only or (only is None and name.startswith("_")):
                continue
            methods[name] = _copied(name, method)
        return methods

    @classmethod
    def from_queryset(
        cls, queryset_class: type[QuerySet[Any]], class_name: str | None = None
    ) -> Any:
        """A manager class with the methods of `queryset_class` beside its own.

        Public methods are copied, and private ones with `queryset_only = False`;
        `queryset_only = True` keeps a public one away.
        """
        return type(
            class_name or f"{cls.__name__}From{queryset_class.__name__}",
            (cls,),
            {"_queryset_class": queryset_class, **cls._get_queryset_methods(queryset_class)},
        )

    def deconstruct(
        self,
    ) -> tuple[bool, str | None, str | None, tuple[Any, ...] | None, dict[str, Any] | None]:
        """How to make this manager again.

        Returns:
            Whether `as_manager` makes it, the path of the manager class (or None), that of the
            QuerySet class (or None), and the arguments.

        Raises:
            ValueError: its class cannot be imported by its name.
        """
        queryset_class = self._queryset_class
        if self._built_with_asmanager:
            return True, None, f"{queryset_class.__module__}.{queryset_class.__name__}", None, None
        module, name = type(self).__module__, type(self).__name__
        if not hasattr(importlib.import_module(module), name):
            raise ValueError(
                f"Could not find manager {name} in {module}.\n"
                "Please note that you need to inherit from managers you "
                "dynamically generated with 'from_queryset()'."
            )
        args, kwargs = self._constructor_args
        return False, f"{module}.{name}", None, args, kwargs

    def check(self, **kwargs: Any) -> list[Any]:
        """What is wrong with the manager: nothing, unless a subclass knows better."""
        return []

    def contribute_to_class(self, cls: Any, name: str) -> None:
        """Become the manager `name` of the model `cls`."""
        self.name = self.name or name
        self.model = cls
        for prepared in self.__dict__.pop("_prepared", ()):
            self.__dict__.pop(prepared, None)
        setattr(cls, name, ManagerDescriptor(self))
        cls._meta.add_manager(self)

    # --- where queries begin --------------------------------------------------------------

    @property
    def db(self) -> str:
        """The alias of the database that is read."""
        return self._db or router.db_for_read(self.model, **self._hints)

    def db_manager(self, using: str | None = None, hints: dict[str, Any] | None = None) -> Self:
        """A copy whose queries go to the database `using`."""
        twin = copy.copy(self)
        twin._db = using or self._db
        twin._hints = hints or self._hints
        return twin

    def get_queryset(self) -> QuerySet[M]:
        """A new QuerySet; override it to change what the manager's queries begin with."""
        queryset = self._queryset_class(model=self.model, using=self._db, hints=self._hints)
        kinds = self.model._meta.kinds
        if kinds is not None and self.name != BASE_MANAGER:
            values = kinds.values_of(self.model)
            if values is not None:
                queryset = queryset.filter(**{f"{kinds.attname}__in": values})
        return queryset

    def _prepare(self) -> None:
        """Take methods that cannot change what they are called on from one kept QuerySet."""
        cls = type(self)
        if "_prepared" in self.__dict__ or cls.get_queryset is not BaseManager.get_queryset:
            return
        if self.model._meta.kinds is not None:
            return  # a class that is made later belongs to the rows as well
        shared = self.get_queryset()
        methods = {
            name: getattr(shared, name)
            for name in UNCHANGING
            if getattr(getattr(cls, name, None), "_copied_from", None) is getattr(QuerySet, name)
        }
        self.__dict__.update(methods, _prepared={*methods, "_prepared"})

    def all(self) -> QuerySet[M]:
        """All objects: what `get_queryset` gives."""
        return self.get_queryset()


def _pattern(self: Any, *args: Any, **kwargs: Any) -> Any:
    return self.get_queryset().method(*args, **kwargs)


def _copied(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """The manager's version of a QuerySet method, straight-line code with the name in it.

    The name is put into code that is compiled already: there are a hundred methods.
    """
    code = _pattern.__code__
    names = tuple(name if each == "method" else each for each in code.co_names)
    renamed = code.replace(co_name=name, co_qualname=method.__qualname__, co_names=names)
    copied: Any = wraps(method)(FunctionType(renamed, globals()))
    copied._copied_from = method
    made: Callable[..., Any] = copied
    return made


if TYPE_CHECKING:

    class Manager(QuerySet[M], BaseManager[M]):
        """A type checker sees the QuerySet's methods on the manager."""

        def all(self) -> QuerySet[M]: ...  # type: ignore[override]

        @classmethod
        def from_queryset(
            cls, queryset_class: type[QuerySet[Any]], class_name: str | None = None
        ) -> Any: ...

else:

    class Manager(BaseManager.from_queryset(QuerySet)):
        """The manager that every model gets as `objects` unless it has one of its own."""


class EmptyManager(Manager[M]):
    """The manager of a model that has no rows."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def get_queryset(self) -> QuerySet[M]:
        return super().get_queryset().none()


def _as_manager(queryset_class: type[QuerySet[Any]]) -> Any:
    """A manager with the methods of a QuerySet class, which knows that it was made this way."""
    manager = Manager.from_queryset(queryset_class)()
    manager._built_with_asmanager = True
    return manager


MANAGER_HOOK.make = _as_manager

__all__ = ["BaseManager", "EmptyManager", "Manager", "ManagerDescriptor"]
