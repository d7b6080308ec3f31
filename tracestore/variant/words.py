"""The words of texts, and which of some words stand in each text of a column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tracestore import _native


def words(text: str) -> list[str]:
    """Returns the words of a text in one case, in order: cut as Unicode cuts them (UAX 29)."""
    return [word.decode() for word in _native.words(text.encode(errors="replace"))]


def find_words(texts: pa.Array, wanted: Sequence[str], *, of_json: bool) -> pa.Array:
    """Returns for each text which words stand in it, as 64 bits: the first word is the lowest.

    Args:
        texts: a column of strings; a null holds no word.
        wanted: at most 64 words in one case, as `words` gives them.
        of_json: whether the texts are JSON, of which strings, numbers and booleans count, and keys do not.
    """
    column = texts.cast(pa.string()).fill_null("")
    found = np.zeros(len(column), np.uint64)
    if len(column):
        _, offsets, data = column.buffers()
        places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
        bytes_of_texts = np.frombuffer(data or b"", np.uint8)
        encoded = tuple(word.encode() for word in wanted)
        _native.find_words(places, bytes_of_texts, encoded, found, of_json=of_json)
    return pa.array(found)
