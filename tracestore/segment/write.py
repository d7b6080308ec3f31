"""Writes a segment and its tail sidecar. Specification: docs/format/segment.md.

Knows Parquet and footers; knows no folders, no catalog, no syncing: bytes go to the sink it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tracestore import limits
from tracestore.arrow_compute import pc
from tracestore.segment.dictionaries import own_dictionaries
from tracestore.segment.encoding import COMPRESSION_LEVEL, choose_encodings, is_list
from tracestore.segment.footer import Footer
from tracestore.segment.tables import SegmentTable
from tracestore.variant import OVERFLOW

_BUFFER_BYTES: Final = 1024 * 1024

# A row group is halved only if the dictionaries of both halves together stay below this many times the whole's.
# Interleaved conversations share texts: halving them would grow the file by more than a tenth.
_MAX_DICTIONARY_GROWTH: Final = 1.1
_TAIL_DICTIONARY: Final = ["path", "type", "str"]
_TAIL_DELTA: Final = {"row": "DELTA_BINARY_PACKED", "i64": "DELTA_BINARY_PACKED"}


class Sink(Protocol):
    """A taker of the bytes of a file."""

    def write(self, data: bytes, /) -> object:
        """Writes all of the bytes."""


@dataclass(frozen=True, slots=True)
class SegmentSummary:
    """A segment that was written, as the catalog keeps it."""

    rows: int
    min_time_ns: int
    max_time_ns: int
    leaf_rows: Mapping[str, int]
    tail_rows: Mapping[tuple[str, str], int]


def summarize(table: pa.Table, tail: pa.Table | None, spec: SegmentTable) -> SegmentSummary:
    """Returns counts and time range of a finished table; both times are included in the range."""
    times = table.column(spec.time_ns_column)
    if len(times) == 0:
        raise AssertionError("BUG: a segment must have rows")
    fixed = frozenset(spec.columns) | {OVERFLOW}
    leaf_rows = {
        name: len(column) - column.null_count
        for name, column in zip(table.column_names, table.columns, strict=True)
        if name not in fixed
    }
    bounds = pc.min_max(times).as_py()
    return SegmentSummary(len(table), bounds["min"], bounds["max"], leaf_rows, _tail_rows(tail))


def write_segment(sink: Sink, table: pa.Table, spec: SegmentTable, footer: Footer) -> None:
    """Writes the segment file of a finished table, whose rows are sorted by time then trace, or as the footer says.

    Derived columns are left out. Memory: one row group.
    """
    stored = table.drop_columns([name for name in spec.derived if name in table.column_names])
    times = stored.column(spec.time_ns_column).to_numpy()
    is_by_time = not footer.cluster_by
    if is_by_time and len(times) > 1 and not bool(np.all(times[1:] >= times[:-1])):
        raise AssertionError(f"BUG: segment rows must be sorted by {spec.time_ns_column}")
    plan = choose_encodings(stored)
    group_rows = min(len(stored), limits.ROW_GROUP_ROWS)
    bloom = {"ndv": max(group_rows, 1), "fpp": limits.BLOOM_FALSE_POSITIVES}
    sorted_by = spec.sort_columns if is_by_time else ()
    sorting = [pq.SortingColumn(stored.column_names.index(name)) for name in sorted_by]
    _write(
        sink,
        stored,
        footer,
        _row_groups(stored),
        compression=plan.codecs,
        compression_level=plan.levels,
        use_dictionary=plan.dictionary or False,
        column_encoding=plan.explicit or None,
        dictionary_pagesize_limit=limits.DICTIONARY_PAGE_BYTES,
        data_page_size=limits.PAGE_BYTES,
        max_rows_per_page=limits.ROW_GROUP_ROWS,
        write_batch_size=plan.batch_values,
        bloom_filter_options=dict.fromkeys(spec.bloom_columns, bloom),
        sorting_columns=sorting or None,
    )


def write_tail(sink: Sink, tail: pa.Table, footer: Footer) -> None:
    """Writes the tail sidecar: entries sorted by path, then row."""
    groups = (
        _decoded(tail.slice(start, limits.TAIL_ROW_GROUP_ROWS))
        for start in range(0, len(tail), limits.TAIL_ROW_GROUP_ROWS)
    )
    _write(
        sink,
        _decoded(tail.slice(0, 0)),
        footer,
        groups,
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        use_dictionary=_TAIL_DICTIONARY,
        column_encoding=_TAIL_DELTA,
        sorting_columns=[pq.SortingColumn(0), pq.SortingColumn(1)],
    )


def _decoded(table: pa.Table) -> pa.Table:
    """Returns a slice without dictionaries: each row group would get the whole table's."""
    for number, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            plain = table.column(number).cast(field.type.value_type)
            table = table.set_column(number, pa.field(field.name, plain.type), plain)
    return table


