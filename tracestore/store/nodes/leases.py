"""Work that one node at a time does: it holds a lease meanwhile, and shows it when it commits."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Final

from tracestore.errors import StoreFailedError
from tracestore.store.catalog.nodes import node_table
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core
from tracestore.store.nodes.catch_up import catch_up

WAIT_S: Final = 120.0
"""Seconds for which a delete waits for a merge of another node, and a publication for another one: the largest takes
less, and a lease of a node that is gone runs out sooner."""

_LOOK_S: Final = 0.2

_NAP = threading.Event()
"""Is never set: to wait for it is to sleep for a bounded time."""


class TakenError(Exception):
    """The news that another node does some work at this time."""


def day_of(row: SegmentRow) -> str:
    """Returns the lease of the segments of a table, project and day."""
    return f"rewrite/{row.table}/{row.project}/{row.day}"


EVERY_DAY: Final = "rewrite"
"""The lease of all segments: no other node rewrites one meanwhile."""


@contextlib.contextmanager
def holding(core: Core, name: str, *, wait_s: float = 0.0) -> Iterator[tuple[str, str] | None]:
    """Holds a lease, and gives its name and token; gives None where there is one writer.

    A lease that this node holds already is held on. The caller holds `core.maintenance`, or is alone in asking for it.

    Raises TakenError where another node has it for longer than `wait_s`.
    """
    node = core.node
    if node is None:
        yield None
        return
    token, users = node.leases.get(name, ("", 0))
    if not users:
        token = _taken(core, name, wait_s)
    node.leases[name] = (token, users + 1)
    try:
        yield name, token
    finally:
        if users:
            node.leases[name] = (token, users)
        else:
            del node.leases[name]
            # Where the catalog does not answer, the lease runs out by itself.
            with contextlib.suppress(Exception), core.catalog.writing() as connection:
                node_table.give_lease_back_in(connection, name, token)


@contextlib.contextmanager
def holding_all(core: Core) -> Iterator[None]:
    """Keeps other nodes from rewriting any segment; waits for those that do, and follows them.

    Raises StoreFailedError where that takes too long.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(holding(core, EVERY_DAY, wait_s=WAIT_S))
        except TakenError as error:
            raise StoreFailedError(
                f"cannot delete rows: other nodes have rewritten segments for {WAIT_S:.0f} s; try again"
            ) from error
        catch_up(core)
        yield


@contextlib.contextmanager
def holding_days(core: Core, rows: Iterable[SegmentRow]) -> Iterator[None]:
    """Keeps other nodes from rewriting the days of segments; waits for those that do.

    Raises StoreFailedError where that takes too long.
    """
    with contextlib.ExitStack() as stack:
        # In one order, so that no two nodes wait for each other.
        for name in sorted({day_of(row) for row in rows}):
            try:
                stack.enter_context(holding(core, name, wait_s=WAIT_S))
            except TakenError as error:
                raise StoreFailedError(
                    f"cannot rewrite segments: another node has worked on {error} for {WAIT_S:.0f} s; try again"
                ) from error
        yield


def _taken(core: Core, name: str, wait_s: float) -> str:
    node = core.node
    if node is None:
        raise AssertionError("BUG: one writer takes no lease")
    until_s = core.clock.elapsed_s() + wait_s
    while True:
        with core.catalog.writing() as connection:
            token = node_table.take_lease_in(connection, name, node.name.node_id)
        if token is not None:
            return token
        if core.clock.elapsed_s() >= until_s:
            raise TakenError(name)
        _NAP.wait(_LOOK_S)
