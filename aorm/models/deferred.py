"""What stands for a column on the model class, and loads its value where it is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aorm.connections.lazy import running_loop
from aorm.errors import SynchronousOnlyOperation
from aorm.fields.tracking import remember
from aorm.late import difflib
from aorm.models.fetch_modes import fetch_mode_of


class DeferredAttribute:
    """A column of a model: `Book.title`, with the field as `.field`.

    It is no data descriptor: a value that an instance holds comes first.
    """

    def __init__(self, field: Any) -> None:
        self.field = field

    @property
    def field_name(self) -> str:
        return str(self.field.attname)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        held = instance.__dict__
        if self.field.attname not in held:  # else a subclass has made it a data descriptor
            load(instance, self.field)
        return held[self.field.attname]

    def fetch_one(self, instance: Any) -> None:
        """Load the value for this instance."""
        instance.refresh_from_db(fields=[self.field.attname])

    def fetch_many(self, instances: Iterable[Any]) -> None:
        """Load the value for all of these that miss it, in one query."""
        attname = self.field.attname
        missing = [each for each in instances if attname not in each.__dict__]
        model, db = type(missing[0]), missing[0]._state.db
        same = [
            each
            for each in missing
            if type(each) is model and each._state.db == db and each._is_pk_set()
        ]
        values = dict(
            model._base_manager.db_manager(db)
            .filter(pk__in={each.pk for each in same})
            .values_list("pk", attname)
        )
        for each in same:
            if each.pk in values:
                each.__dict__[attname] = values[each.pk]
                if model._meta.track_changes:
                    remember(each, (attname,))

    def __repr__(self) -> str:
        return f"<DeferredAttribute: {self.field}>"


def load(instance: Any, field: Any) -> None:
    """Bring the value of a column that the instance does not hold."""
    held, attname = instance.__dict__, field.attname
    parent = _from_parent_chain(instance, field)
    if parent is not None:
        held[attname] = parent
        return
    if not instance._is_pk_set():
        raise AttributeError(f"Cannot retrieve deferred field {attname!r} from an unsaved model.")
    if running_loop():
        kind = type(instance).__name__
        raise SynchronousOnlyOperation(
            f"{kind}.{attname} was not loaded, and asynchronous code cannot load it by touching "
            f"it: leave it out of defer() or into only(), or "
            f"`await instance.arefresh_from_db(fields=[{attname!r}])`"
        )
    fetch_mode_of(instance).fetch(DeferredAttribute(field), instance)
    if attname not in held:
        name = type(instance).__name__
        raise instance.DoesNotExist(f"{name} matching query does not exist.")


def _from_parent_chain(instance: Any, field: Any) -> Any:
    """The value that the link of a child to its parent knows as well, or None."""
    options = instance._meta
    if not field.primary_key or not options.parents:
        return None
    link = options.get_ancestor_link(field.model)
    while link is not None and link is not field:
        if link.target_field is field:
            return getattr(instance, link.attname)
        # A link to a model between: its key is the next link upwards, or leads elsewhere.
        link = link.target_field if link.target_field.is_relation else None
    return None


def static(cls: type, name: str) -> Any:
    """What a class has under a name, without asking descriptors; None without it."""
    for base in cls.__mro__:
        if name in vars(base):
            return vars(base)[name]
    return None


def owned(cls: type, name: str) -> bool:
    """Whether a descriptor of the class answers for this name."""
    return hasattr(type(static(cls, name)), "__get__")


def missing_attribute(instance: Any, name: str) -> Any:
    """What an instance answers for a name that it does not hold.

    Raises:
        AttributeError: it is no column; the message names what comes close.
    """
    field = type(instance)._meta._columns_by_attname.get(name)
    if field is not None:
        load(instance, field)
        return instance.__dict__[name]
    if owned(type(instance), name):
        # A property, or a relation to nothing, has just refused: let it say so itself.
        return static(type(instance), name).__get__(instance, type(instance))
    message = f"{type(instance).__name__!r} object has no attribute {name!r}"
    if not name.startswith("_"):
        near = difflib.get_close_matches(name, instance._meta.field_names, n=3)
        if near:
            message += f"; did you mean {' or '.join(map(repr, near))}?"
    raise AttributeError(message, name=name, obj=instance)
