"""Which `json` leaves hold nothing but null: a path of one type and nulls keeps its type."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

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


@functools.lru_cache(maxsize=65_536)
def _column_only_null(uri: str, name: str) -> bool:
    """Reads min and max of a column; a segment never changes, so the answer is kept."""
    with pq.ParquetFile(uri) as file:
        index = file.schema_arrow.names.index(name)
        # Leaf columns and lists: the Parquet column of a flat field is found by its path.
        for group in range(file.metadata.num_row_groups):
            row_group = file.metadata.row_group(group)
            for i in range(index, row_group.num_columns):
                column = row_group.column(i)
                if column.path_in_schema == name:
                    break
            else:
                return False
            stats = column.statistics
            if stats is None or not stats.has_min_max:
                if stats is not None and stats.null_count == row_group.num_rows:
                    continue
                return False
            if stats.min != NULL or stats.max != NULL:
                return False
    return True


@functools.lru_cache(maxsize=65_536)
def _tail_only_null(uri: str, path: str) -> bool:
    rows = pq.read_table(uri, columns=["str"], filters=[("path", "=", path), ("type", "=", "json")])
    return not pc.any(pc.not_equal(rows.column("str"), NULL)).as_py()
