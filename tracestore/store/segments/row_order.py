"""The order in which rows enter a segment, and which of them are left out as repeated."""

from __future__ import annotations

import secrets
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.segment.tables import SegmentTable
from tracestore.store.memory.span_keys import span_keys, with_kinds
from tracestore.variant import Shredder, parse_leaf_name

RowNumbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Who sends spans must not be able to choose ids whose keys are equal.
_SEED: Final = secrets.randbits(64)


class OrderedRows(Protocol):
    """What holds rows, numbered as they came, and tells of them what their order needs."""

    def times(self) -> RowNumbers:
        """Returns the time of every row, in nanoseconds."""

    def texts(self, name: str, rows: RowNumbers) -> pa.Array:
        """Returns a fixed column of text of some rows, without a dictionary."""


class ShreddedRows:
    """The rows that a shredder holds."""

    def __init__(self, shredder: Shredder, spec: SegmentTable) -> None:
        self._shredder = shredder
        self._spec = spec

    def times(self) -> RowNumbers:
        """Returns the time of every row, in nanoseconds."""
        times: RowNumbers = self._shredder.fixed_column(self._spec.time_ns_column).to_numpy(
            zero_copy_only=False
        )
        return times

    def texts(self, name: str, rows: RowNumbers) -> pa.Array:
        """Returns a fixed column of some rows."""
        return self._shredder.fixed_column(name).take(pa.array(rows))

    def leaf_names(self) -> list[str]:
        """Returns the names of the leaves that some row has."""
        return [f"{path}:{leaf_type}" for path, leaf_type, _ in self._shredder.leaf_counts()]

    def whole_column(self, name: str) -> pa.Array:
        """Returns a fixed column or a leaf of all rows."""
        if name in self._spec.columns:
            return self._shredder.fixed_column(name)
        values = self._shredder.leaf_values(*parse_leaf_name(name), 0)
        return pa.nulls(self._shredder.rows, pa.string()) if values is None else values


def sorted_rows(source: OrderedRows, spec: SegmentTable, rows: RowNumbers) -> RowNumbers:
    """Returns `rows` sorted by time, then by the column that orders ties, then as they came."""
    times = source.times()[rows]
    order = np.argsort(times, kind="stable")
    tied = np.flatnonzero(_tied(times[order]))
    if len(tied):
        among = order[tied]
        keys = {
            "time": pa.array(times[among]),
            "tie": source.texts(spec.tie_column, rows[among]),
        }
        sort_keys = [("time", "ascending"), ("tie", "ascending")]
        # They are sorted by time already: each takes a place of its own time.
        order[tied] = among[pc.sort_indices(pa.table(keys), sort_keys=sort_keys).to_numpy()]
    result: RowNumbers = rows[order]
    return result


def without_repeats(source: OrderedRows, spec: SegmentTable, rows: RowNumbers) -> RowNumbers:
    """Returns `rows`, sorted by time, without those of whose key there is a later one.

    Rows are numbered in the order in which they came. Versions of a span have one start time, so only rows of equal
    times are compared.
    """
    if not spec.key_columns or len(rows) < 2:
        return rows
    positions = np.flatnonzero(_tied(source.times()[rows]))
    if len(positions) == 0:
        return rows
    columns = [source.texts(name, rows[positions]) for name in spec.key_columns]
    maybe = _repeated(with_kinds(span_keys(columns[0], columns[1], _SEED), columns[2]))
    if not bool(maybe.any()):
        return rows
    # Keys are hashes: only equal texts make a repetition.
    compared = pa.table([*columns, pa.array(rows[positions])], [*spec.key_columns, "row"])
    groups = compared.filter(pa.array(maybe)).group_by(list(spec.key_columns), use_threads=False)
    last = groups.aggregate([("row", "max")]).column("row_max").to_numpy()
    candidates = positions[maybe]
    kept = np.ones(len(rows), np.bool_)
    kept[candidates[~np.isin(rows[candidates], last)]] = False
    result: RowNumbers = rows[kept]
    return result


def _tied(times: RowNumbers) -> Mask:
    """Returns which of sorted times a neighbour has too."""
    same = times[1:] == times[:-1]
    tied = np.zeros(len(times), np.bool_)
    tied[1:] |= same
    tied[:-1] |= same
    return tied


def _repeated(keys: npt.NDArray[np.uint64]) -> Mask:
    """Returns which keys another row has too."""
    order = np.argsort(keys, kind="stable")
    repeated = np.zeros(len(keys), np.bool_)
    repeated[order] = _tied(keys[order].view(np.int64))
    return repeated
