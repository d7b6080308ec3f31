"""64-bit keys of (project, trace_id, span_id), with or without a kind, without a Python object a row."""

from __future__ import annotations

import hashlib
import json
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.variant import Keys, mixed, numbers_of

_TRACE_CHARACTERS: Final = 32
_SPAN_CHARACTERS: Final = 16

KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
"""The kinds of OpenTelemetry; a span that names none is of the first."""

Words = npt.NDArray[np.uint64]


def project_seed(project: str, secret: bytes) -> int:
    """Returns the seed of a project's keys."""
    data = project.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, key=secret, digest_size=8).digest(), "little")


def span_keys(trace_id: pa.Array, span_id: pa.Array, seed: int) -> Keys:
    """Returns a key a row. It depends on the row's own ids and the seed, and on no other row."""
    trace_words = _words(trace_id, _TRACE_CHARACTERS)
    span_words = _words(span_id, _SPAN_CHARACTERS)
    if trace_words is not None and span_words is not None:
        keys = np.full(len(trace_id), np.uint64(seed), np.uint64)
        return mixed(mixed(keys, trace_words), span_words)
    usual = pc.and_(
        pc.equal(pc.binary_length(trace_id), _TRACE_CHARACTERS),
        pc.equal(pc.binary_length(span_id), _SPAN_CHARACTERS),
    ).fill_null(False)
    is_usual = usual.to_numpy(zero_copy_only=False)
    keys = np.empty(len(trace_id), np.uint64)
    keys[is_usual] = span_keys(trace_id.filter(usual), span_id.filter(usual), seed)
    unusual = pc.invert(usual)
    keys[~is_usual] = _digests(trace_id.filter(unusual), span_id.filter(unusual), seed)
    return keys


def with_kinds(keys: Keys, kind: pa.Array) -> Keys:
    """Returns keys that tell spans of one id apart by their kind.

    Kinds that OpenTelemetry does not know count as one.
    """
    numbers = numbers_of(kind, KINDS)
    if kind.null_count:
        numbers[kind.is_null().to_numpy(zero_copy_only=False)] = 0
    return mixed(keys, numbers[:, np.newaxis])


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


def _digests(trace_id: pa.Array, span_id: pa.Array, seed: int) -> Keys:
    """Returns keys of rows whose ids are not of the usual length."""
    secret = seed.to_bytes(8, "little")
    texts = [json.dumps(ids) for ids in zip(trace_id.to_pylist(), span_id.to_pylist(), strict=True)]
    raw = b"".join(
        hashlib.blake2b(text.encode(), key=secret, digest_size=8).digest() for text in texts
    )
    return np.frombuffer(raw, np.uint64)
