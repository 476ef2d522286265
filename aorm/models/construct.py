"""How keyword and positional arguments become the attributes of a new instance.

1. For each model one straight-line function is generated that takes the values of its columns
   and its foreign keys by keyword; it is kept with the Options.
2. What it does not know (properties, `pk`, many-to-many fields, misspelt names) is left to
   `set_others`.
"""

from __future__ import annotations

from collections.abc import Callable
from keyword import iskeyword
from typing import Any

from aorm.errors import FieldDoesNotExist, listed
from aorm.fields.base import Field
from aorm.models.state import DEFERRED

Initialiser = Callable[..., dict[str, Any]]

INITIALISER = "initialiser"
MISSING = object()
# The parameter that is the instance; no field may have this name.
INSTANCE = "_instance_"


def initialiser(model: Any) -> Initialiser:
    """The function `f(instance, **values)` that sets the model's columns.

    It returns the keywords that are no columns.

    Raises:
        TypeError: the model is abstract.
    """
    options = model._meta
    if options.abstract:
        raise TypeError("Abstract models cannot be instantiated.")
    made = _generated(options) if _can_be_generated(options) else _interpreted(options)
    options.derived[INITIALISER] = made
    return made


def _can_be_generated(options: Any) -> bool:
    names = {name for f in options.concrete_fields for name in (f.name, f.attname)}
    return all(
        name.isidentifier() and not iskeyword(name) and not name.startswith("__")
        for name in names
    ) and not (names & {INSTANCE, "_extra_", "DEFERRED", "MISSING"})


def _default(field: Any) -> tuple[bool, Any]:
    """Whether the default has to be asked for each time, and the default or what to ask."""
    overridden = type(field).get_default is not Field.get_default
    if overridden and (not field.is_relation or field.has_default()):
        return True, field.get_default
    if field.has_default() and callable(field.default):
        return True, field.default
    return False, field.get_default()


def _generated(options: Any) -> Initialiser:
    names: dict[str, Any] = {"DEFERRED": DEFERRED, "MISSING": MISSING}
    parameters, body = [], []
    for number, field in enumerate(options.concrete_fields):
        attname = field.attname
        asked, default = _default(field)
        constant = f"_default_{number}"
        names[constant] = default
        related = field.is_relation and field.name != attname
        if asked or related or field.generated:
            parameters.append(f"{attname}=MISSING")
        else:
            parameters.append(f"{attname}={constant}")
        if related:
            parameters.append(f"{field.name}=MISSING")
            body += _relation_lines(field.name, attname, constant, asked)
        elif field.generated:
            body += [f"if {attname} is not MISSING and {attname} is not DEFERRED:"]
            body += [f"    {INSTANCE}.{attname} = {attname}"]
        else:
            if asked:
                body += [f"if {attname} is MISSING:", f"    {attname} = {constant}()"]
            body += [f"if {attname} is not DEFERRED:", f"    {INSTANCE}.{attname} = {attname}"]
    keywords = f"*, {', '.join(parameters)}, " if parameters else ""
    lines = [f"def initialise({INSTANCE}, /, {keywords}**_extra_):"]
    lines += [f"    {line}" for line in [*body, "return _extra_"]]
    exec(compile("\n".join(lines), f"<constructor of {options.label}>", "exec"), names)
    made: Initialiser = names["initialise"]
    return made


def _relation_lines(name: str, attname: str, constant: str, asked: bool) -> list[str]:
    default = f"{constant}()" if asked else constant
    return [
        f"if {name} is MISSING:",
        f"    if {attname} is MISSING:",
        f"        {INSTANCE}.{attname} = {default}",
        f"    elif {attname} is not DEFERRED:",
        f"        {INSTANCE}.{attname} = {attname}",
        "else:",
        f"    if {name} is not DEFERRED:",
        f"        {INSTANCE}.{name} = {name}",
        f"    if {attname} is not MISSING and {attname} is not DEFERRED:",
        f"        {INSTANCE}.{attname} = {attname}",
    ]


def _interpreted(options: Any) -> Initialiser:
    """The same for models with a field whose name cannot stand in source code."""
    fields = [(field, *_default(field)) for field in options.concrete_fields]

    def initialise(instance: Any, /, **values: Any) -> dict[str, Any]:
        for field, asked, default in fields:
            name, attname = field.name, field.attname
            if name in values:
                chosen = name
            elif attname in values:
                chosen = attname
            elif field.generated:
                continue
            else:
                setattr(instance, attname, default() if asked else default)
                continue
            value = values.pop(chosen)
            if value is not DEFERRED:
                setattr(instance, chosen, value)
        return values

    return initialise


def with_positional(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments with the positional ones among them, which are columns in order.

    Raises:
        IndexError: there are more than columns.
        TypeError: a column is given twice.
    """
    options = model._meta
    fields = options.concrete_fields
    if len(args) > len(fields):
        raise IndexError(
            f"Number of args exceeds number of fields: {options.object_name} has {len(fields)}"
        )
    given = dict(zip((field.attname for field in fields), args, strict=False))
    for field in fields[: len(args)]:
        if field.name in kwargs or field.attname in kwargs:
            raise TypeError(
                f"{model.__qualname__}() got both positional and keyword arguments for field "
                f"'{field.name}'."
            )
    given.update(kwargs)
    return given


def set_others(instance: Any, values: dict[str, Any]) -> None:
    """Set what the initialiser did not know.

    Raises:
        TypeError: a name is neither a property nor a field.
    """
    options = instance._meta
    unexpected = []
    for name, value in values.items():
        if name != "pk" and name not in options._property_names and not _is_field(options, name):
            unexpected.append(name)
        elif value is not DEFERRED:
            setattr(instance, name, value)
    if unexpected:
        raise TypeError(
            f"{type(instance).__qualname__}() got unexpected keyword arguments: "
            f"{', '.join(map(repr, unexpected))}; it takes {listed(_accepted(options))}"
        )


def _is_field(options: Any, name: str) -> bool:
    try:
        options.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


def _accepted(options: Any) -> set[str]:
    return {name for field in options.concrete_fields for name in (field.name, field.attname)}
