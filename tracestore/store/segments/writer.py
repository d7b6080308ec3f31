"""Turns finished tables into durable segments that no catalog row names yet."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from tracestore.segment.footer import Footer
from tracestore.segment.tables import SegmentTable
from tracestore.segment.write import SegmentSummary, Sink, summarize, write_segment, write_tail
from tracestore.store.catalog.segment_row import NewSegment
from tracestore.store.clock import Clock
from tracestore.store.files import filenames, filesystem
from tracestore.store.files.segment_files import SegmentFiles
from tracestore.store.files.segment_ids import UlidMaker


class SegmentStore:
    """A durable writer of segments. Thread-safe: each write has names of its own."""

    def __init__(
        self, files: SegmentFiles, fs: filesystem.FileSystem, ulids: UlidMaker, clock: Clock
    ) -> None:
        self.files = files
        self._fs = fs
        self._ulids = ulids
        self._clock = clock

    def write(
        self, table: pa.Table, tail: pa.Table | None, spec: SegmentTable, project: str
    ) -> NewSegment:
        """Writes a sorted table and its tail; both files are durable on return.

        1. write and sync `<ulid>.tail.parquet.tmp`, give it its name, sync the folder
        2. the same for `<ulid>.parquet`
        crash after either: no catalog row names them -> recovery removes them
        """
        summary = summarize(table, tail, spec)
        created_ns = self._clock.now_ns()
        segment_id = self._ulids.make(created_ns)
        day = filenames.day_of(summary.min_time_ns)
        file_key = filenames.segment_key(spec.name, project, day, segment_id)
        tail_bytes: int | None = None
        tail_crc: int | None = None
        entries = 0
        if tail is not None and len(tail):
            entries = len(tail)
            footer = _footer("tail", spec, project, segment_id, summary, created_ns, entries)
            tail_bytes, tail_crc = self._publish(
                filenames.tail_key(file_key), lambda sink: write_tail(sink, tail, footer)
            )
        footer = _footer("segment", spec, project, segment_id, summary, created_ns, entries)
        try:
            size, crc = self._publish(
                file_key, lambda sink: write_segment(sink, table, spec, footer)
            )
        except BaseException:
            if tail_bytes is not None:
                self._discard(filenames.tail_key(file_key))
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
            raw_bytes=table.nbytes,
            min_time_ns=summary.min_time_ns,
            max_time_ns=summary.max_time_ns,
            created_ns=created_ns,
            leaf_rows=summary.leaf_rows,
            tail_rows=summary.tail_rows,
        )

    def discard(self, segment: NewSegment) -> None:
        """Removes the files of a segment that will not be named."""
        self._discard(segment.file_key)
        if segment.tail_bytes is not None:
            self._discard(filenames.tail_key(segment.file_key))

    def _discard(self, file_key: str) -> None:
        try:
            self.files.remove(file_key)
        except OSError:
            return  # recovery removes it as an orphan

    def _publish(self, file_key: str, write: Callable[[Sink], None]) -> tuple[int, int]:
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


def _footer(
    kind: str,
    spec: SegmentTable,
    project: str,
    segment_id: str,
    summary: SegmentSummary,
    created_ns: int,
    tail_entries: int,
) -> Footer:
    return Footer(
        kind=kind,
        table=spec.name,
        project=project,
        segment_id=segment_id,
        rows=summary.rows,
        min_time_ns=summary.min_time_ns,
        max_time_ns=summary.max_time_ns,
        created_ns=created_ns,
        leaf_columns=len(summary.leaf_rows),
        tail_entries=tail_entries,
    )
