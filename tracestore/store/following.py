"""The verbs by which a store shows what another process writes, and tells another one what it writes itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tracestore.store import opening, recovery
from tracestore.store.core import Core
from tracestore.store.follow.change import Change
from tracestore.store.follow.feed import ChangeFeed
from tracestore.store.follow.follower import Follower
from tracestore.store.memory.need import Need
from tracestore.store.nodes import view
from tracestore.store.read.snapshot import Keeper

T = TypeVar("T")


class FollowMethods:
    """The verbs of a store that follows, or is followed."""

    _core: Core
    _follower: Follower | None

    @property
    def may_have_peers(self) -> bool:
        """Returns whether other nodes may have rows in memory, of which a snapshot shows what it is taken for alone."""
        settings = self._core.settings
        return settings.catalog_url is not None and settings.segments_url is not None

    def changes(self) -> ChangeFeed:
        """Returns the store's changes for one follower in another process."""
        self._core.require_catalog()
        return ChangeFeed(self._core)

    def follow(self, fetch: Callable[[Need], Change], version: Callable[[], int]) -> Follower:
        """Shows from now on what the writer shows, rows in memory included; for a store opened with mode "r".

        Args:
            fetch: returns what is new at the writer since its last call, for what is read of rows in memory.
            version: returns the catalog's version that the writer is at.
        """
        self._core.follows = True
        self._follower = Follower(self._core, opening.make_lease(self._core), fetch, version)
        return self._follower

    def _current(self, need: Need, capture: Callable[[], T]) -> tuple[T, Keeper | None]:
        """Returns what a function reads of the store as it is now, and what keeps the files that a reader reads."""
        core = self._core
        if core.writable:
            return view.current(core, need, capture), None
        if self._follower is not None:
            return self._follower.current(need, capture)
        lease = opening.make_lease(core)
        recovery.refresh(core)
        lease.narrow(core.version)
        with core.lock:
            return capture(), lease
