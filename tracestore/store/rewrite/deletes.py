"""Deletes rows for good: noted in the catalog, then every segment that holds such rows is rewritten.

1. note the delete                          crash after: the next open goes on with 2
2. flush, so that rows in memory are in segments
3. rewrite segment by segment, patches of
   rows that go with them                   crash after: the next open goes on; rewriting twice is harmless
4. note that it is finished
The old files go when no snapshot needs them any more.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.errors import CorruptionError, StoreMissingError
from tracestore.segment.read import SegmentFile
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.catalog.changes import Applied, Change, PendingDelete
from tracestore.store.catalog.nodes import missed_deletes
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core
from tracestore.store.nodes import leases
from tracestore.store.nodes.catch_up import catch_up
from tracestore.store.nodes.commits import commit
from tracestore.store.nodes.leases import EVERY_DAY, TakenError, holding_days
from tracestore.store.nodes.others import flush_others
from tracestore.store.rewrite import garbage, patch_folding, predicate, replaced_folding, row_set
from tracestore.store.rewrite.predicate import AnyOf, Predicate
from tracestore.store.rewrite.rewrite import DamagedInputError, require_live, rewrite
from tracestore.store.rewrite.row_set import RowSet
from tracestore.store.segments.replaced_rows import NO_ROWS
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
    with core.maintenance, leases.holding_all(core):
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
    with core.maintenance, leases.holding_all(core):
        flush.flush(core)
        unseen = _unseen(flush_others(core))
        _drop_replaced(core)
        gone = find()
        if not gone.rows:
            return DeleteReport(0, 0, unseen)
        now_ns = core.clock.now_ns()
        delete_id = core.ulids.make(now_ns)
        core.catalog.add_delete(delete_id, gone.encode(), now_ns)
        report = apply_rows(core, delete_id, gone)
        return dataclasses.replace(report, faults=(*report.faults, *unseen))


def _unseen(missed: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        f"node {name}: its rows that are in no segment are not looked at, since it did not write them: {why}"
        for name, why in sorted(missed.items())
    )


def _drop_replaced(core: Core) -> None:
    """Rewrites every segment with rows that a later version took the place of. The caller holds `core.maintenance`."""
    while inputs := replaced_folding.next_to_drop(core, full=True):
        try:
            rewrite(core, inputs)
        except DamagedInputError as error:
            core.quarantine(error.row, str(error.cause))


def resume(core: Core) -> None:
    """Finishes deletes that an earlier process began; of a node those alone that it has missed."""
    if core.node is not None:
        _apply_missed(core, core.node.name.node_id)
        return
    with core.maintenance:
        _finish_pending(core)


def resume_missed(core: Core) -> None:
    """Does the deletes of others that a node has missed while it was up: they did not reach it.

    What it takes until then is deleted too where it matches: nothing tells when a row of its log came.
    """
    node = core.node
    if node is not None and node.role != "query" and node.may_have_missed:
        node.may_have_missed = False
        try:
            _apply_missed(core, node.name.node_id)
        except Exception:
            node.may_have_missed = True
            raise


def resume_abandoned(core: Core) -> None:
    """Finishes deletes that a node began which is gone."""
    if core.node is not None and core.catalog.pending_deletes():
        # Who works on a delete has the lease.
        with core.maintenance, contextlib.suppress(TakenError), leases.holding(core, EVERY_DAY):
            catch_up(core)
            _finish_pending(core)


def _finish_pending(core: Core) -> None:
    for pending in core.catalog.pending_deletes():
        rows = row_set.decode(pending.predicate)
        if rows is not None:
            apply_rows(core, pending.delete_id, rows)
        else:
            apply(core, pending.delete_id, predicate.decode(pending.predicate))


def _apply_missed(core: Core, node_id: str) -> None:
    """Deletes what a node had in its log, and in no segment, when it did not answer deletes.

    All at once, and in the segments alone that are made of its log: rows of other nodes are there since, or the deletes
    have seen them.

    1. the log is flushed; with the deletes stands into which segments     crash after: the next time goes on from here
    2. the rows are removed from these                                     crash in between: as above, of what is left
    3. the deletes are done
    """
    if not _missed(core, node_id):
        return
    with core.maintenance, leases.holding_all(core):
        flush.flush(core)
        every = _missed(core, node_id)
        names = {name for _, segments in every for name in segments}
        with core.lock:
            rows = [row for name in names if (row := core.index.get(name)) is not None]
        gone = AnyOf(tuple(predicate.decode(missed.predicate) for missed, _ in every))
        for row in rows:
            matching = gone.that_may_match(row)
            if matching is not None:
                remove_matching(core, row, matching)
        with core.catalog.writing() as connection:
            for missed, _ in every:
                missed_deletes.forget_in(connection, missed.delete_id, node_id)


def _missed(core: Core, node_id: str) -> list[tuple[PendingDelete, list[str]]]:
    with core.catalog.transaction() as connection:
        return missed_deletes.read_in(connection, node_id)


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
    done = Change(finished_delete=delete_id, deleted_rows=rows, now_ns=core.clock.now_ns())
    commit(core, lambda: done)
    return DeleteReport(rows, segments, tuple(faults))


def _remove_rows(core: Core, row: SegmentRow, gone: RowSet) -> None:
    numbers = gone.numbers[row.segment_id]
    keys = list(SEGMENT_TABLES[row.table].key_columns)
    removed = _counting(core, row, _read(core, row, keys), numbers) if keys else None
    if len(numbers) == row.rows:
        drop_whole(core, [row])
    else:
        rewrite(core, [row], gone=gone)
    if removed is not None:
        _forget(core, row.project, removed)


def apply(core: Core, delete_id: str, predicate: Predicate) -> DeleteReport:
    """Does a delete that the catalog has noted. The caller holds `core.maintenance`."""
    flush.flush(core)
    missed = flush_others(core)
    if missed:
        with core.catalog.writing() as connection:
            missed_deletes.note_in(connection, delete_id, missed)
        # What these have flushed since they were asked is seen; what they flush from now on is noted as not seen.
        catch_up(core)
    # An earlier version may match where the later one does not, and the other way round: it goes as well.
    _drop_replaced(core)
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
    done = Change(
        finished_delete=delete_id, deleted_rows=rows, now_ns=core.clock.now_ns(), dropped=folded
    )
    commit(core, lambda: done, lambda _: core.patches.remove(folded))
    with core.lock:
        unread = [row for row in core.quarantined.values() if predicate.may_match(row)]
    faults = (*(row.file_key for row in unread), *_unseen(missed))
    return DeleteReport(rows, segments, faults)


def remove_matching(core: Core, row: SegmentRow, predicate: Predicate | AnyOf) -> int:
    """Removes the rows that match a predicate from one segment; returns how many there were."""
    spec = SEGMENT_TABLES[row.table]
    columns = list(dict.fromkeys([*predicate.columns(row.table), *spec.key_columns]))
    table = _read(core, row, columns)
    mask = predicate.mask(table)
    gone = int(np.count_nonzero(mask))
    removed = None
    if gone and spec.key_columns:
        removed = _counting(core, row, table, np.flatnonzero(mask))
    if gone == row.rows:
        drop_whole(core, [row])
    elif gone:
        rewrite(core, [row], predicate.mask)
    if removed is None:
        return gone
    _forget(core, row.project, removed)
    return len(removed)


def _counting(
    core: Core, row: SegmentRow, table: pa.Table, numbers: npt.NDArray[np.int64]
) -> pa.Table:
    """Returns those of a segment's rows that count: of the others a later version may be there still."""
    with core.lock:
        replaced = core.replaced.all.get(row.segment_id, NO_ROWS)
    return table.take(pa.array(np.setdiff1d(numbers, replaced)))


def _forget(core: Core, project: str, removed: pa.Table) -> None:
    """Forgets deleted spans, so that they may be sent again, and what was folded into them."""
    core.recent.forget(project, removed)
    patch_folding.forget_folded(core, project, removed)


def _read(core: Core, row: SegmentRow, columns: list[str]) -> pa.Table:
    try:
        with SegmentFile(core.segments.files.local(row.file_key)) as file:
            return file.columns(columns)
    except (CorruptionError, StoreMissingError) as error:
        raise DamagedInputError(row, error) from error


def drop_whole(core: Core, rows: list[SegmentRow]) -> None:
    """Takes segments out of the catalog; their files go after their last reader."""
    segment_ids = [row.segment_id for row in rows]
    gone: frozenset[int] = frozenset()

    def make() -> Change:
        nonlocal gone
        require_live(core, rows)
        gone = patch_folding.of_segments(core, rows)
        return Change(removed=rows, now_ns=core.clock.now_ns(), dropped=gone)

    def apply(applied: Applied) -> None:
        core.take_segments(applied, rows)
        replaced_folding.forget(core, segment_ids)
        core.patches.remove(gone)

    with holding_days(core, rows):
        commit(core, make, apply)
    core.forget_segments(segment_ids)
    garbage.collect(core)
