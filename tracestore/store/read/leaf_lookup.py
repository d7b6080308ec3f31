"""Which segments of a snapshot hold a leaf, and as what: asked leaf by leaf.

The cost hardly grows with the number of paths; `TableSnapshot.leaf_types` lists all of them, which a query
has no use for. Arrays are kept across snapshots as long as these hold the same segments.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from tracestore.store.catalog.path_ids import Leaf, OwnedPaths, Owner
from tracestore.store.catalog.segment_row import Ids, SegmentRow
from tracestore.store.core import Core
from tracestore.store.read.snapshot import TableSnapshot
from tracestore.variant import LEAF_TYPES

Mask = npt.NDArray[np.bool_]

# Sets of segments whose arrays are kept: a few dashboards' worth of time ranges.
_MAX_GROUPS: Final = 64


@dataclass(slots=True)
class _Held:
    """Is path ids of several segments in one array; segment i has those up to `ends[i]`."""

    ids: Ids
    ends: npt.NDArray[np.int64]
    present: Mask

    @classmethod
    def of(cls, parts: Sequence[Ids]) -> _Held:
        ids = np.concatenate([*parts, np.empty(0, np.uint32)])
        present = np.zeros(int(ids.max()) + 1 if len(ids) else 0, np.bool_)
        present[ids] = True
        return cls(ids, np.cumsum([len(part) for part in parts], dtype=np.int64), present)

    def has(self, number: int) -> bool:
        return number < len(self.present) and bool(self.present[number])

    def owners(self, number: int) -> npt.NDArray[np.int64]:
        """Returns the segments that have an id."""
        if not self.has(number):
            return np.empty(0, np.int64)
        return np.searchsorted(self.ends, np.flatnonzero(self.ids == number), side="right")


@dataclass(slots=True)
class _Group:
    """Is the segments of one project."""

    paths: OwnedPaths
    names: list[str]
    places: npt.NDArray[np.int64]
    columns: _Held
    tails: _Held


class LeafCache:
    """Keeps what lookups share. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[Owner, tuple[str, ...]], tuple[_Held, _Held]] = (
            OrderedDict()
        )
        self._names: dict[Owner, tuple[tuple[int, int, int], list[str]]] = {}

    def total(self, view: TableSnapshot, projects: Collection[str] | None) -> int:
        """Returns how many segments the projects have in a table, those outside of the snapshot included."""
        core, _, _ = view.parts()
        with core.lock:
            groups = core.index.groups(view.table, projects).values()
            return sum(len(group.rows) for group in groups)

    def look_at(self, view: TableSnapshot) -> LeafLookup:
        """Returns the lookup of one table of a snapshot."""
        core, rows, memory = view.parts()
        by_project: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            by_project.setdefault(row.project, []).append(place)
        groups = []
        for project, places in by_project.items():
            owner = (view.table, project)
            paths = core.catalog.paths.of(owner)
            columns, tails = self._held(core, owner, [rows[place] for place in places])
            names = self._sorted(owner, paths)
            groups.append(_Group(paths, names, np.array(places, np.int64), columns, tails))
        in_memory: dict[str, dict[str, None]] = {}
        for memtable, _ in memory:
            for path, leaf_type in memtable.leaf_counts():
                in_memory.setdefault(path, {})[leaf_type] = None
        unlisted: dict[Leaf, list[int]] = {}
        for place, row in enumerate(rows):
            if row.unlisted_paths:
                # Its sidecar alone names all of its paths.
                for path, types in view.segments[place].tail_paths.items():
                    for leaf_type in types:
                        unlisted.setdefault((path, leaf_type), []).append(place)
        return LeafLookup(groups, in_memory, unlisted, len(rows))

    def _held(self, core: Core, owner: Owner, rows: Sequence[SegmentRow]) -> tuple[_Held, _Held]:
        key = (owner, tuple(row.segment_id for row in rows))
        with self._lock:
            found = self._groups.get(key)
            if found is not None:
                self._groups.move_to_end(key)
                return found
        tails = core.tails.get(rows)
        found = (
            _Held.of([row.leaf_ids for row in rows]),
            _Held.of([tails[row.segment_id][0] for row in rows]),
        )
        with self._lock:
            self._groups[key] = found
            while len(self._groups) > _MAX_GROUPS:
                self._groups.popitem(last=False)
        return found

    def _sorted(self, owner: Owner, paths: OwnedPaths) -> list[str]:
        # Ids only grow: the last one tells whether there are new paths.
        leaves = list(paths.leaves)
        mark = (id(paths), len(leaves), leaves[-1] if leaves else 0)
        with self._lock:
            known = self._names.get(owner)
            if known is not None and known[0] == mark:
                return known[1]
        names = sorted({path for path, _ in list(paths.leaves.values())})
        with self._lock:
            self._names[owner] = (mark, names)
        return names


@dataclass(slots=True)
class LeafLookup:
    """Answers for one table of a snapshot. Not thread-safe."""

    _groups: list[_Group]
    _memory: dict[str, dict[str, None]]
    _unlisted: dict[Leaf, list[int]]
    _segments: int
    _other_names: list[str] = field(default_factory=list)

    def types(self, path: str) -> list[str]:
        """Returns the types that a path's values have, in the order of LEAF_TYPES."""
        found = set(self._memory.get(path, ()))
        for group in self._groups:
            for leaf_type in LEAF_TYPES:
                number = group.paths.ids.get((path, leaf_type))
                if number is not None and (group.columns.has(number) or group.tails.has(number)):
                    found.add(leaf_type)
        if self._unlisted:
            found |= {leaf_type for leaf_type in LEAF_TYPES if (path, leaf_type) in self._unlisted}
        return [leaf_type for leaf_type in LEAF_TYPES if leaf_type in found]

    def below(self, path: str) -> list[str]:
        """Returns the paths under a path that have values, sorted."""
        prefix = path + "."
        if not self._other_names:
            self._other_names = sorted({*self._memory, *(path for path, _ in self._unlisted)})
        found = set(_with_prefix(self._other_names, prefix))
        for group in self._groups:
            for name in _with_prefix(group.names, prefix):
                if name not in found and self.types(name):
                    found.add(name)
        return sorted(found)

    def names(self) -> list[str]:
        """Returns every path that is known for the projects, sorted; some may have no value here."""
        found = {*self._memory, *(path for path, _ in self._unlisted)}
        for group in self._groups:
            found.update(group.names)
        return sorted(found)

    def column_segments(self, leaf: Leaf) -> Mask:
        """Tells of each segment, in the snapshot's order, whether the leaf has a column in it."""
        return self._segments_with(leaf, tails=False)

    def tail_segments(self, leaf: Leaf) -> Mask:
        """Tells of each segment, in the snapshot's order, whether its tail has the leaf."""
        return self._segments_with(leaf, tails=True)

    def _segments_with(self, leaf: Leaf, *, tails: bool) -> Mask:
        mask = np.zeros(self._segments, np.bool_)
        for group in self._groups:
            number = group.paths.ids.get(leaf)
            if number is not None:
                held = group.tails if tails else group.columns
                mask[group.places[held.owners(number)]] = True
        if tails:
            mask[self._unlisted.get(leaf, [])] = True
        return mask


def _with_prefix(names: Sequence[str], prefix: str) -> list[str]:
    start = bisect_left(names, prefix)
    stop = start
    while stop < len(names) and names[stop].startswith(prefix):
        stop += 1
    return list(names[start:stop])
