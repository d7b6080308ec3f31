"""The parts of an open store that its rooms share, and the order of its locks.

Lock order, outermost first: `maintenance` (rewrites), `flushing`, `patching`, the gate, a memtable's lock, the
WAL's locks, `lock`. `lock` is held for moments only and never while a file is read or written.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tracestore.errors import (
    CatalogError,
    ReadOnlyError,
    StoreClosedError,
    StoreFailedError,
    StoreMissingError,
)
from tracestore.store.catalog import patch_table
from tracestore.store.catalog.catalog import Catalog
from tracestore.store.catalog.changes import Applied, Doubt
from tracestore.store.catalog.nodes import change_log, node_table
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.clock import Clock
from tracestore.store.counts import Counting
from tracestore.store.files import filenames
from tracestore.store.files.segment_ids import UlidMaker
from tracestore.store.memory.generation import Generation
from tracestore.store.memory.ingest_gate import IngestGate
from tracestore.store.memory.memtable import Memtable, Replaced
from tracestore.store.memory.node_state import NodeState
from tracestore.store.memory.recent_spans import RecentSpans
from tracestore.store.patches.log import Patch, PatchLog
from tracestore.store.patches.lookup import PatchLookup
from tracestore.store.patches.merged import MergedRows
from tracestore.store.segments.asked_columns import AskedColumns
from tracestore.store.segments.group_tables import GroupTables
from tracestore.store.segments.index import SegmentIndex
from tracestore.store.segments.leaf_arrays import LeafArrays
from tracestore.store.segments.path_cache import PathCache
from tracestore.store.segments.replaced_rows import ReplacedRows, RowNumbers, union
from tracestore.store.segments.trace_filters import TraceFilters
from tracestore.store.segments.words_cache import WordsCache
from tracestore.store.segments.writer import SegmentStore
from tracestore.store.settings import Settings
from tracestore.store.wal.log import Wal
from tracestore.store.wal.reading import Damage


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that is not as it should be: what is wrong, and what the store does about it."""

    path: str
    what: str


@dataclass(slots=True)
class Recovery:
    """The result of opening a store: what was found and done."""

    replayed_frames: int = 0
    replayed_rows: int = 0
    torn_bytes: int = 0
    removed_orphans: int = 0
    set_aside: list[str] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    refused_frames: list[Fault] = field(default_factory=list)


