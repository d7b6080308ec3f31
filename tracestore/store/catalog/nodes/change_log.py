"""What each transaction of a shared catalog changed, so that other nodes follow it without reading the catalog again.

Written while nodes share the catalog, and by nobody else. An entry goes when every node that is up has
seen its version.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from tracestore.store.catalog import patch_table, replaced_table, segment_table
from tracestore.store.catalog.changes import Change
from tracestore.store.catalog.nodes import node_table
from tracestore.store.catalog.patch_table import PatchValues
from tracestore.store.catalog.path_ids import Leaf, Owner, PathTable
from tracestore.store.catalog.path_ledger import PathLedger
from tracestore.store.catalog.replaced_table import RowNumbers
from tracestore.store.catalog.schema.tables import CHANGES, PATHS
from tracestore.store.catalog.segment_row import SegmentRow

FLUSHED: Final = "flushed"
"""A segment with rows that were in a node's memory before."""

WRITTEN: Final = "written"
"""A segment that was made of others."""

REMOVED: Final = "removed"
"""A segment that is gone, or is not to be read any more."""

REPLACED: Final = "replaced"
"""A segment of which other rows do not count now."""

NEW_PATHS: Final = "new paths"
"""A table and project that have paths more."""

GONE_PATHS: Final = "gone paths"
"""A table, a project, and ids of paths that no segment has any more."""

NEW_PATCHES: Final = "new patches"
"""Times of patches that wait to be folded in since."""

GONE_PATCHES: Final = "gone patches"
"""Times of patches that do not wait any more."""

DELETED: Final = "deleted"
"""A delete that is finished: spans may be sent again as they were."""

NODES: Final = "nodes"
"""A node that came, went, or answers elsewhere."""

Entry = tuple[str, Any]
"""A kind, and what it is about as a value of JSON."""

_MAX_LISTED: Final = 10_000
"""Numbers in one entry, so that none is larger than some 200 kB."""


@dataclass(frozen=True, slots=True)
class Since:
    """What other nodes changed since a version, as of one later moment.

    Attributes:
        version: of that moment.
        path_bound: ids of paths from here on are unknown to it.
        entries: the changes, oldest first.
        rows: the live segments among them.
        replaced: rows that do not count, of segments among them.
        patches: those among them that wait.
        paths: new ones by table and project.
        marks: of the nodes' logs.
    """

    version: int
    path_bound: int
    entries: Sequence[Entry]
    rows: Sequence[SegmentRow]
    replaced: Mapping[str, RowNumbers]
    patches: Sequence[PatchValues]
    paths: Mapping[Owner, Sequence[tuple[int, Leaf]]]
    marks: Mapping[str, int]


def since_in(
    connection: sa.Connection, name: str, paths: PathTable, version: int, now: tuple[int, int]
) -> Since:
    """Returns what was changed after a version up to now.

    Args:
        connection: of a transaction that reads.
        name: of the catalog, for messages.
        paths: those that are known: newer ones are read of tables and projects that were asked for.
        version: of the first change that is known.
        now: the newest version, and its bound of ids of paths.
    """
    entries = _read(connection, version)
    changed: dict[str, list[Any]] = {}
    for kind, what in entries:
        changed.setdefault(kind, []).append(what)
    added = {*changed.get(FLUSHED, ()), *changed.get(WRITTEN, ())}
    new_patches = [ns for each in changed.get(NEW_PATCHES, ()) for ns in each]
    return Since(
        *now,
        entries,
        segment_table.read_in(connection, name, added) if added else [],
        replaced_table.read_of(connection, {*added, *changed.get(REPLACED, ())}),
        patch_table.read_of(connection, new_patches),
        _new_paths(connection, paths, changed.get(NEW_PATHS, ())),
        node_table.marks_in(connection),
    )


def _new_paths(
    connection: sa.Connection, paths: PathTable, owners: Iterable[Sequence[str]]
) -> dict[Owner, list[tuple[int, Leaf]]]:
    found: dict[Owner, list[tuple[int, Leaf]]] = {}
    for table, project in {(table, project) for table, project in owners}:
        last = paths.newest((table, project))
        if last is not None:
            mine = sa.and_(PATHS.c.table_name == table, PATHS.c.project == project)
            query = sa.select(PATHS.c.path_id, PATHS.c.path, PATHS.c.type)
            rows = connection.execute(query.where(mine, PATHS.c.path_id > last)).all()
            found[table, project] = [(number, (path, kind)) for number, path, kind in rows]
    return found


def entries_of(change: Change, ledger: PathLedger) -> list[Entry]:
    """Returns what other nodes must know of a change."""
    kind = WRITTEN if change.removed else FLUSHED
    new = {segment.segment_id for segment in change.added}
    gone = [row.segment_id for row in change.removed]
    entries: list[Entry] = [(NEW_PATHS, owner) for owner in ledger.new_owners()]
    entries += [(GONE_PATHS, [*owner, ids]) for owner, ids in ledger.dropped().items()]
    entries += [(kind, segment_id) for segment_id in sorted(new)]
    entries += [(REMOVED, segment_id) for segment_id in gone]
    entries += [(REPLACED, segment_id) for segment_id in change.replaced if segment_id not in new]
    entries += listed(GONE_PATCHES, {*change.merged, *change.dropped})
    if change.finished_delete is not None:
        entries.append((DELETED, change.finished_delete))
    return entries


def listed(kind: str, numbers: Collection[int]) -> list[Entry]:
    """Returns entries that list numbers; none where there is no number."""
    ordered = sorted(numbers)
    return [
        (kind, ordered[start : start + _MAX_LISTED])
        for start in range(0, len(ordered), _MAX_LISTED)
    ]


def write_in(connection: sa.Connection, version: int, entries: Iterable[Entry]) -> None:
    """Notes what a transaction changed that makes a version of the catalog."""
    values = [
        {"version": version, "number": number, "kind": kind, "what": json.dumps(what)}
        for number, (kind, what) in enumerate(entries)
    ]
    if values:
        connection.execute(CHANGES.insert(), values)


def _read(connection: sa.Connection, after: int) -> list[Entry]:
    query = sa.select(CHANGES.c.kind, CHANGES.c.what).where(CHANGES.c.version > after)
    rows = connection.execute(query.order_by(CHANGES.c.version, CHANGES.c.number))
    return [(row.kind, json.loads(row.what)) for row in rows]
