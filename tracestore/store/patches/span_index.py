"""Rows of a table by the keys of their spans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.store.memory.span_keys import span_keys
from tracestore.variant import Keys

Matches = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Pairs of arrays: the position among the keys that are looked for, and the row that has the key."""


@dataclass(frozen=True, slots=True)
class SpanIndex:
    """The keys of a table's rows, sorted, and the row of each."""

    keys: Keys
    rows: npt.NDArray[np.int32]

    @classmethod
    def of(cls, seed: int, table: pa.Table) -> SpanIndex:
        """Returns the index of a table with the columns `trace_id` and `span_id`."""
        trace_id, span_id = (flat_array(table.column(name)) for name in ("trace_id", "span_id"))
        keys = span_keys(trace_id, span_id, seed)
        order = np.argsort(keys, kind="stable").astype(np.int32)
        return cls(keys[order], order)

    @property
    def nbytes(self) -> int:
        """Returns the bytes that the index takes: 12 a row."""
        return self.keys.nbytes + self.rows.nbytes

    def find(self, keys: Keys) -> Matches:
        """Returns where keys are; a span that is there twice gives two pairs."""
        first = np.searchsorted(self.keys, keys, side="left")
        last = np.searchsorted(self.keys, keys, side="right")
        counts = last - first
        positions = np.repeat(np.arange(len(keys)), counts)
        offsets = np.arange(len(positions)) - np.repeat(np.cumsum(counts) - counts, counts)
        return positions, self.rows[first[positions] + offsets].astype(np.int64)


def flat_array(column: pa.ChunkedArray) -> pa.Array:
    """Returns a column as one array."""
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        raise AssertionError("BUG: a column of one table exceeds one Arrow array")
    return combined
