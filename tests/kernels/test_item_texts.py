"""Of lists of objects, the texts at a key stand in the place of their items: those of keys that are texts alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracestore import _native
from tracestore.variant import is_item_column, is_item_path, item_path, item_texts

LISTS = pa.list_(pa.string())
KEYS = st.sampled_from(["role", "content", "Role", "a.b", "", 'q"t', "k[]", "é"])
SCALARS = st.one_of(
    st.text(max_size=6), st.none(), st.booleans(), st.integers(-9, 9), st.just(1.5), st.just([1])
)
ITEMS = st.one_of(
    st.dictionaries(KEYS, st.text(max_size=6), max_size=4),
    st.dictionaries(KEYS, SCALARS, max_size=4),
    SCALARS,
)
ROWS = st.lists(st.one_of(st.none(), st.lists(st.one_of(st.none(), ITEMS), max_size=4)), max_size=6)


def column(rows: list[Any], *, chunks: int = 1, coded: bool = False) -> pa.ChunkedArray:
    """Returns lists as a column of type `json[]`; an item that is None is null."""
    texts = [
        None
        if row is None
        else [None if item is None else json.dumps(item, ensure_ascii=False) for item in row]
        for row in rows
    ]
    size = max(1, -(-len(texts) // chunks))
    arrays = [pa.array(texts[at : at + size], LISTS) for at in range(0, len(texts), size)]
    held = pa.chunked_array(arrays, LISTS)
    return held.cast(pa.list_(pa.dictionary(pa.int32(), pa.string()))) if coded else held


def expected(rows: list[Any], key: str) -> list[Any]:
    return [
        None if row is None else [item.get(key) if isinstance(item, dict) else None for item in row]
        for row in rows
    ]


def text_keys(rows: list[Any]) -> set[str]:
    items = [item for row in rows if row for item in row if isinstance(item, dict)]
    keys = {key for item in items for key in item}
    return {
        key
        for key in keys
        if all(
            isinstance(item[key], str) and "\0" not in item[key] for item in items if key in item
        )
    }


@settings(max_examples=300)
@given(rows=ROWS, chunks=st.integers(1, 3), coded=st.booleans())
def test_texts_are_those_of_the_items(rows: list[Any], chunks: int, coded: bool) -> None:
    held = item_texts(column(rows, chunks=chunks, coded=coded))
    assert held is not None
    assert set(held.by_key) == text_keys(rows)
    assert not held.is_cut
    for key in held.by_key:
        assert held.column(key).to_pylist() == expected(rows, key)
    assert held.nothing().to_pylist() == expected(rows, "no such key")
    others = {key for row in rows if row for item in row if isinstance(item, dict) for key in item}
    assert held.others == others - set(held.by_key)


@given(rows=ROWS, start=st.integers(0, 4))
def test_a_part_of_a_column_has_its_own_texts(rows: list[Any], start: int) -> None:
    held = item_texts(column(rows, coded=True).slice(start))
    assert held is not None
    for key in held.by_key:
        assert held.column(key).to_pylist() == expected(rows[start:], key)


@pytest.mark.parametrize(
    "item",
    [
        '{"role":"a","role":"b"}',
        '{"role":"\\u0000"}',
        '{"role":"\\ud800"}',
        '{"role":null}',
        '{"role":["a"]}',
    ],
)
def test_what_readers_of_json_may_take_otherwise_is_no_text(item: str) -> None:
    held = item_texts(pa.chunked_array([[[item, '{"role":"x","name":"n"}']]], LISTS))
    assert held is not None
    assert set(held.by_key) == {"name"}
    assert held.may_have("role")
    assert not held.may_have("absent")


def test_escapes_are_read() -> None:
    item = '{"r\\u006fle":"\\u00e9\\n\\ud83d\\ude00"}'
    held = item_texts(pa.chunked_array([[[item]]], LISTS))
    assert held is not None
    assert held.column("role").to_pylist() == [["é\n😀"]]


@pytest.mark.parametrize("item", ["{", '{"a"', '{"a":"b"', '{"a":"b",}', '{"a":tru}', "{'a':1}"])
def test_text_that_is_no_json_has_no_texts(item: str) -> None:
    assert item_texts(pa.chunked_array([[[item]]], LISTS)) is None


def test_keys_beyond_the_bound_are_told_of() -> None:
    rows = [[{f"key{i}": "text" for i in range(5)}]]
    held = item_texts(column(rows), max_keys=3)
    assert held is not None
    assert set(held.by_key) == {"key0", "key1", "key2"}
    assert held.is_cut
    assert held.may_have("key4")
    assert not held.may_have("key1")


@pytest.mark.parametrize(
    ("offsets", "data"), [([], b""), ([0, 9], b"{}"), ([2, 0], b"{}"), ([-1, 2], b"{}")]
)
def test_places_outside_of_the_bytes_are_refused(offsets: list[int], data: bytes) -> None:
    with pytest.raises(ValueError, match="cannot read items"):
        _native.item_texts(np.array(offsets, np.int32), np.frombuffer(data, np.uint8), 8)


@settings(max_examples=300)
@given(data=st.binary(max_size=40), cuts=st.lists(st.integers(0, 40), max_size=4))
def test_any_bytes_are_read_or_refused(data: bytes, cuts: list[int]) -> None:
    offsets = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    data = b"{" + data[1:] if data else data
    _native.item_texts(np.array(offsets, np.int32), np.frombuffer(data, np.uint8), 8)


def test_item_paths_are_told_from_others() -> None:
    assert item_path("input.messages", "role") == "input.messages[].role"
    assert item_path("input", "a.b") == 'input[]."a.b"'
    assert is_item_path("input.messages[].role")
    assert is_item_path('input."x[]"[].role')
    assert not is_item_path('input."x[].y"')
    assert not is_item_path("input.messages")
    assert is_item_column("input[].role:str[]")
    assert not is_item_column("input:json[]")
