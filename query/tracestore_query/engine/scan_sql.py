"""Scans as DuckDB text: one `read_parquet` with the schema given, the memtable's batches, and joins with tails.

No footer is opened to bind: the schema comes from the catalog, and a column that a file lacks is NULL.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tracestore.store import SegmentRef
from tracestore.variant import LEAVES, OVERFLOW
from tracestore_query.engine.memory_table import memory_table
from tracestore_query.engine.parquet_sql import (
    carried_type,
    counting_rows,
    fixed_type,
    named_list,
    read_parquet,
    read_with_word_rows,
    rows_between,
    whole_files,
)
from tracestore_query.engine.patched_sql import (
    MAX_BESIDE,
    Beside,
    beside,
    joined,
    patched_leaves,
)
from tracestore_query.engine.predicate_sql import condition_sql
from tracestore_query.engine.tail_sql import tail_rows_alone, with_tail
from tracestore_query.plan.scan import EXACT, Scan, leaf_column_name
from tracestore_query.plan.scan_plan import ScanPlan, TailGroup

_DERIVED: Final = {
    "is_root": "(parent_span_id IS NULL)",
    # Added as microseconds: nanoseconds of a start and a duration that fit may not fit together.
    "end_time": "make_timestamptz(start_ns // 1000 + duration_ns // 1000"
    " + (start_ns % 1000 + duration_ns % 1000) // 1000)",
    "duration": "(duration_ns / 1e9)",
}
_NEEDS: Final = {
    "is_root": ("parent_span_id",),
    "end_time": ("start_ns", "duration_ns"),
    "duration": ("duration_ns",),
}
"""The stored columns that a derived column is made of."""

_ROW_ID: Final = ("filename", "file_row_number")
_MEMORY_ROW_ID: Final = ("''", "__row")
"""The file and the number of each row. One in memory has no file; its number counts over all chunks of the memtable."""


@dataclass(frozen=True, slots=True)
class ScanSql:
    """A scan as a SQL table expression, and the Arrow tables that it names.

    Attributes:
        sql: the text, with a list of one name in the place of each list of `files`.
        tables: the tables by name.
        files: the segments of each list that stands in the text under a name: so the text, and what it costs to
            check it, does not grow with their number.
    """

    sql: str
    tables: dict[str, pa.Table]
    files: Mapping[str, Sequence[SegmentRef]] = field(default_factory=dict)


def scan_sql(plan: ScanPlan) -> ScanSql:
    """Returns the scan as a SQL table expression, with the Arrow tables it refers to."""
    stored = stored_columns(plan)
    if _is_plain(plan):
        files = {_files_name(plan): plan.plain}
        text = whole_files(plan.scan, stored, False, named_list(_files_name(plan)))
        return ScanSql(text, {}, files)
    tables: dict[str, pa.Table] = {}
    whole = _whole(plan)
    parts = _read_plain(plan, whole, stored, tables)
    parts += [
        _read_with_tail(plan, group, stored, tables)
        for group in plan.tailed
        if group.rows is None or group.rows.table.num_rows
    ]
    memory = memory_table(plan, stored)
    if memory is not None:
        name = f"{plan.scan.token}_memory"
        tables[name] = memory
        parts.append(_outer(plan, f'"{name}"', _MEMORY_ROW_ID))
    if not parts:
        parts.append(_empty(plan, stored))
    if plan.newest is not None:
        tables[_newest_name(plan)] = plan.newest
    text = "(" + " UNION ALL ".join(parts) + ")"
    is_named = whole and not plan.scan.item_lists
    return ScanSql(text, tables, {_files_name(plan): whole} if is_named else {})


def newest_rows_sql(source: str) -> str:
    """Returns the SELECT of the times of the rows of datasets that count: of each id the newest, if it is there."""
    return (
        f"SELECT max(created_ns) AS created_ns FROM {source} GROUP BY id "
        "HAVING arg_max(coalesce(deleted, 0), created_ns) = 0"
    )


def _is_plain(plan: ScanPlan) -> bool:
    """Returns whether a scan is files alone, whose columns are read as they are: the engine plans it faster."""
    scan = plan.scan
    other_rows = plan.tailed or plan.memtable or plan.patched or plan.row_ranges or plan.word_rows
    row_ids = scan.needs_row_ids or scan.needs_files
    if not plan.plain or other_rows or scan.object_parts or row_ids:
        return False
    if scan.predicate or plan.newest is not None or scan.item_lists or scan.searches:
        return False
    if any(len(segment.replaced) for segment in plan.plain):
        return False
    return not any(name in _DERIVED for name in scan.fixed_columns)


def _files_name(plan: ScanPlan) -> str:
    return f"{plan.scan.token}_files"


def stored_columns(plan: ScanPlan, without: Collection[str] = ()) -> list[str]:
    """Returns the stored columns that a scan's fixed columns, but some, and its conditions are made of."""
    stored: dict[str, None] = {}
    for name in (name for name in plan.scan.fixed_columns if name not in without):
        stored |= dict.fromkeys(_NEEDS.get(name, (name,)))
    stored |= dict.fromkeys(condition.column for condition in plan.scan.predicate)
    if plan.newest is not None:
        stored["created_ns"] = None
    return list(stored)


