"""Tables that the catalog answers: projects, paths, segments, datasets, experiments."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence

import pyarrow as pa

from tracestore.store import Snapshot, Store
from tracestore_query.tables.names import STORED

_UTC = pa.timestamp("us", tz="UTC")


def catalog_table(name: str, store: Store, projects: Collection[str] | None) -> pa.Table:
    """Returns one catalog table, with the allowed projects only."""
    if name in _EVALS:
        return _EVALS[name](store, projects)
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


def _datasets(store: Store, projects: Collection[str] | None) -> pa.Table:
    found = store.datasets.list(projects)
    newest = [each.versions[-1].created_ns if each.versions else each.created_ns for each in found]
    return pa.table(
        {
            "project": pa.array([each.project for each in found], pa.string()),
            "name": pa.array([each.name for each in found], pa.string()),
            "version": pa.array([each.version for each in found], pa.int64()),
            "versions": pa.array([len(each.versions) for each in found], pa.int64()),
            "rows": pa.array([each.rows for each in found], pa.int64()),
            "snapshots": pa.array(
                [sorted(each.snapshots) for each in found], pa.list_(pa.string())
            ),
            "created": _times([each.created_ns for each in found]),
            "changed": _times(newest),
        }
    )


def _dataset_versions(store: Store, projects: Collection[str] | None) -> pa.Table:
    found = [(each, version) for each in store.datasets.list(projects) for version in each.versions]
    counts = {
        name: pa.array([getattr(version, name) for _, version in found], pa.int64())
        for name in ("version", "rows", "added", "updated", "deleted")
    }
    named = [
        sorted(name for name, number in each.snapshots.items() if number == version.version)
        for each, version in found
    ]
    return pa.table(
        {
            "project": pa.array([each.project for each, _ in found], pa.string()),
            "name": pa.array([each.name for each, _ in found], pa.string()),
            **counts,
            "snapshots": pa.array(named, pa.list_(pa.string())),
            "created": _times([version.created_ns for _, version in found]),
        }
    )


def _experiment_records(store: Store, projects: Collection[str] | None) -> pa.Table:
    found = store.experiments.list(projects)
    texts = {
        name: pa.array([getattr(each, name) for each in found], pa.string())
        for name in ("project", "name", "dataset", "base", "git_commit")
    }
    metadata = [json.dumps(each.metadata) if each.metadata else None for each in found]
    return pa.table(
        {
            **texts,
            "dataset_version": pa.array([each.dataset_version for each in found], pa.int64()),
            "metadata": pa.array(metadata, pa.string()),
            "created": _times([each.created_ns for each in found]),
        }
    )


def _times(nanoseconds: Sequence[int]) -> pa.Array:
    return pa.array([each // 1000 for each in nanoseconds], pa.int64()).cast(_UTC)


_EVALS: dict[str, Callable[[Store, Collection[str] | None], pa.Table]] = {
    "datasets": _datasets,
    "dataset_versions": _dataset_versions,
    "experiment_records": _experiment_records,
}
