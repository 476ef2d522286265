"""The modules below the fields: time zones, validators, late values."""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
import pickle
import re
import zoneinfo
from decimal import Decimal

import pytest

from aorm import timezone
from aorm.conf import settings
from aorm.errors import ValidationError
from aorm.functional import LatePattern, Promise, SimpleLazyObject, classproperty, lazy, lazystr
from aorm.validators import (
    DecimalValidator,
    DomainNameValidator,
    EmailValidator,
    MaxLengthValidator,
    MaxValueValidator,
    MinLengthValidator,
    MinValueValidator,
    ProhibitNullCharactersValidator,
    RegexValidator,
    StepValueValidator,
    URLValidator,
    int_list_validator,
    validate_comma_separated_integer_list,
    validate_domain_name,
    validate_email,
    validate_integer,
    validate_ipv4_address,
    validate_ipv6_address,
    validate_ipv46_address,
    validate_slug,
    validate_unicode_slug,
)

EAST = timezone.get_fixed_timezone(180)
NAIVE = dt.datetime(2011, 9, 1, 13, 20)
AWARE = NAIVE.replace(tzinfo=EAST)


# --- time zones --------------------------------------------------------------------


@pytest.fixture
def _chicago():
    settings.TIME_ZONE = "America/Chicago"
    yield
    timezone.deactivate()
    del settings.TIME_ZONE
    del settings.USE_TZ


@pytest.mark.usefixtures("_chicago")
def test_zone_in_force():
    default = timezone.get_default_timezone()
    assert default == zoneinfo.ZoneInfo("America/Chicago")
    timezone.activate("Asia/Tokyo")
    with timezone.override(EAST):
        assert timezone.get_current_timezone() is EAST
        with timezone.override(None):
            assert timezone.get_current_timezone() is default
    assert timezone.get_current_timezone_name() == "Asia/Tokyo"
    settings.TIME_ZONE = "UTC"
    assert timezone.get_default_timezone_name() == "UTC"
    with pytest.raises(ValueError, match="Invalid timezone: 5"):
        timezone.activate(5)


@pytest.mark.usefixtures("_chicago")
def test_override_is_a_decorator_that_may_be_entered_again():
    @timezone.override(EAST)
    def outer(depth):
        assert timezone.get_current_timezone() is EAST
        return outer(depth - 1) if depth else timezone.get_current_timezone()

    assert outer(2) is EAST
    assert timezone.get_current_timezone() is timezone.get_default_timezone()


def test_zone_is_that_of_the_task():
    zones = ["Asia/Tokyo", "Europe/Paris"]

    async def name(zone):
        with timezone.override(zone):
            await asyncio.sleep(0)
            return timezone.get_current_timezone_name()

    async def names():
        return await asyncio.gather(*map(name, zones))

    assert asyncio.run(names()) == zones


@pytest.mark.usefixtures("_chicago")
def test_aware_and_naive():
    assert timezone.make_aware(NAIVE, EAST) == AWARE
    assert timezone.make_naive(AWARE, EAST) == NAIVE
    assert timezone.make_naive(AWARE) == dt.datetime(2011, 9, 1, 5, 20)
    assert timezone.is_aware(timezone.make_aware(NAIVE))
    assert timezone.is_naive(NAIVE)
    assert timezone.localtime(AWARE, dt.UTC).hour == 10
    assert timezone.localdate(AWARE, EAST) == dt.date(2011, 9, 1)
    for function, value in [
        (timezone.make_aware, AWARE),
        (timezone.make_naive, NAIVE),
        (timezone.localtime, NAIVE),
        (timezone.localdate, NAIVE),
    ]:
        with pytest.raises(ValueError, match="naive datetime"):
            function(value)


@pytest.mark.usefixtures("_chicago")
def test_present_is_aware_where_time_zones_are_on():
    assert timezone.is_aware(timezone.now())
    settings.USE_TZ = False
    assert timezone.is_naive(timezone.now())


# --- validators --------------------------------------------------------------------

LABEL = "a" * 63


