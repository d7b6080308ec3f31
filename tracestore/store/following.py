"""The verbs by which a store shows what another process writes, and tells another one what it writes itself."""

from __future__ import annotations

from collections.abc import Callable

from tracestore.store import opening, recovery
from tracestore.store.core import Core
from tracestore.store.follow.change import Change
from tracestore.store.follow.feed import ChangeFeed
from tracestore.store.follow.follower import Follower
from tracestore.store.read.snapshot import Keeper


class FollowMethods:
    """The verbs of a store that follows, or is followed."""

    _core: Core
    _follower: Follower | None

    def changes(self) -> ChangeFeed:
        """Returns the store's changes for one follower in another process."""
        self._core.require_catalog()
        return ChangeFeed(self._core)

    def follow(self, fetch: Callable[[], Change], version: Callable[[], int]) -> Follower:
        """Shows from now on what the writer shows, rows in memory included; for a store opened with mode "r".

        Args:
            fetch: returns what is new at the writer since its last call.
            version: returns the catalog's version that the writer is at.
        """
        self._core.follows = True
        self._follower = Follower(self._core, opening.make_lease(self._core), fetch, version)
        return self._follower

    def _keep_files(self) -> Keeper | None:
        """Brings a reader up to date, and returns what keeps the files it may read from now on."""
        core = self._core
        if core.writable:
            return None
        if self._follower is not None:
            return self._follower.follow()
        lease = opening.make_lease(core)
        recovery.refresh(core)
        lease.narrow(core.version)
        return lease