class Core:
    """The parts of an open store.

    Attributes:
        generation: the memtables that take rows.
        frozen: generations being flushed, oldest first.
        version: of the catalog, as far as it is shown; ids of paths from `path_bound` on are unknown to it.
        replaced: rows of segments that a later version of their span took the place of.
        patches: changes of spans that are not folded in yet; `patching` is held while some are added.
        patch_lookup: which rows they change.
        merged: those rows with their patches.
        pins: open snapshots by segment id; the files of pinned segments are kept.
        words: which rows of segments may hold a word.
        traces: which segments may hold a trace.
        groups: what queries keep of segments.
        asked: which columns they compare.
        follows: whether a reader shows the writer's rows in memory too.
        node: what is known of other nodes; None where there is one writer.
        missing: what a snapshot may lack, in words, as a reader's writer has told it.
        replaced_with_others: `replaced.all`, what other nodes have replaced, and both together.
        doubt: the last change where nobody knows whether it was made; `committing` is held while it is found out, and
            while the one writer of a catalog makes a change.
        changed: notified when a flush ends or work arrives; its lock is `lock`.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        catalog: Catalog,
        segments: SegmentStore,
        ulids: UlidMaker,
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.catalog = catalog
        self.segments = segments
        self.ulids = ulids
        self.clock: Clock = settings.clock
        self.fs = settings.fs
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.maintenance = threading.RLock()
        self.flushing = threading.RLock()
        self.committing = threading.RLock()
        self.doubt: Doubt | None = None
        self.gate = IngestGate()
        self.index = SegmentIndex()
        self.replaced = ReplacedRows()
        self.version = 0
        self.path_bound = 0
        self.generation = Generation(self.clock.elapsed_s())
        self.frozen: list[Generation] = []
        self.wal: Wal | None = None
        self.recent = RecentSpans(
            settings.recent_spans, settings.recent_seconds, settings.clock, self._recent_segments
        )
        self.segment_paths = PathCache(catalog)
        self.words = WordsCache(segments.files)
        self.traces = TraceFilters(segments.files)
        self.groups = GroupTables(
            folder / filenames.GROUPS_FOLDER, settings.fs, lambda: self.writable or self.follows
        )
        self.asked = AskedColumns(
            folder / filenames.ASKED_COLUMNS,
            settings.fs,
            settings.clock,
            lambda: self.writable or self.follows,
        )
        self.leaf_arrays = LeafArrays(self.segment_paths)
        self.patching = threading.Lock()
        self.patches = PatchLog()
        self.patch_lookup = PatchLookup(self.patches.seed)
        self.merged = MergedRows(self.patch_lookup)
        self.pins: dict[str, int] = {}
        self.faults: list[Fault] = []
        self.quarantined: dict[str, SegmentRow] = {}
        self.recovery = Recovery()
        self.counts = Counting()
        self.flush_error: Exception | None = None
        self.last_read_s: float | None = None
        self.full_flush_s: float | None = None
        self.follows = False
        self.node: NodeState | None = None
        self.missing: tuple[str, ...] = ()
        self.replaced_with_others: (
            tuple[Mapping[str, RowNumbers], Mapping[str, RowNumbers], Mapping[str, RowNumbers]]
            | None
        ) = None
        self.closed = False

    @property
    def writable(self) -> bool:
        """Returns whether the store was opened for writing."""
        return self.settings.mode == "rw"

    def require_open(self) -> None:
        """Raises StoreClosedError after `close`."""
        if self.closed:
            raise StoreClosedError(f"cannot use store {self.folder}: it is closed; open it again")

    def require_writable(self) -> Wal:
        """Returns the log; raises ReadOnlyError for a store opened with mode='r'."""
        self.require_open()
        if self.wal is None:
            if self.node is not None:
                raise ReadOnlyError(
                    f"cannot write rows: this node only answers; send to one that takes rows{self._named_takers()}"
                )
            raise ReadOnlyError(f"cannot write store {self.folder}: opened with mode='r'")
        return self.wal

    def takers(self) -> list[str]:
        """Returns where nodes take rows; nothing where the catalog does not answer."""
        with contextlib.suppress(CatalogError), self.catalog.transaction() as connection:
            return sorted(
                node.url
                for node in node_table.read_in(connection)
                if node.role != "query" and node.is_up and node.url is not None
            )
        return []

    def _named_takers(self) -> str:
        """Returns where nodes take rows, as the end of a sentence."""
        urls = self.takers()
        return f": {', '.join(urls)}" if urls else ""

    def require_catalog(self) -> None:
        """Raises ReadOnlyError where the catalog may not be changed; a node that takes no rows may."""
        self.require_open()
        if not self.writable:
            raise ReadOnlyError(f"cannot write store {self.folder}: opened with mode='r'")

    def quarantine(self, row: SegmentRow, what: str) -> None:
        """Takes a segment out of every later snapshot; its files stay where they are."""
        if self.writable:
            self.catalog.quarantine(row.segment_id, what)
        with self.lock:
            self.index.apply((), [row])
            self.replaced.drop([row.segment_id])
            self.quarantined[row.segment_id] = row
            self.faults.append(Fault(row.file_key, f"quarantined: {what}"))

    def take_segments(self, applied: Applied, removed: Sequence[SegmentRow] = ()) -> None:
        """Shows what a transaction did to the segments. The caller holds `lock`, and shows its version."""
        self.segment_paths.put(applied.paths)
        self.index.apply(applied.added, removed)

    def load_recent(self) -> None:
        """Reads which spans were stored lately, at the first call."""
        with self.lock:
            days = [day for owner, day in self.index.days() if owner[0] == "spans"]
        known = (name for day in days for name in day.packed.ids.astype("U26").tolist())
        rows = sum(int(day.packed.column("rows").sum()) for day in days)
        self.recent.load(known, rows)

    def hide(self, replaced: Replaced, by: Memtable) -> None:
        """Hides rows whose later versions, in a memtable, are visible from now on. The caller holds `lock`."""
        for memtable, rows in replaced.in_memory:
            memtable.replace(rows, by)
        if replaced.in_segments:
            by.replacing.update(union(by.replacing, replaced.in_segments))
            self.replaced.add(replaced.in_segments)

    def publish(self, memtables: Iterable[Memtable], frame: int) -> None:
        """Makes the rows of frames up to `frame` visible to the next snapshot, in place of those that they replace."""
        with self.lock:
            for memtable in memtables:
                for replaced in memtable.publish(frame):
                    self.hide(replaced, memtable)

    def restore_patches(self, project: str, spans: Collection[tuple[str, str]]) -> None:
        """Has patches of spans wait again that were folded into rows which do not count any more.

        crash after the transaction: they apply to both versions, of which replaying the log hides the earlier
        """
        with self.catalog.writing() as connection:
            folded = [
                Patch.of(*values) for values in patch_table.folded_in(connection, project, spans)
            ]
            if not folded:
                return
            times = [patch.created_ns for patch in folded]
            patch_table.move_back_in(connection, times)
            self.catalog.note_in(connection, change_log.listed(change_log.NEW_PATCHES, times))
        with self.lock:
            self.patches.restore(folded)

    def forget_segments(self, segment_ids: Collection[str]) -> None:
        """Drops what is cached of segments that are gone."""
        self.words.forget(segment_ids)
        self.traces.forget(segment_ids)
        self.groups.forget(segment_ids)
        self.patch_lookup.forget(segment_ids)
        self.merged.forget(segment_ids)

    def forget_memory(self) -> None:
        """Drops what is cached of memtables: one of them has become segments."""
        self.patch_lookup.forget_memory()
        self.merged.forget_memory()

    def _recent_segments(self) -> Iterator[tuple[str, str, Path, int]]:
        since_ns = self.clock.now_ns() - int(self.settings.recent_seconds * 1e9)
        with self.lock:
            days = [day for owner, day in self.index.days() if owner[0] == "spans"]
        recent = [row for day in days for row in day.created_since(since_ns)]
        for row in sorted(recent, key=lambda row: row.segment_id, reverse=True):
            try:
                path = self.segments.files.local(row.file_key)
            except (StoreMissingError, StoreFailedError):
                continue  # whoever reads its rows reports it; its spans are sought by their times
            yield row.segment_id, row.project, path, row.rows
