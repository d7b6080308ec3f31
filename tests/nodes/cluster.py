"""Stores that share a catalog and a bucket: in one process, without HTTP between them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import tracestore
from store import servers
from tracestore.embedded import Store
from tracestore.nodes.wire import asked, decode, encode, question_of
from tracestore.store import NodeRow, PeerAnswer, Question

T0 = 1_790_000_000_000_000_000


@dataclass
class Cluster:
    """A catalog and a bucket, and the stores that are open over them.

    Attributes:
        folder: of all nodes' folders.
        catalog, segments: their URLs.
        stores: that are open, by node id.
        silent: ids of nodes that do not answer the others.
        questions: times that a node asked others for what they have in memory.
        transferred_bytes: what nodes have told each other of their memory.
    """

    folder: Path
    catalog: str
    segments: str
    stores: dict[str, Store] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    questions: int = 0
    transferred_bytes: int = 0

    @contextlib.contextmanager
    def node(self, name: str, **settings: Any) -> Iterator[Store]:
        """Opens the store of a node's folder."""
        chosen: dict[str, Any] = {"node": "all", "background": False, **settings}
        with tracestore.open(
            self.folder / name, catalog_url=self.catalog, segments_url=self.segments, **chosen
        ) as store:
            node_id = store.nodes.node_id
            assert node_id is not None
            self.stores[node_id] = store
            store.nodes.ask_by(self)
            store.announce(f"test://{name}")
            try:
                yield store
            finally:
                del self.stores[node_id]

    # --- how nodes ask each other ---

    def memory(
        self, nodes: Sequence[NodeRow], questions: Mapping[str, Question]
    ) -> Mapping[str, PeerAnswer | str]:
        """Asks stores of this process, by what would go over the network."""
        answers: dict[str, PeerAnswer | str] = {}
        self.questions += 1
        for node in nodes:
            store = self.stores.get(node.node_id)
            if store is None or node.node_id in self.silent:
                answers[node.node_id] = "it is silent"
                continue
            question = question_of(json.loads(json.dumps(asked(questions[node.node_id]))))
            data = encode(store.nodes.answer(question))
            self.transferred_bytes += len(data)
            answers[node.node_id] = decode(data)
        return answers

    def flush(self, nodes: Sequence[NodeRow]) -> Mapping[str, str | None]:
        """Has stores of this process flush."""
        failed: dict[str, str | None] = {}
        for node in nodes:
            store = self.stores.get(node.node_id)
            if store is None or node.node_id in self.silent:
                failed[node.node_id] = "it is silent"
            else:
                store.flush()
                failed[node.node_id] = None
        return failed


@contextlib.contextmanager
def fresh_database(base: str, name: str) -> Iterator[str]:
    """Makes a database of its own in a cluster of PostgreSQL; yields its URL."""
    engine = sa.create_engine(
        base.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield base.replace("/postgres", f"/{name}")
    finally:
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        engine.dispose()


@contextlib.contextmanager
def places(folder: Path) -> Iterator[tuple[str, str]]:
    """Runs PostgreSQL and a server of S3; yields the URLs of both."""
    (folder / "s3").mkdir()
    with servers.postgres() as catalog, servers.s3(folder / "s3") as segments:
        yield catalog, segments


def ids(number: int) -> dict[str, str]:
    """Returns the ids of the span of a number."""
    return {"trace_id": f"{number + 1:032x}", "span_id": f"{number + 1:016x}"}


def rows(first: int, count: int, **more: Any) -> list[dict[str, Any]]:
    """Returns spans whose names are their numbers."""
    return [
        {
            **ids(number),
            "start_ns": T0 + number,
            "duration_ns": 1000,
            "name": f"n{number}",
            "attributes": {f"k{number % 7}": number, "both": number},
            **more,
        }
        for number in range(first, first + count)
    ]


COUNT = "SELECT count(*) AS rows, count(DISTINCT span_id) AS spans, sum(attributes.both) AS both FROM spans"


def counts(store: Store) -> tuple[int, int, int]:
    """Returns rows, spans and a sum over all of them."""
    answer = store.sql(COUNT)
    (row,) = answer.rows()
    return row["rows"], row["spans"], int(row["both"] or 0)


def expected(*ranges: range) -> tuple[int, int, int]:
    """Returns what `counts` gives of spans with these numbers."""
    numbers = {number for each in ranges for number in each}
    return len(numbers), len(numbers), sum(numbers)
