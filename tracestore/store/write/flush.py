"""From memtables to segments.

1. freeze: no request is between its rows and its frame; the log is synced and goes on in a new file
   crash after: recovery replays the old file and the new one
2. write a segment for each memtable and day (`segments/writer` numbers its own steps)
   crash after: recovery removes the files and replays
3. one catalog transaction adds the segments, notes which rows of others they replace, and moves the WAL mark
   crash after: recovery removes the old log file
4. readers get the segments in place of the memtables; the old log files are removed
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tracestore import limits
from tracestore.errors import StorageFullError, StoreFailedError, StoreLockedError
from tracestore.store.catalog.changes import Applied, Change
from tracestore.store.catalog.segment_row import NewSegment
from tracestore.store.core import Core
from tracestore.store.files import filenames
from tracestore.store.memory.generation import Generation
from tracestore.store.memory.memtable import Memtable, Replaced
from tracestore.store.nodes.catch_up import catch_up
from tracestore.store.nodes.commits import commit, discard, settle
from tracestore.store.segments import clustering, row_order
from tracestore.store.segments.cluster_order import clustered
from tracestore.store.segments.replaced_rows import RowNumbers, union

_DAY: int = filenames.NS_PER_DAY


class FlushedBeforeError(Exception):
    """The news that a generation is in segments: the catalog had made a commit whose answer was lost."""


def flush(core: Core) -> int:
    """Writes everything in memory to segments; returns how many segments were written.

    Raises StorageFullError or another OSError; the rows then stay in memory and in the log, and the
    next flush tries again.
    """
    core.require_writable()
    with core.flushing:
        freeze(core)
        written = 0
        while core.frozen:
            written += _write_oldest(core)
        return written


def freeze(core: Core) -> None:
    """Freezes the current generation, if it has rows or a log file worth replacing."""
    wal = core.require_writable()
    with core.gate.exclusive():
        if core.generation.rows == 0 and wal.file_bytes < core.settings.wal_file_bytes:
            return
        next_sequence = wal.rotate()
        with core.lock:
            old = core.generation
            core.publish(old.memtables(), wal.synced)
            old.next_sequence = next_sequence
            core.frozen.append(old)
            core.generation = Generation(core.clock.elapsed_s(), next_sequence)
            core.changed.notify_all()


def is_due(core: Core) -> bool:
    """Returns whether the current generation is large or old enough to be flushed."""
    settings = core.settings
    generation = core.generation
    wal = core.wal
    if wal is not None and wal.file_bytes >= settings.wal_file_bytes:
        return True
    if generation.rows == 0:
        return False
    age_s = core.clock.elapsed_s() - generation.born_s
    return age_s >= settings.flush_seconds or _is_full(core, generation)


def make_room(core: Core) -> None:
    """Returns when there is room in memory for a request; waits for a flush where there is none.

    Raises what the last flush raised where flushing does not work.
    """
    with core.lock:
        while len(core.frozen) >= core.settings.max_frozen and is_due(core):
            if core.flush_error is not None:
                raise _blocked(core, core.flush_error)
            if not core.settings.background:
                break
            core.require_writable()
            core.changed.wait()


def after_write(core: Core) -> None:
    """Starts a flush where one is due: in the background, or here where there is none."""
    if not is_due(core):
        return
    if core.settings.background:
        with core.lock:
            core.changed.notify_all()
        return
    try:
        flush(core)
    except OSError as error:
        # The request itself is durable; the error meets the next request that finds no room.
        core.flush_error = error


def _blocked(core: Core, error: Exception) -> StoreFailedError | StorageFullError:
    kind = StorageFullError if isinstance(error, StorageFullError) else StoreFailedError
    return kind(f"cannot write store {core.folder}: memory is full and flushing fails: {error}")


def _is_full(core: Core, generation: Generation) -> bool:
    settings = core.settings
    return generation.rows >= settings.flush_rows or generation.nbytes >= settings.flush_bytes


def _write_oldest(core: Core) -> int:
    settle(core)
    catch_up(core)
    if not core.frozen:
        return 0  # a commit of which nobody knew whether it was made
    generation = core.frozen[0]
    if _is_full(core, generation):
        core.full_flush_s = core.clock.elapsed_s()
    written: list[NewSegment] = []
    memtables: list[Flushed] = []
    try:
        core.catalog.renew()
        for memtable in generation.memtables():
            flushed = write_memtable(core, memtable)
            written += flushed.segments
            memtables.append(flushed)
        _commit(core, generation, written, memtables)
    except FlushedBeforeError:
        discard(core, written)
        return 0
    except BaseException as error:
        discard(core, written)
        if isinstance(error, Exception):
            core.flush_error = error
        if isinstance(error, StoreLockedError):
            # Rows that were taken from now on would be flushed by nobody.
            core.require_writable().fail(StoreFailedError(str(error)))
        with core.lock:
            core.changed.notify_all()
        raise
    core.counts.add_work(
        flushes=1,
        flushed_rows=sum(segment.rows for segment in written),
        flushed_bytes=sum(segment.bytes for segment in written),
    )
    core.forget_memory()
    remove_log_files(core, generation.next_sequence)
    return len(written)


def _commit(
    core: Core, generation: Generation, written: list[NewSegment], memtables: list[Flushed]
) -> None:
    """Puts segments in place of a generation's memtables, while no row is replaced.

    Rows whose later version is in these segments are settled, and so are rows of theirs whose later version is in
    another one. Others that were replaced while they were written are marked: replaying the log of the later version
    marks them again.
    """
    settled: dict[str, RowNumbers] = {}
    marked: list[tuple[Memtable, dict[str, RowNumbers]]] = []

    def make() -> Change:
        settled.clear()
        marked.clear()
        with core.lock:
            if generation not in core.frozen:
                raise FlushedBeforeError
            for memtable in generation.memtables():
                settled.update(union(settled, memtable.replacing))
            for flushed in memtables:
                for by, rows in flushed.replaced_meanwhile():
                    if by is None:
                        settled.update(union(settled, rows))
                    else:
                        marked.append((by, rows))
            whole = union(core.replaced.settled, settled)
        return Change(
            added=written,
            wal_mark=generation.next_sequence,
            now_ns=core.clock.now_ns(),
            replaced=whole,
        )

    def apply(applied: Applied) -> None:
        core.take_segments(applied)
        core.replaced.settle(settled)
        for by, rows in marked:
            core.hide(Replaced(in_segments=rows), by)
        core.frozen.remove(generation)
        core.flush_error = None
        core.changed.notify_all()

    commit(core, make, apply)


@dataclass(slots=True)
class Flushed:
    """The segments that a memtable was written to.

    Attributes:
        memtable: the memtable.
        replaced: how many of its rows were replaced before, and left out.
        segments: the segments.
        orders: the memtable's rows in each of them, in order.
    """

    memtable: Memtable
    replaced: int
    segments: list[NewSegment] = field(default_factory=list)
    orders: list[RowNumbers] = field(default_factory=list)

    def replaced_meanwhile(self) -> Iterator[tuple[Memtable | None, dict[str, RowNumbers]]]:
        """Yields the rows that were replaced since, by segment id, each with the memtable of the later version.

        None stands for a later version in a segment.
        """
        for rows, by in self.memtable.replaced_since(self.replaced):
            found = {}
            for segment, order in zip(self.segments, self.orders, strict=True):
                numbers = np.flatnonzero(np.isin(order, rows))
                if len(numbers):
                    found[segment.segment_id] = numbers
            yield by, found


def write_memtable(core: Core, memtable: Memtable) -> Flushed:
    """Writes a frozen memtable's rows, one segment a day."""
    cluster_by = clustering.columns_of(core.catalog, memtable.project)
    with core.lock:
        flushed = Flushed(memtable, memtable.replaced_count)
    with memtable.lock:
        shredder = memtable.shredder
        counting = memtable.counting_rows(flushed.replaced)
        source = row_order.ShreddedRows(shredder, memtable.spec)
        rows = row_order.sorted_rows(source, memtable.spec, counting)
        times = source.times()[rows]
    try:
        for by_time in _days(rows, times):
            day_rows = by_time
            # A snapshot waits for this lock only where it asks for rows nobody read before.
            by: tuple[str, ...] = ()
            with memtable.lock:
                if cluster_by and len(day_rows) >= core.settings.min_cluster_rows:
                    day_rows, by = clustered(source, memtable.spec, cluster_by, day_rows)
                table, tail = shredder.build(order=day_rows, tail=True, dictionary=True)
            flushed.segments.append(
                core.segments.write(table, tail, memtable.spec, memtable.project, by)
            )
            flushed.orders.append(day_rows)
    except BaseException:
        for segment in flushed.segments:
            core.segments.discard(segment)
        raise
    return flushed


def remove_log_files(core: Core, mark: int) -> None:
    """Removes log files before the mark; those that were damaged are kept under another name."""
    folder = core.folder / filenames.WAL_FOLDER
    damaged = {damage.path for damage in core.recovery.damages}
    for name in core.fs.names(folder):
        sequence = filenames.wal_sequence(name)
        if sequence is None or sequence >= mark:
            continue
        path = folder / name
        if str(path) in damaged:
            core.fs.rename(path, filenames.damaged(path))
        else:
            core.fs.remove(path)


def _days(rows: npt.NDArray[np.int64], times: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Returns rows (sorted by time) by UTC day; days beyond the bound share one part."""
    if len(rows) == 0:
        return []
    days = times // _DAY
    starts = np.concatenate([[0], np.flatnonzero(np.diff(days)) + 1])
    parts = np.split(rows, starts[1:])
    if len(parts) <= limits.MAX_FLUSH_DAYS:
        return parts
    by_size = sorted(range(len(parts)), key=lambda number: len(parts[number]), reverse=True)
    large = set(by_size[: limits.MAX_FLUSH_DAYS])
    mixed = np.concatenate([part for number, part in enumerate(parts) if number not in large])
    return [parts[number] for number in sorted(large)] + [mixed]
