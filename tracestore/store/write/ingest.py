"""The write path: a request becomes rows of memtables and a frame of the log, then durable, then visible.

1. shred into the builders, under the memtables' locks; a broken payload is refused here
2. append the frame, still under them, so that rows and frames have one order
3. sync, shared with all requests waiting
4. make the rows visible, and hide those that they replace; only then does the caller answer

Shredding comes before the log so that a payload that cannot be shredded is never replayed. A request is inside the
gate until its rows are visible, so that whoever holds the gate alone finds no replacement under way: where an earlier
version stands was looked up in 1, and a flush or a merge moves it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from tracestore.store.core import Core
from tracestore.store.memory.memtable import Memtable
from tracestore.store.segments.replaced_rows import NO_ROWS
from tracestore.store.wal.frames import Frame
from tracestore.store.write import costs, flush, versions
from tracestore.store.write.ingest_report import IngestReport
from tracestore.store.write.versions import Arrived
from tracestore.variant import Report, Shredder

EARLY_NS: Final = 100_000_000_000_000_000
"""March 1973. Milliseconds and microseconds of today, taken as nanoseconds, lie before it."""

DURATION: Final = "duration_ns"


@dataclass(frozen=True, slots=True)
class ProjectPart:
    """The part of a request that goes to one project.

    Attributes:
        append: shreds it.
        payload: the whole request, decompressed.
        has_calls: whether its rows are spans that may be calls of models.
    """

    project: str
    append: Callable[[Shredder], Report]
    payload: bytes = b""
    has_calls: bool = False


def write(core: Core, frame: Frame, parts: Sequence[ProjectPart]) -> IngestReport:
    """Stores a request; on return its rows are durable (durability "sync") and visible.

    Raises PayloadError, StorageFullError (nothing was stored), or StoreFailedError (the store must
    be reopened; whether the request was stored is unknown, as after a crash).
    """
    wal = core.require_writable()
    if frame.table == "spans":
        core.load_recent()
    flush.make_room(core)
    with core.gate.shared():
        core.require_writable()
        owners = sorted((frame.table, part.project) for part in parts)
        by_project = {part.project: part for part in parts}
        memtables = [core.generation.memtable(owner) for owner in owners]
        with contextlib.ExitStack() as locks:
            for memtable in memtables:
                locks.enter_context(memtable.lock)
            report, number, arrivals = _append(
                core, frame, [(m, by_project[m.project]) for m in memtables]
            )
        if core.settings.durability == "sync":
            wal.sync(number)
        for memtable, arrived in zip(memtables, arrivals, strict=True):
            versions.restore_patches(core, memtable, arrived)
        core.publish(memtables, number)
    flush.after_write(core)
    return report


def shred(core: Core, memtable: Memtable, part: ProjectPart) -> tuple[IngestReport, Arrived | None]:
    """Appends a part to a builder; returns the report, and what became of rows that have an identity.

    The caller holds the memtable's lock.
    """
    shredder = memtable.shredder
    start = shredder.rows
    result = part.append(shredder)
    report = IngestReport(
        rejected=result.rejected,
        rejected_rows=result.rejected_rows,
        repaired_strings=result.repaired_strings,
        spilled_values=result.spilled_values,
    )
    added = shredder.rows - start
    if added and part.has_calls:
        costs.add_costs(shredder, start, core.settings.prices)
    report.rows = added
    if added:
        _note_odd_times(memtable, start, report)
    if not added or not memtable.spec.key_columns:
        return report, None
    arrived = versions.sort_out(core, memtable, start)
    report.rows -= len(arrived.hidden)
    report.duplicates = arrived.copies
    report.replaced = arrived.versions
    return report, arrived


def _note_odd_times(memtable: Memtable, start: int, report: IngestReport) -> None:
    """Counts times that are kept as they came and are hardly meant so."""
    spec, shredder = memtable.spec, memtable.shredder
    report.early = _count_below(shredder.fixed_column(spec.time_ns_column, start), EARLY_NS)
    if DURATION in spec.columns:
        report.negative = _count_below(shredder.fixed_column(DURATION, start), 0)


def _count_below(column: pa.Array, bound: int) -> int:
    """Returns how many integers of a column are less than a bound; nulls are not."""
    # By its buffers: to_numpy and comparisons have pyarrow import pandas, 40 MB and 0.1 s.
    _, data = column.buffers()
    if data is None:
        return 0
    below = np.frombuffer(data, np.int64, len(column), column.offset * 8) < bound
    if column.null_count:
        below &= column.is_valid().to_numpy(zero_copy_only=False)
    return int(np.count_nonzero(below))


def note(memtable: Memtable, frame: int, arrived: Arrived | None) -> None:
    """Notes the rows of a part whose frame is in the log. The caller holds the memtable's lock."""
    if arrived is None:
        memtable.note_appended(frame, NO_ROWS)
        return
    arrived.note(memtable)
    memtable.note_appended(frame, arrived.hidden, arrived.replaced)


def _append(
    core: Core, frame: Frame, parts: Sequence[tuple[Memtable, ProjectPart]]
) -> tuple[IngestReport, int, list[Arrived | None]]:
    wal = core.require_writable()
    total = IngestReport()
    starts = [(memtable, memtable.shredder.rows) for memtable, _ in parts]
    arrivals: list[Arrived | None] = []
    reports: list[IngestReport] = []
    try:
        for memtable, part in parts:
            report, arrived = shred(core, memtable, part)
            arrivals.append(arrived)
            reports.append(report)
            total.add_project(report)
        # A request of re-sent spans only needs no frame, but the spans it repeats must be durable
        # before it is answered: it waits for the newest frame.
        number = wal.append(frame) if total.rows else wal.appended
    except BaseException:
        for position, (memtable, start) in enumerate(starts):
            _take_back(core, memtable, start, *arrivals[position : position + 1])
        raise
    for (memtable, _), arrived, report in zip(parts, arrivals, reports, strict=True):
        note(memtable, number, arrived)
        core.counts.add_rows(
            frame.table,
            memtable.project,
            accepted=report.rows,
            duplicate=report.duplicates,
            replaced=report.replaced,
        )
        core.counts.add_odd(
            frame.table, memtable.project, early=report.early, negative=report.negative
        )
    if total.rejected_rows:
        # Each part refuses the same rows: of a request of several projects they count as of the first.
        reasons = (reason for _, _, reason in total.rejected)
        core.counts.add_refused(frame.table, parts[0][0].project, reasons, total.rejected_rows)
    return total, number, arrivals


def _take_back(core: Core, memtable: Memtable, start: int, arrived: Arrived | None = None) -> None:
    """Hides the rows of a refused request and forgets their spans, so that it may be sent again."""
    if memtable.shredder.rows == start:
        return
    if arrived is not None:
        core.recent.take_back(arrived.seen)
    memtable.hide_from(start)
