"""The order in which rows enter a segment, and which of them are left out as repeated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tracestore.segment.tables import SegmentTable
from tracestore.variant import Shredder

RowNumbers = npt.NDArray[np.int64]


def sorted_rows(shredder: Shredder, spec: SegmentTable, rows: RowNumbers) -> RowNumbers:
    """Returns `rows` sorted by time, then by the column that orders ties."""
    times = shredder.fixed_column(spec.time_ns_column).to_numpy(zero_copy_only=False)[rows]
    order = np.argsort(times, kind="stable")
    in_order = times[order]
    ties = np.flatnonzero(in_order[1:] == in_order[:-1])
    if len(ties):
        order = _with_ties(shredder, spec, rows, times)
    result: RowNumbers = rows[order]
    return result


def without_repeats(shredder: Shredder, spec: SegmentTable, rows: RowNumbers) -> RowNumbers:
    """Returns `rows`, sorted by time, without those of whose key there is a later one.

    Rows are appended in the order in which they came. Versions of a span have one start time, so only runs of equal
    times are compared.
    """
    if not spec.key_columns or len(rows) < 2:
        return rows
    times = shredder.fixed_column(spec.time_ns_column).to_numpy(zero_copy_only=False)[rows]
    same_time = times[1:] == times[:-1]
    if not bool(same_time.any()):
        return rows
    tied = np.zeros(len(rows), np.bool_)
    tied[1:] |= same_time
    tied[:-1] |= same_time
    positions = np.flatnonzero(tied)
    chosen = pa.array(rows[positions])
    columns = {name: shredder.fixed_column(name).take(chosen) for name in spec.key_columns}
    columns["row"] = chosen
    groups = pa.table(columns).group_by(list(spec.key_columns), use_threads=False)
    last = groups.aggregate([("row", "max")]).column("row_max").to_numpy()
    keep = ~tied | np.isin(rows, last)
    result: RowNumbers = rows[keep]
    return result


def _with_ties(
    shredder: Shredder, spec: SegmentTable, rows: RowNumbers, times: npt.NDArray[np.int64]
) -> RowNumbers:
    chosen = pa.array(rows)
    table = pa.table(
        {"time": pa.array(times), "tie": shredder.fixed_column(spec.tie_column).take(chosen)}
    )
    keys = [("time", "ascending"), ("tie", "ascending")]
    result: RowNumbers = pc.sort_indices(table, sort_keys=keys).to_numpy().astype(np.int64)
    return result
