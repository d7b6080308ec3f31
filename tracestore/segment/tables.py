"""What a segment stores of each table: which fixed columns, and how rows are sorted and found.

The columns themselves are `tracestore.variant.TABLES`; this adds what only storage needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tracestore.variant import TABLES, TableSpec


@dataclass(frozen=True, slots=True)
class SegmentTable:
    """One table as segments store it.

    Attributes:
        spec: its columns; `derived` ones follow from the others and are not stored.
        time_column, time_ns_column: the column that rows are sorted and pruned by, and the same in nanoseconds.
        id_columns: those that are drawn at random where a row given as JSON has none.
        key_columns: identify a row within its project; none where a table's rows have no identity.
        bloom_columns: those with a bloom filter.
        tie_column: orders rows of one time.
        expires: whether rows go with their project's retention.
        is_searched: whether its words are indexed.
    """

    spec: TableSpec
    time_column: str
    time_ns_column: str
    id_columns: tuple[str, ...]
    key_columns: tuple[str, ...]
    bloom_columns: tuple[str, ...]
    tie_column: str
    expires: bool
    is_searched: bool

    @property
    def name(self) -> str:
        """Returns the table's name."""
        return self.spec.name

    @property
    def columns(self) -> tuple[str, ...]:
        """Returns the fixed columns, derived ones included, in order."""
        return tuple(self.spec.columns)

    @property
    def derived(self) -> tuple[str, ...]:
        """Returns the columns that follow from others and are not stored."""
        return self.spec.derived

    @property
    def sort_columns(self) -> tuple[str, ...]:
        """Returns the columns that a segment's rows are sorted by."""
        return (self.time_ns_column, self.tie_column)


def _table(
    name: str,
    *,
    id_columns: tuple[str, ...] = (),
    key_columns: tuple[str, ...] = (),
    bloom_columns: tuple[str, ...] = ("trace_id", "span_id"),
    tie_column: str = "trace_id",
    expires: bool = True,
    is_searched: bool = True,
) -> SegmentTable:
    spec = TABLES[name]
    if spec.time_column is None or spec.time_ns_column is None:
        raise AssertionError(f"BUG: rows of table {name!r} have no time to be sorted by")
    return SegmentTable(
        spec,
        spec.time_column,
        spec.time_ns_column,
        id_columns,
        key_columns,
        bloom_columns,
        tie_column,
        expires,
        is_searched,
    )


SEGMENT_TABLES: Final = {
    table.name: table
    for table in (
        # A client's span and the server's that answers it may share their ids: they are two rows.
        _table(
            "spans",
            id_columns=("trace_id", "span_id"),
            key_columns=("trace_id", "span_id", "kind"),
        ),
        _table("logs"),
        # Revisions of rows: a row keeps its identity across versions, so that none is a repetition of another.
        _table(
            "dataset_rows",
            bloom_columns=("id",),
            tie_column="id",
            expires=False,
            is_searched=False,
        ),
    )
}
