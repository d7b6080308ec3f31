"""Asks other nodes over HTTP, all at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import httpx

from tracestore.nodes.routes import FLUSH_PATH, KEY_HEADER, MEMORY_PATH
from tracestore.nodes.wire import asked, decode
from tracestore.store import NodeRow, PeerAnswer, Question

CONNECT_S: Final = 1.0
"""Seconds in which a node must take a connection: one that is gone must not hold up every query."""

ANSWER_S: Final = 5.0
"""Seconds in which a node must answer what it has in memory; its catalog may be slow."""

FLUSH_S: Final = 120.0
"""Seconds in which a node must have written its memory to segments; a bucket may be slow."""

_AT_ONCE: Final = 32

T = TypeVar("T")


class HttpPeers:
    """The other nodes, over HTTP. Thread-safe.

    Args:
        key: by which nodes know each other.

    Attributes:
        received_bytes: what they have told of their memory.
    """

    def __init__(self, key: str) -> None:
        self._client = httpx.Client(
            headers={KEY_HEADER: key}, timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        )
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="tracestore-peers")
        self._counting = threading.Lock()
        self.received_bytes = 0

    def close(self) -> None:
        """Closes all connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def memory(
        self, nodes: Sequence[NodeRow], questions: Mapping[str, Question]
    ) -> Mapping[str, PeerAnswer | str]:
        """Returns by node id what each has in memory, or why it did not say it."""

        def ask(node: NodeRow) -> PeerAnswer:
            body = asked(questions[node.node_id])
            data = self._posted(node, MEMORY_PATH, json=body).content
            with self._counting:
                self.received_bytes += len(data)
            return decode(data)

        return self._each(nodes, ask)

    def flush(self, nodes: Sequence[NodeRow]) -> Mapping[str, str | None]:
        """Has nodes write their memory to segments; returns by node id why one did not, None where it did."""

        def ask(node: NodeRow) -> None:
            self._posted(node, FLUSH_PATH, timeout=FLUSH_S)

        return self._each(nodes, ask)

    def _posted(self, node: NodeRow, path: str, **more: Any) -> httpx.Response:
        answer = self._client.post(f"{node.url}{path}", **more)
        if answer.status_code != 200:
            raise ValueError(f"it answers {answer.status_code}: {answer.text[:200]}")
        return answer

    def _each(self, nodes: Sequence[NodeRow], ask: Callable[[NodeRow], T]) -> dict[str, T | str]:
        def asked(node: NodeRow) -> T | str:
            try:
                return ask(node)
            except (httpx.HTTPError, OSError, ValueError) as error:
                return str(error) or type(error).__name__

        if len(nodes) == 1:
            return {nodes[0].node_id: asked(nodes[0])}
        answers = self._threads.map(asked, nodes)
        return {node.node_id: answer for node, answer in zip(nodes, answers, strict=True)}
