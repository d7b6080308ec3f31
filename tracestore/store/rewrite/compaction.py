"""Chooses which segments are merged: several of like size, of one table, project and day.

A segment of at least half of what one merge may hold is full and is left alone, so that every row is
rewritten a few times at most.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tracestore import limits
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core
from tracestore.store.files import filenames
from tracestore.store.rewrite.patch_folding import next_fold
from tracestore.store.rewrite.replaced_folding import next_to_drop
from tracestore.store.rewrite.rewrite import DamagedInputError, Rewritten, rewrite, slices_of

# Each tier holds segments up to four times as large as the one below it.
_TIER_FACTOR: Final = 4
_FIRST_TIER_BYTES: Final = 1024 * 1024

# Inputs of one merge hold at most this many times what one builder may hold: they are read and
# written a slice at a time, but their time columns are held together.
_MAX_SLICES: Final = 4

# On a day that is over, two segments are worth a merge: no more will come to wait for.
_CLOSED_MIN_INPUTS: Final = 2


@dataclass(slots=True)
class CompactionReport:
    """The result of a compaction."""

    merges: int = 0
    inputs: int = 0
    outputs: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    dropped_rows: int = 0
    quarantined: int = 0

    def add(self, done: Rewritten) -> None:
        """Counts one merge."""
        self.merges += 1
        self.inputs += done.inputs
        self.outputs += done.outputs
        self.input_bytes += done.input_bytes
        self.output_bytes += done.output_bytes
        self.dropped_rows += done.input_rows - done.output_rows


def compact(core: Core, *, full: bool = False) -> CompactionReport:
    """Merges until nothing is worth merging; `full` merges whatever is not one segment a day.

    Patches are folded in on the way; segments with many of them are rewritten alone. A damaged input is
    quarantined and the rest merged without it.
    """
    core.require_writable()
    report = CompactionReport()
    tried: set[frozenset[str]] = set()
    while True:
        with core.maintenance:
            core.require_writable()
            inputs = choose(core, full=full, tried=tried) or _next_alone(core, full=full)
            if not inputs:
                return report
            tried.add(frozenset(row.segment_id for row in inputs))
            try:
                report.add(rewrite(core, inputs))
            except DamagedInputError as error:
                core.quarantine(error.row, str(error.cause))
                report.quarantined += 1


def compact_once(core: Core) -> bool:
    """Does the one merge that is most worth it; returns whether there was one."""
    with core.maintenance:
        inputs = choose(core, full=False, tried=set()) or _next_alone(core, full=False)
        if not inputs:
            return False
        try:
            rewrite(core, inputs)
        except DamagedInputError as error:
            core.quarantine(error.row, str(error.cause))
        return True


def _next_alone(core: Core, *, full: bool) -> list[SegmentRow]:
    """Returns a segment that is worth a rewrite of its own: for its patches, or its replaced rows."""
    return next_fold(core, full=full) or next_to_drop(core, full=full)


def choose(core: Core, *, full: bool, tried: set[frozenset[str]]) -> list[SegmentRow]:
    """Returns the segments to merge next, none where nothing is worth it."""
    today = filenames.day_of(core.clock.now_ns())
    with core.lock:
        rows = core.index.rows()
    best: list[SegmentRow] = []
    for (_, _, day), members in _by_day(rows).items():
        minimum = core.settings.compaction_min_inputs
        if full or day < today:
            minimum = _CLOSED_MIN_INPUTS
        candidates = members if full else [row for row in members if not is_full(core, row)]
        groups = [candidates] if full or day < today else _by_tier(candidates)
        for group in groups:
            inputs = _bounded(core, group)
            known = frozenset(row.segment_id for row in inputs) in tried
            fewer = slices_of(core, inputs) < len(inputs)  # else merging would never end
            if len(inputs) >= minimum and len(inputs) > len(best) and fewer and not known:
                best = inputs
    return best


def is_full(core: Core, row: SegmentRow) -> bool:
    """Returns whether a segment is as large as merging makes it."""
    settings = core.settings
    return (
        row.rows * 2 >= settings.compaction_unit_rows
        or row.raw_bytes * 2 >= settings.compaction_unit_bytes
        or row.bytes >= limits.COMPACTION_TARGET_BYTES
    )


def _by_day(rows: Iterable[SegmentRow]) -> dict[tuple[str, str, int], list[SegmentRow]]:
    groups: dict[tuple[str, str, int], list[SegmentRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.segment_id):
        groups[row.table, row.project, row.day].append(row)
    return groups


def _by_tier(rows: Iterable[SegmentRow]) -> list[list[SegmentRow]]:
    tiers: dict[int, list[SegmentRow]] = defaultdict(list)
    for row in rows:
        ratio = max(row.bytes / _FIRST_TIER_BYTES, 1.0)
        tiers[int(math.log(ratio, _TIER_FACTOR))].append(row)
    return [tiers[tier] for tier in sorted(tiers)]


def _bounded(core: Core, rows: list[SegmentRow]) -> list[SegmentRow]:
    """Returns the oldest segments that one merge may take together."""
    settings = core.settings
    chosen: list[SegmentRow] = []
    row_sum = byte_sum = 0
    for row in rows[: limits.COMPACTION_MAX_INPUTS]:
        row_sum += row.rows
        byte_sum += row.raw_bytes
        too_many = row_sum > settings.compaction_unit_rows * _MAX_SLICES
        too_large = byte_sum > settings.compaction_unit_bytes * _MAX_SLICES
        if chosen and (too_many or too_large):
            break
        chosen.append(row)
    return chosen
