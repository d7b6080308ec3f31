"""What a snapshot knows of all segments of its projects, those that it does not read included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tracestore.store.catalog.path_ids import Owner
from tracestore.store.core import Core
from tracestore.store.segments.index import SegmentGroup


@dataclass(frozen=True, slots=True)
class Known:
    """The segments that a table of a snapshot could have read, as of one moment.

    Attributes:
        projects: the segments of each project. They are not kept: some may be gone.
        version: of the catalog.
        path_bound: ids of paths from here on are unknown to it.
    """

    projects: Mapping[str, SegmentGroup]
    version: int
    path_bound: int

    @property
    def segments(self) -> int:
        """Returns how many there are."""
        return sum(len(group) for group in self.projects.values())


def hidden_paths(core: Core, owner: Owner) -> frozenset[int]:
    """Returns the ids of paths that quarantined segments alone have; the catalog counts those too."""
    with core.lock:
        quarantined = [
            row for row in core.quarantined.values() if (row.table, row.project) == owner
        ]
    if not quarantined:
        return frozenset()
    rows: Counter[int] = Counter()
    for paths in core.segment_paths.get(quarantined).values():
        rows.update(dict(zip(paths.leaf_ids.tolist(), paths.leaf_rows.tolist(), strict=True)))
        rows.update(dict(zip(paths.tail_ids.tolist(), paths.tail_rows.tolist(), strict=True)))
    counted = {row.path_id: row.rows for row in core.catalog.path_rows(*owner)}
    return frozenset(number for number, count in rows.items() if counted.get(number, 0) <= count)
