"""Merges and filters segments. Stored rows are written again in no other way.

1. read the inputs and write the outputs (durable, unnamed)   crash after: recovery removes the outputs
2. one catalog transaction names the outputs, drops the inputs, notes their files as garbage
3. files go after their last reader                           crash after 2: the next open goes on
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.errors import CorruptionError, StoreMissingError
from tracestore.segment.dictionaries import own_dictionaries
from tracestore.segment.read import SegmentFile, file_crc
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.catalog.changes import Applied, Change, LeaseLostError
from tracestore.store.catalog.segment_row import NewSegment, SegmentRow
from tracestore.store.core import Core
from tracestore.store.files import filenames
from tracestore.store.nodes import leases
from tracestore.store.nodes.catch_up import catch_up
from tracestore.store.nodes.commits import commit, discard
from tracestore.store.patches.log import PatchesByRow
from tracestore.store.patches.rows import with_changes
from tracestore.store.rewrite import garbage, replaced_folding
from tracestore.store.rewrite.joined import join_tables
from tracestore.store.rewrite.patch_folding import Folding
from tracestore.store.rewrite.policy import MergePolicy
from tracestore.store.rewrite.replaced_folding import Moved
from tracestore.store.rewrite.row_set import RowSet
from tracestore.store.segments import clustering
from tracestore.store.segments.replaced_rows import NO_ROWS, RowNumbers

Times = npt.NDArray[np.int64]

# Returns which rows of a table of stored columns are dropped.
Drop = Callable[[pa.Table], npt.NDArray[np.bool_]]


class DamagedInputError(Exception):
    """An input of a rewrite that cannot be read; the caller quarantines it and tries without it."""

    def __init__(self, row: SegmentRow, cause: CorruptionError | StoreMissingError) -> None:
        super().__init__(str(cause))
        self.row = row
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The result of a rewrite that was committed."""

    inputs: int
    outputs: int
    input_rows: int
    output_rows: int
    input_bytes: int
    output_bytes: int


def rewrite(
    core: Core,
    inputs: Sequence[SegmentRow],
    drop: Drop | None = None,
    *,
    delete: str | None = None,
    gone: RowSet | None = None,
    by_day: bool = False,
) -> Rewritten:
    """Replaces segments of one table and project by as few as the bounds of memory allow.

    Patches are merged into their rows and leave the log. Rows are sorted again, by what their project is clustered by
    now; rows that `drop` or
    `gone` names and repeated spans left out, leaf columns chosen again. Outputs do not overlap in time; `by_day`
    gives each UTC day outputs of its own. `delete` is noted as finished in the same transaction.
    The caller holds `core.maintenance`. Raises DamagedInputError, or TakenError or LeaseLostError where another node
    works on them; nothing has changed then.
    """
    with leases.holding(core, leases.day_of(inputs[0])) as lease:
        catch_up(core)
        require_live(core, inputs)
        for row in inputs:
            _verify(core, row)
        settled = replaced_folding.settled(core, inputs)
        folding = _folding(core, inputs)
        dropped = _Dropped(drop, gone, settled)
        cluster_by = clustering.columns_of(core.catalog, inputs[0].project)
        outputs: list[NewSegment] = []
        try:
            for low, high in time_slices(core, inputs, by_day=by_day):
                pieces = _pieces(core, inputs, low, high, dropped, folding)
                outputs += _write_slice(core, inputs[0], pieces, cluster_by)
            _commit(core, inputs, outputs, settled, folding, delete, lease)
        except BaseException:
            discard(core, outputs)
            raise
    core.forget_segments([row.segment_id for row in inputs])
    garbage.collect(core)
    done = Rewritten(
        inputs=len(inputs),
        outputs=len(outputs),
        input_rows=sum(row.rows for row in inputs),
        output_rows=sum(output.rows for output in outputs),
        input_bytes=sum(row.bytes for row in inputs),
        output_bytes=sum(output.bytes for output in outputs),
    )
    core.counts.add_work(
        merges=1,
        merged_segments=done.inputs,
        merged_rows=done.input_rows,
        merged_bytes=done.input_bytes,
        written_bytes=done.output_bytes,
    )
    return done


