"""Scans as Spark SQL: Parquet files read by their own column names, joined with tails, patches and replaced rows.

A row is known by its file's name, which holds a ULID, and its number in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from tracestore.store import SegmentRef
from tracestore.variant import LEAVES, OVERFLOW, TABLES
from tracestore_query.engine.memory_table import memory_table
from tracestore_query.plan.patched_data import field_of
from tracestore_query.plan.scan import Leaf, leaf_column_name
from tracestore_query.plan.scan_plan import ScanPlan, TailGroup
from tracestore_query.spark.names import named, text
from tracestore_query.spark.relations import ID
from tracestore_query.tables.predicate import AtMost, Condition, Equals, IsNull, NoneOf

FILE: Final = "__file"
ROW: Final = "__row"
"""The columns of a read that hold the name of each row's file, and the row's number in it."""

_FIXED: Final = {
    pa.string(): "STRING",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
}
_DERIVED: Final = {
    "is_root": "(parent_span_id IS NULL)",
    # Added as microseconds: nanoseconds of a start and a duration that fit may not fit together.
    "end_time": "timestamp_micros(start_ns DIV 1000 + duration_ns DIV 1000"
    " + (start_ns % 1000 + duration_ns % 1000) DIV 1000)",
    "duration": "(duration_ns / 1e9D)",
}
_NEEDS: Final = {
    "is_root": ("parent_span_id",),
    "end_time": ("start_ns", "duration_ns"),
    "duration": ("duration_ns",),
}
"""The stored columns that a derived column is made of."""

_TAIL_COLUMNS: Final = {
    "path": "STRING",
    "row": "BIGINT",
    "type": "STRING",
    "i64": "BIGINT",
    "f64": "DOUBLE",
    "bool": "BOOLEAN",
    "str": "STRING",
    "bin": "BINARY",
}
_SPARK_OF_SQL: Final = {
    "BIGINT": "BIGINT",
    "DOUBLE": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "VARCHAR": "STRING",
    "BLOB": "BINARY",
}


@dataclass(frozen=True, slots=True)
class FileRead:
    """Files that are read alike.

    Attributes:
        segments: whose files they are.
        of_tails: whether they are the sidecars of the segments' tails.
        columns: the types of the columns to read by their names in the files; a file may lack any.
        of_rows: whether the columns `FILE` and `ROW` are asked for, too.
    """

    segments: tuple[SegmentRef, ...]
    of_tails: bool
    columns: Mapping[str, str]
    of_rows: bool = True


@dataclass(frozen=True, slots=True)
class ScanText:
    """A scan as Spark SQL, and the views that it names.

    Attributes:
        sql: the text of a query.
        reads: files by the view that stands for them.
        tables: rows of the driver by the view that stands for them.
    """

    sql: str
    reads: dict[str, FileRead] = field(default_factory=dict)
    tables: dict[str, pa.Table] = field(default_factory=dict)


def leaf_spark_type(leaf_type: str) -> str:
    """Returns Spark's type of a leaf column."""
    leaf = LEAVES[leaf_type]
    if leaf.item is None:
        return _SPARK_OF_SQL[leaf.sql]
    return f"ARRAY<{_SPARK_OF_SQL[LEAVES[leaf.item].sql]}>"


def scan_text(plan: ScanPlan, *, with_id: bool = False) -> ScanText:
    """Returns the rows of a scan as a query of Spark SQL, `with_id` with a column that tells them apart."""
    return _Text(plan, with_id=with_id).query()


