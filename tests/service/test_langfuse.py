"""Langfuse's SDKs work with nothing changed but the URL: spans, scores and keys."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from data import payloads
from tracestore.server import Server
from tracestore.serving.other_doors import with_bearer

TRACE, ROOT, CALL = "ab" * 16, "cd" * 8, "ef" * 8


def send_spans(http: httpx.Client) -> None:
    request = payloads.request("traces", 1, rows=2)
    spans = [
        span
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    for span, span_id, parent in zip(spans, (ROOT, CALL), (b"", bytes.fromhex(ROOT)), strict=True):
        span.trace_id, span.span_id = bytes.fromhex(TRACE), bytes.fromhex(span_id)
        span.parent_span_id = parent
    answer = http.post(
        "/api/public/otel/v1/traces",
        content=request.SerializeToString(),
        headers={"content-type": "application/x-protobuf", "x-tracestore-project": "default"},
    )
    assert answer.status_code == 200


def scored(http: httpx.Client) -> dict[str, Any]:
    sql = "SELECT span_id, scores, metadata.verdict AS verdict FROM spans WHERE trace_id = $t"
    answer = http.post("/api/query", json={"sql": sql, "params": {"t": TRACE}}).json()
    rows = {row[0]: row[1:] for row in answer["rows"]}
    return {
        span_id: {**(json.loads(scores) if isinstance(scores, str) else scores or {}), "v": verdict}
        for span_id, (scores, verdict) in rows.items()
    }


def event(number: int, body: dict[str, Any], kind: str = "score-create") -> dict[str, Any]:
    return {"id": f"e{number}", "type": kind, "timestamp": "2026-11-27T00:00:00Z", "body": body}


def test_scores_of_an_observation_and_of_a_trace(http: httpx.Client) -> None:
    send_spans(http)
    for body in (
        {"traceId": TRACE, "observationId": CALL, "name": "exact", "value": 0.5, "id": "s1"},
        {"traceId": TRACE, "name": "helpful", "value": 1, "dataType": "BOOLEAN", "comment": "ok"},
        {"traceId": TRACE, "name": "verdict", "value": "good", "dataType": "CATEGORICAL"},
    ):
        answer = http.post("/api/public/scores", json=body)
        assert (answer.status_code, answer.json()) == (200, {"id": body.get("id")})
    found = scored(http)
    assert found[CALL]["exact"] == 0.5
    assert (found[ROOT]["helpful"], found[ROOT]["v"]) == (1, "good")


def test_a_list_of_scores_is_answered_as_a_whole(http: httpx.Client) -> None:
    send_spans(http)
    good = {"traceId": TRACE, "observationId": CALL, "name": "exact", "value": 1, "id": "s1"}
    answer = http.post("/api/public/scores", json=[good])
    assert (answer.status_code, answer.json()) == (202, {"message": "Accepted"})
    answer = http.post("/api/public/scores", json=[good, {"id": "s2", "name": "x"}])
    assert answer.status_code == 207
    [error] = answer.json()["errors"]
    assert (error["index"], error["id"]) == (1, "s2")
    assert "traceId" in error["message"]


def test_a_batch_answers_event_by_event(http: httpx.Client) -> None:
    send_spans(http)
    batch = [
        event(0, {"traceId": TRACE, "observationId": CALL, "name": "exact", "value": 1}),
        event(1, {"traceId": "00" * 16, "name": "exact", "value": 1}),
        event(2, {"traceId": TRACE, "name": "exact"}),
        event(3, {"id": "x"}, "generation-create"),
        event(4, {}, "sdk-log"),
    ]
    answer = http.post("/api/public/ingestion", json={"batch": batch, "metadata": {"n": 1}})
    assert answer.status_code == 207
    body = answer.json()
    assert [each["id"] for each in body["successes"]] == ["e0", "e4"]
    messages = {each["id"]: each["message"] for each in body["errors"]}
    assert "root span has not come" in messages["e1"]
    assert "value" in messages["e2"]
    assert "version 3 or later" in messages["e3"]
    assert scored(http)[CALL]["exact"] == 1


def test_the_sdk_itself(server: Server, http: httpx.Client, monkeypatch: Any) -> None:
    langfuse = pytest.importorskip("langfuse")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "false")
    client = langfuse.Langfuse(public_key="pk-x", secret_key="sk-x", host=server.url)
    try:
        messages = [{"role": "user", "content": "Where is it?"}]
        with client.start_as_current_observation(
            as_type="generation", name="chat", model="gpt-4o", input=messages
        ) as generation:
            generation.update(
                output="In Bonn.", usage_details={"input": 10, "output": 5, "total": 15}
            )
            generation.score(name="exact", value=1.0)
        client.flush()
    finally:
        client.shutdown()
    sql = "SELECT type, input, output, metadata.model AS model, metrics.tokens AS tokens, scores FROM spans"
    [row] = http.post("/api/query", json={"sql": sql}).json()["rows"]
    assert row[0] == "llm"
    assert row[1] == messages
    assert row[2] == [{"role": "assistant", "content": "In Bonn."}]
    assert (row[3], row[4]) == ("gpt-4o", 15)
    assert row[5]["exact"] == 1.0


def test_a_pair_of_keys_counts_by_its_secret() -> None:
    token = base64.b64encode(b"pk:sk").decode()
    assert with_bearer([(b"authorization", f"Basic {token}".encode())]) == [
        (b"authorization", b"Bearer sk")
    ]
