"""Tables that the catalog answers: projects, paths, segments, datasets, experiments; and what queries asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import pyarrow as pa
from sqlglot import exp

from tracestore.store import NO_PATHS, Snapshot, Store
from tracestore_query.language.dialect import parse
from tracestore_query.language.looking_around import CATALOG_NAMES
from tracestore_query.tables.names import HIDDEN, NAMED, STORED
from tracestore_query.tables.views import VIEWS

_UTC = pa.timestamp("us", tz="UTC")


Projects = Collection[str] | None
"""The projects that a query may see, None for all."""


def catalog_table(name: str, store: Store, projects: Projects) -> tuple[pa.Table, tuple[str, ...]]:
    """Returns one catalog table, with the allowed projects only, and what it may lack, in words."""
    if name not in _OF_ROWS:
        return _OF_CATALOG[name](store, projects), ()
    with store.snapshot(tuple(STORED), projects, reads=NO_PATHS) as snapshot:
        return _OF_ROWS[name](store, projects, snapshot), snapshot.missing


def _projects(store: Store, projects: Projects, snapshot: Snapshot) -> pa.Table:
    known = dict(store.projects())
    for table in snapshot.tables.values():
        for segment in table.segments:
            known.setdefault(segment.project, None)
        for project in table.memory_projects:
            known.setdefault(project, None)
    names = sorted(name for name in known if projects is None or name in projects)
    cluster_by = store.cluster_by()
    return pa.table(
        {
            "name": pa.array(names, pa.string()),
            "retention_days": pa.array([known[name] for name in names], pa.int64()),
            "cluster_by": pa.array(
                [list(cluster_by.get(name, ())) for name in names], pa.list_(pa.string())
            ),
        }
    )


def _segments(_store: Store, _projects: Projects, snapshot: Snapshot) -> pa.Table:
    segments = [segment for table in snapshot.tables.values() for segment in table.segments]
    return pa.table(
        {
            "segment_id": pa.array([segment.segment_id for segment in segments], pa.string()),
            "table": pa.array([segment.table for segment in segments], pa.string()),
            "project": pa.array([segment.project for segment in segments], pa.string()),
            "rows": pa.array([segment.rows for segment in segments], pa.int64()),
            "bytes": pa.array([segment.bytes for segment in segments], pa.int64()),
            "min_time": _times([segment.min_time_ns for segment in segments]),
            "max_time": _times([segment.max_time_ns for segment in segments]),
        }
    )


def _paths(store: Store, projects: Projects, snapshot: Snapshot) -> pa.Table:
    """Returns every path and type with its rows; those in memory only have no times yet."""
    counts = [
        (name, path, leaf_type, rows)
        for name, table in snapshot.tables.items()
        for path, types in table.leaf_types.items()
        for leaf_type, rows in types.items()
    ]
    counts.sort()
    allowed = [name for name in store.projects() if projects is None or name in projects]
    seen_ns = {
        (table, row.path, row.type): (row.first_seen_ns, row.last_seen_ns)
        for table in STORED
        for project in allowed
        for row in store.paths(table, project)
    }
    times = [seen_ns.get(count[:3], (None, None)) for count in counts]
    return pa.table(
        {
            "table": pa.array([count[0] for count in counts], pa.string()),
            "path": pa.array([count[1] for count in counts], pa.string()),
            "type": pa.array([count[2] for count in counts], pa.string()),
            "rows": pa.array([count[3] for count in counts], pa.int64()),
            "first_seen": _times([first for first, _ in times]),
            "last_seen": _times([last for _, last in times]),
        }
    )


def _datasets(store: Store, projects: Projects) -> pa.Table:
    datasets = store.datasets.list(projects)
    newest = [
        dataset.versions[-1].created_ns if dataset.versions else dataset.created_ns
        for dataset in datasets
    ]
    return pa.table(
        {
            "project": pa.array([dataset.project for dataset in datasets], pa.string()),
            "name": pa.array([dataset.name for dataset in datasets], pa.string()),
            "version": pa.array([dataset.version for dataset in datasets], pa.int64()),
            "versions": pa.array([len(dataset.versions) for dataset in datasets], pa.int64()),
            "rows": pa.array([dataset.rows for dataset in datasets], pa.int64()),
            "snapshots": pa.array(
                [sorted(dataset.snapshots) for dataset in datasets], pa.list_(pa.string())
            ),
            "created": _times([dataset.created_ns for dataset in datasets]),
            "changed": _times(newest),
        }
    )


def _dataset_versions(store: Store, projects: Projects) -> pa.Table:
    versions = [
        (dataset, version)
        for dataset in store.datasets.list(projects)
        for version in dataset.versions
    ]
    counts = {
        name: pa.array([getattr(version, name) for _, version in versions], pa.int64())
        for name in ("version", "rows", "added", "updated", "deleted")
    }
    named = [
        sorted(name for name, number in dataset.snapshots.items() if number == version.version)
        for dataset, version in versions
    ]
    return pa.table(
        {
            "project": pa.array([dataset.project for dataset, _ in versions], pa.string()),
            "name": pa.array([dataset.name for dataset, _ in versions], pa.string()),
            **counts,
            "snapshots": pa.array(named, pa.list_(pa.string())),
            "created": _times([version.created_ns for _, version in versions]),
        }
    )


def _experiment_records(store: Store, projects: Projects) -> pa.Table:
    records = store.experiments.list(projects)
    texts = {
        name: pa.array([getattr(record, name) for record in records], pa.string())
        for name in ("project", "name", "dataset", "base", "git_commit")
    }
    metadata = [json.dumps(record.metadata) if record.metadata else None for record in records]
    return pa.table(
        {
            **texts,
            "dataset_version": pa.array([record.dataset_version for record in records], pa.int64()),
            "metadata": pa.array(metadata, pa.string()),
            "created": _times([record.created_ns for record in records]),
        }
    )


def _asked_columns(store: Store, projects: Projects) -> pa.Table:
    """Returns the columns that queries compared; those of queries over every project only to who may see all."""
    asked = [each for each in store.asked_columns() if projects is None or each.project in projects]
    return pa.table(
        {
            "project": pa.array([each.project for each in asked], pa.string()),
            "table": pa.array([each.table for each in asked], pa.string()),
            "column": pa.array([each.column for each in asked], pa.string()),
            "queries": pa.array([each.queries for each in asked], pa.int64()),
            "share": pa.array([each.share for each in asked], pa.float64()),
        }
    )


def _times(nanoseconds: Sequence[int | None]) -> pa.Array:
    """Returns times as the engine has them: microseconds, in UTC."""
    microseconds = [None if time is None else time // 1000 for time in nanoseconds]
    return pa.array(microseconds, pa.int64()).cast(_UTC)


def _tables(_store: Store, _projects: Projects) -> pa.Table:
    names = sorted({*NAMED, *VIEWS, *(name for name in CATALOG if name not in _UNLISTED)})
    return pa.table(
        {
            "table_name": pa.array(names, pa.string()),
            "table_type": pa.array(
                ["VIEW" if name in VIEWS else "BASE TABLE" for name in names], pa.string()
            ),
        }
    )


def _columns(store: Store, projects: Projects) -> pa.Table:
    """Returns the columns of the tables; those of a view have types that depend on the data, NULL here."""
    rows: list[tuple[str, str, int, str | None]] = []
    for table in _tables(store, projects)["table_name"].to_pylist():
        for place, (name, sql_type) in enumerate(_columns_of(table, store, projects), 1):
            rows.append((table, name, place, sql_type))
    names, columns, places, types = zip(*rows, strict=True)
    return pa.table(
        {
            "table_name": pa.array(names, pa.string()),
            "column_name": pa.array(columns, pa.string()),
            "ordinal_position": pa.array(places, pa.int64()),
            "data_type": pa.array(types, pa.string()),
        }
    )


def _columns_of(table: str, store: Store, projects: Projects) -> list[tuple[str, str | None]]:
    if table in VIEWS:
        view = parse(VIEWS[table])
        assert isinstance(view, exp.Query)
        return [(name, None) for name in view.named_selects]
    if table in STORED:
        spec, hidden = STORED[table], HIDDEN.get(table, ())
        fixed = [(name, sql_type_of(spec.columns[name])) for name in spec.columns]
        return [
            each
            for each in (*fixed, *((v, "JSON") for v in spec.variants))
            if each[0] not in hidden
        ]
    rows, _ = catalog_table(table, store, projects)
    return [(field.name, sql_type_of(field.type)) for field in rows.schema]


def sql_type_of(arrow_type: pa.DataType) -> str:
    """Returns the engine's type of a column of a table of ours."""
    return _SQL_TYPES.get(str(arrow_type), "TIMESTAMP WITH TIME ZONE")


_SQL_TYPES: Final = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "list<item: string>": "VARCHAR[]",
}
_UNLISTED: Final = frozenset({"experiment_records", *CATALOG_NAMES.values()})
"""Tables that have no name for users, or one in a schema."""

_OF_ROWS: Final[Mapping[str, Callable[[Store, Projects, Snapshot], pa.Table]]] = {
    "paths": _paths,
    "projects": _projects,
    "segments": _segments,
}
"""The tables that tell of stored rows, by name."""

_OF_CATALOG: Final[Mapping[str, Callable[[Store, Projects], pa.Table]]] = {
    "asked_columns": _asked_columns,
    "dataset_versions": _dataset_versions,
    "datasets": _datasets,
    "experiment_records": _experiment_records,
    CATALOG_NAMES["tables"]: _tables,
    CATALOG_NAMES["columns"]: _columns,
}
"""The others by name."""

CATALOG: Final = frozenset([*_OF_ROWS, *_OF_CATALOG])
"""The names of all of them."""
