"""Turns finished tables into durable segments that no catalog row names yet."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from tracestore.segment.footer import Footer
from tracestore.segment.item_columns import with_item_columns
from tracestore.segment.tables import SegmentTable
from tracestore.segment.words import FoundWords, encode_words, find_words
from tracestore.segment.words_file import footer_crc
from tracestore.segment.write import SegmentSummary, Sink, summarize, write_segment, write_tail
from tracestore.store.catalog.segment_row import NewSegment
from tracestore.store.clock import Clock
from tracestore.store.files import filenames, filesystem
from tracestore.store.files.segment_files import SegmentFiles
from tracestore.store.files.segment_ids import UlidMaker
from tracestore.store.files.uploads import Uploads


@dataclass(frozen=True, slots=True)
class WordsRule:
    """Which segments get a words sidecar: those of at least `min_rows`, of `max_share` of their bytes at most."""

    min_rows: int
    max_share: float


@dataclass(frozen=True, slots=True)
class _WordsFacts:
    """The size and checksums of a words sidecar, None where there is none."""

    bytes: int | None = None
    crc: int | None = None
    footer_crc: int | None = None


class SegmentStore:
    """A durable writer of segments. Thread-safe: each write has names of its own."""

    def __init__(
        self,
        files: SegmentFiles,
        fs: filesystem.FileSystem,
        ulids: UlidMaker,
        clock: Clock,
        words: WordsRule,
        max_item_columns_share: float,
        uploads: Uploads | None = None,
    ) -> None:
        self._uploads = uploads
        self.files = files
        self._fs = fs
        self._ulids = ulids
        self._clock = clock
        self._words = words
        self._max_item_columns_share = max_item_columns_share

    def write(
        self,
        table: pa.Table,
        tail: pa.Table | None,
        spec: SegmentTable,
        project: str,
        cluster_by: tuple[str, ...] = (),
    ) -> NewSegment:
        """Writes a sorted table and its sidecars; all files are durable on return.

        Rows are sorted by the stored columns `cluster_by`, then by time.

        1. write and sync `<ulid>.tail.tmp`, give it its name, sync the folder
        2. the same for `<ulid>.parquet`
        3. the same for `<ulid>.words`, whose bound is a share of the bytes of both
        crash after any: no catalog row names them -> recovery removes them

        Words are found meanwhile, by another thread.
        """
        with ThreadPoolExecutor(1, "words") as beside:
            found = None
            if spec.is_searched and len(table) >= self._words.min_rows:
                found = _begin(beside, lambda: find_words(table, spec))
            return self._written(table, tail, spec, project, cluster_by, found)

    def _written(
        self,
        table: pa.Table,
        tail: pa.Table | None,
        spec: SegmentTable,
        project: str,
        cluster_by: tuple[str, ...],
        found: Callable[[], FoundWords] | None,
    ) -> NewSegment:
        stored = with_item_columns(table, self._max_item_columns_share)
        summary = summarize(stored, tail, spec)
        created_ns = self._clock.now_ns()
        segment_id = self._ulids.make(created_ns)
        day = filenames.day_of(summary.min_time_ns)
        file_key = filenames.segment_key(spec.name, project, day, segment_id)
        entries = 0 if tail is None else len(tail)
        items = len(stored.column_names) - len(table.column_names)
        footer = _footer(spec, project, segment_id, summary, created_ns, entries, items, cluster_by)
        if self._uploads is not None:
            self._uploads.note(segment_id, file_key)
        written: list[str] = []
        tail_bytes: int | None = None
        tail_crc: int | None = None
        try:
            if tail is not None and entries:
                of_tail = replace(footer, kind="tail")
                written.append(filenames.tail_key(file_key))
                tail_bytes, tail_crc = self._publish(
                    written[-1], lambda sink: write_tail(sink, tail, of_tail)
                )
            written.append(file_key)
            size, crc = self._publish(
                file_key, lambda sink: write_segment(sink, stored, spec, footer)
            )
            written.append(filenames.words_key(file_key))
            words = _WordsFacts()
            if found is not None:
                words = self._write_words(written[-1], found(), footer, size + (tail_bytes or 0))
        except BaseException:
            for key in written:
                self._discard(key)
            raise
        return NewSegment(
            segment_id=segment_id,
            table=spec.name,
            project=project,
            day=day,
            file_key=file_key,
            rows=summary.rows,
            bytes=size,
            crc=crc,
            tail_bytes=tail_bytes,
            tail_crc=tail_crc,
            words_bytes=words.bytes,
            words_crc=words.crc,
            words_footer_crc=words.footer_crc,
            raw_bytes=table.nbytes,
            min_time_ns=summary.min_time_ns,
            max_time_ns=summary.max_time_ns,
            created_ns=created_ns,
            cluster_columns=len(cluster_by) or None,
            leaf_rows=summary.leaf_rows,
            tail_rows=summary.tail_rows,
        )

    def _write_words(
        self, words_key: str, found: FoundWords, footer: Footer, segment_bytes: int
    ) -> _WordsFacts:
        """Writes the words sidecar, if its words fit into their share."""
        max_bytes = int(segment_bytes * self._words.max_share)
        encoded = encode_words(found, replace(footer, kind="words"), max_bytes)
        if encoded is None:
            return _WordsFacts()
        size, crc = self._publish(words_key, lambda sink: sink.write(encoded))
        return _WordsFacts(size, crc, footer_crc(encoded))

    def discard(self, segment: NewSegment) -> None:
        """Removes the files of a segment that will not be named."""
        file_keys = (segment.file_key, *(key for key, _ in segment.sidecars()))
        removed = [self._discard(file_key) for file_key in file_keys]
        if all(removed):
            self.named([segment.segment_id])

    def named(self, segment_ids: Collection[str]) -> None:
        """Notes that the catalog names segments."""
        if self._uploads is not None:
            self._uploads.forget(segment_ids)

    def remove_leftovers(self, is_named: Callable[[str], bool]) -> int:
        """Removes the files that this process put into a shared bucket before a crash; returns of how many segments."""
        noted = self._uploads.noted() if self._uploads is not None else {}
        gone = [name for name in noted if not is_named(name)]
        for name in gone:
            key = noted[name]
            for file_key in (key, filenames.tail_key(key), filenames.words_key(key)):
                self.files.remove(file_key)
        if self._uploads is not None:
            self._uploads.forget(noted)
        return len(gone)

    def _discard(self, file_key: str) -> bool:
        try:
            self.files.remove(file_key)
        except OSError:
            return False  # recovery removes it as an orphan
        return True

    def _publish(self, file_key: str, write: Callable[[Sink], object]) -> tuple[int, int]:
        partial: Path = self.files.prepare(file_key)
        sink = self._fs.create(partial)
        try:
            checked = _Checked(sink)
            write(checked)
            sink.sync()
            size = sink.size
            sink.close()
            self.files.publish(file_key, partial)
        except BaseException as error:
            sink.close()
            self._remove_quietly(partial)
            if isinstance(error, OSError) and filesystem.is_full(error):
                raise filesystem.full_error(partial, error) from error
            raise
        return size, checked.crc

    def _remove_quietly(self, path: Path) -> None:
        try:
            self._fs.remove(path)
        except OSError:
            return  # recovery removes it as a leftover


class _Checked:
    """A sink that passes writes on and keeps the checksum of all bytes."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.crc = 0

    def write(self, data: bytes, /) -> object:
        """Writes all of the bytes."""
        self.crc = zlib.crc32(data, self.crc)
        return self._sink.write(data)


def _begin(threads: Executor, work: Callable[[], FoundWords]) -> Callable[[], FoundWords]:
    """Returns what waits for the work of another thread, or does it where the program ends and no thread begins."""
    try:
        return threads.submit(work).result
    except RuntimeError:
        return work


def _footer(
    spec: SegmentTable,
    project: str,
    segment_id: str,
    summary: SegmentSummary,
    created_ns: int,
    tail_entries: int,
    item_columns: int,
    cluster_by: tuple[str, ...],
) -> Footer:
    return Footer(
        kind="segment",
        table=spec.name,
        project=project,
        segment_id=segment_id,
        rows=summary.rows,
        min_time_ns=summary.min_time_ns,
        max_time_ns=summary.max_time_ns,
        created_ns=created_ns,
        leaf_columns=len(summary.leaf_rows) - item_columns,
        tail_entries=tail_entries,
        item_columns=item_columns,
        cluster_by=cluster_by,
    )
