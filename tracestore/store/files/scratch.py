"""Folders of temporary files, which do not outlive their process for long, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Self

_LOCK = "lock"


class ScratchFolder:
    """A folder of this process alone.

    It is removed by `cleanup`, or with this object. A process that is killed removes nothing, so whoever makes a folder
    removes those beside it whose process has ended: their lock is free.

    Args:
        prefix: of its name; folders of one prefix and one user are looked after together.
        parent: where it is made, None for the system's folder of temporary files.

    Attributes:
        name: its path.
    """

    def __init__(self, prefix: str, parent: str | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=prefix, dir=parent)
        self.name = self._folder.name
        unlocked = Path(self.name, f"{_LOCK}.new")
        self._lock = unlocked.open("xb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # It has its name once it is locked, so nobody finds it free while this process is there.
        unlocked.rename(unlocked.with_name(_LOCK))
        _remove_abandoned(Path(self.name).parent, prefix)

    def cleanup(self) -> None:
        """Removes the folder; a second time, nothing."""
        self._folder.cleanup()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cleanup()


def _remove_abandoned(parent: Path, prefix: str) -> None:
    """Removes this user's folders whose process has ended."""
    for path in parent.glob(f"{prefix}*"):
        # One that goes meanwhile, or is another's, is none of ours to remove.
        with contextlib.suppress(OSError):
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            with (path / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
