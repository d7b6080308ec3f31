"""One writer a folder: an advisory lock on `LOCK`, which names its holder."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tracestore.errors import StoreLockedError
from tracestore.store.files import filenames


class WriterLock:
    """The writer's lock of a folder, held until closed. The kernel frees it when the process dies."""

    def __init__(self, folder: Path) -> None:
        path = folder / filenames.LOCK
        self._folder = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        self._descriptor = -1
        try:
            # The folder is locked too: who removes LOCK does not free it.
            _lock(self._folder, folder)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            _lock(self._descriptor, folder)
        except BaseException:
            self.close()
            raise
        self._holder: dict[str, Any] = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self._write()

    def announce(self, url: str) -> None:
        """Notes where this process serves the folder."""
        self._holder["url"] = url
        self._write()

    def _write(self) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(self._holder).encode(), 0)

    def close(self) -> None:
        """Gives the lock back; a second call does nothing."""
        for descriptor in (self._descriptor, self._folder):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._folder = -1


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder, url = _holder(folder)
        served = "" if url is None else f", which serves it at {url}"
        raise StoreLockedError(
            f"cannot open store {folder}: {holder}{served}; stop it or open with mode='r'",
            holder,
            url,
        ) from error


def _holder(folder: Path) -> tuple[str, str | None]:
    """Returns who holds a folder, and where that process serves it, as far as `LOCK` says."""
    try:
        holder = json.loads((folder / filenames.LOCK).read_bytes())
        url = holder.get("url")
        text = f"locked by pid {holder['pid']} on {holder['host']} since {holder['since']}"
        return text, url if isinstance(url, str) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "locked by another process", None