def _commit(
    core: Core,
    inputs: Sequence[SegmentRow],
    outputs: Sequence[NewSegment],
    settled: Mapping[str, RowNumbers],
    folding: Folding,
    delete: str | None,
    lease: tuple[str, str] | None,
) -> None:
    """Puts the outputs in place of the inputs, while no request is under way.

    Rows that were replaced since the inputs were read are found in the outputs by their spans.
    """
    segment_ids = [row.segment_id for row in inputs]
    moved = Moved({}, {}, ())
    merged: frozenset[int] = frozenset()

    def make() -> Change:
        nonlocal moved, merged
        require_live(core, inputs)
        moved = replaced_folding.moved(core, inputs, outputs, settled)
        merged = folding.gone_without(moved.left)
        return Change(
            added=outputs,
            removed=inputs,
            finished_delete=delete,
            now_ns=core.clock.now_ns(),
            merged=merged,
            replaced=moved.settled,
            lease=lease,
        )

    def apply(applied: Applied) -> None:
        core.take_segments(applied, inputs)
        replaced_folding.forget(core, segment_ids)
        moved.apply(core)
        core.patches.remove(merged)
        core.recent.note_rewritten(segment_ids, [output.segment_id for output in outputs])

    commit(core, make, apply)


def require_live(core: Core, rows: Sequence[SegmentRow]) -> None:
    """Raises LeaseLostError where another node has rewritten one of some segments."""
    with core.lock:
        for row in rows:
            if not core.index.has(row):
                raise LeaseLostError(f"segment {row.segment_id}")


