"""Functions that raise ValidationError for values that are not valid.

Validators are compared by what they do, so that declarations can be compared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, ClassVar, NoReturn

from aorm.errors import ValidationError
from aorm.functional import LatePattern
from aorm.late import ipaddress

EMPTY_VALUES: tuple[Any, ...] = (None, "", [], (), {})


class Counted:
    """A message that has another form for the number 1; `key` names the number."""

    __slots__ = ("key", "plural", "singular")

    def __init__(self, singular: str, plural: str, key: str) -> None:
        self.singular = singular
        self.plural = plural
        self.key = key

    def __mod__(self, params: Any) -> str:
        return str((self.singular if params[self.key] == 1 else self.plural) % params)

    def __str__(self) -> str:
        return self.plural


class _Comparable:
    """Equal where the classes and all attributes are equal."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(type(self))


# --- patterns ----------------------------------------------------------------------


class RegexValidator(_Comparable):
    """Refuses texts in which a pattern is not found; with `inverse_match`, those in which it is.

    Raises:
        TypeError: `flags` together with a compiled pattern.
    """

    regex: Any = ""
    message: Any = "Enter a valid value."
    code: str = "invalid"
    inverse_match: bool = False
    flags: Any = 0

    def __init__(
        self,
        regex: Any = None,
        message: Any = None,
        code: str | None = None,
        inverse_match: bool | None = None,
        flags: Any = None,
    ) -> None:
        given = {
            "regex": regex,
            "message": message,
            "code": code,
            "inverse_match": inverse_match,
            "flags": flags,
        }
        for name, value in given.items():
            if value is not None:
                setattr(self, name, value)
        if self.flags and not isinstance(self.regex, str):
            raise TypeError("If the flags are set, regex must be a regular expression string.")
        if isinstance(self.regex, str):
            # A pattern that is given is compiled at once, so that its errors show where it is.
            compiled = LatePattern if regex is None else re.compile
            self.regex = compiled(self.regex, self.flags)

    def __call__(self, value: Any) -> None:
        if bool(self.regex.search(str(value))) is bool(self.inverse_match):
            raise ValidationError(self.message, code=self.code, params={"value": value})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RegexValidator):
            return NotImplemented
        return (
            self.regex.pattern == other.regex.pattern
            and self.regex.flags == other.regex.flags
            and self.message == other.message
            and self.code == other.code
            and self.inverse_match == other.inverse_match
        )

    __hash__ = _Comparable.__hash__


_integer = RegexValidator(LatePattern(r"\A-?\d+\Z"), message="Enter a valid integer.")


def validate_integer(value: Any) -> None:
    """Refuse what is not the text of an integer."""
    _integer(value)


validate_slug = RegexValidator(
    LatePattern(r"\A[-a-zA-Z0-9_]+\Z"),
    message="Enter a valid “slug” consisting of letters, numbers, underscores or hyphens.",
)
validate_unicode_slug = RegexValidator(
    LatePattern(r"\A[-\w]+\Z"),
    message=(
        "Enter a valid “slug” consisting of Unicode letters, numbers, underscores, or hyphens."
    ),
)


def int_list_validator(
    sep: str = ",", message: Any = None, code: str = "invalid", allow_negative: bool = False
) -> RegexValidator:
    """A validator of integers with a separator between them."""
    number = r"-?\d+" if allow_negative else r"\d+"
    return RegexValidator(
        LatePattern(rf"\A{number}(?:{re.escape(sep)}{number})*\Z"),
        message="Enter only digits separated by commas." if message is None else message,
        code=code,
    )


validate_comma_separated_integer_list = int_list_validator()


# --- addresses ---------------------------------------------------------------------

#: A column of addresses holds no longer ones; parsing longer texts would be wasted.
MAX_IPV6_LENGTH = 39


def is_ipv4_address(value: Any) -> bool:
    """Whether this is an IPv4 address: a text, or an object of that kind."""
    if not isinstance(value, str | ipaddress.IPv4Address):
        return False
    # The standard library takes any Unicode digit for some versions; an address is ASCII.
    if isinstance(value, str) and not value.isascii():
        return False
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return True


def is_ipv6_address(value: Any) -> bool:
    """Whether this is an IPv6 address: a text, or an object of that kind."""
    if not isinstance(value, str | ipaddress.IPv6Address):
        return False
    if isinstance(value, str) and len(value) > MAX_IPV6_LENGTH:
        return False
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return True


def _refuse_address(value: Any, protocol: str) -> NoReturn:
    raise ValidationError(
        "Enter a valid %(protocol)s address.",
        code="invalid",
        params={"protocol": protocol, "value": value},
    )