def _whole(plan: ScanPlan) -> Sequence[SegmentRef]:
    """Returns the segments that are read whole and as they are."""
    special = plan.patched.keys() | plan.row_ranges.keys() | plan.word_rows.keys()
    return [
        segment
        for segment in plan.plain
        if not len(segment.replaced) and not (special and segment.uri in special)
    ]


def _among(segments: Sequence[SegmentRef], special: Collection[str]) -> list[SegmentRef]:
    """Returns the segments whose files are special: where none is, none of many is asked for its name."""
    return [segment for segment in segments if segment.uri in special] if special else []


def _apart(plan: ScanPlan) -> tuple[list[SegmentRef], list[SegmentRef]]:
    """Returns the segments without patches that have rows that count no more, and those of which a range is read."""
    ranged = _among(plan.plain, plan.row_ranges)
    ranged = [segment for segment in ranged if segment.uri not in plan.patched]
    special = plan.patched.keys() | plan.row_ranges.keys() | plan.word_rows.keys()
    replaced = [segment for segment in plan.plain if len(segment.replaced)]
    return [segment for segment in replaced if segment.uri not in special], ranged


def _read_plain(
    plan: ScanPlan,
    whole: Sequence[SegmentRef],
    stored: Sequence[str],
    tables: dict[str, pa.Table],
) -> list[str]:
    """Returns the reads of segments without tails: whole ones together, parts of others, those with patches."""
    scan = plan.scan
    few = [each for each in _among(plan.plain, plan.word_rows) if each.uri not in plan.found]
    patched = [
        segment for segment in _among(plan.plain, plan.patched) if segment.uri not in plan.word_rows
    ]
    sources = []
    if whole:
        row_ids = scan.needs_row_ids or scan.needs_files
        if scan.item_lists:
            sources.append(f"({read_parquet(scan, whole, stored, row_ids)})")
        else:
            files = named_list(_files_name(plan))
            sources.append(whole_files(scan, stored, row_ids, files))
    marked, ranged = _apart(plan)
    if marked:
        source = f"({read_parquet(scan, marked, stored, row_ids=True)})"
        sources.append(counting_rows(scan, marked, source, tables))
    for segment in ranged:
        rows = rows_between(*plan.row_ranges[segment.uri])
        source = f"({read_parquet(scan, (segment,), stored, row_ids=True)} WHERE {rows})"
        sources.append(counting_rows(scan, (segment,), source, tables))
    if few:
        source = f"({read_with_word_rows(scan, few, stored, plan.word_rows, tables)})"
        sources.append(joined(plan, few, source, _patched_columns(plan, stored), tables))
    names = {leaf: leaf_column_name(leaf) for leaf in (*scan.leaves, *scan.object_parts)}
    for segment in patched[:MAX_BESIDE]:
        columns = beside(plan, segment, stored, names)
        if columns is None:
            sources.append(_read_joined(plan, (segment,), stored, tables))
        else:
            source = _read_beside(plan, segment, stored, columns, tables)
            sources.append(counting_rows(scan, (segment,), source, tables))
    if patched[MAX_BESIDE:]:
        sources.append(_read_joined(plan, patched[MAX_BESIDE:], stored, tables))
    parts = [_outer(plan, source, _ROW_ID) for source in sources]
    if plan.found:
        parts.append(_read_found(plan, tables))
    return parts


