"""A file system that forgets what was not synced, fails on demand, and dies at a chosen operation.

It works on a real folder. For every file it keeps a hard link, so that a removed file can come back,
and counts how many of its bytes are durable; for every folder it keeps which names are durable.
`after_power_loss` builds the folder that a machine would find after losing power.
"""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tracestore.store.files.filesystem import FileSystem, WriteFile


class PowerLossError(BaseException):
    """The end of the simulated process; not an Exception, so that no code handles it."""


@dataclass(slots=True)
class Inode:
    """The bytes of a file, whatever its name."""

    link: Path
    synced: int


class FaultyFile(WriteFile):
    """A file that counts its durable bytes and fails as its file system says."""

    def __init__(self, file: WriteFile, owner: FaultyFs, inode: Inode) -> None:
        super().__init__(file.path, file._descriptor, file.size)
        self._owner = owner
        self._inode = inode

    def write(self, data: bytes | memoryview) -> int:
        self._owner.alive()
        room = self._owner.room
        if room is not None and len(data) > room:
            super().write(bytes(data)[:room])
            self._owner.room = 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if room is not None:
            self._owner.room = room - len(data)
        return super().write(data)

    def sync(self) -> None:
        self._owner.step(f"sync {self.path.name}")
        if self._owner.failing_syncs:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._inode.synced = self.size
        self._owner.step(f"synced {self.path.name}")

    def truncate(self, size: int) -> None:
        self._owner.alive()
        super().truncate(size)
        self._inode.synced = min(self._inode.synced, size)


class FaultyFs(FileSystem):
    """The file system of one simulated machine.

    Attributes:
        die_at: number of the step at which power is lost; None for never.
        steps: what was done so far, a line a step.
        room: bytes until the disk is full; None for enough.
        failing_syncs: whether every sync fails from now on.
    """

    def __init__(self, root: Path, shadow: Path, die_at: int | None = None) -> None:
        self.root = root
        self.shadow = shadow
        self.die_at = die_at
        self.steps: list[str] = []
        self.room: int | None = None
        self.failing_syncs = False
        self._dead = False
        self._names: dict[Path, Inode] = {}
        self._durable: dict[Path, Inode] = {}
        shadow.mkdir(parents=True, exist_ok=True)

    def alive(self) -> None:
        if self._dead:
            raise PowerLossError

    def step(self, what: str) -> None:
        self.alive()
        if self.die_at is not None and len(self.steps) == self.die_at:
            self._dead = True
            raise PowerLossError
        self.steps.append(what)

    def create(self, path: Path) -> WriteFile:
        self.step(f"create {path.name}")
        file = super().create(path)
        inode = Inode(self.shadow / str(len(list(self.shadow.iterdir()))), 0)
        os.link(path, inode.link)
        self._names[path] = inode
        return FaultyFile(file, self, inode)

    def open_append(self, path: Path) -> WriteFile:
        self.step(f"open {path.name}")
        file = super().open_append(path)
        inode = self._names.get(path)
        if inode is None:
            inode = Inode(self.shadow / str(len(list(self.shadow.iterdir()))), file.size)
            os.link(path, inode.link)
            self._names[path] = self._durable[path] = inode
        return FaultyFile(file, self, inode)

    def rename(self, source: Path, target: Path) -> None:
        self.step(f"rename {target.name}")
        super().rename(source, target)
        self._names[target] = self._names.pop(source)
        self.step(f"renamed {target.name}")

    def remove(self, path: Path) -> None:
        self.step(f"remove {path.name}")
        super().remove(path)
        self._names.pop(path, None)
        self.step(f"removed {path.name}")

    def sync_folder(self, path: Path) -> None:
        self.step(f"sync folder {path.name}")
        self._durable = {
            name: inode for name, inode in self._durable.items() if name.parent != path
        }
        self._durable |= {name: inode for name, inode in self._names.items() if name.parent == path}
        self.step(f"synced folder {path.name}")

    def after_power_loss(self, target: Path) -> None:
        """Builds the folder as it is when everything that was not synced is lost."""
        known = set(self._names) | set(self._durable)
        for path in sorted(self.root.rglob("*")):
            place = target / path.relative_to(self.root)
            if path.is_dir():
                place.mkdir(parents=True, exist_ok=True)
            elif path not in known:  # files that do their own syncing: the catalog's
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
        for path, inode in self._durable.items():
            place = target / path.relative_to(self.root)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(inode.link.read_bytes()[: inode.synced])

    def after_kill(self, target: Path) -> None:
        """Builds the folder as it is when only the process died: everything written is there."""
        shutil.copytree(self.root, target, dirs_exist_ok=True)
