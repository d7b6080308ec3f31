"""How a change of segments is made: by the one writer, or by one of several nodes.

A connection may end after the database was told to commit and before it has answered. A node learns what became of its
change as it learns of those of others. The one writer asks for the catalog's version, which nobody else changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from tracestore.errors import CatalogError, StoreLockedError
from tracestore.store.catalog.changes import Applied, BehindError, Change, Doubt
from tracestore.store.catalog.segment_row import NewSegment
from tracestore.store.core import Core
from tracestore.store.nodes.catch_up import catch_up


def commit(
    core: Core, make: Callable[[], Change], apply: Callable[[Applied], None] | None = None
) -> Applied:
    """Makes a change durable and visible while no request is under way.

    With other nodes, the change is made for the newest version of the catalog: where another node was faster, the
    store follows it and the change is made anew.

    Args:
        core: the store.
        make: returns the change; it may raise, and nothing has changed then.
        apply: makes it visible; the store's lock is held.

    Raises LeaseLostError where another node has taken over the work that the change finishes.
    """
    node = core.node
    if node is None:
        return _commit_alone(core, make, apply)
    with node.following:
        while True:
            catch_up(core)
            with core.gate.exclusive():
                change = dataclasses.replace(make(), expected=core.version)
                try:
                    applied = _commit(core, change, apply)
                except BehindError:
                    continue
            core.segments.named([row.segment_id for row in applied.added])
            return applied


def settle(core: Core) -> Applied | None:
    """Finds out whether a change whose answer was lost was made: then it is made visible, and what it gave returned.

    Raises CatalogError where the database does not answer: the next change begins with it.
    """
    with core.committing:
        doubt = core.doubt
        if doubt is None:
            return None
        version = core.catalog.settled_version()
        core.doubt = None
        if version < doubt.applied.version:
            return None
        with core.gate.exclusive():
            # What has come since to the rows that it concerns is looked up once more.
            doubt.make()
            _show(core, doubt.applied, doubt.apply)
        return doubt.applied


def _commit_alone(
    core: Core, make: Callable[[], Change], apply: Callable[[Applied], None] | None
) -> Applied:
    with core.committing:
        settle(core)
        try:
            with core.gate.exclusive():
                return _commit(core, make(), apply)
        except CatalogError:
            if core.catalog.unanswered is None:
                raise
            core.doubt = Doubt(core.catalog.unanswered, make, apply)
            applied = settle(core)
            if applied is None:
                raise
            return applied


def discard(core: Core, segments: Sequence[NewSegment]) -> None:
    """Removes the files of segments that the catalog does not name, after a change was not made.

    Where the answer of a commit was lost, the catalog may name them. Where it does not answer, or is another writer's,
    the files stay: they are leftovers at the next start, if it does not name them then.
    """
    if not segments:
        return
    try:
        named = core.catalog.named([segment.segment_id for segment in segments])
    except (CatalogError, StoreLockedError):
        return
    for segment in segments:
        if segment.segment_id not in named:
            core.segments.discard(segment)


def _commit(core: Core, change: Change, apply: Callable[[Applied], None] | None) -> Applied:
    applied = core.catalog.commit(change)
    _show(core, applied, apply)
    return applied


def _show(core: Core, applied: Applied, apply: Callable[[Applied], None] | None) -> None:
    with core.lock:
        if apply is not None:
            apply(applied)
        core.version = applied.version
        core.path_bound = applied.path_bound
