"""The destination of an export: one file, or a folder of files; here or in an object store.

A file gets its own name only once it is whole. A state file beside the output tells how far the export is:

1. write the state of an export that has written nothing     crash after: the next export begins again
2. write rows to a partial file; note the state now and then   crash after: what follows the state is cut off
3. give the whole file its own name                          crash after: the file is written again
4. note the state (a folder), then 2 again
5. read every file back and compare it with its digest
6. remove the state                                          crash before: a resumed export finds no row left
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow.fs as pafs

from tracestore.exports.reading import ExportError, Rows
from tracestore.exports.state import (
    Progress,
    StateFile,
    WrittenFile,
    check_file,
    exists,
    hash_of,
    remove,
)
from tracestore.exports.writers import WRITERS, Writer

_SUFFIX_OF: Final = {
    "jsonl": ".jsonl",
    "chat": ".jsonl",
    "csv": ".csv",
    "parquet": ".parquet",
    "variant": ".parquet",
    "arrow": ".arrow",
}
# Files that end with whole lines: a part that was written can be continued.
_APPENDED: Final = frozenset({"jsonl", "chat", "csv"})

STATE_BYTES: Final = 16 * 1024 * 1024
"""Bytes of a single file after which its state is noted again."""

OnProgress = Callable[[Progress], None]


class Target:
    """The destination of an export, with the state file beside it."""

    def __init__(self, files: pafs.FileSystem, state: str, kind: str) -> None:
        self.files = files
        self.kind = kind
        self.local = isinstance(files, pafs.LocalFileSystem)
        self.state = StateFile(files, state)

    def stopped_progress(self, digest: str) -> Progress | None:
        """Returns the progress of an export that was stopped behind some row, None where there is none."""
        progress = self.state.read()
        if progress is not None and progress.digest != digest:
            raise ExportError(
                f"cannot resume {self.state.place}: it was begun by another query or format; "
                "export without resuming, or elsewhere"
            )
        return progress if progress is not None and progress.cursor is not None else None

    def forget_state(self) -> None:
        """Removes the state: the export is whole."""
        self.state.remove()

    def check(self, progress: Progress) -> None:
        """Raises ExportError where files do not hold what was written."""
        for file in progress.written:
            check_file(self.files, file, self.kind)

    def partial(self, place: str) -> str:
        """Returns the name of a file while it is written: an object comes to be when it is whole."""
        return place + ".partial" if self.local else place

    def publish(self, partial: str, place: str) -> None:
        """Gives a file that is whole its own name."""
        if partial != place:
            self.files.move(partial, place)


class File(Target):
    """One file. A local file of lines can be continued."""

    def __init__(self, files: pafs.FileSystem, place: str, kind: str) -> None:
        super().__init__(files, place + ".state", kind)
        self._place = place
        self._partial = self.partial(place)
        self._appends = self.local and kind in _APPENDED

    def begin(self, digest: str, *, resume: bool) -> Progress:
        """Returns where to begin: at the start, or where an export was stopped."""
        if resume and not self._appends:
            raise ExportError(
                f"cannot resume {self._place}: a file of this kind is written in one go; "
                "export to a folder, whose files are"
            )
        stopped = self.stopped_progress(digest) if resume else None
        if stopped is not None and self._holds(stopped):
            return stopped
        self.state.remove()
        if self.local:
            # An object is replaced once the new one is whole; until then the old one stays.
            remove(self.files, self._partial)
        return Progress(digest)

    def write(self, rows: Rows, progress: Progress, on_progress: OnProgress) -> None:
        """Writes the rows that are left."""
        begun = progress.bytes > 0
        try:
            with self._sink(progress) as sink:
                options = {"header": not begun} if self.kind == "csv" else {}
                writer = WRITERS[self.kind](sink, rows.schema, **options)
                with _closed(writer):
                    self._write_rows(writer, rows, sink, progress, on_progress)
                progress.bytes = sink.size
                whole = WrittenFile(self._place, progress.rows, sink.size, sink.sha256)
        except BaseException:
            self._keep_or_remove(progress)
            raise
        self.publish(self._partial, self._place)
        progress.written = [whole]

    def _holds(self, progress: Progress) -> bool:
        """Returns whether the partial file begins with the bytes that the state tells of."""
        if not exists(self.files, self._partial):
            return False
        running = hash_of(self.files, self._partial, progress.bytes)
        return bool(running.hexdigest() == progress.sha256)

    def _write_rows(
        self,
        writer: Writer,
        rows: Rows,
        sink: _HashedSink,
        progress: Progress,
        on_progress: OnProgress,
    ) -> None:
        rows_before, refused_before = progress.rows, progress.refused
        noted = sink.size
        for batch, cursor in rows:
            writer.write(batch)
            progress.rows = rows_before + writer.rows
            progress.refused = refused_before + writer.refused
            progress.bytes, progress.sha256, progress.cursor = sink.size, sink.sha256, cursor
            if self._appends and cursor is not None and sink.size - noted >= STATE_BYTES:
                sink.sync()
                self.state.write(progress)
                noted = sink.size
            on_progress(progress)

    def _keep_or_remove(self, progress: Progress) -> None:
        """Keeps what can be continued, and removes what cannot."""
        if self._appends and progress.cursor is not None:
            self.state.write(progress)
        else:
            self.state.remove()
            remove(self.files, self._partial)

    @contextlib.contextmanager
    def _sink(self, progress: Progress) -> Iterator[_HashedSink]:
        if not self.local:
            with self.files.open_output_stream(self._place) as stream:
                yield _HashedSink(stream)
            return
        path = Path(self._partial)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("r+b" if progress.bytes else "wb") as file:
            # Lines behind the state are of a batch that was not finished.
            file.truncate(progress.bytes)
            file.seek(progress.bytes)
            running = hash_of(self.files, self._partial, progress.bytes)
            yield _HashedSink(file, progress.bytes, running)


class Folder(Target):
    """A folder of files with a bounded number of rows each; a whole file stays whatever happens."""

    def __init__(self, files: pafs.FileSystem, place: str, kind: str, part_rows: int) -> None:
        super().__init__(files, f"{place}/_export.json", kind)
        self._place = place
        self._part_rows = part_rows

    def begin(self, digest: str, *, resume: bool) -> Progress:
        """Returns where to begin: at the start, or where an export was stopped.

        Raises ExportError where the folder holds files that are not of the export that was stopped.
        """
        stopped = self.stopped_progress(digest) if resume else None
        if stopped is not None:
            self.check(stopped)
            self._remove_files_of(stopped, keep_written=True)
            self._require_only(stopped.files)
            return stopped
        left = self.state.read()
        if left is not None:
            self._remove_files_of(left, keep_written=False)
        self._require_only([])
        if self.local:
            self.files.create_dir(self._place, recursive=True)
        progress = Progress(digest)
        self.state.write(progress)
        return progress

    def write(self, rows: Rows, progress: Progress, on_progress: OnProgress) -> None:
        """Writes the rows that are left."""
        # One file even where there is no row: it tells the columns.
        while not (rows.at_end() and progress.written):
            self._write_part(rows, progress, on_progress)

    def _write_part(self, rows: Rows, progress: Progress, on_progress: OnProgress) -> None:
        place = self._part(len(progress.written))
        partial = self.partial(place)
        cursor = progress.cursor
        try:
            with self.files.open_output_stream(partial) as stream:
                sink = _HashedSink(stream)
                writer = WRITERS[self.kind](sink, rows.schema)
                with _closed(writer):
                    while writer.rows + writer.refused < self._part_rows:
                        item = rows.next()
                        if item is None:
                            break
                        batch, cursor = item
                        writer.write(batch)
                        shown = Progress(progress.digest, rows=progress.rows + writer.rows)
                        shown.bytes = progress.bytes + sink.size
                        on_progress(shown)
        except BaseException:
            with contextlib.suppress(OSError):
                remove(self.files, partial)
            raise
        self.publish(partial, place)
        progress.cursor = cursor
        progress.rows += writer.rows
        progress.refused += writer.refused
        progress.bytes += sink.size
        progress.written.append(WrittenFile(place, writer.rows, sink.size, sink.sha256))
        self.state.write(progress)

    def _part(self, number: int) -> str:
        return f"{self._place}/part-{number:05d}{_SUFFIX_OF[self.kind]}"

    def _remove_files_of(self, progress: Progress, *, keep_written: bool) -> None:
        """Removes what a stopped export left: the file behind its state, and all of its files where asked."""
        following = self._part(len(progress.written))
        leftovers = [following, self.partial(following)]
        if not keep_written:
            leftovers += progress.files
        for place in leftovers:
            remove(self.files, place)

    def _require_only(self, places: list[str]) -> None:
        selector = pafs.FileSelector(self._place, allow_not_found=True)
        own = {Path(place).name for place in places} | {Path(self.state.place).name}
        own.add(Path(self.state.place).name + ".partial")
        names = [info.base_name for info in self.files.get_file_info(selector)]
        others = sorted(name for name in names if name not in own)
        if others:
            raise ExportError(
                f"cannot export to {self._place}: it holds files such as {others[0]}, which no export "
                "that was stopped has left; choose another folder, or empty it"
            )


class _HashedSink:
    """A sink that counts and hashes its bytes."""

    def __init__(self, sink: Any, size: int = 0, running: Any = None) -> None:
        self._sink = sink
        self._running = running if running is not None else hashlib.sha256()
        self.size = size

    @property
    def sha256(self) -> str:
        """Returns the digest of the bytes so far, in hex."""
        return str(self._running.hexdigest())

    def write(self, data: bytes) -> None:
        """Writes all of the bytes."""
        self._sink.write(data)
        self._running.update(data)
        self.size += len(data)

    def sync(self) -> None:
        """Returns when a local file's bytes are on disk."""
        self._sink.flush()
        os.fsync(self._sink.fileno())


@contextlib.contextmanager
def _closed(writer: Writer) -> Iterator[None]:
    """Closes a writer; after an error what that writes does not count, and may fail."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            writer.close()
        raise
    writer.close()
