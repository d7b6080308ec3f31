"""EXPLAIN: the logical plan as rows."""

from __future__ import annotations

import pyarrow as pa

from tracestore_query.plan.plan import Plan, Scan


def explain(plan: Plan, profile: str | None) -> pa.Table:
    """Returns a plan as rows of (step, detail), the engine's own profile as the last if there is one."""
    rows: list[tuple[str, str]] = []
    for scan in plan.scans.values():
        rows += _scan(scan)
    rows += [
        ("rebuilt", f"column {each.output + 1}: {'.'.join(each.path)}, for returned rows")
        for each in plan.rebuilt
    ]
    rows += [("warning", warning) for warning in plan.warnings]
    if profile is not None:
        rows.append(("profile", profile))
    return pa.table(
        {
            "step": pa.array([row[0] for row in rows], pa.string()),
            "detail": pa.array([row[1] for row in rows], pa.string()),
        }
    )


def _scan(scan: Scan) -> list[tuple[str, str]]:
    tail = sum(1 for segment in scan.segments if segment.tail_uri is not None)
    leaves = ", ".join(f"{path}:{kind}" for path, kind in scan.leaves)
    columns = [name for name in scan.fixed if not name.startswith("_")]
    rows = [
        ("scan", scan.table),
        ("segments", f"{len(scan.segments)} read, {scan.pruned} pruned, {tail} with a tail"),
        ("memtable", f"{sum(chunk.num_rows for chunk in scan.memtable)} rows"),
        ("columns", ", ".join(columns) or "none"),
        ("leaf columns", leaves or "none"),
    ]
    if scan.cuts:
        end = "last" if scan.ends is not None and scan.ends.last else "first"
        rows.append(("ends", f"the {end} rows by time alone, of {len(scan.cuts)} segments"))
    if "_overflow" in scan.fixed:
        rows.append(("overflow", "read for every row: an object is needed inside the query"))
    return rows