@dataclass(frozen=True, slots=True)
class _Dropped:
    """The rows that a rewrite leaves out: by what they hold, by their numbers, or since they were replaced."""

    by_value: Drop | None
    by_number: RowSet | None
    replaced: Mapping[str, RowNumbers]

    def places(
        self, row: SegmentRow, piece: pa.Table, numbers: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Returns the places within a piece of a segment's rows."""
        mask = np.zeros(len(piece), np.bool_)
        if self.by_value is not None:
            mask |= self.by_value(piece)
        if self.by_number is not None:
            mask |= np.isin(numbers, self.by_number.numbers.get(row.segment_id, NO_ROWS))
        if row.segment_id in self.replaced:
            mask |= np.isin(numbers, self.replaced[row.segment_id])
        return np.flatnonzero(mask)


def time_slices(
    core: Core, inputs: Sequence[SegmentRow], *, by_day: bool = False
) -> list[tuple[int, int]]:
    """Returns half-open time ranges that cover the inputs, each within the bounds of one builder.

    Rows of one time are never parted, so that copies of a span meet.
    """
    slices = MergePolicy.of(core.settings).slices_of(inputs)
    low = min(row.min_time_ns for row in inputs)
    high = max(row.max_time_ns for row in inputs) + 1
    if slices == 1 and not by_day:
        return [(low, high)]
    times = np.concatenate([_times(core, row) for row in inputs])
    days: set[int] = set()
    if by_day:
        # Days with rows alone: a segment may hold two rows that are years apart.
        starts = np.unique(times // filenames.NS_PER_DAY) * filenames.NS_PER_DAY
        days = {start for start in starts.tolist() if start > low}
    cuts = [len(times) * number // slices for number in range(1, slices)]
    if cuts:
        times.partition(cuts)
    bounds = sorted({low, high, *days, *(int(times[cut]) for cut in cuts)})
    return list(itertools.pairwise(bounds))


def _times(core: Core, row: SegmentRow) -> Times:
    with _reading(core, row) as file:
        return file.times(SEGMENT_TABLES[row.table].time_ns_column)


def _write_slice(
    core: Core, of: SegmentRow, pieces: Sequence[pa.Table], cluster_by: Sequence[str]
) -> list[NewSegment]:
    spec = SEGMENT_TABLES[of.table]
    joined = join_tables(
        pieces, spec, cluster_by=cluster_by, min_cluster_rows=core.settings.min_cluster_rows
    )
    if joined is None:
        return []
    return [core.segments.write(joined.table, joined.tail, spec, of.project, joined.cluster_by)]


def _pieces(
    core: Core,
    inputs: Sequence[SegmentRow],
    low: int,
    high: int,
    dropped: _Dropped,
    folding: Folding,
) -> list[pa.Table]:
    """Returns what is kept of the rows of segments whose times are in [low, high)."""
    pieces: list[pa.Table] = []
    for row in inputs:
        if row.max_time_ns < low or row.min_time_ns >= high:
            continue
        time_column = SEGMENT_TABLES[row.table].time_ns_column
        is_whole = low <= row.min_time_ns and row.max_time_ns < high
        with _reading(core, row) as file:
            start, stop = 0, row.rows
            if not is_whole and not row.cluster_columns:
                start, stop = np.searchsorted(file.times(time_column), [low, high]).tolist()
            for rows in file.slices(start, stop, indexed=True):
                for piece, numbers in _patched(rows, start, folding.of(row)):
                    gone = dropped.places(row, piece, numbers)
                    if not is_whole and row.cluster_columns:
                        times = piece.column(time_column).to_numpy()
                        gone = np.union1d(gone, np.flatnonzero((times < low) | (times >= high)))
                    pieces.append(_without(piece, gone))
                start += len(rows)
    return pieces


def _without(table: pa.Table, places: npt.NDArray[np.int64]) -> pa.Table:
    if len(places) == 0:
        return table
    kept = np.ones(len(table), np.bool_)
    kept[places] = False
    return own_dictionaries(table.filter(pa.array(kept)))


def _patched(
    rows: pa.Table, start: int, by_row: PatchesByRow
) -> Iterator[tuple[pa.Table, npt.NDArray[np.int64]]]:
    """Yields rows of a segment with their numbers, of which the first is `start`: unpatched ones, then patched ones."""
    every = np.arange(start, start + len(rows), dtype=np.int64)
    numbers = np.array(
        [row for row in sorted(by_row) if start <= row < start + len(rows)], np.int64
    )
    if len(numbers) == 0:
        yield rows, every
        return
    changes = [by_row[row] for row in numbers.tolist()]
    fields = frozenset(name for patches in changes for patch in patches for name in patch.fields)
    is_unpatched = np.ones(len(rows), np.bool_)
    is_unpatched[numbers - start] = False
    yield rows.filter(pa.array(is_unpatched)), every[is_unpatched]
    yield with_changes(rows, numbers - start, changes, fields), numbers


def _folding(core: Core, inputs: Sequence[SegmentRow]) -> Folding:
    try:
        return Folding(core, inputs)
    except (CorruptionError, StoreMissingError) as error:
        # Which of them is damaged is found by reading them one by one.
        for row in inputs:
            with _reading(core, row) as file:
                file.columns(["trace_id", "span_id"])
        raise DamagedInputError(inputs[0], error) from error


def _verify(core: Core, row: SegmentRow) -> None:
    """Raises DamagedInputError for a file that is not as it was written, before it is written again."""
    try:
        path = core.segments.files.local(row.file_key)
        crc = file_crc(path)
    except (CorruptionError, StoreMissingError) as error:
        raise DamagedInputError(row, error) from error
    if crc != row.crc:
        raise DamagedInputError(row, CorruptionError(str(path), "file does not match its checksum"))


@contextlib.contextmanager
def _reading(core: Core, row: SegmentRow) -> Iterator[SegmentFile]:
    try:
        path = core.segments.files.local(row.file_key)
        with SegmentFile(path) as file:
            yield file
    except (CorruptionError, StoreMissingError) as error:
        raise DamagedInputError(row, error) from error
