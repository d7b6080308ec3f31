"""OTLP as JSON by other names than today's is refused with the right name, and never taken for an empty request."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

SPAN = {
    "traceId": "1" * 32,
    "spanId": "1" * 16,
    "name": "s",
    "startTimeUnixNano": "1764000000000000000",
}


@pytest.mark.parametrize(
    ("signal", "body", "wanted"),
    [
        ("traces", {"resource_spans": [{"scope_spans": [{"spans": [SPAN]}]}]}, "resourceSpans"),
        ("traces", {"resourceSpans": [{"scope_spans": [{"spans": [SPAN]}]}]}, "scopeSpans"),
        (
            "traces",
            {"resourceSpans": [{"instrumentationLibrarySpans": [{"spans": [SPAN]}]}]},
            "scopeSpans",
        ),
        ("logs", {"resource_logs": [{"scope_logs": [{"log_records": [{}]}]}]}, "resourceLogs"),
        (
            "logs",
            {"resourceLogs": [{"instrumentationLibraryLogs": [{"logRecords": [{}]}]}]},
            "scopeLogs",
        ),
    ],
)
def test_other_names_are_refused(
    http: httpx.Client, signal: str, body: dict[str, object], wanted: str
) -> None:
    answer = http.post(f"/v1/{signal}", json=body)
    assert answer.status_code == 400
    assert f'OTLP as JSON has "{wanted}"' in answer.json()["message"]


def test_requests_without_rows_and_with_such_text_are_taken(http: httpx.Client) -> None:
    text = {
        "key": "note",
        "value": {"stringValue": '"resource_spans" "instrumentationLibrarySpans"'},
    }
    named = {"resourceSpans": [{"scopeSpans": [{"spans": [{**SPAN, "attributes": [text]}]}]}]}
    bodies: list[dict[str, Any]] = [
        {},
        {"resourceSpans": []},
        {"resourceSpans": [{"scopeSpans": []}]},
        named,
    ]
    for body in bodies:
        assert http.post("/v1/traces", json=body).status_code == 200
    count = http.post("/api/query", json={"sql": "SELECT count(*) FROM spans"}).json()["rows"]
    assert count == [[1]]
