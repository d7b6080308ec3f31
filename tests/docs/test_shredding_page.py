"""docs/format/shredding.md says what the code does: its tables and its worked example are computed here."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tracestore.variant import LEAF_TYPES, input_key, leaf_name, parse_leaf_name, unshred

PAGE = (Path(__file__).parents[2] / "docs" / "format" / "shredding.md").read_text(encoding="utf-8")
MASK = 2**64 - 1
K0, K1, K2 = (int(word, 16) for word in re.findall(r"K[012] = (0x[0-9A-F]{16})", PAGE))


def fold(a: int, b: int) -> int:
    product = (a & MASK) * (b & MASK)
    return (product >> 64) ^ (product & MASK)


def hashed(data: bytes, seed: int) -> int:
    h = seed ^ K0
    k = K1 ^ (((seed << 32) | (seed >> 32)) & MASK)
    left = data
    while len(left) > 16:
        first, second = struct.unpack("<QQ", left[:16])
        h = fold(first ^ k, second ^ h)
        left = left[16:]
    n = len(left)
    a = b = 0
    if n >= 8:
        a, b = struct.unpack("<Q", left[:8])[0], struct.unpack("<Q", left[-8:])[0]
    elif n >= 4:
        a, b = struct.unpack("<I", left[:4])[0], struct.unpack("<I", left[-4:])[0]
    elif n:
        a = left[0] << 16 | left[n >> 1] << 8 | left[-1]
    return fold(fold(a ^ k, b ^ h) ^ len(data), K2)


def tagged(tag: int, word: int) -> int:
    return hashed(struct.pack("<Q", word & MASK), tag)


def key_of(value: Any) -> int:
    if value is None or isinstance(value, bool):
        return tagged({None: 1, False: 2, True: 3}[value], 0)
    if isinstance(value, int | float) and value == int(value) and -(2**63) <= value < 2**63:
        return tagged(4, int(value))
    if isinstance(value, float):
        return tagged(5, struct.unpack("<Q", struct.pack("<d", value))[0])
    if isinstance(value, str):
        return hashed(value.encode(), 7)
    if isinstance(value, list):
        h = 8
        for item in value:
            h = tagged(h, key_of(item))
        return tagged(h, 8)
    h = 9
    for name_hash, item in sorted((hashed(name.encode(), 7), item) for name, item in value.items()):
        h = tagged(tagged(h, name_hash), key_of(item))
    return tagged(h, 9)


def signed(word: int) -> int:
    return word - 2**64 if word >> 63 else word


VALUES = [
    None, True, False, 0, -1, 2**63 - 1, 0.5, -0.0, "", "a", "abcd", "12345678", "x" * 16, "y" * 17, "é" * 40,
    [], {}, [1, [2, {"a": None}]], {"b": 1, "a": {"c": [1.5, "x"]}},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=json.dumps)
def test_input_key_is_computed_as_the_page_says(value: Any) -> None:
    assert input_key(json.dumps(value).encode()) == signed(key_of(value))


def test_the_worked_example_is_right() -> None:
    found = re.search(r"the key of `(.+)` is `(-?\d+)`", PAGE)
    assert found is not None
    assert input_key(found.group(1).encode()) == int(found.group(2))


def test_the_names_of_the_table_are_what_the_code_writes() -> None:
    cases = [
        (["input", "messages"], "json[]"),
        (["attributes", "gen_ai.request.model"], "str"),
        (['a"b', ""], "i64"),
        ([], "bool"),
    ]
    for path, leaf_type in cases:
        name = leaf_name(path, leaf_type)
        assert f"`{name}`" in PAGE
        assert parse_leaf_name(name) == (path, leaf_type)


def test_overflow_of_the_page_is_read_back() -> None:
    found = re.search(r"```json\n(.+)\n```", PAGE)
    assert found is not None
    rebuilt = json.loads(unshred(pa.table({"_overflow": [found.group(1)]})))
    assert rebuilt == {
        "attributes": {"retries": 3, "http.route": "/cart"},
        "input": {"images": "aGk="},
    }


def test_every_leaf_type_is_on_the_page() -> None:
    for leaf_type in LEAF_TYPES:
        assert f"`{leaf_type}`" in PAGE
