"""Over HTTP, where statements run in a process of their own, the last version of a span is shown wherever rows lie."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tracestore import Store
from tracestore.client import Client
from tracestore.server import Server, ServerSettings

START_NS = 1_790_000_000_000_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)) as running:
        yield running


def send(server: Server, number: int, end: bool, **attributes: str) -> dict[str, Any]:
    span = {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "agent",
        "startTimeUnixNano": str(START_NS + number),
        "attributes": [
            {"key": key, "value": {"stringValue": value}} for key, value in attributes.items()
        ],
    }
    if end:
        span["endTimeUnixNano"] = str(START_NS + number + 10**9)
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{server.url}/v1/traces", content=body, headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {})
    return span


def nothing(_: Store) -> None:
    return


def flush(store: Store) -> None:
    store.flush()


def merge(store: Store) -> None:
    store.flush()
    store.compact(full=True)


STEPS: list[Callable[[Store], None]] = [nothing, flush, merge]


@pytest.mark.parametrize("before", STEPS)
@pytest.mark.parametrize("after", STEPS)
def test_a_span_that_ends_shows_its_end(
    server: Server, before: Callable[[Store], None], after: Callable[[Store], None]
) -> None:
    sql = "SELECT duration, attributes FROM spans ORDER BY start_ns"
    with Client(server.url) as client:
        send(server, 1, end=False, state="running", note="first")
        send(server, 2, end=False, state="running")
        running = {"state": "running"}
        other = {"duration": None, "attributes": running}
        first = {"duration": None, "attributes": {**running, "note": "first"}}
        assert client.sql(sql).rows() == [first, other]
        before(server.store)
        send(server, 1, end=True, state="done")
        right = [{"duration": 1.0, "attributes": {"state": "done"}}, other]
        assert client.sql(sql).rows() == right
        after(server.store)
        assert client.sql(sql).rows() == right
        counts = "SELECT count(*) AS n, count(attributes.note) AS notes FROM spans"
        assert client.sql(counts).rows() == [{"n": 2, "notes": 0}]
        assert client.sql("SELECT span_count FROM traces").rows() == [{"span_count": 1}] * 2


def test_an_import_says_what_it_replaced(server: Server) -> None:
    with Client(server.url) as client:
        row = {"trace_id": "1" * 32, "span_id": "2" * 16, "name": "a", "start_ns": START_NS}
        assert client.insert("spans", [row])["rows"] == 1
        report = client.insert("spans", [row, {**row, "name": "b"}])
        assert (report["rows"], report["duplicates"], report["replaced"]) == (1, 1, 1)
