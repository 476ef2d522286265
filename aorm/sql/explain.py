"""The words before a SELECT that ask a database for its plan.

Formats, options and their values come from the lists below alone, so that nothing else reaches
the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aorm.errors import QueryValueError, listed

POSTGRESQL_FORMATS = ("JSON", "TEXT", "XML", "YAML")
_SWITCHES = frozenset(
    {
        *("analyze", "verbose", "costs", "settings", "generic_plan", "buffers", "wal", "timing"),
        *("summary", "memory"),
    }
)
_CHOICES = {"serialize": ("NONE", "TEXT", "BINARY")}
_NAME = re.compile(r"\w+", re.ASCII)


def explain_on_postgresql(format: str | None, options: Mapping[str, Any]) -> str:
    """EXPLAIN with a format and options.

    Raises QueryValueError for a format, an option or a value that PostgreSQL has not.

    Source: https://www.postgresql.org/docs/current/sql-explain.html
    """
    words = []
    if format is not None:
        if format.upper() not in POSTGRESQL_FORMATS:
            raise QueryValueError(
                f"{format.upper()} is not a recognized format. Allowed formats:"
                f" {', '.join(POSTGRESQL_FORMATS)}"
            )
        words.append(f"FORMAT {format.upper()}")
    _check_names(options, [*_SWITCHES, *_CHOICES])
    words += [f"{name.upper()} {_word(name.lower(), value)}" for name, value in options.items()]
    return f"EXPLAIN ({', '.join(words)})" if words else "EXPLAIN"


def explain_on_sqlite(format: str | None, options: Mapping[str, Any]) -> str:
    """EXPLAIN QUERY PLAN; QueryValueError for any format or option, as there are none.

    Source: https://www.sqlite.org/eqp.html
    """
    if format is not None:
        raise QueryValueError(
            f"{format.upper()} is not a recognized format. SQLite does not support any formats."
        )
    _check_names(options, [])
    return "EXPLAIN QUERY PLAN"


def _check_names(options: Mapping[str, Any], known: list[str]) -> None:
    for name in options:
        if not _NAME.fullmatch(name):
            raise QueryValueError(f"Invalid option name: {name!r}")
    unknown = sorted(name for name in options if name.lower() not in known)
    if unknown:
        raise QueryValueError(
            f"Unknown options: {', '.join(unknown)}. The options are: {listed(known)}"
        )


def _word(name: str, value: Any) -> str:
    choices = _CHOICES.get(name)
    if choices is None:
        return "true" if value else "false"
    word = str(value).upper()
    if word not in choices:
        raise QueryValueError(f"{name} is one of {', '.join(choices)}, not {value!r}")
    return word