def validate_ipv4_address(value: Any) -> None:
    """Refuse what is not an IPv4 address."""
    if not is_ipv4_address(value):
        _refuse_address(value, "IPv4")


def validate_ipv6_address(value: Any) -> None:
    """Refuse what is not an IPv6 address."""
    if not is_ipv6_address(value):
        _refuse_address(value, "IPv6")


def validate_ipv46_address(value: Any) -> None:
    """Refuse what is neither an IPv4 nor an IPv6 address."""
    if not is_ipv4_address(value) and not is_ipv6_address(value):
        _refuse_address(value, "IPv4 or IPv6")


ip_address_validator_map: dict[str, list[Callable[[Any], None]]] = {
    "both": [validate_ipv46_address],
    "ipv4": [validate_ipv4_address],
    "ipv6": [validate_ipv6_address],
}


def ip_address_validators(protocol: str, unpack_ipv4: bool) -> list[Callable[[Any], None]]:
    """The validators of addresses of a protocol: "both", "IPv4" or "IPv6", in any case.

    Raises:
        ValueError: there is no such protocol, or `unpack_ipv4` where it makes no sense.
    """
    if protocol != "both" and unpack_ipv4:
        raise ValueError("You can only use `unpack_ipv4` if `protocol` is set to 'both'")
    try:
        return ip_address_validator_map[protocol.lower()]
    except KeyError:
        raise ValueError(
            f"The protocol '{protocol}' is unknown. Supported: {list(ip_address_validator_map)}"
        ) from None


# --- names of hosts ----------------------------------------------------------------

# Letters of other alphabets count as letters: names need not be in their ASCII form.
_LETTERS = "a-z\u00a1-\uffff0-9"
_LABEL = rf"[{_LETTERS}](?:[{_LETTERS}-]{{0,61}}[{_LETTERS}])?"
_ASCII_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label of a name has a letter at its beginning, or is in punycode.
_LAST_LABEL = r"(?!-)(?:[a-z\u00a1-\uffff-]{2,63}|xn--[a-z0-9-]{0,58}[a-z0-9])(?<!-)"
_ASCII_LAST_LABEL = r"(?!-)(?:[a-z-]{2,63}|xn--[a-z0-9-]{0,58}[a-z0-9])(?<!-)"
_MAX_HOST_LENGTH = 253


class DomainNameValidator(RegexValidator):
    """Refuses what is not a domain name with at least two labels.

    Args:
        accept_idna: whether letters of other alphabets are accepted.
    """

    message: Any = "Enter a valid domain name."
    max_length = 255

    def __init__(self, *, accept_idna: bool = True, **kwargs: Any) -> None:
        self.accept_idna = accept_idna
        label, last = (_LABEL, _LAST_LABEL) if accept_idna else (_ASCII_LABEL, _ASCII_LAST_LABEL)
        pattern = rf"\A(?:{label}\.)+{last}\.?\Z"
        kwargs.setdefault("regex", LatePattern(pattern, re.IGNORECASE))
        super().__init__(**kwargs)

    def __call__(self, value: Any) -> None:
        acceptable = isinstance(value, str) and len(value) <= self.max_length
        if not acceptable or (not self.accept_idna and not value.isascii()):
            raise ValidationError(self.message, code=self.code, params={"value": value})
        super().__call__(value)


validate_domain_name = DomainNameValidator()


class EmailValidator(_Comparable):
    """Refuses what is not an e-mail address.

    Args:
        allowlist: hosts that are accepted although they are no domain names.
    """

    message: Any = "Enter a valid email address."
    code: str = "invalid"
    # A local part in dots and atoms, or in quotes (RFC 5321).
    user_regex = LatePattern(
        r"\A(?:[-!#$%&'*+/=?^_`{}|~0-9a-z]+(?:\.[-!#$%&'*+/=?^_`{}|~0-9a-z]+)*"
        r'|"(?:[\x01-\x08\x0b\x0c\x0e-\x1f!\x23-\x5b\x5d-\x7f]'
        r'|\\[\x01-\x09\x0b\x0c\x0e-\x7f])*")\Z',
        re.IGNORECASE,
    )
    domain_regex = LatePattern(
        rf"\A(?:{_LABEL}\.)+(?!-)[{_LETTERS}-]{{2,63}}(?<!-)\Z", re.IGNORECASE
    )
    literal_regex = LatePattern(r"\A\[([A-F0-9:.]+)\]\Z", re.IGNORECASE)
    domain_allowlist: frozenset[str] = frozenset({"localhost"})

    def __init__(
        self, message: Any = None, code: str | None = None, allowlist: Iterable[str] | None = None
    ) -> None:
        if message is not None:
            self.message = message
        if code is not None:
            self.code = code
        if allowlist is not None:
            self.domain_allowlist = frozenset(allowlist)

    def __call__(self, value: Any) -> None:
        # Longer than an address may be (RFC 3696, erratum 1690).
        if isinstance(value, str) and 0 < len(value) <= 320:
            user, at, domain = value.rpartition("@")
            if at and self.user_regex.match(user) and self._accepts_domain(domain):
                return
        raise ValidationError(self.message, code=self.code, params={"value": value})

    def _accepts_domain(self, domain: str) -> bool:
        if domain in self.domain_allowlist or self.domain_regex.match(domain):
            return True
        literal = self.literal_regex.match(domain)
        return literal is not None and (is_ipv4_address(literal[1]) or is_ipv6_address(literal[1]))