def _read_found(plan: ScanPlan, tables: dict[str, pa.Table]) -> str:
    """Returns the rows that surely meet the scan's searches, without the columns that these alone read."""
    scan, searched = plan.scan, frozenset(plan.scan.searched)
    segments = _among(plan.plain, plan.found)
    needed = stored_columns(plan, searched)
    without: dict[str, Any] = {
        name: {leaf: column for leaf, column in columns.items() if column not in searched}
        for name, columns in (("leaves", scan.leaves), ("object_parts", scan.object_parts))
    }
    narrow = replace(scan, item_lists={}, **without)
    columns = (*needed, *narrow.leaves, *narrow.object_parts)
    if columns or scan.needs_row_ids or scan.needs_files:
        # A list that is read beside item columns is taken itself: few rows are read.
        source = f"({read_with_word_rows(narrow, segments, needed, plan.word_rows, tables)})"
    else:
        name = f"{scan.token}_found{len(tables)}"
        rows = np.concatenate([plan.word_rows[segment.uri] for segment in segments])
        tables[name] = pa.table({"file_row_number": rows})
        source = f'"{name}"'
    return _outer(plan, source, _ROW_ID, found=searched)


def _read_joined(
    plan: ScanPlan,
    segments: Sequence[SegmentRef],
    stored: Sequence[str],
    tables: dict[str, pa.Table],
) -> str:
    base = f"({read_parquet(plan.scan, segments, stored, row_ids=True)})"
    base = counting_rows(plan.scan, segments, base, tables)
    return joined(plan, segments, base, _patched_columns(plan, stored), tables)


def _read_beside(
    plan: ScanPlan,
    segment: SegmentRef,
    stored: Sequence[str],
    patched: Beside,
    tables: dict[str, pa.Table],
) -> str:
    """Returns a source of one segment's rows: columns of its file, and patched ones beside them."""
    scan = plan.scan
    columns = {*scan.leaves.values(), *scan.object_parts.values()}
    marked = len(segment.replaced) > 0
    if not patched.columns:
        return f"({read_parquet(scan, (segment,), stored, scan.needs_row_ids or marked)})"
    name = f"{scan.token}_patched{len(tables)}"
    tables[name] = pa.table(patched.columns)
    row_ids = scan.needs_row_ids or marked
    if not stored and not row_ids and columns == patched.columns.keys():
        return f'"{name}"'
    row_ids = row_ids or patched.rows is not None
    base = read_parquet(scan, (segment,), stored, row_ids, patched.columns.keys())
    if patched.rows is not None:
        # The same rows of the file, in their order: the segment is sorted by time.
        base += f" WHERE {rows_between(*patched.rows)}"
    return f'(SELECT * FROM ({base}) POSITIONAL JOIN "{name}")'


def _patched_columns(plan: ScanPlan, stored: Sequence[str]) -> list[tuple[str, str, pa.DataType]]:
    """Returns (column, name in the file, type) of what patches may change in a scan."""
    columns = [
        (column, leaf_column_name(leaf), LEAVES[leaf[1]].arrow)
        for leaf, column in patched_leaves(plan)
    ]
    if OVERFLOW in stored:
        columns.append((OVERFLOW, OVERFLOW, pa.string()))
    return columns


