"""Full text search and trigrams.

1. `SearchVector` makes lexemes of texts, `SearchQuery` says what is looked for; both combine.
2. What is looked for is a value and always bound, `Lexeme`s and the options of headlines too.

Source: PostgreSQL documentation, chapter 12 and F.35 (pg_trgm).
"""

from __future__ import annotations

import re
import struct
from typing import Any

from aorm.contrib.postgres.fields.array import ArrayField
from aorm.contrib.postgres.lookups import (
    OperatorLookup,
    TrigramSimilar,
    TrigramStrictWordSimilar,
    TrigramWordSimilar,
)
from aorm.errors import QueryTypeError, QueryValueError
from aorm.fields.base import Field
from aorm.fields.numbers import FloatField
from aorm.fields.text import CharField, TextField
from aorm.query.expressions import (
    CombinedExpression,
    Expression,
    Func,
    Param,
    Slots,
    Value,
    expression_of,
    value_or_expression,
)
from aorm.query.lookups import Converter
from aorm.sql.dialect import Conversion, Dialect

__all__ = [
    "CombinedSearchQuery",
    "CombinedSearchVector",
    "Lexeme",
    "SearchConfig",
    "SearchHeadline",
    "SearchLookup",
    "SearchQuery",
    "SearchQueryField",
    "SearchRank",
    "SearchVector",
    "SearchVectorExact",
    "SearchVectorField",
    "TrigramDistance",
    "TrigramSimilar",
    "TrigramSimilarity",
    "TrigramStrictWordDistance",
    "TrigramStrictWordSimilar",
    "TrigramStrictWordSimilarity",
    "TrigramWordDistance",
    "TrigramWordSimilar",
    "TrigramWordSimilarity",
    "quote_lexeme",
]

WEIGHTS = ("A", "B", "C", "D")
Rendered = tuple[str, list[Any]]


# --- fields -----------------------------------------------------------------------


class _TextForm(Field[Any]):
    """A column whose values travel as text."""

    column_type = ""

    def db_type(self, connection: Any) -> str:
        return self.column_type

    def parameter_type(self, connection: Any) -> str | None:
        return self.column_type if connection.vendor == "postgresql" else None

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, kwargs


class SearchVectorField(_TextForm):
    """Lexemes of a text, kept in a column (`tsvector`)."""

    column_type = "tsvector"


class SearchQueryField(_TextForm):
    """What is looked for (`tsquery`)."""

    column_type = "tsquery"


class _RealField(FloatField):
    """A float of 4 bytes, which comes back as the shortest number that says it.

    One driver reads its text, the other its bytes: this is where they agree.
    """

    def get_internal_type(self) -> str:
        return "FloatField"

    def db_type(self, connection: Any) -> str:
        return "real"

    def conversion_for(self, dialect: Dialect) -> Conversion:
        return Conversion("shortest({0})", {"shortest": shortest}, shortest)


def shortest(value: Any) -> Any:
    """The float with the fewest digits that is the same number in 4 bytes."""
    if not isinstance(value, float):
        return value
    (number,) = struct.unpack("f", struct.pack("f", value))
    for digits in (6, 7, 8):
        found = float(f"{number:.{digits}g}")
        if struct.unpack("f", struct.pack("f", found))[0] == number:
            return found
    return float(f"{number:.9g}")


_REAL = _RealField()


# --- configuration ----------------------------------------------------------------


class SearchConfig(Expression):
    """The configuration of a search: a name, or an expression that gives one."""

    operands = ("config",)

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = value_or_expression(config)

    @classmethod
    def from_parameter(cls, config: Any) -> SearchConfig | None:
        """None, a configuration as it is, or one of this name."""
        return config if config is None or isinstance(config, cls) else cls(config)

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> Rendered:
        if isinstance(self.config, Param):
            # A definition needs the literal itself: a cast from text is not immutable.
            mark = "%s" if getattr(compiler, "literal", False) else "%s::text"
            return f"{mark}::regconfig", [self.config]
        sql, params = compiler.compile(self.config)
        return f"{sql}::regconfig", params


