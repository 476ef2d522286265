"""How a model class is made.

1. What has `contribute_to_class` is taken out of the class body and given to the finished
   class; all else is ordinary Python.
2. Fields of abstract bases are copied; a base with a table of its own is joined by a one-to-one
   link; a proxy shares the table of its one concrete base.
3. Plain columns leave nothing on the class: `Book.title` is answered by `__getattr__`.  Only
   where a base has an attribute of that name does a `DeferredAttribute` cover it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from aorm.conf import settings
from aorm.errors import (
    DatabaseError,
    FieldError,
    ImproperlyConfigured,
    MultipleObjectsReturned,
    ObjectDoesNotExist,
    ObjectNotUpdated,
)
from aorm.fields import numbers
from aorm.fields.base import Field
from aorm.fields.kinds import prepare_kinds
from aorm.fields.on_delete import CASCADE
from aorm.fields.options import Options
from aorm.fields.order_wrt import prepare_order
from aorm.fields.registry import current_apps, hooks, model_key, related_label
from aorm.fields.relations import OneToOneField
from aorm.models.construct import forget_init
from aorm.models.deferred import DeferredAttribute, owned, static
from aorm.models.ordered import add_order_methods
from aorm.models.overrides import MODEL_METHODS, bridge_faces
from aorm.operations.signals import class_prepared

EXCEPTIONS: dict[str, tuple[type[Exception], ...]] = {
    "DoesNotExist": (ObjectDoesNotExist,),
    "MultipleObjectsReturned": (MultipleObjectsReturned,),
    "NotUpdated": (ObjectNotUpdated, DatabaseError),
}


def contributes(value: Any) -> bool:
    """Whether this part of a class body wants to be told about its class."""
    return not isinstance(value, type) and hasattr(value, "contribute_to_class")


class ModelBase(type):
    """The class of all model classes."""

    _meta: Options

    def __new__(
        mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **kwargs: Any
    ) -> Any:
        if not any(isinstance(base, ModelBase) for base in bases):
            return super().__new__(mcs, name, bases, attrs, **kwargs)
        meta = attrs.pop("Meta", None)
        contributing = {key: value for key, value in attrs.items() if contributes(value)}
        plain = {key: value for key, value in attrs.items() if key not in contributing}
        cls = super().__new__(mcs, name, bases, plain, **kwargs)
        bridge_faces(cls, MODEL_METHODS)
        _Making(cls, bases, meta, contributing).run()
        return cls

    def add_to_class(cls, name: str, value: Any) -> None:
        """Add a field, a manager or anything else to the finished class."""
        if not contributes(value):
            setattr(cls, name, value)
            return
        value.contribute_to_class(cls, name)
        if isinstance(value, Field):
            cover(cls, value)
            if cls._meta.prepared:
                for model in (cls, *_descendants(cls)):
                    forget_init(model)

    def __getattr__(cls, name: str) -> Any:
        if not name.startswith("__"):
            options = cls.__dict__.get("_meta")
            if options is not None:
                field = options._columns_by_attname.get(name)
                if field is not None:
                    return DeferredAttribute(field)
        if owned(cls, name):
            # It is there and has just refused: let it say so itself.
            return static(cls, name).__get__(None, cls)
        raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")

    @property
    def _base_manager(cls) -> Any:
        return cls._meta.base_manager

    @property
    def _default_manager(cls) -> Any:
        return cls._meta.default_manager


def cover(cls: Any, field: Any) -> None:
    """Let a column's name mean the column where a base uses it for something else."""
    attname = field.attname
    if field.column is None or attname in vars(cls):
        return
    if any(attname in vars(base) for base in cls.__mro__[1:]):
        setattr(cls, attname, DeferredAttribute(field))


def _descendants(cls: Any) -> Iterator[Any]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