def _read_with_tail(
    plan: ScanPlan, group: TailGroup, stored: Sequence[str], tables: dict[str, pa.Table]
) -> str:
    """Returns the rows of segments with tails; patches are joined last, since they may replace what a tail holds."""
    source = tail_rows_alone(plan.scan, group, stored, tables)
    if source is None:
        source = with_tail(plan.scan, group, stored, plan.word_rows, tables)
        patched = _patched_columns(plan, stored)
        source = joined(plan, group.segments, source, patched, tables)
    source = counting_rows(plan.scan, group.segments, source, tables)
    return _outer(plan, source, _ROW_ID)


def _outer(
    plan: ScanPlan, source: str, row_id: tuple[str, str], found: Collection[str] | None = None
) -> str:
    """Returns the scan's columns over a source of stored columns.

    Args:
        plan: what the scan reads.
        source: the text of the source.
        row_id: the expressions of each row's file and number.
        found: where the rows surely meet the scan's searches, the columns that are NULL for it; else None.
    """
    scan = plan.scan
    null = found or ()
    columns = [
        f'CAST(NULL AS {_type_of(scan, name)}) AS "{name}"' if name in null else _fixed_column(name)
        for name in scan.fixed_columns
    ]
    leaves = (*scan.leaves.items(), *scan.object_parts.items())
    columns += [
        f'CAST(NULL AS {LEAVES[leaf_type].sql}) AS "{column}"' if column in null else f'"{column}"'
        for (_, leaf_type), column in leaves
    ]
    if scan.searches:
        columns.append(f'{found is not None} AS "{EXACT}"')
    if scan.needs_row_ids:
        columns.append(f"{_row_id(scan, row_id)} AS __row_id")
    if scan.needs_files:
        columns.append(f"{row_id[0]} AS __file")
    if not columns:
        columns.append("1 AS __one")
    conditions = [condition_sql(condition) for condition in scan.predicate]
    if plan.newest is not None:
        conditions.append(f'created_ns IN (SELECT created_ns FROM "{_newest_name(plan)}")')
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {', '.join(columns)} FROM {source}{where}"


def _fixed_column(name: str) -> str:
    derived = _DERIVED.get(name)
    return f'"{name}"' if derived is None else f'{derived} AS "{name}"'


def _row_id(scan: Scan, row_id: tuple[str, str]) -> str:
    """Returns the id of a row, with what it carries along: of a row in memory nothing."""
    file, row = row_id
    is_of_file = row_id == _ROW_ID
    carried = [
        f"{field} := {field if is_of_file else f'CAST(NULL AS {carried_type(name)})'}"
        for name, field in scan.carried.items()
    ]
    return f"struct_pack({', '.join([f'file := {file}', f'row := {row}', *carried])})"


def _type_of(scan: Scan, name: str) -> str:
    """Returns the engine's type of a fixed column, derived ones included."""
    derived = {"is_root": "BOOLEAN", "duration": "DOUBLE"}
    return derived.get(name) or fixed_type(scan, name)


def _newest_name(plan: ScanPlan) -> str:
    return f"{plan.scan.token}_newest"


def _empty(plan: ScanPlan, stored: Sequence[str]) -> str:
    scan = plan.scan
    columns = [f'CAST(NULL AS {fixed_type(scan, name)}) AS "{name}"' for name in stored]
    leaves = (*scan.leaves.items(), *scan.object_parts.items())
    columns += [
        f'CAST(NULL AS {LEAVES[leaf_type].sql}) AS "{name}"' for (_, leaf_type), name in leaves
    ]
    columns.append("0::BIGINT AS __row")
    return _outer(plan, f"(SELECT {', '.join(columns)} WHERE false)", _MEMORY_ROW_ID)
