"""JSON texts are read the same by the standard library and by orjson, whichever is installed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aorm.sql.dialects import json_text

orjson = pytest.importorskip("orjson")
READER = json_text.reader()
PIECES = ["", "a", '"é"', "1, ", "-", "12345678.", "0" * 5, "[[", "\ud800"]


def same(text: str, *more: Any) -> None:
    expected = json.loads(text)
    for loads in (json_text.scan, READER.loads, *more):
        assert repr(loads(text)) == repr(expected)


def test_orjson_is_used_where_it_is_installed() -> None:
    assert READER.batch(["1"]) is orjson.loads


@pytest.mark.parametrize("text", ["null", "1.5", '{"a": [1, {"b": "é"}]}', " [1] "])
def test_a_text_has_one_value(text) -> None:
    same(text, READER.batch([None, text]))


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e400", '"\\ud800"'])
def test_what_orjson_refuses_the_standard_library_reads(text) -> None:
    same(text)
    with pytest.raises(ValueError, match="line 1"):  # so that the rows are decoded again
        READER.batch([text])(text)


@pytest.mark.parametrize("text", ["", "[1", "{'a': 1}", "nul"])
@pytest.mark.parametrize("loads", [json_text.scan, READER.loads], ids=["standard", "orjson"])
def test_what_is_no_json_is_refused(loads, text) -> None:
    with pytest.raises(ValueError, match="Expecting"):
        loads(text)


@pytest.mark.parametrize("digits", range(17, 23))
@pytest.mark.parametrize("offset", range(7))
def test_integers_of_any_length_stay_exact_wherever_they_stand(offset, digits) -> None:
    number = "9" * digits
    text = f'{{"{"k" * offset}": [1, {number}, -{number}]}}'
    same(text, READER.batch(["1", text]))


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.integers().map(str)), max_size=12))
def test_long_integers_are_found_in_any_text(pieces) -> None:
    text = "".join(pieces).encode(errors="replace")
    runs = "".join(chr(byte) if 48 <= byte < 58 else " " for byte in text).split()
    expected = any(len(run) >= 19 for run in runs)
    assert json_text._has_long_integer(text) is expected
