"""Removes files of segments that left the catalog, once nobody reads them any more."""

from __future__ import annotations

from tracestore.store.catalog import published_table
from tracestore.store.catalog.nodes import node_table
from tracestore.store.core import Core
from tracestore.store.files import filenames, leases


def collect(core: Core) -> int:
    """Removes what no snapshot here, no reader's lease and no published table holds; returns files removed."""
    held_version = leases.oldest_version(core.folder / filenames.READERS_FOLDER)
    if core.node is not None:
        with core.catalog.transaction() as connection:
            held_by_nodes = node_table.held_in(connection)
        held_version = min(
            (each for each in (held_version, held_by_nodes) if each is not None), default=0
        )
    removed: list[str] = []
    gone: set[str] = set()
    with core.catalog.transaction() as connection:
        garbage = published_table.removable_garbage_in(connection)
    for file_key, segment_id, version in garbage:
        with core.lock:
            pinned = core.pins.get(segment_id, 0) > 0
        if pinned or (held_version is not None and held_version < version):
            continue
        core.segments.files.remove(file_key)
        # crash here: the file is gone, the entry is not -> the next collection drops it
        removed.append(file_key)
        gone.add(segment_id)
    # A query that still read a segment may have kept something of it after it left the catalog.
    core.groups.forget(gone)
    core.catalog.forget_garbage(removed)
    return len(removed)