class _Making:
    """The steps from the bare class to the finished model."""

    def __init__(
        self, cls: Any, bases: tuple[type, ...], meta: Any, contributing: dict[str, Any]
    ) -> None:
        self.cls = cls
        self.own_meta = meta
        self.contributing = contributing
        self.model_bases = [base for base in bases if isinstance(base, ModelBase)]
        self.abstract = bool(getattr(meta, "abstract", False))
        self.inherited: set[str] = set()
        #: The Options that ordinary inheritance finds: those of the first base.
        self.base_options: Options | None = getattr(cls, "_meta", None)

    def run(self) -> None:
        cls = self.cls
        self.make_options()
        self.options: Options = cls._meta
        if not self.abstract:
            self.make_exceptions()
            self.inherit_meta()
        self.refuse_swapped_base()
        for name, value in self.contributing.items():
            cls.add_to_class(name, value)
        self.declared = self.declared_fields()
        if self.options.proxy:
            self.set_up_proxy()
        else:
            self.options.concrete_model = cls
        self.inherit_fields()
        self.options.indexes = [copy.copy(index) for index in self.options.indexes]
        if self.abstract:
            # A child that inherits this Meta is not abstract by that.
            self.own_meta.abstract = False
            cls.Meta = self.own_meta
            return
        self.finish()

    # --- Meta -------------------------------------------------------------------------

    def make_options(self) -> None:
        cls = self.cls
        meta = self.own_meta or getattr(cls, "Meta", None)
        label = getattr(meta, "app_label", None)
        if label is None:
            label = cls.__module__.partition(".")[0]
            # What is defined at the prompt or in a script.
            label = "main" if label == "__main__" else label
        options = Options(meta, label)
        options.apps = getattr(meta, "apps", None) or current_apps()
        options.contribute_to_class(cls, "_meta")

    def inherit_meta(self) -> None:
        base = self.base_options
        if base is None or base.abstract:
            return
        given = self.own_meta
        if not hasattr(given, "ordering"):
            self.options.ordering = base.ordering
        if not hasattr(given, "get_latest_by"):
            self.options.get_latest_by = base.get_latest_by
        if not hasattr(given, "track_changes"):
            self.options.track_changes = base.track_changes

    def refuse_swapped_base(self) -> None:
        base = self.base_options
        if self.options.proxy and base is not None and base.swapped:
            raise TypeError(f"{self.cls.__name__} cannot proxy the swapped model '{base.swapped}'.")

    def make_exceptions(self) -> None:
        for name, roots in EXCEPTIONS.items():
            inherited = tuple(
                getattr(base, name)
                for base in self.model_bases
                if hasattr(base, "_meta") and not base._meta.abstract
            )
            body = {
                "__module__": self.cls.__module__,
                # By this path it is found again when it is unpickled.
                "__qualname__": f"{self.cls.__qualname__}.{name}",
            }
            setattr(self.cls, name, type(name, inherited or roots, body))

    # --- inheritance ------------------------------------------------------------------

    def declared_fields(self) -> dict[str, Any]:
        options = self.options
        fields = (*options.local_fields, *options.local_many_to_many, *options.private_fields)
        return {field.name: field for field in fields}

    def set_up_proxy(self) -> None:
        name = self.cls.__name__
        concrete = None
        for base in self.model_bases:
            if not hasattr(base, "_meta"):
                continue
            if base._meta.abstract:
                if base._meta.fields:
                    raise TypeError(
                        "Abstract base class containing model fields not permitted for proxy "
                        f"model '{name}'."
                    )
                continue
            if concrete is None:
                concrete = base
            elif base._meta.concrete_model is not concrete._meta.concrete_model:
                raise TypeError(
                    f"Proxy model '{name}' has more than one non-abstract model base class."
                )
        if concrete is None:
            raise TypeError(f"Proxy model '{name}' has no non-abstract model base class.")
        if self.options.local_fields or self.options.local_many_to_many:
            raise FieldError(f"Proxy model '{name}' contains model fields.")
        self.options.setup_proxy(concrete)
        self.options.concrete_model = concrete._meta.concrete_model

    def inherit_fields(self) -> None:
        links = self.declared_links()
        #: Names that a class nearer to this one has, which hide inherited fields.
        taken: set[str] = set()
        for base in self.cls.mro():
            if base not in self.model_bases or not hasattr(base, "_meta"):
                taken.update(vars(base))
                if base is not self.cls and "_meta" in vars(base):
                    taken.update(field.name for field in base._meta.local_fields)
                continue
            if base._meta.abstract:
                self.inherit_abstract(base, taken)
            else:
                self.inherit_concrete(base, links, taken)
            self.inherit_private(base, taken)

    def declared_links(self) -> dict[Any, Any]:
        """The one-to-one fields to other models: links to parents, if these are parents."""
        links = {}
        for base in reversed([self.cls, *self.model_bases]):
            if not hasattr(base, "_meta"):
                continue
            if base is not self.cls and not base._meta.abstract:
                continue
            for field in base._meta.local_fields:
                if isinstance(field, OneToOneField):
                    links[model_key(related_label(self.cls, field.remote_field.model))] = field
        return links

    def inherit_concrete(self, base: Any, links: dict[Any, Any], taken: set[str]) -> None:
        cls = self.cls
        for field in (*base._meta.local_fields, *base._meta.local_many_to_many):
            if field.name in self.declared:
                raise FieldError(
                    f"Local field {field.name!r} in class {cls.__name__!r} clashes with field "
                    f"of the same name from base class {base.__name__!r}."
                )
            taken.add(field.name)
        parent = base._meta.concrete_model
        link = links.get(model_key(parent))
        if link is None and not self.options.proxy:
            link = self.make_link(parent)
        self.options.parents[parent] = link

    def make_link(self, parent: Any) -> Any:
        name = f"{parent._meta.model_name}_ptr"
        if name in self.declared:
            raise FieldError(
                f"Auto-generated field '{name}' in class {self.cls.__name__!r} for parent_link "
                f"to base class {parent.__name__!r} clashes with declared field of the same name."
            )
        link = OneToOneField(
            parent, on_delete=CASCADE, name=name, auto_created=True, parent_link=True
        )
        known = {field.name for field in self.options.local_fields}
        if name not in known and not any(name in vars(base) for base in self.cls.__mro__):
            self.cls.add_to_class(name, link)
        return link

    def inherit_abstract(self, base: Any, taken: set[str]) -> None:
        parents = dict(base._meta.parents)
        for field in (*base._meta.local_fields, *base._meta.local_many_to_many):
            if self.hidden(field, taken):
                continue
            copied = self.inherit(field)
            for parent, link in parents.items():
                if link is field:
                    parents[parent] = copied
        self.options.parents.update(parents)

    def inherit_private(self, base: Any, taken: set[str]) -> None:
        for field in base._meta.private_fields:
            if field.name in self.declared and not base._meta.abstract:
                raise FieldError(
                    f"Local field {field.name!r} in class {self.cls.__name__!r} clashes with "
                    f"field of the same name from base class {base.__name__!r}."
                )
            if not self.hidden(field, taken):
                self.inherit(field, mti_inherited=not base._meta.abstract)

    def hidden(self, field: Any, taken: set[str]) -> bool:
        """Whether something nearer has the name of an inherited field."""
        name = field.name
        return (
            name in self.declared
            or name in taken
            or name in self.inherited
            or name in vars(self.cls)
        )

    def inherit(self, field: Any, mti_inherited: bool = False) -> Any:
        copied = copy.deepcopy(field)
        if mti_inherited:
            copied.mti_inherited = True
        self.inherited.add(field.name)
        self.cls.add_to_class(field.name, copied)
        return copied

    # --- the end ----------------------------------------------------------------------

    def finish(self) -> None:
        cls, options = self.cls, self.options
        prepare_order(cls)
        options._prepare(cls, default_primary_key)
        prepare_kinds(cls)
        if options.order_with_respect_to is not None:
            add_order_methods(cls)
        if cls.__doc__ is None:
            cls.__doc__ = f"{cls.__name__}({', '.join(f.name for f in options.fields)})"
        if not options.managers:
            self.make_manager()
        for index in options.indexes:
            if not index.name:
                index.set_name_with_model(cls)
        class_prepared.send(sender=cls)
        options.apps.register_model(options.app_label, cls)

    def make_manager(self) -> None:
        if any(field.name == "objects" for field in self.options.fields):
            raise ValueError(
                f"Model {self.cls.__name__} must specify a custom Manager, because it has a "
                "field named 'objects'."
            )
        assert hooks.manager is not None, "aorm.models is not imported"
        manager = hooks.manager()
        manager.auto_created = True
        self.cls.add_to_class("objects", manager)


def default_primary_key() -> Any:
    """The `id` of a model that declares no primary key, as `settings.DEFAULT_AUTO_FIELD` says.

    Raises:
        ImproperlyConfigured: there is no such field class.
        ValueError: it is not an automatic one.
    """
    path = settings.DEFAULT_AUTO_FIELD
    if not path:
        raise ImproperlyConfigured("DEFAULT_AUTO_FIELD must not be empty.")
    module, _, name = path.rpartition(".")
    # The public module is not finished while models of aorm itself are being made.
    found = getattr(numbers, name, None) if module == "aorm.models" else None
    if found is None:
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ImproperlyConfigured(
                f"DEFAULT_AUTO_FIELD refers to the module '{path}' that could not be imported."
            ) from error
    automatic = (numbers.AutoField, numbers.BigAutoField, numbers.SmallAutoField)
    if not issubclass(found, automatic):
        raise ValueError(
            f"Primary key '{path}' referred by DEFAULT_AUTO_FIELD must subclass AutoField."
        )
    return found(verbose_name="ID", primary_key=True, auto_created=True)
