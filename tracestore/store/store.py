"""The store's front: open a folder, write, take snapshots, maintain, close."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tracestore.errors import StoreMissingError
from tracestore.segment.footer import FORMAT
from tracestore.store import filenames, flush, ingest, payloads, recovery
from tracestore.store.catalog import Catalog
from tracestore.store.core import Core
from tracestore.store.decompress import normal_encoding
from tracestore.store.leases import Lease
from tracestore.store.lock import WriterLock
from tracestore.store.objects import LocalFiles, ObjectFiles, SegmentFiles
from tracestore.store.report import IngestReport
from tracestore.store.rows import Rows
from tracestore.store import rows as row_payloads
from tracestore.store.segment_index import TimeRange
from tracestore.store.segment_store import SegmentStore
from tracestore.store.settings import Durability, Mode, Settings
from tracestore.store.snapshot import Snapshot, take_snapshot
from tracestore.store.ulid import UlidMaker
from tracestore.store.wal_format import Frame


class Store:
    """Is an open store. Thread-safe; a context manager."""

    def __init__(self, core: Core, lock: WriterLock | None) -> None:
        self._core = core
        self._lock = lock

    @classmethod
    def open(
        cls,
        folder: str | Path,
        mode: Mode = "rw",
        *,
        catalog_url: str | None = None,
        segments_url: str | None = None,
        durability: Durability = "sync",
        **settings: Any,
    ) -> Self:
        """Opens a store, and creates it where there is none (mode "rw").

        Args:
            folder: the store's folder.
            mode: "rw" for the one writer, "r" for any number of readers, which see flushed rows.
            catalog_url: a database for the catalog, e.g. `postgresql://…`; default the folder's SQLite file.
            segments_url: where segments live, e.g. `s3://bucket/prefix`; default the folder.
            durability: "sync" answers a write after its fdatasync, "async" before it.
            settings: further fields of `tracestore.store.settings.Settings`.

        Raises StoreLockedError, StoreMissingError, FormatVersionError, CorruptionError.
        """
        chosen = Settings(
            mode=mode,
            catalog_url=catalog_url,
            segments_url=segments_url,
            durability=durability,
            **settings,
        )
        path = Path(folder)
        if mode == "r":
            return cls(_open_reader(path, chosen), None)
        chosen.fs.make_folder(path)
        lock = WriterLock(path)
        try:
            return cls(_open_writer(path, chosen), lock)
        except BaseException:
            lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ingest_otlp(
        self,
        body: bytes,
        signal: str,
        content_type: str = "application/x-protobuf",
        content_encoding: str | None = None,
        project: str | None = None,
        experiment: str | None = None,
    ) -> IngestReport:
        """Stores an OTLP export request; on return it is durable and visible.

        Raises PayloadError, LimitExceededError, UnsupportedPayloadError: nothing was stored and
        sending it again is useless. StorageFullError: nothing was stored, send it again later.
        StoreFailedError: reopen the store, then send it again.
        """
        frame = Frame(
            kind="otlp",
            table=payloads.table_of(signal),
            content_type=payloads.normal_content_type(content_type),
            content_encoding=normal_encoding(content_encoding),
            project=project or "default",
            experiment=experiment,
            received_ns=self._core.clock.now_ns(),
            payload=bytes(body),
        )
        return self._write(frame)

    def insert(
        self, table: str, rows: Rows, project: str | None = None, experiment: str | None = None
    ) -> IngestReport:
        """Stores rows given as dicts, NDJSON or Arrow; keys are the table's columns.

        Missing ids are drawn at random and a missing time is now. Rows are stored a few megabytes
        at a time: where an error is raised, earlier ones are stored already.
        """
        now_ns = self._core.clock.now_ns()
        total = IngestReport()
        first_row = 0
        for payload, count in row_payloads.payloads(table, rows, now_ns):
            frame = Frame(
                kind="rows",
                table=table,
                content_type="application/x-ndjson",
                content_encoding="identity",
                project=project or "default",
                experiment=experiment,
                received_ns=now_ns,
                payload=payload,
            )
            total.add_payload(self._write(frame), first_row)
            first_row += count
        return total

    def snapshot(
        self,
        tables: Sequence[str] = ("spans",),
        projects: Collection[str] | None = None,
        time_range: TimeRange | None = None,
        paths: Collection[str] | None = None,
    ) -> Snapshot:
        """Returns a consistent view, to be closed; a context manager.

        Args:
            tables: table names.
            projects: project names, None for all.
            time_range: nanoseconds [start, stop), None for all times.
            paths: path texts; leaves out segments that hold none of them nor a path below them.
        """
        core = self._core
        core.require_open()
        lease: Lease | None = None
        if not core.writable:
            lease = _lease(core)
            recovery.refresh(core)
            lease.narrow(core.version)
        return take_snapshot(core, tables, projects, time_range, paths, lease)

    def flush(self) -> int:
        """Writes everything in memory to segments; returns how many were written."""
        return flush.flush(self._core)

    def close(self) -> None:
        """Stops background work, syncs the log and gives the lock back; rows in memory are replayed later."""
        core = self._core
        if core.closed:
            return
        with core.lock:
            core.closed = True
            core.changed.notify_all()
        try:
            if core.wal is not None:
                core.wal.close()
        finally:
            core.catalog.close()
            if self._lock is not None:
                self._lock.close()

    def _write(self, frame: Frame) -> IngestReport:
        core = self._core
        core.require_writable()
        payloads.check_name(frame.project, "project")
        payloads.check_name(frame.experiment, "experiment")
        parts = payloads.parts_of(frame, core.settings.max_payload_bytes)
        return ingest.write(core, frame, parts)


def _open_writer(folder: Path, settings: Settings) -> Core:
    core = _make_core(folder, settings)
    try:
        recovery.load_index(core)
        newest = max((row.segment_id for row in core.index.rows()), default=None)
        core.ulids.start_after(newest)
        recovery.check_files(core)
        recovery.remove_leftovers(core)
        core.wal = recovery.replay(core)
    except BaseException:
        recovery.close_quietly(core)
        raise
    return core


def _open_reader(folder: Path, settings: Settings) -> Core:
    if settings.catalog_url is None and not (folder / filenames.CATALOG).exists():
        raise StoreMissingError(f"cannot open store {folder}: no store here; open it with mode='rw'")
    core = _make_core(folder, settings)
    try:
        recovery.load_index(core)
    except BaseException:
        recovery.close_quietly(core)
        raise
    return core


def _make_core(folder: Path, settings: Settings) -> Core:
    files: SegmentFiles
    if settings.segments_url is None:
        files = LocalFiles(folder / filenames.SEGMENTS_FOLDER, settings.fs)
    else:
        cache = folder / filenames.CACHE_FOLDER
        files = ObjectFiles(settings.segments_url, cache, settings.fs, settings.object_cache_bytes)
    ulids = UlidMaker()
    catalog = Catalog(
        settings.catalog_url or folder / filenames.CATALOG,
        writable=settings.mode == "rw",
        defaults={"store_id": ulids.make(settings.clock.now_ns()), "segment_format": str(FORMAT)},
    )
    segments = SegmentStore(files, settings.fs, ulids, settings.clock)
    return Core(folder, settings, catalog, segments, ulids)


def _lease(core: Core) -> Lease:
    folder = core.folder / filenames.READERS_FOLDER
    folder.mkdir(exist_ok=True)
    return Lease(folder, core.ulids.make(core.clock.now_ns()))
