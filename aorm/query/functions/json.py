"""JSON documents that the database makes of values."""

from __future__ import annotations

from typing import Any

from aorm.fields.json import JSONField
from aorm.query.expressions import Func, Value, expression_of

__all__ = ["JSONArray", "JSONObject"]

_JSON = JSONField()


class JSONArray(Func):
    """A list of values."""

    function = "JSON_ARRAY"

    def _resolve_output_field(self) -> Any:
        return _JSON


class JSONObject(Func):
    """An object: each keyword is a key, its value an expression or the name of a field."""

    function = "JSON_OBJECT"

    def __init__(self, **fields: Any) -> None:
        expressions: list[Any] = []
        for key, value in fields.items():
            expressions += [Value(key), expression_of(value)]
        super().__init__(*expressions)

    def _resolve_output_field(self) -> Any:
        return _JSON