@pytest.mark.parametrize(
    ("validator", "good", "bad"),
    [
        (validate_integer, ["42", "-42", -42], [-42.5, None, "a", "42\n"]),
        (validate_slug, ["a-1_", "--"], ["", " ", "a b", "你好", "a\n"]),
        (validate_unicode_slug, ["你好"], ["你 好", "a@b", "a\n"]),
        (
            validate_ipv4_address,
            ["1.1.1.1"],
            ["256.1.1.1", "01.2.3.4", "1.1.1.1\n", "\u0667.2.3.4"],
        ),
        (validate_ipv6_address, ["fe80::1", "::1"], ["1:2", "::zzz", 9.22, "0" * 40 + "::1"]),
        (validate_ipv46_address, ["1.1.1.1", "::1"], ["25,1,1,1", Decimal(1)]),
        (validate_comma_separated_integer_list, ["1", "1,22"], ["", "1, 2", ",1", "1,,2", "-1"]),
        (int_list_validator(sep=".", allow_negative=True), ["-1.2"], ["1,2", "1.2\n"]),
        (
            validate_email,
            ["a@b.cz", '"a@b"@c.de', "a@[::1]", "a@localhost", "a@öäü.com", f"a@{LABEL}.us"],
            [
                None,
                "",
                "a@",
                "a@b",
                "a @x.cz",
                "a@b.com\n",
                "a@b..com",
                "a@-b.com",
                f"a@{LABEL}a.us",
            ],
        ),
        (EmailValidator(allowlist=["intra"]), ["a@intra"], ["a@localhost"]),
        (
            validate_domain_name,
            ["python.org", "例子.测试"],
            ["a", "a..b", "255.0.0.0", "a.com\n", 5],
        ),
        (DomainNameValidator(accept_idna=False), ["a-b.com"], ["ıçğü.com"]),
        (
            URLValidator(),
            [
                "HTTP://EXAMPLE.COM/",
                "http://u:p@example.com:8080/a?b#c",
                "http://[::1]:80/",
                "http://localhost",
                "http://1.2.3.4",
                "http://✪df.ws/1",
            ],
            [
                None,
                "foo",
                "http://",
                "http://example",
                "file://localhost/x",
                "http://a b.com",
                "http://foo:bar@baz@example.com",
                "http://01.2.3.4",
                "http://[::1:2::3]/",
                "http://example.com/\n",
                f"http://{LABEL}a.com",
                "http://example." + f"{LABEL}." * 4 + "com",
            ],
        ),
        (URLValidator(["git"]), ["git://example.com/"], ["http://example.com"]),
        (RegexValidator("[0-9]+"), ["1"], ["x"]),
        (RegexValidator("x", inverse_match=True), ["y"], ["x"]),
        (RegexValidator("a", flags=re.IGNORECASE), ["A"], ["b"]),
        (MaxValueValidator(10), [10, -1], [11]),
        (MinValueValidator(lambda: 1), [1], [0]),
        (MaxLengthValidator(2), ["", "ab"], ["abc"]),
        (MinLengthValidator(2), ["ab"], ["a"]),
        (StepValueValidator(3), [0, 9], [8]),
        (StepValueValidator(0.001), [0.55], [0.5555]),
        (StepValueValidator(2, offset=1), [3], [4]),
        (DecimalValidator(5, 2), [Decimal("7304E-1"), Decimal("0.99")], [Decimal("7304E-3")]),
        (
            DecimalValidator(3, 1),
            [Decimal("99")],
            [Decimal("999"), Decimal("NaN"), Decimal("-Inf")],
        ),
        (DecimalValidator(2, 1), [Decimal("0E+1")], [Decimal("1E+5")]),
        (ProhibitNullCharactersValidator(), ["a", None], ["a\x00"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_validators(validator, good, bad):
    for value in good:
        validator(value)
    for value in bad:
        with pytest.raises(ValidationError) as caught:
            validator(value)
        assert caught.value.messages[0]


def test_validators_are_compared_by_what_they_do():
    assert MaxValueValidator(4) == MaxValueValidator(4) != MaxValueValidator(5)
    assert MaxValueValidator(4) != MinValueValidator(4)
    assert RegexValidator("a") == RegexValidator("a") != RegexValidator("a", inverse_match=True)
    assert RegexValidator("a") != RegexValidator("a", flags=re.IGNORECASE)
    assert EmailValidator(allowlist=["a", "b"]) == EmailValidator(allowlist=["b", "a"])
    assert DecimalValidator(1, 2) == DecimalValidator(1, 2) != DecimalValidator(2, 2)
    assert len({MaxValueValidator(4), MaxValueValidator(4)}) == 1


def test_validators_can_be_copied_and_pickled():
    for validator in (validate_slug, validate_email, URLValidator(), MaxValueValidator(4)):
        assert copy.deepcopy(validator) == validator
        assert pickle.loads(pickle.dumps(validator)) == validator


def test_flags_need_a_text():
    with pytest.raises(TypeError, match="flags"):
        RegexValidator(re.compile("a"), flags=re.IGNORECASE)


# --- late values -------------------------------------------------------------------


def test_promises_behave_like_their_results():
    text = lazystr("a%s")
    assert isinstance(text, Promise)
    assert (text, f"{text}", text % "b", text + "c", "c" + text) == (
        "a%s",
        "a%s",
        "ab",
        "a%sc",
        "ca%s",
    )
    assert text.upper() == "A%S"
    assert hash(text) == hash("a%s")
    assert copy.deepcopy(text) is text
    assert pickle.loads(pickle.dumps(lazystr("x"))) == "x"
    assert list(lazy(lambda: [1, 2], list)()) == [1, 2]


def test_promises_are_evaluated_each_time():
    words = iter("ab")
    promise = lazy(lambda: next(words), str)()
    assert (str(promise), str(promise)) == ("a", "b")


def test_lazy_object_calls_once():
    calls = []
    value = SimpleLazyObject(lambda: calls.append(1) or {"a": 1})
    assert calls == []
    assert value["a"] == 1
    assert len(value) == len(calls) == 1
    assert isinstance(value, dict)


def test_class_property():
    class Owner:
        @classproperty
        def name(cls):
            return cls.__name__

    assert Owner.name == Owner().name == "Owner"


def test_late_pattern_is_compiled_on_use():
    broken = LatePattern("(")
    with pytest.raises(re.error):
        broken.match("a")
    assert LatePattern("A", re.IGNORECASE).search("xa")


def test_an_error_leaves_the_comparison_with_other_things_to_them():
    class Anything:
        def __eq__(self, other):
            return True

        __hash__ = None

    assert ValidationError("x") == Anything()
    assert ValidationError("x") != "x"
