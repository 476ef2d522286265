"""From rows to results: functions generated once for each layout of rows.

1. A decoder takes the rows of one fetch and what their objects have in common (`Loaded`), and
   returns the list of results.
2. Attributes are stored one by one, in field order, by straight-line code: CPython then keeps
   them without a dictionary.  A value is converted only where the driver's own is another.
3. Values in a form that the database layer itself would not write (a column that other software
   filled) make the quick conversion fail; the rows are then decoded again with the careful one.
4. A model whose class has its own `from_db`, constructor or signal receivers gets its objects
   from `from_db`.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from aorm.fields.registry import hooks
from aorm.fields.tracking import remember
from aorm.garbage import Uncollected
from aorm.generated import setting
from aorm.late import inspect
from aorm.query.expressions import Col
from aorm.query.tuples import ColumnTuple
from aorm.sql.conversions import special_conversion
from aorm.sql.dialect import Conversion, Dialect
from aorm.sql.named_rows import row_class

Decode = Callable[[Sequence[Any], Any], list[Any]]
MANY = 500  # rows from which on the garbage collector is felt
WITHOUT_DICTIONARY = 29  # attributes that CPython keeps in an object itself


class Output:
    """One item of the SELECT list."""

    __slots__ = ("alias", "expression", "hidden", "key")

    def __init__(
        self, expression: Any, alias: str | None, *, key: str | None = None, hidden: bool = False
    ) -> None:
        self.expression = expression
        self.alias = alias
        self.key = key
        self.hidden = hidden

    @property
    def width(self) -> int:
        return len(self.expression) if isinstance(self.expression, ColumnTuple) else 1


class Source:
    """The objects of one model in the rows, and those joined to them."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.fields: list[tuple[Any, int]] = []
        self.annotations: list[tuple[str, int]] = []
        self.related: list[Source] = []
        self.nullable = False
        self.name = ""
        self.cache = ""
        self.remote_cache: str | None = None


class Writer:
    """Lines of a function, and the names that they use."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.head: list[str] = []  # what comes before the rows are gone through
        self.names: dict[str, Any] = {"ref": weakref.ref}
        self.careful = False
        self.positions: dict[str, int] = {}  # of the columns in a row, by their names

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def name(self, value: Any, stem: str = "n") -> str:
        """A name for a value inside the function."""
        name = f"{stem}{len(self.names)}"
        self.names[name] = value
        return name

    def function(self, name: str = "decode") -> Any:
        exec("\n".join(self.lines), self.names)
        return self.names[name]


def conversion_of(expression: Any, dialect: Dialect) -> Conversion | None:
    """How the values of a column or an expression are converted."""
    usual = _usual_conversion(expression, dialect)
    return usual if type(expression) is Col else special_conversion(expression, dialect, usual)


def _usual_conversion(expression: Any, dialect: Dialect) -> Conversion | None:
    field = target = expression.output_field
    if isinstance(expression, Col):
        target = expression.target
        while getattr(target, "is_relation", False) and hasattr(target, "target_field"):
            target = target.target_field
        if expression._output_field is not expression.target and not field.is_relation:
            return dialect.conversion(("expression", field))
        return dialect.conversion(target)
    while getattr(target, "is_relation", False) and hasattr(target, "path_infos"):
        target = target.path_infos[-1].target_fields[-1]
    return dialect.conversion(("expression", target))


def converted(writer: Writer, place: str, conversion: Conversion | None, *, nullable: bool) -> str:
    """The expression for a value, converted."""
    if conversion is None:
        return place
    if writer.careful:
        return f"{writer.name(conversion.function, 'f')}({place})"
    if conversion.batch is not None and place in writer.positions:
        text = f"{_batch(writer, place, conversion.batch)}({place})"
        return f"(None if {place} is None else {text})" if nullable else text
    template = conversion.template
    for name, value in conversion.names.items():
        own = f"{name}_{id(value)}"
        if own not in writer.names:
            writer.names[own] = value
        template = _renamed(template, name, own)
    text = template.format(place)
    if nullable and not _handles_none(conversion):
        return f"(None if {place} is None else {text})"
    return text


def _batch(writer: Writer, place: str, batch: Any) -> str:
    """The name of the function that is chosen for a column at each fetch."""
    chosen = f"of_{place}"
    line = f"{chosen} = {writer.name(batch, 'batch')}"
    line += f"([row[{writer.positions[place]}] for row in rows])"
    writer.head.append(line)
    return chosen


def _renamed(template: str, name: str, own: str) -> str:
    """The template with a name replaced, where it stands as a whole word."""
    return re.sub(rf"(?<![\w.]){re.escape(name)}(?!\w)", own, template)


def _handles_none(conversion: Conversion) -> bool:
    return bool(getattr(conversion, "takes_none", False))


def is_nullable(expression: Any) -> bool:
    """Whether a value may be NULL, as far as the model says."""
    return not (isinstance(expression, Col) and expression.target.null is False)


# --- objects ----------------------------------------


def decoder_of(
    outputs: Sequence[Output], source: Source | None, form: tuple[str, Any], dialect: Dialect
) -> Decode:
    """The decoder of a layout; for objects it finds out at each fetch whether it may be quick."""
    if source is not None:
        return ObjectDecoder(outputs, source, dialect)
    return guarded(lambda careful: _plain(outputs, form, dialect, careful))


def guarded(make: Callable[[bool], Decode]) -> Decode:
    """A quick decoder that falls back to a careful one for unusual values."""
    quick = make(False)
    careful: list[Decode] = []

    def decode(rows: Sequence[Any], loaded: Any) -> list[Any]:
        try:
            if len(rows) < MANY:
                return quick(rows, loaded)
            with Uncollected():
                return quick(rows, loaded)
        except (TypeError, ValueError, AttributeError, ArithmeticError):
            if not careful:
                careful.append(make(True))
            return careful[0](rows, loaded)

    return decode


class ObjectDecoder:
    """Decodes rows to objects; the function is made again when the models' hooks change."""

    def __init__(self, outputs: Sequence[Output], source: Source, dialect: Dialect) -> None:
        self.outputs = outputs
        self.source = source
        self.dialect = dialect
        self.models = [each.model for each in _all_sources(source)]
        # Objects of a relation know those of the same fetch, whatever piece they came in.
        self.whole = bool(source.related)
        self.made: dict[tuple[bool, ...], Decode] = {}
        self.generation = -1
        self.current: Decode

    def __call__(self, rows: Sequence[Any], loaded: Any) -> list[Any]:
        if self.generation != hooks.generation():
            self._choose()
        return self.current(rows, loaded)

    def _choose(self) -> None:
        """Take the function that fits the hooks of the models as they are now."""
        generation = hooks.generation()
        plain = tuple([hooks.loads_plainly(model) for model in self.models])
        if plain not in self.made:
            self.made[plain] = guarded(
                lambda careful: _objects(self.outputs, self.source, self.dialect, careful)
            )
        self.current, self.generation = self.made[plain], generation


