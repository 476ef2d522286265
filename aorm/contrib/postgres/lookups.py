"""Lookups and transforms that are PostgreSQL's own."""

from __future__ import annotations

from typing import Any

from aorm.errors import NotSupportedError
from aorm.fields.text import CharField, TextField
from aorm.query.expressions import Transform
from aorm.query.lookup import Lookup

__all__ = [
    "ContainedBy",
    "DataContains",
    "HasAnyKeys",
    "HasKey",
    "HasKeys",
    "OperatorLookup",
    "Overlap",
    "TrigramSimilar",
    "TrigramStrictWordSimilar",
    "TrigramWordSimilar",
    "Unaccent",
]


def in_parentheses(sql: str) -> str:
    """An operand that an operator or an index may follow: a name or a call stays as it is."""
    plain = sql.replace('"', "").replace(".", "").replace("_", "").isalnum()
    return sql if plain else f"({sql})"


class PostgreSQLOnly:
    """A lookup that other databases do not have."""

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> tuple[str, list[Any]]:
        raise NotSupportedError(
            f"{type(self).__name__} is a lookup of PostgreSQL: {connection.vendor} has none like it"
        )


class OperatorLookup(PostgreSQLOnly, Lookup):
    """`lhs operator rhs`; percent signs in the operator are doubled."""

    postgres_operator = ""

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{in_parentheses(left)} {self.postgres_operator} {right}", [
            *left_params,
            *right_params,
        ]


class DataContains(OperatorLookup):
    """Whether all that is in the other value is in this one."""

    lookup_name = "contains"
    postgres_operator = "@>"


class ContainedBy(OperatorLookup):
    """Whether all that is in this value is in the other one."""

    lookup_name = "contained_by"
    postgres_operator = "<@"


class Overlap(OperatorLookup):
    """Whether the values have something in common."""

    lookup_name = "overlap"
    postgres_operator = "&&"


class HasKey(OperatorLookup):
    """Whether there is this key."""

    lookup_name = "has_key"
    postgres_operator = "?"
    prepare_rhs = False


class HasKeys(OperatorLookup):
    """Whether there are all of these keys."""

    lookup_name = "has_keys"
    postgres_operator = "?&"


class HasAnyKeys(HasKeys):
    """Whether there is any of these keys."""

    lookup_name = "has_any_keys"
    postgres_operator = "?|"


# --- texts ------------------------------------------------------------------------


@CharField.register_lookup
@TextField.register_lookup
class Unaccent(Transform):
    """The text without accents, on both sides; needs the extension unaccent."""

    bilateral = True
    lookup_name = "unaccent"
    function = "UNACCENT"

    def _resolve_output_field(self) -> Any:
        return self.lhs._output_field_or_none or TextField()


@CharField.register_lookup
@TextField.register_lookup
class TrigramSimilar(OperatorLookup):
    """Whether the texts have many trigrams in common; needs the extension pg_trgm."""

    lookup_name = "trigram_similar"
    postgres_operator = "%%"


@CharField.register_lookup
@TextField.register_lookup
class TrigramWordSimilar(OperatorLookup):
    """Whether the other text is similar to a part of this one."""

    lookup_name = "trigram_word_similar"
    postgres_operator = "%%>"


@CharField.register_lookup
@TextField.register_lookup
class TrigramStrictWordSimilar(OperatorLookup):
    """Whether the other text is similar to whole words of this one."""

    lookup_name = "trigram_strict_word_similar"
    postgres_operator = "%%>>"
