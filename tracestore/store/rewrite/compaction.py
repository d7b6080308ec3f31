"""Merges segments: those that `policy` chooses, and those with many patches or replaced rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from tracestore.store.catalog.changes import LeaseLostError
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core
from tracestore.store.files import filenames
from tracestore.store.nodes.leases import TakenError
from tracestore.store.rewrite.patch_folding import next_fold
from tracestore.store.rewrite.policy import MergePolicy
from tracestore.store.rewrite.replaced_folding import next_to_drop
from tracestore.store.rewrite.rewrite import DamagedInputError, Rewritten, rewrite

BUSY_S: Final = 20.0
"""Seconds after a flush of a full memtable for which the store counts as busy: rows come at some megabytes a second."""


Day = tuple[str, str, int]
"""A table, a project and a day. Of several nodes one at a time rewrites its segments."""


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
    taken: set[Day] = set()
    while True:
        with core.maintenance:
            core.require_writable()
            inputs = _next(core, full=full, taken=taken)
            if not inputs:
                return report
            try:
                report.add(rewrite(core, inputs))
            except DamagedInputError as error:
                core.quarantine(error.row, str(error.cause))
                report.quarantined += 1
            except (TakenError, LeaseLostError):
                taken.add(_day_of(inputs[0]))


def compact_once(core: Core) -> bool:
    """Does the one merge that is most worth it; returns whether there was one. While the store is busy, few are."""
    taken: set[Day] = set()
    with core.maintenance:
        while inputs := _next(core, busy=_is_busy(core), taken=taken):
            try:
                rewrite(core, inputs)
            except DamagedInputError as error:
                core.quarantine(error.row, str(error.cause))
            except (TakenError, LeaseLostError):
                taken.add(_day_of(inputs[0]))
                continue
            return True
    return False


def _is_busy(core: Core) -> bool:
    since_s = core.full_flush_s
    return since_s is not None and core.clock.elapsed_s() - since_s < BUSY_S


def _day_of(row: SegmentRow) -> Day:
    return row.table, row.project, row.day


def _next(
    core: Core, *, full: bool = False, busy: bool = False, taken: Collection[Day] = ()
) -> Sequence[SegmentRow]:
    """Returns the segments to rewrite next, none where nothing is worth it; none of days that are taken."""
    inputs = _next_merge(core, full=full, busy=busy, taken=taken)
    # One alone is worth it for its patches, or its replaced rows.
    alone = inputs or next_fold(core, full=full) or next_to_drop(core, full=full)
    return [] if taken and alone and _day_of(alone[0]) in taken else alone


def _next_merge(
    core: Core, *, full: bool, busy: bool, taken: Collection[Day]
) -> Sequence[SegmentRow]:
    """Returns the segments to merge next; days that were found quiet are not looked at before something changes."""
    policy = MergePolicy.of(core.settings)
    now_ns = core.clock.now_ns()
    today = filenames.day_of(now_ns)
    with core.lock:
        days = core.index.days()
    best: Sequence[SegmentRow] = ()
    for owner, day in days:
        if len(day) < 2 or (*owner, day.day) in taken or (not full and day.quiet_on == today):
            continue
        rows = day.each()
        inputs = (
            policy.next_full_merge(rows)
            if full
            else policy.next_merge(rows, now_ns=now_ns, busy=busy)
        )
        if not (inputs or full or busy):
            # Another segment makes another day of it, and its end another rule.
            day.quiet_on = today
        if len(inputs) > len(best):
            best = inputs
    return best
