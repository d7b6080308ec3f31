"""API keys: who may send, who may read, and which projects."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import tracestore
from data import processes
from store.kit import FakeClock
from tracestore.errors import UnknownKeyError
from tracestore.server import OpenAddressError, Server, ServerSettings
from tracestore.store import KeyRing
from tracestore.store.catalog.api_keys import UNKNOWN_SECONDS

PROTOBUF = {"content-type": "application/x-protobuf"}
COUNT = {"sql": "SELECT count(*) AS n FROM spans"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tracestore.open(tmp_path / "store").close()
    return tmp_path / "store"


@pytest.fixture
def ring(folder: Path) -> Iterator[KeyRing]:
    ring = KeyRing(folder)
    yield ring
    ring.close()


@pytest.fixture
def guarded(folder: Path, ring: KeyRing) -> Iterator[Server]:
    ring.create("first", ["admin"])
    with Server(ServerSettings(data=folder, port=0, grpc_port=0, require_keys=True)) as server:
        yield server


def otlp_body(project: str | None = None, number: int = 1) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    if project is not None:
        pair = group.resource.attributes.add(key="tracestore.project")
        pair.value.string_value = project
    group.scope_spans.add().spans.add(
        trace_id=bytes(range(16)),
        span_id=number.to_bytes(8, "big"),
        name="s",
        start_time_unix_nano=1,
    )
    body: bytes = request.SerializeToString()
    return body


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def test_a_key_is_kept_as_a_hash_and_compared_whole(folder: Path, ring: KeyRing) -> None:
    key, text = ring.create("ci", ["ingest"])
    secret = text.split("_", 2)[2]
    assert secret.encode() not in (folder / "catalog.sqlite").read_bytes()
    assert ring.check(text) == key
    for wrong in (text[:-1], text + "x", key.key_id, "", "ts__", f"ts_{key.key_id}_"):
        assert ring.check(wrong) is None


def test_a_key_that_another_process_makes_is_known_at_once(folder: Path, ring: KeyRing) -> None:
    clock = FakeClock()
    with contextlib.closing(KeyRing(folder, clock=clock)) as other:
        assert other.empty
        clock.advance(UNKNOWN_SECONDS)
        key, text = ring.create("ci", ["ingest"])
        assert other.check(text) == key


def test_a_stream_without_end_ends_with_its_key(guarded: Server, ring: KeyRing) -> None:
    key, text = ring.create("tail", ["read"])
    url = f"{guarded.url}/api/explore/tail"
    told = []

    def arrive(name: str) -> None:
        guarded.store.insert("spans", [{"name": name, "start_ns": time.time_ns()}])

    with httpx.stream("GET", url, headers=bearer(text), timeout=processes.HANG_S) as answer:
        for line in answer.iter_lines():
            told.append(line)
            if line.startswith(":"):  # it looks again and again
                arrive("before")
            elif "before" in line and not guarded.keys.empty:
                ring.revoke(key.key_id)
                guarded.keys._forget()  # as two seconds do
                arrive("after")
    assert [line for line in told if "before" in line] != []
    assert [line for line in told if "after" in line] == []
    assert httpx.get(url, headers=bearer(text)).status_code == 401


def test_a_revoked_key_is_no_key(ring: KeyRing) -> None:
    key, text = ring.create("ci", ["read"])
    ring.revoke(key.key_id)
    assert ring.check(text) is None
    assert [each.revoked_ns is not None for each in ring.list()] == [True]
    with pytest.raises(UnknownKeyError):
        ring.revoke(key.key_id)


def test_unknown_scopes_are_refused(ring: KeyRing) -> None:
    with pytest.raises(ValueError, match="scopes"):
        ring.create("x", ["root"])


def test_without_a_key_nothing_is_sent_or_read(guarded: Server) -> None:
    with httpx.Client(base_url=guarded.url) as http:
        for headers in ({}, bearer("ts_0_0"), {"authorization": "Basic eDp5"}):
            sent = http.post("/v1/traces", content=otlp_body(), headers={**PROTOBUF, **headers})
            assert (sent.status_code, sent.headers["www-authenticate"]) == (401, "Bearer")
            assert http.post("/api/query", json=COUNT, headers=headers).status_code == 401
        assert http.get("/healthz").status_code == 200


def test_scopes_part_senders_from_readers(guarded: Server, ring: KeyRing) -> None:
    sender = bearer(ring.create("sender", ["ingest"])[1])
    reader = bearer(ring.create("reader", ["read"])[1])
    with httpx.Client(base_url=guarded.url) as http:
        # The server reads the keys anew once what it knows is too old.
        guarded.keys._forget()
        assert (
            http.post("/v1/traces", content=otlp_body(), headers={**PROTOBUF, **sender}).status_code
            == 200
        )
        assert (
            http.post("/v1/traces", content=otlp_body(), headers={**PROTOBUF, **reader}).status_code
            == 403
        )
        assert http.post("/api/query", json=COUNT, headers=sender).status_code == 403
        assert http.post("/api/query", json=COUNT, headers=reader).json()["rows"] == [[1]]


def test_a_bound_key_writes_and_reads_its_projects_only(guarded: Server, ring: KeyRing) -> None:
    admin = bearer(ring.create("all", ["admin"])[1])
    shop = bearer(ring.create("shop", ["ingest", "read"], ["shop"])[1])
    guarded.keys._forget()
    with httpx.Client(base_url=guarded.url) as http:

        def send(body: bytes, key: dict[str, str], project: str | None = None) -> int:
            route = {"x-tracestore-project": project} if project else {}
            return http.post(
                "/v1/traces", content=body, headers={**PROTOBUF, **key, **route}
            ).status_code

        assert send(otlp_body(number=1), shop) == 200
        assert send(otlp_body("shop", 2), shop) == 200
        assert send(otlp_body("bakery", 3), shop) == 403
        assert send(otlp_body(number=4), shop, "bakery") == 403
        assert send(otlp_body("bakery", 5), admin) == 200
        rows = (
            '{"trace_id":"'
            + "1" * 32
            + '","span_id":"'
            + "2" * 16
            + '","start_ns":1,"project":"bakery"}\n'
        )
        assert http.post("/api/import", content=rows, headers=shop).status_code == 403
        counted = {"sql": "SELECT project, count(*) AS n FROM spans GROUP BY ALL ORDER BY project"}
        assert http.post("/api/query", json=counted, headers=shop).json()["rows"] == [["shop", 2]]
        assert http.post("/api/query", json=counted, headers=admin).json()["rows"] == [
            ["bakery", 1],
            ["shop", 2],
        ]


def test_a_bound_key_cannot_hide_a_project_in_how_a_row_is_spelled(
    guarded: Server, ring: KeyRing
) -> None:
    shop = bearer(ring.create("shop", ["ingest"], ["shop"])[1])
    guarded.keys._forget()
    row = (
        '{"trace_id":"'
        + "1" * 32
        + '","span_id":"'
        + "2" * 16
        + '","start_ns":1,%s"project":"bakery"%s}\n'
    )
    spellings = [("\n", ""), ("\r", ""), ("", ',"metadata":{"a":' + "9" * 5000 + "}")]
    with httpx.Client(base_url=guarded.url) as http:
        for before, after in spellings:
            body = (row % (before, after)).encode()
            assert http.post("/api/import", content=body, headers=shop).status_code == 403
        body = (row % ("", ',"metadata":{"a":"?"}')).encode().replace(b"?", b"\xff")
        assert http.post("/api/import", content=body, headers=shop).status_code == 403
    assert guarded.store.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 0}]


def test_grpc_asks_for_the_same_keys(guarded: Server, ring: KeyRing) -> None:
    text = ring.create("agent", ["ingest"])[1]
    guarded.keys._forget()
    address = f"127.0.0.1:{guarded.grpc_port}"
    exporter = OTLPSpanExporter(
        endpoint=address, insecure=True, headers=(("authorization", f"Bearer {text}"),)
    )
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("t").start_as_current_span("allowed"):
        pass
    provider.shutdown()
    assert guarded.store.sql("SELECT name FROM spans").rows() == [{"name": "allowed"}]
    with grpc.insecure_channel(address) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        with pytest.raises(grpc.RpcError) as refused:
            export(otlp_body(), timeout=processes.HANG_S)
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_beyond_this_machine_a_server_wants_keys(folder: Path, ring: KeyRing) -> None:
    open_to_all = ServerSettings(data=folder, host="0.0.0.0", port=0, grpc_port=-1)
    with pytest.raises(OpenAddressError, match="tracestore keys create"):
        Server(open_to_all)
    ring.create("first", ["ingest"])
    with Server(open_to_all) as server:
        assert server.gate.closed


def test_counts_of_the_whole_store_are_for_a_key_of_all_projects(
    folder: Path, ring: KeyRing
) -> None:
    keys = {
        200: ring.create("scraper", ["read"])[1],
        403: ring.create("bound", ["read", "admin"], ["shop"])[1],
        401: "no key",
    }
    settings = ServerSettings(data=folder, port=0, grpc_port=-1, require_keys=True)
    with Server(settings) as server:
        for status, key in keys.items():
            headers = {"Authorization": f"Bearer {key}"}
            answer = httpx.get(f"{server.url}/metrics", headers=headers, timeout=processes.HANG_S)
            assert answer.status_code == status
            assert ("tracestore_segments" in answer.text) is (status == 200)
        assert httpx.get(f"{server.url}/readyz").json() == {"status": "ready"}


def test_metrics_over_grpc_need_a_key_like_the_rest(guarded: Server) -> None:
    path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    with grpc.insecure_channel(f"127.0.0.1:{guarded.grpc_port}") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(path)(b"", timeout=processes.HANG_S)
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


NAMED = '"project":"bakery"'
IDS = '"trace_id":"%032x","span_id":"%016x","start_ns":1'


@pytest.mark.parametrize(
    ("path", "body", "headers", "query"),
    [
        ("/v1/traces", otlp_body("bakery"), PROTOBUF, {}),
        ("/v1/traces", otlp_body(), {**PROTOBUF, "x-tracestore-project": "bakery"}, {}),
        ("/v1/traces", otlp_body(), {**PROTOBUF, "x-tracestore-project": "b%61kery"}, {}),
        ("/v1/traces", otlp_body(), {**PROTOBUF, "x-bt-parent": "project_name:bakery"}, {}),
        ("/api/import", f"{{{NAMED}}}", {}, {}),
        ("/api/import", f"{{{NAMED},{IDS % (1, 1)}}}", {}, {}),
        ("/api/import", f"{{}}\n{{{NAMED}}}", {}, {"project": "shop"}),
        ("/api/import", "{}", {}, {"project": "bakery"}),
        ("/api/import", f"{{{IDS % (1, 1)}}}", {}, {"project": "bakery"}),
        ("/api/import", f"{{{NAMED}}}", {}, {"table": "logs"}),
        ("/api/import", "{}", {}, {"table": "logs", "project": "bakery"}),
    ],
)
def test_a_bound_key_reaches_no_other_project_by_any_door(
    guarded: Server,
    ring: KeyRing,
    path: str,
    body: bytes | str,
    headers: dict[str, str],
    query: dict[str, str],
) -> None:
    shop = bearer(ring.create("shop", ["ingest"], ["shop"])[1])
    guarded.keys._forget()
    with httpx.Client(base_url=guarded.url) as http:
        refused = http.post(path, content=body, headers={**headers, **shop}, params=query)
    assert refused.status_code == 403
    for table in ("spans", "logs"):
        assert guarded.store.sql(f"SELECT count(*) AS n FROM {table}").rows() == [{"n": 0}]


def test_a_bound_key_reaches_no_other_project_over_grpc(guarded: Server, ring: KeyRing) -> None:
    key = ("authorization", f"Bearer {ring.create('shop', ['ingest'], ['shop'])[1]}")
    guarded.keys._forget()
    with grpc.insecure_channel(f"127.0.0.1:{guarded.grpc_port}") as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        for body, named in ((otlp_body("bakery"), "shop"), (otlp_body(), "bakery")):
            metadata = (key, ("x-tracestore-project", named))
            with pytest.raises(grpc.RpcError) as refused:
                export(body, metadata=metadata, timeout=processes.HANG_S)
            assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
        assert guarded.store.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 0}]
        export(otlp_body(), metadata=(key,), timeout=processes.HANG_S)
    assert guarded.store.sql("SELECT project FROM spans").rows() == [{"project": "shop"}]


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    "path", ["/otel/v1/traces", "/otel/v1/traces/", "/api/public/otel/v1/traces"]
)
def test_the_addresses_of_other_houses_take_spans_and_ask_for_keys(
    guarded: Server, ring: KeyRing, path: str
) -> None:
    secret = ring.create("sender", ["ingest"])[1]
    reader = ring.create("reader", ["read"])[1]
    with httpx.Client(base_url=guarded.url) as http:
        guarded.keys._forget()

        def send(headers: dict[str, str]) -> int:
            body = otlp_body()
            return http.post(path, content=body, headers={**PROTOBUF, **headers}).status_code

        for headers in ({}, basic("pk:"), basic(f"{secret}:x"), {"authorization": "Basic ?"}):
            assert send(headers) == 401
        assert send(basic(f"pk:{reader}")) == 403
        assert send(basic(f"pk:{secret}")) == 200
        assert send(bearer(secret)) == 200
        rows = http.post("/api/query", json=COUNT, headers=bearer(reader)).json()["rows"]
        assert rows[0][0] > 0
