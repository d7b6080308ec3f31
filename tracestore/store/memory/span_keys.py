"""64-bit keys of (project, trace_id, span_id), computed from Arrow columns without a Python object a row."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.store.memory.recent_keys import Keys

_TRACE_CHARACTERS: Final = 32
_SPAN_CHARACTERS: Final = 16
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(32)

Words = npt.NDArray[np.uint64]


def project_seed(project: str, secret: bytes) -> int:
    """Returns the seed of a project's keys."""
    data = project.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, key=secret, digest_size=8).digest(), "little")


def span_keys(trace_id: pa.Array, span_id: pa.Array, seed: int) -> Keys:
    """Returns a key a row; equal ids give equal keys under one seed."""
    keys = np.full(len(trace_id), np.uint64(seed), np.uint64)
    for column, characters in ((trace_id, _TRACE_CHARACTERS), (span_id, _SPAN_CHARACTERS)):
        words = _words(column, characters)
        if words is None:
            words = _digests(column)
        for number in range(words.shape[1]):
            keys = _mix(keys ^ words[:, number])
    return keys


def _mix(values: Keys) -> Keys:
    # Two rounds of multiply and fold: every input bit reaches the low bits that pick a slot.
    with np.errstate(over="ignore"):
        values = (values ^ (values >> _SHIFT)) * _MULTIPLIER
        values = (values ^ (values >> _SHIFT)) * _MULTIPLIER
    result: Keys = values ^ (values >> _SHIFT)
    return result


def _words(column: pa.Array, characters: int) -> Words | None:
    """Returns the text of each row as 64-bit words, or None where a row's length differs."""
    rows = len(column)
    if rows == 0:
        return np.empty((0, characters // 8), np.uint64)
    if column.null_count:
        return None
    _, offsets_buffer, data = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32, rows + 1, column.offset * 4)
    if data is None or offsets[-1] - offsets[0] != rows * characters:
        return None
    if not bool(np.all(np.diff(offsets) == characters)):
        return None
    return (
        np.frombuffer(data, np.uint8, rows * characters, int(offsets[0]))
        .view(np.uint64)
        .reshape(rows, -1)
    )


def _digests(column: pa.Array) -> Words:
    """Returns a 64-bit digest of each row's text, for ids that are not of the usual length."""
    texts = column.to_pylist()
    raw = b"".join(
        hashlib.blake2b((text or "").encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for text in texts
    )
    return np.frombuffer(raw, np.uint64).reshape(len(texts), 1)
