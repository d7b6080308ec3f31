"""Groups of segments that queries keep: small tables in memory, and in files once they were asked for again.

They are a cache, each part within a bound. No file is synced, and one that is not as it was written counts as absent.
What is kept of a segment goes with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from tracestore.bounded_cache import BoundedCache
from tracestore.store.files import filenames
from tracestore.store.files.filesystem import FileSystem

MAX_BYTES: Final = 256 * 1024 * 1024
"""Bytes of all files together: a hundred boards' worth of some 20 KB for each of a hundred segments."""

MAX_MEMORY_BYTES: Final = 48 * 1024 * 1024
"""Bytes of tables in memory, as much as of words."""

BLOCK_BYTES: Final = 4096
"""What a file takes at least on most file systems."""

TABLE_BYTES: Final = 2048
"""What a table takes in memory beside its values: about that of its schema and its columns."""

_DIGEST_BYTES: Final = 16


@dataclass(slots=True)
class _Held:
    """A table in memory, and whether its file is there, too."""

    table: pa.Table
    is_written: bool

    @property
    def nbytes(self) -> int:
        return TABLE_BYTES + int(self.table.nbytes)


class GroupTables:
    """The kept groups of a store's segments. Thread-safe.

    Args:
        folder: where their files lie.
        fs: does the work on files.
        may_write: tells whether this process may write there.
        max_bytes: of all files together.
    """

    def __init__(
        self,
        folder: Path,
        fs: FileSystem,
        may_write: Callable[[], bool],
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._memory: BoundedCache[tuple[str, str], _Held] = BoundedCache(
            MAX_MEMORY_BYTES, lambda held: held.nbytes
        )
        self._files = _Files(folder, fs, may_write, max_bytes)

    def get(self, segment_id: str, name: str) -> pa.Table | None:
        """Returns what was kept of a segment under a name, None where nothing is."""
        key = (segment_id, name)
        held = self._memory.get(key)
        if held is None:
            data = self._files.get(segment_id, name)
            if data is None:
                return None
            held = _Held(pa.ipc.open_stream(data).read_all(), is_written=True)
            self._memory.put(key, held)
        elif not held.is_written:
            # Most questions are asked once: only what is asked for again is worth a file.
            held.is_written = True
            self._files.put(segment_id, name, _bytes(held.table))
        return held.table

    def put(self, segment_id: str, name: str, table: pa.Table) -> None:
        """Keeps a table of a segment under a name."""
        self._memory.put((segment_id, name), _Held(table, is_written=False))

    def forget(self, segment_ids: Collection[str]) -> None:
        """Drops what is kept of segments that are gone."""
        gone = frozenset(segment_ids)
        if gone:
            self._memory.drop(lambda key: key[0] in gone)
            self._files.remove_where(lambda segment_id: segment_id in gone)

    def keep_only(self, segment_ids: Collection[str]) -> None:
        """Drops what is kept of all segments but some, and what writes left that were cut off."""
        live = frozenset(segment_ids)
        self._memory.drop(lambda key: key[0] not in live)
        self._files.remove_where(lambda segment_id: segment_id not in live)


class _Files:
    """The files of kept groups; those used least recently go where there are too many. Thread-safe."""

    def __init__(
        self, folder: Path, fs: FileSystem, may_write: Callable[[], bool], max_bytes: int
    ) -> None:
        self._folder = folder
        self._fs = fs
        self._may_write = may_write
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._known: OrderedDict[str, int] | None = None

    def get(self, segment_id: str, name: str) -> bytes | None:
        file = filenames.groups_name(segment_id, name)
        with self._lock:
            sizes = self._sizes()
            if file not in sizes:
                return None
            sizes.move_to_end(file)
        try:
            stored = (self._folder / file).read_bytes()
        except OSError:
            stored = b""
        data = stored[_DIGEST_BYTES:]
        if stored[:_DIGEST_BYTES] == _digest(data):
            return data
        self._remove([file])
        return None

    def put(self, segment_id: str, name: str, data: bytes) -> None:
        file = filenames.groups_name(segment_id, name)
        stored = _digest(data) + data
        if not self._may_write() or len(stored) > self._max_bytes:
            return
        # A full disk costs the next process a second look at the segment, and no answer.
        with contextlib.suppress(OSError):
            self._write(file, stored)
            with self._lock:
                sizes = self._sizes()
                sizes[file] = _rounded(len(stored))
                sizes.move_to_end(file)
                gone = self._beyond_bound(sizes)
            self._remove(gone)

    def remove_where(self, is_gone: Callable[[str | None], bool]) -> None:
        """Removes the files of segments that a condition names; of None are those that are no such file."""
        if not self._may_write():
            return
        names = self._fs.names(self._folder)
        self._remove([name for name in names if is_gone(filenames.segment_of_groups(name))])

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        unfinished = filenames.temporary(path)
        self._folder.mkdir(exist_ok=True)
        file = self._fs.create(unfinished)
        try:
            file.write(data)
        except OSError:
            self._fs.remove(unfinished)
            raise
        finally:
            file.close()
        self._fs.rename(unfinished, path)

    def _remove(self, names: Collection[str]) -> None:
        for name in names:
            with contextlib.suppress(OSError):
                self._fs.remove(self._folder / name)
        with self._lock:
            if self._known is not None:
                for name in names:
                    self._known.pop(name, None)

    def _sizes(self) -> OrderedDict[str, int]:
        """Returns the bytes of each file, the one used least recently first. The caller holds the lock."""
        if self._known is None:
            names = self._fs.names(self._folder)
            sizes = [(name, self._fs.size(self._folder / name)) for name in names]
            self._known = OrderedDict(
                (name, _rounded(size))
                for name, size in sizes
                if size is not None and filenames.segment_of_groups(name) is not None
            )
        return self._known

    def _beyond_bound(self, sizes: OrderedDict[str, int]) -> list[str]:
        over = sum(sizes.values()) - self._max_bytes
        gone = []
        for name, size in sizes.items():
            if over <= 0:
                break
            gone.append(name)
            over -= size
        return gone


def _bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_COMPRESSED) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


_COMPRESSED: Final = pa.ipc.IpcWriteOptions(compression="zstd")


def _rounded(count: int) -> int:
    return -(-count // BLOCK_BYTES) * BLOCK_BYTES


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
