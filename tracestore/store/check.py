"""Looks for damage: every segment's files, footers and, on demand, every byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tracestore.errors import CorruptionError, FormatVersionError, StoreMissingError
from tracestore.segment.read import SegmentFile, file_crc
from tracestore.segment.words_file import open_words
from tracestore.store import recovery
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core, Fault
from tracestore.store.files import filenames
from tracestore.store.wal.reading import Damage, read_wal


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The result of a check.

    Attributes:
        segments: those that are as they should be.
        rows: theirs.
        faults: the new ones, and earlier ones that are still there.
    """

    segments: int
    rows: int
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """Returns whether nothing is wrong."""
        return not self.faults


def quarantine(core: Core, segment_id: str, what: str) -> bool:
    """Takes a segment out of later snapshots; returns False if it is not live."""
    core.require_open()
    with core.lock:
        row = core.index.get(segment_id)
    if row is None:
        return False
    core.quarantine(row, what)
    return True


def check(core: Core, *, deep: bool = False, quarantine: bool = False) -> CheckReport:
    """Checks every segment and frame, and changes nothing unless it is told to.

    Args:
        core: the store.
        deep: reads every byte and compares checksums; otherwise sizes and footers only.
        quarantine: takes segments that are damaged out of every later snapshot, so that the rest answers.
    """
    core.require_open()
    with core.lock:
        rows = list(core.index.rows())
        faults = list(core.faults)
    sound: list[SegmentRow] = []
    for row in rows:
        problem = _problem(core, row, deep=deep)
        if problem is None:
            sound.append(row)
            faults += _words_faults(core, row, deep=deep)
            continue
        if quarantine:
            core.quarantine(row, problem)
        faults.append(Fault(row.file_key, f"quarantined: {problem}" if quarantine else problem))
    faults += _damaged_logs(core)
    if not core.writable:
        faults += _not_recovered(core)
    return CheckReport(len(sound), sum(row.rows for row in sound), tuple(faults))


def _not_recovered(core: Core) -> tuple[Fault, ...]:
    """Returns what opening the folder for writing would tell of: damaged frames, and segments without a row."""
    faults: list[Fault] = []
    folder = core.folder / filenames.WAL_FOLDER
    for name in core.fs.names(folder):
        if filenames.wal_sequence(name) is not None:
            faults += [
                recovery.fault_of(item)
                for item in read_wal(folder / name)
                if isinstance(item, Damage)
            ]
    aside = list(core.segments.files.aside())
    return (*faults, *(Fault(key, recovery.SET_ASIDE) for key in (*recovery.unnamed(core), *aside)))


def _problem(core: Core, row: SegmentRow, *, deep: bool) -> str | None:
    problem = recovery.file_problem(core, row)
    if problem is not None:
        return problem
    file_keys = {row.file_key: row.crc}
    if row.tail_crc is not None:
        file_keys[core.segments.files.tail_key(row.file_key)] = row.tail_crc
    try:
        for file_key, crc in file_keys.items():
            path = core.segments.files.local(file_key)
            with SegmentFile(path) as file:
                if file.footer.segment_id != row.segment_id:
                    return f"file {file_key} is segment {file.footer.segment_id}; want {row.segment_id}"
            if deep and file_crc(path) != crc:
                return f"file {file_key} does not match its checksum; restore it from a backup"
    except (CorruptionError, FormatVersionError, StoreMissingError) as error:
        return str(error)
    return None


def _words_faults(core: Core, row: SegmentRow, *, deep: bool) -> Iterator[Fault]:
    """Yields what is wrong with a words sidecar: no answer depends on it."""
    if row.words_bytes is None:
        return
    words_key = filenames.words_key(row.file_key)
    what: str | None = None
    if core.segments.files.size(words_key) != row.words_bytes:
        what = "it is missing or cut short"
    else:
        try:
            path = core.segments.files.local(words_key)
            open_words(path, row.segment_id, row.words_footer_crc)
            if deep and file_crc(path) != row.words_crc:
                what = "it does not match its checksum"
        except (CorruptionError, FormatVersionError, StoreMissingError) as error:
            what = str(error)
    if what is not None:
        yield Fault(
            words_key, f"{what}; its segment is looked through, and the next merge writes it again"
        )


def _damaged_logs(core: Core) -> tuple[Fault, ...]:
    folder = core.folder / filenames.WAL_FOLDER
    names = [name for name in core.fs.names(folder) if name.endswith(".damaged")]
    what = "damaged log file, kept after its good frames were stored; remove it when examined"
    return tuple(Fault(str(folder / name), what) for name in names)
