"""Nodes as servers in processes of their own, over HTTP: any of them answers for all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx
import pytest

import tracestore
from data import processes
from nodes.cluster import Cluster, expected, rows


@pytest.fixture
def servers(cluster: Cluster) -> Iterator[list[tracestore.Client]]:
    """Runs two nodes that take rows and one that only answers; gives a client of each."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(tracestore.Client(started(stack, cluster, name, role).url))
            for name, role in (("a", "all"), ("b", "all"), ("q", "query"))
        ]


def started(
    stack: contextlib.ExitStack, cluster: Cluster, name: str, role: str = "all"
) -> processes.Served:
    """Starts a node."""
    return stack.enter_context(
        processes.serving(
            cluster.folder / name,
            "--grpc-port=-1",
            f"--role={role}",
            environment={
                "TRACESTORE_CATALOG": cluster.catalog,
                "TRACESTORE_SEGMENTS": cluster.segments,
            },
        )
    )


def counts(client: tracestore.Client) -> tuple[int, int, int]:
    answer = client.sql(
        "SELECT count(*) AS rows, count(DISTINCT span_id) AS spans, sum(attributes.both) AS both FROM spans"
    )
    (row,) = answer.rows()
    assert answer.warnings == []
    return row["rows"], row["spans"], int(row["both"] or 0)


def test_any_node_answers_for_all(servers: list[tracestore.Client]) -> None:
    a, b, q = servers
    a.insert("spans", rows(0, 50))
    b.insert("spans", rows(40, 50))
    assert [counts(client) for client in servers] == [expected(range(90))] * 3
    a.compact()
    a.insert("spans", rows(100, 10))
    assert [counts(client) for client in servers] == [expected(range(90), range(100, 110))] * 3
    listed = q.nodes()
    assert [(node["role"], node["is_up"]) for node in listed].count(("all", True)) == 2
    assert [node["is_this"] for node in listed].count(True) == 1
    # It passes rows on.
    q.insert("spans", rows(110, 5))
    assert [counts(client) for client in servers] == [expected(range(90), range(100, 115))] * 3
    b.patch({**{k: v for k, v in rows(3, 1)[0].items() if k.endswith("_id")}, "scores": {"s": 1}})
    for client in servers:
        assert client.sql("SELECT sum(scores.s) AS s FROM spans").rows() == [{"s": 1.0}]
    assert q.delete(where="attributes.both >= 100")["rows"] == 15
    assert [counts(client) for client in servers] == [expected(range(90))] * 3


def test_other_nodes_are_asked_by_the_key_of_the_cluster_alone(
    servers: list[tracestore.Client],
) -> None:
    url = servers[0].nodes()[0]["url"]
    for path in ("memory", "flush"):
        for body in (b"{}", b"no JSON, which is not even read"):
            headers = {"content-type": "application/json"}
            answer = httpx.post(
                f"{url}/internal/nodes/{path}",
                content=body,
                headers=headers,
                timeout=processes.HANG_S,
            )
            assert answer.status_code == 403


def test_a_node_that_is_killed_is_named_until_it_is_back(cluster: Cluster) -> None:
    with contextlib.ExitStack() as stack:
        a = tracestore.Client(started(stack, cluster, "a").url)
        with contextlib.ExitStack() as first:
            served = started(first, cluster, "b")
            with tracestore.Client(served.url) as b:
                b.insert("spans", rows(0, 20))
            assert counts(a) == expected(range(20))
            served.process.kill()
            served.process.wait(processes.HANG_S)
        answer = a.sql("SELECT count(*) AS rows FROM spans")
        assert answer.rows() == [{"rows": 0}]
        (warning,) = answer.warnings
        assert "does not answer" in warning and "missing" in warning
        started(stack, cluster, "b")
        assert counts(a) == expected(range(20))
        a.close()
