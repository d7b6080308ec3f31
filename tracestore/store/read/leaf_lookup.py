"""Which segments of a snapshot hold a leaf, and as what: asked leaf by leaf.

The cost hardly grows with the number of paths; `TableSnapshot.leaf_types` lists all of them, which a query
has no use for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tracestore.store.catalog.path_ids import Leaf, OwnedPaths, Owner, leaf_of
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core
from tracestore.store.memory.memtable import Memtable
from tracestore.store.read.known import Known, hidden_paths
from tracestore.store.read.segment_ref import SegmentRef
from tracestore.store.segments.leaf_arrays import Mask, PathIds
from tracestore.variant import LEAF_TYPES, is_item_path


@dataclass(frozen=True, slots=True)
class _ProjectLeaves:
    """The leaves of one project's segments that a snapshot reads.

    Attributes:
        paths: the project's paths.
        positions: of the segments, in the snapshot's order.
        columns: path ids of the leaf columns.
        tails: path ids of the tails, as far as the catalog lists them.
    """

    paths: OwnedPaths
    positions: npt.NDArray[np.int64]
    columns: PathIds
    tails: PathIds


@dataclass(frozen=True, slots=True)
class _KnownPaths:
    """The paths of all segments of one project, as of a snapshot: the catalog counts them.

    Attributes:
        paths: the project's paths.
        names: their texts, sorted.
        hidden: ids of those that quarantined segments alone have.
    """

    paths: OwnedPaths
    names: list[str]
    hidden: Collection[int]


def look_up_leaves(
    core: Core,
    table: str,
    segments: Sequence[SegmentRef],
    memtables: Sequence[Memtable],
    known: Known,
) -> LeafLookup:
    """Returns the lookup of one table of a snapshot.

    Args:
        core: the store.
        table: its name.
        segments: those that the snapshot reads.
        memtables: its rows in memory.
        known: the projects whose paths count, and as of when.
    """
    projects = []
    unlisted: dict[Leaf, list[int]] = {}
    dropped: dict[Leaf, list[int]] = {}
    every_row = [segment.row for segment in segments]
    for project, positions, rows in _by_project(every_row):
        owner = (table, project)
        paths = core.catalog.paths.of(owner)
        leaves = core.leaf_arrays.of_segments(owner, rows)
        numbers = np.array(positions, np.int64)
        projects.append(_ProjectLeaves(paths, numbers, leaves.columns, leaves.tails))
        for member in leaves.unlisted:
            for leaf in segments[positions[member]].tail_leaves:
                unlisted.setdefault(leaf, []).append(positions[member])
        for member in leaves.dropped:
            for column in segments[positions[member]].leaf_columns:
                dropped.setdefault(leaf_of(column), []).append(positions[member])
    in_memory: dict[str, dict[str, None]] = {}
    for memtable in memtables:
        for path, leaf_type in memtable.leaf_counts():
            in_memory.setdefault(path, {})[leaf_type] = None
    return LeafLookup(
        projects,
        in_memory,
        unlisted,
        dropped,
        len(segments),
        [_known_paths(core, (table, project)) for project in known.projects],
        known,
    )


def _known_paths(core: Core, owner: Owner) -> _KnownPaths:
    paths = core.catalog.paths.of(owner)
    names = core.leaf_arrays.sorted_names(owner, paths)
    return _KnownPaths(paths, names, hidden_paths(core, owner))


def _by_project(
    rows: Sequence[SegmentRow],
) -> Iterator[tuple[str, Sequence[int], Sequence[SegmentRow]]]:
    """Yields the positions and rows of each project; those of one project alone are not sorted out."""
    projects = {row.project for row in rows}
    if len(projects) == 1:
        yield projects.pop(), range(len(rows)), rows
        return
    by_project: dict[str, list[int]] = {}
    for position, row in enumerate(rows):
        by_project.setdefault(row.project, []).append(position)
    for project, positions in by_project.items():
        yield project, positions, [rows[position] for position in positions]


@dataclass(slots=True)
class LeafLookup:
    """The leaves of one table of a snapshot. Not thread-safe.

    What types a path has does not depend on which segments are read: all of the snapshot's projects count.
    """

    _projects: list[_ProjectLeaves]
    _memory: dict[str, dict[str, None]]
    _unlisted: dict[Leaf, list[int]]
    _dropped: dict[Leaf, list[int]]
    _segments: int
    _known: list[_KnownPaths]
    _moment: Known
    _other_names: list[str] = field(default_factory=list)

    def types(self, path: str) -> list[str]:
        """Returns the types that a path's values have, in the order of LEAF_TYPES."""
        types = set(self._memory.get(path, ()))
        bound, version = self._moment.path_bound, self._moment.version
        for project in self._known:
            # Asked of thousands of paths when an object is read: so no call where nothing was dropped.
            paths, hidden = project.paths, project.hidden
            ids, was_dropped = paths.ids, bool(paths.retired_ids)
            for leaf_type in LEAF_TYPES:
                path_id = ids.get((path, leaf_type))
                if (path_id is not None and path_id < bound and path_id not in hidden) or (
                    was_dropped and paths.had((path, leaf_type), version)
                ):
                    types.add(leaf_type)
        for leaves in (self._unlisted, self._dropped):
            if leaves:
                types |= {leaf_type for leaf_type in LEAF_TYPES if (path, leaf_type) in leaves}
        return [leaf_type for leaf_type in LEAF_TYPES if leaf_type in types]

    def below(self, path: str) -> list[str]:
        """Returns the paths under a path that have values, sorted."""
        return sorted({name for name in self._known_below(path) if self.types(name)})

    def has_below(self, path: str) -> bool:
        """Returns whether a path under a path has values; stops at the first."""
        return any(self.types(name) for name in self._known_below(path))

    def _known_below(self, path: str) -> Iterator[str]:
        """Yields the paths under a path that are known, some of them twice; some may have no value here."""
        if not self._other_names:
            retired = (leaf for project in self._known for leaf in [*project.paths.retired_ids])
            leaves = (*self._unlisted, *self._dropped, *retired)
            self._other_names = sorted({*self._memory, *(path for path, _ in leaves)})
        for names in (self._other_names, *(project.names for project in self._known)):
            # "/" is the character after ".": the names between the two begin with the path and a dot.
            start, stop = bisect_left(names, path + "."), bisect_left(names, path + "/")
            for position in range(start, stop):
                if not is_item_path(names[position]):
                    yield names[position]

    def names(self) -> list[str]:
        """Returns every path that is known for the projects, sorted; some may have no value here."""
        names = {*self._memory, *(path for path, _ in (*self._unlisted, *self._dropped))}
        for project in self._known:
            names.update(project.names)
        return sorted(name for name in names if not is_item_path(name))

    def column_segments(self, leaf: Leaf) -> Mask:
        """Returns for each segment, in the snapshot's order, whether the leaf has a column in it."""
        return self._segments_with(leaf, tails=False)

    def tail_segments(self, leaf: Leaf) -> Mask:
        """Returns for each segment, in the snapshot's order, whether its tail has the leaf."""
        return self._segments_with(leaf, tails=True)

    def _segments_with(self, leaf: Leaf, *, tails: bool) -> Mask:
        mask = np.zeros(self._segments, np.bool_)
        for project in self._projects:
            for path_id in project.paths.ids_of(leaf):
                path_ids = project.tails if tails else project.columns
                mask[project.positions[path_ids.segments_with(path_id)]] = True
        mask[(self._unlisted if tails else self._dropped).get(leaf, [])] = True
        return mask
