"""How keyword and positional arguments become the attributes of a new instance.

1. For each model straight-line code is generated that takes the values of its columns and its
   foreign keys by keyword.  It is kept with the Options as a function that fills an instance.
2. A class whose `__init__` nobody overrides gets the same code as its own `__init__`, when its
   first instance is made: keywords then go straight to where they belong.
3. What it does not know (properties, `pk`, many-to-many fields, misspelt names) is left to
   `set_others`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aorm.errors import FieldDoesNotExist, listed
from aorm.fields.base import Field
from aorm.fields.registry import hooks
from aorm.generated import is_plain_name
from aorm.models.state import DEFERRED
from aorm.operations.signals import post_init, pre_init

Filler = Callable[..., dict[str, Any]]

FILLER = "filler"
MISSING = object()
# Names in the generated code; no field may have one of them.
RESERVED = {
    *("_instance_", "_args_", "_others_", "_model_", "_general_", "_given_", "_set_others_"),
    *("_pre_init_", "_post_init_", "DEFERRED", "MISSING"),
}

_HEAD = """\
def __init__(_instance_, /, *_args_, {parameters}**_others_):
    if _args_ or _instance_.__class__ is not _model_ or _pre_init_.receivers:
        return _general_(_instance_, *_args_, **_given_(dict({given})), **_others_)
{body}
    if _others_:
        _set_others_(_instance_, _others_)
    if _post_init_.receivers:
        _post_init_.send(sender=_model_, instance=_instance_)
"""

_FILLER = """\
def fill(_instance_, /, {star}{parameters}**_others_):
{body}
    return _others_
"""


def filler(model: Any) -> Filler:
    """The function `f(instance, **values)` that sets the model's columns.

    It returns the keywords that are no columns.

    Raises:
        TypeError: the model is abstract.
    """
    options = model._meta
    if options.abstract:
        raise TypeError("Abstract models cannot be instantiated.")
    if _can_be_generated(options):
        names, parameters, body = _parts(options)
        made: Filler = _compiled(
            _FILLER.format(
                star="*, " if parameters else "",
                parameters="".join(f"{each}=MISSING, " for each in parameters),
                body=body,
            ),
            "fill",
            names,
            options,
        )
        if has_plain_init(model):
            _install(model, names, parameters, body)
    else:
        made = _interpreted(options)
    options.derived[FILLER] = made
    return made


def has_plain_init(model: Any) -> bool:
    """Whether no class overrides `Model.__init__`."""
    found = model.__init__
    if found is not hooks.model.__init__ and not hasattr(found, "constructs"):
        return False
    # A mixin that stands behind the models gets its turn from Model.__init__.
    mro = model.__mro__
    behind = mro[mro.index(hooks.model) + 1 : -1]
    return not any("__init__" in vars(base) for base in behind)


def forget_init(model: Any) -> None:
    """Take back the `__init__` that was generated: the model has got another field."""
    if hasattr(vars(model).get("__init__"), "constructs"):
        del model.__init__


def _install(model: Any, names: dict[str, Any], parameters: list[str], body: str) -> None:
    names = {
        **names,
        "_model_": model,
        "_general_": hooks.model.__init__,
        "_given_": _given,
        "_set_others_": set_others,
        "_pre_init_": pre_init,
        "_post_init_": post_init,
    }
    source = _HEAD.format(
        parameters="".join(f"{each}=MISSING, " for each in parameters),
        given=", ".join(f"{each}={each}" for each in parameters),
        body=body,
    )
    made: Any = _compiled(source, "__init__", names, model._meta)
    made.__qualname__ = f"{model.__qualname__}.__init__"
    made.__module__ = model.__module__
    made.constructs = model
    model.__init__ = made


def _compiled(source: str, name: str, names: dict[str, Any], options: Any) -> Any:
    exec(compile(source, f"<constructor of {options.label}>", "exec"), names)
    return names[name]


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not MISSING}


def _can_be_generated(options: Any) -> bool:
    names = {name for f in options.concrete_fields for name in (f.name, f.attname)}
    return RESERVED.isdisjoint(names) and all(
        is_plain_name(name) and not name.startswith("__") for name in names
    )


def _default(field: Any, options: Any) -> tuple[bool, Any]:
    """Whether the default has to be asked for each time, and the default or what to ask."""
    if options.kinds is not None and field.attname == options.kinds.attname:
        return False, options.polymorphic_value
    overridden = type(field).get_default is not Field.get_default
    if overridden and (not field.is_relation or field.has_default()):
        return True, field.get_default
    if field.has_default() and callable(field.default):
        return True, field.default
    return False, field.get_default()


def _parts(options: Any) -> tuple[dict[str, Any], list[str], str]:
    """The names that the code refers to, its parameters, and the lines that set attributes."""
    names: dict[str, Any] = {"DEFERRED": DEFERRED, "MISSING": MISSING}
    parameters: list[str] = []
    lines: list[str] = []
    for number, field in enumerate(options.concrete_fields):
        name, attname = field.name, field.attname
        constant = f"_default_{number}"
        asked, names[constant] = _default(field, options)
        default = f"{constant}()" if asked else constant
        parameters.append(attname)
        unset = "pass" if field.generated else f"_instance_.{attname} = {default}"
        column = [
            f"if {attname} is MISSING:",
            f"    {unset}",
            f"elif {attname} is not DEFERRED:",
            f"    _instance_.{attname} = {attname}",
        ]
        if field.is_relation and name != attname:
            parameters.append(name)
            lines += [
                f"if {name} is MISSING:",
                *(f"    {line}" for line in column),
                "else:",
                f"    if {name} is not DEFERRED:",
                f"        _instance_.{name} = {name}",
                f"    if {attname} is not MISSING and {attname} is not DEFERRED:",
                f"        _instance_.{attname} = {attname}",
            ]
        else:
            lines += column
    return names, parameters, "\n".join(f"    {line}" for line in lines)


def _interpreted(options: Any) -> Filler:
    """The same for models with a field whose name cannot stand in source code."""
    fields = [(field, *_default(field, options)) for field in options.concrete_fields]

    def fill(instance: Any, /, **values: Any) -> dict[str, Any]:
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

    return fill


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
