"""EXPLAIN: the logical plan as rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from tracestore.variant import OVERFLOW
from tracestore_query.plan.plan import Plan
from tracestore_query.plan.scan_plan import ScanPlan


def explain(plan: Plan, engine_steps: Sequence[tuple[str, str]] = ()) -> pa.Table:
    """Returns a plan as rows of (step, detail), with what the engine tells as the last."""
    rows: list[tuple[str, str]] = []
    for scan_plan in plan.scans.values():
        rows += _scan(scan_plan)
    rows += [
        ("rebuilt", f"column {column.output + 1}: {'.'.join(column.path)}, for returned rows")
        for column in plan.query.rebuilt
    ]
    rows += [("warning", warning) for warning in plan.query.warnings]
    rows += engine_steps
    return pa.table(
        {
            "step": pa.array([step for step, _ in rows], pa.string()),
            "detail": pa.array([detail for _, detail in rows], pa.string()),
        }
    )


def shown_sql(plan: Plan, sql: str) -> str:
    """Returns the engine's SQL of a plan as EXPLAIN shows it: files by their names, without their folders."""
    for scan_plan in plan.scans.values():
        for segment in scan_plan.segments:
            for uri in (segment.uri, segment.tail_uri):
                if uri is not None:
                    sql = sql.replace(uri.replace("'", "''"), Path(uri).name)
    return sql


def _words(plan: ScanPlan) -> str:
    """Returns what the words sidecars left out."""
    words = ", ".join(plan.scan.words)
    wanted = sum(len(rows) for rows in plan.word_rows.values())
    rows = sum(segment.rows for segment in plan.segments if segment.uri in plan.word_rows)
    told = (
        f"{words}: {plan.without_words} segments without them left out, {wanted} of {rows} rows read of "
        f"{len(plan.word_rows)} segments, {len(plan.segments) - len(plan.word_rows)} read whole"
    )
    if plan.found:
        found = sum(len(plan.word_rows[file]) for file in plan.found)
        told += f"; {found} rows of {len(plan.found)} segments are known to match, and not looked through"
    return told


def _scan(plan: ScanPlan) -> list[tuple[str, str]]:
    scan, segments = plan.scan, plan.segments
    tails = sum(1 for segment in segments if segment.tail_uri is not None)
    leaves = ", ".join(f"{path}:{leaf_type}" for path, leaf_type in scan.leaves)
    columns = [name for name in scan.fixed_columns if not name.startswith("_")]
    rows = [
        ("scan", scan.table),
        ("segments", f"{len(segments)} read, {plan.pruned} pruned, {tails} with a tail"),
        ("memtable", f"{sum(chunk.num_rows for chunk in plan.memtable)} rows"),
        ("columns", ", ".join(columns) or "none"),
        ("leaf columns", leaves or "none"),
    ]
    if plan.kept:
        kept_rows = sum(segment.rows for segment in plan.kept)
        rows.append(("kept groups", f"{len(plan.kept)} segments of {kept_rows} rows are not read"))
    if plan.row_ranges:
        end = "last" if scan.top_n is not None and scan.top_n.last else "first"
        rows.append(("ends", f"the {end} rows by time alone, of {len(plan.row_ranges)} segments"))
    if plan.without_traces:
        rows.append(("traces", f"{plan.without_traces} segments without them left out"))
    if scan.words:
        rows.append(("words", _words(plan)))
    if OVERFLOW in scan.fixed_columns:
        rows.append(("overflow", "read for every row: an object is needed inside the query"))
    return rows
