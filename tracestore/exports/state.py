"""The state of an export, kept beside its output while it runs: what is written, and the cursor behind it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from tracestore.exports.reading import ExportError

READ_BYTES: Final = 1 << 20
"""Bytes that are read at once where a file is checked."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A whole file of an export.

    Attributes:
        place: its name in its file system.
        rows: rows in it.
        bytes: its size.
        sha256: digest of its bytes, in hex.
    """

    place: str
    rows: int
    bytes: int
    sha256: str


@dataclass(slots=True)
class Progress:
    """The progress of an export, as its state file holds it.

    Attributes:
        digest: of the query and format; only the same export may take the state up.
        cursor: behind the last row written; None before the first row and for a query without an order.
        rows, refused: rows written, and rows left out since the format has no form for them.
        bytes: of whole files, and of whole lines of the file being written.
        sha256: digest of the first `bytes` bytes of the file being written, in hex.
        written: the whole files of a folder, or the one file of an export that is done.
    """

    digest: str
    cursor: str | None = None
    rows: int = 0
    refused: int = 0
    bytes: int = 0
    sha256: str = ""
    written: list[WrittenFile] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        """Returns the names of the whole files."""
        return [file.place for file in self.written]


class StateFile:
    """The file that holds an export's progress. It is replaced as a whole, and removed when the export is done."""

    def __init__(self, files: pafs.FileSystem, place: str) -> None:
        self._files = files
        self.place = place

    def read(self) -> Progress | None:
        """Returns the progress of an export that was stopped, None where there is none.

        Raises ExportError for a file that is no state of an export.
        """
        if not exists(self._files, self.place):
            return None
        with self._files.open_input_stream(self.place) as file:
            text = file.read()
        try:
            values: dict[str, Any] = json.loads(text)
            written = [WrittenFile(**part) for part in values.pop("written")]
            return Progress(**values, written=written)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ExportError(
                f"cannot read {self.place}: it is no state of an export of this version; remove it"
            ) from None

    def write(self, progress: Progress) -> None:
        """Replaces the file."""
        local = isinstance(self._files, pafs.LocalFileSystem)
        written = self.place + ".partial" if local else self.place
        with self._files.open_output_stream(written) as file:
            file.write(json.dumps(asdict(progress)).encode())
        # crash here: the old state stands, and the new one is replaced by the next write
        if local:
            self._files.move(written, self.place)

    def remove(self) -> None:
        """Removes the file, and one that was being written."""
        for place in (self.place + ".partial", self.place):
            remove(self._files, place)


def exists(files: pafs.FileSystem, place: str) -> bool:
    """Returns whether a file is there."""
    return bool(files.get_file_info(place).type == pafs.FileType.File)


def remove(files: pafs.FileSystem, place: str) -> None:
    """Removes a file, if it is there."""
    if not exists(files, place):
        return
    try:
        files.delete_file(place)
    except OSError:
        # Arrow then writes a marker for the emptied folder, which some servers refuse.
        if exists(files, place):
            raise


def hash_of(files: pafs.FileSystem, place: str, size: int) -> Any:
    """Returns the running SHA-256 of the first `size` bytes of a file, of fewer where it is shorter."""
    running = hashlib.sha256()
    with files.open_input_stream(place) as stream:
        left = size
        while left and (part := stream.read(min(READ_BYTES, left))):
            running.update(part)
            left -= len(part)
    return running


def check_file(files: pafs.FileSystem, file: WrittenFile, kind: str) -> None:
    """Reads a file back; raises ExportError where it does not hold what was written."""
    size = files.get_file_info(file.place).size
    if size != file.bytes:
        raise ExportError(f"cannot trust {file.place}: it has {size} bytes; wrote {file.bytes}")
    if hash_of(files, file.place, file.bytes).hexdigest() != file.sha256:
        raise ExportError(f"cannot trust {file.place}: its bytes are not those that were written")
    rows = _rows_in(files, file.place, kind)
    if rows is not None and rows != file.rows:
        raise ExportError(f"cannot trust {file.place}: it has {rows} rows; wrote {file.rows}")


def _rows_in(files: pafs.FileSystem, place: str, kind: str) -> int | None:
    """Returns the rows that a file's reader finds; None for text, whose bytes tell as much."""
    if kind in {"parquet", "variant"}:
        with files.open_input_file(place) as file:
            return int(pq.read_metadata(file).num_rows)
    if kind == "arrow":
        with files.open_input_stream(place) as stream:
            return sum(int(batch.num_rows) for batch in pa.ipc.open_stream(stream))
    return None
