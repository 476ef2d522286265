"""Functions of texts."""

from __future__ import annotations

from typing import Any

from aorm.errors import QueryValueError
from aorm.fields.numbers import IntegerField
from aorm.fields.text import CharField, TextField
from aorm.query.expressions import Func, Transform, Value, value_or_expression

__all__ = [
    "MD5",
    "SHA1",
    "SHA224",
    "SHA256",
    "SHA384",
    "SHA512",
    "Chr",
    "Concat",
    "ConcatPair",
    "LPad",
    "LTrim",
    "Left",
    "Length",
    "Lower",
    "Ord",
    "RPad",
    "RTrim",
    "Repeat",
    "Replace",
    "Reverse",
    "Right",
    "StrIndex",
    "Substr",
    "Trim",
    "Upper",
]

_TEXT, _INTEGER = CharField(), IntegerField()


class _TextResult:
    def _resolve_output_field(self) -> Any:
        return _TEXT


class _IntegerResult:
    def _resolve_output_field(self) -> Any:
        return _INTEGER


class _Digest(Transform):
    """The hexadecimal digest of a text."""


class MD5(_Digest):
    """The MD5 digest of a text, hexadecimal."""

    function = "MD5"
    lookup_name = "md5"


class SHA1(_Digest):
    """The SHA-1 digest of a text, hexadecimal."""

    function = "SHA1"
    lookup_name = "sha1"


class SHA224(_Digest):
    """The SHA-224 digest of a text, hexadecimal."""

    function = "SHA224"
    lookup_name = "sha224"


class SHA256(_Digest):
    """The SHA-256 digest of a text, hexadecimal."""

    function = "SHA256"
    lookup_name = "sha256"


class SHA384(_Digest):
    """The SHA-384 digest of a text, hexadecimal."""

    function = "SHA384"
    lookup_name = "sha384"


class SHA512(_Digest):
    """The SHA-512 digest of a text, hexadecimal."""

    function = "SHA512"
    lookup_name = "sha512"


class Chr(_TextResult, Transform):
    """The character of a code point."""

    function = "CHR"
    lookup_name = "chr"


class Ord(_IntegerResult, Transform):
    """The code point of the first character."""

    function = "ASCII"
    lookup_name = "ord"


class ConcatPair(Func):
    """Two texts, one after the other; NULL is an empty one."""

    function = "CONCAT"
    arity = 2


class Concat(Func):
    """Texts one after the other; NULL is an empty one.

    Raises:
        ValueError: there are fewer than two.
    """

    function = "CONCAT"

    def __init__(self, *expressions: Any, **extra: Any) -> None:
        if len(expressions) < 2:
            raise QueryValueError("Concat must take at least two expressions")
        super().__init__(*expressions, **extra)


def _checked(value: Any, least: int, message: str) -> Any:
    """An expression for a count of characters; ValueError where it is too small."""
    if isinstance(value, int) and value < least:
        raise QueryValueError(message)
    return value_or_expression(value)


class Left(_TextResult, Func):
    """The first characters of a text.

    Raises:
        ValueError: the length is less than 1.
    """

    function = "LEFT"
    arity = 2

    def __init__(self, expression: Any, length: Any, **extra: Any) -> None:
        length = _checked(length, 1, "'length' must be greater than 0.")
        super().__init__(expression, length, **extra)


class Right(Left):
    """The last characters of a text.

    Raises:
        ValueError: the length is less than 1.
    """

    function = "RIGHT"


class Length(_IntegerResult, Transform):
    """The number of characters."""

    function = "LENGTH"
    lookup_name = "length"


class Lower(Transform):
    """The text in lower case."""

    function = "LOWER"
    lookup_name = "lower"


class Upper(Transform):
    """The text in upper case."""

    function = "UPPER"
    lookup_name = "upper"


class LPad(_TextResult, Func):
    """A text filled up on the left, or cut, to a length.

    Raises:
        ValueError: the length is negative.
    """

    function = "LPAD"

    def __init__(self, expression: Any, length: Any, fill_text: Any = None, **extra: Any) -> None:
        length = _checked(length, 0, "'length' must be greater or equal to 0.")
        fill_text = Value(" ") if fill_text is None else fill_text
        super().__init__(expression, length, fill_text, **extra)


class RPad(LPad):
    """A text filled up on the right, or cut, to a length.

    Raises:
        ValueError: the length is negative.
    """

    function = "RPAD"


class LTrim(Transform):
    """The text without spaces at its start."""

    function = "LTRIM"
    lookup_name = "ltrim"


class RTrim(Transform):
    """The text without spaces at its end."""

    function = "RTRIM"
    lookup_name = "rtrim"


class Trim(Transform):
    """The text without spaces at its ends."""

    function = "TRIM"
    lookup_name = "trim"


class Repeat(_TextResult, Func):
    """A text so many times.

    Raises:
        ValueError: the number is negative.
    """

    function = "REPEAT"

    def __init__(self, expression: Any, number: Any, **extra: Any) -> None:
        number = _checked(number, 0, "'number' must be greater or equal to 0.")
        super().__init__(expression, number, **extra)


class Replace(Func):
    """A text in which every occurrence of another one is replaced (by nothing)."""

    function = "REPLACE"

    def __init__(self, expression: Any, text: Any, replacement: Any = None, **extra: Any) -> None:
        replacement = Value("") if replacement is None else replacement
        super().__init__(expression, text, replacement, **extra)


class Reverse(Transform):
    """The text with its characters from last to first."""

    function = "REVERSE"
    lookup_name = "reverse"


class StrIndex(_IntegerResult, Func):
    """Where a text first occurs in another one, counted from 1; 0 where it does not."""

    function = "STRPOS"
    arity = 2


class Substr(_TextResult, Func):
    """So many characters of a text, or all, from a position on, which counts from 1.

    Raises:
        ValueError: the position is less than 1.
    """

    function = "SUBSTRING"

    def __init__(self, expression: Any, pos: Any, length: Any = None, **extra: Any) -> None:
        pos = _checked(pos, 1, "'pos' must be greater than 0")
        parts = [expression, pos]
        if length is not None:
            parts.append(value_or_expression(length))
        super().__init__(*parts, **extra)


def _sliced(field: Any, expression: Any, start: int, length: int | None) -> Any:
    return Substr(expression, start, length)


# What `F("name")[:3]` stands for; fields themselves know no functions.
for _kind in (CharField, TextField):
    setattr(_kind, "slice_expression", _sliced)  # noqa: B010 (the class does not declare it)