def _all_sources(source: Source) -> list[Source]:
    return [source, *(s for related in source.related for s in _all_sources(related))]


def _objects(outputs: Sequence[Output], source: Source, dialect: Dialect, careful: bool) -> Decode:
    writer = Writer()
    writer.careful = careful
    columns = _columns(writer, outputs)
    writer.line(0, "def decode(rows, loaded):")
    writer.line(1, "out = []")
    writer.line(1, "append = out.append")
    prepared: list[str] = []
    body: list[str] = []
    _object(writer, prepared, body, outputs, source, dialect, "o", 2)
    for line in (*prepared, *writer.head):
        writer.line(1, line)
    writer.line(1, f"for {columns} in rows:")
    writer.lines.extend(body)
    writer.line(2, "append(o)")
    if tracks_peers(source):
        writer.line(1, "peers = list(map(ref, out))")
        writer.line(1, "if loaded.peers is None: loaded.peers = peers")
        writer.line(1, "else: loaded.peers += peers")
    writer.line(1, "return out")
    decode: Decode = writer.function()
    return decode


def tracks_peers(source: Source) -> bool:
    """Whether something of these objects may be loaded later, for all of them together."""
    opts = source.model._meta
    return (
        len(source.fields) < len(opts.concrete_fields)
        or any(field.is_relation for field in opts.fields)
        or any(rel.one_to_one for rel in opts.related_objects)
    )


def _columns(writer: Writer, outputs: Sequence[Output]) -> str:
    """The names of a row's columns, for unpacking."""
    if not outputs:
        return "*_"
    names: list[str] = []
    for number, output in enumerate(outputs):
        single = output.width == 1
        names += [f"c{number}"] if single else [f"c{number}_{i}" for i in range(output.width)]
    writer.positions = {name: position for position, name in enumerate(names)}
    return ", ".join(names) + ","


