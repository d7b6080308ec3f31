"""Opening a store: what a crash left behind is removed, and the log is replayed.

1. segments named by the catalog but missing or cut short are quarantined
2. garbage of finished rewrites goes; files that no row names go, or are set aside
3. log files before the mark go
4. the others are replayed into memtables; a torn tail is cut off
5. a new log file is begun; those that hold nothing go, but for the first
A crash in any step: the next open does all of them again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tracestore.errors import (
    CorruptionError,
    LimitExceededError,
    PayloadError,
    TraceStoreError,
    UnsupportedPayloadError,
)
from tracestore.store.catalog import patch_table
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core, Fault
from tracestore.store.files import filenames
from tracestore.store.patches.log import Patch
from tracestore.store.rewrite import garbage
from tracestore.store.wal.frames import FILE_HEADER_BYTES, Frame
from tracestore.store.wal.log import Wal
from tracestore.store.wal.reading import Damage, PlacedFrame, TornTail, read_wal
from tracestore.store.write import flush, ingest, payloads, versions

SET_ASIDE = (
    "complete segment that the catalog does not name, set aside: the catalog is older than the files or another "
    "store's; restore the catalog of these files, or run tracestore recover"
)
_UNREADABLE = (PayloadError, LimitExceededError, UnsupportedPayloadError)


def load_index(core: Core) -> None:
    """Reads the catalog's segments and patches into memory and sets aside segments that must not be read.

    A fold moves patches into segments in one transaction: what is read must be of one moment.
    """
    while True:
        mark = _patch_mark(core)
        loaded = core.catalog.load()
        with core.catalog.transaction() as connection:
            patches = [Patch.of(*row) for row in patch_table.read_in(connection)]
        if (loaded.version, mark) == (core.catalog.version(), _patch_mark(core)):
            break
    with core.lock:
        core.version = loaded.version
        core.path_bound = loaded.path_bound
        core.index.load(loaded.live)
        core.replaced.load(loaded.replaced)
        core.patches.replace(patches)
        core.quarantined = {row.segment_id: row for row in loaded.quarantined}
        core.faults = [
            Fault(row.file_key, f"quarantined: {row.fault}") for row in core.quarantined.values()
        ]


def _patch_mark(core: Core) -> tuple[int, int]:
    with core.catalog.transaction() as connection:
        return patch_table.mark_in(connection)


def newest_id(core: Core) -> str | None:
    """Returns the greatest id of a segment that the catalog knows, dead ones included."""
    return core.catalog.newest_segment_id()


def refresh(core: Core) -> None:
    """Brings a reader up to the catalog's newest version."""
    mark = _patch_mark(core)
    if core.catalog.version() != core.version or mark != (core.patches.last_ns, core.patches.count):
        core.catalog.paths.forget()
        load_index(core)


def check_files(core: Core) -> None:
    """Quarantines segments whose file is missing or has another size than the catalog says."""
    for row in core.index.rows():
        problem = file_problem(core, row)
        if problem is not None:
            core.quarantine(row, problem)


def file_problem(core: Core, row: SegmentRow) -> str | None:
    """Returns what is wrong with a segment's files from the outside, None if nothing is."""
    expected = [(row.file_key, row.bytes)]
    if row.tail_bytes is not None:
        expected.append((core.segments.files.tail_key(row.file_key), row.tail_bytes))
    for file_key, size in expected:
        file_bytes = core.segments.files.size(file_key)
        if file_bytes is None:
            return f"file {file_key} is missing; restore it from a backup"
        if file_bytes != size:
            return f"file {file_key} has {file_bytes} bytes; want {size}; restore it from a backup"
    return None


def remove_leftovers(core: Core) -> None:
    """Removes files of unfinished flushes and rewrites. Nothing that was acknowledged is lost by it.

    Of a catalog that is at the point of its files, a file that no row names was left by a crash: its rows are in
    the log, or in the segments that it was made from. A catalog of another point (an older one, another
    store's, a new one) says nothing of the files: then complete segments are set aside and named as faults.

    Raises CorruptionError where the catalog knows no segment at all but segments exist.
    """
    orphans = _orphans(core)
    keep = set(_left_by_no_crash(core, orphans))
    if keep and not core.index.totals.segments and not core.quarantined:
        raise CorruptionError(
            core.catalog.name,
            f"the catalog names none of the {len(keep)} segment files that exist, such as {min(keep)}; "
            "restore the catalog from a backup, or run tracestore recover",
        )
    for file_key in orphans:
        if file_key in keep:
            core.segments.files.set_aside(file_key)
            # crash here: the others are still orphans of a catalog of another point -> set aside next time
        else:
            core.segments.files.remove(file_key)
    core.recovery.removed_orphans = len(orphans) - len(keep)
    core.recovery.set_aside = sorted(core.segments.files.aside())
    core.faults += [Fault(file_key, SET_ASIDE) for file_key in core.recovery.set_aside]
    garbage.collect(core)
    core.groups.keep_only([row.segment_id for row in core.index.rows()])


def remove_own_leftovers(core: Core) -> None:
    """Removes files that a node put into the bucket before it crashed; those of others may be under way."""
    known = {row.segment_id for row in core.index.rows()} | set(core.quarantined)
    known |= {segment_id for _, segment_id, _ in core.catalog.garbage()}
    core.recovery.removed_orphans = core.segments.remove_leftovers(known.__contains__)


