"""A node that only answers: each route answers on it as on the others, works for all, or says where to go."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from typing import Any

import adbc_driver_flightsql.dbapi as flight
import httpx
import pytest

import tracestore
from data import processes
from data.api_requests import Pool, seen
from nodes.cluster import Cluster, ids, rows
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

REQUESTS = 2
"""Requests a route."""

SQL = [
    "SELECT count(*) AS n, sum(attributes.both) AS s FROM spans",
    "SELECT name, attributes FROM spans ORDER BY name LIMIT 3",
    "SELECT id, input FROM dataset('gold') ORDER BY id",
    "SELECT name, versions FROM datasets ORDER BY ALL",
    "SELECT path, rows FROM paths ORDER BY ALL",
    "SELECT * FROM nosuch",
]
ROWS = [
    b'{"name": "sent to a node that only answers"}\n',
    b'{"id": "1", "input": "another"}\n',
    b'{"id": "2", "input": {"q": 1}}\n',
]
POOL = Pool(
    {
        "sql": SQL,
        "trace_id": [ids(number)["trace_id"] for number in (1, 2, 99)],
        "span_id": [ids(number)["span_id"] for number in (1, 2, 99)],
        "table": ["spans", "logs"],
        "project": ["default", "p", ""],
        "patches": [[{**ids(number), "set": {"metadata": {"x": 1}}} for number in (1, 2)]],
        "inside": [{"where": "attributes.both = 1"}, {"from_ns": 0, "to_ns": 1}],
        "where": ["", "attributes.both = 1", "attributes.k1 IS NOT NULL"],
        "paths": [["name"], ["attributes.both"], None],
        "experiments": [["run", "run"]],
        "ids": [["1"], []],
        "limit": [1, 5, 100],
        "accept": ["application/json", "application/x-ndjson"],
        "metadata": [{"a": 1}, None],
        "kind": ["view", "board"],
        "document_id": ["0" * 26],
        "node_id": ["0" * 26],
        "version": [1, 2],
        "body": [{"sql": "SELECT 1"}, {}],
        "retention_days": [36_500, None],
        "scopes": [["read"], ["admin"]],
        "projects": [["p"], None],
        "key_id": ["0" * 12],
    },
    ["gold", "run", "view", "nosuch"],
    ROWS,
)

# A stream that does not end; what a process says of itself.
OF_ITSELF = {
    "/api/explore/tail",
    "/api/nodes",
    "/api/status",
    "/api/store/stats",
    "/api/session",
    "/metrics",
}

# What is the catalog's alone works on every node.
OF_THE_CATALOG = ("/api/documents", "/api/alerts", "/api/patch", "/api/keys")

# What deletes comes last.
LAST = {"/api/delete", "/api/projects"}


class Pair:
    """A node that takes rows and one that only answers."""

    def __init__(self, takes: Server, answers: Server) -> None:
        self.takes = takes
        self.answers = answers
        self.document: dict[str, Any] = self.send(answers, "GET", "/openapi.json").json()

    @staticmethod
    def send(server: Server, method: str, path: str, **more: Any) -> httpx.Response:
        return httpx.request(method, server.url + path, timeout=processes.HANG_S, **more)

    def both(self, method: str, path: str, **more: Any) -> list[httpx.Response]:
        return [self.send(server, method, path, **more) for server in (self.takes, self.answers)]

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yields the path, the method and the description of each route."""
        for path, methods in sorted(
            self.document["paths"].items(), key=lambda item: (item[0] in LAST, item[0])
        ):
            for method, operation in sorted(methods.items()):
                yield path, method.upper(), operation


@pytest.fixture
def pair(cluster: Cluster) -> Iterator[Pair]:
    with contextlib.ExitStack() as stack:
        takes, answers = (
            stack.enter_context(Server(_settings(cluster, name, role)))
            for name, role in (("a", "all"), ("q", "query"))
        )
        takes.store.insert("spans", rows(0, 20))
        takes.store.insert("spans", rows(20, 10), project="p")
        takes.store.flush()
        takes.store.insert("spans", rows(30, 10, metadata={"m": 1}))
        takes.store.datasets.add("gold", [{"id": "1", "input": "x"}])
        yield Pair(takes, answers)


def _settings(cluster: Cluster, name: str, role: Any, **more: Any) -> ServerSettings:
    return ServerSettings(
        **more,
        data=cluster.folder / name,
        catalog=cluster.catalog,
        segments=cluster.segments,
        role=role,
        port=0,
        grpc_port=0 if role == "query" else -1,
        flight_port=0 if role == "query" else -1,
        engine_process=False,
    )


def _differences(pair: Pair) -> list[str]:
    """Returns the reading routes that answer otherwise on one node than on the other."""
    told = []
    for path, method, operation in pair.operations():
        if path in OF_ITSELF or not (method == "GET" or path == "/api/query"):
            continue
        chance = random.Random(path)
        for _ in range(REQUESTS):
            where, request = POOL.request(path, operation, pair.document, chance)
            answers = pair.both(method, where, **request)
            if seen(answers[0]) != seen(answers[1]):
                shown = " | ".join(f"{each.status_code} {each.text[:300]}" for each in answers)
                told.append(f"{method} {where} {request}: {shown}")
    return told


