"""A consistent view of the store: the segments that are left after pruning, and the rows in memory."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

import numpy as np

from tracestore.errors import StoreClosedError, UnsupportedPayloadError
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.catalog.path_ids import Owner
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core, Fault
from tracestore.store.memory.memtable import MemoryMark
from tracestore.store.memory.need import Need, Paths
from tracestore.store.nodes import view
from tracestore.store.patches.log import NO_PATCHES
from tracestore.store.read.known import Known
from tracestore.store.read.table_snapshot import TableSnapshot
from tracestore.store.segments.index import SegmentGroup, TimeRange

T = TypeVar("T")


class Keeper(Protocol):
    """What keeps the files of a snapshot in another process than the writer's."""

    def close(self) -> None:
        """Lets go of the files."""


class Current(Protocol):
    """What brings a store up to now."""

    def __call__(self, need: Need, capture: Callable[[], T]) -> tuple[T, Keeper | None]:
        """Returns what a function reads under the store's lock, and what keeps the files that it may name."""


class Snapshot:
    """The store as of one moment; keeps the files of its segments until closed. A context manager.

    Attributes:
        tables: what to read, by table name.
        version: the catalog version it shows.
        faults: segments that are left out, quarantined or missing, and why.
        missing: what it may lack, in words: nodes that do not answer.
    """

    def __init__(
        self,
        tables: Mapping[str, TableSnapshot],
        version: int,
        faults: tuple[Fault, ...],
        release: Callable[[], None],
        missing: tuple[str, ...] = (),
    ) -> None:
        self.missing = missing
        self.tables = tables
        self.version = version
        self.faults = faults
        self._release = weakref.finalize(self, release)

    def __enter__(self) -> Self:
        if not self._release.alive:
            raise StoreClosedError("cannot use snapshot: it is closed; take a new one")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def state(self) -> tuple[object, ...]:
        """Returns what the snapshot shows, by numbers: those of equal states of one store show the same rows."""
        return (self.version, *(view.state for view in self.tables.values()))

    def close(self) -> None:
        """Lets the store remove the snapshot's files; a second call does nothing."""
        self._release()


def take_snapshot(
    core: Core,
    tables: Sequence[str],
    projects: Collection[str] | None,
    time_range: TimeRange | None,
    paths: Collection[str] | None,
    reads: Paths,
    current: Current,
) -> Snapshot:
    """Returns a snapshot as of now.

    Segments are those that may hold rows of the time range, and with `paths` those that hold at
    least one of these paths or a path below them. Memtables of this node are not pruned by time or path; of those of
    other nodes there are the rows that may be of the time range, with the columns of `reads`.
    """
    for table in tables:
        if table not in SEGMENT_TABLES:
            raise UnsupportedPayloadError(
                f"cannot read table {table!r}: want one of {', '.join(SEGMENT_TABLES)}"
            )
    need = Need(
        frozenset(tables), None if projects is None else frozenset(projects), time_range, reads
    )
    while True:
        seen = _View(core, need, tables, paths, current)
        if seen.pin():
            break
        # A merge replaced some of the segments while paths were looked up: look again.
        seen.let_go()
    release = functools.partial(_release, core, seen.rows, seen.version, seen.keeper)
    views = {
        table: TableSnapshot(
            core,
            table,
            seen.chosen[table],
            seen.memory[table],
            seen.patches if table == "spans" else NO_PATCHES,
            Known(seen.groups[table], seen.version, seen.path_bound),
            seen.replaced,
        )
        for table in tables
    }
    return Snapshot(views, seen.version, seen.faults, release, seen.missing)


