"""The tables a shredder fills: their fixed columns, variants and time column.

Fixed columns have declared names and types; everything else of a row is a variant and becomes leaf columns.
The native kernels know the stored columns by position (`_native/tables.pxd`); a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

OVERFLOW: Final = "_overflow"
"""The column of what has no leaf column in a row: a JSON object."""

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")

_ARROW_OF_KIND: Final = {"i64": pa.int64(), "str": pa.string()}


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table as the shredder gives it.

    Attributes:
        name: the table's name.
        stored: (name, kind) of the columns a builder holds, in the kernels' order; kind is `i64` or `str`.
        columns: every fixed column of a finished table and its Arrow type, in order.
        derived: columns that follow from others; segments leave them out.
        variants: names of the variant columns, in the kernels' order.
        computed: columns a row of JSON may give instead of the stored ones they follow from.
        time_column: the column rows are sorted and pruned by, None for free rows.
        time_ns_column: the same time in whole nanoseconds since 1970.
    """

    name: str
    stored: tuple[tuple[str, str], ...]
    columns: dict[str, pa.DataType]
    derived: tuple[str, ...]
    variants: tuple[str, ...]
    computed: tuple[str, ...]
    time_column: str | None
    time_ns_column: str | None


_SPAN_STORED: Final = (
    ("project", "str"),
    ("experiment", "str"),
    ("trace_id", "str"),
    ("span_id", "str"),
    ("parent_span_id", "str"),
    ("name", "str"),
    ("kind", "str"),
    ("type", "str"),
    ("service", "str"),
    ("start_ns", "i64"),
    ("duration_ns", "i64"),
    ("status_code", "str"),
    ("status_message", "str"),
    ("scope_name", "str"),
    ("scope_version", "str"),
    ("trace_state", "str"),
    ("flags", "i64"),
    ("dropped_attributes_count", "i64"),
    ("dropped_events_count", "i64"),
    ("dropped_links_count", "i64"),
    ("resource_schema_url", "str"),
    ("scope_schema_url", "str"),
    ("resource_dropped_attributes_count", "i64"),
    ("scope_dropped_attributes_count", "i64"),
    ("input_key", "i64"),
    ("moved_attributes", "str"),
)

_LOG_STORED: Final = (
    ("project", "str"),
    ("experiment", "str"),
    ("trace_id", "str"),
    ("span_id", "str"),
    ("time_ns", "i64"),
    ("observed_time_ns", "i64"),
    ("severity_number", "i64"),
    ("severity_text", "str"),
    ("event_name", "str"),
    ("service", "str"),
    ("scope_name", "str"),
    ("scope_version", "str"),
    ("flags", "i64"),
    ("dropped_attributes_count", "i64"),
    ("resource_schema_url", "str"),
    ("scope_schema_url", "str"),
    ("resource_dropped_attributes_count", "i64"),
    ("scope_dropped_attributes_count", "i64"),
)


_DATASET_STORED: Final = (
    ("project", "str"),
    ("dataset_id", "str"),
    ("id", "str"),
    ("version", "i64"),
    ("created_ns", "i64"),
    ("deleted", "i64"),
    ("digest", "i64"),
    ("input_key", "i64"),
)


def _columns(
    stored: tuple[tuple[str, str], ...], after: dict[str, tuple[tuple[str, pa.DataType], ...]]
) -> dict[str, pa.DataType]:
    """Returns every column in order: each stored one, with the derived ones that stand before it."""
    columns: dict[str, pa.DataType] = {}
    for name, kind in stored:
        columns.update(after.get(name, ()))
        columns[name] = _ARROW_OF_KIND[kind]
    return columns


SPANS: Final = TableSpec(
    name="spans",
    stored=_SPAN_STORED,
    columns=_columns(
        _SPAN_STORED,
        {
            "name": (("is_root", pa.bool_()),),
            "start_ns": (("start_time", TIMESTAMP), ("end_time", TIMESTAMP)),
            "status_code": (("duration", pa.float64()),),
        },
    ),
    derived=("is_root", "end_time", "duration"),
    variants=(
        "attributes",
        "resource",
        "scope",
        "events",
        "links",
        "input",
        "output",
        "expected",
        "scores",
        "metrics",
        "metadata",
        "tags",
        "error",
    ),
    computed=("start_time", "end_time", "duration", "is_root"),
    time_column="start_time",
    time_ns_column="start_ns",
)

LOGS: Final = TableSpec(
    name="logs",
    stored=_LOG_STORED,
    columns=_columns(_LOG_STORED, {"time_ns": (("time", TIMESTAMP),)}),
    derived=(),
    variants=("attributes", "resource", "scope", "body"),
    computed=("time",),
    time_column="time",
    time_ns_column="time_ns",
)

DATASET_ROWS: Final = TableSpec(
    name="dataset_rows",
    stored=_DATASET_STORED,
    columns=_columns(_DATASET_STORED, {"created_ns": (("created", TIMESTAMP),)}),
    derived=(),
    variants=("input", "expected", "metadata", "tags", "origin"),
    computed=(),
    time_column="created",
    time_ns_column="created_ns",
)

JSON: Final = TableSpec(
    name="json",
    stored=(),
    columns={},
    derived=(),
    variants=(),
    computed=(),
    time_column=None,
    time_ns_column=None,
)

TABLES: Final[dict[str, TableSpec]] = {
    spec.name: spec for spec in (SPANS, LOGS, DATASET_ROWS, JSON)
}
