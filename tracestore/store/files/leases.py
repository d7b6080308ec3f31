"""How reader processes keep files alive: a lease file per snapshot, locked while it is open.

The writer removes a file that left the catalog in version v only when no lease holds a version
before v. A lease whose process died is unlocked by the kernel, and removed by the writer.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final

from tracestore.store.files import filenames

_EVERYTHING: Final = 0  # version of a lease whose snapshot is still being read from the catalog


class Lease:
    """The lease of one snapshot. It keeps every file until `narrow` names the version that is needed."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}{filenames.LEASE_SUFFIX}"
        while True:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
            if self._is_current():
                break
            os.close(self._descriptor)  # the writer took it for a dead one between open and lock
        self._write(_EVERYTHING)

    def narrow(self, version: int) -> None:
        """Holds only the files that are live in this catalog version."""
        self._write(version)

    def close(self) -> None:
        """Gives the lease back; a second call does nothing."""
        if self._descriptor >= 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            os.close(self._descriptor)
            self._descriptor = -1

    def _is_current(self) -> bool:
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            return False
        return named.st_ino == os.fstat(self._descriptor).st_ino

    def _write(self, version: int) -> None:
        os.pwrite(self._descriptor, f"{version:020d}".encode(), 0)


def oldest_version(folder: Path) -> int | None:
    """Returns the lowest version a live lease holds, None where there is none; removes dead leases."""
    versions: list[int] = []
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return None
    for name in names:
        if name.endswith(filenames.LEASE_SUFFIX):
            version = _version(folder / name)
            if version is not None:
                versions.append(version)
    return min(versions, default=None)


def _version(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(descriptor, 20, 0)
            return int(text) if text.isdigit() else _EVERYTHING
        path.unlink(missing_ok=True)
        return None
    finally:
        os.close(descriptor)
