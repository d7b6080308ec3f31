"""Loads one, two and three nodes: `PYTHONPATH=tests python -m bench.nodes [--seconds 20]`."""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import psycopg

from bench.report import Result, keep, show
from bench.service.__main__ import PATIENCE_S, ask, counters
from bench.service.server import cpu_seconds, served
from store import servers  # tests/ has what starts PostgreSQL and S3
from tracestore.client import Client

NODES = 3
CHATS = 5000
"""Spans in memory of one node, about 5 KB each: they are not flushed before they are asked for."""

WORDS = [f"word{number}" for number in range(5000)]

READ = {
    "no rows": "SELECT 1",
    "another table": "SELECT count(*) FROM logs",
    "times long ago": "SELECT count(*), max(input[0].content) FROM spans WHERE start_time < '2020-01-01'",
    "fixed columns": "SELECT name, avg(duration_ns) FROM spans GROUP BY ALL",
    "one attribute more": "SELECT attributes.user, count(*) FROM spans GROUP BY ALL",
    "everything": "SELECT * FROM spans",
    "everything, again": "SELECT * FROM spans",
}
"""Questions in an order in which each reads more than the one before."""

COUNT = "SELECT count(*) AS rows, count(DISTINCT span_id) AS ids FROM spans"


@dataclass(frozen=True, slots=True)
class Node:
    """A node that runs."""

    url: str
    pid: int


def main() -> None:
    """Runs the loads and prints their results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    chosen = parser.parse_args()
    results: list[Result] = []
    results += transferred()
    for count in range(1, NODES + 1):
        results += measured(count, chosen.seconds)
    keep(results, "nodes", quick=chosen.seconds < 10)
    show(results)


def measured(count: int, seconds: float) -> list[Result]:
    """Returns what so many nodes did under load."""
    name = f"{count} node{'s' if count > 1 else ''}"
    found: list[Result] = []

    def note(metric: str, value: float, unit: str) -> None:
        found.append(
            Result(
                "small spans", name, "tracestore", version("tracestore"), metric, value, unit, 0.0
            )
        )

    with running(count) as (nodes, query_node, database):
        taking = [node.pid for node in nodes]
        before_s = sum(map(cpu_seconds, taking))
        query_before_s = cpu_seconds(query_node.pid)
        transactions = committed(database)
        spans, took_s, asked_ms = load(nodes, query_node, seconds)
        cpu_s = sum(map(cpu_seconds, taking)) - before_s
        transactions = committed(database) - transactions
        flushes = sum(counters(node.url)["tracestore_flushes"] for node in nodes)
        note("ingest", spans / took_s, "spans/s")
        note("processor time of the nodes", cpu_s / spans * 1e6, "us/span")
        note("processor time of the query node", cpu_seconds(query_node.pid) - query_before_s, "s")
        note("smallest query on the query node, p50", statistics.median(asked_ms), "ms")
        note("flushes", flushes, "")
        note("catalog transactions for a flush", transactions / max(flushes, 1), "")
        for number, node in enumerate([*nodes, query_node]):
            with Client(node.url) as client:
                counted = client.sql(COUNT, timeout_s=300).rows()[0]
            note(f"lost, node {number}", spans - counted["ids"], "spans")
            note(f"doubled, node {number}", counted["rows"] - counted["ids"], "spans")
    return found


def transferred() -> list[Result]:
    """Returns the bytes that a node sends of chats in its memory to one that only answers, by what is asked there."""
    found = []
    with running(1) as ((node,), query_node, _), Client(node.url) as sender:
        sender.insert("spans", [_chat(number) for number in range(CHATS)])
        with Client(query_node.url) as client:
            for name, sql in READ.items():
                before = counters(query_node.url)["tracestore_peer_bytes"]
                client.sql(sql, timeout_s=300)
                sent = counters(query_node.url)["tracestore_peer_bytes"] - before
                metric = f"sent for a query of {name}"
                found.append(
                    Result(
                        "chats", "1 node", "tracestore", version("tracestore"), metric,
                        sent / CHATS, "B/span", 0.0,
                    )
                )  # fmt: skip
    return found


def _chat(number: int) -> dict[str, Any]:
    chance = random.Random(number)
    words = chance.choices(WORDS, k=400)
    return {
        "name": "chat",
        "start_ns": time.time_ns(),
        "duration_ns": chance.randrange(10**9),
        "attributes": {"gen_ai.request.model": "m", "user": chance.randrange(1000)},
        "input": [{"role": "user", "content": " ".join(words)}],
        "output": [{"role": "assistant", "content": " ".join(reversed(words))}],
    }


@contextlib.contextmanager
def running(count: int) -> Iterator[tuple[list[Node], Node, str]]:
    """Gives nodes that take rows, one that only answers, and the URL of their database."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "s3").mkdir()
        catalog = stack.enter_context(servers.postgres())
        segments = stack.enter_context(servers.s3(folder / "s3"))
        environment = {"TRACESTORE_CATALOG": catalog, "TRACESTORE_SEGMENTS": segments}
        roles = ["all"] * count + ["query"]
        nodes = [
            Node(
                *stack.enter_context(
                    served(folder / f"node{number}", {**environment, "TRACESTORE_ROLE": role})
                )
            )
            for number, role in enumerate(roles)
        ]
        yield nodes[:-1], nodes[-1], catalog


def load(nodes: list[Node], query_node: Node, seconds: float) -> tuple[int, float, list[float]]:
    """Sends to each node until the time is up, and asks the query node; returns spans, seconds, and milliseconds."""
    senders = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.service.sender", node.url, str(seconds), str(number)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, node in enumerate(nodes)
    ]
    asked_ms: list[float] = []
    until_s = time.perf_counter() + seconds
    with httpx.Client(base_url=query_node.url, timeout=PATIENCE_S) as client:
        while time.perf_counter() < until_s:
            asked_ms.append(ask(client, "SELECT count(*) FROM spans WHERE duration_ns > 1"))
    answers = [json.loads(each.communicate()[0]) for each in senders]
    return (
        sum(answer["spans"] for answer in answers),
        max(answer["seconds"] for answer in answers),
        asked_ms,
    )


def committed(database: str) -> int:
    """Returns the transactions that a database has committed."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        row = connection.execute(query).fetchone()
    return int(row[0]) if row is not None else 0


if __name__ == "__main__":
    main()
