"""Deletes rows for good: noted in the catalog, then every segment that holds such rows is rewritten.

1. note the delete                          crash after: the next open goes on with 2
2. flush, so that rows in memory are in segments
3. rewrite segment by segment, patches of
   rows that go with them                   crash after: the next open goes on; rewriting twice is harmless
4. note that it is finished
The old files go when no snapshot needs them any more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tracestore.errors import CorruptionError, StoreMissingError
from tracestore.segment.read import SegmentFile
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.catalog.catalog import Change
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core
from tracestore.store.rewrite import garbage, patch_folding, predicate
from tracestore.store.rewrite.predicate import Predicate
from tracestore.store.rewrite.rewrite import DamagedInputError, rewrite
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


def resume(core: Core) -> None:
    """Finishes deletes that an earlier process began."""
    with core.maintenance:
        for pending in core.catalog.pending_deletes():
            apply(core, pending.delete_id, predicate.decode(pending.predicate))


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
    try:
        with SegmentFile(core.segments.files.local(row.file_key)) as file:
            table = file.columns(columns)
    except (CorruptionError, StoreMissingError) as error:
        raise DamagedInputError(row, error) from error
    mask = predicate.mask(table)
    gone = int(np.count_nonzero(mask))
    if gone == row.rows:
        drop_whole(core, [row])
    elif gone:
        rewrite(core, [row], predicate.mask)
    if gone and spec.key_columns:
        core.recent.forget(row.project, table.filter(pa.array(mask)))
    return gone


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
