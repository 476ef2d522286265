"""Several classes in one table: `Meta.polymorphic_on` names the column that says which.

1. The model with that option owns the table; its proxies are the other classes. Each has a value,
   `Meta.polymorphic_value`, by default its name in lower case.
2. A row comes back as the class whose value it has; as the class that was asked for where no
   class has it.
3. A new object has its class's value; queries of a proxy are about its own rows and those of its
   subclasses.
"""

from __future__ import annotations

from typing import Any, ClassVar

from aorm.errors import ImproperlyConfigured, listed


class Kinds:
    """The classes of one table.

    Attributes:
        attname: of the column that says which class a row is of.
        classes: the classes by value.
    """

    #: Counts the classes that were added anywhere: what was made for fewer is made again.
    generation: ClassVar[int] = 0

    __slots__ = ("attname", "classes", "root")

    def __init__(self, root: Any, attname: str) -> None:
        self.root = root
        self.attname = attname
        self.classes: dict[Any, Any] = {}

    def add(self, model: Any, value: Any) -> None:
        """Let rows with this value be of this class.

        Raises:
            ImproperlyConfigured: another class has the value.
        """
        other = self.classes.get(value)
        if other is not None and other._meta.label != model._meta.label:
            raise ImproperlyConfigured(
                f"{model.__name__} and {other.__name__} have the same value of {self.attname!r}, "
                f"{value!r}: say another one in Meta.polymorphic_value"
            )
        self.classes[value] = model
        Kinds.generation += 1

    def values_of(self, model: Any) -> list[Any] | None:
        """The values of a class and its subclasses; None where it is the class of all rows."""
        if model is self.root:
            return None
        return [value for value, each in self.classes.items() if issubclass(each, model)]

    def __deepcopy__(self, memo: Any) -> Kinds:
        return self


def prepare_kinds(model: Any) -> None:
    """Find out about the classes that share the table of a finished model.

    Raises:
        ImproperlyConfigured: `polymorphic_on` names no column, or two classes have one value.
    """
    options = model._meta
    if options.proxy:
        options.kinds = options.proxy_for_model._meta.kinds
        if options.kinds is None:
            return
    elif options.polymorphic_on is None:
        return
    else:
        field = options._forward_fields_map.get(options.polymorphic_on)
        if field is None or field not in options.local_concrete_fields:
            columns = listed(each.name for each in options.local_concrete_fields)
            raise ImproperlyConfigured(
                f"{model.__name__}.Meta.polymorphic_on names {options.polymorphic_on!r}, which is "
                f"no column of its table; these are {columns}"
            )
        options.kinds = Kinds(model, field.attname)
    if options.polymorphic_value is None:
        column = options._columns_by_attname[options.kinds.attname]
        own = options.kinds.root is model and column.has_default() and not callable(column.default)
        options.polymorphic_value = column.default if own else options.model_name
    options.kinds.add(model, options.polymorphic_value)


__all__ = ["Kinds", "prepare_kinds"]
