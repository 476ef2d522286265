"""How JSON documents, their keys and their lookups are spelt.

1. Keys and paths are parameters, like values.
2. On SQLite a part of a document is compared as the value that it is (a number, a text; objects
   and lists as their shortest text; true, false and null by these words; texts in quotation marks
   where it matters that they are texts), and selected as JSON.
3. On PostgreSQL everything is `jsonb`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aorm.errors import NotSupportedError
from aorm.fields.json import JSONField
from aorm.late import json
from aorm.query import json_lookups as j
from aorm.query import lookups as lk
from aorm.query.expressions import Param
from aorm.sql.compiled import ListParam, param_target
from aorm.sql.compiler import Compiler, Rendered
from aorm.sql.standard import operands, render_in, render_isnull, render_param

Renderer = Callable[..., Rendered]

# --- values ------------------------------------------------------------------------------


def render_any_param(node: Param, compiler: Compiler) -> Rendered:
    """A parameter; None as a value of a JSON field is the null of JSON."""
    if node.typed and node.kind == (None,) and isinstance(node._output_field, JSONField):
        return _null(compiler), []
    return render_param(node, compiler)


def render_null(node: j.JSONNull, compiler: Compiler) -> Rendered:
    return _null(compiler), []


def _null(compiler: Compiler) -> str:
    return "'null'::jsonb" if compiler.dialect.capabilities.native_json else "'null'"


def _is_json(expression: Any) -> bool:
    return isinstance(expression._output_field_or_none, JSONField)


def _word_of(param: Param) -> str | None:
    """How SQLite has the true, false or null that a parameter is known to be."""
    kind = param.kind
    if not (isinstance(kind, tuple) and len(kind) == 1):
        return None
    if kind[0] is None:
        return "'null'" if _is_json(param) else "NULL"
    return "'true'" if kind[0] is True else "'false'"


# --- SQLite: paths --------------------------------------------------------------------------

# Paths of old versions cannot name a key with a quotation mark: such a key is looked for among
# all, and what it has goes on as the one item of a list.
_ITEM = (
    "(SELECT '[' || CASE type WHEN 'text' THEN JSON_QUOTE(value) WHEN 'null' THEN 'null'"
    " WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE value END || ']'"
    " FROM json_each({}, %s) WHERE key = %s)"
)
Place = tuple[str, list[Any], str]


def _step(place: Place, key: str) -> Place:
    """From a place in a document to what has a key there."""
    sql, params, path = place
    if '"' in key:
        return _ITEM.format(sql), [*params, path, key], "$[0]"
    return sql, params, path + _member(key)


def _member(key: str) -> str:
    return "." + json.dumps(key)


def _place(node: j.KeyTransform, compiler: Compiler) -> Place:
    """The document, its parameters and the path in it; negative indexes count from the end."""
    source, keys = node.keys
    place: Place = (*compiler.compile(source), "$")
    for key in keys:
        index = j.index_of(key)
        if index is None:
            place = _step(place, key)
        else:
            sql, params, path = place
            place = sql, params, path + (f"[{index}]" if index >= 0 else f"[#{index}]")
    return place


def _with_path(pattern: str, sql: str, params: list[Any], path: str) -> Rendered:
    """A pattern over `{0}`, each time with the document and its path."""
    count = pattern.count("{0}")
    return pattern.format(f"{sql}, %s"), [*params, path] * count


_AS_VALUE = (
    "(CASE WHEN JSON_TYPE({0}) IN ('true', 'false', 'null') THEN JSON_TYPE({0})"
    " ELSE JSON_EXTRACT({0}) END)"
)
_AS_EXACT = (
    "(CASE JSON_TYPE({0}) WHEN 'text' THEN JSON_QUOTE(JSON_EXTRACT({0}))"
    " WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null'"
    " ELSE JSON_EXTRACT({0}) END)"
)
_AS_TEXT = (
    "(CASE WHEN JSON_TYPE({0}) IN ('true', 'false') THEN JSON_TYPE({0})"
    " ELSE CAST(JSON_EXTRACT({0}) AS TEXT) END)"
)
_AS_JSON = (
    "(CASE WHEN JSON_TYPE({0}) IN ('true', 'false', 'null') THEN JSON_TYPE({0})"
    " WHEN JSON_TYPE({0}) IS NOT NULL THEN JSON_QUOTE(JSON_EXTRACT({0})) END)"
)


def sqlite_key(pattern: str) -> Renderer:
    def render(node: j.KeyTransform, compiler: Compiler, **options: Any) -> Rendered:
        return _with_path(pattern, *_place(node, compiler))

    return render


def _value_sqlite(node: Any, compiler: Compiler) -> Rendered:
    """An operand to compare with the value under a key."""
    if not isinstance(node, Param):
        return compiler.compile(node)
    word = _word_of(node)
    if word is not None:
        return word, []
    return ("JSON_EXTRACT(%s, '$')" if _is_json(node) else "%s"), [node]


def _exact_sqlite(node: Any, compiler: Compiler) -> Rendered:
    """An operand to tell whether it is the value under a key: texts in quotation marks."""
    if isinstance(node, j.KeyTransform) and _is_json(node):
        return _with_path(_AS_EXACT, *_place(node, compiler))
    sql, params = _value_sqlite(node, compiler)
    is_text = isinstance(node, Param) and node.kind is str
    return (f"JSON_QUOTE({sql})" if is_text else sql), params


def render_key_exact_sqlite(node: j.KeyTransformExact, compiler: Compiler) -> Rendered:
    lhs, rhs = node.lhs, node.rhs
    if not (isinstance(lhs, j.KeyTransform) and _is_json(lhs)):
        return _SAME_VALUE(node, compiler)
    if isinstance(rhs, j.JSONNull):
        return _with_path("JSON_TYPE({0}) = 'null'", *_place(lhs, compiler))
    exact = isinstance(rhs, Param) or (isinstance(rhs, j.KeyTransform) and _is_json(rhs))
    return (_SAME if exact else _SAME_VALUE)(node, compiler)


def _document_sqlite(node: Any, compiler: Compiler) -> Rendered:
    """An operand to compare with a whole document, in the shortest form of its text."""
    if isinstance(node, j.KeyTransform) and _is_json(node):
        return compiler.renderer(j.SelectedKey)(node, compiler)
    if not isinstance(node, Param):
        sql, params = compiler.compile(node)
        return (sql if isinstance(node, j.JSONNull) else f"JSON({sql})"), params
    word = _word_of(node)
    if word is not None:
        return word, []
    if _is_json(node):
        return "JSON(%s)", [node]
    field = node._output_field
    kind = None if field is None else field.cast_db_type(compiler.dialect)
    return ("JSON_QUOTE(%s)" if kind is None else f"JSON_QUOTE(CAST(%s AS {kind}))"), [node]


def sqlite_comparison(operator: str, operand: Callable[[Any, Compiler], Rendered]) -> Renderer:
    def render(node: lk.Lookup, compiler: Compiler) -> Rendered:
        left, left_params = operand(node.lhs, compiler)
        right, right_params = operand(node.rhs, compiler)
        return f"{left} {operator} {right}", [*left_params, *right_params]

    return render


_SAME = sqlite_comparison("=", _exact_sqlite)
_SAME_VALUE = sqlite_comparison("=", _value_sqlite)


def sqlite_in(
    operand: Callable[[Any, Compiler], Rendered], items: str, *, as_texts: bool
) -> Renderer:
    """`IN`; `items` is what to take of the rows of `json_each`."""

    def render(node: lk.In, compiler: Compiler) -> Rendered:
        left, left_params = operand(node.lhs, compiler)
        rhs = node.rhs
        if isinstance(rhs, lk.Items):
            parts = [operand(item, compiler) for item in rhs]
            right = ", ".join(sql for sql, _ in parts)
            params = [param for _, found in parts for param in found]
            return f"{left} IN ({right})", [*left_params, *params]
        if not isinstance(rhs, Param):
            return render_in(node, compiler)
        adapter = compiler.dialect.adapter(param_target(rhs)) if as_texts else None
        encode = json.dumps if as_texts else _encoder_of(rhs)
        param = ListParam(rhs, adapter, encode)
        sql = f"{left} IN (SELECT {items} FROM json_each(%s))"
        return sql, [*left_params, param]

    return render


_IN_EXACTLY = sqlite_in(
    _exact_sqlite,
    "CASE WHEN type = 'text' THEN JSON_QUOTE(value) WHEN type IN ('true', 'false', 'null')"
    " THEN type ELSE value END",
    as_texts=False,
)
_IN_VALUES = sqlite_in(
    _value_sqlite,
    "CASE WHEN type IN ('true', 'false', 'null') THEN type ELSE value END",
    as_texts=False,
)


def render_key_in_sqlite(node: j.KeyTransformIn, compiler: Compiler) -> Rendered:
    given = isinstance(node.rhs, Param) or (
        isinstance(node.rhs, lk.Items) and all(isinstance(each, Param) for each in node.rhs)
    )
    exact = given and _is_json(node.lhs)
    return (_IN_EXACTLY if exact else _IN_VALUES)(node, compiler)


def _encoder_of(param: Param) -> Callable[[list[Any]], str]:
    encoder = getattr(param_target(param), "encoder", None)
    return lambda value: json.dumps(value, cls=encoder)


def render_key_isnull_sqlite(node: j.KeyTransformIsNull, compiler: Compiler) -> Rendered:
    if not isinstance(node.lhs, j.KeyTransform):
        return render_isnull(node, compiler)
    pattern = f"JSON_TYPE({{0}}) IS {'NULL' if node.truth else 'NOT NULL'}"
    return _with_path(pattern, *_place(node.lhs, compiler))


_HAS = "JSON_TYPE({0}) IS NOT NULL"


def _object_of(node: lk.Lookup, compiler: Compiler) -> Place:
    """The place of the object that is asked for keys."""
    if isinstance(node.lhs, j.KeyTransform):
        return _place(node.lhs, compiler)
    return (*compiler.compile(node.lhs), "$")


def render_has_key_sqlite(node: j.HasKey, compiler: Compiler) -> Rendered:
    place = _object_of(node, compiler)
    if node.key is not None:
        return _with_path(_HAS, *_step(place, node.key))
    sql, params, prefix = place
    if isinstance(node.rhs, Param):
        path = ListParam(node.rhs, None, lambda key: prefix + _member(str(key)))
        return _HAS.format(f"{sql}, %s"), [*params, path]
    key, key_params = compiler.compile(node.rhs)
    return _HAS.format(f"{sql}, %s || JSON_QUOTE({key})"), [*params, f"{prefix}.", *key_params]


def sqlite_has_keys(connector: str, pattern: str) -> Renderer:
    def render(node: j.HasKeysLookup, compiler: Compiler) -> Rendered:
        place = _object_of(node, compiler)
        if node.keys is not None:
            parts = [_with_path(_HAS, *_step(place, key)) for key in node.keys]
            text = connector.join(sql for sql, _ in parts)
            return f"({text})", [param for _, found in parts for param in found]
        sql, params, prefix = place

        def encode(keys: list[str]) -> str:
            return json.dumps([prefix + _member(key) for key in keys])

        # Under a name of its own the column cannot hide one of the table's.
        paths = "(SELECT value AS aorm_path FROM json_each(%s))"
        return pattern.format(paths, f"JSON_TYPE({sql}, aorm_path)"), [
            ListParam(node.rhs, None, encode),
            *params,
        ]

    return render


def unsupported(name: str) -> Renderer:
    def render(node: lk.Lookup, compiler: Compiler) -> Rendered:
        raise NotSupportedError(f"{name} lookup is not supported on this database backend.")

    return render


# --- PostgreSQL ---------------------------------------------------------------------------------


def postgresql_key(one: str, many: str) -> Renderer:
    def render(node: j.KeyTransform, compiler: Compiler, **options: Any) -> Rendered:
        source, keys = node.keys
        sql, params = compiler.compile(source)
        if len(keys) > 1:
            marks = ", ".join("%s" for _ in keys)
            return f"({sql} {many} ARRAY[{marks}]::text[])", [*params, *keys]
        index = j.index_of(keys[0])
        if index is None:
            return f"({sql} {one} %s)", [*params, keys[0]]
        return f"({sql} {one} %s::integer)", [*params, index]

    return render


def _document_postgresql(node: Any, compiler: Compiler) -> Rendered:
    if isinstance(node, Param) and not _is_json(node) and _word_of(node) != "NULL":
        sql, params = compiler.compile(node)
        return f"to_jsonb({sql})", params
    return compiler.compile(node)


def postgresql_comparison(operator: str) -> Renderer:
    return sqlite_comparison(operator, _document_postgresql)


def render_in_postgresql(node: lk.In, compiler: Compiler) -> Rendered:
    if not isinstance(node.rhs, lk.Items):
        return render_in(node, compiler)
    left, params = compiler.compile(node.lhs)
    parts = [_document_postgresql(item, compiler) for item in node.rhs]
    params = [*params, *(param for _, found in parts for param in found)]
    return f"{left} IN ({', '.join(sql for sql, _ in parts)})", params


def render_has_key_postgresql(node: j.HasKey, compiler: Compiler) -> Rendered:
    (left,), params = operands([node.lhs], compiler)
    if node.key is not None:
        return f"{left} ? %s", [*params, node.key]
    right, right_params = compiler.compile(node.rhs)
    return f"{left} ? {right}", [*params, *right_params]


def postgresql_has_keys(operator: str) -> Renderer:
    def render(node: j.HasKeysLookup, compiler: Compiler) -> Rendered:
        left, params = compiler.compile(node.lhs)
        if node.keys is not None:
            marks = ", ".join("%s" for _ in node.keys)
            return f"{left} {operator} ARRAY[{marks}]::text[]", [*params, *node.keys]
        return f"{left} {operator} %s::text[]", [*params, ListParam(node.rhs, None, None)]

    return render


JSON: dict[type, Renderer] = {Param: render_any_param, j.JSONNull: render_null}

SQLITE_JSON: dict[type, Renderer] = {
    j.KeyTransform: sqlite_key(_AS_VALUE),
    j.KeyTextTransform: sqlite_key(_AS_TEXT),
    j.SelectedKey: sqlite_key(_AS_JSON),
    j.JSONExact: sqlite_comparison("=", _document_sqlite),
    j.JSONIn: sqlite_in(_document_sqlite, "JSON(value)", as_texts=True),
    j.KeyTransformExact: render_key_exact_sqlite,
    j.KeyTransformIn: render_key_in_sqlite,
    j.KeyTransformIsNull: render_key_isnull_sqlite,
    j.KeyTransformLt: sqlite_comparison("<", _value_sqlite),
    j.KeyTransformLte: sqlite_comparison("<=", _value_sqlite),
    j.KeyTransformGt: sqlite_comparison(">", _value_sqlite),
    j.KeyTransformGte: sqlite_comparison(">=", _value_sqlite),
    j.HasKey: render_has_key_sqlite,
    j.HasKeys: sqlite_has_keys(" AND ", "NOT EXISTS (SELECT 1 FROM {} WHERE {} IS NULL)"),
    j.HasAnyKeys: sqlite_has_keys(" OR ", "EXISTS (SELECT 1 FROM {} WHERE {} IS NOT NULL)"),
    j.DataContains: unsupported("contains"),
    j.ContainedBy: unsupported("contained_by"),
}
POSTGRESQL_JSON: dict[type, Renderer] = {
    j.KeyTransform: postgresql_key("->", "#>"),
    j.KeyTextTransform: postgresql_key("->>", "#>>"),
    j.SelectedKey: postgresql_key("->", "#>"),
    j.JSONExact: postgresql_comparison("="),
    j.JSONIn: render_in_postgresql,
    j.KeyTransformLt: postgresql_comparison("<"),
    j.KeyTransformLte: postgresql_comparison("<="),
    j.KeyTransformGt: postgresql_comparison(">"),
    j.KeyTransformGte: postgresql_comparison(">="),
    j.HasKey: render_has_key_postgresql,
    j.HasKeys: postgresql_has_keys("?&"),
    j.HasAnyKeys: postgresql_has_keys("?|"),
    j.DataContains: postgresql_comparison("@>"),
    j.ContainedBy: postgresql_comparison("<@"),
}
