"""Rows that are looked up before a query runs, so that it reads no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from tracestore.bounded_cache import BoundedCache
from tracestore.variant import LEAVES
from tracestore_query.engine.scan_sql import newest_rows_sql, scan_sql, stored_columns
from tracestore_query.engine.tail_sql import path_alone, tail_rows_sql
from tracestore_query.execute.execution import Execution
from tracestore_query.plan.scan import Leaf, Scan
from tracestore_query.plan.scan_plan import ScanPlan, TailGroup, TailRows

MAX_TAIL_ROWS: Final = 2000
MAX_TAIL_SEGMENTS: Final = 100
"""Rows of a tail path that are looked up, and segments to look in: more are better joined."""

MAX_ROWS_ALONE: Final = 50_000
"""Rows that are looked up where those of the segments are not read, and each has a number or a flag: 1.5 MB of them."""

KEPT_BYTES: Final = 16 * 1024 * 1024
"""Bytes of rows of tails that are kept for other texts."""

_Key = tuple[tuple[str, ...], str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a path in the tails of some segments.

    Attributes:
        table: the rows, None where there are more of them.
        most: how many rows were asked for at most.
    """

    table: pa.Table | None
    most: int

    @property
    def bytes(self) -> int:
        """Returns what they take, with their key."""
        return 1024 + (0 if self.table is None else int(self.table.nbytes))


class TailLookup:
    """The rows of rare paths in the tails of segments. They are looked up once for all texts. Thread-safe."""

    def __init__(self) -> None:
        # By segments, which never change, path and leaf types.
        self._kept: BoundedCache[_Key, _Rows] = BoundedCache(KEPT_BYTES, lambda rows: rows.bytes)

    def narrowed(self, plan: ScanPlan, execution: Execution) -> ScanPlan:
        """Returns a scan's plan with the rows of a path that every matching row has in its tail, where they are few."""
        if not any(group.non_null_paths for group in plan.tailed):
            return plan
        groups = tuple(self._with_rows(plan, group, execution) for group in plan.tailed)
        return replace(plan, tailed=groups)

    def _with_rows(self, plan: ScanPlan, group: TailGroup, execution: Execution) -> TailGroup:
        if not group.non_null_paths or len(group.segments) > MAX_TAIL_SEGMENTS:
            return group
        path = min(group.non_null_paths)
        leaves = [leaf for leaf in group.leaves if leaf[0] == path]
        most = _most_rows(plan, group, leaves)
        key = (
            tuple(segment.segment_id for segment in group.segments),
            path,
            tuple(leaf_type for _, leaf_type in leaves),
        )
        rows = self._kept.get(key)
        if rows is None or (rows.table is None and rows.most < most):
            text = tail_rows_sql(plan.scan, group, path, most + 1)
            table = execution.fetch(text, {}, plan)
            rows = _Rows(_compact(table) if table.num_rows <= most else None, most)
            self._kept.put(key, rows)
        if rows.table is None or rows.table.num_rows > most:
            return group
        names = ["file", "row", *(plan.scan.leaves[leaf] for leaf in leaves)]
        return replace(group, rows=TailRows(path, rows.table.rename_columns(names)))


def _compact(table: pa.Table) -> pa.Table:
    """Returns rows with the name of each file once."""
    files = table["file"].combine_chunks().dictionary_encode()
    return table.set_column(0, "file", files)


def _most_rows(plan: ScanPlan, group: TailGroup, leaves: Sequence[Leaf]) -> int:
    """Returns how many rows of a path are looked up at most."""
    is_alone = path_alone(plan.scan, group, stored_columns(plan)) is not None
    is_narrow = all(LEAVES[leaf_type].kind in {"number", "bool"} for _, leaf_type in leaves)
    return MAX_ROWS_ALONE if is_alone and is_narrow else MAX_TAIL_ROWS


def ids_scan(scan: Scan) -> Scan:
    """Returns the scan of the ids of a dataset's rows, and when each was written."""
    return Scan(
        f"{scan.token}_ids",
        scan.table,
        fixed_columns=("id", "created_ns", "deleted"),
        predicate=scan.predicate,
        time_range=scan.time_range,
    )


def with_newest_rows(plan: ScanPlan, ids: ScanPlan, execution: Execution) -> ScanPlan:
    """Returns a scan's plan narrowed to the newest row of each id: times never repeat within a dataset.

    Args:
        plan: what the scan reads.
        ids: what its `ids_scan` reads.
        execution: runs the look-up.
    """
    source = scan_sql(ids)
    sql = newest_rows_sql(source.sql)
    return replace(plan, newest=execution.fetch(sql, source.tables, ids, source.files))
