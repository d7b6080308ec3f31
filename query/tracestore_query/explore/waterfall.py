"""A trace as a waterfall: its spans as Arrow in the order in which a tree shows them, each with its depth.

The browser draws what comes: names are dictionary-coded, ids are eight bytes, times are offsets. It orders nothing.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore_query.explore.selection import RowQuery

MAX_WATERFALL_SPANS: Final = 250_000
"""Spans of one trace that are drawn, the earliest first; the answer says how many there are."""

SQL: Final = """
    SELECT span_id, parent_span_id, name, type, service, start_ns, coalesce(duration_ns, 0) AS duration_ns,
           status_code = 'ERROR' AS failed, metrics.tokens AS tokens, metrics.estimated_cost AS cost
    FROM spans WHERE trace_id = $id ORDER BY start_ns, span_id LIMIT $most"""

Integers = npt.NDArray[np.int64]


def waterfall(run: RowQuery, trace_id: str) -> pa.Table | None:
    """Returns a trace's spans in the order of its tree, None where there is no such trace.

    Columns: `id` (8 bytes), `depth`, `parent` (row of the parent, -1 for none), `name`, `type`, `service`
    (dictionaries), `start` and `duration` (nanoseconds from the trace's start), `failed`, `tokens`, `cost`.
    """
    spans = run(SQL, {"id": trace_id, "most": MAX_WATERFALL_SPANS}, timeout_s=60.0).arrow()
    if spans.num_rows == 0:
        return None
    parents = parent_rows(spans["span_id"], spans["parent_span_id"])
    order, depth = tree_order(parents)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    ordered = spans.take(pa.array(order))
    start_ns = ordered["start_ns"].cast(pa.int64())
    first = pc.min(start_ns).as_py()
    parent_of = parents[order]
    columns: dict[str, Any] = {
        "id": _packed(ordered["span_id"]),
        "depth": pa.array(depth[order], pa.int32()),
        "parent": pa.array(np.where(parent_of < 0, -1, place[parent_of]), pa.int32()),
        "name": _coded(ordered["name"]),
        "type": _coded(ordered["type"]),
        "service": _coded(ordered["service"]),
        "start": pc.subtract(start_ns, first).cast(pa.float64()),
        "duration": ordered["duration_ns"].cast(pa.float64()),
        "failed": ordered["failed"],
        "tokens": _number(ordered["tokens"]),
        "cost": _number(ordered["cost"]),
    }
    return pa.table(columns).replace_schema_metadata({"start_ns": str(first)})


def parent_rows(span_ids: pa.ChunkedArray, parent_ids: pa.ChunkedArray) -> Integers:
    """Returns the row of each span's parent, -1 where it is not there."""
    ids = span_ids.combine_chunks().cast(pa.string())
    found = pc.index_in(parent_ids.combine_chunks().cast(pa.string()), value_set=ids)
    rows: Integers = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    own = np.arange(len(rows))
    return np.where(rows == own, -1, rows)


def tree_order(parents: Integers) -> tuple[Integers, Integers]:
    """Returns the rows in depth-first order, and each row's depth.

    Children keep the order of their rows. A circle of parents, which a broken exporter can make, hangs
    nowhere: its first row counts as a root.
    """
    many = len(parents)
    children: list[list[int]] = [[] for _ in range(many)]
    roots: list[int] = []
    for row, parent in enumerate(parents.tolist()):
        (roots if parent < 0 else children[parent]).append(row)
    order: list[int] = []
    depth = np.full(many, -1, np.int64)
    candidates = [*roots, *range(many)] if len(roots) < many else roots
    for root in candidates:
        stack = [(root, 0)]
        while stack:
            row, level = stack.pop()
            if depth[row] >= 0:
                continue
            depth[row] = level
            order.append(row)
            stack += [(child, level + 1) for child in reversed(children[row])]
    return np.array(order, np.int64), depth


def _packed(ids: pa.ChunkedArray) -> pa.Array:
    """Returns ids of 16 hex digits as eight bytes each; another id becomes zeros."""
    texts = ids.cast(pa.string()).to_pylist()
    zeros = bytes(8)
    return pa.array(
        [bytes.fromhex(text) if text and len(text) == 16 else zeros for text in texts],
        pa.binary(8),
    )


def _coded(texts: pa.ChunkedArray) -> pa.Array:
    return pc.fill_null(texts.combine_chunks().cast(pa.string()), "").dictionary_encode()


def _number(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns numbers as doubles; what is no number counts as absent."""
    if pa.types.is_null(values.type):
        return pa.chunked_array([pa.nulls(len(values), pa.float64())])
    return values.cast(pa.float64())