def _changed(pair: Pair) -> dict[str, list[httpx.Response]]:
    """Asks the node that only answers for everything that changes something; returns its answers by route."""
    answers: dict[str, list[httpx.Response]] = {}
    for path, method, operation in pair.operations():
        if method == "GET" or path in OF_ITSELF:
            continue
        chance = random.Random(f"{method} {path}")
        for _ in range(REQUESTS):
            where, request = POOL.request(path, operation, pair.document, chance)
            answer = pair.send(pair.answers, method, where, **request)
            answers.setdefault(f"{method} {path}", []).append(answer)
    return answers


def test_every_route_answers_alike_and_what_changes_something_works_for_all(pair: Pair) -> None:
    assert "\n".join(_differences(pair)) == ""
    failed = [
        f"{route}: {answer.status_code} {answer.text[:300]}"
        for route, answers in _changed(pair).items()
        for answer in answers
        if answer.status_code >= 500
    ]
    assert "\n".join(failed) == ""
    assert "\n".join(_differences(pair)) == ""


def test_where_no_node_takes_rows_what_is_the_catalogs_alone_is_changed_all_the_same(
    pair: Pair,
) -> None:
    pair.takes.stop()
    refused = {
        route
        for route, answers in _changed(pair).items()
        if any(answer.status_code == 503 for answer in answers)
    }
    assert "POST /api/import" in refused
    assert [route for route in refused if route.split()[1].startswith(OF_THE_CATALOG)] == []


def test_rows_sent_to_a_node_that_only_answers_are_there_at_once(pair: Pair) -> None:
    lines = b"\n".join(
        json.dumps({"name": "passed on", "attributes": {"i": i}}).encode() for i in range(5000)
    )
    sent = pair.send(
        pair.answers,
        "POST",
        "/api/import?table=spans",
        content=lines,
        headers={"content-type": "application/x-ndjson"},
    )
    assert sent.status_code == 200, sent.text
    counted = pair.both(
        "POST",
        "/api/query",
        json={"sql": "SELECT count(*) AS n FROM spans WHERE name = 'passed on'"},
    )
    assert [answer.json()["rows"] for answer in counted] == [[[5000]]] * 2


def test_the_key_of_a_page_counts_where_its_request_is_passed_on(cluster: Cluster) -> None:
    with cluster.node("a"), contextlib.closing(KeyRing(cluster.folder, cluster.catalog)) as ring:
        _, text = ring.create("reviewer", ["read", "ingest"], ["p"])
        _, reads = ring.create("reader", ["read"], ["p"])
    with contextlib.ExitStack() as stack:
        _, answers = (
            stack.enter_context(Server(_settings(cluster, name, role, require_keys=True)))
            for name, role in (("a", "all"), ("q", "query"))
        )
        origin = {"origin": answers.url, "sec-fetch-site": "same-origin"}

        def add(page: httpx.Client, project: str) -> int:
            where = f"/api/datasets/rows?name=d&project={project}"
            lines = b'{"id": "1", "input": "x"}\n'
            kind = {"content-type": "application/x-ndjson"}
            return page.post(where, content=lines, headers={**origin, **kind}).status_code

        def signed_in(key: str) -> httpx.Client:
            page = stack.enter_context(httpx.Client(base_url=answers.url, timeout=processes.HANG_S))
            assert page.post("/api/session", json={"key": key}, headers=origin).is_success
            return page

        assert add(signed_in(text), "p") == 200
        assert add(signed_in(text), "q") == 403
        assert add(signed_in(reads), "p") == 403
        assert (
            httpx.post(f"{answers.url}/api/datasets/rows?name=d", content=b"{}").status_code == 401
        )


def test_exporters_are_told_where_rows_are_taken(pair: Pair) -> None:
    span = {"traceId": "1" * 32, "spanId": "1" * 16, "name": "x", "startTimeUnixNano": "1"}
    bodies = {
        "traces": {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]},
        "logs": {
            "resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]
        },
    }
    for signal, body in bodies.items():
        answer = pair.send(pair.answers, "POST", f"/v1/{signal}", json=body)
        assert answer.status_code == 503
        assert pair.takes.url in json.dumps(answer.json())


def test_doors_that_no_description_of_the_api_names_answer_too(pair: Pair) -> None:
    address = f"grpc://127.0.0.1:{pair.answers.flight_port}"
    with flight.connect(address, autocommit=True) as door, door.cursor() as cursor:
        cursor.execute(SQL[0])
        counted = cursor.fetch_arrow_table().to_pylist()
    with tracestore.Client(pair.takes.url) as client:
        assert client.sql(SQL[0]).rows() == counted
    page = pair.send(pair.answers, "GET", "/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    initialize = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "query", "arguments": {"sql": "SELECT count(*) AS n FROM spans"}},
    }
    told = pair.both(
        "POST",
        "/mcp",
        json=initialize,
        headers={"accept": "application/json, text/event-stream"},
    )
    assert told[0].status_code == told[1].status_code == 200
    assert told[0].text.replace(pair.takes.url, pair.answers.url) == told[1].text
    assert "40" in told[1].text


def test_scores_by_another_products_door_are_everybodys(pair: Pair) -> None:
    score = {
        "traceId": ids(3)["trace_id"],
        "observationId": ids(3)["span_id"],
        "name": "s",
        "value": 1,
    }
    answer = pair.send(pair.answers, "POST", "/api/public/scores", json={"id": "1", **score})
    assert answer.status_code == 200, answer.text
    sql = "SELECT sum(scores.s) AS s FROM spans"
    for server in (pair.takes, pair.answers):
        with tracestore.Client(server.url) as client:
            assert client.sql(sql).rows() == [{"s": 1.0}]
