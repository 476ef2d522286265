"""COPY: many rows into a table, and the rows of a query out of the database.

1. Rows go in as text: see `postgresql_text`.
2. COPY takes no parameters, so the values of a query are written out as literals; marks inside of
   quoted names, texts and comments are none.

Source: PostgreSQL documentation, COPY.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aorm.errors import QueryTypeError, QueryValueError, listed
from aorm.fields.base import Field
from aorm.sql.binding import NotPlain, instance_values, kept, row_values
from aorm.sql.dialect import Dialect
from aorm.sql.dialects.postgresql_text import copy_line
from aorm.sql.literals import literal, text_literal
from aorm.sql.writes import names

FORMATS = ("binary", "csv", "text")

# --- in --------------------------------------------------------------------------


class Copier:
    """Makes lines of rows: of instances, of mappings, or of sequences in the fields' order.

    Args:
        opts: the options of the model whose table it is.
        fields: the fields that have values.
        kind: what rows are: "instance", "mapping" or "sequence".
    """

    def __init__(self, opts: Any, fields: Sequence[Field[Any]], kind: str, dialect: Dialect):
        self.opts = opts
        self.fields = fields
        self.sql = f"COPY {dialect.quote(opts.db_table)} ({names(fields, dialect)}) FROM STDIN"
        make = instance_values if kind == "instance" else row_values
        arguments = (True,) if kind == "instance" else ()
        key = ("copy", kind, dialect, tuple(fields))
        self._bind: Callable[[Any], Sequence[Any]] = kept(
            opts, key, lambda: make(fields, dialect, *arguments)
        )
        self._shape = _SHAPES[kind]

    def lines(self, rows: Sequence[Any], names: Sequence[str]) -> str:
        """The lines of these rows.

        Raises:
            ValueError: a row has not a value for each field, or an expression for a value.
            TypeError: a row is of another kind than the first one.
        """
        shape, bind = self._shape, self._bind
        try:
            return "".join([copy_line(bind(shape(row, names, self.opts))) for row in rows])
        except NotPlain:
            raise QueryValueError(
                "COPY takes plain values, no expressions and no defaults of the database:"
                " leave such fields out (fields=...), or use bulk_create()"
            ) from None


def _instance(row: Any, names: Sequence[str], opts: Any) -> Any:
    if getattr(row, "_meta", None) is not opts:
        raise QueryTypeError(f"{row!r} is no {opts.object_name}, as the first row is")
    return row


def _mapping(row: Any, names: Sequence[str], opts: Any) -> Any:
    if not isinstance(row, Mapping):
        raise QueryTypeError(f"{row!r} is no mapping, as the first row is")
    if len(row) != len(names):
        raise QueryValueError(f"a row has the keys {listed(row)}, not {listed(names)}")
    try:
        return [row[name] for name in names]
    except KeyError:
        raise QueryValueError(f"a row has the keys {listed(row)}, not {listed(names)}") from None


def _sequence(row: Any, names: Sequence[str], opts: Any) -> Any:
    if isinstance(row, str | bytes | Mapping) or not hasattr(row, "__getitem__"):
        raise QueryTypeError(f"{row!r} is no sequence of values, as the first row is")
    if len(row) != len(names):
        raise QueryValueError(f"a row has {len(row)} values for {len(names)} fields: {row!r}")
    return row


_SHAPES = {"instance": _instance, "mapping": _mapping, "sequence": _sequence}


# --- out -------------------------------------------------------------------------

# What is no SQL where a mark could stand, and the marks themselves.
_MARKS = re.compile(
    r"""
      "(?:[^"]|"")*"
    | [eE]'(?:[^'\\]|\\.|'')*'
    | '(?:[^']|'')*'
    | \$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?P=tag)?\$
    | --[^\n]*
    | /\*.*?\*/
    | \$(?P<number>[0-9]+)
    """,
    re.VERBOSE | re.DOTALL,
)


def written_out(sql: str, params: Sequence[Any], dialect: Dialect) -> str:
    """A statement with its parameters as literals."""

    def replaced(found: re.Match[str]) -> str:
        number = found["number"]
        return found[0] if number is None else literal(params[int(number) - 1], dialect)

    return _MARKS.sub(replaced, sql)


def copy_out_sql(
    sql: str, params: Sequence[Any], options: Mapping[str, Any], dialect: Dialect
) -> str:
    """COPY of the rows of a query.

    Args:
        options: `format`, and `header`, `delimiter` and `null` where they are given.
    Raises:
        ValueError: an option is none that there is.
    """
    chosen = options["format"]
    if chosen not in FORMATS:
        raise QueryValueError(f"there is no format {chosen!r}; there are {listed(FORMATS)}")
    words = [f"FORMAT {chosen}"]
    for name in ("header", "delimiter", "null"):
        value = options.get(name)
        if value is None:
            continue
        if chosen == "binary":
            raise QueryValueError(f"the binary format has no option {name!r}")
        words.append(f"{name.upper()} {_switch(value) if name == 'header' else _text(name, value)}")
    return f"COPY ({written_out(sql, params, dialect)}) TO STDOUT WITH ({', '.join(words)})"


def _switch(value: Any) -> str:
    return "true" if value else "false"


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or (name == "delimiter" and len(value.encode()) != 1):
        raise QueryValueError(f"{value!r} cannot be the {name} of COPY")
    quoted = text_literal(value)
    return f"E{quoted}".replace("\\", "\\\\") if "\\" in quoted else quoted
