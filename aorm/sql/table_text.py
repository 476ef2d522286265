"""Reading the CREATE TABLE that SQLite keeps: what none of its pragmas tells.

Source: SQLite documentation, "CREATE TABLE" (the grammar of column and table constraints).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from aorm.records import Record

_TOKEN = r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |"(?P<double>(?:[^"]|"")*)"|`(?P<tick>(?:[^`]|``)*)`|\[(?P<bracket>[^\]]*)\]
    |(?P<text>'(?:[^']|'')*')|(?P<word>[^\W\d][\w$]*)|(?P<other>.)
"""
_CONSTRAINTS = frozenset({"CONSTRAINT", "UNIQUE", "CHECK", "PRIMARY", "FOREIGN"})


class Token(Record):
    """A word, a quoted name (`quoted`), or one character of anything else."""

    value: str
    quoted: bool = False

    def says(self, *words: str) -> bool:
        """Whether it is one of these words of SQL."""
        return not self.quoted and self.value.upper() in words


class ColumnText(Record):
    """What the definition of a column says."""

    name: str
    collation: str | None
    autoincrement: bool
    checked_as_json: bool


class ConstraintText(Record):
    """A UNIQUE or CHECK and its columns; `name` is None where it has none."""

    name: str | None
    check: bool
    columns: tuple[str, ...]


class TableText(Record):
    """What a CREATE TABLE says of columns and constraints."""

    columns: dict[str, ColumnText]
    constraints: list[ConstraintText]


def parsed(sql: str) -> TableText:
    """The columns, and the UNIQUE and CHECK constraints, of a CREATE TABLE."""
    parts = list(_definitions(list(_tokens(sql))))
    own = [part for part in parts if not part[0].says(*_CONSTRAINTS)]
    names = {part[0].value.lower(): part[0].value for part in own}
    columns = {part[0].value: _column(part) for part in own}
    constraints = [found for part in parts for found in _constraints(part, names)]
    return TableText(columns, constraints)


def _tokens(sql: str) -> Iterator[Token]:
    for match in re.finditer(_TOKEN, sql, re.VERBOSE | re.DOTALL):
        kind, text = match.lastgroup, match[0]
        if kind == "double":
            yield Token(match["double"].replace('""', '"'), True)
        elif kind == "tick":
            yield Token(match["tick"].replace("``", "`"), True)
        elif kind == "bracket":
            yield Token(match["bracket"], True)
        elif kind != "space":
            yield Token(text)


def _definitions(tokens: list[Token]) -> Iterator[list[Token]]:
    """What stands between the commas of the outermost parentheses."""
    depth = 0
    part: list[Token] = []
    for token in tokens:
        if token.says("("):
            depth += 1
            if depth == 1:
                continue
        elif token.says(")"):
            depth -= 1
            if depth == 0:
                break
        if depth == 1 and token.says(","):
            yield part
            part = []
        elif depth:
            part.append(token)
    if part:
        yield part


def _outside(part: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """The tokens outside of parentheses, with their places."""
    depth = 0
    for place, token in enumerate(part):
        depth -= token.says(")")
        if depth == 0:
            yield place, token
        depth += token.says("(")


def _column(part: list[Token]) -> ColumnText:
    words = dict(_outside(part))
    collation = next(
        (part[place + 1].value for place, word in words.items() if word.says("COLLATE")), None
    )
    return ColumnText(
        part[0].value,
        collation,
        any(word.says("AUTOINCREMENT") for word in words.values()),
        any(token.says("JSON_VALID") for token in part),
    )


def _constraints(part: list[Token], names: dict[str, str]) -> Iterator[ConstraintText]:
    """The constraints of one definition; `names` are the columns by lower-case name."""
    own = None if part[0].says(*_CONSTRAINTS) else part[0].value
    name: str | None = None
    for place, token in list(_outside(part))[0 if own is None else 1 :]:
        if place and part[place - 1].says("CONSTRAINT"):
            name = token.value
        elif token.says("UNIQUE", "CHECK"):
            check = token.says("CHECK")
            inside = _columns(_group(part, place + 1), names)
            columns = (own,) if own is not None and not check else inside
            yield ConstraintText(name, check, columns)
            name = None
        elif token.says("PRIMARY", "FOREIGN", "REFERENCES", "NOT", "DEFAULT", "GENERATED"):
            name = None


def _group(part: list[Token], start: int) -> list[Token]:
    """The tokens of the parentheses that open here."""
    depth, group = 0, []
    for token in part[start:]:
        depth += token.says("(")
        if not depth:
            break
        group.append(token)
        depth -= token.says(")")
    return group


def _columns(tokens: Sequence[Token], names: dict[str, Any]) -> tuple[str, ...]:
    found = (names.get(token.value.lower()) for token in tokens)
    return tuple(dict.fromkeys(name for name in found if name is not None))
