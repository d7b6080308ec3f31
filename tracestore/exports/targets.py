"""Where an export goes: one file, or a folder of files; here or in an object store.

A file stands under its own name only once it is whole. What is written, and the cursor behind it, are kept beside it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from tracestore.exports.reading import ExportError, Rows
from tracestore.exports.writers import WRITERS, Writer

_SUFFIX_OF: Final = {
    "jsonl": ".jsonl",
    "chat": ".jsonl",
    "csv": ".csv",
    "parquet": ".parquet",
    "arrow": ".arrow",
}
# Files that end with whole lines: a part that was written can be gone on with.
_APPENDED: Final = frozenset({"jsonl", "chat", "csv"})

STATE_BYTES: Final = 16 * 1024 * 1024
"""Bytes of a single file after which its state is noted again."""


@dataclass(slots=True)
class Progress:
    """The progress of an export, as it is kept beside the output.

    Attributes:
        digest: of the query and format: an export is taken up by the same only.
        cursor: behind the last row written, None where the query has no order.
        rows, refused: written, and left out since the format has no form for them.
        bytes: of whole files, and of whole lines of the file being written.
        files: of a folder, whole ones.
    """

    digest: str
    cursor: str | None = None
    rows: int = 0
    refused: int = 0
    bytes: int = 0
    files: list[str] = field(default_factory=list)


class Target:
    """The destination of an export; a state file beside it tells how far the export is."""

    def __init__(self, files: pafs.FileSystem, state: str, kind: str) -> None:
        self.files = files
        self.kind = kind
        self.local = isinstance(files, pafs.LocalFileSystem)
        self._state = state

    def read_state(self, digest: str, *, resume: bool) -> Progress | None:
        """Returns the state of an export that was stopped, None where there is none to take up."""
        if not resume or self.files.get_file_info(self._state).type != pafs.FileType.File:
            return None
        with self.files.open_input_stream(self._state) as file:
            held = Progress(**json.loads(file.read()))
        if held.digest != digest:
            raise ExportError(
                f"cannot resume {self._state}: it was begun by another query or format; "
                "export without resuming, or elsewhere"
            )
        return held

    def note_state(self, progress: Progress) -> None:
        """Keeps how far an export is; only one that has a cursor can be taken up."""
        if progress.cursor is None:
            return
        written = self.partial(self._state)
        with self.files.open_output_stream(written) as file:
            file.write(json.dumps(asdict(progress)).encode())
        self.publish(written, self._state)

    def forget_state(self) -> None:
        """Removes the state: the export is whole."""
        self.remove(self._state)

    def partial(self, place: str) -> str:
        """Returns the name of a file while it is written: an object comes to be when it is whole."""
        return place + ".partial" if self.local else place

    def publish(self, written: str, place: str) -> None:
        """Gives a file that is whole its own name."""
        if written != place:
            self.files.move(written, place)

    def remove(self, place: str) -> None:
        """Removes a file, if it is there."""
        if self.files.get_file_info(place).type != pafs.FileType.File:
            return
        try:
            self.files.delete_file(place)
        except OSError:
            # Arrow then writes a marker for the emptied folder, which some servers refuse.
            if self.files.get_file_info(place).type == pafs.FileType.File:
                raise


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
        held = self.read_state(digest, resume=resume)
        there = self.files.get_file_info(self._partial).size if held is not None else None
        return held if held is not None and (there or 0) >= held.bytes else Progress(digest)

    def write(
        self, opened: Rows, progress: Progress, on_progress: Callable[[Progress], None]
    ) -> None:
        """Writes what is left to write."""
        begun = progress.bytes > 0
        try:
            with self._stream(progress) as sink:
                counted = _Counted(sink, progress.bytes)
                options = {"header": not begun} if self.kind == "csv" else {}
                writer = WRITERS[self.kind](counted, opened.schema, **options)
                with _closed(writer):
                    self._write_rows(writer, opened, counted, progress, on_progress)
                progress.bytes = counted.size
        except BaseException:
            self._stopped(progress)
            raise
        self.publish(self._partial, self._place)
        progress.files = [self._place]

    def check(self, progress: Progress) -> None:
        """Raises ExportError where files do not hold what was written."""
        _check(self.files, self._place, self.kind, progress.rows, progress.bytes)

    def _write_rows(
        self,
        writer: Writer,
        opened: Rows,
        counted: _Counted,
        progress: Progress,
        on_progress: Callable[[Progress], None],
    ) -> None:
        before = (progress.rows, progress.refused)
        noted = counted.size
        for batch, cursor in opened:
            writer.write(batch)
            progress.rows = before[0] + writer.rows
            progress.refused = before[1] + writer.refused
            progress.bytes, progress.cursor = counted.size, cursor
            if self._appends and counted.size - noted >= STATE_BYTES:
                counted.flush()
                self.note_state(progress)
                noted = counted.size
            on_progress(progress)

    def _stopped(self, progress: Progress) -> None:
        """Keeps what can be gone on with, and removes what cannot."""
        if self._appends and progress.cursor is not None:
            self.note_state(progress)
        else:
            self.remove(self._partial)

    @contextlib.contextmanager
    def _stream(self, progress: Progress) -> Iterator[Any]:
        if not self.local:
            with self.files.open_output_stream(self._place) as stream:
                yield stream
            return
        path = Path(self._partial)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("r+b" if progress.bytes else "wb") as file:
            # Lines behind the state are of a batch that was not finished.
            file.truncate(progress.bytes)
            file.seek(progress.bytes)
            yield file


class Folder(Target):
    """A folder of files with a bounded number of rows each; a whole file stays whatever happens."""

    def __init__(self, files: pafs.FileSystem, place: str, kind: str, part_rows: int) -> None:
        super().__init__(files, f"{place}/_export.json", kind)
        self._place = place
        self._part_rows = part_rows

    def begin(self, digest: str, *, resume: bool) -> Progress:
        """Returns where to begin: at the start, or where an export was stopped."""
        held = self.read_state(digest, resume=resume)
        if held is not None:
            return held
        if not resume:
            self._require_empty()
        if self.local:
            self.files.create_dir(self._place, recursive=True)
        return Progress(digest)

    def write(
        self, opened: Rows, progress: Progress, on_progress: Callable[[Progress], None]
    ) -> None:
        """Writes what is left to write."""
        # One file even where there is no row: it tells the columns.
        while not (opened.at_end() and progress.files):
            self._write_part(opened, progress, on_progress)

    def check(self, progress: Progress) -> None:
        """Raises ExportError where files do not hold what was written."""
        rows = 0
        for place in progress.files:
            size = self.files.get_file_info(place).size
            rows += _check(self.files, place, self.kind, None, size)
        if self.kind != "csv" and rows != progress.rows:
            raise ExportError(
                f"cannot trust {self._place}: its files have {rows} rows; wrote {progress.rows}"
            )

    def _write_part(
        self,
        opened: Rows,
        progress: Progress,
        on_progress: Callable[[Progress], None],
    ) -> None:
        name = f"part-{len(progress.files):05d}{_SUFFIX_OF[self.kind]}"
        place = f"{self._place}/{name}"
        rows, refused = progress.rows, progress.refused
        try:
            with self.files.open_output_stream(self.partial(place)) as sink:
                counted = _Counted(sink, 0)
                writer = WRITERS[self.kind](counted, opened.schema)
                with _closed(writer):
                    while writer.rows + writer.refused < self._part_rows:
                        found = opened.next()
                        if found is None:
                            break
                        writer.write(found[0])
                        shown = Progress(progress.digest, rows=rows + writer.rows)
                        shown.bytes = progress.bytes + counted.size
                        on_progress(shown)
                        progress.cursor = found[1]
        except BaseException:
            with contextlib.suppress(OSError):
                self.remove(self.partial(place))
            raise
        # crash here: a whole file without its name; the state does not name it, so it is written again
        self.publish(self.partial(place), place)
        progress.rows, progress.refused = rows + writer.rows, refused + writer.refused
        progress.bytes += counted.size
        progress.files.append(place)
        self.note_state(progress)

    def _require_empty(self) -> None:
        selector = pafs.FileSelector(self._place, allow_not_found=True)
        held = [each.base_name for each in self.files.get_file_info(selector)]
        if held:
            raise ExportError(
                f"cannot export to {self._place}: it holds files such as {held[0]}; "
                "choose another folder, or resume"
            )


class _Counted:
    """A sink that counts its bytes."""

    def __init__(self, sink: Any, size: int) -> None:
        self._sink = sink
        self.size = size

    def write(self, data: bytes) -> None:
        """Writes all of the bytes."""
        self._sink.write(data)
        self.size += len(data)

    def flush(self) -> None:
        """Hands what is held to the system."""
        self._sink.flush()


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


def _check(files: pafs.FileSystem, place: str, kind: str, rows: int | None, size: int) -> int:
    """Returns the rows that a file holds, counted in the file; of CSV, whose lines tell no rows, 0."""
    found_size = files.get_file_info(place).size
    if found_size != size:
        raise ExportError(f"cannot trust {place}: it has {found_size} bytes; wrote {size}")
    if kind == "csv":
        return 0
    found = _count(files, place, kind)
    if rows is not None and found != rows:
        raise ExportError(f"cannot trust {place}: it has {found} rows; wrote {rows}")
    return found


def _count(files: pafs.FileSystem, place: str, kind: str) -> int:
    if kind == "parquet":
        with files.open_input_file(place) as file:
            return int(pq.read_metadata(file).num_rows)
    with files.open_input_stream(place) as stream:
        if kind == "arrow":
            return sum(batch.num_rows for batch in pa.ipc.open_stream(stream))
        lines = 0
        while part := stream.read(1 << 20):
            lines += part.count(b"\n")
        return lines
