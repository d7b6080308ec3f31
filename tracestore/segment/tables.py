"""What a segment stores of each table: which fixed columns, and how rows are sorted and found.

The columns themselves are `tracestore.variant.TABLES`; this adds what only storage needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tracestore.variant import TABLES

OVERFLOW: Final = "_overflow"


@dataclass(frozen=True, slots=True)
class SegmentTable:
    """One table as segments store it.

    `derived` columns follow from the others and are not stored; `key_columns` identify a row
    within its project, none where a table's rows have no identity. Rows of one time are in order of
    `tie_column`. Rows that `expire` go with their project's retention.
    """

    name: str
    columns: tuple[str, ...]
    derived: tuple[str, ...]
    time_column: str
    time_ns_column: str
    key_columns: tuple[str, ...]
    bloom_columns: tuple[str, ...]
    tie_column: str = "trace_id"
    expires: bool = True

    @property
    def sort_columns(self) -> tuple[str, ...]:
        """Returns the columns that a segment's rows are sorted by."""
        return (self.time_ns_column, self.tie_column)


SPANS: Final = SegmentTable(
    name="spans",
    columns=tuple(TABLES["spans"].columns),
    derived=("is_root", "end_time", "duration"),
    time_column="start_time",
    time_ns_column="start_ns",
    key_columns=("trace_id", "span_id"),
    bloom_columns=("trace_id", "span_id"),
)

LOGS: Final = SegmentTable(
    name="logs",
    columns=tuple(TABLES["logs"].columns),
    derived=(),
    time_column="time",
    time_ns_column="time_ns",
    key_columns=(),
    bloom_columns=("trace_id", "span_id"),
)

# Revisions of rows: a row keeps its identity across versions, so that none is a repetition of another.
DATASET_ROWS: Final = SegmentTable(
    name="dataset_rows",
    columns=tuple(TABLES["dataset_rows"].columns),
    derived=(),
    time_column="created",
    time_ns_column="created_ns",
    key_columns=(),
    bloom_columns=("id",),
    tie_column="id",
    expires=False,
)

SEGMENT_TABLES: Final = {table.name: table for table in (SPANS, LOGS, DATASET_ROWS)}
