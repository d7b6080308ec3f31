"""Counts of what an open store holds and has done."""

from __future__ import annotations

from dataclasses import dataclass

from tracestore.store.core import Core


@dataclass(frozen=True, slots=True)
class StoreStats:
    """A store's state in numbers.

    Attributes:
        segments, segment_rows, segment_bytes: live segments, sidecars included in the bytes.
        quarantined: segments that are left out since they are damaged.
        memory_rows, memory_bytes: rows in no segment yet, and what the builders hold for them.
        wal_bytes: bytes of the open log file; wal_syncs: its fdatasync calls so far.
        recent_key_bytes: memory that recognizes re-sent spans.
        snapshots: segments that open snapshots keep alive.
        replayed_rows: rows of the log that were read again when it was opened.
        faults: files that are not as they should be; `check` names them.
        lost_log_bytes: bytes of the log that could not be read again, whose rows are lost.
    """

    segments: int
    segment_rows: int
    segment_bytes: int
    quarantined: int
    memory_rows: int
    memory_bytes: int
    wal_bytes: int
    wal_syncs: int
    recent_key_bytes: int
    snapshots: int
    replayed_rows: int
    faults: int
    lost_log_bytes: int


def collect(core: Core) -> StoreStats:
    """Returns the numbers as of now."""
    core.require_open()
    with core.lock:
        totals = core.index.totals
        generations = [*core.frozen, core.generation]
        pins = len(core.pins)
    wal = core.wal
    return StoreStats(
        segments=totals.segments,
        segment_rows=totals.rows,
        segment_bytes=totals.bytes,
        quarantined=len(core.quarantined),
        memory_rows=sum(generation.rows for generation in generations),
        memory_bytes=sum(generation.nbytes for generation in generations),
        wal_bytes=wal.file_bytes if wal is not None else 0,
        wal_syncs=wal.syncs if wal is not None else 0,
        recent_key_bytes=core.recent.nbytes,
        snapshots=pins,
        replayed_rows=core.recovery.replayed_rows,
        faults=len(core.faults),
        lost_log_bytes=sum(damage.end - damage.offset for damage in core.recovery.damages),
    )