class _View:
    """What a snapshot would show, as of one moment; its segments are not pinned before `pin`."""

    def __init__(
        self,
        core: Core,
        need: Need,
        tables: Sequence[str],
        paths: Collection[str] | None,
        current: Current,
    ) -> None:
        self._core = core
        projects = need.projects

        def capture() -> dict[str, dict[str, SegmentGroup]]:
            groups = {table: core.index.groups(table, projects) for table in tables}
            self._changes = core.index.changes
            self.memory: dict[str, list[MemoryMark]] = {
                table: _marks(core, table, projects) for table in tables
            }
            # With the segments, in one moment: a patch is in the log or in a segment, and never in both.
            self.patches = core.patches.view(projects)
            self.replaced = view.replaced_rows(core)
            self.version = core.version
            self.path_bound = core.path_bound
            self.faults = tuple(core.faults)
            self.missing = () if need.is_nothing else view.missing(core)
            core.last_read_s = core.clock.elapsed_s()
            return groups

        self.groups, self.keeper = current(need, capture)
        try:
            self.memory = {table: view.once(core, marks) for table, marks in self.memory.items()}
            self.chosen = {
                table: self._chosen(table, by_project, need.time_range, paths)
                for table, by_project in self.groups.items()
            }
        except BaseException:
            self.let_go()
            raise
        self.rows = [row for rows in self.chosen.values() for row in rows]

    def _chosen(
        self,
        table: str,
        by_project: Mapping[str, SegmentGroup],
        time_range: TimeRange | None,
        paths: Collection[str] | None,
    ) -> list[SegmentRow]:
        chosen: list[SegmentRow] = []
        for project, group in by_project.items():
            rows = group.in_range(time_range)
            if paths is not None:
                rows = _with_paths(self._core, (table, project), rows, paths)
            chosen += rows
        return chosen

    def pin(self) -> bool:
        """Keeps the files of the segments; returns False where one of them is not live any more."""
        core = self._core
        with core.lock:
            changed = core.index.changes != self._changes
            if changed and not all(core.index.has(row) for row in self.rows):
                return False
            pins = core.pins
            for row in self.rows:
                pins[row.segment_id] = pins.get(row.segment_id, 0) + 1
            if core.node is not None:
                core.node.held[self.version] += 1
        core.segments.files.pin(row.file_key for row in self.rows)
        return True

    def let_go(self) -> None:
        """Lets go of what keeps its files."""
        if self.keeper is not None:
            self.keeper.close()


def _marks(core: Core, table: str, projects: Collection[str] | None) -> list[MemoryMark]:
    """Returns what is visible of the memtables of a table, oldest first."""
    return [
        mark
        for mark in view.memory_marks(core)
        if mark.memtable.table == table and (projects is None or mark.memtable.project in projects)
    ]


def _with_paths(
    core: Core, owner: Owner, rows: Sequence[SegmentRow], paths: Collection[str]
) -> list[SegmentRow]:
    """Returns the segments of a project that have one of some paths or a path below it."""
    wanted = core.catalog.paths.of(owner).below(paths)
    numbers = np.fromiter(wanted, np.uint32, len(wanted))
    listed = core.segment_paths.get(rows)

    def may_have(row: SegmentRow) -> bool:
        own = listed.get(row.segment_id)
        # A merge may have dropped the segment just now; pinning notices, or it is read in vain.
        return bool(
            row.unlisted_paths
            or own is None
            or np.isin(own.leaf_ids, numbers).any()
            or np.isin(own.tail_ids, numbers).any()
        )

    return [row for row in rows if may_have(row)]


def _release(core: Core, pinned: Sequence[SegmentRow], version: int, lease: Keeper | None) -> None:
    with core.lock:
        if core.node is not None:
            core.node.held[version] -= 1
            if not core.node.held[version]:
                del core.node.held[version]
        pins = core.pins
        for row in pinned:
            left = pins[row.segment_id] - 1
            if left > 0:
                pins[row.segment_id] = left
            else:
                del pins[row.segment_id]
    core.segments.files.unpin(row.file_key for row in pinned)
    if lease is not None:
        lease.close()


def local_paths(snapshot: Snapshot) -> list[Path]:
    """Returns the local path of every file of a snapshot; fetches those in an object store."""
    paths: list[Path] = []
    for table in snapshot.tables.values():
        for segment in table.segments:
            paths.append(Path(segment.uri))
            if segment.tail_uri is not None:
                paths.append(Path(segment.tail_uri))
    return paths
