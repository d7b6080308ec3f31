"""One spelling for JSON arrays and objects, so that texts are equal where the values are."""

from __future__ import annotations

import json

import pyarrow as pa

from tracestore.arrow_compute import pc


def canonical_json(texts: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Returns JSON texts with their keys sorted and their numbers in one form; each distinct text is read once."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if isinstance(column, pa.ChunkedArray):
        # Some versions of pyarrow give a chunked array of one chunk.
        column = column.chunk(0) if column.num_chunks else pa.array([], pa.string())
    encoded = pc.dictionary_encode(column)
    spelled = [_spelled(text) for text in encoded.dictionary.to_pylist()]
    return pa.array(spelled, pa.string()).take(encoded.indices)


def _spelled(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        value = json.loads(text, parse_float=_number)
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        # Deeper than values are read, or an integer of more digits than are converted: it stays as it is.
        return text


def _number(text: str) -> float | int:
    """Returns a number: 1.0 is 1."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 2**63 else number
