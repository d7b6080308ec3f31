"""Which rows of which segments one scan reads, as a value. Made by `segment_selection`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from tracestore.store import RowNumbers, SegmentPatches, SegmentRef
from tracestore_query.plan.scan import Leaf, Scan


@dataclass(frozen=True, slots=True)
class TailRows:
    """The rows of one path in the tails of some segments.

    Attributes:
        path: the path's text.
        table: `file` and `row` of each row, and the path's columns.
    """

    path: str
    table: pa.Table


@dataclass(frozen=True, slots=True)
class TailGroup:
    """Segments whose tails hold the same leaves of a scan, and that are read alike.

    Attributes:
        segments: the segments.
        leaves: the scan's leaves that their tails hold.
        non_null_paths: paths that every matching row must have and that these segments store in the tail only.
        rows: the rows of one of these paths, where they are few: no other row is read. None where they are many.
    """

    segments: tuple[SegmentRef, ...]
    leaves: tuple[Leaf, ...]
    non_null_paths: frozenset[str]
    rows: TailRows | None = None


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """A scan, and the segments and rows in memory that it reads.

    Attributes:
        scan: the scan.
        plain: segments in which every leaf of the scan is a column or absent.
        tailed: segments whose tails hold leaves of the scan, in groups.
        row_ranges: of plain segments, by file: the half-open range of the rows to read, where not all are.
        patched: of all segments, by file: the rows that a patch changes in a field of the scan.
        patched_fields: fields of the scan that some patch changes.
        memtable: rows that are in no segment yet.
        newest: `created_ns` of the rows that count, where only the newest row of each id does.
        word_rows: of all segments, by file: the rows to read, ascending, where few may hold the scan's words.
        found: of `word_rows`, the files whose rows there surely meet the scan's searches.
        kept: segments that are not read, since the groups that the query makes of their rows are kept.
        pruned: number of the table's segments that are not read.
        without_words: how many of these hold no row with all of the scan's words.
        without_traces: how many of these hold no row of one of the scan's traces, by their bloom filters.
    """

    scan: Scan
    plain: tuple[SegmentRef, ...] = ()
    tailed: tuple[TailGroup, ...] = ()
    row_ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    patched: Mapping[str, SegmentPatches] = field(default_factory=dict)
    patched_fields: frozenset[str] = frozenset()
    memtable: tuple[pa.Table, ...] = ()
    newest: pa.Table | None = None
    word_rows: Mapping[str, RowNumbers] = field(default_factory=dict)
    found: frozenset[str] = frozenset()
    kept: tuple[SegmentRef, ...] = ()
    pruned: int = 0
    without_words: int = 0
    without_traces: int = 0

    @property
    def is_of_traces(self) -> bool:
        """Returns whether what is read would be other segments or patches for other traces."""
        is_narrowed = self.without_traces > 0 or bool(self.patched_fields)
        return self.scan.trace_ids is not None and is_narrowed

    @property
    def segments(self) -> tuple[SegmentRef, ...]:
        """Returns the segments to read."""
        return (*self.plain, *(segment for group in self.tailed for segment in group.segments))
