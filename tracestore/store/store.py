"""The store's front: open a folder, write, take snapshots, maintain, close."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from tracestore.content_types import NDJSON, PROTOBUF
from tracestore.feedback import FeedbackMethods
from tracestore.store import check, opening, stats
from tracestore.store.catalog.path_ids import PathRow
from tracestore.store.check import CheckReport
from tracestore.store.core import Core
from tracestore.store.datasets.datasets import Datasets
from tracestore.store.datasets.experiments import Experiments
from tracestore.store.documents import Documents
from tracestore.store.files import filenames
from tracestore.store.files.writer_lock import WriterLock
from tracestore.store.follow.follower import Follower
from tracestore.store.following import FollowMethods
from tracestore.store.maintenance import Maintenance
from tracestore.store.memory.need import Paths
from tracestore.store.nodes.front import Nodes
from tracestore.store.publications import Publications
from tracestore.store.read.snapshot import Snapshot, take_snapshot
from tracestore.store.rewrite import compaction, deletes, predicate, retention
from tracestore.store.rewrite.compaction import CompactionReport
from tracestore.store.rewrite.deletes import DeleteReport
from tracestore.store.rewrite.predicate import Condition
from tracestore.store.rewrite.row_set import Numbers, RowSet
from tracestore.store.segments import clustering
from tracestore.store.segments.asked_columns import AskedColumn, Column
from tracestore.store.segments.index import TimeRange
from tracestore.store.settings import Durability, Mode, Settings
from tracestore.store.stats import StoreStats
from tracestore.store.wal.frames import Frame
from tracestore.store.write import flush, ingest, log_messages, payloads
from tracestore.store.write import patch as patching
from tracestore.store.write import row_input as row_payloads
from tracestore.store.write.allowed_projects import (
    DEFAULT_PROJECT,
    AllowedProjects,
    default_project,
)
from tracestore.store.write.decompress import normal_encoding
from tracestore.store.write.ingest import ProjectPart
from tracestore.store.write.ingest_report import IngestReport
from tracestore.store.write.row_input import Rows


class Store(FollowMethods, FeedbackMethods):
    """An open store. Thread-safe; a context manager.

    Attributes:
        datasets: versioned rows.
        experiments: what is known of named runs beside their spans.
        documents: what people saved.
        publications: segments that other programs list.
        nodes: those that share the catalog and the segments with this one.
    """

    def __init__(self, core: Core, lock: WriterLock | None) -> None:
        self._core = core
        self._lock = lock
        self._maintenance: Maintenance | None = None
        self._follower: Follower | None = None
        self.datasets: Datasets = Datasets(core)
        self.experiments: Experiments = Experiments(core)
        self.documents = Documents(core)
        self.publications = Publications(core)
        self.nodes = Nodes(core)
        if core.wal is not None and core.settings.background:
            self._maintenance = Maintenance(core)
            self._maintenance.start()

    @classmethod
    def open(
        cls,
        folder: str | Path,
        mode: Mode = "rw",
        *,
        create: bool = True,
        catalog_url: str | None = None,
        segments_url: str | None = None,
        durability: Durability = "sync",
        **settings: Any,
    ) -> Self:
        """Opens a store, and creates it where there is none (mode "rw").

        Args:
            folder: the store's folder.
            mode: "rw" for the one writer, "r" for any number of readers, which see flushed rows.
            create: whether a store is made where there is none.
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
        if not create:
            opening.require_store(path, chosen)
        if mode == "r":
            return cls(opening.open_reader(path, chosen), None)
        chosen.fs.make_folder(path)
        lock = WriterLock(path)
        try:
            return cls(opening.open_writer(path, chosen), lock)
        except BaseException:
            lock.close()
            raise

    def announce(self, url: str) -> None:
        """Notes where this process serves the store, for others that find its folder locked."""
        if self._lock is not None:
            self._lock.announce(url)
        self.nodes.announce(url)

    @property
    def folder(self) -> Path:
        """Returns the store's folder: every file a snapshot names lies below it."""
        return self._core.folder

    @property
    def segment_folders(self) -> tuple[Path, ...]:
        """Returns the folders that files of segments are read from: neither the catalog nor the log lies there."""
        folder = self._core.folder
        return folder / filenames.SEGMENTS_FOLDER, folder / filenames.CACHE_FOLDER

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def ingest_otlp(
        self,
        body: bytes,
        signal: str,
        content_type: str = PROTOBUF,
        content_encoding: str | None = None,
        project: str | None = None,
        experiment: str | None = None,
        *,
        allowed: AllowedProjects = None,
    ) -> IngestReport:
        """Stores an OTLP export request; on return it is durable and visible.

        Args:
            body: the request, as it was received.
            signal: "traces" or "logs".
            content_type: of the body.
            content_encoding: of the body, None for a plain one.
            project: of rows whose resource names none; default the only one that is allowed, else "default".
            experiment: of rows that name none.
            allowed: the projects that the sender may write to, None for all.

        Raises PayloadError, LimitExceededError, UnsupportedPayloadError, ProjectForbiddenError: nothing was
        stored and sending it again is useless. StorageFullError: nothing was stored, send it again later.
        StoreFailedError: reopen the store, then send it again.
        """
        frame = Frame(
            kind="otlp",
            table=payloads.table_of(signal),
            content_type=payloads.normal_content_type(content_type),
            content_encoding=normal_encoding(content_encoding),
            project=default_project(project, allowed),
            experiment=experiment,
            received_ns=self._core.clock.now_ns(),
            payload=bytes(body),
        )
        return log_messages.write(self._core, frame, self._project_parts(frame, allowed))

    def insert(
        self,
        table: str,
        rows: Rows,
        project: str | None = None,
        experiment: str | None = None,
        *,
        allowed: AllowedProjects = None,
    ) -> IngestReport:
        """Stores rows given as dicts, NDJSON or Arrow; keys are the table's columns.

        Args:
            table: "spans" or "logs".
            rows: missing ids are drawn at random and a missing time is now.
            project: of rows that name none; default the only one that is allowed, else "default".
            experiment: of rows that name none.
            allowed: the projects that the sender may write to, None for all.

        Raises ProjectForbiddenError, NothingStoredError (every row is refused): nothing was stored. Rows are stored
        a few megabytes at a time: where another error is raised, earlier ones are stored already.
        """
        now_ns = self._core.clock.now_ns()
        frame = Frame(
            kind="rows",
            table=table,
            content_type=NDJSON,
            content_encoding="identity",
            project=default_project(project, allowed),
            experiment=experiment,
            received_ns=now_ns,
            payload=b"",
        )
        writes: Iterable[tuple[Frame, list[ProjectPart], int]] = (
            (piece, self._project_parts(piece, allowed), count)
            for payload, count in row_payloads.payloads(table, rows, now_ns)
            for piece in [replace(frame, payload=payload)]
        )
        if allowed is not None:
            # The projects of all rows are known and allowed before the first one is stored.
            writes = list(writes)
        total = IngestReport()
        first_row = 0
        for piece, parts, count in writes:
            total.add_payload(ingest.write(self._core, piece, parts), first_row)
            first_row += count
        total.require_some_stored()
        return total

    def patch(
        self,
        patches: Mapping[str, Any] | Iterable[Mapping[str, Any]],
        *,
        project: str | None = None,
    ) -> int:
        """Changes scores, metadata, metrics, tags and expected of spans; returns the number of patches.

        Args:
            patches: one or many: `trace_id`, `span_id`, perhaps `project`, and what changes; the span may
                come later. docs/guide/feedback.md has the rules.
            project: of the spans that name none.

        On return they are durable and visible. Raises PatchError: nothing was stored.
        """
        return patching.patch(self._core, patches, project or DEFAULT_PROJECT)

    def snapshot(
        self,
        tables: Sequence[str] = ("spans",),
        projects: Collection[str] | None = None,
        time_range: TimeRange | None = None,
        paths: Collection[str] | None = None,
        reads: Paths = None,
    ) -> Snapshot:
        """Returns a consistent view, to be closed; a context manager.

        Args:
            tables: table names.
            projects: project names, None for all.
            time_range: nanoseconds [start, stop), None for all times.
            paths: path texts; leaves out segments that hold none of them nor a path below them.
            reads: paths whose values are read, keys joined by dots, None for all; rows of other nodes lack others.
        """
        core = self._core
        core.require_open()
        return take_snapshot(core, tables, projects, time_range, paths, reads, self._current)

    def flush(self) -> int:
        """Writes everything in memory to segments; returns how many were written."""
        return flush.flush(self._core)

    def compact(self, *, full: bool = False) -> CompactionReport:
        """Merges segments until nothing is worth it; `full` merges each day as far as memory allows."""
        return compaction.compact(self._core, full=full)

    def pause_compaction(self) -> None:
        """Keeps the background from merging until `resume_compaction`; returns when none is under way."""
        if self._maintenance is not None:
            self._maintenance.pause()

    def resume_compaction(self) -> None:
        """Undoes one `pause_compaction`."""
        if self._maintenance is not None:
            self._maintenance.resume()

    def delete(
        self,
        *,
        trace_id: str | None = None,
        project: str | None = None,
        where: Sequence[Condition] = (),
        tables: Sequence[str] | None = None,
    ) -> DeleteReport:
        """Removes rows for good: their segments are rewritten before this returns.

        Args:
            trace_id: rows of one trace.
            project: rows of one project; alone, the whole project.
            where: (column, operator, value) conditions on stored fixed columns, all of which must
                hold; operators are = != < <= > >= in.
            tables: table names, default every table that has these columns.

        What is given is combined by AND. Raises QueryError for a predicate that is not valid.
        """
        chosen = predicate.make_predicate(trace_id, project, where, tables)
        report = deletes.delete(self._core, chosen)
        self.datasets.forget()
        return report

    def delete_rows(self, find: Callable[[], Mapping[str, Numbers]]) -> DeleteReport:
        """Removes rows by number for good: their segments are rewritten before this returns.

        Args:
            find: returns row numbers, sorted and each once, by segment id. It is called once everything in
                memory is in segments, and none of them is merged until the rows are gone.
        """
        return deletes.delete_rows(self._core, lambda: RowSet(find()))

    def set_retention(self, project: str, days: int | None) -> None:
        """Sets after how many days the rows of a project expire; None keeps them."""
        retention.set_days(self._core, project, days)

    def set_cluster_by(self, project: str, columns: Sequence[str] | None) -> None:
        """Sets by which columns and paths the rows of a project's new segments are sorted before time; None by none."""
        self._core.require_writable()
        now_ns = self._core.clock.now_ns()
        clustering.set_columns(self._core.catalog, project, columns or (), now_ns)

    def cluster_by(self) -> dict[str, tuple[str, ...]]:
        """Returns the columns that the segments of projects are clustered by; of other projects none are."""
        return clustering.all_columns(self._core.catalog)

    def note_asked(self, projects: Collection[str] | None, columns: Collection[Column]) -> None:
        """Counts a query over projects, None for all, and the columns of tables that it compares with constants."""
        self._core.asked.note(projects, columns)

    def asked_columns(self) -> list[AskedColumn]:
        """Returns the columns that queries compared with constants, those of most queries first."""
        return self._core.asked.columns()

    def expire(self) -> int:
        """Removes rows past their project's retention now; returns how many."""
        return retention.expire(self._core)

    def check(self, *, deep: bool = False, quarantine: bool = False) -> CheckReport:
        """Looks for damaged and missing files; `deep` reads every page. Changes nothing unless it quarantines them."""
        return check.check(self._core, deep=deep, quarantine=quarantine)

    def quarantine(self, segment_id: str, what: str) -> bool:
        """Takes a segment that a reader found damaged out of later snapshots; False if it is not live."""
        return check.quarantine(self._core, segment_id, what)

    def projects(self) -> dict[str, int | None]:
        """Returns every project that was flushed and its retention in days, None for ever."""
        return self._core.catalog.projects()

    def paths(self, table: str, project: str) -> list[PathRow]:
        """Returns the schema of flushed rows as it has grown: each path and type with its times and rows."""
        return self._core.catalog.path_rows(table, project)

    def stats(self) -> StoreStats:
        """Returns counts of what the store holds and has done."""
        return stats.collect(self._core)

    def close(self) -> None:
        """Stops background work, syncs the log and gives the lock back; rows in memory are replayed later."""
        core = self._core
        with core.lock:
            if core.closed:
                return
            core.asked.save()
            core.closed = True
            core.changed.notify_all()
        if self._maintenance is not None:
            self._maintenance.stop()
        if self._follower is not None:
            self._follower.close()
        member = core.node.member if core.node is not None else None
        if member is not None:
            member.stop()
        try:
            with core.maintenance, core.flushing, core.gate.exclusive():
                if core.wal is not None:
                    core.wal.close()
                if member is not None:
                    member.leave()
        finally:
            core.catalog.close()
            if self._lock is not None:
                self._lock.close()

    def _project_parts(self, frame: Frame, allowed: AllowedProjects) -> list[ProjectPart]:
        """Returns a frame's rows by project, all of which the sender may write to."""
        core = self._core
        core.require_writable()
        payloads.check_name(frame.project, "project")
        payloads.check_name(frame.experiment, "experiment")
        return payloads.project_parts(frame, core.settings.max_payload_bytes, allowed)
