"""The engine's functions of text search: which words of a needle stand in a text, or in a JSON value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import pyarrow as pa

from tracestore.variant import find_words
from tracestore_query.language.search_words import (
    WORDS_IN_JSON,
    WORDS_IN_TEXT,
    words_of_needle,
)

_Column: TypeAlias = "pa.ChunkedArray | pa.Array"
Function = Callable[[_Column, _Column], pa.Array]


def _found(texts: _Column, needles: _Column, *, of_json: bool) -> pa.Array:
    column = _array(texts)
    if not len(column):
        return pa.array([], pa.uint64())
    # A needle is a constant of the query.
    return find_words(column, words_of_needle(_array(needles)[0].as_py() or ""), of_json=of_json)


def _array(column: _Column) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string())


def _in_texts(texts: _Column, needles: _Column) -> pa.Array:
    return _found(texts, needles, of_json=False)


def _in_json(texts: _Column, needles: _Column) -> pa.Array:
    return _found(texts, needles, of_json=True)


# The engine counts the parameters of what it is given: a plain function has two.
FUNCTIONS: Final[dict[str, Function]] = {WORDS_IN_TEXT: _in_texts, WORDS_IN_JSON: _in_json}