validate_email = EmailValidator()


class URLValidator(RegexValidator):
    """Refuses what is not a URL with one of these schemes and a host.

    Args:
        schemes: in lower case; by default http, https, ftp and ftps.
    """

    message: Any = "Enter a valid URL."
    schemes: Iterable[str] = ("http", "https", "ftp", "ftps")
    unsafe_chars = frozenset("\t\r\n")
    max_length = 2048
    _PORT = r"(?::[0-9]{1,5})?"
    _NUMBER = r"(?:0|25[0-5]|2[0-4][0-9]|1[0-9]?[0-9]?|[1-9][0-9]?)"
    _IPV4 = rf"{_NUMBER}(?:\.{_NUMBER}){{3}}"
    regex: Any = (
        r"\A[a-z0-9.+-]*://"
        r"(?:[^\s:@/]+(?::[^\s:@/]*)?@)?"
        rf"(?P<host>{_IPV4}|\[[0-9a-f:.]+\]|localhost|(?:{_LABEL}\.)+{_LAST_LABEL}\.?)"
        rf"{_PORT}(?:[/?#]\S*)?\Z"
    )
    flags: Any = re.IGNORECASE

    def __init__(self, schemes: Iterable[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if schemes is not None:
            self.schemes = schemes

    def __call__(self, value: Any) -> None:
        if not self._accepts(value):
            raise ValidationError(self.message, code=self.code, params={"value": value})

    def _accepts(self, value: Any) -> bool:
        if not isinstance(value, str) or len(value) > self.max_length:
            return False
        if self.unsafe_chars.intersection(value):
            return False
        if value.partition("://")[0].lower() not in self.schemes:
            return False
        found = self.regex.search(value)
        if found is None:
            return False
        host = found.groupdict().get("host", "")  # a subclass may have a pattern without it
        if host.startswith("["):
            return is_ipv6_address(host[1:-1])
        return len(host) <= _MAX_HOST_LENGTH


# --- limits ------------------------------------------------------------------------


class BaseValidator(_Comparable):
    """Refuses values that `compare` finds to be on the wrong side of a limit.

    Args:
        limit_value: the limit, or a function without arguments that returns it.
    """

    message: Any = "Ensure this value is %(limit_value)s (it is %(show_value)s)."
    code: str = "limit_value"

    def __init__(self, limit_value: Any, message: Any = None) -> None:
        self.limit_value = limit_value
        if message is not None:
            self.message = message

    def __call__(self, value: Any) -> None:
        cleaned = self.clean(value)
        limit = self.limit_value() if callable(self.limit_value) else self.limit_value
        if self.compare(cleaned, limit):
            params = {"limit_value": limit, "show_value": cleaned, "value": value}
            raise ValidationError(self.message, code=self.code, params=params)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return bool(
            self.limit_value == other.limit_value
            and self.message == other.message
            and self.code == other.code
        )

    __hash__ = _Comparable.__hash__

    def compare(self, value: Any, limit: Any) -> bool:
        """Whether the value is not valid."""
        return value is not limit

    def clean(self, value: Any) -> Any:
        """What is compared with the limit."""
        return value


class MaxValueValidator(BaseValidator):
    """Refuses greater values."""

    message: Any = "Ensure this value is less than or equal to %(limit_value)s."
    code = "max_value"

    def compare(self, value: Any, limit: Any) -> bool:
        return bool(value > limit)


class MinValueValidator(BaseValidator):
    """Refuses smaller values."""

    message: Any = "Ensure this value is greater than or equal to %(limit_value)s."
    code = "min_value"

    def compare(self, value: Any, limit: Any) -> bool:
        return bool(value < limit)


class StepValueValidator(BaseValidator):
    """Refuses values that are no whole number of steps away from the offset, or from 0."""

    message: Any = "Ensure this value is a multiple of step size %(limit_value)s."
    code = "step_size"

    def __init__(self, limit_value: Any, message: Any = None, offset: Any = None) -> None:
        super().__init__(limit_value, message)
        if offset is not None:
            self.message = (
                "Ensure this value is a multiple of step size %(limit_value)s, starting from "
                "%(offset)s, e.g. %(offset)s, %(valid_value1)s, %(valid_value2)s, and so on."
            )
        self.offset = offset

    def __call__(self, value: Any) -> None:
        if self.offset is None:
            super().__call__(value)
            return
        cleaned = self.clean(value)
        limit = self.limit_value() if callable(self.limit_value) else self.limit_value
        if self.compare(cleaned, limit):
            first = self.offset + limit
            params = {
                "limit_value": limit,
                "offset": self.offset,
                "valid_value1": first,
                "valid_value2": first + limit,
                "value": value,
            }
            raise ValidationError(self.message, code=self.code, params=params)

    def compare(self, value: Any, limit: Any) -> bool:
        offset = 0 if self.offset is None else self.offset
        # Steps that binary fractions cannot hold leave a tiny rest on either side.
        return not math.isclose(math.remainder(value - offset, limit), 0, abs_tol=1e-9)


class MaxLengthValidator(BaseValidator):
    """Refuses longer values."""

    message: Any = Counted(
        "Ensure this value has at most %(limit_value)d character (it has %(show_value)d).",
        "Ensure this value has at most %(limit_value)d characters (it has %(show_value)d).",
        "limit_value",
    )
    code = "max_length"

    def compare(self, value: Any, limit: Any) -> bool:
        return bool(value > limit)

    def clean(self, value: Any) -> Any:
        return len(value)


class MinLengthValidator(BaseValidator):
    """Refuses shorter values."""

    message: Any = Counted(
        "Ensure this value has at least %(limit_value)d character (it has %(show_value)d).",
        "Ensure this value has at least %(limit_value)d characters (it has %(show_value)d).",
        "limit_value",
    )
    code = "min_length"

    def compare(self, value: Any, limit: Any) -> bool:
        return bool(value < limit)

    def clean(self, value: Any) -> Any:
        return len(value)


class DecimalValidator(_Comparable):
    """Refuses decimals with too many digits; a limit of None does not limit."""

    messages: ClassVar[dict[str, Any]] = {
        "invalid": "Enter a number.",
        "max_digits": Counted(
            "Ensure that there are no more than %(max)s digit in total.",
            "Ensure that there are no more than %(max)s digits in total.",
            "max",
        ),
        "max_decimal_places": Counted(
            "Ensure that there are no more than %(max)s decimal place.",
            "Ensure that there are no more than %(max)s decimal places.",
            "max",
        ),
        "max_whole_digits": Counted(
            "Ensure that there are no more than %(max)s digit before the decimal point.",
            "Ensure that there are no more than %(max)s digits before the decimal point.",
            "max",
        ),
    }

    def __init__(self, max_digits: int | None, decimal_places: int | None) -> None:
        self.max_digits = max_digits
        self.decimal_places = decimal_places

    def __call__(self, value: Decimal) -> None:
        _, digit_tuple, exponent = value.as_tuple()
        if not isinstance(exponent, int):  # not a number, or infinite
            self._refuse("invalid", value)
        digits, decimals = self._counted(len(digit_tuple), exponent, bool(value))
        whole = digits - decimals
        if self.max_digits is not None and digits > self.max_digits:
            self._refuse("max_digits", value, self.max_digits)
        if self.decimal_places is not None and decimals > self.decimal_places:
            self._refuse("max_decimal_places", value, self.decimal_places)
        if self.max_digits is None or self.decimal_places is None:
            return
        if whole > self.max_digits - self.decimal_places:
            self._refuse("max_whole_digits", value, self.max_digits - self.decimal_places)

    @staticmethod
    def _counted(digits: int, exponent: int, nonzero: bool) -> tuple[int, int]:
        """The digits of the number written out, and how many of them are decimals."""
        if exponent >= 0:
            # 0E+1 is written as 0.
            return (digits + exponent if nonzero else digits), 0
        # .001 has as many digits as decimals: three.
        return max(digits, -exponent), -exponent

    def _refuse(self, code: str, value: Decimal, limit: int | None = None) -> NoReturn:
        params = {"max": limit, "value": value}
        raise ValidationError(self.messages[code], code=code, params=params)


class ProhibitNullCharactersValidator(_Comparable):
    """Refuses texts with a null character in them."""

    message: Any = "Null characters are not allowed."
    code: str = "null_characters_not_allowed"

    def __init__(self, message: Any = None, code: str | None = None) -> None:
        if message is not None:
            self.message = message
        if code is not None:
            self.code = code

    def __call__(self, value: Any) -> None:
        if "\x00" in str(value):
            raise ValidationError(self.message, code=self.code, params={"value": value})
