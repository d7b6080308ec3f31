"""Publishes a store: the tables of Iceberg then list the segments of this moment, as they are.

1. segments are made whole and their files kept        (store.publications.take)
2. each table gets one new snapshot                    crash in between: the next publication does the others
3. old snapshots are forgotten
4. files that no snapshot names any more may go        (store.publications.release)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog
from pyiceberg.io.pyarrow import parquet_files_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from tracestore.iceberg import expiry
from tracestore.iceberg.publisher import KEEP_S, PublishReport
from tracestore.iceberg.tables import PROJECT, add_columns, make_table
from tracestore.iceberg.warehouse import warehouse
from tracestore.store import Publications, PublishedSegment, Store

Owner = tuple[str, str]  # project, table


def publish(store: Store, keep_s: float = KEEP_S) -> PublishReport:
    """Brings the published tables up to all that was acknowledged before. One call at a time in a process; others wait.

    Args:
        store: open for writing.
        keep_s: age in seconds at which a snapshot that is not the newest is forgotten, and its files with it.
    """
    with store.publications.alone():
        return _published(store, keep_s)


def _published(store: Store, keep_s: float) -> PublishReport:
    report = PublishReport()
    segments: dict[Owner, list[PublishedSegment]] = defaultdict(list)
    for segment in store.publications.take():
        segments[segment.project, segment.table].append(segment)
    report.rows = sum(segment.rows for members in segments.values() for segment in members)
    with warehouse(store) as catalog:
        tables = _known(catalog)
        for owner in sorted(tables.keys() | segments.keys()):
            table = tables.get(owner) or make_table(catalog, *owner)
            tables[owner] = table
            _bring_up(table, segments.get(owner, []), store.publications, report)
            expiry.expire(table, keep_s)
        report.tables = len(tables)
        report.deleted_files = store.publications.release(expiry.data_files(tables.values()))
    return report


def _known(catalog: Catalog) -> dict[Owner, Table]:
    """Returns the tables that were published before, also those of projects that are gone."""
    known = {}
    for namespace in catalog.list_namespaces():
        for identifier in catalog.list_tables(namespace):
            table = catalog.load_table(identifier)
            if PROJECT in table.properties:
                known[table.properties[PROJECT], identifier[-1]] = table
    return known


def _bring_up(
    table: Table,
    segments: Sequence[PublishedSegment],
    publications: Publications,
    report: PublishReport,
) -> None:
    """Gives a table one snapshot that names these segments and nothing else; none where it does already."""
    named = _current(table)
    wanted = {segment.location: segment for segment in segments}
    new = [segment for location, segment in wanted.items() if location not in named]
    gone = [file for location, file in named.items() if location not in wanted]
    if not new and not gone:
        return
    with table.transaction() as change:
        add_columns(change, (pq.read_schema(publications.path_of(segment)) for segment in new))
        files = parquet_files_to_data_files(
            io=table.io,
            table_metadata=change.table_metadata,
            file_paths=iter([segment.location for segment in new]),
        )
        snapshots = change.update_snapshot()
        with snapshots.overwrite() if gone else snapshots.merge_append() as snapshot:
            for file in gone:
                snapshot.delete_data_file(file)
            for file in files:
                snapshot.append_data_file(file)
    report.changed += 1
    report.added += len(new)
    report.removed += len(gone)


def _current(table: Table) -> Mapping[str, DataFile]:
    """Returns the files of a table's newest snapshot by location."""
    snapshot = table.current_snapshot()
    if snapshot is None:
        return {}
    found: dict[str, Any] = {}
    for manifest in snapshot.manifests(table.io):
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            found[entry.data_file.file_path] = entry.data_file
    return found
