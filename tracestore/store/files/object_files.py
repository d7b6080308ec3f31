"""Segment files in an object store, with local copies of some: a cache of bounded size."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.fs as pafs

from tracestore.errors import StoreFailedError, StoreMissingError
from tracestore.object_stores import connect, shown_url
from tracestore.store.files import filenames, filesystem
from tracestore.store.files.segment_files import SegmentFiles

_COPY_BYTES: Final = 4 * 1024 * 1024

_GONE: Final = ("RESOURCE_NOT_FOUND", "NO_SUCH_KEY")
"""What Arrow says of an object that goes while it is opened or read, in errors of no type of their own."""

_LATE_S: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
"""Seconds between tries to read an object that is not found. One that the catalog names was written before it was
named, but some stores do not show what is new to every request at once."""

_NAP: Final = threading.Event()
"""Is never set: to wait for it is to sleep for a bounded time."""


class ObjectFiles(SegmentFiles):
    """Segment files in an object store (`pyarrow.fs`), and copies of some in a local folder.

    The least recently used copies that nobody pins go when the cache exceeds its bound.
    """

    def __init__(self, url: str, cache: Path, fs: filesystem.FileSystem, cache_bytes: int) -> None:
        super().__init__()
        self._remote, self._root = connect(url)
        self._aside = f"{self._root}-{filenames.SET_ASIDE_FOLDER}"
        self._url = url
        self._cache = cache
        self._fs = fs
        self._bound = cache_bytes
        # The collector of cycles may let go of a snapshot, and so unpin its files, while this thread holds the lock.
        self._lock = threading.RLock()
        self._held: OrderedDict[str, int] = OrderedDict()
        self._pins: Counter[str] = Counter()
        self._fetching: dict[str, threading.Lock] = {}
        fs.make_folder(cache)
        self._adopt()

    @property
    def cached_bytes(self) -> int:
        """Returns the bytes of local copies."""
        with self._lock:
            return sum(self._held.values())

    def location(self, file_key: str) -> str:
        """Returns the object's URL."""
        return self._shown(file_key)

    def prepare(self, file_key: str) -> Path:
        """Returns a name in the cache."""
        return filenames.temporary(self._copy(file_key))

    def publish(self, file_key: str, written: Path) -> None:
        """Uploads the file and keeps the local one as a copy."""
        remote = self._name(file_key)
        with self._remote_errors(f"cannot write {self._shown(file_key)}"):
            if not isinstance(self._remote, pafs.S3FileSystem):
                self._remote.create_dir(remote.rpartition("/")[0], recursive=True)
            with written.open("rb") as source, self._remote.open_output_stream(remote) as sink:
                while part := source.read(_COPY_BYTES):
                    sink.write(part)
        # crash here: the object exists, no catalog row names it -> recovery removes it
        size = written.stat().st_size
        self._fs.rename(written, self._copy(file_key))
        self._note(file_key, size)

    def local(self, file_key: str) -> Path:
        """Returns the local copy, fetched if there is none; an object that is not found is sought for half a second."""
        with self._lock:
            if file_key in self._held:
                self._held.move_to_end(file_key)
                return self._copy(file_key)
            fetching = self._fetching.setdefault(file_key, threading.Lock())
        with fetching:
            with self._lock:
                if file_key in self._held:
                    return self._copy(file_key)
            try:
                self._note(file_key, self._fetch_late(file_key))
            finally:
                with self._lock:
                    self._fetching.pop(file_key, None)
        return self._copy(file_key)

    def is_at_hand(self, file_key: str) -> bool:
        """Tells whether there is a copy."""
        return file_key in self._held

    def size(self, file_key: str) -> int | None:
        """Returns the object's bytes."""
        with self._remote_errors(f"cannot read {self._shown(file_key)}"):
            info = self._remote.get_file_info(self._name(file_key))
        return info.size if info.type == pafs.FileType.File else None

    def remove(self, file_key: str) -> None:
        """Removes the object and its copy."""
        self._tail_keys.pop(file_key, None)
        with self._lock:
            self._held.pop(file_key, None)
        self._fs.remove(self._copy(file_key))
        if self.size(file_key) is None:
            return
        with self._remote_errors(f"cannot remove {self._shown(file_key)}"):
            self._delete(self._name(file_key))

    def file_keys(self) -> Iterator[str]:
        """Yields every object below the URL."""
        return self._below(self._root)

    def set_aside(self, file_key: str) -> None:
        """Moves the object below another name beside the URL's; its copy goes."""
        self._move(self._name(file_key), f"{self._aside}/{file_key}")
        with self._lock:
            self._held.pop(file_key, None)
        self._fs.remove(self._copy(file_key))

    def take_back(self, file_key: str) -> None:
        """Moves the object back."""
        self._move(f"{self._aside}/{file_key}", self._name(file_key))

    def aside(self) -> Iterator[str]:
        """Yields every object that was set aside."""
        return self._below(self._aside)

    def _move(self, source: str, target: str) -> None:
        with self._remote_errors(f"cannot move an object of {shown_url(self._url)}"):
            if not isinstance(self._remote, pafs.S3FileSystem):
                self._remote.create_dir(target.rpartition("/")[0], recursive=True)
            self._remote.copy_file(source, target)
            # crash here: the object has both names; that under the first is set aside again
            self._delete(source)

    def _delete(self, name: str) -> None:
        try:
            self._remote.delete_file(name)
        except OSError:
            # Arrow then writes a marker for the emptied folder, which some servers refuse.
            if self._remote.get_file_info(name).type == pafs.FileType.File:
                raise

    def _below(self, root: str) -> Iterator[str]:
        selector = pafs.FileSelector(root, recursive=True, allow_not_found=True)
        with self._remote_errors(f"cannot list {shown_url(self._url)}"):
            infos = self._remote.get_file_info(selector)
        for info in infos:
            if info.type == pafs.FileType.File:
                yield info.path.removeprefix(root).lstrip("/")

    def pin(self, file_keys: Iterable[str]) -> None:
        """Keeps the copies from being evicted."""
        with self._lock:
            self._pins.update(file_keys)

    def unpin(self, file_keys: Iterable[str]) -> None:
        """Lets the copies go that nobody else pins."""
        with self._lock:
            for file_key in file_keys:
                self._pins[file_key] -= 1
                if self._pins[file_key] <= 0:
                    del self._pins[file_key]
        self._evict()

    def _copy(self, file_key: str) -> Path:
        digest = hashlib.blake2b(file_key.rpartition("/")[0].encode(), digest_size=6).hexdigest()
        return self._cache / f"{digest}-{file_key.rpartition('/')[2]}"

    def _name(self, file_key: str) -> str:
        return f"{self._root}/{file_key}"

    def _shown(self, file_key: str) -> str:
        return f"{shown_url(self._url)}/{file_key}"

    def _adopt(self) -> None:
        # Copies of an earlier run cannot be told by file_key (names are hashed): start empty.
        for name in self._fs.names(self._cache):
            if not (self._cache / name).is_dir():
                self._fs.remove(self._cache / name)

    def _fetch_late(self, file_key: str) -> int:
        """Fetches an object, also one that is found after some tries only; returns its bytes."""
        for pause_s in _LATE_S:
            with contextlib.suppress(StoreMissingError):
                return self._fetch(file_key)
            _NAP.wait(pause_s)
        return self._fetch(file_key)

    def _fetch(self, file_key: str) -> int:
        target = self._copy(file_key)
        partial = filenames.temporary(target)
        self._fs.remove(partial)
        try:
            with self._remote_errors(f"cannot read {self._shown(file_key)}"):
                sink = self._fs.create(partial)
                try:
                    with self._remote.open_input_stream(self._name(file_key)) as source:
                        while part := source.read(_COPY_BYTES):
                            sink.write(part)
                finally:
                    sink.close()
        except BaseException:
            self._fs.remove(partial)
            raise
        self._fs.rename(partial, target)
        return target.stat().st_size

    def _note(self, file_key: str, size: int) -> None:
        with self._lock:
            self._held[file_key] = size
            self._held.move_to_end(file_key)
        self._evict(keep=file_key)

    def _evict(self, keep: str | None = None) -> None:
        while True:
            with self._lock:
                if sum(self._held.values()) <= self._bound:
                    return
                victims = (
                    file_key
                    for file_key in list(self._held)
                    if file_key != keep and not self._pins[file_key]
                )
                victim = next(victims, None)
                if victim is None:
                    return
                self._held.pop(victim, None)
                # Under the lock: nobody may find a copy in the list that is being removed.
                self._fs.remove(self._copy(victim))

    @contextlib.contextmanager
    def _remote_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise StoreMissingError(
                f"{what}: no such object; restore it or quarantine it"
            ) from error
        except (OSError, pa.ArrowException) as error:
            if filesystem.is_full(error) if isinstance(error, OSError) else False:
                raise
            if any(code in str(error) for code in _GONE):
                raise StoreMissingError(
                    f"{what}: no such object; restore it or quarantine it"
                ) from error
            raise StoreFailedError(f"{what}: {error}") from error
