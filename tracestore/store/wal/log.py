"""The write-ahead log: appends frames, and makes many waiting requests durable by one fdatasync.

Specification of the bytes: docs/format/wal.md. Frame numbers grow over all files of a store's life
in one process; "synced up to number n" holds across a rotation.
"""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

from tracestore.errors import StoreFailedError, SyncFailedError
from tracestore.store.files import filenames, filesystem
from tracestore.store.wal import frames
from tracestore.store.wal.frames import Frame


class Wal:
    """The log's open file. Thread-safe.

    Attributes:
        sequence: number of the file that frames go to.
        syncs: fdatasync calls so far; fewer than frames when requests share one.
    """

    def __init__(self, folder: Path, sequence: int, fs: filesystem.FileSystem) -> None:
        self._folder = folder
        self._fs = fs
        self._state = threading.Condition()
        self._append_lock = threading.Lock()
        self._appended = 0
        self._synced = 0
        self._syncing = False
        self._failure: StoreFailedError | None = None
        self.syncs = 0
        self.sequence = sequence
        self._file, self._salt = self._create(sequence)

    @property
    def file_bytes(self) -> int:
        """Returns the bytes of the open file."""
        return self._file.size

    @property
    def appended(self) -> int:
        """Returns the number of the newest frame."""
        return self._appended

    @property
    def synced(self) -> int:
        """Returns the number up to which frames are durable."""
        return self._synced

    @property
    def failure(self) -> StoreFailedError | None:
        """Returns what made the log refuse writes, or None while it works."""
        return self._failure

    def append(self, frame: Frame) -> int:
        """Writes a frame and returns its number; it is durable after `sync(number)`.

        Raises StorageFullError where the disk is full and the file could be cut back (the log goes
        on working), StoreFailedError where it could not.
        """
        with self._append_lock:
            self._raise_failure()
            file = self._file
            start = file.size
            data = frames.encode_frame(frame, self._appended + 1, self._salt, start)
            try:
                file.write(data)
            except OSError as error:
                self._cut_back(file, start, error)
                raise filesystem.full_error(file.path, error) from error
            self._appended += 1
            return self._appended

    def sync(self, number: int) -> None:
        """Returns when the frame with this number is on the device.

        The first caller syncs for all that wait; later ones wait for it or for the next sync.
        Raises SyncFailedError, also in every later call: after a failed fdatasync the kernel may
        have dropped the pages, so only reading the file again tells what is there.
        """
        with self._state:
            while self._synced < number:
                self._raise_failure()
                if self._syncing:
                    self._state.wait()
                    continue
                self._syncing = True
                break
            else:
                return
        self._lead_sync()

    def rotate(self) -> int:
        """Syncs the file, opens the next one and returns its sequence number."""
        with self._append_lock:
            self._raise_failure()
            with self._state:
                while self._syncing:
                    self._state.wait()
                self._raise_failure()
                self._syncing = True
            self._lead_sync()
            old = self._file
            try:
                self._file, self._salt = self._create(self.sequence + 1)
            except OSError as error:
                if filesystem.is_full(error):
                    raise filesystem.full_error(self._folder, error) from error
                raise
            self.sequence += 1
            old.close()
            return self.sequence

    def fail(self, error: StoreFailedError) -> None:
        """Makes every waiting and later call raise `error`."""
        with self._state:
            if self._failure is None:
                self._failure = error
            self._state.notify_all()

    def close(self) -> None:
        """Syncs, where the log still works, and closes the file."""
        with self._append_lock:
            if self._file.closed:
                return
            try:
                if self._failure is None and self._synced < self._appended:
                    self._file.sync()
                    self._synced = self._appended
            except OSError as error:
                self.fail(_sync_failed(self._file.path, error))
                raise _sync_failed(self._file.path, error) from error
            finally:
                self._file.close()

    def _lead_sync(self) -> None:
        """Syncs as the one caller that set `_syncing`."""
        file = self._file
        target = self._appended
        failure: SyncFailedError | None = None
        try:
            file.sync()
        except OSError as error:
            failure = _sync_failed(file.path, error)
        finally:
            with self._state:
                self._syncing = False
                self.syncs += 1
                if failure is None:
                    self._synced = max(self._synced, target)
                else:
                    self._failure = self._failure or failure
                self._state.notify_all()
        if failure is not None:
            raise failure

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))

    def _cut_back(self, file: filesystem.WriteFile, start: int, error: OSError) -> None:
        """Removes a half-written frame; fails the log where that is impossible."""
        try:
            file.truncate(start)
        except OSError:
            self.fail(_write_failed(file.path, error))
            raise _write_failed(file.path, error) from error
        if not filesystem.is_full(error):
            self.fail(_write_failed(file.path, error))
            raise _write_failed(file.path, error) from error

    def _create(self, sequence: int) -> tuple[filesystem.WriteFile, int]:
        # The header is durable before the first frame, so that an empty file is a torn creation.
        path = self._folder / filenames.wal_name(sequence)
        salt = secrets.randbits(64)
        file = self._fs.create(path)
        try:
            file.write(frames.encode_file_header(sequence, salt))
            file.sync()
            self._fs.sync_folder(self._folder)
        except OSError:
            file.close()
            self._fs.remove(path)
            raise
        return file, salt


def _sync_failed(path: Path, error: OSError) -> SyncFailedError:
    return SyncFailedError(f"cannot sync {path}: {error.strerror or error}; reopen the store")


def _write_failed(path: Path, error: OSError) -> StoreFailedError:
    return StoreFailedError(f"cannot write {path}: {error.strerror or error}; reopen the store")
