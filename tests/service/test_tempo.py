"""Grafana's Tempo data source gets from `/tempo` what Tempo gives: exchanges by Grafana's versions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from data import processes
from tracestore.server import Server, ServerSettings

EXCHANGES = json.loads((Path(__file__).parent / "tempo_exchanges.json").read_text())
OTLP = EXCHANGES["sent"]
TRACE_ID = OTLP["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
PROTOBUF = {"Accept": "application/protobuf"}


@pytest.fixture(scope="module", params=[False, True], ids=["one process", "engine process"])
def http(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("tempo") / "store"
    settings = ServerSettings(data=folder, port=0, grpc_port=-1, engine_process=request.param)
    with (
        Server(settings) as server,
        httpx.Client(base_url=server.url, timeout=processes.HANG_S) as client,
    ):
        assert client.post("/v1/traces", json=OTLP).status_code == 200
        yield client


@pytest.mark.parametrize(
    "exchange", EXCHANGES["exchanges"], ids=lambda each: f"{each['grafana']}: {each['request']}"
)
def test_an_exchange_is_as_it_was_written(http: httpx.Client, exchange: dict[str, Any]) -> None:
    answer = http.get(exchange["request"])
    assert answer.status_code == exchange.get("status", 200), answer.text
    if "answer" in exchange:
        assert answer.json() == exchange["answer"]
    if "text" in exchange:
        assert answer.text == exchange["text"]


def test_a_trace_comes_as_protobuf_and_as_the_same_json(http: httpx.Client) -> None:
    answer = http.get(f"/tempo/api/traces/{TRACE_ID}", headers=PROTOBUF)
    assert answer.headers["content-type"] == "application/protobuf"
    trace = TracesData.FromString(answer.content)
    document = http.get(f"/tempo/api/traces/{TRACE_ID}").json()
    sent = {span["spanId"]: span for span in _spans(document)}
    assert {span.span_id.hex() for span in _messages(trace)} == sent.keys()
    for span in _messages(trace):
        other = sent[span.span_id.hex()]
        assert span.trace_id.hex() == other["traceId"] and span.name == other["name"]
        assert span.parent_span_id.hex() == other["parentSpanId"]
        assert str(span.end_time_unix_nano) == other["endTimeUnixNano"]
        assert [MessageToDict(each) for each in span.attributes] == other["attributes"]
        assert [each.name for each in span.events] == [each["name"] for each in other["events"]]


def test_the_second_version_has_the_trace_in_its_first_field(http: httpx.Client) -> None:
    plain = http.get(f"/tempo/api/traces/{TRACE_ID}", headers=PROTOBUF).content
    enveloped = http.get(f"/tempo/api/v2/traces/{TRACE_ID}", headers=PROTOBUF).content
    head = enveloped[: len(enveloped) - len(plain)]
    assert enveloped.endswith(plain) and head[0] == 0x0A
    length = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(head[1:]))
    assert length == len(plain)


def test_requests_are_counted_by_their_route(http: httpx.Client) -> None:
    for path in (
        "/tempo/api/search",
        "/tempo/api/v2/search/tag/name/values",
        "/jaeger/api/v3/services",
    ):
        assert http.get(path).status_code == 200
    counted = http.get("/metrics").text
    for route in (
        "/tempo/api/search",
        "/tempo/api/v2/search/tag/{tag:path}/values",
        "/jaeger/api/v3/services",
    ):
        assert f'route="{route}"' in counted


def _spans(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            yield from scope["spans"]


def _messages(trace: TracesData) -> Iterator[Any]:
    for resource in trace.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans
