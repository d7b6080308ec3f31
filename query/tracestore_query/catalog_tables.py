"""Tables that the catalog answers: projects, paths, segments."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from tracestore.store import Snapshot, Store
from tracestore_query.tables import STORED

_UTC = pa.timestamp("us", tz="UTC")


def catalog_table(name: str, store: Store, projects: Collection[str] | None) -> pa.Table:
    """Returns one catalog table, with the allowed projects only."""
    with store.snapshot(tuple(STORED), projects) as snapshot:
        if name == "projects":
            return _projects(store, snapshot, projects)
        if name == "segments":
            return _segments(snapshot)
        return _paths(store, snapshot, projects)


def _projects(store: Store, snapshot: Snapshot, projects: Collection[str] | None) -> pa.Table:
    known = dict(store.projects())
    for table in snapshot.tables.values():
        for segment in table.segments:
            known.setdefault(segment.project, None)
    names = sorted(name for name in known if projects is None or name in projects)
    return pa.table(
        {
            "name": pa.array(names, pa.string()),
            "retention_days": pa.array([known[name] for name in names], pa.int64()),
        }
    )


def _segments(snapshot: Snapshot) -> pa.Table:
    segments = [segment for table in snapshot.tables.values() for segment in table.segments]
    return pa.table(
        {
            "segment_id": pa.array([each.segment_id for each in segments], pa.string()),
            "table": pa.array([each.table for each in segments], pa.string()),
            "project": pa.array([each.project for each in segments], pa.string()),
            "rows": pa.array([each.rows for each in segments], pa.int64()),
            "bytes": pa.array([each.bytes for each in segments], pa.int64()),
            "min_time": pa.array([each.min_time_ns // 1000 for each in segments], pa.int64()).cast(
                _UTC
            ),
            "max_time": pa.array([each.max_time_ns // 1000 for each in segments], pa.int64()).cast(
                _UTC
            ),
        }
    )


def _paths(store: Store, snapshot: Snapshot, projects: Collection[str] | None) -> pa.Table:
    """Returns every path and type with its rows; those in memory only have no times yet."""
    known = [name for name in store.projects() if projects is None or name in projects]
    seen = {
        (table, row.path, row.type): (row.first_seen_ns, row.last_seen_ns)
        for table in STORED
        for project in known
        for row in store.paths(table, project)
    }
    rows = [
        (name, path, leaf_type, count, *seen.get((name, path, leaf_type), (None, None)))
        for name, table in snapshot.tables.items()
        for path, types in table.leaf_types.items()
        for leaf_type, count in types.items()
    ]
    rows.sort(key=lambda row: row[:3])
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), (), (), ()]
    times = [
        pa.array([None if ns is None else ns // 1000 for ns in column], pa.int64()).cast(_UTC)
        for column in columns[4:]
    ]
    return pa.table(
        {
            "table": pa.array(columns[0], pa.string()),
            "path": pa.array(columns[1], pa.string()),
            "type": pa.array(columns[2], pa.string()),
            "rows": pa.array(columns[3], pa.int64()),
            "first_seen": times[0],
            "last_seen": times[1],
        }
    )