# --- vectors ----------------------------------------------------------------------


class SearchVectorCombinable:
    """What `+` joins to one vector."""

    ADD = "||"
    config: Any

    def _combine(self, other: Any, connector: str, reversed_: bool) -> Any:
        if not isinstance(other, SearchVectorCombinable):
            raise QueryTypeError(
                "SearchVector can only be combined with other SearchVector instances, got"
                f" {type(other).__name__}."
            )
        left, right = (other, self) if reversed_ else (self, other)
        return CombinedSearchVector(left, connector, right, self.config)


class SearchVector(SearchVectorCombinable, Func):
    """The lexemes of one or more texts.

    Args:
        expressions: names of fields, or expressions; other types are taken as texts.
        config: the configuration, such as `"english"`, or an expression.
        weight: `A`, `B`, `C` or `D`, for ranking.

    Raises:
        ValueError: there is no such weight.
    """

    function = "to_tsvector"
    arg_joiner = " || ' ' || "

    def __init__(self, *expressions: Any, config: Any = None, weight: Any = None) -> None:
        super().__init__(*expressions, output_field=SearchVectorField())
        self.config = SearchConfig.from_parameter(config)
        if weight is not None and not hasattr(weight, "resolve") and weight not in WEIGHTS:
            raise QueryValueError(f"weight must be one of {', '.join(WEIGHTS)}, not {weight!r}")
        self.weight = weight if weight is None else value_or_expression(weight)

    def get_source_expressions(self) -> list[Any]:
        return [*self.source_expressions, self.config, self.weight]

    def set_source_expressions(self, expressions: Any) -> None:
        *self.source_expressions, self.config, self.weight = expressions

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> Rendered:
        texts, params = [], []
        for source in self.source_expressions:
            sql, found = compiler.compile(source)
            if not _is_text(source):
                sql = f"({sql})::text"
            texts.append(f"COALESCE({sql}, '')")
            params += found
        text = self.arg_joiner.join(texts)
        if self.config is not None:
            config, found = compiler.compile(self.config)
            text, params = f"{config}, {text}", [*found, *params]
        text = f"{self.function}({text})"
        if self.weight is None:
            return text, params
        weight, found = compiler.compile(self.weight)
        return f'setweight({text}, {weight}::"char")', [*params, *found]


def _is_text(expression: Any) -> bool:
    return isinstance(expression._output_field_or_none, CharField | TextField)


class CombinedSearchVector(SearchVectorCombinable, CombinedExpression):
    """Two vectors as one."""

    def __init__(self, lhs: Any, connector: str, rhs: Any, config: Any) -> None:
        self.config = config
        super().__init__(lhs, connector, rhs, SearchVectorField())

    def resolve(self, scope: Any) -> Any:
        resolved = super().resolve(scope)
        resolved.config = getattr(resolved.lhs, "config", None)
        return resolved

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> Rendered:
        return _joined(self, compiler)


def _joined(node: Any, compiler: Any) -> Rendered:
    left, left_params = compiler.compile(node.lhs)
    right, right_params = compiler.compile(node.rhs)
    return f"({left} {node.connector} {right})", [*left_params, *right_params]


# --- queries ----------------------------------------------------------------------


class SearchQueryCombinable:
    """What `&` and `|` join to one query."""

    BITAND, BITOR = "&&", "||"

    def _combine(self, other: Any, connector: str, reversed_: bool) -> Any:
        if not isinstance(other, SearchQueryCombinable):
            raise QueryTypeError(
                "SearchQuery can only be combined with other SearchQuery instances, got"
                f" {type(other).__name__}."
            )
        left, right = (other, self) if reversed_ else (self, other)
        return CombinedSearchQuery(left, connector, right, getattr(self, "config", None))

    def __or__(self, other: Any) -> Any:
        return self._combine(other, self.BITOR, False)

    def __ror__(self, other: Any) -> Any:
        return self._combine(other, self.BITOR, True)

    def __and__(self, other: Any) -> Any:
        return self._combine(other, self.BITAND, False)

    def __rand__(self, other: Any) -> Any:
        return self._combine(other, self.BITAND, True)


