"""Which `json` leaves hold nothing but null: a path of one type and nulls keeps its type."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from tracestore.arrow_compute import pc
from tracestore.store import SegmentRef

NULL = "null"


def only_null(
    path: str,
    columns: Iterable[SegmentRef],
    tails: Iterable[SegmentRef],
    memtable: Iterable[pa.Table],
) -> bool:
    """Returns whether every value of `<path>:json` is null.

    Args:
        path: the path's text.
        columns: segments where the leaf is a column; the footer's statistics answer.
        tails: segments where it is in the tail; its rows answer.
        memtable: rows in no segment.
    """
    name = f"{path}:json"
    if not all(_column_only_null(segment.uri, name) for segment in columns):
        return False
    for segment in tails:
        if segment.tail_uri is None or not _tail_only_null(segment.tail_uri, path):
            return False
    return not any(
        name in chunk.schema.names and pc.any(pc.not_equal(chunk.column(name), NULL)).as_py()
        for chunk in memtable
    )


def _column_only_null(uri: str, name: str) -> bool:
    return name not in _with_values(uri)


@functools.lru_cache(maxsize=16_384)
def _with_values(uri: str) -> frozenset[str]:
    """Returns the `json` columns of a segment that hold more than null, by its footer's statistics.

    A segment never changes, so the answer is kept. One that a merge has replaced meanwhile says nothing.
    """
    try:
        with pq.ParquetFile(uri) as file:
            metadata = file.metadata
    except FileNotFoundError:
        return frozenset()
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    found = set()
    for group in groups:
        for number in range(group.num_columns):
            column = group.column(number)
            if not column.path_in_schema.endswith(":json"):
                continue
            stats = column.statistics
            if stats is not None and stats.null_count == group.num_rows:
                continue
            known = stats is not None and stats.has_min_max
            if not known or stats.min != NULL or stats.max != NULL:
                found.add(column.path_in_schema)
    return frozenset(found)


@functools.lru_cache(maxsize=65_536)
def _tail_only_null(uri: str, path: str) -> bool:
    filters = [("path", "=", path), ("type", "=", "json")]
    try:
        rows = pq.read_table(uri, columns=["str"], filters=filters)
    except FileNotFoundError:
        return True
    return not pc.any(pc.not_equal(rows.column("str"), NULL)).as_py()
