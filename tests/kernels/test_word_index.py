"""The rows of each word are those whose texts the cutter finds it in, whatever columns these are in."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kernels import reference_words
from tracestore import _native, limits
from tracestore.variant import SEVERAL_COLUMNS, TABLES, RowWords, Shredder, may_be_in_filter

SPANS = TABLES["spans"]
TEXTS = st.text(
    st.sampled_from("abzAB01 .'_-\n\t\"\\\u00e9\u0130\u4e00\u200d\u0301\U0001f525"), max_size=10
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.just(2.5), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
ROWS = st.lists(
    st.fixed_dictionaries({}, optional={"name": TEXTS, "input": VALUES, "metadata": VALUES}),
    min_size=1,
    max_size=12,
)


def table_of(
    rows: list[dict[str, Any]], values: dict[str, str] | None = None, **options: Any
) -> pa.Table:
    shredder = Shredder("spans", **options)
    whole = [
        {"trace_id": f"{i + 1:032x}", "span_id": f"{i + 1:016x}", "start_ns": 10**18 + i, **row}
        for i, row in enumerate(rows)
    ]
    text = "\n".join(map(json.dumps, whole))
    for mark, value in (values or {}).items():
        text = text.replace(json.dumps(mark), value)
    shredder.append_json(text.encode())
    finished = shredder.finish(dictionary=True)
    return finished[0] if isinstance(finished, tuple) else finished


def rows_by_word(table: pa.Table) -> dict[str, list[int]]:
    found = RowWords(table, SPANS)
    texts = found.texts().to_pylist()
    starts, rows = found.blocks_of(np.arange(len(texts)), np.ones(len(texts), np.int32))
    assert [stop - start for start, stop in itertools.pairwise(starts)] == (found.counts.tolist())
    return {
        word: rows[starts[i] : starts[i + 1]].tolist()
        for i, word in enumerate(texts)
        if found.counts[i]
    }


def texts_of(value: Any) -> list[str]:
    """Returns the strings of a value."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_of(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("options", [{"min_leaf_rows": 1, "min_leaf_density": 0.0}, {}])
