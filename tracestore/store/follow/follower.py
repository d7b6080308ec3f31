"""The follower's side: a reader that shows what the writer shows, rows in memory included.

One lease keeps the files of every snapshot that is open: the kernel gives it back when the process ends, however
that happens. It stands at the oldest version that is read, so the writer removes nothing that left later.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa

from tracestore.store.core import Core
from tracestore.store.files.leases import Lease
from tracestore.store.follow.change import Change
from tracestore.store.memory.mirror import MirroredGeneration, mirrored
from tracestore.store.memory.need import Need

T = TypeVar("T")


class Follower:
    """What brings a reader's store up to the writer's. Thread-safe.

    Args:
        core: the reader's parts; the follower is the only one that changes them.
        lease: keeps files from being removed.
        fetch: returns what is new since its last call, for what is read of rows in memory.
        version: returns the version that the writer is at.
    """

    def __init__(
        self,
        core: Core,
        lease: Lease,
        fetch: Callable[[Need], Change],
        version: Callable[[], int],
    ) -> None:
        self._core = core
        self._lease = lease
        self._fetch = fetch
        self._version = version
        self._lock = threading.Lock()
        self._chunks: dict[int, pa.Table] = {}
        self._held: Counter[int] = Counter()
        self._oldest = 0
        self._begun = False

    def current(self, need: Need, capture: Callable[[], T]) -> tuple[T, Hold]:
        """Brings the store up to date, and returns what a function reads of it then, under the store's lock.

        Every file of it is kept until the hold is closed.
        """
        with self._lock:
            change = self._fetch(need)
            self._apply(change)
            self._held[change.version] += 1
            self._narrow(change.version)
            hold = Hold(lambda: self._let_go(change.version))
            # The next one that follows may show other rows of other nodes.
            with self._core.lock:
                return capture(), hold

    def idle(self) -> None:
        """Lets the writer remove files where nothing is read; to be called now and then."""
        with self._lock:
            version = self._version()
            if not self._held:
                self._narrow(version)

    def close(self) -> None:
        """Gives the lease back."""
        self._lease.close()

    def _let_go(self, version: int) -> None:
        with self._lock:
            self._held[version] -= 1
            if not self._held[version]:
                del self._held[version]
            self._narrow(self._core.version)

    def _narrow(self, newest: int) -> None:
        oldest = min(self._held, default=newest)
        if oldest > self._oldest:
            self._oldest = oldest
            self._lease.narrow(oldest)

    def _apply(self, change: Change) -> None:
        core = self._core
        paths = core.catalog.paths
        paths.forget(change.stale_paths)
        for owner, new in change.paths.items():
            paths.note(owner, new)
        for owner, gone in change.gone_paths.items():
            paths.drop(owner, gone, change.version)
        core.segment_paths.put(change.segment_paths)
        gone_ids = [row.segment_id for row in change.removed]
        retired = False
        with core.lock:
            if not self._begun:
                self._forget_what_was_opened()
                self._begun = True
            if change.everything is not None:
                core.index.load(change.everything)
                core.replaced.load({})
            elif change.added or change.removed:
                core.index.apply(change.added, change.removed)
            core.replaced.show(change.replaced, gone_ids)
            core.patches.remove(change.gone_patches)
            core.patches.add(change.new_patches)
            core.version = change.version
            core.path_bound = change.path_bound
            core.faults = list(change.faults)
            core.missing = change.missing
            if change.memory is not None:
                retired = self._replace_memory(change)
        core.forget_segments(gone_ids)
        if retired:
            core.forget_memory()

    def _forget_what_was_opened(self) -> None:
        """Drops what the reader read by itself: the first change has all, and tells nothing of what went before it."""
        core = self._core
        core.index.load(())
        core.replaced.load({})
        core.patches.remove(
            [
                patch.created_ns
                for project in core.patches.view(None).by_project.values()
                for patch in project.owner.patches[: project.count]
            ]
        )

    def _replace_memory(self, change: Change) -> bool:
        """Shows other memtables; returns whether one of those before is gone."""
        core = self._core
        states = change.memory or ()
        wanted = {*change.kept, *(number for state in states for number in state.chunks)}
        every = {**self._chunks, **change.chunks}
        self._chunks = {number: every[number] for number in wanted}
        before = core.generation
        core.generation = now = MirroredGeneration(
            core.clock.elapsed_s(), mirrored(states, self._chunks)
        )
        return isinstance(before, MirroredGeneration) and not before.numbers() <= now.numbers()


class Hold:
    """What keeps the files of one snapshot; closing it twice does nothing."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def close(self) -> None:
        """Lets go of the files."""
        release, self._release = self._release, None
        if release is not None:
            release()