def _object(
    writer: Writer,
    prepared: list[str],
    body: list[str],
    outputs: Sequence[Output],
    source: Source,
    dialect: Dialect,
    variable: str,
    depth: int,
) -> None:
    """The lines that make one object of a row."""

    def line(text: str, extra: int = 0) -> None:
        body.append("    " * (depth + extra) + text)

    model = writer.name(source.model, "m")
    values = [
        (
            field.attname,
            converted(
                writer,
                f"c{place}",
                conversion_of(outputs[place].expression, dialect),
                nullable=bool(field.null),
            ),
        )
        for field, place in source.fields
    ]
    kind = _kind(writer, source, dict(values), model)
    shared = f"l_{variable}"
    if variable == "o":
        prepared.append(f"{shared} = loaded")
    else:
        prepared.append(f"{shared} = loaded.of_relation()")
        if tracks_peers(source):
            prepared.append(f"{shared}.peers = []")
            prepared.append(f"p_{variable} = {shared}.peers.append")
    if hooks.loads_plainly(source.model):
        make: Any = source.model.__new__
        if kind == model:
            # A partial is called without a tuple being made of the arguments.
            line(f"{variable} = {writer.name(partial(make, source.model), 'new')}()")
        else:
            line(f"{variable} = {writer.name(make, 'new')}({kind})")
        stored = [*values, ("_loaded", shared)]
        mark = _inline(source.model, [name for name, _ in stored]) if kind == model else None
        for name, text in stored[:mark]:
            line(setting(variable, name, text))
        if mark is not None:
            # The first that is too much has a dictionary made, which is quicker to fill itself;
            # taking one out makes it, at once, half as large as it would grow.
            held = f"h_{variable}"
            line(f"{held} = {variable}.__dict__")
            line(f"name, value = {held}.popitem()")
            line(f"{held}[name] = value")
            for name, text in stored[mark:]:
                line(f"{held}[{name!r}] = {text}")
    else:
        names = writer.name([name for name, _ in values], "names")
        texts = "".join(f"{text}, " for _, text in values)
        mode = ", fetch_mode=loaded.fetch_mode" if _takes_mode(source.model) else ""
        line(f"{variable} = {kind}.from_db(loaded.db, {names}, ({texts}){mode})")
    if source.model._meta.track_changes:
        line(f"{writer.name(remember, 'remember')}({variable})")
    for name, place in source.annotations:
        expression = outputs[place].expression
        text = converted(
            writer,
            f"c{place}",
            conversion_of(expression, dialect),
            nullable=is_nullable(expression),
        )
        line(setting(variable, name, text))
    if variable != "o" and tracks_peers(source):
        line(f"p_{variable}(ref({variable}))")
    for number, related in enumerate(source.related):
        inner = f"{variable}{number}"
        key = _key_place(related)
        extra = 0
        if related.nullable:
            line(f"if c{key} is None:")
            line(f"{inner} = None", 1)
            line("else:")
            extra = 1
        _object(writer, prepared, body, outputs, related, dialect, inner, depth + extra)
        line(f"{variable}.{related.cache} = {inner}")
        if related.remote_cache is not None:
            line(f"if {inner} is not None: {inner}.{related.remote_cache} = {variable}")


def _inline(model: Any, names: list[str]) -> int | None:
    """How many of the attributes to store as such; None for all.

    What the model does when one is set, by a `__setattr__` or a descriptor, is never passed over.
    """
    if len(names) <= WITHOUT_DICTIONARY or model.__setattr__ is not object.__setattr__:
        return None
    owned = (inspect.getattr_static(model, name, None) for name in names)
    return None if any(hasattr(each, "__set__") for each in owned) else WITHOUT_DICTIONARY


def _kind(writer: Writer, source: Source, values: dict[str, str], model: str) -> str:
    """The class of an object: that of its model, or the one that its row names."""
    kinds = source.model._meta.kinds
    if kinds is None or kinds.attname not in values:
        return model
    return f"{writer.name(kinds.classes.get, 'kind')}({values[kinds.attname]}, {model})"


def _takes_mode(model: Any) -> bool:
    """Whether a model's own `from_db` wants to know the fetch mode."""
    parameters = inspect.signature(model.from_db).parameters.values()
    return any(p.name == "fetch_mode" or p.kind is p.VAR_KEYWORD for p in parameters)


def _key_place(source: Source) -> int:
    # Of the model itself: the key of a parent may be there where the child is not.
    keys = source.model._meta.pk_fields
    return next(place for field, place in source.fields if field in keys)


# --- values ----------------------------------------


def _plain(
    outputs: Sequence[Output], form: tuple[str, Any], dialect: Dialect, careful: bool
) -> Decode:
    """Rows as dictionaries, tuples, named tuples, or single values."""
    writer = Writer()
    writer.careful = careful
    shown = [(n, output) for n, output in enumerate(outputs) if not output.hidden]
    columns = _columns(writer, outputs)
    texts = [_text(writer, number, output, dialect) for number, output in shown]
    kind = form[0]
    plain = all(text == f"c{number}" for (number, _), text in zip(shown, texts, strict=True))
    whole = plain and len(shown) == len(outputs)
    if kind == "dict":
        items = ", ".join(
            f"{output.key!r}: {text}" for (_, output), text in zip(shown, texts, strict=True)
        )
        result = f"[{{{items}}} for {columns} in rows]"
    elif kind == "flat":
        result = f"[{texts[0]} for {columns} in rows]"
    elif kind == "named":
        row = row_class(tuple(str(output.key) for _, output in shown))
        make = writer.name(row._make, "make")
        result = f"[{make}(({', '.join(texts)},)) for {columns} in rows]"
    elif whole:
        result = "list(map(tuple, rows))"
    else:
        result = f"[({', '.join(texts)},) for {columns} in rows]"
    writer.line(0, "def decode(rows, loaded):")
    for line in writer.head:
        writer.line(1, line)
    writer.line(1, f"return {result}")
    decode: Decode = writer.function()
    return decode


def _text(writer: Writer, number: int, output: Output, dialect: Dialect) -> str:
    expression = output.expression
    if output.width > 1:
        parts = [
            converted(
                writer, f"c{number}_{i}", dialect.conversion(target), nullable=bool(target.null)
            )
            for i, target in enumerate(expression.targets)
        ]
        return f"({', '.join(parts)},)"
    return converted(
        writer,
        f"c{number}",
        conversion_of(expression, dialect),
        nullable=is_nullable(expression),
    )
