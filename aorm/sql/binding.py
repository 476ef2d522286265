"""What binds the values of fields in writing statements: generated straight-line code.

1. Values go the way that Django gives them: `pre_save`, `get_db_prep_save`, then the adapter of
   the dialect.  Steps that change nothing for the class of a value are left out.
2. Expressions in the place of values raise NotPlain: the statement has to be made for this row.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from aorm.fields.base import DatabaseDefault, Field, is_expression
from aorm.generated import getting, setting
from aorm.records import Record
from aorm.sql.dialect import Dialect
from aorm.sql.dialects.values import CommonValues, Direct, column_field, kind_of, overrides

_CONVERTING = ("get_prep_value", "to_python", "get_db_prep_value", "get_db_prep_save")
_CACHE = "_write_statements"


class NotPlain(Exception):
    """A value that the database has to compute."""


class Binder(Record):
    """How a value of a field gets into a statement.

    `direct` is the short way for most values; `function` gives what is bound for any, or raises
    NotPlain.
    """

    direct: Direct | None
    function: Callable[[Any], Any]


def is_computed(value: Any) -> bool:
    """Whether the database computes this value: an expression, or the default of a column."""
    return isinstance(value, DatabaseDefault) or is_expression(value)


def values_of(dialect: Dialect) -> CommonValues:
    """The part of the dialect that knows how values are stored."""
    return cast(CommonValues, dialect.values)


def binder(field: Field[Any], dialect: Dialect) -> Binder:
    """How the values of a field are bound in this dialect."""
    column = column_field(field)
    fields = (field,) if column is field else (field, column)
    own = not any(overrides(f, name) for f in fields for name in _CONVERTING)
    function = _binding_function(field, column, dialect, own)
    return Binder(values_of(dialect).direct(dialect, field) if own else None, function)


def _binding_function(
    field: Field[Any], column: Field[Any], dialect: Dialect, own: bool
) -> Callable[[Any], Any]:
    """What binds any value of the field."""
    adapt = values_of(dialect).storing_adapter(dialect, field)
    prepare = field.get_db_prep_save
    prepared = column.plain_types if own else frozenset()
    aware = own and dialect.use_tz and kind_of(column) == "DateTimeField"

    def bind(value: Any) -> Any:
        if value.__class__ not in prepared and not (aware and _is_aware(value)):
            if value is None and own:
                return None
            if is_computed(value):
                raise NotPlain
            value = prepare(value, connection=dialect)
            if is_computed(value):
                raise NotPlain
        return value if adapt is None else adapt(value)

    return bind


def _is_aware(value: Any) -> bool:
    return value.__class__ is datetime.datetime and value.tzinfo is not None


def kept(opts: Any, key: Any, make: Callable[[], Any]) -> Any:
    """What was made for these options before, or is made now."""
    cache = opts.__dict__.setdefault(_CACHE, {})
    found = cache.get(key)
    if found is None:
        found = cache[key] = make()
    return found


# --- generated code --------------------------------------------------------------


class Code:
    """Source of functions, with the objects that it refers to."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.names: dict[str, Any] = {}

    def name(self, hint: str, value: Any) -> str:
        """A name in the source for an object."""
        name = f"{hint}_{len(self.names)}"
        self.names[name] = value
        return name

    def bound(self, field: Field[Any], value: str) -> str:
        """An expression for what is bound; `value` is one for the value of the field."""
        found = binder(field, self.dialect)
        direct, bind = found.direct, self.name("bind", found.function)
        if direct is None:
            return f"{bind}({value})"
        self.names.update(direct.names)
        # The value is read once, by whatever stands first in the condition.
        read = direct.condition.replace("{0}", f"(v := {value})", 1).replace("{0}", "v")
        return f"({direct.value.replace('{0}', 'v')} if {read} else {bind}(v))"

    def saved(self, field: Field[Any], add: bool) -> str:
        """An expression for the value of the instance `o` that is going to be saved."""
        if has_pre_save(field):
            return f"{self.name('pre_save', field.pre_save)}(o, {add})"
        return self.attribute(field)

    def attribute(self, field: Field[Any]) -> str:
        """An expression for the value in the instance `o`."""
        name = field.attname
        return getting("o", name)

    def assignment(self, field: Field[Any], value: str) -> str:
        """A statement that sets the value in the instance `o`."""
        name = field.attname
        return setting("o", name, value)

    def converted(self, field: Field[Any], value: str) -> str:
        """An expression for the field's value; `value` is one for what the driver gave."""
        conversion = self.dialect.conversion(field)
        return value if conversion is None else f"{self.name('of', conversion.function)}({value})"

    def function(self, signature: str, *lines: str) -> Any:
        """The function with this source."""
        name = signature.partition("(")[0]
        body = "\n    ".join(lines)
        space: dict[str, Any] = {**self.names, "__name__": __name__}
        exec(compile(f"def {signature}:\n    {body}\n", f"<aorm {signature}>", "exec"), space)
        return space[name]


