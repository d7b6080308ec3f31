"""Three nodes that are killed, cut off, and left without database or bucket: no row is lost or doubled.

Senders send to all nodes and send again to another one where none acknowledged. Whoever asks any node meanwhile sees
each span once, and all that were acknowledged before, unless the answer has a warning. TRACESTORE_NODE_KILLS says how
many processes are killed.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import httpx
import pytest

import tracestore
from data import processes
from nodes.cluster import Cluster, rows
from nodes.faulty_network import Mode, Proxy
from store import servers
from tracestore.errors import TraceStoreError

KILLS = int(os.environ.get("TRACESTORE_NODE_KILLS", "3"))
SEED = int(os.environ.get("TRACESTORE_NODE_SEED", "1"))
NAMES = ("a", "b", "c")
BATCH = 20
FEW_S = 20.0

READ = "SELECT span_id, count(*) AS times FROM spans GROUP BY ALL"


@dataclass(frozen=True)
class Network:
    """The ways of one node: to the database, to the bucket, and of the others to it."""

    database: Proxy
    bucket: Proxy
    door: Proxy

    def ways(self) -> tuple[Proxy, Proxy, Proxy]:
        """Returns all of them."""
        return self.database, self.bucket, self.door


class Nodes:
    """The nodes of a run, in processes of their own, each with networks that fail.

    Attributes:
        networks: by name of the node.
        urls: of nodes that run, by name. Senders and askers reach a node there that the others do not reach.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._database, self._bucket = (
            int(re.findall(pattern, url)[0])
            for pattern, url in ((r":(\d+)/", cluster.catalog), (r"1:(\d+)&", cluster.segments))
        )
        self._ports = {name: servers.free_port() for name in NAMES}
        self.networks = {
            name: Network(Proxy(self._database), Proxy(self._bucket), Proxy(port))
            for name, port in self._ports.items()
        }
        self._stacks: dict[str, contextlib.ExitStack] = {}
        self._served: dict[str, processes.Served] = {}
        self.urls: dict[str, str] = {}

    def start(self, name: str) -> None:
        """Starts a node."""
        network, cluster = self.networks[name], self._cluster
        stack = contextlib.ExitStack()
        environment = {
            "TRACESTORE_CATALOG": cluster.catalog.replace(
                f":{self._database}/", f":{network.database.port}/"
            ),
            "TRACESTORE_SEGMENTS": cluster.segments.replace(
                f":{self._bucket}&",
                f":{network.bucket.port}&connect_timeout=2&request_timeout=5&",
            ),
            "TRACESTORE_NODE_URL": f"http://127.0.0.1:{network.door.port}",
            # One of them answers by an engine process, as servers do by default; it takes longer to start.
            "TRACESTORE_ENGINE_PROCESS": str(name == "a"),
        }
        options = ("--grpc-port=-1", f"--port={self._ports[name]}")
        serving = processes.serving(cluster.folder / name, *options, environment=environment)
        self._served[name] = stack.enter_context(serving)
        self._stacks[name] = stack
        self.urls[name] = self._served[name].url

    def kill(self, name: str) -> None:
        """Ends a node's process at once, as it is."""
        del self.urls[name]
        self._served[name].process.kill()
        self._stacks.pop(name).close()

    @contextlib.contextmanager
    def trouble(self, chance: random.Random) -> Iterator[None]:
        """Has something fail that nodes share, or one node alone; or nothing."""
        kind = chance.choice(["database", "bucket", "alone", "none"])
        modes: list[Mode] = ["refused", "slow"]
        proxies: tuple[Proxy, ...] = ()
        if kind == "alone":
            proxies, modes = self.networks[chance.choice(NAMES)].ways(), ["refused"]
        elif kind == "database":
            proxies = tuple(network.database for network in self.networks.values())
        elif kind == "bucket":
            proxies = tuple(network.bucket for network in self.networks.values())
            modes = ["refused", "busy", "slow"]
        mode = chance.choice(modes)
        for proxy in proxies:
            proxy.mode = mode
        try:
            yield
        finally:
            for proxy in proxies:
                proxy.mode = "through"

    def close(self) -> None:
        """Ends all."""
        for name in list(self._stacks):
            self._stacks.pop(name).close()
        for network in self.networks.values():
            for proxy in network.ways():
                proxy.close()


@pytest.fixture
def nodes(cluster: Cluster) -> Iterator[Nodes]:
    running = Nodes(cluster)
    try:
        for name in NAMES:
            running.start(name)
        yield running
    finally:
        running.close()


