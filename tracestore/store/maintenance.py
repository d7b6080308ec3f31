"""Background work: one thread flushes (and syncs, with durability "async"), one compacts and expires."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from typing import Final

import pyarrow as pa

from tracestore.errors import StoreClosedError
from tracestore.store.core import Core
from tracestore.store.rewrite import compaction, deletes, garbage, retention
from tracestore.store.write import flush

_LOG = logging.getLogger("tracestore.store")

# Seconds between looks at age and at what is worth merging; flushes by size are woken at once.
_TICK_S: Final = 1.0

# Seconds between expiries: retention counts whole days.
_EXPIRE_S: Final = 600.0

# Seconds after a snapshot during which the next one is expected.
_READ_SOON_S: Final = 30.0

# Niceness of the merging thread: it runs on what ingest and queries leave.
_NICENESS: Final = 10


class Maintenance:
    """The two background threads of a writer."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._paused = 0
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._flush_loop, name="tracestore-flush", daemon=True),
            threading.Thread(target=self._merge_loop, name="tracestore-merge", daemon=True),
        ]

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Returns when both threads are done; a merge under way is finished first."""
        self._stopping.set()
        with self._core.lock:
            self._core.changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def pause(self) -> None:
        """Keeps merges from starting; returns when none is under way."""
        with self._core.lock:
            self._paused += 1
        with self._core.maintenance:
            return

    def resume(self) -> None:
        """Undoes one `pause`."""
        with self._core.lock:
            self._paused -= 1

    def _flush_loop(self) -> None:
        core = self._core
        synced_s = core.clock.elapsed_s()
        while not self._stopping.is_set():
            with core.lock:
                if not (flush.is_due(core) or (core.frozen and core.flush_error is None)):
                    core.changed.wait(_TICK_S)
            if self._stopping.is_set():
                return
            try:
                if core.settings.durability == "async" and core.wal is not None:
                    elapsed_s = core.clock.elapsed_s()
                    if elapsed_s - synced_s >= core.settings.async_sync_seconds:
                        core.wal.sync(core.wal.appended)
                        synced_s = elapsed_s
                if flush.is_due(core) or core.frozen:
                    flush.flush(core)
                    _give_memory_back()
                self._prepare_reads()
            except StoreClosedError:
                return
            except Exception:  # noqa: BLE001 - a thread that ends would stop every later flush
                _LOG.exception("cannot flush")
                self._stopping.wait(_TICK_S)

    def _merge_loop(self) -> None:
        core = self._core
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        expired_s = core.clock.elapsed_s()
        while not self._stopping.wait(_TICK_S):
            try:
                deletes.resume_missed(core)
                while self._may_merge() and compaction.compact_once(core):
                    _give_memory_back()
                garbage.collect(core)
                if core.clock.elapsed_s() - expired_s >= _EXPIRE_S:
                    deletes.resume_abandoned(core)
                    retention.expire(core)
                    expired_s = core.clock.elapsed_s()
            except StoreClosedError:
                return
            except Exception:  # noqa: BLE001 - the same for merges
                _LOG.exception("cannot merge segments")

    def _prepare_reads(self) -> None:
        """Exports new rows ahead of the next snapshot, as long as snapshots are being taken."""
        core = self._core
        with core.lock:
            now_s = core.clock.elapsed_s()
            if core.last_read_s is None or now_s - core.last_read_s > _READ_SOON_S:
                return
            marks = [memtable.mark() for memtable in core.generation.memtables()]
        for mark in marks:
            mark.read()

    def _may_merge(self) -> bool:
        return self._paused == 0 and not self._stopping.is_set()


def _give_memory_back() -> None:
    """Gives unused memory of Arrow's pool back. Flushes and merges are rare, and each thread keeps its own memory."""
    pa.default_memory_pool().release_unused()
