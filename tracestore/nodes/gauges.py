"""What a node measures of the others."""

from __future__ import annotations

import math
from collections.abc import Callable

from tracestore.errors import TraceStoreError
from tracestore.nodes.client import HttpPeers
from tracestore.store import Store


def node_gauges(store: Store, peers: HttpPeers) -> dict[str, tuple[str, Callable[[], float]]]:
    """Returns what is measured of a node beside others, by name: what it is, and what gives it."""
    return {
        "tracestore_peer_bytes": (
            "Bytes that other nodes have sent of their rows in memory.",
            lambda: peers.received_bytes,
        ),
        "tracestore_silent_node_asks": (
            "Times that another node did not answer for its rows in memory.",
            lambda: store.nodes.silent_asks,
        ),
        "tracestore_nodes_up": (
            "Nodes that were heard of lately.",
            lambda: _nodes_up(store),
        ),
    }


def _nodes_up(store: Store) -> float:
    try:
        return sum(node.is_up for node in store.nodes.list())
    except TraceStoreError:
        return math.nan  # the catalog does not answer
