"""The rows of a scan that are in no segment yet, as one Arrow table."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa

from tracestore.variant import LEAVES, OVERFLOW, TABLES, Shredder, is_item_path
from tracestore_query.plan.item_texts import memory_column
from tracestore_query.plan.scan import Leaf, leaf_column_name
from tracestore_query.plan.scan_plan import ScanPlan
from tracestore_query.plan.wide_rows import columns_of, is_wide


def memory_table(plan: ScanPlan, stored: Sequence[str]) -> pa.Table | None:
    """Returns the memtable's rows with the scan's columns and their numbers as `__row`, None where it has none."""
    if not plan.memtable:
        return None
    chunks: list[pa.Table] = []
    first = 0
    for chunk in plan.memtable:
        columns = _columns(plan, chunk, stored)
        columns["__row"] = pa.array(range(first, first + chunk.num_rows), pa.int64())
        first += chunk.num_rows
        chunks.append(pa.table(columns))
    return pa.concat_tables(chunks)


def _columns(
    plan: ScanPlan, chunk: pa.Table, stored: Sequence[str]
) -> dict[str, pa.ChunkedArray | pa.Array]:
    scan = plan.scan
    names, of_leaves = set(chunk.column_names), set(scan.leaves.values())
    columns: dict[str, pa.ChunkedArray | pa.Array] = {name: chunk.column(name) for name in stored}
    absent = {
        leaf
        for leaf in scan.leaves
        if leaf_column_name(leaf) not in names and not is_item_path(leaf[0])
    }
    spilled = _spilled(chunk, absent, scan.table) if absent else {}
    in_overflow = OVERFLOW in stored and is_wide(chunk)
    if in_overflow:
        columns[OVERFLOW] = _objects(chunk, scan.object_fields)
    for leaf, name in (*scan.leaves.items(), *scan.object_parts.items()):
        arrow_type = LEAVES[leaf[1]].arrow
        if in_overflow and name not in of_leaves:
            columns[name] = pa.nulls(chunk.num_rows, arrow_type)
        elif leaf_column_name(leaf) in names:
            column = chunk.column(leaf_column_name(leaf))
            columns[name] = column if column.type == arrow_type else column.cast(arrow_type)
        elif is_item_path(leaf[0]):
            columns[name] = memory_column(chunk, leaf[0])
        elif leaf in spilled and scan.leaves.get(leaf) == name:
            columns[name] = spilled[leaf]
        else:
            columns[name] = pa.nulls(chunk.num_rows, arrow_type)
    return columns


def _objects(chunk: pa.Table, fields: frozenset[str]) -> pa.ChunkedArray:
    """Returns what `_overflow` would hold if none of the leaves of some fields had earned a column."""
    shredder = Shredder("json", max_leaf_columns=0)
    shredder.append_table(chunk.select([OVERFLOW, *columns_of(chunk.column_names, fields)]))
    return shredder.finish().column(OVERFLOW)


def _spilled(chunk: pa.Table, leaves: Collection[Leaf], table: str) -> dict[Leaf, pa.ChunkedArray]:
    """Returns leaves that an export left in `_overflow`; only a memtable of very many paths has any."""
    overflow = chunk.column(OVERFLOW)
    if overflow.null_count == len(overflow):
        return {}
    shredder = Shredder(table, min_leaf_rows=1, min_leaf_density=0.0, max_leaf_columns=2**31)
    shredder.append_table(chunk.select([*TABLES[table].columns, OVERFLOW]))
    whole = shredder.finish()
    names = set(whole.column_names)
    by_leaf = {leaf: leaf_column_name(leaf) for leaf in leaves}
    return {leaf: whole.column(name) for leaf, name in by_leaf.items() if name in names}
