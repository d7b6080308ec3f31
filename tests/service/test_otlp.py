"""What OTLP clients rely on: every span arrives once, and a refusal says whether to send again."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
import zstandard
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import Status, StatusCode
from opentelemetry.util.types import AttributeValue

import tracestore
from tracestore.server import Server

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}

Make = Callable[[Server], SpanExporter]
EXPORTERS: dict[str, Make] = {
    "http": lambda server: HttpExporter(endpoint=f"{server.url}/v1/traces"),
    "http gzip": lambda server: HttpExporter(
        endpoint=f"{server.url}/v1/traces", compression=Compression.Gzip
    ),
    "http deflate": lambda server: HttpExporter(
        endpoint=f"{server.url}/v1/traces", compression=Compression.Deflate
    ),
    "grpc": lambda server: GrpcExporter(endpoint=f"127.0.0.1:{server.grpc_port}", insecure=True),
    "grpc gzip": lambda server: GrpcExporter(
        endpoint=f"127.0.0.1:{server.grpc_port}", insecure=True, compression=grpc.Compression.Gzip
    ),
}


def sql(http: httpx.Client, text: str, **params: Any) -> list[dict[str, Any]]:
    answer = http.post("/api/query", json={"sql": text, "params": params or None})
    assert answer.status_code == 200, answer.text
    names = [column["name"] for column in answer.json()["columns"]]
    return [dict(zip(names, row, strict=True)) for row in answer.json()["rows"]]


def one_span(**fields: Any) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id = bytes(range(1, 17))
    span.span_id = bytes(range(1, 9))
    span.name = "work"
    span.start_time_unix_nano = 1_700_000_000_000_000_000
    span.end_time_unix_nano = 1_700_000_000_500_000_000
    for name, value in fields.items():
        setattr(span, name, value)
    return request


@pytest.mark.parametrize("make", EXPORTERS.values(), ids=EXPORTERS.keys())
def test_every_span_of_the_sdk_arrives_once_with_every_attribute(
    server: Server, http: httpx.Client, make: Make
) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(make(server)))
    tracer = provider.get_tracer("tests", "1.0")
    attributes: dict[str, AttributeValue] = {
        "s": "text",
        "i": 7,
        "f": 0.5,
        "b": True,
        "list": ["x", "y"],
        "numbers": [1, 2],
    }
    with (
        tracer.start_as_current_span("root", attributes=attributes),
        tracer.start_as_current_span("child") as child,
    ):
        child.record_exception(ValueError("no stock"))
        child.set_status(Status(StatusCode.ERROR, "no stock"))
    provider.shutdown()
    rows = sql(
        http, "SELECT name, is_root, service, status_code, attributes FROM spans ORDER BY name"
    )
    assert [row["name"] for row in rows] == ["child", "root"]
    child_row, root = rows
    assert (root["is_root"], child_row["is_root"]) == (True, False)
    assert {root["service"], child_row["service"]} == {"shop"}
    assert child_row["status_code"] == "ERROR"
    assert root["attributes"] == attributes
    found = sql(http, "SELECT events[0].name AS name FROM spans WHERE name = 'child'")
    assert found == [{"name": "exception"}]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress)],
)
def test_compressed_bodies_are_read(
    http: httpx.Client, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    body = compress(one_span().SerializeToString())
    answer = http.post(
        "/v1/traces", content=body, headers={**PROTOBUF, "content-encoding": encoding}
    )
    assert (answer.status_code, answer.content) == (200, b"")
    assert sql(http, "SELECT count(*) AS n FROM spans") == [{"n": 1}]


def test_an_answer_has_the_content_type_of_its_request(http: httpx.Client) -> None:
    for headers, body in ((PROTOBUF, b""), (JSON, b"{}")):
        answer = http.post("/v1/traces", content=body, headers=headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == headers["content-type"]


def test_a_bad_span_is_refused_alone_by_partial_success(http: httpx.Client) -> None:
    request = one_span()
    request.resource_spans[0].scope_spans[0].spans.add(name="no ids")
    answer = http.post("/v1/traces", content=request.SerializeToString(), headers=PROTOBUF)
    assert answer.status_code == 200
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_spans == 1
    assert "trace_id" in partial.error_message
    assert sql(http, "SELECT name FROM spans") == [{"name": "work"}]


def test_an_identical_re_send_is_stored_once(http: httpx.Client) -> None:
    body = one_span().SerializeToString()
    for _ in range(3):
        assert http.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200
    assert sql(http, "SELECT count(*) AS n FROM spans") == [{"n": 1}]


def test_headers_name_project_and_experiment(http: httpx.Client) -> None:
    routes = (
        ({"x-tracestore-project": "shop"}, ("shop", None)),
        ({"x-tracestore-project": "shop", "x-tracestore-experiment": "run%201"}, ("shop", "run 1")),
        ({"x-bt-parent": "project_name:bakery"}, ("bakery", None)),
        ({"x-bt-parent": "experiment_name:e"}, ("default", "e")),
    )
    for number, (headers, _) in enumerate(routes, start=1):
        body = one_span(span_id=bytes([number] * 8)).SerializeToString()
        assert (
            http.post("/v1/traces", content=body, headers={**PROTOBUF, **headers}).status_code
            == 200
        )
    rows = sql(http, "SELECT project, experiment FROM spans ORDER BY span_id")
    assert [(row["project"], row["experiment"]) for row in rows] == [route for _, route in routes]


def test_metrics_are_answered_so_that_nobody_retries(http: httpx.Client) -> None:
    answer = http.post("/v1/metrics", content=b"{}", headers=JSON)
    assert answer.status_code == 200
    assert "not stored" in answer.json()["partialSuccess"]["errorMessage"]


def test_logs_are_stored(http: httpx.Client) -> None:
    record = {"timeUnixNano": "1", "body": {"stringValue": "hello"}}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    assert http.post("/v1/logs", content=json.dumps(logs), headers=JSON).status_code == 200
    assert sql(http, "SELECT body FROM logs") == [{"body": "hello"}]


def test_a_store_that_was_stopped_has_what_was_acknowledged(
    server: Server, http: httpx.Client
) -> None:
    for number in range(1, 40):
        body = one_span(span_id=number.to_bytes(8, "big")).SerializeToString()
        assert http.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200
    folder = server.settings.data
    server.stop()
    with tracestore.open(folder) as store:
        assert store.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 39}]
