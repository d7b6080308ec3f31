"""The write path: a request becomes rows of memtables and a frame of the log, then durable, then visible.

1. shred into the builders, under the memtables' locks; a broken payload is refused here
2. append the frame, still under them, so that rows and frames have one order
3. sync, shared with all requests waiting
4. make the rows visible; only then does the caller answer

Shredding comes before the log so that a payload that cannot be shredded is never replayed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tracestore.store.core import Core
from tracestore.store.memory.memtable import Memtable, RowNumbers
from tracestore.store.wal.frames import Frame
from tracestore.store.write import flush
from tracestore.store.write.ingest_report import IngestReport
from tracestore.variant import Report, Shredder


@dataclass(frozen=True, slots=True)
class ProjectPart:
    """The part of a request that goes to one project.

    Attributes:
        append: shreds it.
        payload: the whole request, decompressed.
    """

    project: str
    append: Callable[[Shredder], Report]
    payload: bytes = b""


def write(core: Core, frame: Frame, parts: Sequence[ProjectPart]) -> IngestReport:
    """Stores a request; on return its rows are durable (durability "sync") and visible.

    Raises PayloadError, StorageFullError (nothing was stored), or StoreFailedError (the store must
    be reopened; whether the request was stored is unknown, as after a crash).
    """
    wal = core.require_writable()
    if frame.table == "spans":
        core.recent.load()
    flush.make_room(core)
    with core.gate.shared():
        core.require_writable()
        owners = sorted((frame.table, part.project) for part in parts)
        by_project = {part.project: part for part in parts}
        memtables = [core.generation.memtable(owner) for owner in owners]
        with contextlib.ExitStack() as locks:
            for memtable in memtables:
                locks.enter_context(memtable.lock)
            report, number = _append(core, frame, [(m, by_project[m.project]) for m in memtables])
    if core.settings.durability == "sync":
        wal.sync(number)
    publish(core, memtables, number)
    flush.after_write(core)
    return report


def publish(core: Core, memtables: Sequence[Memtable], frame: int) -> None:
    """Makes the rows of frames up to `frame` visible to the next snapshot."""
    with core.lock:
        for memtable in memtables:
            memtable.publish(frame)


def shred(core: Core, memtable: Memtable, part: ProjectPart) -> tuple[IngestReport, RowNumbers]:
    """Appends a part to a builder; returns the report and the rows that do not count.

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
    hidden: RowNumbers = np.empty(0, np.int64)
    if added and memtable.spec.key_columns:
        ids = (shredder.fixed_column(name, start) for name in memtable.spec.key_columns)
        fresh = core.recent.add(memtable.project, *ids)
        hidden = np.flatnonzero(~fresh) + start
    report.duplicates = len(hidden)
    report.rows = added - len(hidden)
    return report, hidden


def _append(
    core: Core, frame: Frame, parts: Sequence[tuple[Memtable, ProjectPart]]
) -> tuple[IngestReport, int]:
    wal = core.require_writable()
    total = IngestReport()
    starts = [(memtable, memtable.shredder.rows) for memtable, _ in parts]
    hidden: list[RowNumbers] = []
    try:
        for memtable, part in parts:
            report, rows = shred(core, memtable, part)
            hidden.append(rows)
            total.add_project(report)
        # A request of re-sent spans only needs no frame, but the spans it repeats must be durable
        # before it is answered: it waits for the newest frame.
        number = wal.append(frame) if total.rows else wal.appended
    except BaseException:
        for position, (memtable, start) in enumerate(starts):
            _take_back(core, memtable, start, hidden[position] if position < len(hidden) else None)
        raise
    for (memtable, _), rows in zip(parts, hidden, strict=True):
        memtable.note_appended(number, rows)
    return total, number


def _take_back(core: Core, memtable: Memtable, start: int, hidden: RowNumbers | None) -> None:
    """Hides the rows of a refused request and forgets their keys, so that it may be sent again."""
    shredder = memtable.shredder
    if shredder.rows == start:
        return
    if memtable.spec.key_columns and hidden is not None:
        fresh = np.setdiff1d(np.arange(start, shredder.rows), hidden) - start
        columns = {name: shredder.fixed_column(name, start) for name in memtable.spec.key_columns}
        core.recent.forget(memtable.project, pa.table(columns).take(pa.array(fresh)))
    memtable.hide_from(start)