class Traffic:
    """The senders and askers of a run, until they are stopped.

    Attributes:
        acknowledged: numbers of spans that some node has taken.
        sent: numbers of those that some node may have taken.
        wrong: what an answer had that it must not, or had not.
        answers: how many answers were looked at, and how many of them had no warning.
    """

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._next = 0
        self.acknowledged: set[int] = set()
        self.sent: set[int] = set()
        self.wrong: list[str] = []
        self.answers = [0, 0]
        works: list[Callable[[random.Random], None]] = [self._send, self._send, self._ask]
        self._threads = [
            threading.Thread(target=self._repeat, args=(work, random.Random(f"{SEED} {number}")))
            for number, work in enumerate([*works, self._tidy])
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, work: Callable[[random.Random], None], chance: random.Random) -> None:
        while not self._stopping.is_set():
            work(chance)

    def _send(self, chance: random.Random) -> None:
        with self._lock:
            first = self._next
            self._next += BATCH
            numbers = range(first, first + BATCH)
            self.sent.update(numbers)
        while not self._stopping.is_set():
            client = self._some(chance)
            if client is None:
                continue
            with client, contextlib.suppress(TraceStoreError, httpx.HTTPError):
                client.insert("spans", rows(first, BATCH))
                with self._lock:
                    self.acknowledged.update(numbers)
                break
        # A retry that was not needed: its first request was acknowledged.
        if chance.random() < 0.3:
            client = self._some(chance)
            if client is not None:
                with client, contextlib.suppress(TraceStoreError, httpx.HTTPError):
                    client.insert("spans", rows(first, BATCH))
        self._stopping.wait(chance.random() * 0.1)

    def _ask(self, chance: random.Random) -> None:
        with self._lock:
            before = set(self.acknowledged)
        client = self._some(chance)
        if client is None:
            return
        with client, contextlib.suppress(TraceStoreError, httpx.HTTPError):
            answer = client.sql(READ)
            found = answer.rows()
            self.answers[0] += 1
            doubled = [row["span_id"] for row in found if row["times"] != 1]
            if doubled:
                self.wrong.append(f"{len(doubled)} spans more than once, such as {doubled[0]}")
            missing = before - {int(row["span_id"], 16) - 1 for row in found}
            if not answer.warnings:
                self.answers[1] += 1
                if missing:
                    self.wrong.append(f"{len(missing)} spans missing, such as {min(missing)}")
        self._stopping.wait(chance.random() * 0.2)

    def _tidy(self, chance: random.Random) -> None:
        """Has some node flush and merge."""
        client = self._some(chance)
        if client is not None:
            with client, contextlib.suppress(TraceStoreError, httpx.HTTPError):
                client.compact()
        self._stopping.wait(chance.random())

    def _some(self, chance: random.Random) -> tracestore.Client | None:
        urls = list(self._nodes.urls.values())
        return tracestore.Client(chance.choice(urls), timeout_s=FEW_S) if urls else None


def test_no_row_is_lost_or_doubled_whatever_fails(nodes: Nodes) -> None:
    chance = random.Random(SEED)
    pause = threading.Event()
    with Traffic(nodes) as traffic:
        for number in range(KILLS):
            name = chance.choice(NAMES)
            sys.stdout.write(f"{number} ends, {len(traffic.acknowledged)} acknowledged\n")
            sys.stdout.flush()
            with nodes.trouble(chance):
                pause.wait(chance.random() * 2)
                nodes.kill(name)
                pause.wait(chance.random())
            nodes.start(name)
            pause.wait(chance.random())
    acknowledged, sent = traffic.acknowledged, traffic.sent
    asked, without_warning = traffic.answers
    sys.stdout.write(
        f"seed {SEED}: {KILLS} ends, {len(sent)} spans sent, {len(acknowledged)} acknowledged, "
        f"{asked} answers, {without_warning} of them without a warning\n"
    )
    assert len(acknowledged) > 0
    for name in NAMES:
        found = whole_answer(nodes.urls[name])
        assert {number: times for number, times in found.items() if times != 1} == {}, name
        assert acknowledged - found.keys() == set(), name
        assert found.keys() - sent == set(), name
    assert traffic.wrong == []


def whole_answer(url: str) -> dict[int, int]:
    """Returns how often each span is in a node's answer, once one has no warning."""
    deadline = time.monotonic() + processes.HANG_S
    with tracestore.Client(url, timeout_s=FEW_S) as client:
        while time.monotonic() < deadline:
            with contextlib.suppress(TraceStoreError, httpx.HTTPError):
                answer = client.sql(READ)
                found = answer.rows()
                if not answer.warnings:
                    return {int(row["span_id"], 16) - 1: row["times"] for row in found}
    raise AssertionError(f"{url} gives no answer without a warning")
