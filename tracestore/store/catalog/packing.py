"""Lists of unsigned 32-bit integers as catalog values: little-endian, tails compressed by zlib."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from tracestore.store.catalog.segment_row import Ids


def pack(values: Iterable[int]) -> bytes:
    """Returns values as u32le."""
    return np.fromiter(values, dtype="<u4").tobytes()


def unpack(data: bytes) -> Ids:
    """Returns the values of `pack`, without copying."""
    return np.frombuffer(data, dtype="<u4")


def pack_compressed(values: Iterable[int]) -> bytes:
    """Returns values as zlib-compressed u32le; b"" for none."""
    raw = pack(values)
    return zlib.compress(raw, 1) if raw else b""


def unpack_compressed(data: bytes) -> Ids:
    """Returns the values of `pack_compressed`."""
    return unpack(zlib.decompress(data)) if data else unpack(b"")