@settings(max_examples=60)
@given(rows=ROWS)
def test_each_word_has_every_row_that_it_stands_in(
    options: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    held = rows_by_word(table_of(rows, **options))
    for number, row in enumerate(rows):
        for text in texts_of(list(row.values())):
            for word in reference_words.words(text):
                assert number in held[word]
    for word, numbers in held.items():
        assert numbers == sorted(set(numbers))
        for number in numbers:
            every = [str(row) for row in reference_words.texts_of(list(rows[number].values()))]
            assert word in {each for text in every for each in reference_words.words(text)}


@settings(max_examples=60)
@given(rows=ROWS)
def test_the_one_column_of_a_word_is_known(rows: list[dict[str, Any]]) -> None:
    table = table_of(rows, min_leaf_rows=1, min_leaf_density=0.0)
    every = RowWords(table, SPANS)
    apart: dict[str, set[str]] = {}
    for name in every.columns:
        alone = rows_by_word(table.select([name]))
        for word in alone:
            apart.setdefault(word, set()).add(name)
    for word, number, count in zip(
        every.texts().to_pylist(), every.column_of.tolist(), every.counts.tolist(), strict=True
    ):
        if count and word:
            names = apart[word]
            assert (number < SEVERAL_COLUMNS) == (len(names) == 1)
            assert number >= SEVERAL_COLUMNS or {every.columns[number]} == names


PIECES = st.lists(
    st.sampled_from(
        [
            *"aZ09_ .,:;'\"-\n",
            "ab",
            "w1",
            "__",
            "é",
            "\u0301",
            "\u200d",
            "א",
            "1.5",
            "it's",
            "x" * 15,
        ]
    )
    | st.text("aB3_", max_size=70),
    max_size=30,
).map("".join)


@given(st.lists(PIECES, min_size=1, max_size=4))
def test_texts_are_cut_into_the_words_of_the_cutter(texts: list[str]) -> None:
    data = "".join(texts).encode()
    ends = np.cumsum([0, *(len(text.encode()) for text in texts)]).astype(np.int32)
    index = _native.WordIndex(len(texts), 1)
    first = index.add_texts(ends, np.frombuffer(data, np.uint8), of_json=False)
    numbers = np.arange(len(texts), dtype=np.int32)
    index.add_rows(numbers, numbers, first, 0)
    _native.count_rows(index, counts := np.zeros(index.words, np.uint64))
    offsets, letters = np.zeros(index.words + 1, np.int32), np.zeros(index.word_bytes, np.uint8)
    index.write_words(offsets, letters)
    held = {
        bytes(letters[start:stop]).decode()
        for (start, stop), count in zip(itertools.pairwise(offsets), counts.tolist(), strict=True)
        if count
    }
    wanted = {word for text in texts for word in reference_words.words(text)}
    assert held == {word for word in wanted if len(word.encode()) <= limits.MAX_LISTED_WORD_BYTES}


def test_what_cannot_be_told_may_be_any_word() -> None:
    marks = {"near": limits.MAX_JSON_DEPTH - 100, "too deep": limits.MAX_JSON_DEPTH - 20}
    values = {mark: "[" * depth + '"x"' + "]" * depth for mark, depth in marks.items()}
    table = table_of([{"input": "near"}, {"input": "too deep"}, {"name": "plain"}], values)
    held = rows_by_word(table)
    assert held[""] == [1]
    assert held["x"] == [0]
    with_bytes = table.append_column("output:bin", pa.array([None, None, b"abc"], pa.binary()))
    assert rows_by_word(with_bytes)[""] == [1, 2]


def test_long_words_are_left_out() -> None:
    edge = "w" * limits.MAX_LISTED_WORD_BYTES
    held = rows_by_word(table_of([{"name": edge}, {"name": edge + "w"}, {"name": "é" * 65}]))
    assert held == {edge: [0]}


@example([{1, 2}] * 20, 1, 2)
@given(
    st.lists(st.sets(st.integers(0, 9)), min_size=1, max_size=60),
    st.integers(0, 5),
    st.integers(0, 9),
)
def test_a_list_has_the_blocks_of_its_word(rows: list[set[int]], shift: int, left_out: int) -> None:
    names = [" ".join(f"w{number}" for number in row) for row in rows]
    # The same words in a second text of each row count once.
    held = RowWords(table_of([{"name": name, "status_message": name} for name in names]), SPANS)
    texts = held.texts().to_pylist()
    order = held.order(held.texts())
    left = f"w{left_out}"
    block_rows = np.array([0 if texts[i] == left else 1 << shift for i in order], np.int32)
    starts, blocks = held.blocks_of(order, block_rows)
    for i, number in enumerate(order.tolist()):
        word = texts[number]
        with_it = {row >> shift for row, name in enumerate(names) if word in name.split()}
        wanted = sorted(with_it) if word.startswith("w") and word != left else []
        assert blocks[starts[i] : starts[i + 1]].tolist() == wanted


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.integers(1, 9))
def test_a_filter_has_the_words_of_its_block(numbers: list[int], block: int) -> None:
    table = table_of([{"name": f"w{number}"} for number in numbers])
    held = RowWords(table, SPANS)
    chosen = held.counts > 0
    filters = [np.frombuffer(bits, np.uint32) for bits in held.filters(chosen, block, 10)]
    assert len(filters) == -(-len(numbers) // block)
    for row, number in enumerate(numbers):
        assert may_be_in_filter(filters[row // block], f"w{number}")


def test_few_words_that_were_not_added_seem_to_be_in_a_filter() -> None:
    held = RowWords(table_of([{"name": f"w{number}"} for number in range(4000)]), SPANS)
    [bits] = held.filters(held.counts > 0, 4000, limits.WORDS_FILTER_BITS)
    array = np.frombuffer(bits, np.uint32)
    wrong = sum(may_be_in_filter(array, f"absent{number}") for number in range(4000))
    assert wrong < 4000 * 0.03


def test_sizes_that_do_not_fit_are_refused() -> None:
    index = _native.WordIndex(2, 1)
    data = np.frombuffer(b"a b", np.uint8)
    with pytest.raises(ValueError, match="outside of the data"):
        index.add_texts(np.array([0, 9], np.int32), data, of_json=False)
    first = index.add_texts(np.array([0, 3], np.int32), data, of_json=False)
    one = np.array([0], np.int32)
    for rows, texts in (([2], [0]), ([-1], [0]), ([0], [1]), ([0], [-1])):
        with pytest.raises(ValueError, match="names no row or text"):
            index.add_rows(np.array(rows, np.int32), np.array(texts, np.int32), first, 0)
    with pytest.raises(ValueError, match="want a text for each"):
        index.add_rows(one, one, first, SEVERAL_COLUMNS)
    index.add_rows(one, one, first, 0)
    with pytest.raises(ValueError, match="want 3 counts"):
        _native.count_rows(index, np.zeros(2, np.uint64))
    _native.count_rows(index, counts := np.zeros(3, np.uint64))
    assert counts.tolist() == [0, 1, 1]
    order, shifts = np.array([1, 2]), np.zeros(2, np.uint8)
    starts, room = np.zeros(3, np.int64), np.zeros(2, np.int32)
    _native.write_blocks(index, order, shifts, starts, room)
    assert starts.tolist() == [0, 1, 2]
    for wrong in ([1, 1], [1, 3], [-1, 2]):
        with pytest.raises(ValueError, match="not there or listed twice"):
            _native.write_blocks(index, np.array(wrong), shifts, starts, room)
    with pytest.raises(ValueError, match="have no room"):
        _native.write_blocks(index, order, shifts, starts, room[:1])
    with pytest.raises(ValueError, match="have no room"):
        _native.write_blocks(index, order, np.array([0, 31], np.uint8), starts, room)
    with pytest.raises(ValueError, match="a size of blocks"):
        _native.write_blocks(index, order, shifts, starts[:2], room)
    with pytest.raises(ValueError, match="count rows first"):
        _native.write_blocks(_native.WordIndex(2, 1), order, shifts, starts, room)
    chosen = np.ones(3, np.uint8)
    with pytest.raises(ValueError, match="more or fewer"):
        _native.count_blocks(index, chosen, 1, np.zeros(3, np.uint64))
    with pytest.raises(ValueError, match="do not fit together"):
        _native.write_filters(index, chosen, 2, np.array([2], np.int64), np.zeros(8, np.uint32))
    with pytest.raises(ValueError, match="before rows are counted"):
        index.add_rows(one, one, first, 0)
    with pytest.raises(ValueError, match="want 3"):
        index.write_columns(np.zeros(2, np.uint16))
