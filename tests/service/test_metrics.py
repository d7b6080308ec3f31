"""What was taken and refused is in `/metrics` and in the log, with what helps; senders are told of once a minute."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import structlog
from structlog.testing import capture_logs

import tracestore
from data.processes import HANG_S
from data.stores import span
from store.kit import otlp_traces
from tracestore.content_types import PROTOBUF
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture(autouse=True)
def every_level() -> Iterator[None]:
    """Has lines of every level written, whatever a program that ran in this process before was told."""
    before = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**before)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    settings = ServerSettings(data=tmp_path / "store", port=0, grpc_port=0)
    with Server(settings) as running:
        yield running


def post(server: Server, body: bytes, **headers: str) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/traces",
        content=body,
        headers={"content-type": PROTOBUF, **headers},
        trust_env=False,
    )


def numbers(server: Server) -> dict[str, float]:
    text = httpx.get(f"{server.url}/metrics", trust_env=False).text
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def rows(outcome: str, project: str = "shop", table: str = "spans") -> str:
    return f'tracestore_rows_total{{outcome="{outcome}",project="{project}",table="{table}"}}'


def test_rows_are_counted_by_project_and_by_what_became_of_them(server: Server) -> None:
    project = {"x-tracestore-project": "shop"}
    post(server, otlp_traces([span(1), span(2)]), **project)
    post(server, otlp_traces([span(1), {**span(2), "name": "later"}]), **project)
    bad = otlp_traces([{**span(3), "span_id": "0" * 16}, span(4)])
    assert post(server, bad, **project).status_code == 200
    told = numbers(server)
    assert told[rows("accepted")] == 4
    assert told[rows("duplicate")] == 1
    assert told[rows("replaced")] == 1
    (refused,) = [name for name in told if name.startswith("tracestore_refused_rows_total")]
    assert 'project="shop"' in refused
    assert "span_id" in refused or "id" in refused
    assert told[refused] == 1
    assert told['tracestore_acknowledgement_seconds_count{signal="traces"}'] == 3


def test_it_tells_of_queries_the_process_the_engine_and_merges(server: Server) -> None:
    post(server, otlp_traces([span(1)]))
    for _ in range(2):
        server.store.flush()
        post(server, otlp_traces([{**span(1), "name": "later"}]))
    server.store.flush()
    server.store.compact(full=True)
    query = {"sql": "SELECT count(*) FROM spans"}
    httpx.post(f"{server.url}/api/query", json=query, trust_env=False).raise_for_status()
    told = numbers(server)
    assert told["tracestore_query_seconds_count"] == 1
    assert told["tracestore_process_resident_memory_bytes"] > 0
    assert "tracestore_process_cpu_seconds_total" in told
    assert told["tracestore_flushes_total"] >= 2
    assert told["tracestore_merges_total"] >= 1
    assert "tracestore_queries_running" in told
    assert not [name for name in told if "_created" in name]


def test_who_leaves_before_the_answer_is_no_failure_of_the_server(server: Server) -> None:
    endless = "SELECT damerau_levenshtein(repeat('ab', 50000), repeat('ba', 50000))"
    url = httpx.URL(server.url)
    body = json.dumps({"sql": endless})
    head = (
        f"POST /api/query HTTP/1.1\r\nhost: {url.netloc.decode()}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 0)) as sender:
        sender.sendall((head + body).encode())
    end_s = time.monotonic() + HANG_S
    statuses: set[str] = set()
    # The answers of /metrics itself are of 200.
    while not statuses - {"200"} and time.monotonic() < end_s:
        requests = [name for name in numbers(server) if "http_requests_total" in name]
        statuses = {found for name in requests for found in re.findall(r'status="(\d+)"', name)}
    assert statuses - {"200"} == {"499"}


def test_projects_that_clients_make_up_are_bounded(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracestore.store.counts.MAX_LABELS", 3)
    for number in range(6):
        post(server, otlp_traces([span(number)], project=f"p{number}"))
    told = numbers(server)
    assert told[rows("accepted", "other")] == 3


def refusals(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["event"] == "refused"]


def test_what_is_refused_is_logged_once_a_minute_by_kind_and_peer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("tracestore_ingest.meter.time.monotonic", lambda: now_s[0])
    with capture_logs() as logs:
        for _ in range(3):
            assert post(server, b"\xff\xff broken").status_code == 400
        assert post(server, b"x", **{"content-encoding": "br"}).status_code == 415
        now_s[0] += 61
        post(server, b"\xff\xff broken")
    broken, encoding, again = refusals(logs)
    assert (broken["kind"], broken["log_level"], broken["peer"]) == ("payload", "info", "127.0.0.1")
    assert "endpoint" in broken["remedy"]
    assert encoding["kind"] == "unsupported_payload"
    assert "gzip" in encoding["remedy"]
    assert again["more_since"] == 2
    told = numbers(server)
    name = 'tracestore_refused_requests_total{reason="payload",signal="traces"}'
    assert told[name] == 4


def test_refused_rows_and_grpc_calls_are_told_too(server: Server) -> None:
    bad = otlp_traces([{**span(3), "span_id": "0" * 16}, span(4)])
    with capture_logs() as logs, grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        call = channel.unary_unary(EXPORT)
        call(bad, timeout=HANG_S)
        with pytest.raises(grpc.RpcError):
            call(b"\xff\xff broken", timeout=HANG_S)
    kinds = [(line["kind"], line["peer"]) for line in refusals(logs)]
    assert kinds == [("rows", "ipv4:127.0.0.1"), ("payload", "ipv4:127.0.0.1")]
    assert re.search(r"1 rows refused: row 0", refusals(logs)[0]["message"])


def test_a_sender_without_a_key_is_told_of(tmp_path: Path) -> None:
    tracestore.open(tmp_path / "keyed").close()
    keys = KeyRing(tmp_path / "keyed")
    _, secret = keys.create("bound", ["ingest", "read"], ["shop"])
    keys.close()
    settings = ServerSettings(data=tmp_path / "keyed", port=0, grpc_port=0, require_keys=True)
    with Server(settings) as server, capture_logs() as logs:
        assert post(server, otlp_traces([span(1)])).status_code == 401
        headers = {"authorization": f"Bearer {secret}"}
        answer = httpx.get(f"{server.url}/metrics", headers=headers, trust_env=False)
        # What is told is of the whole server.
        assert answer.status_code == 403
        assert "tracestore_" not in answer.text
    (line,) = refusals(logs)
    assert (line["kind"], "keys create" in line["remedy"]) == ("unauthenticated", True)
