"""Rows of a table by the keys of their spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.store.memory.span_keys import span_keys
from tracestore.variant import Keys

Matches = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Pairs of arrays: the position among the keys that are looked for, and the row that has the key."""


_MARKS_A_KEY: Final = 8
"""Marks for each key: of eight keys that are not there one meets a mark, and is sought."""


@dataclass(frozen=True, slots=True)
class SpanIndex:
    """The keys of a table's rows, sorted, and the row of each.

    Attributes:
        keys, rows: of equal length.
        marks: a bit for each value of the first bits of a key: whether some key begins so. Keys are hashes, so that
            these tell of most keys that they are not there.
    """

    keys: Keys
    rows: npt.NDArray[np.int32]
    marks: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, seed: int, table: pa.Table) -> SpanIndex:
        """Returns the index of a table with the columns `trace_id` and `span_id`."""
        trace_id, span_id = (flat_array(table.column(name)) for name in ("trace_id", "span_id"))
        keys = span_keys(trace_id, span_id, seed)
        order = np.argsort(keys, kind="stable").astype(np.int32)
        return cls(keys[order], order, _marks_of(keys))

    @property
    def nbytes(self) -> int:
        """Returns the bytes that the index takes: 13 to 14 a row."""
        return self.keys.nbytes + self.rows.nbytes + self.marks.nbytes

    def find(self, keys: Keys) -> Matches:
        """Returns where keys are; a span that is there twice gives two pairs."""
        begins = _begins(keys, len(self.marks) * 8)
        marked = (self.marks[begins >> 3] >> (begins & 7).astype(np.uint8)) & 1
        may_be = np.flatnonzero(marked)
        sought = keys[may_be]
        first = np.searchsorted(self.keys, sought, side="left")
        counts = np.searchsorted(self.keys, sought, side="right") - first
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = self.rows[np.repeat(first, counts) + offsets].astype(np.int64)
        return np.repeat(may_be, counts), rows


def _marks_of(keys: Keys) -> npt.NDArray[np.uint8]:
    size = 8
    while size < len(keys) * _MARKS_A_KEY:
        size *= 2
    marks = np.zeros(size, np.bool_)
    marks[_begins(keys, size)] = True
    return np.packbits(marks, bitorder="little")


def _begins(keys: Keys, size: int) -> npt.NDArray[np.int64]:
    """Returns the first bits of keys, as many as number `size` marks, a power of two."""
    return (keys >> np.uint64(65 - size.bit_length())).astype(np.int64)


def flat_array(column: pa.ChunkedArray) -> pa.Array:
    """Returns a column as one array."""
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        raise AssertionError("BUG: a column of one table exceeds one Arrow array")
    return combined
