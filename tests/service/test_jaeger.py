"""Jaeger's pages and Grafana's data source get from `/jaeger` what Jaeger gives: exchanges of both versions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from data import processes
from tracestore.server import Server, ServerSettings

EXCHANGES = json.loads((Path(__file__).parent / "jaeger_exchanges.json").read_text())
OTLP = EXCHANGES["sent"]


@pytest.fixture(scope="module", params=[False, True], ids=["one process", "engine process"])
def http(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("jaeger") / "store"
    settings = ServerSettings(data=folder, port=0, grpc_port=-1, engine_process=request.param)
    with (
        Server(settings) as server,
        httpx.Client(base_url=server.url, timeout=processes.HANG_S) as client,
    ):
        assert client.post("/v1/traces", json=OTLP).status_code == 200
        yield client


@pytest.mark.parametrize("exchange", EXCHANGES["exchanges"], ids=lambda each: each["request"])
def test_an_exchange_is_as_it_was_written(http: httpx.Client, exchange: dict[str, Any]) -> None:
    answer = http.get(exchange["request"])
    assert answer.status_code == exchange.get("status", 200), answer.text
    if "answer" in exchange:
        assert answer.json() == exchange["answer"]


def test_otlp_comes_back_as_it_was_sent(http: httpx.Client) -> None:
    trace_id = OTLP["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
    document = http.get(f"/jaeger/api/v3/traces/{trace_id}").json()["result"]
    sent = [span for span in _spans(OTLP) if span[2]["traceId"] == trace_id]
    assert _spans(document) == sent


def _spans(document: dict[str, Any]) -> list[Any]:
    """Returns the spans with their resource, in order; what is empty does not count."""
    found = []
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                fields = {name: value for name, value in span.items() if value not in ("", [], {})}
                for name in ("attributes", "events"):
                    if name in fields:
                        fields[name] = sorted(fields[name], key=lambda each: each.get("key", ""))
                found.append((fields["spanId"], _sorted(resource["resource"]), fields))
    return sorted(found, key=lambda each: each[0])


def _sorted(resource: dict[str, Any]) -> list[Any]:
    return sorted(resource["attributes"], key=lambda each: each["key"])
