"""`input_key`: equal for equal values however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracestore.variant import input_key

EQUAL = [
    ('{"a": 1, "b": [1, {"c": null, "d": "x"}]}', '{"b":[1,{"d":"x","c":null}],"a":1}'),
    ("1e2", "100.0"),
    ("1.5e0", "1.50"),
    ('"\\u0061"', '"a"'),
    ('{"a": 1, "a": 2}', '{"a": 2}'),
    ("-0", "0"),
    ("1", "1.0"),
    ("-1e0", "-1"),
    ("-0.0", "0"),
    ('{"a": [100, 0.5]}', '{"a": [1e2, 5e-1]}'),
    ("9007199254740992", "9007199254740992.0"),
    ("100000000000000000000", "1e20"),
    ("-9223372036854775808", "-9223372036854775808.0"),
    ("9223372036854775808", "9223372036854775808.0"),
    ("1e400", "1" + "0" * 400),
    ("123456789012345678", "123456789012345678.0"),
    ("123456789012345678", "0.123456789012345678e18"),
    ("1" + "0" * 18, "1" + "0" * 18 + "." + "0" * 40),
    ('{"a": {"b": 1}}', '{ "a" : { "b" : 1 } }'),
]
DIFFERENT = [
    ("1", "1.5"),
    ("1", '"1"'),
    ("9223372036854775807", "9223372036854775808"),
    ("9007199254740993", "9007199254740992.0"),
    ("1e20", "-1e20"),
    ("1.5", "15"),
    ("null", '"null"'),
    ("[1, 2]", "[2, 1]"),
    ("[]", "{}"),
    ('{"a": "b"}', '{"b": "a"}'),
    ('{"a": {"b": 1}}', '{"a.b": 1}'),
    ("[[1], 2]", "[1, [2]]"),
    ('["ab", "c"]', '["a", "bc"]'),
    ("true", "1"),
    ("1e400", "1e401"),
    ('{"a": 1, "b": 1}', '{"a": 1, "c": 1}'),
    ('{"a": 1}', '{"a": 1, "b": null}'),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_the_spelling_does_not_matter(one: str, other: str) -> None:
    assert input_key(one.encode()) == input_key(other.encode())


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_the_value_matters(one: str, other: str) -> None:
    assert input_key(one.encode()) != input_key(other.encode())


@given(number=st.integers(-(2**63), 2**63 - 1))
def test_a_key_is_a_signed_64_bit_integer(number: int) -> None:
    assert -(2**63) <= input_key(str(number).encode()) < 2**63
