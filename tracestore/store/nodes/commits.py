"""How a change of segments is made: by the one writer, or by one of several nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from tracestore.errors import CatalogError
from tracestore.store.catalog.changes import Applied, BehindError, Change
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
        with core.gate.exclusive():
            return _commit(core, make(), apply)
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


def discard(core: Core, segments: Sequence[NewSegment]) -> None:
    """Removes the files of segments that the catalog does not name, after a change was not made.

    Where the answer of a commit was lost, the catalog may name them. Where it does not answer, the files stay: they
    are leftovers at the next start, if it does not name them then.
    """
    if not segments:
        return
    try:
        named = core.catalog.named([segment.segment_id for segment in segments])
    except CatalogError:
        return
    for segment in segments:
        if segment.segment_id not in named:
            core.segments.discard(segment)


def _commit(core: Core, change: Change, apply: Callable[[Applied], None] | None) -> Applied:
    applied = core.catalog.commit(change)
    with core.lock:
        if apply is not None:
            apply(applied)
        core.version = applied.version
        core.path_bound = applied.path_bound
    return applied