def has_pre_save(field: Field[Any]) -> bool:
    """Whether something else than the instance's value may be saved."""
    if getattr(type(field), "pre_save", None) is Field.pre_save:
        return False
    if overrides(field, "pre_save"):
        return True
    # Of aorm's own fields, those of times look at the clock, if they are told to.
    return bool(getattr(field, "auto_now", True) or getattr(field, "auto_now_add", True))


def _tuple(items: Iterable[str]) -> str:
    items = list(items)
    return f"({', '.join(items)},)" if items else "()"


def instance_values(
    fields: Sequence[Field[Any]], dialect: Dialect, add: bool, stored: Sequence[Field[Any]] = ()
) -> Any:
    """A function of an instance: what is bound for its fields; it may raise NotPlain.

    The fields of `stored` follow, with the values that the instance has.
    """
    code = Code(dialect)
    values = [code.bound(field, code.saved(field, add)) for field in fields]
    values += [code.bound(field, code.attribute(field)) for field in stored]
    return code.function("params(o)", f"return {_tuple(values)}")


def row_values(fields: Sequence[Field[Any]], dialect: Dialect) -> Any:
    """A function of a sequence of values: what is bound for them; it may raise NotPlain."""
    code = Code(dialect)
    values = [code.bound(field, f"row[{i}]") for i, field in enumerate(fields)]
    return code.function("params(row)", f"return {_tuple(values)}")


def instance_columns(
    fields: Sequence[Field[Any]], dialect: Dialect, add: bool, stored: Sequence[Field[Any]] = ()
) -> Any:
    """A function of instances: for each field the list of what is bound; may raise NotPlain."""
    code = Code(dialect)
    values = [code.bound(field, code.saved(field, add)) for field in fields]
    values += [code.bound(field, code.attribute(field)) for field in stored]
    lists = [f"[{value} for o in objs]" for value in values]
    return code.function("columns(objs)", f"return {_tuple(lists)}")


def row_columns(fields: Sequence[Field[Any]], dialect: Dialect) -> Any:
    """A function of rows: for each field the list of what is bound; it may raise NotPlain."""
    code = Code(dialect)
    values = [code.bound(field, f"row[{i}]") for i, field in enumerate(fields)]
    lists = [f"[{value} for row in rows]" for value in values]
    return code.function("columns(rows)", f"return {_tuple(lists)}")


def storing(fields: Sequence[Field[Any]], dialect: Dialect) -> Callable[[Any, Sequence[Any]], None]:
    """A function of an instance and a row that came back: it sets the fields."""
    code = Code(dialect)
    lines = [
        code.assignment(field, code.converted(field, f"row[{i}]")) for i, field in enumerate(fields)
    ]
    function = code.function("store(o, row)", *(lines or ["pass"]))
    return cast("Callable[[Any, Sequence[Any]], None]", function)


def storing_many(fields: Sequence[Field[Any]], dialect: Dialect) -> Callable[[Any, Any], None]:
    """A function of instances and as many rows: it sets the fields of all of them."""
    code = Code(dialect)
    lines = [
        code.assignment(field, code.converted(field, f"row[{i}]")) for i, field in enumerate(fields)
    ]
    loop = "for o, row in zip(objs, rows, strict=True):"
    function = code.function("store(objs, rows)", loop, *(f"    {line}" for line in lines))
    return cast("Callable[[Any, Any], None]", function)
