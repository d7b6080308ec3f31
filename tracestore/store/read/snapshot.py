"""A consistent view of the store: segments after pruning, memtable rows, and the type of every path."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from tracestore.errors import StoreClosedError, UnsupportedPayloadError
from tracestore.segment.read import SegmentFile
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.catalog.path_ids import Leaf, OwnedPaths, column_of, types_by_path
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core, Fault
from tracestore.store.files import filenames
from tracestore.store.files.leases import Lease
from tracestore.store.memory.memtable import Memtable
from tracestore.store.patches.log import NONE, PatchView
from tracestore.store.segments.index import SegmentGroup, TimeRange


class SegmentRef:
    """Names one segment to read. Times are nanoseconds since 1970, both included."""

    def __init__(self, core: Core, row: SegmentRow) -> None:
        # No more than this: a snapshot makes one for each of its segments, and few are asked anything.
        self._core = core
        self._row = row

    def __repr__(self) -> str:
        return f"SegmentRef({self._row.place!r}, rows={self.rows})"

    @property
    def segment_id(self) -> str:
        """Returns the ULID in the file's name."""
        return self._row.segment_id

    @property
    def table(self) -> str:
        """Returns the table."""
        return self._row.table

    @property
    def project(self) -> str:
        """Returns the project."""
        return self._row.project

    @property
    def rows(self) -> int:
        """Returns how many rows it has."""
        return self._row.rows

    @property
    def bytes(self) -> int:
        """Returns the bytes of its file."""
        return self._row.bytes

    @property
    def min_time_ns(self) -> int:
        """Returns the time of its first row."""
        return self._row.min_time_ns

    @property
    def max_time_ns(self) -> int:
        """Returns the time of its last row."""
        return self._row.max_time_ns

    @property
    def uri(self) -> str:
        """Returns the local path of the segment file; fetches it from an object store if need be."""
        return self._core.segments.files.local_name(self._row.place)

    @property
    def local_path(self) -> Path:
        """Returns the same as a path."""
        return self._core.segments.files.local(self._row.place)

    @property
    def tail_uri(self) -> str | None:
        """Returns the local path of the tail sidecar, None where there is none."""
        if self._row.tail_bytes is None:
            return None
        return self._core.segments.files.local_name(filenames.tail_key(self._row.place))

    @functools.cached_property
    def leaf_columns(self) -> frozenset[str]:
        """Returns the names of the segment's leaf columns."""
        leaves = self._paths().leaves
        return frozenset(column_of(leaves[number]) for number in self._row.leaf_ids.tolist())

    @functools.cached_property
    def tail_paths(self) -> Mapping[str, frozenset[str]]:
        """Returns the types in the tail by path text."""
        if self._row.unlisted_paths:
            return self._listed_by_file()
        ids, _ = self._core.tails.get([self._row])[self.segment_id]
        leaves = self._paths().leaves
        found = types_by_path({leaves[number]: 1 for number in ids.tolist()})
        return {path: frozenset(types) for path, types in found.items()}

    def _paths(self) -> OwnedPaths:
        return self._core.catalog.paths.of((self.table, self.project))

    def _listed_by_file(self) -> dict[str, frozenset[str]]:
        # The catalog's bound of paths left some out; the sidecar itself names all of them.
        place = filenames.tail_key(self._row.place)
        with SegmentFile(self._core.segments.files.local(place)) as file:
            pairs = file.columns(["path", "type"]).group_by(["path", "type"]).aggregate([])
        found: dict[str, set[str]] = {}
        for path, kind in zip(pairs["path"].to_pylist(), pairs["type"].to_pylist(), strict=True):
            found.setdefault(path, set()).add(kind)
        return {path: frozenset(kinds) for path, kinds in found.items()}


class TableSnapshot:
    """Is one table of a snapshot. `patches` are in no segment yet; `patched_snapshot` merges them."""

    def __init__(
        self,
        core: Core,
        table: str,
        rows: Sequence[SegmentRow],
        memory: Sequence[tuple[Memtable, int]],
        patches: PatchView,
    ) -> None:
        self._core = core
        self._rows = tuple(rows)
        self._memory = tuple(memory)
        self.table = table
        self.patches = patches
        self.segments: tuple[SegmentRef, ...] = tuple(SegmentRef(core, row) for row in rows)

    def parts(
        self,
    ) -> tuple[Core, tuple[SegmentRow, ...], tuple[tuple[Memtable, int], ...]]:
        """Returns what it is made of, for other modules of the store: segments, and memtables with their marks."""
        return self._core, self._rows, self._memory

    @functools.cached_property
    def memtable(self) -> tuple[pa.Table, ...]:
        """Returns the rows that are in no segment yet, as shredded tables."""
        tables: list[pa.Table] = []
        for memtable, stop in self._memory:
            tables += memtable.read(stop)
        return tuple(tables)

    @functools.cached_property
    def leaf_types(self) -> Mapping[str, Mapping[str, int]]:
        """Returns rows by type by path text, over the snapshot's segments and memtables.

        Counts of a memtable may include a few rows that are not visible yet.
        """
        leaves: dict[Leaf, int] = {}
        for project in {row.project for row in self._rows}:
            owned = self._core.catalog.paths.of((self.table, project))
            for number, rows in self._counts(project).items():
                leaf = owned.leaves[number]
                leaves[leaf] = leaves.get(leaf, 0) + rows
        for memtable, stop in self._memory:
            if stop:
                for leaf, rows in memtable.leaf_counts().items():
                    leaves[leaf] = leaves.get(leaf, 0) + rows
        return types_by_path(leaves)

    def _counts(self, project: str) -> dict[int, int]:
        rows = [row for row in self._rows if row.project == project]
        ids = [row.leaf_ids for row in rows]
        counts = [row.leaf_rows for row in rows]
        for tail_ids, tail_counts in self._core.tails.get(rows).values():
            ids.append(tail_ids)
            counts.append(tail_counts)
        every = np.concatenate(ids)
        if len(every) == 0:
            return {}
        totals = np.bincount(every, weights=np.concatenate(counts))
        present = np.flatnonzero(totals)
        return dict(zip(present.tolist(), totals[present].astype(np.int64).tolist(), strict=True))


