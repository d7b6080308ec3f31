"""Puts the segments of a folder back into its catalog: after a catalog was lost, damaged, or restored from a backup.

1. a catalog that cannot be read is renamed; the next step makes a new one
2. segments that were set aside go back to their places
3. the catalog takes every complete segment that it does not name, by its footer, in one transaction
4. segments whose rows are all in newer ones, as a merge's sources are, are set aside
A crash in any step: running it again does what is left.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from tracestore.errors import (
    CorruptionError,
    FormatVersionError,
    StoreMissingError,
    TraceStoreError,
)
from tracestore.segment.read import SegmentFile, file_crc
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.segment.write import summarize
from tracestore.store import opening
from tracestore.store.catalog.changes import Change
from tracestore.store.catalog.segment_row import NewSegment, SegmentFacts, SegmentRow
from tracestore.store.core import Core
from tracestore.store.files import filenames
from tracestore.store.files.writer_lock import WriterLock
from tracestore.store.settings import Settings

LOST_WITH_A_CATALOG: Final = "datasets, experiments, keys, retention, and patches not folded in yet"


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """The result of a recovery.

    Attributes:
        new_catalog: whether the old one could not be read: what only it holds is not there.
        adopted: segments that the catalog took, and their rows.
        repeated: segments whose rows are all in newer ones; they are set aside.
        unreadable: files that are no complete segments, with what is wrong.
    """

    new_catalog: bool
    adopted: int
    rows: int
    repeated: int
    unreadable: tuple[str, ...]


def recover(folder: Path, settings: Settings) -> RebuildReport:
    """Adopts every complete segment of a folder that no process has open.

    Raises StoreMissingError, StoreLockedError.
    """
    if not folder.is_dir():
        raise StoreMissingError(f"cannot recover store {folder}: no such folder")
    parts = (filenames.CATALOG, filenames.SEGMENTS_FOLDER, filenames.WAL_FOLDER)
    if not any((folder / part).exists() for part in parts):
        raise StoreMissingError(
            f"cannot recover store {folder}: it has no {', '.join(parts[:-1])} or {parts[-1]}; name the folder that "
            "has them, with NODE where it is a node's"
        )
    lock = WriterLock(folder)
    try:
        return _recovered(folder, settings)
    finally:
        lock.close()


def _recovered(folder: Path, settings: Settings) -> RebuildReport:
    renamed = settings.catalog_url is None and _rename_unreadable(folder, settings)
    core = opening.make_core(folder, settings)
    try:
        files = core.segments.files
        for file_key in list(files.aside()):
            files.take_back(file_key)
        rows = core.catalog.load().rows()
        named = {row.file_key: row for row in rows}
        adopted, unreadable = _unnamed(core, named)
        repeated = _repeated(core, list(named.values()), adopted)
        kept = [new for new in adopted if new.file_key not in repeated]
        gone = [row for row in rows if row.file_key in repeated or files.size(row.file_key) is None]
        core.catalog.commit(Change(added=kept, removed=gone, now_ns=core.clock.now_ns()))
        # crash here: sources of merges lie beside them and are not named -> the next run sets them aside
        for file_key in repeated:
            files.set_aside(file_key)
            tail_key = files.tail_key(file_key)
            if files.size(tail_key) is not None:
                files.set_aside(tail_key)
        created = renamed or core.catalog.created
        rows_adopted = sum(new.rows for new in kept)
        return RebuildReport(created, len(kept), rows_adopted, len(repeated), tuple(unreadable))
    finally:
        core.catalog.close()


def _rename_unreadable(folder: Path, settings: Settings) -> bool:
    """Renames a catalog that cannot be read; tells whether it did."""
    path = folder / filenames.CATALOG
    if not path.exists():
        return False
    try:
        core = opening.make_core(folder, settings)
        try:
            core.catalog.load()
        finally:
            core.catalog.close()
    except FormatVersionError:
        raise
    except TraceStoreError:
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            if (folder / name).exists():
                settings.fs.rename(folder / name, folder / f"{name}.damaged")
        settings.fs.sync_folder(folder)
        return True
    return False


def _unnamed(core: Core, named: dict[str, SegmentRow]) -> tuple[list[NewSegment], list[str]]:
    """Returns the complete segments that the catalog does not name, and what is wrong with other files."""
    found: list[NewSegment] = []
    unreadable: list[str] = []
    dead = {file_key for file_key, _, _ in core.catalog.garbage()}
    for file_key in list(core.segments.files.file_keys()):
        tail = file_key.endswith(filenames.FORMER_TAIL_SUFFIX)
        if (
            file_key in named
            or file_key in dead
            or tail
            or not file_key.endswith(filenames.SEGMENT_SUFFIX)
        ):
            continue
        try:
            found.append(_adopted(core, file_key))
        except (CorruptionError, FormatVersionError, StoreMissingError, KeyError) as error:
            unreadable.append(f"{file_key}: {error}")
    return found, unreadable


def _adopted(core: Core, file_key: str) -> NewSegment:
    """Returns a segment as the catalog takes it, by its footer, its columns and its tail."""
    files = core.segments.files
    path = files.local(file_key)
    with SegmentFile(path) as file:
        footer = file.footer
        table = file.columns([*file.schema.names, *file.item_columns])
    tail_key = files.tail_key(file_key)
    tail_bytes = files.size(tail_key)
    tail: pa.Table | None = None
    if footer.tail_entries:
        with SegmentFile(files.local(tail_key)) as file:
            tail = file.columns(file.schema.names)
    summary = summarize(table, tail, SEGMENT_TABLES[footer.table])
    size = files.size(file_key)
    return NewSegment(
        segment_id=footer.segment_id,
        table=footer.table,
        project=footer.project,
        day=filenames.day_of(footer.min_time_ns),
        file_key=file_key,
        rows=footer.rows,
        bytes=size or 0,
        crc=file_crc(path),
        tail_bytes=tail_bytes if tail is not None else None,
        tail_crc=file_crc(files.local(tail_key)) if tail is not None else None,
        words_bytes=None,
        words_crc=None,
        words_footer_crc=None,
        raw_bytes=table.nbytes,
        min_time_ns=summary.min_time_ns,
        max_time_ns=summary.max_time_ns,
        created_ns=footer.created_ns,
        cluster_columns=len(footer.cluster_by) or None,
        leaf_rows=summary.leaf_rows,
        tail_rows=summary.tail_rows,
    )


def _repeated(core: Core, named: list[SegmentRow], adopted: list[NewSegment]) -> set[str]:
    """Returns the file keys of segments whose rows are all in newer ones of their project."""
    groups: dict[tuple[str, str], list[SegmentFacts]] = defaultdict(list)
    for segment in (*named, *adopted):
        if core.segments.files.size(segment.file_key) is not None:
            groups[segment.table, segment.project].append(segment)
    new_keys = {segment.file_key for segment in adopted}
    repeated: set[str] = set()
    for (table, _), segments in groups.items():
        segments.sort(key=lambda each: each.segment_id, reverse=True)
        for number, older in enumerate(segments):
            over = [
                newer
                for newer in segments[:number]
                if newer.file_key not in repeated
                and newer.min_time_ns <= older.max_time_ns
                and newer.max_time_ns >= older.min_time_ns
            ]
            # Segments that a catalog names already are right together.
            touched = older.file_key in new_keys or any(each.file_key in new_keys for each in over)
            if over and touched and _holds_all(core, table, over, older):
                repeated.add(older.file_key)
    return repeated


def _holds_all(
    core: Core,
    table: str,
    newer: list[SegmentFacts],
    older: SegmentFacts,
) -> bool:
    left = _keys(core, table, older.file_key)
    for segment in newer:
        left -= _keys(core, table, segment.file_key)
    return not left


def _keys(core: Core, table: str, file_key: str) -> Counter[tuple[object, ...]]:
    """Returns what tells a segment's rows apart: their key, or all fixed columns where they have none."""
    spec = SEGMENT_TABLES[table]
    with SegmentFile(core.segments.files.local(file_key)) as file:
        wanted = spec.key_columns or tuple(
            name for name in spec.columns if name in file.schema.names
        )
        columns = file.columns(list(wanted))
    return Counter(zip(*(column.to_pylist() for column in columns.columns), strict=True))