def _orphans(core: Core) -> list[str]:
    rows = [*core.index.rows(), *core.quarantined.values()]
    known = {row.file_key for row in rows} | {key for row in rows for key, _ in row.sidecars()}
    known |= {filenames.tail_key(row.file_key) for row in rows}
    known |= {filenames.former_tail_key(row.file_key) for row in rows}
    known |= {file_key for file_key, _, _ in core.catalog.garbage()}
    return [file_key for file_key in core.segments.files.file_keys() if file_key not in known]


def unnamed(core: Core) -> list[str]:
    """Returns the segment files without a row that no crash has left: the catalog is of another point."""
    return _left_by_no_crash(core, _orphans(core))


def _left_by_no_crash(core: Core, orphans: Sequence[str]) -> list[str]:
    kept = (filenames.SEGMENT_SUFFIX, filenames.TAIL_SUFFIX)
    whole = [key for key in orphans if key.endswith(kept)]
    return whole if whole and not _is_of_these_files(core) else []


def _is_of_these_files(core: Core) -> bool:
    """Tells whether the catalog and the files are of one point: every segment is there, and the log from its mark on.

    A flush makes the next log file before it moves the mark, and removes older ones after: some file up to the
    mark is always there. A merge removes its sources after its transaction.
    """
    if core.catalog.created:
        return False
    if any(core.segments.files.size(row.file_key) is None for row in core.quarantined.values()):
        return False
    names = core.fs.names(core.folder / filenames.WAL_FOLDER)
    sequences = [number for number in map(filenames.wal_sequence, names) if number is not None]
    return bool(sequences) and min(sequences) <= int(core.catalog.meta("wal_mark"))


def replay(core: Core) -> Wal:
    """Replays the log into the current generation and returns the log, open for new frames."""
    folder = core.folder / filenames.WAL_FOLDER
    mark = own_mark(core)
    core.generation.begin = mark
    core.fs.make_folder(folder)
    flush.remove_log_files(core, mark)
    named = [(filenames.wal_sequence(name), folder / name) for name in core.fs.names(folder)]
    files = [(sequence, path) for sequence, path in named if sequence is not None]
    if any(path.stat().st_size > FILE_HEADER_BYTES for _, path in files):
        core.load_recent()
    newest = files[-1][0] if files else 0
    with _seeking_all(core):
        empty = [
            path
            for sequence, path in files
            if not _replay_file(core, path, newest=sequence == newest)
        ]
    wal = Wal(folder, max(mark, newest + 1), core.fs)
    for path in empty:
        # The first one tells that the catalog and the files are of one point, whatever is in it.
        if path != files[0][1]:
            core.fs.remove(path)
    return wal


def own_mark(core: Core) -> int:
    """Returns the first file of the log whose rows may be in no segment."""
    if core.node is None:
        return int(core.catalog.meta("wal_mark"))
    return core.node.marks[core.node.name.node_id]


@contextlib.contextmanager
def _seeking_all(core: Core) -> Iterator[None]:
    """Has a node look for every span in segments: since its log was written, others may have got it too."""
    node = core.node
    if node is None:
        yield
        return
    core.recent.seek_all()
    node.is_replaying = True
    yield
    node.is_replaying = False
    core.recent.seek_forgotten()


def _replay_file(core: Core, path: Path, *, newest: bool) -> bool:
    """Replays a file, and tells whether it has anything in it."""
    item = None
    for item in read_wal(path):
        if isinstance(item, PlacedFrame):
            _replay_frame(core, path, item)
        elif isinstance(item, Damage):
            _note_damage(core, item)
        elif newest or item.offset == item.end:
            _cut(core, path, item)
        else:
            _note_damage(core, Damage(item.path, item.offset, item.end, "end of file is damaged"))
    return item is not None


def _replay_frame(core: Core, path: Path, item: PlacedFrame) -> None:
    try:
        rows = _append(core, item.frame)
    except _UNREADABLE as error:
        # It was readable when it was acknowledged: the limits or the code have changed since.
        position = f"{path}: offset {item.offset}"
        core.recovery.refused_frames.append(Fault(position, str(error)))
        core.faults.append(Fault(position, f"frame cannot be replayed: {error}"))
        return
    core.recovery.replayed_frames += 1
    core.recovery.replayed_rows += rows


def _append(core: Core, frame: Frame) -> int:
    rows = 0
    for part in payloads.project_parts(frame, core.settings.max_payload_bytes):
        memtable = core.generation.memtable((frame.table, part.project))
        with memtable.lock:
            report, arrived = ingest.shred(core, memtable, part)
            ingest.note(memtable, 0, arrived)
        versions.restore_patches(core, memtable, arrived)
        rows += report.rows
        core.publish([memtable], 0)
    return rows


def _cut(core: Core, path: Path, torn: TornTail) -> None:
    core.recovery.torn_bytes += torn.end - torn.offset
    file = core.fs.open_append(path)
    try:
        file.truncate(torn.offset)
        file.sync()
    finally:
        file.close()


def _note_damage(core: Core, damage: Damage) -> None:
    core.recovery.damages.append(damage)
    core.faults.append(fault_of(damage))


def fault_of(damage: Damage) -> Fault:
    """Returns what is told of a damaged range of the log."""
    place = f"{damage.path}: offset {damage.offset} to {damage.end}"
    return Fault(place, f"{damage.reason}; its rows are lost")


def close_quietly(core: Core) -> None:
    """Closes what a failed open had opened."""
    try:
        if core.wal is not None:
            core.wal.close()
    except TraceStoreError:
        pass
    core.catalog.close()