class _Text:
    """The text of one scan while it is written."""

    def __init__(self, plan: ScanPlan, *, with_id: bool) -> None:
        self._plan = plan
        self._with_id = with_id
        self._scan = plan.scan
        self._stored = self._stored_columns()
        self._out = ScanText("")

    def query(self) -> ScanText:
        """Returns the whole."""
        parts = self._plain()
        parts += [self._outer(self._tailed(group)) for group in self._plan.tailed]
        memory = memory_table(self._plan, self._stored)
        if memory is not None:
            parts.append(self._outer(f"SELECT *, '' AS {FILE} FROM {self._table(memory)}"))
        sql = " UNION ALL ".join(f"({part})" for part in parts or [self._outer(self._empty())])
        return ScanText(sql, self._out.reads, self._out.tables)

    def _stored_columns(self) -> list[str]:
        """Returns the stored columns that the scan's fixed columns and conditions are made of."""
        stored: dict[str, None] = {}
        for name in self._scan.fixed_columns:
            stored |= dict.fromkeys(_NEEDS.get(name, (name,)))
        stored |= dict.fromkeys(condition.column for condition in self._scan.predicate)
        if self._plan.newest is not None:
            stored["created_ns"] = None
        return list(stored)

    def _fixed_type(self, name: str) -> str:
        if name == OVERFLOW:
            return "STRING"
        return _FIXED.get(TABLES[self._scan.table].columns[name], "TIMESTAMP")

    def _columns(self) -> dict[str, Leaf]:
        """Returns the leaves of the scan by the names of their columns in the query."""
        both = (*self._scan.leaves.items(), *self._scan.object_parts.items())
        return {name: leaf for leaf, name in both}

    def _plain(self) -> list[str]:
        """Returns the reads of segments whose leaves are columns: as they are, and with what changed late."""
        changed = [each for each in self._plan.plain if self._is_changed(each)]
        whole = [each for each in self._plan.plain if not self._is_changed(each)]
        of_rows = self._with_id or self._scan.needs_row_ids
        parts = [self._outer(self._read(whole, of_rows=of_rows))] if whole else []
        if changed:
            source = self._read(changed, of_rows=True)
            parts.append(self._outer(self._current(changed, source)))
        return parts

    def _is_changed(self, segment: SegmentRef) -> bool:
        return bool(len(segment.replaced)) or segment.uri in self._plan.patched

    def _read(self, segments: Sequence[SegmentRef], *, of_rows: bool) -> str:
        """Returns the stored columns and leaves of segments, `of_rows` with each row's file and number."""
        view = f"{self._scan.token}_files{len(self._out.reads)}"
        columns = {name: self._fixed_type(name) for name in self._stored}
        items = [named(name) for name in self._stored]
        for name, leaf in self._columns().items():
            physical = leaf_column_name(leaf)
            columns[physical] = leaf_spark_type(leaf[1])
            items.append(f"{named(physical)} AS {named(name)}")
        columns = columns or {"project": "STRING"}
        self._out.reads[view] = FileRead(
            tuple(segments), of_tails=False, columns=columns, of_rows=of_rows
        )
        items += [FILE, ROW] if of_rows else []
        return f"SELECT {', '.join(items) or '1 AS __one'} FROM {named(view)}"

    def _current(self, segments: Sequence[SegmentRef], source: str) -> str:
        """Returns rows of segments as patches left them, without those that a later version replaced."""
        source = self._patched(segments, source)
        replaced = [segment for segment in segments if len(segment.replaced)]
        if not replaced:
            return source
        files = [pa.repeat(file_name(each), len(each.replaced)) for each in replaced]
        rows = np.concatenate([each.replaced for each in replaced]).astype(np.int64)
        gone = self._table(pa.table({FILE: pa.concat_arrays(files), ROW: pa.array(rows)}))
        return (
            f"SELECT base.* FROM ({source}) base LEFT ANTI JOIN {gone} gone "
            f"ON gone.{ROW} = base.{ROW} AND gone.{FILE} = base.{FILE}"
        )

    def _patched(self, segments: Sequence[SegmentRef], source: str) -> str:
        fields = self._plan.patched_fields
        columns = {
            name: (leaf_column_name(leaf), LEAVES[leaf[1]].arrow)
            for name, leaf in self._columns().items()
            if field_of(leaf[0]) in fields
        }
        if OVERFLOW in self._stored:
            columns[OVERFLOW] = (OVERFLOW, pa.string())
        patched = [each for each in segments if each.uri in self._plan.patched]
        if not patched or not columns:
            return source
        chunks = [self._overlay(each, columns) for each in patched]
        view = self._table(pa.concat_tables(chunks))
        items = [
            f"IF(patched.__is, patched.{named(name)}, base.{named(name)}) AS {named(name)}"
            if name in columns
            else f"base.{named(name)}"
            for name in (*self._stored, *self._columns(), FILE, ROW)
        ]
        return (
            f"SELECT {', '.join(items)} FROM ({source}) base LEFT JOIN {view} patched "
            f"ON patched.{ROW} = base.{ROW} AND patched.{FILE} = base.{FILE}"
        )

    def _overlay(
        self, segment: SegmentRef, columns: Mapping[str, tuple[str, pa.DataType]]
    ) -> pa.Table:
        overlay = self._plan.patched[segment.uri].overlay
        count = len(overlay.rows)
        arrays: dict[str, pa.Array | pa.ChunkedArray] = {
            FILE: pa.repeat(file_name(segment), count),
            ROW: pa.array(overlay.rows.astype(np.int64)),
            "__is": pa.repeat(True, count),
        }
        for name, (physical, kind) in columns.items():
            held = physical in overlay.table.schema.names
            arrays[name] = (
                overlay.table.column(physical).cast(kind) if held else pa.nulls(count, kind)
            )
        return pa.table(arrays)

    def _tailed(self, group: TailGroup) -> str:
        """Returns the rows of segments with the leaves that their tails hold."""
        view = f"{self._scan.token}_files{len(self._out.reads)}"
        self._out.reads[view] = FileRead(group.segments, of_tails=True, columns=_TAIL_COLUMNS)
        names = {self._scan.leaves[leaf]: leaf for leaf in group.leaves}
        values = ", ".join(
            f"any_value(IF(path = {text(path)} AND type = {text(kind)}, {_tail_value(kind)}, NULL), true) "
            f"AS {named(name)}"
            for name, (path, kind) in names.items()
        )
        paths = ", ".join(text(path) for path in dict.fromkeys(path for path, _ in group.leaves))
        tail = (
            f"SELECT concat(substring_index({FILE}, '.', 1), '.parquet') AS {FILE}, row AS {ROW}, {values} "
            f"FROM {named(view)} WHERE path IN ({paths}) GROUP BY {FILE}, row"
        )
        items = [
            f"tail.{named(name)}" if name in names else f"base.{named(name)}"
            for name in (*self._stored, *self._columns())
        ]
        base = self._read(group.segments, of_rows=True)
        # A row that must have the path is found by its tail.
        kind = "INNER" if len(names) == 1 and group.non_null_paths else "LEFT"
        rows = (
            f"SELECT {', '.join([*items, f'base.{FILE}', f'base.{ROW}'])} FROM ({base}) base "
            f"{kind} JOIN ({tail}) tail ON tail.{ROW} = base.{ROW} AND tail.{FILE} = base.{FILE}"
        )
        return self._current(group.segments, rows)

    def _outer(self, source: str) -> str:
        """Returns the scan's columns over a source of stored columns."""
        scan = self._scan
        items = [
            f"{_DERIVED.get(name, named(name))} AS {named(name)}" for name in scan.fixed_columns
        ]
        items += [named(name) for name in self._columns()]
        if scan.needs_row_ids:
            items.append(f"named_struct('file', {FILE}, 'row', {ROW}) AS __row_id")
        if self._with_id:
            items.append(f"concat({FILE}, ':', {ROW}) AS {ID}")
        conditions = [_condition(each) for each in scan.predicate]
        if self._plan.newest is not None:
            newest = self._table(self._plan.newest)
            conditions.append(f"created_ns IN (SELECT created_ns FROM {newest})")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {', '.join(items) or '1 AS __one'} FROM ({source}) rows{where}"

    def _empty(self) -> str:
        items = [
            f"CAST(NULL AS {self._fixed_type(name)}) AS {named(name)}" for name in self._stored
        ]
        items += [
            f"CAST(NULL AS {leaf_spark_type(leaf[1])}) AS {named(name)}"
            for name, leaf in self._columns().items()
        ]
        return f"SELECT {', '.join([*items, f'CAST(NULL AS STRING) AS {FILE}', f'0L AS {ROW}'])} WHERE false"

    def _table(self, rows: pa.Table) -> str:
        view = f"{self._scan.token}_rows{len(self._out.tables)}"
        self._out.tables[view] = rows
        return named(view)


def file_name(segment: SegmentRef) -> str:
    """Returns the name of a segment's file without its folder."""
    return segment.row.file_key.rpartition("/")[2]


def _tail_value(leaf_type: str) -> str:
    """Returns a tail row's value in the type of its leaf; lists are JSON text there."""
    leaf = LEAVES[leaf_type]
    if leaf.item is None:
        return leaf.tail_column
    if leaf.item == "json":
        items = f"CAST(parse_json({leaf.tail_column}) AS ARRAY<VARIANT>)"
        return f"transform({items}, x -> to_json(x))"
    return f"from_json({leaf.tail_column}, {text(leaf_spark_type(leaf_type))})"


def _condition(condition: Condition) -> str:
    match condition:
        case Equals(name, value):
            return f"{name} = {text(value)}"
        case IsNull(name):
            return f"{name} IS NULL"
        case AtMost(name, bound):
            return f"{name} <= {bound}"
        case NoneOf(name, values):
            return f"{name} NOT IN ({', '.join(map(str, values))})"