class Snapshot:
    """Keeps the files of its segments until closed; a context manager.

    Attributes:
        tables: what to read, by table name.
        version: the catalog version it shows.
        faults: segments that are left out, quarantined or missing, and why.
    """

    def __init__(
        self,
        tables: Mapping[str, TableSnapshot],
        version: int,
        faults: tuple[Fault, ...],
        release: Callable[[], None],
    ) -> None:
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

    def close(self) -> None:
        """Lets the store remove the snapshot's files; a second call does nothing."""
        self._release()


def take_snapshot(
    core: Core,
    tables: Sequence[str],
    projects: Collection[str] | None,
    time_range: TimeRange | None,
    paths: Collection[str] | None,
    lease: Lease | None,
) -> Snapshot:
    """Returns a snapshot as of now.

    Segments are those that may hold rows of the time range, and with `paths` those that hold at
    least one of these paths or a path below them. Memtables are not pruned by time or path.
    """
    for table in tables:
        if table not in SEGMENT_TABLES:
            raise UnsupportedPayloadError(
                f"cannot read table {table!r}: want one of {', '.join(SEGMENT_TABLES)}"
            )
    while True:
        view = _View(core, tables, projects, time_range, paths)
        if view.pin():
            break
        # A merge replaced some of the segments while paths were looked up: look again.
    release = functools.partial(_release, core, view.rows, lease)
    views = {
        table: TableSnapshot(
            core,
            table,
            view.chosen[table],
            view.memory[table],
            view.patches if table == "spans" else NONE,
        )
        for table in tables
    }
    return Snapshot(views, view.version, view.faults, release)


class _View:
    """Is what a snapshot would show, as of one moment; its segments are not pinned before `pin`."""

    def __init__(
        self,
        core: Core,
        tables: Sequence[str],
        projects: Collection[str] | None,
        time_range: TimeRange | None,
        paths: Collection[str] | None,
    ) -> None:
        self._core = core
        with core.lock:
            groups = {table: core.index.groups(table, projects) for table in tables}
            self._changes = core.index.changes
            self.memory = {table: _marks(core, table, projects) for table in tables}
            # With the segments, in one moment: a patch is in the log or in a segment, and never in both.
            self.patches = core.patches.view(projects)
            self.version = core.version
            self.faults = tuple(core.faults)
            core.last_read_s = core.clock.elapsed_s()
        self.chosen: dict[str, list[SegmentRow]] = {}
        for table, found in groups.items():
            rows = [row for group in found.values() for row in group.in_range(time_range)]
            if paths is not None:
                rows = _with_paths(core, table, found, rows, paths)
            self.chosen[table] = rows
        self.rows = [row for rows in self.chosen.values() for row in rows]

    def pin(self) -> bool:
        """Keeps the files of the segments; returns False where one of them is not live any more."""
        core = self._core
        with core.lock:
            changed = core.index.changes != self._changes
            if changed and any(core.index.get(row.segment_id) is not row for row in self.rows):
                return False
            pins = core.pins
            for row in self.rows:
                pins[row.segment_id] = pins.get(row.segment_id, 0) + 1
        for row in self.rows:
            core.segments.files.pin(row.place)
        return True


def _marks(core: Core, table: str, projects: Collection[str] | None) -> list[tuple[Memtable, int]]:
    """Returns the memtables of a table with their visible rows, oldest first."""
    return [
        (memtable, memtable.visible)
        for generation in (*core.frozen, core.generation)
        for memtable in generation.memtables()
        if memtable.table == table
        and memtable.visible
        and (projects is None or memtable.project in projects)
    ]


def _with_paths(
    core: Core,
    table: str,
    groups: Mapping[str, SegmentGroup],
    rows: Sequence[SegmentRow],
    paths: Collection[str],
) -> list[SegmentRow]:
    kept: set[str] = set()
    for project, group in groups.items():
        wanted = core.catalog.paths.of((table, project)).below(paths)
        tailed = [row for row in rows if row.tail_bytes is not None and row.project == project]
        kept |= {row.segment_id for row in tailed if row.unlisted_paths}
        if not wanted:
            continue
        kept |= group.with_leaf(wanted)
        numbers = np.fromiter(wanted, np.uint32, len(wanted))
        unsure = [row for row in tailed if row.segment_id not in kept]
        for segment_id, (ids, _) in core.tails.get(unsure).items():
            if len(ids) and bool(np.isin(ids, numbers).any()):
                kept.add(segment_id)
    return [row for row in rows if row.segment_id in kept]


def _release(core: Core, pinned: Sequence[SegmentRow], lease: Lease | None) -> None:
    with core.lock:
        pins = core.pins
        for row in pinned:
            left = pins[row.segment_id] - 1
            if left > 0:
                pins[row.segment_id] = left
            else:
                del pins[row.segment_id]
    for row in pinned:
        core.segments.files.unpin(row.place)
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