class SearchQuery(SearchQueryCombinable, Func):
    """What is looked for in vectors.

    Args:
        value: a text, `Lexeme`s, or an expression.
        config: the configuration, such as `"english"`, or an expression.
        invert: look for what does not match; `~query` does the same.
        search_type: how a text is read: `plain` (all words), `phrase` (words in this order),
            `raw` (operators of tsquery), `websearch` (as search engines do).

    Raises:
        ValueError: there is no such search_type.
    """

    SEARCH_TYPES = {
        "plain": "plainto_tsquery",
        "phrase": "phraseto_tsquery",
        "raw": "to_tsquery",
        "websearch": "websearch_to_tsquery",
    }

    def __init__(
        self,
        value: Any,
        output_field: Any = None,
        *,
        config: Any = None,
        invert: bool = False,
        search_type: str = "plain",
    ) -> None:
        if isinstance(value, LexemeCombinable):
            search_type = "raw"
        if search_type not in self.SEARCH_TYPES:
            raise QueryValueError(
                f"Unknown search_type argument {search_type!r}. There are:"
                f" {', '.join(self.SEARCH_TYPES)}."
            )
        self.function = self.SEARCH_TYPES[search_type]
        super().__init__(value_or_expression(value), output_field=output_field)
        self._output_field = output_field or SearchQueryField()
        self.config = SearchConfig.from_parameter(config)
        self.invert = invert

    def get_source_expressions(self) -> list[Any]:
        return [*self.source_expressions, self.config]

    def set_source_expressions(self, expressions: Any) -> None:
        *self.source_expressions, self.config = expressions

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> Rendered:
        text, params = compiler.compile(self.source_expressions[0])
        if self.config is not None:
            config, found = compiler.compile(self.config)
            text, params = f"{config}, {text}", [*found, *params]
        text = f"{self.function}({text})"
        return (f"!!({text})" if self.invert else text), params

    def __invert__(self) -> Any:
        clone = self.copy()
        clone.invert = not self.invert
        return clone

    def __repr__(self) -> str:
        text = super().__repr__()
        return f"~{text}" if self.invert else text


class CombinedSearchQuery(SearchQueryCombinable, CombinedExpression):
    """Two queries joined by `&` or `|`."""

    def __init__(self, lhs: Any, connector: str, rhs: Any, config: Any) -> None:
        self.config = config
        super().__init__(lhs, connector, rhs, SearchQueryField())

    def resolve(self, scope: Any) -> Any:
        resolved = super().resolve(scope)
        resolved.config = getattr(resolved.lhs, "config", None)
        return resolved

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> Rendered:
        return _joined(self, compiler)

    def __str__(self) -> str:
        return f"({super().__str__()})"


# --- lexemes ----------------------------------------------------------------------


def quote_lexeme(value: str) -> str:
    """A text as one lexeme of a raw query, without what has a meaning there."""
    words = re.sub(r"['\0\[\]()|&:*!@<>\\]", " ", value).split()
    return f"'{' '.join(words)}'"


class _RawParam(Param):
    """The place of a raw query."""


class LexemeCombinable(Value):
    """A raw query made of lexemes; all of it is one value."""

    def parametrised(self, slots: Slots) -> Any:
        return _RawParam(slots.take(), self._output_field, str)

    def _combine(self, other: Any, connector: str, reversed_: bool) -> Any:
        if not isinstance(other, LexemeCombinable):
            raise QueryTypeError(
                f"A Lexeme can only be combined with another Lexeme, got {type(other).__name__}."
            )
        left, right = (other, self) if reversed_ else (self, other)
        return CombinedLexeme(left, connector, right)

    def bitand(self, other: Any) -> Any:
        return self._combine(other, "&", False)

    def bitor(self, other: Any) -> Any:
        return self._combine(other, "|", False)

    def __or__(self, other: Any) -> Any:
        return self._combine(other, "|", False)

    def __ror__(self, other: Any) -> Any:
        return self._combine(other, "|", True)

    def __and__(self, other: Any) -> Any:
        return self._combine(other, "&", False)

    def __rand__(self, other: Any) -> Any:
        return self._combine(other, "&", True)


