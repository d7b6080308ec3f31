"""Rows of segments by number. A segment never changes: a number means the same row as long as it is there."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tracestore import limits

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RowSet:
    """The rows that a delete removes.

    Attributes:
        numbers: row numbers, sorted and each once, by segment id.
    """

    numbers: Mapping[str, Numbers]

    @property
    def rows(self) -> int:
        """Returns how many rows there are."""
        return sum(map(len, self.numbers.values()))

    def encode(self) -> str:
        """Returns the text that the catalog keeps: a bit a row, compressed."""
        return json.dumps(
            {"segments": {name: _packed(rows) for name, rows in self.numbers.items()}}
        )


def decode(text: str) -> RowSet | None:
    """Returns the rows of `encode`, None for the text of something else."""
    segments = json.loads(text).get("segments")
    if segments is None:
        return None
    return RowSet({name: _unpacked(packed) for name, packed in segments.items()})


def _packed(numbers: Numbers) -> str:
    bits = np.zeros(int(numbers[-1]) + 1, np.bool_)
    bits[numbers] = True
    return base64.b64encode(zlib.compress(np.packbits(bits).tobytes())).decode()


def _unpacked(text: str) -> Numbers:
    # A segment has no more rows than a merge may put into one.
    inflate = zlib.decompressobj()
    packed = inflate.decompress(base64.b64decode(text), limits.COMPACTION_UNIT_ROWS)
    return np.flatnonzero(np.unpackbits(np.frombuffer(packed, np.uint8))).astype(np.int64)
