"""Folds patches in: a rewrite merges them into their rows, and the same transaction drops them from the log.

A patch whose span is in more places than the rewrite takes (a copy that is not merged away yet) stays in the log,
and is not merged into one of the copies: else it would be applied twice there.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.errors import CorruptionError, StoreMissingError
from tracestore.store.catalog import patch_table
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core
from tracestore.store.memory.span_keys import span_keys
from tracestore.store.patches.log import Patch, PatchesByRow, PatchPrefix
from tracestore.store.rewrite.predicate import Predicate
from tracestore.store.segments.replaced_rows import NO_ROWS, RowNumbers

FOLD_SHARE: Final = 0.01
"""Share of patched rows above which a segment is rewritten at once, since every patched row makes reads slower."""

FOLD_AFTER_S: Final = 300.0
"""Age of a patch and of its segment, in seconds, from which on fewer patches are folded: most scores come in waves."""

_TABLE: Final = "spans"


class Folding:
    """The patches that a rewrite of segments merges into rows, as of one moment.

    Attributes:
        gone: their times.
    """

    def __init__(self, core: Core, inputs: Sequence[SegmentRow]) -> None:
        self.gone: frozenset[int] = frozenset()
        self._by_segment: dict[str, dict[int, tuple[Patch, ...]]] = {}
        if not inputs or inputs[0].table != _TABLE:
            return
        with core.lock:
            patches = core.patches.of_project(inputs[0].project)
        if patches is None:
            return
        for row in inputs:
            self._by_segment[row.segment_id] = _of_counting_rows(core, row, patches)
        spans = {
            (patch.trace_id, patch.span_id): patch.created_ns
            for rows in self._by_segment.values()
            for row_patches in rows.values()
            for patch in row_patches
        }
        elsewhere = _elsewhere(core, inputs, list(spans))
        gone: set[int] = set()
        for rows in self._by_segment.values():
            for number, row_patches in list(rows.items()):
                if (row_patches[0].trace_id, row_patches[0].span_id) in elsewhere:
                    del rows[number]
                else:
                    gone |= {patch.created_ns for patch in row_patches}
        self.gone = frozenset(gone)

    def gone_without(self, rows: Mapping[str, RowNumbers]) -> frozenset[int]:
        """Returns the times of the patches but those of some rows, which a version took the place of meanwhile."""
        kept = {
            patch.created_ns
            for segment_id, numbers in rows.items()
            for number in numbers.tolist()
            for patch in self._by_segment.get(segment_id, {}).get(number, ())
        }
        return self.gone - kept

    def of(self, row: SegmentRow) -> PatchesByRow:
        """Returns a segment's patches by row number."""
        return self._by_segment.get(row.segment_id, {})


def next_fold(core: Core, *, full: bool) -> list[SegmentRow]:
    """Returns the segment with most patches to fold, alone in a list; with `full`, also where they are few."""
    with core.lock:
        owners = dict(core.patches.view(None).by_project)
        groups = core.index.groups(_TABLE, owners) if owners else {}
    rows = itertools.chain.from_iterable(group.each() for group in groups.values())
    now_ns = core.clock.now_ns()
    best: list[SegmentRow] = []
    most = 0
    for row in rows:
        try:
            by_row = _of_counting_rows(core, row, owners[row.project])
        except (CorruptionError, StoreMissingError):
            continue  # whoever merges or asks it reports it
        worth = len(by_row) > most and (full or _is_due(row, by_row, now_ns))
        # Copies elsewhere may leave nothing to fold.
        if worth and Folding(core, [row]).gone:
            best, most = [row], len(by_row)
    return best


def of_segments(core: Core, rows: Iterable[SegmentRow]) -> frozenset[int]:
    """Returns the patches of the rows of segments that are to be dropped whole."""
    gone: set[int] = set()
    by_project: dict[str, list[SegmentRow]] = {}
    for row in rows:
        if row.table == _TABLE:
            by_project.setdefault(row.project, []).append(row)
    for members in by_project.values():
        with contextlib.suppress(CorruptionError, StoreMissingError):
            gone |= Folding(core, members).gone
    return frozenset(gone)