class Lexeme(LexemeCombinable):
    """A word as the database keeps it, or the beginning of one.

    Args:
        value: the word.
        invert: look for what does not have it; `~lexeme` does the same.
        prefix: it is the beginning of words.
        weight: only where it has this weight: `A`, `B`, `C` or `D`.

    Raises:
        TypeError: the value is no text.
        ValueError: it is empty, or there is no such weight.
    """

    def __init__(
        self,
        value: Any,
        output_field: Any = None,
        *,
        invert: bool = False,
        prefix: bool = False,
        weight: str | None = None,
    ) -> None:
        if not isinstance(value, str):
            raise QueryTypeError(f"Lexeme value must be a string, got {type(value).__name__}.")
        if value == "":
            raise QueryValueError("Lexeme value cannot be empty.")
        if weight is not None and (not isinstance(weight, str) or weight not in WEIGHTS):
            raise QueryValueError(f"Weight must be one of 'A', 'B', 'C', and 'D', got {weight!r}.")
        self._parts = (value, output_field, invert, prefix, weight)
        mark = ("*" if prefix else "") + (weight or "")
        text = f"{'!' if invert else ''}{quote_lexeme(value)}{':' if mark else ''}{mark}"
        super().__init__(text, output_field or TextField())

    def __invert__(self) -> Any:
        value, output_field, invert, prefix, weight = self._parts
        return type(self)(value, output_field, invert=not invert, prefix=prefix, weight=weight)


class CombinedLexeme(LexemeCombinable):
    """Lexemes joined by `&` or `|`."""

    def __init__(self, lhs: Any, connector: str, rhs: Any) -> None:
        self._parts = (lhs, connector, rhs)
        super().__init__(f"({lhs.value} {connector} {rhs.value})", TextField())

    def __invert__(self) -> Any:
        lhs, connector, rhs = self._parts
        return type(self)(~lhs, "|" if connector == "&" else "&", ~rhs)


# --- ranks and headlines ----------------------------------------------------------


class SearchRank(Func):
    """How well a vector matches a query.

    Args:
        vector: a vector, or the name of a field.
        query: a query, or a text.
        weights: what lexemes of the weights D, C, B and A count for.
        normalization: how much long texts count, as bits.
        cover_density: rank by how near the words are to each other.
    """

    function = "ts_rank"

    def __init__(
        self,
        vector: Any,
        query: Any,
        weights: Any = None,
        normalization: Any = None,
        cover_density: bool = False,
    ) -> None:
        if cover_density:
            self.function = "ts_rank_cd"
        vector = vector if hasattr(vector, "resolve") else SearchVector(vector)
        query = query if hasattr(query, "resolve") else SearchQuery(query)
        operands = [vector, query]
        if weights is not None:
            if not hasattr(weights, "resolve"):
                weights = Value(list(weights), ArrayField(_RealField()))
            operands.insert(0, weights)
        if normalization is not None:
            operands.append(value_or_expression(normalization))
        super().__init__(*operands, output_field=_REAL)


