"""The only module that opens, syncs, renames and removes files of the store.

Everything durable goes through one `FileSystem`, so that tests put a faulty one in its place.
SQLite does its own file work; Parquet bytes are written through `WriteFile`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from tracestore.errors import StorageFullError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_full(error: OSError) -> bool:
    """Returns whether an OSError means that the disk or the quota is full."""
    return error.errno in _FULL


def full_error(path: Path, error: OSError) -> StorageFullError:
    """Returns the typed error for a full disk, naming the file and the remedy."""
    return StorageFullError(f"cannot write {path}: {error.strerror}; free space and send it again")


class WriteFile:
    """A file that is open for writing at its end. Not locked: one user at a time."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.size = size
        self._descriptor = descriptor
        self.closed = False

    def write(self, data: bytes | memoryview) -> int:
        """Writes all of `data` at the end; raises OSError and may leave a part of it behind."""
        view = memoryview(data).cast("B")
        while view.nbytes:
            written = os.write(self._descriptor, view)
            self.size += written
            view = view[written:]
        return len(data)

    def sync(self) -> None:
        """Returns when all bytes written so far are on the device (fdatasync)."""
        os.fdatasync(self._descriptor) if hasattr(os, "fdatasync") else os.fsync(self._descriptor)

    def truncate(self, size: int) -> None:
        """Cuts the file to `size` bytes."""
        os.ftruncate(self._descriptor, size)
        self.size = size

    def close(self) -> None:
        """Closes the file; a second call does nothing. Does not sync."""
        if not self.closed:
            self.closed = True
            os.close(self._descriptor)


class FileSystem:
    """The file operations of a store on the local disk."""

    def create(self, path: Path) -> WriteFile:
        """Creates a new file for appending; raises FileExistsError if there is one."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        return WriteFile(path, os.open(path, flags, 0o644), 0)

    def open_append(self, path: Path) -> WriteFile:
        """Opens an existing file for appending at its end."""
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags)
        return WriteFile(path, descriptor, os.fstat(descriptor).st_size)

    def rename(self, source: Path, target: Path) -> None:
        """Renames a file over `target`; durable after `sync_folder`."""
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        """Removes a file; a missing one is fine."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return

    def make_folder(self, path: Path) -> None:
        """Creates a folder and its parents, and syncs the parent of each one it created."""
        missing: list[Path] = []
        folder = path
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            self.sync_folder(folder.parent)

    def sync_folder(self, path: Path) -> None:
        """Returns when renames and creations in the folder are on the device."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def size(self, path: Path | str) -> int | None:
        """Returns a file's bytes, or None where there is no file."""
        try:
            return os.stat(path).st_size
        except FileNotFoundError:
            return None

    def names(self, folder: Path) -> list[str]:
        """Returns the names in a folder, sorted; none where there is no folder."""
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def walk(self, folder: Path) -> Iterator[str]:
        """Yields every file below a folder, as its name from there with `/`, in sorted order."""
        # Of texts: a store of 5,000 segments lists them all as it opens, and paths cost ten times as much.
        start = len(os.path.join(folder, ""))
        for root, folders, files in os.walk(folder):
            folders.sort()
            below = (root[start:] + os.sep if len(root) > start else "").replace(os.sep, "/")
            for name in sorted(files):
                yield below + name
