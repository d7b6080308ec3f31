"""Deletes rows for good: noted in the catalog, then every segment that holds such rows is rewritten.

1. note the delete                          crash after: the next open goes on with 2
2. flush, so that rows in memory are in segments
3. rewrite segment by segment, patches of
   rows that go with them                   crash after: the next open goes on; rewriting twice is harmless
4. note that it is finished
The old files go when no snapshot needs them any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tracestore.errors import CorruptionError, StoreMissingError
from tracestore.segment.read import SegmentFile
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.catalog.catalog import Change
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core
from tracestore.store.rewrite import garbage, patch_folding, predicate, row_set
from tracestore.store.rewrite.predicate import Predicate
from tracestore.store.rewrite.rewrite import DamagedInputError, rewrite
from tracestore.store.rewrite.row_set import RowSet
from tracestore.store.write import flush


@dataclass(frozen=True, slots=True)
class DeleteReport:
    """The result of a delete. `faults` name segments that could not be read and may hold such rows."""

    rows: int
    segments: int
    faults: tuple[str, ...]


def delete(core: Core, predicate: Predicate) -> DeleteReport:
    """Removes the rows that match a predicate now. Rows that come later stay."""
    core.require_writable()
    with core.maintenance:
        now_ns = core.clock.now_ns()
        delete_id = core.ulids.make(now_ns)
        core.catalog.add_delete(delete_id, predicate.encode(), now_ns)
        return apply(core, delete_id, predicate)


def delete_rows(core: Core, find: Callable[[], RowSet]) -> DeleteReport:
    """Removes rows by number.

    Args:
        core: the store's parts.
        find: finds them in segments; no segment is merged away meanwhile. Rows that come meanwhile stay.
    """
    core.require_writable()
    with core.maintenance:
        flush.flush(core)
        gone = find()
        if not gone.rows:
            return DeleteReport(0, 0, ())
        now_ns = core.clock.now_ns()
        delete_id = core.ulids.make(now_ns)
        core.catalog.add_delete(delete_id, gone.encode(), now_ns)
        return apply_rows(core, delete_id, gone)


def resume(core: Core) -> None:
    """Finishes deletes that an earlier process began."""
    with core.maintenance:
        for pending in core.catalog.pending_deletes():
            rows = row_set.decode(pending.predicate)
            if rows is not None:
                apply_rows(core, pending.delete_id, rows)
            else:
                apply(core, pending.delete_id, predicate.decode(pending.predicate))


def apply_rows(core: Core, delete_id: str, gone: RowSet) -> DeleteReport:
    """Does a delete by numbers that the catalog has noted. The caller holds `core.maintenance`.

    A segment that is not there any more was rewritten already, before a crash.
    """
    with core.lock:
        found = [core.index.get(segment_id) for segment_id in gone.numbers]
    faults = []
    rows = segments = 0
    for row in found:
        if row is None:
            continue
        try:
            _remove_rows(core, row, gone)
        except DamagedInputError as error:
            core.quarantine(error.row, str(error.cause))
            faults.append(row.file_key)
            continue
        rows += len(gone.numbers[row.segment_id])
        segments += 1
    core.catalog.commit(
        Change(finished_delete=delete_id, deleted_rows=rows, now_ns=core.clock.now_ns())
    )
    core.version = core.catalog.version()
    return DeleteReport(rows, segments, tuple(faults))


def _remove_rows(core: Core, row: SegmentRow, gone: RowSet) -> None:
    numbers = gone.numbers[row.segment_id]
    keys = list(SEGMENT_TABLES[row.table].key_columns)
    removed = _read(core, row, keys).take(pa.array(numbers)) if keys else None
    if len(numbers) == row.rows:
        drop_whole(core, [row])
    else:
        rewrite(core, [row], gone=gone)
    if removed is not None:
        core.recent.forget(row.project, removed)


def apply(core: Core, delete_id: str, predicate: Predicate) -> DeleteReport:
    """Does a delete that the catalog has noted. The caller holds `core.maintenance`."""
    flush.flush(core)
    with core.lock:
        candidates = [row for row in core.index.rows() if predicate.may_match(row)]
    rows = segments = 0
    for row in candidates:
        try:
            gone = remove_matching(core, row, predicate)
        except DamagedInputError as error:
            core.quarantine(error.row, str(error.cause))
            continue
        rows += gone
        segments += gone > 0
    if predicate.is_whole_project and predicate.project is not None:
        core.catalog.forget_project(predicate.project)
    folded = patch_folding.of_predicate(core, predicate)
    core.catalog.commit(
        Change(
            finished_delete=delete_id,
            deleted_rows=rows,
            now_ns=core.clock.now_ns(),
            folded=folded,
        )
    )
    with core.lock:
        core.patches.remove(folded)
    core.version = core.catalog.version()
    with core.lock:
        unread = [row for row in core.quarantined.values() if predicate.may_match(row)]
    return DeleteReport(rows, segments, tuple(row.file_key for row in unread))


def remove_matching(core: Core, row: SegmentRow, predicate: Predicate) -> int:
    """Removes the rows that match a predicate from one segment; returns how many there were."""
    spec = SEGMENT_TABLES[row.table]
    columns = list(dict.fromkeys([*predicate.columns(row.table), *spec.key_columns]))
    table = _read(core, row, columns)
    mask = predicate.mask(table)
    gone = int(np.count_nonzero(mask))
    if gone == row.rows:
        drop_whole(core, [row])
    elif gone:
        rewrite(core, [row], predicate.mask)
    if gone and spec.key_columns:
        core.recent.forget(row.project, table.filter(pa.array(mask)))
    return gone


def _read(core: Core, row: SegmentRow, columns: list[str]) -> pa.Table:
    try:
        with SegmentFile(core.segments.files.local(row.file_key)) as file:
            return file.columns(columns)
    except (CorruptionError, StoreMissingError) as error:
        raise DamagedInputError(row, error) from error


def drop_whole(core: Core, rows: list[SegmentRow]) -> None:
    """Takes segments out of the catalog; their files go after their last reader."""
    gone = patch_folding.of_segments(core, rows)
    change = Change(removed=rows, now_ns=core.clock.now_ns(), folded=gone)
    applied = core.catalog.commit(change)
    with core.lock:
        core.index.apply((), [row.segment_id for row in rows])
        core.version = applied.version
        core.patches.remove(gone)
    core.forget_segments([row.segment_id for row in rows])
    garbage.collect(core)
