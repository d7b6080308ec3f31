"""Keys in slots: a table that cannot take them is refused, and texts are numbered."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracestore import _native
from tracestore.variant import mixed, numbers_of

KNOWN = ("", "a", "ab", "INTERNAL")


@pytest.mark.parametrize(("slots", "keys"), [(0, 0), (1, 0), (3, 1), (4, 3), (2, 2)])
def test_a_table_that_has_no_room_is_refused(slots: int, keys: int) -> None:
    other = np.zeros(2, np.uint64)
    with pytest.raises(ValueError, match="slots"):
        _native.add_keys(
            np.zeros(slots, np.uint64),
            other,
            np.full(keys, 7, np.uint64),
            np.zeros(keys, np.uint8),
            0,
        )


@pytest.mark.parametrize("marks", [0, 2])
def test_marks_and_keys_are_of_one_number(marks: int) -> None:
    slots, keys, mask = np.zeros(8, np.uint64), np.full(1, 7, np.uint64), np.zeros(marks, np.uint8)
    with pytest.raises(ValueError, match="a mark a key"):
        _native.add_keys(slots, slots.copy(), keys, mask, 0)
    with pytest.raises(ValueError, match="a mark a key"):
        _native.find_keys(slots, keys, mask)
    with pytest.raises(ValueError, match="a row of them a key"):
        _native.hash_words(keys, np.zeros((2, 1), np.uint64))


@given(st.lists(st.none() | st.sampled_from(KNOWN) | st.text(max_size=4)), st.integers(0, 3))
def test_texts_are_numbered(texts: list[str | None], start: int) -> None:
    expected = [KNOWN.index(text) if text in KNOWN else len(KNOWN) for text in texts[start:]]
    for column in (pa.array(texts, pa.string()), pa.array(texts, pa.string()).dictionary_encode()):
        assert numbers_of(column[start:], KNOWN).tolist() == expected


def test_texts_outside_of_the_data_are_refused() -> None:
    numbers = np.zeros(1, np.uint64)
    with pytest.raises(ValueError, match="outside"):
        _native.number_texts(np.array([0, 9], np.int32), np.zeros(3, np.uint8), (b"a",), numbers)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20), st.integers(0, 63))
def test_one_bit_of_a_word_changes_a_key_and_no_other(words: list[int], bit: int) -> None:
    keys = np.zeros(len(words), np.uint64)
    before = mixed(keys, np.array(words, np.uint64)[:, np.newaxis])
    words[0] ^= 1 << bit
    after = mixed(keys, np.array(words, np.uint64)[:, np.newaxis])
    assert before[0] != after[0]
    assert before[1:].tolist() == after[1:].tolist()
    assert keys.tolist() == [0] * len(words)
