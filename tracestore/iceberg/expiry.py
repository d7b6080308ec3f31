"""Which files published snapshots name, and what goes when old ones are forgotten."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from pyiceberg.io import FileIO
from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table


def expire(table: Table, keep_s: float) -> None:
    """Forgets snapshots older than so many seconds, the newest one aside, and removes what they alone were made of."""
    before = _metadata_files(table)
    now = datetime.datetime.now(datetime.UTC)
    oldest = now - datetime.timedelta(seconds=keep_s)
    current = table.current_snapshot()
    old = [
        snapshot.snapshot_id
        for snapshot in table.snapshots()
        if snapshot.timestamp_ms < oldest.timestamp() * 1000
        and (current is None or snapshot.snapshot_id != current.snapshot_id)
    ]
    if not old:
        return
    table.maintenance.expire_snapshots().by_ids(old).commit()
    table.refresh()
    # crash here: lists of forgotten snapshots stay; they are small and nothing reads them
    for location in before - _metadata_files(table):
        _remove(table.io, location)


def data_files(tables: Iterable[Table]) -> set[str]:
    """Returns the locations of all files that some snapshot of the tables names."""
    found: set[str] = set()
    for table in tables:
        read: set[str] = set()
        for snapshot in table.snapshots():
            for manifest in snapshot.manifests(table.io):
                if manifest.manifest_path in read:
                    continue
                read.add(manifest.manifest_path)
                found |= _named(manifest, table.io)
    return found


def _remove(io: FileIO, location: str) -> None:
    try:
        io.delete(location)
    except OSError:
        # Arrow then writes a marker for the emptied folder, which some servers refuse.
        if io.new_input(location).exists():
            raise


def _named(manifest: ManifestFile, io: FileIO) -> set[str]:
    entries = manifest.fetch_manifest_entry(io, discard_deleted=True)
    return {entry.data_file.file_path for entry in entries}


def _metadata_files(table: Table) -> set[str]:
    """Returns the lists of snapshots, and the lists that they name."""
    found = set()
    for snapshot in table.snapshots():
        found.add(snapshot.manifest_list)
        found |= {manifest.manifest_path for manifest in snapshot.manifests(table.io)}
    return found
