"""Functions that choose among values, compare them, or change their type."""

from __future__ import annotations

import re
from typing import Any

from aorm.errors import QueryValueError
from aorm.query.expressions import Func

__all__ = ["Cast", "Coalesce", "Collate", "Greatest", "Least", "NullIf"]


class Cast(Func):
    """A value as the type of a field."""

    function = "CAST"
    template = "%(function)s(%(expressions)s AS %(db_type)s)"

    def __init__(self, expression: Any, output_field: Any) -> None:
        super().__init__(expression, output_field=output_field)


class Coalesce(Func):
    """The first value that is not NULL."""

    function = "COALESCE"

    def __init__(self, *expressions: Any, **extra: Any) -> None:
        if len(expressions) < 2:
            raise QueryValueError("Coalesce must take at least two expressions")
        super().__init__(*expressions, **extra)

    @property
    def empty_result_set_value(self) -> Any:
        for expression in self.get_source_expressions():
            result = expression.empty_result_set_value
            if result is NotImplemented or result is not None:
                return result
        return None


_COLLATION = r"[\w-]+"


class Collate(Func):
    """A text that is compared and sorted by a collation.

    Raises:
        ValueError: the name of the collation is none.
    """

    function = "COLLATE"
    allowed_default = False
    template = "%(expressions)s %(function)s %(collation)s"

    def __init__(self, expression: Any, collation: str) -> None:
        if not (collation and re.fullmatch(_COLLATION, collation)):
            raise QueryValueError(f"Invalid collation name: {collation!r}.")
        self.collation = collation
        super().__init__(expression)


class _Extreme(Func):
    def __init__(self, *expressions: Any, **extra: Any) -> None:
        if len(expressions) < 2:
            raise QueryValueError(f"{type(self).__name__} must take at least two expressions")
        super().__init__(*expressions, **extra)


class Greatest(_Extreme):
    """The greatest of several values.

    Where one of them is NULL, the result is that of the database: SQLite's is NULL, PostgreSQL's
    is the greatest of the others.
    """

    function = "GREATEST"


class Least(_Extreme):
    """The least of several values; for NULL see `Greatest`."""

    function = "LEAST"


class NullIf(Func):
    """The first value, or NULL where it equals the second one."""

    function = "NULLIF"
    arity = 2