class SearchHeadline(Func):
    """A part of a text around the words that are looked for, in which these are marked.

    Args:
        expression: the text, or the name of a field.
        query: a query, or a text.
        config, start_sel, ...: options of ts_headline.
    """

    function = "ts_headline"

    def __init__(
        self,
        expression: Any,
        query: Any,
        *,
        config: Any = None,
        start_sel: str | None = None,
        stop_sel: str | None = None,
        max_words: int | None = None,
        min_words: int | None = None,
        short_word: int | None = None,
        highlight_all: bool | None = None,
        max_fragments: int | None = None,
        fragment_delimiter: str | None = None,
    ) -> None:
        if not hasattr(query, "resolve"):
            query = SearchQuery(query, config=config)
        options = {
            "StartSel": start_sel,
            "StopSel": stop_sel,
            "MaxWords": max_words,
            "MinWords": min_words,
            "ShortWord": short_word,
            "HighlightAll": highlight_all,
            "MaxFragments": max_fragments,
            "FragmentDelimiter": fragment_delimiter,
        }
        operands = [expression_of(expression), query]
        if config is not None:
            operands.insert(0, SearchConfig.from_parameter(config))
        if text := _options_text(options):
            operands.append(Value(text))
        super().__init__(*operands, output_field=TextField())


def _options_text(options: dict[str, Any]) -> str:
    """The options in one text, as ts_headline reads them."""
    return ", ".join(
        f"{name}={_option(value)}" for name, value in options.items() if value is not None
    )


def _option(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '""')
    return f'"{text}"'


# --- lookups ----------------------------------------------------------------------


def _text(value: Any) -> str:
    return value if type(value) is str else str(value)


@SearchVectorField.register_lookup
class SearchVectorExact(OperatorLookup):
    """Whether a vector matches a query; a text is a query with the vector's configuration."""

    lookup_name = "exact"
    postgres_operator = "@@"
    prepare_rhs = False

    def converter(self, sample: Any) -> Converter | None:
        return None if type(sample) is str else _text

    def process_rhs(self, compiler: Any, connection: Any) -> Rendered:
        rhs = self.rhs
        if not isinstance(rhs, SearchQueryCombinable) and not isinstance(
            rhs._output_field_or_none, SearchQueryField
        ):
            raw = "raw" if isinstance(rhs, _RawParam) else "plain"
            config = getattr(self.lhs, "config", None)
            rhs = SearchQuery(rhs, config=config, search_type=raw)
        return compiler.compile(rhs)  # type: ignore[no-any-return]


@CharField.register_lookup
@TextField.register_lookup
class SearchLookup(SearchVectorExact):
    """Whether a text matches a query."""

    lookup_name = "search"

    def process_lhs(self, compiler: Any, connection: Any, lhs: Any = None) -> Rendered:
        found = self.lhs if lhs is None else lhs
        if not isinstance(found._output_field_or_none, SearchVectorField):
            found = SearchVector(found, config=getattr(self.rhs, "config", None))
        return super().process_lhs(compiler, connection, found)


# --- trigrams ---------------------------------------------------------------------


class TrigramBase(Func):
    """A measure of how alike two texts are; needs the extension pg_trgm."""

    def __init__(self, expression: Any, string: Any, **extra: Any) -> None:
        super().__init__(expression, value_or_expression(string), output_field=_REAL, **extra)


class TrigramWordBase(Func):
    """A measure of how alike a text and a part of another one are."""

    def __init__(self, string: Any, expression: Any, **extra: Any) -> None:
        super().__init__(value_or_expression(string), expression, output_field=_REAL, **extra)


class TrigramSimilarity(TrigramBase):
    """How many trigrams the texts share: from 0 to 1."""

    function = "SIMILARITY"


class TrigramDistance(TrigramBase):
    """How few trigrams the texts share: from 0 to 1."""

    function = ""
    arg_joiner = " <-> "


class TrigramWordSimilarity(TrigramWordBase):
    """How alike the text and the most similar part of the other one are."""

    function = "WORD_SIMILARITY"


class TrigramWordDistance(TrigramWordBase):
    """One minus the word similarity."""

    function = ""
    arg_joiner = " <<-> "


class TrigramStrictWordSimilarity(TrigramWordBase):
    """The same, with parts that begin and end where words do."""

    function = "STRICT_WORD_SIMILARITY"


class TrigramStrictWordDistance(TrigramWordBase):
    """One minus the strict word similarity."""

    function = ""
    arg_joiner = " <<<-> "