def of_predicate(core: Core, predicate: Predicate) -> frozenset[int]:
    """Returns the patches that a delete names by their ids; also those whose span never came."""
    names = {name for name, _, _ in predicate.conditions}
    if _TABLE not in predicate.tables or not names <= {"project", "trace_id", "span_id"}:
        return frozenset()
    with core.lock:
        patches = core.patches.all()
    patches = [patch for patch in patches if predicate.project in (None, patch.project)]
    table = pa.table(
        {
            name: pa.array([getattr(patch, name) for patch in patches], pa.string())
            for name in ("project", "trace_id", "span_id")
        }
    )
    mask = predicate.mask(table)
    return frozenset(patches[at].created_ns for at in np.flatnonzero(mask).tolist())


def forget_folded(core: Core, project: str, removed: pa.Table) -> None:
    """Drops what was folded into rows that are deleted, given their ids."""
    with core.catalog.writing() as connection:
        folded = patch_table.all_folded_in(connection, project)
        if not folded:
            return
        traces = pa.array([trace_id for _, trace_id, _ in folded], pa.string())
        near = pc.is_in(traces, value_set=removed.column("trace_id").combine_chunks())
        near_traces = traces.filter(near)
        spans = removed.filter(pc.is_in(removed.column("trace_id"), value_set=near_traces))
        gone = set(zip(spans["trace_id"].to_pylist(), spans["span_id"].to_pylist(), strict=True))
        patch_table.delete_in(
            connection, [created_ns for created_ns, *span in folded if tuple(span) in gone]
        )


def before(core: Core, project: str, cutoff_ns: int) -> frozenset[int]:
    """Returns the patches of a project that are older than a time."""
    with core.lock:
        known = core.patches.of_project(project)
        patches = list(known.owner.patches) if known is not None else []
    return frozenset(patch.created_ns for patch in patches if patch.created_ns < cutoff_ns)


def _is_due(row: SegmentRow, by_row: PatchesByRow, now_ns: int) -> bool:
    if len(by_row) >= row.rows * FOLD_SHARE:
        return True
    if not by_row or (now_ns - row.created_ns) / 1e9 < FOLD_AFTER_S:
        return False
    oldest = min(patches[0].created_ns for patches in by_row.values())
    return (now_ns - oldest) / 1e9 >= FOLD_AFTER_S


def _of_counting_rows(
    core: Core, row: SegmentRow, patches: PatchPrefix
) -> dict[int, tuple[Patch, ...]]:
    """Returns the patches of a segment's rows, those without which a later version took the place of."""
    path = core.segments.files.local(row.file_key)
    by_row = dict(core.patch_lookup.patches_by_row(row.segment_id, path, patches))
    with core.lock:
        replaced = core.replaced.all.get(row.segment_id, NO_ROWS)
    for number in replaced.tolist():
        by_row.pop(number, None)
    return by_row


def _elsewhere(
    core: Core, inputs: Sequence[SegmentRow], spans: list[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Returns which spans have a copy outside of the segments that are rewritten.

    A copy has the time of its original: only segments that overlap the inputs in time can hold one.
    """
    if not spans:
        return set()
    keys = span_keys(
        pa.array([trace_id for trace_id, _ in spans], pa.string()),
        pa.array([span_id for _, span_id in spans], pa.string()),
        core.patches.seed,
    )
    project = inputs[0].project
    low = min(row.min_time_ns for row in inputs)
    high = max(row.max_time_ns for row in inputs)
    mine = {row.segment_id for row in inputs}
    with core.lock:
        group = core.index.groups(_TABLE, [project]).get(project)
        replaced = core.replaced.all
        memory = [
            memtable.mark()
            for generation in (*core.frozen, core.generation)
            for memtable in generation.memtables()
            if memtable.table == _TABLE and memtable.project == project and memtable.visible
        ]
    near = () if group is None else group.in_range((low, high + 1))
    others = [row for row in near if row.segment_id not in mine]
    positions: set[int] = set()
    for row in others:
        with contextlib.suppress(CorruptionError, StoreMissingError):
            path = core.segments.files.local(row.file_key)
            at, rows = core.patch_lookup.find_in_segment(row.segment_id, path, keys)
            counts = ~np.isin(rows, replaced.get(row.segment_id, NO_ROWS))
            positions |= set(at[counts].tolist())
    for mark in memory:
        for chunk in mark.read():
            positions |= set(core.patch_lookup.find_in_chunk(chunk, keys)[0].tolist())
    return {spans[position] for position in positions}
