"""From resolved expressions to SQL text: the walk over a tree, and the numbering of parameters.

1. A rendered piece is a text with `%s` for each parameter and `%%` for a percent sign, and the
   list of its parameters: `Param`s, and constants that belong to the structure.
2. What a class of expressions looks like stands in the dialect's table of renderers; a class of
   a user may spell itself by `as_sql`, `as_sqlite` or `as_postgresql`.
3. `finished` numbers the parameters; equal ones share a number where numbers have names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aorm.query.draft import Draft
from aorm.query.expressions import Expression, Param, QueryNode
from aorm.sql.compiled import ListParam, param_target
from aorm.sql.dialect import Dialect, Identifier

Rendered = tuple[str, list[Any]]
Renderer = Callable[..., Rendered]
MARKS = re.compile("%%|%s")
_CONSTANTS = frozenset({str, int})


class Compiler:
    """Renders the expressions of one query for one dialect."""

    def __init__(self, dialect: Dialect, draft: Draft) -> None:
        self.dialect = dialect
        self.connection = dialect
        self.draft = draft
        self.query = draft
        self._renderers: dict[type, Renderer] = {}
        # Whether a class of a user spells what is around a parameter.
        self.by_hand = False

    def quote(self, name: str) -> str:
        """A name as an identifier, ready for a text with `%s` marks."""
        return Identifier(self.dialect.quote(name).replace("%", "%%"))

    quote_name = quote_name_unless_alias = quote

    def compile(self, node: Any) -> Rendered:
        """The text and the parameters of an expression."""
        kind = type(node)
        if kind is Param:
            return self.renderer(kind)(node, self)
        around = self.by_hand
        try:
            hook = getattr(node, f"as_{self.dialect.vendor}", None)
            spells_itself = getattr(kind, "as_sql", Expression.as_sql) is not Expression.as_sql
            self.by_hand = is_foreign(kind) if hook is not None or spells_itself else False
            if hook is not None:
                sql, params = hook(self, self.connection)
            elif spells_itself:
                sql, params = node.as_sql(self, self.connection)
            else:
                sql, params = self.renderer(kind)(node, self)
        finally:
            self.by_hand = around
        return sql, list(params)

    process = compile

    def render_standard(self, node: Any, **options: Any) -> Rendered:
        """The text of an expression as its class spells it, with some words of it replaced."""
        around, self.by_hand = self.by_hand, False
        try:
            return self.renderer(type(node))(node, self, **options)
        finally:
            self.by_hand = around

    def renderer(self, kind: type) -> Renderer:
        """The renderer of a class: its own, or that of the nearest base."""
        found = self._renderers.get(kind)
        if found is None:
            table = self.dialect.renderers
            for base in kind.__mro__:
                if base in table:
                    found = self._renderers[kind] = table[base]
                    break
            else:
                raise TypeError(f"{kind.__name__} has no SQL on {self.dialect.vendor}")
        return found

    def cast(self, target: Any) -> str:
        """What stands behind the mark of a parameter for a field."""
        return self.dialect.cast(target)

    def list_condition(self, left: str, node: Any, param: Param) -> Rendered:
        """The condition that a value is in a list, which is one parameter."""
        template, encode = self.dialect.list_template(node, param, self)  # type: ignore[attr-defined]
        adapter = self.dialect.adapter(param_target(param))
        return template % left, [ListParam(param, adapter, encode)]

    def subquery(self, node: QueryNode, **options: Any) -> Rendered:
        """The text of a query inside this one."""
        rendered = SUBQUERY.render(node.query, self.dialect, **options)
        return at_offset(rendered, node.base)

    def finished(self, rendered: Rendered) -> tuple[str, list[Any]]:
        """The text with the dialect's marks, and the parameters in their order."""
        return finish(rendered, self.dialect)


def is_foreign(kind: type) -> bool:
    """Whether a class of expressions is not one of aorm's own."""
    return not kind.__module__.startswith("aorm.")


class SubqueryRenderer:
    """Where the module of SELECT says how a query inside another is rendered."""

    render: Callable[..., Rendered]


SUBQUERY = SubqueryRenderer()


def finish(rendered: Rendered, dialect: Dialect) -> tuple[str, list[Any]]:
    """Number the parameters of a text."""
    sql, params = rendered
    if not dialect.numbered:
        return MARKS.sub(lambda m: "%" if m[0] == "%%" else "?", sql), params
    numbers: dict[Any, int] = {}
    ordered: list[Any] = []
    remaining = iter(params)

    def mark(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        param = next(remaining)
        key = _identity(param)
        number = numbers.get(key)
        if number is None:
            ordered.append(param)
            number = numbers[key] = len(ordered)
        return f"${number}"

    return MARKS.sub(mark, sql), ordered


def _identity(param: Any) -> Any:
    """What makes two parameters the same one."""
    if isinstance(param, Param):
        return (Param, param.shape)
    if isinstance(param, ListParam):
        return (ListParam, param.param.shape)
    if type(param) in _CONSTANTS:
        return (type(param), param)
    return tuple(param) if type(param) is list else id(param)


def at_offset(rendered: Rendered, offset: int) -> Rendered:
    """A piece whose parameters are counted among the values of the query around."""
    if not offset:
        return rendered
    sql, params = rendered
    return sql, [_moved(param, offset) for param in params]


def _moved(param: Any, offset: int) -> Any:
    if isinstance(param, Param):
        return param.shifted(offset)
    if isinstance(param, ListParam):
        return ListParam(param.param.shifted(offset), param.adapter, param.encode)
    return param
