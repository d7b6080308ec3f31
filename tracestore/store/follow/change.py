"""What became of a store between two moments, as a value that one process makes and another takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.store.catalog.packed_segments import PackedSegments
from tracestore.store.catalog.path_ids import Leaf, Owner
from tracestore.store.catalog.segment_row import SegmentPaths, SegmentRow
from tracestore.store.core import Fault
from tracestore.store.memory.mirror import MemoryState
from tracestore.store.patches.log import Patch


@dataclass(frozen=True, slots=True)
class Change:
    """What is new since a moment, as of one other moment.

    Attributes:
        version: the catalog's version.
        everything: every segment, for a follower that is too far behind; None where the next two tell enough.
        added, removed: segments that came, and those that went.
        segment_paths: paths of those that came, by segment id.
        path_bound: ids of paths from here on are unknown to the catalog at this version.
        paths: path ids that came, by table and project.
        gone_paths: path ids that went, by table and project.
        stale_paths: tables and projects whose path ids must be read from the catalog again.
        new_patches: patches that came.
        gone_patches: times of patches that are folded in.
        replaced: rows of segments that do not count, of the segments that have others since.
        faults: segments that are left out.
        memory: the memtables; None where they are as before.
        chunks: Arrow tables that came, by number. They travel beside the change, not in it.
        kept: numbers of tables that may be shown again, where `memory` says something.
        missing: what it may lack, in words: nodes that do not answer.
    """

    version: int
    path_bound: int
    everything: Sequence[PackedSegments] | None
    added: Sequence[SegmentRow]
    removed: Sequence[SegmentRow]
    segment_paths: Mapping[str, SegmentPaths]
    paths: Mapping[Owner, Sequence[tuple[int, Leaf]]]
    gone_paths: Mapping[Owner, Sequence[int]]
    stale_paths: Sequence[Owner]
    new_patches: Sequence[Patch]
    gone_patches: Sequence[int]
    replaced: Mapping[str, npt.NDArray[np.int64]]
    faults: tuple[Fault, ...]
    memory: Sequence[MemoryState] | None
    chunks: Mapping[int, pa.Table] = field(default_factory=dict)
    kept: Sequence[int] = ()
    missing: tuple[str, ...] = ()
