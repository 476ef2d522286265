"""The words that ask for a plan: nothing but known formats, options and values gets through."""

from __future__ import annotations

from typing import Any

import pytest

from aorm.errors import QueryValueError
from aorm.sql.dialects.postgresql import POSTGRESQL
from aorm.sql.dialects.sqlite import SQLITE


@pytest.mark.parametrize(
    ("dialect", "format", "options", "text"),
    [
        (SQLITE, None, {}, "EXPLAIN QUERY PLAN"),
        (POSTGRESQL, None, {}, "EXPLAIN"),
        (POSTGRESQL, "json", {}, "EXPLAIN (FORMAT JSON)"),
        (
            POSTGRESQL,
            "text",
            {"analyze": True, "COSTS": 0, "serialize": "binary"},
            "EXPLAIN (FORMAT TEXT, ANALYZE true, COSTS false, SERIALIZE BINARY)",
        ),
    ],
)
def test_prefix(dialect: Any, format: Any, options: Any, text: str) -> None:
    assert dialect.explain_prefix(format, options) == text


@pytest.mark.parametrize(
    ("dialect", "format", "options", "text"),
    [
        (SQLITE, "json", {}, "JSON is not a recognized format. SQLite does not support any"),
        (SQLITE, None, {"b": 1, "a": 1}, "Unknown options: a, b"),
        (POSTGRESQL, "text) --", {}, "is not a recognized format. Allowed formats: JSON, TEXT"),
        (POSTGRESQL, None, {"nonsense": True}, "Unknown options: nonsense. The options are: "),
        (POSTGRESQL, None, {"analyze) --": True}, r"Invalid option name: 'analyze\) --'"),
        (SQLITE, None, {"a b": True}, "Invalid option name: 'a b'"),
        (POSTGRESQL, None, {"serialize": "x) --"}, "serialize is one of NONE, TEXT, BINARY"),
    ],
)
def test_refused(dialect: Any, format: Any, options: Any, text: str) -> None:
    with pytest.raises(QueryValueError, match=text):
        dialect.explain_prefix(format, options)
