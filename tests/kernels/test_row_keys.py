"""Which keys rows have: the kernel against a plain reading of the same lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracestore.variant import row_keys

GROUPS = ((b"id",), (b"t", b"t_ns"), (b"x\xc3\xa9",))
NAMES = [[name.decode() for name in group] for group in GROUPS]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 120),
    st.floats(),
    st.sampled_from(["", "0a", '"', "é"]),
)
keys = st.sampled_from(["id", "t", "t_ns", "xé", "other", "", "t_n"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)
rows = st.lists(st.tuples(keys, values), max_size=6)


def fills(value: Any) -> bool:
    """Tells what the kernel promises: text, or a number whose first digit is not zero."""
    if isinstance(value, str):
        return value != ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return json.dumps(value).lstrip("-")[0] in "123456789"


def plain(lines: list[list[tuple[str, Any]]]) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    objects = [dict(pairs) for pairs in lines]
    named = tuple(sum(any(n in row for n in group) for row in objects) for group in NAMES)
    filled = tuple(sum(any(fills(row.get(n)) for n in group) for row in objects) for group in NAMES)
    return len(lines), named, filled


def spelled(pairs: list[tuple[str, Any]], *, ascii_only: bool) -> str:
    def text(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)

    return "{" + ",".join(f" {text(key)} : {text(value)}" for key, value in pairs) + " }\t\r"


@given(st.lists(rows, max_size=5), st.booleans())
def test_rows_are_read_as_plainly(lines: list[list[tuple[str, Any]]], ascii_only: bool) -> None:
    try:
        payload = "\n".join(spelled(pairs, ascii_only=ascii_only) for pairs in lines).encode()
    except ValueError:
        return  # a number that JSON has no form for
    assert row_keys(payload, GROUPS) == plain(lines)


@pytest.mark.parametrize(
    "payload",
    [
        b"[1]",
        b'{"id":1}\n2',
        b'{"id":1',
        b'{"id":1}{"id":2}',
        b'{"id":tru}',
        b"{" * 2000,
        b'{"a":"\xff\n"}',
    ],
)
def test_what_is_no_row_is_not_counted(payload: bytes) -> None:
    assert row_keys(payload, GROUPS) is None


def test_every_cut_and_flip_is_answered() -> None:
    payload = b'{"id":"0a","t":[1,{"id":2}],"t_ns":-7}\n{"i\\u0064":1e5,"x\xc3\xa9":null}'
    assert row_keys(payload, GROUPS) == (2, (2, 1, 1), (2, 1, 0))
    for cut in range(len(payload)):
        row_keys(payload[:cut], GROUPS)
        row_keys(payload[:cut] + bytes([payload[cut] ^ 0x20]) + payload[cut + 1 :], GROUPS)


def test_names_are_held_while_they_are_looked_for() -> None:
    groups = ((b"na" + b"me%d" % number,) for number in range(9))
    payload = b"\n".join(b'{"name%d":1}' % number for number in range(9))
    assert row_keys(payload, groups) == (9, (1,) * 9, (1,) * 9)


def test_names_are_bounded() -> None:
    with pytest.raises(ValueError, match="16"):
        row_keys(b"{}", tuple((b"%d" % n,) for n in range(17)))
