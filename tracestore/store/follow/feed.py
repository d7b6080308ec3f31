"""The writer's side: what one follower knows of an open store, and what is new since."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.store.catalog.packed_segments import PackedSegments
from tracestore.store.catalog.path_ids import Leaf, Owner
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core, Fault
from tracestore.store.follow.change import Change
from tracestore.store.memory.memtable import MemoryMark
from tracestore.store.memory.mirror import MemoryState
from tracestore.store.memory.need import EVERYTHING, Need
from tracestore.store.nodes import view
from tracestore.store.patches.log import Patch, PatchPrefix, ProjectPatches
from tracestore.store.segments.index import SegmentChange
from tracestore.store.segments.replaced_rows import RowNumbers

Marks = list[MemoryMark]


@dataclass(frozen=True, slots=True)
class _Captured:
    """What a store shows at one moment.

    Attributes:
        changes: of its segments since the last time; None where `everything` has them all.
    """

    changes: Sequence[SegmentChange] | None
    everything: Sequence[PackedSegments] | None
    marks: Marks
    patches: Mapping[str, PatchPrefix]
    replaced: Mapping[str, RowNumbers]
    version: int
    path_bound: int
    faults: tuple[Fault, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """What a follower was shown of a memtable.

    Attributes:
        mark: the rows.
        tables: the ids of the tables that hold them.
    """

    mark: MemoryMark
    state: MemoryState
    tables: frozenset[int]


def net_change(changes: Sequence[SegmentChange]) -> tuple[list[SegmentRow], list[SegmentRow]]:
    """Returns the segments that came and those that went by several changes; one that did both is in neither."""
    added: dict[str, SegmentRow] = {}
    removed: list[SegmentRow] = []
    for change in changes:
        removed += [row for row in change.removed if added.pop(row.segment_id, None) is None]
        added |= {row.segment_id: row for row in change.added}
    return list(added.values()), removed


class ChangeFeed:
    """The changes of an open store for one follower. One thread at a time."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._index_changes = -1
        self._known_paths: dict[Owner, npt.NDArray[np.int64]] = {}
        self._patches: dict[str, tuple[ProjectPatches, int]] = {}
        self._replaced: Mapping[str, RowNumbers] = {}
        self._numbers = itertools.count(1)
        # The tables and memtables themselves are kept, so that no other takes the id of one.
        self._chunks: dict[int, tuple[int, pa.Table]] = {}
        self._shown: dict[int, _Shown] = {}

    @property
    def version(self) -> int:
        """Returns the catalog's version as of now."""
        return self._core.version

    def next(self, need: Need = EVERYTHING) -> Change:
        """Returns what is new since the last call; at first everything.

        Args:
            need: what is read. Of memtables that it leaves out the follower keeps what it was shown before, and of
                other nodes it is shown no more than that.
        """
        core = self._core
        core.require_open()

        def capture() -> _Captured:
            core.last_read_s = core.clock.elapsed_s()
            changes = core.index.since(self._index_changes)
            self._index_changes = core.index.changes
            return _Captured(
                changes,
                core.index.packed() if changes is None else None,
                view.memory_marks(core),
                core.patches.view(None).by_project,
                view.replaced_rows(core),
                core.version,
                core.path_bound,
                tuple(core.faults),
                view.missing(core),
            )

        seen = view.current(core, need, capture)
        marks = view.once(core, seen.marks)
        patches, replaced, everything = seen.patches, seen.replaced, seen.everything
        version, path_bound, faults = seen.version, seen.path_bound, seen.faults
        if everything is not None:
            self._replaced = {}
        added, removed = net_change(seen.changes or ())
        came, gone_paths, stale = self._path_changes(
            {packed.owner for packed in everything or ()}
            | {(row.table, row.project) for row in (*added, *removed)}
        )
        new, gone = self._patch_changes(
            {project: (each.owner, each.count) for project, each in patches.items()}
        )
        memory, chunks = self._memory_changes(marks, need)
        return Change(
            version,
            path_bound,
            everything,
            added,
            removed,
            core.segment_paths.get(added),
            came,
            gone_paths,
            stale,
            new,
            gone,
            self._replaced_changes(replaced),
            faults,
            memory,
            chunks,
            [number for number, _ in self._chunks.values()],
            seen.missing,
        )

    def _path_changes(
        self, owners: Collection[Owner]
    ) -> tuple[dict[Owner, list[tuple[int, Leaf]]], dict[Owner, list[int]], list[Owner]]:
        """Returns the paths that changes of segments may have brought and taken. The catalog has them already."""
        came: dict[Owner, list[tuple[int, Leaf]]] = {}
        gone: dict[Owner, list[int]] = {}
        stale: list[Owner] = []
        for owner in owners:
            leaves = self._core.catalog.paths.of(owner).leaves
            numbers = list(leaves)
            now = np.array(numbers, np.int64)
            before = self._known_paths.get(owner)
            self._known_paths[owner] = now
            if before is None:
                stale.append(owner)
                continue
            new = np.setdiff1d(now, before).tolist()
            came[owner] = [(number, leaves[number]) for number in new if number in leaves]
            gone[owner] = np.setdiff1d(before, now).tolist()
        return came, gone, stale

    def _patch_changes(
        self, patches: Mapping[str, tuple[ProjectPatches, int]]
    ) -> tuple[list[Patch], list[int]]:
        new: list[Patch] = []
        gone: list[int] = []
        for project, (owner, count) in self._patches.items():
            if project not in patches or patches[project][0] is not owner:
                gone += [patch.created_ns for patch in owner.patches[:count]]
        for project, (owner, count) in patches.items():
            before = self._patches.get(project)
            start = before[1] if before is not None and before[0] is owner else 0
            new += owner.patches[start:count]
        self._patches = dict(patches)
        return new, gone

    def _replaced_changes(self, replaced: Mapping[str, RowNumbers]) -> dict[str, RowNumbers]:
        before, self._replaced = self._replaced, replaced
        if replaced is before:
            return {}
        return {name: rows for name, rows in replaced.items() if before.get(name) is not rows}

    def _memory_changes(
        self, marks: Marks, need: Need
    ) -> tuple[list[MemoryState] | None, dict[int, pa.Table]]:
        """Returns the memtables with what is needed of them as of now, and their tables that are new.

        What is not needed stays as it was shown the last time: to export and send rows costs more than most queries.
        """
        before, self._shown = self._shown, {}
        new: dict[int, pa.Table] = {}
        for mark in marks:
            memtable = mark.memtable
            shown = before.get(id(memtable))
            is_needed = need.has(memtable.table, memtable.project)
            if is_needed and (shown is None or shown.mark != mark):
                number = next(self._numbers) if shown is None else shown.state.number
                shown = self._show(number, mark, new)
            if shown is not None:
                self._shown[id(memtable)] = shown
        if list(self._shown.values()) == list(before.values()):
            return None, {}
        # What another need had shown, and what may be shown again: the follower keeps it too.
        kept = {id(table) for table in view.mirrored_tables(self._core)}
        kept.update(*(shown.tables for shown in self._shown.values()))
        self._chunks = {name: known for name, known in self._chunks.items() if name in kept}
        return [shown.state for shown in self._shown.values()], new

    def _show(self, number: int, mark: MemoryMark, new: dict[int, pa.Table]) -> _Shown:
        """Returns what the follower is shown of a memtable, and adds its tables that are new."""
        memtable = mark.memtable
        tables = mark.read()
        for table in tables:
            if id(table) not in self._chunks:
                self._chunks[id(table)] = chunk = next(self._numbers), table
                new[chunk[0]] = table
        counts = memtable.leaf_counts()
        state = MemoryState(
            number,
            memtable.table,
            memtable.project,
            mark.visible,
            tuple(self._chunks[id(table)][0] for table in tables),
            tuple(counts),
            np.fromiter(counts.values(), np.int64, len(counts)),
        )
        return _Shown(mark, state, frozenset(map(id, tables)))