def _write(
    sink: Sink, table: pa.Table, footer: Footer, groups: Iterator[pa.Table], **options: Any
) -> None:
    with (
        pa.BufferedOutputStream(pa.PythonFile(_Open(sink), mode="w"), _BUFFER_BYTES) as stream,
        pq.ParquetWriter(
            stream,
            table.schema,
            version="2.6",
            write_statistics=True,
            write_page_index=True,
            write_page_checksum=True,
            store_schema=False,
            **options,
        ) as writer,
    ):
        for group in groups:
            writer.write_table(group, row_group_size=max(len(group), 1))
        writer.add_key_value_metadata(footer.encode())


class _Open:
    """A sink that passes writes on and leaves closing to its owner, who syncs it first."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.closed = False

    def write(self, data: bytes) -> int:
        self._sink.write(data)
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def _row_groups(table: pa.Table) -> Iterator[pa.Table]:
    """Yields slices of at most ROW_GROUP_ROWS rows and, one huge row aside, no more bytes than a group may have."""
    for start in range(0, len(table), limits.ROW_GROUP_ROWS):
        yield from _halved(own_dictionaries(table.slice(start, limits.ROW_GROUP_ROWS)))


def _halved(group: pa.Table) -> Iterator[pa.Table]:
    """Yields a row group whole, or in halves where it is too large or a dictionary of it is."""
    dictionary_bytes = [_dictionary_bytes(column) for column in group.columns]
    # A repeated text counts once.
    fits = sum(map(_bytes, group.columns)) <= limits.ROW_GROUP_BYTES
    if len(group) <= 1 or (fits and max(dictionary_bytes) <= limits.ROW_GROUP_DICTIONARY_BYTES):
        yield group
        return
    middle = len(group) // 2
    halves = [own_dictionaries(group.slice(0, middle)), own_dictionaries(group.slice(middle))]
    halves_bytes = sum(_dictionary_bytes(column) for half in halves for column in half.columns)
    if fits and halves_bytes > sum(dictionary_bytes) * _MAX_DICTIONARY_GROWTH:
        yield group
        return
    for half in halves:
        yield from _halved(half)


def _dictionary_bytes(column: pa.ChunkedArray) -> int:
    """Returns the bytes of a column's dictionaries, zero where it has none."""
    if is_list(column.type):
        column = pc.list_flatten(column)
    if not pa.types.is_dictionary(column.type):
        return 0
    return sum(int(chunk.dictionary.nbytes) for chunk in column.chunks)


def _bytes(column: pa.ChunkedArray) -> int:
    if is_list(column.type):
        return 4 * len(column) + _bytes(pc.list_flatten(column))
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    return 4 * len(column) + _dictionary_bytes(column)


def _tail_rows(tail: pa.Table | None) -> dict[tuple[str, str], int]:
    if tail is None or len(tail) == 0:
        return {}
    counts = tail.select(["path", "type"]).group_by(["path", "type"]).aggregate([([], "count_all")])
    paths = counts.column("path").to_pylist()
    types = counts.column("type").to_pylist()
    rows = counts.column("count_all").to_pylist()
    return {(path, kind): n for path, kind, n in zip(paths, types, rows, strict=True)}
