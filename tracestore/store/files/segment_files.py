"""Where segment files live: a local folder, or an object store (`object_files`).

Both give the reader a local path. A new file is written locally first; `publish` makes it durable
under its key, and only then may the catalog name it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path

from tracestore.store.files import filenames, filesystem


class SegmentFiles(ABC):
    """A keeper of segment files by key (`<table>/<project>/<day>/<ulid>.parquet`)."""

    def __init__(self) -> None:
        self._tail_keys: dict[str, str] = {}

    def tail_key(self, file_key: str) -> str:
        """Returns the key of a segment's tail: the one of today, or where there is none the one of older versions."""
        known = self._tail_keys.get(file_key)
        if known is not None:
            return known
        key = filenames.tail_key(file_key)
        if self.is_at_hand(key) or self.size(key) is not None:
            self._tail_keys[file_key] = key
            return key
        former = filenames.former_tail_key(file_key)
        return key if self.size(former) is None else self._tail_keys.setdefault(file_key, former)

    @abstractmethod
    def location(self, file_key: str) -> str:
        """Returns the URL by which other programs name a file, without user, password and options."""

    @abstractmethod
    def prepare(self, file_key: str) -> Path:
        """Returns the local name that a new file is written to before `publish`."""

    @abstractmethod
    def publish(self, file_key: str, written: Path) -> None:
        """Makes a written and synced file durable under its key."""

    @abstractmethod
    def local(self, file_key: str) -> Path:
        """Returns a local path to read; raises StoreMissingError where the file is gone."""

    def local_name(self, file_key: str) -> str:
        """Returns the local path as text."""
        return str(self.local(file_key))

    def is_at_hand(self, file_key: str) -> bool:
        """Tells whether a file can be read without fetching it."""
        return self.size(file_key) is not None

    @abstractmethod
    def size(self, file_key: str) -> int | None:
        """Returns a file's bytes, None where it is gone."""

    @abstractmethod
    def remove(self, file_key: str) -> None:
        """Removes a file; a missing one is fine."""

    @abstractmethod
    def file_keys(self) -> Iterator[str]:
        """Yields the key of every file, and of leftovers of unfinished writes."""

    @abstractmethod
    def set_aside(self, file_key: str) -> None:
        """Moves a file out of the reach of queries; nothing is lost."""

    @abstractmethod
    def take_back(self, file_key: str) -> None:
        """Moves a file that was set aside back to its place."""

    @abstractmethod
    def aside(self) -> Iterator[str]:
        """Yields the key of every file that was set aside."""

    @abstractmethod
    def pin(self, file_keys: Iterable[str]) -> None:
        """Keeps local copies until `unpin`, each once for each call."""

    @abstractmethod
    def unpin(self, file_keys: Iterable[str]) -> None:
        """Undoes one `pin`."""


class LocalFiles(SegmentFiles):
    """Segment files in a folder."""

    def __init__(self, folder: Path, fs: filesystem.FileSystem) -> None:
        super().__init__()
        self._folder = folder
        self._prefix = f"{folder}/"
        self._aside = folder.parent / filenames.SET_ASIDE_FOLDER
        self._fs = fs

    def location(self, file_key: str) -> str:
        """Returns the file's URL."""
        return f"file://{self._folder.absolute()}/{file_key}"

    def prepare(self, file_key: str) -> Path:
        """Returns a name beside the file's own, so that the rename stays in one folder."""
        path = self._folder / file_key
        self._fs.make_folder(path.parent)
        return filenames.temporary(path)

    def publish(self, file_key: str, written: Path) -> None:
        """Renames the file to its own name and syncs the folder."""
        path = self._folder / file_key
        self._fs.rename(written, path)
        # crash here: the file has its name or not; no catalog row -> recovery removes it
        self._fs.sync_folder(path.parent)

    def local(self, file_key: str) -> Path:
        """Returns the file itself."""
        return self._folder / file_key

    def local_name(self, file_key: str) -> str:
        """Returns the file itself. Queries and opening name every segment: for 500 of them, paths take 1 ms."""
        return self._prefix + file_key

    def size(self, file_key: str) -> int | None:
        """Returns the file's bytes."""
        return self._fs.size(self.local_name(file_key))

    def remove(self, file_key: str) -> None:
        """Removes the file."""
        self._tail_keys.pop(file_key, None)
        self._fs.remove(self._folder / file_key)

    def file_keys(self) -> Iterator[str]:
        """Returns every file below the folder."""
        return self._fs.walk(self._folder)

    def set_aside(self, file_key: str) -> None:
        """Moves the file to the same place below the folder for such files."""
        self._move(self._folder / file_key, self._aside / file_key)

    def take_back(self, file_key: str) -> None:
        """Moves the file back."""
        self._move(self._aside / file_key, self._folder / file_key)

    def aside(self) -> Iterator[str]:
        """Returns every file below that folder."""
        return self._fs.walk(self._aside)

    def _move(self, source: Path, target: Path) -> None:
        self._fs.make_folder(target.parent)
        self._fs.rename(source, target)
        # crash here: the file has one name or the other; the next open or recovery finds it at either
        self._fs.sync_folder(target.parent)
        self._fs.sync_folder(source.parent)

    def pin(self, file_keys: Iterable[str]) -> None:
        """Does nothing: files are kept by the store."""

    def unpin(self, file_keys: Iterable[str]) -> None:
        """Does nothing."""
