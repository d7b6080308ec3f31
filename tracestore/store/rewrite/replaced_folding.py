"""Rows that a later version of their span replaced, while segments are rewritten.

A rewrite drops the settled ones. Others, and those that are replaced while it works, are in its outputs: they are found
there by their spans, and marked again. Whoever commits a rewrite holds the gate alone, so that none comes meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracestore.store.catalog.segment_row import NewSegment, SegmentRow
from tracestore.store.core import Core
from tracestore.store.memory.memtable import Memtable
from tracestore.store.nodes.moved_rows import RowFinder
from tracestore.store.segments.replaced_rows import NO_ROWS, RowNumbers, union

DROP_SHARE: Final = 0.1
"""Share of replaced rows from which on a segment is rewritten alone: each query leaves them out again."""

BySegment = dict[str, RowNumbers]


@dataclass(frozen=True, slots=True)
class Moved:
    """The replaced rows of a rewrite's inputs that it did not drop, and where they are in its outputs.

    Attributes:
        left: their numbers in the inputs, by segment id.
        settled: their numbers in the outputs, of those whose later version is in a segment.
        in_memory: the same of those whose later version is in a memtable.
    """

    left: BySegment
    settled: BySegment
    in_memory: Sequence[tuple[Memtable, BySegment]]

    def apply(self, core: Core) -> None:
        """Marks them again. The caller holds the gate alone and the store's lock."""
        core.replaced.settle(self.settled)
        for memtable, rows in self.in_memory:
            memtable.replacing.update(union(memtable.replacing, rows))
            core.replaced.add(rows)


def moved(
    core: Core,
    inputs: Sequence[SegmentRow],
    outputs: Sequence[NewSegment],
    dropped: Mapping[str, RowNumbers],
) -> Moved:
    """Returns the replaced rows of inputs but those that were dropped. The caller holds the gate alone."""
    ids = {row.segment_id for row in inputs}
    with core.lock:
        settled = _without(core.replaced.settled, ids, dropped)
        in_memory = [
            (memtable, _without(memtable.replacing, ids, dropped)) for memtable in memtables(core)
        ]
    in_memory = [(memtable, rows) for memtable, rows in in_memory if rows]
    left = settled
    for _, rows in in_memory:
        left = {**left, **union(left, rows)}
    if not left:
        return Moved({}, {}, ())
    find = RowFinder(core, inputs, outputs)
    return Moved(
        left,
        find.outputs(settled),
        [(memtable, find.outputs(rows)) for memtable, rows in in_memory],
    )


def _without(
    rows: Mapping[str, RowNumbers], segment_ids: set[str], dropped: Mapping[str, RowNumbers]
) -> BySegment:
    left = {
        name: np.setdiff1d(rows[name], dropped.get(name, NO_ROWS))
        for name in segment_ids & rows.keys()
    }
    return {name: numbers for name, numbers in left.items() if len(numbers)}


def settled(core: Core, inputs: Sequence[SegmentRow]) -> dict[str, RowNumbers]:
    """Returns the rows of segments whose later version is in a segment, by segment id."""
    with core.lock:
        known = core.replaced.settled
        return {row.segment_id: known[row.segment_id] for row in inputs if row.segment_id in known}


def forget(core: Core, segment_ids: Collection[str]) -> None:
    """Forgets what is marked of segments that are gone. The caller holds the gate alone and the store's lock."""
    core.replaced.drop(segment_ids)
    for memtable in memtables(core):
        for segment_id in segment_ids:
            memtable.replacing.pop(segment_id, None)


def memtables(core: Core) -> list[Memtable]:
    """Returns every memtable, frozen ones too. The caller holds the store's lock."""
    return [
        memtable
        for generation in (*core.frozen, core.generation)
        for memtable in generation.memtables()
    ]


def next_to_drop(core: Core, *, full: bool) -> list[SegmentRow]:
    """Returns the segment with most settled rows, alone in a list; with `full`, also where they are few."""
    with core.lock:
        counts = {name: len(rows) for name, rows in core.replaced.settled.items()}
        rows = [core.index.get(name) for name in counts]
    worth = [
        row
        for row in rows
        if row is not None
        and counts[row.segment_id]
        and (full or counts[row.segment_id] >= row.rows * DROP_SHARE)
    ]
    return [max(worth, key=lambda row: counts[row.segment_id])] if worth else []
