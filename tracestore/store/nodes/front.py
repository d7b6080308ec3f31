"""The nodes of a store, as its user sees them."""

from __future__ import annotations

from collections.abc import Sequence

from tracestore.store.catalog.nodes import node_table
from tracestore.store.catalog.nodes.node_table import NodeRow
from tracestore.store.core import Core, Recovery
from tracestore.store.memory.node_state import PeerAnswer, Peers, Question
from tracestore.store.nodes import membership
from tracestore.store.nodes.answers import MemoryAnswers


class Nodes:
    """The nodes that share a store's catalog and segments. Thread-safe."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._answers = MemoryAnswers(core)
        self._led_since_s: dict[str, float] = {}

    @property
    def node_id(self) -> str | None:
        """Returns the id of this node, None where there is one writer."""
        node = self._core.node
        return node.name.node_id if node is not None else None

    @property
    def recovery(self) -> Recovery:
        """Returns what opening found in the log of this node, and did with it."""
        return self._core.recovery

    def list(self) -> list[NodeRow]:
        """Returns every node; none where there is one writer."""
        return membership.nodes_of(self._core)

    @property
    def only_answers(self) -> bool:
        """Returns whether this node takes no rows."""
        return self._core.node is not None and self._core.node.role == "query"

    def takers(self) -> Sequence[str]:
        """Returns where nodes take rows; nothing where the catalog does not answer."""
        return self._core.takers()

    def forget(self, node_id: str) -> bool:
        """Drops a node that will not return: its rows that are in no segment are not missed any more.

        Returns whether there was one that is not up.
        """
        return membership.forget(self._core, node_id)

    def ask_by(self, peers: Peers) -> None:
        """Asks other nodes from now on."""
        if self._core.node is not None:
            self._core.node.peers = peers

    def announce(self, url: str) -> None:
        """Tells the others where this node answers; on return they know."""
        node = self._core.node
        if node is not None and node.member is not None:
            node.member.announce(url)

    def answer(self, question: Question) -> PeerAnswer:
        """Returns what this node has in memory, for another one that has some of it already."""
        return self._answers.answer(question)

    def leads(self, work: str) -> bool:
        """Tells whether this node is the one that does some work for all, and makes it so where there is none."""
        core, node = self._core, self._core.node
        if node is None:
            return True
        if node.role == "query":
            return False
        now_s = core.clock.elapsed_s()
        if now_s - self._led_since_s.get(work, -node_table.LEASE_S) < node_table.LEASE_S / 3:
            return True
        with core.catalog.writing() as connection:
            token = node_table.take_lease_in(connection, f"lead/{work}", node.name.node_id)
        if token is None:
            return False
        self._led_since_s[work] = now_s
        return True

    @property
    def silent_asks(self) -> int:
        """Returns how often a node that was asked did not answer."""
        return self._core.node.silent_asks if self._core.node is not None else 0

    def secret(self, given: str | None) -> str:
        """Returns the key by which nodes know each other: the one that was given, else the one in the catalog."""
        return given or self._core.catalog.meta("cluster_key")
