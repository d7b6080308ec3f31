"""Copies a store to another folder while its server runs: the copy is the store as it was when the command began.

1. a lease keeps every file that is live now
2. the log files are linked or copied
3. the catalog is copied, page by page, as of one moment
4. the segments that the copy of the catalog names are linked or copied
Rows acknowledged before step 2 are in the copied log, or in a segment that the catalog of step 3 names: its
mark is not before theirs. To restore is to open the copy, or to put it in the place of the folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tracestore.errors import CatalogError, StoreExistsError, StoreMissingError
from tracestore.store import opening
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.files import filenames, filesystem
from tracestore.store.files.segment_files import LocalFiles
from tracestore.store.settings import Settings


@dataclass(frozen=True, slots=True)
class BackupReport:
    """The result of a backup: the files that were copied, and their bytes."""

    segments: int
    log_files: int
    bytes: int


def backup(folder: Path, target: Path, settings: Settings) -> BackupReport:
    """Copies a store to a folder that does not exist yet; a writer may have it open.

    Raises StoreMissingError, and StoreExistsError where the target holds anything.
    """
    if settings.catalog_url is not None or settings.segments_url is not None:
        raise CatalogError(
            f"cannot back up store {folder}: its catalog or segments are elsewhere; back them up there"
        )
    if target.exists() and any(target.iterdir()):
        raise StoreExistsError(f"cannot back up to {target}: it is not empty; name another folder")
    if not (folder / filenames.CATALOG).exists():
        raise StoreMissingError(f"cannot back up store {folder}: no store here; name its folder")
    core = opening.make_core(folder, settings)
    copier = _Copier(settings.fs)
    try:
        lease = opening.make_lease(core)
        try:
            logs = _copy_logs(folder, target, copier)
            _copy_catalog(folder / filenames.CATALOG, target / filenames.CATALOG)
            segments = _copy_segments(folder, target, copier)
        finally:
            lease.close()
    finally:
        core.catalog.close()
    settings.fs.sync_folder(target)
    size = copier.bytes + (target / filenames.CATALOG).stat().st_size
    return BackupReport(segments, logs, size)


class _Copier:
    """A copier of files that counts their bytes. Segments never change, so a link is a copy of them."""

    def __init__(self, fs: filesystem.FileSystem) -> None:
        self.fs = fs
        self.bytes = 0

    def copy(self, source: Path, target: Path, *, link: bool) -> None:
        """Copies a file, or links it where both lie in one file system."""
        self.fs.make_folder(target.parent)
        if link:
            with contextlib.suppress(OSError):
                os.link(source, target)
        if not target.exists():
            shutil.copyfile(source, target)
            self._sync(target)
        self.bytes += target.stat().st_size
        self.fs.sync_folder(target.parent)

    def _sync(self, path: Path) -> None:
        file = self.fs.open_append(path)
        try:
            file.sync()
        finally:
            file.close()


def _copy_logs(folder: Path, target: Path, copier: _Copier) -> int:
    """Copies the log files, newest last; one that a flush removes meanwhile is in a segment by then."""
    copied = 0
    wal = folder / filenames.WAL_FOLDER
    for path in sorted(wal.glob("*.wal")):
        with contextlib.suppress(FileNotFoundError):
            copier.copy(path, target / filenames.WAL_FOLDER / path.name, link=False)
            copied += 1
    return copied


def _copy_catalog(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        try:
            old.backup(new)
        except sqlite3.Error as error:
            raise CatalogError(f"cannot copy catalog {source}: {error}") from error


def _copy_segments(folder: Path, target: Path, copier: _Copier) -> int:
    """Copies the segments that the copied catalog names, and their sidecars."""
    copy = opening.make_core(target, Settings(mode="r"))
    try:
        rows = copy.catalog.load().rows()
    finally:
        copy.catalog.close()
    files = LocalFiles(folder / filenames.SEGMENTS_FOLDER, copier.fs)
    for row in rows:
        for file_key in _file_keys(files, row):
            source = folder / filenames.SEGMENTS_FOLDER / file_key
            # One that is quarantined since its file is gone stays so in the copy.
            # A words sidecar that is gone is made again by the next merge.
            if source.exists() or (
                row.fault is None and not file_key.endswith(filenames.WORDS_SUFFIX)
            ):
                copier.copy(source, target / filenames.SEGMENTS_FOLDER / file_key, link=True)
    return len(rows)


def _file_keys(files: LocalFiles, row: SegmentRow) -> Iterator[str]:
    """Yields the keys of a segment's files, as they are in the folder."""
    yield row.file_key
    for key, _ in row.sidecars():
        is_tail = key.endswith(filenames.TAIL_SUFFIX)
        yield files.tail_key(row.file_key) if is_tail else key
