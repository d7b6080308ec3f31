"""Messages of log records are the input and output of their span, whichever comes first, in every state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import tracestore
from data import payloads, recordings
from data.stores import STATES, in_state
from tracestore import Store

START_NS: Final = 1_790_000_000_000_000_000
CALL: Final = {"id": "call_1", "function": {"name": "lookup_order", "arguments": '{"order": 7}'}}
EVENTS: Final[list[tuple[str, Any]]] = [
    ("gen_ai.system.message", {"content": "You help."}),
    ("gen_ai.user.message", {"content": "Where is it?"}),
    ("gen_ai.assistant.message", {"tool_calls": [CALL]}),
    ("gen_ai.tool.message", {"content": '{"city": "Bonn"}', "id": "call_1"}),
    (
        "gen_ai.choice",
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Bonn"}},
    ),
]
INPUT: Final = [
    {"role": "system", "content": "You help."},
    {"role": "user", "content": "Where is it?"},
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "call_1", "function": {"name": "lookup_order", "arguments": {"order": 7}}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": {"city": "Bonn"}},
]
OUTPUT: Final = [{"role": "assistant", "content": "Bonn", "finish_reason": "stop"}]


def spans(**attributes: Any) -> bytes:
    message = ExportTraceServiceRequest()
    span = (
        message.resource_spans.add()
        .scope_spans.add()
        .spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="chat")
    )
    span.start_time_unix_nano, span.end_time_unix_nano = START_NS, START_NS + 1
    span.attributes.extend(payloads.key_values({"gen_ai.operation.name": "chat", **attributes}))
    body: bytes = message.SerializeToString()
    return body


def logs(events: list[tuple[str, Any]], *, as_text: bool = False, first: int = 0) -> bytes:
    message = ExportLogsServiceRequest()
    scope = message.resource_logs.add().scope_logs.add()
    for number, (name, body) in enumerate(events, first):
        record = scope.log_records.add(trace_id=b"t" * 16, span_id=b"s" * 8)
        record.time_unix_nano = START_NS + number
        value: Any = json.dumps(body) if as_text else body
        if as_text:
            record.attributes.extend(payloads.key_values({"event.name": name}))
        else:
            record.event_name = name
        record.body.CopyFrom(payloads.key_values({"body": value})[0].value)
    encoded: bytes = message.SerializeToString()
    return encoded


def said(store: Store) -> tuple[Any, Any]:
    [row] = store.sql("SELECT input, output FROM spans").rows()
    return row["input"], row["output"]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("logs_first", [True, False])
@pytest.mark.parametrize("as_text", [True, False])
def test_whichever_comes_first(tmp_path: Path, state: str, logs_first: bool, as_text: bool) -> None:
    with tracestore.open(tmp_path / "store", background=False) as store:
        writes: list[Callable[[], object]] = [
            lambda: store.ingest_otlp(spans(), "traces"),
            lambda: store.ingest_otlp(logs(EVENTS, as_text=as_text), "logs"),
        ]
        in_state(store, state, writes[::-1] if logs_first else writes)
        assert said(store) == (INPUT, OUTPUT)
        [found] = store.sql("SELECT count(*) AS n FROM spans WHERE input[0].role = 'system'").rows()
        assert found["n"] == 1
        assert store.sql("SELECT count(*) AS n FROM logs").rows() == [{"n": 5}]
        store.flush()
        store.compact(full=True)
        assert said(store) == (INPUT, OUTPUT)
        [row] = store.sql("SELECT input_key FROM spans").rows()
        assert row["input_key"] is not None


def test_it_survives_a_restart_and_parts_are_joined(tmp_path: Path) -> None:
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.ingest_otlp(logs(EVENTS[2:], first=2), "logs")
        store.ingest_otlp(spans(), "traces")
    with tracestore.open(tmp_path / "store", background=False) as store:
        for _ in range(2):
            # Sent again, as after an answer that was lost.
            store.ingest_otlp(logs(EVENTS[:2]), "logs")
        assert said(store) == (INPUT, OUTPUT)


def test_what_the_span_says_itself_counts(tmp_path: Path) -> None:
    own = {"gen_ai.input.messages": '[{"role": "user", "content": "mine"}]'}
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.ingest_otlp(logs(EVENTS), "logs")
        store.ingest_otlp(spans(**own), "traces")
        assert said(store) == ([{"role": "user", "content": "mine"}], OUTPUT)


def test_records_without_content_say_nothing(tmp_path: Path) -> None:
    empty = [
        ("gen_ai.user.message", {}),
        ("gen_ai.tool.message", {"id": "call_1"}),
        ("gen_ai.choice", {"index": 0, "message": {"role": "assistant"}}),
        ("other", {"content": "x"}),
    ]
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.ingest_otlp(logs(empty), "logs")
        store.ingest_otlp(spans(), "traces")
        assert said(store) == (None, None)


def test_one_event_may_have_all_messages(tmp_path: Path) -> None:
    message = ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add()
    record.trace_id, record.span_id = b"t" * 16, b"s" * 8
    record.event_name = "gen_ai.client.inference.operation.details"
    parts = [{"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]}]
    attributes = {
        "gen_ai.system_instructions": [{"type": "text", "content": "You help."}],
        "gen_ai.input.messages": parts,
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": [{"type": "text", "content": "Bonn"}]}]
        ),
    }
    record.attributes.extend(payloads.key_values(attributes))
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.ingest_otlp(message.SerializeToString(), "logs")
        store.ingest_otlp(spans(), "traces")
        assert said(store) == (INPUT[:2], [{"role": "assistant", "content": "Bonn"}])


@pytest.mark.parametrize("name", ["otel-openai-v2", "semantic-kernel", "agent-framework"])
def test_recorded_calls_have_what_their_logs_say(tmp_path: Path, name: str) -> None:
    with tracestore.open(tmp_path / "store", background=False) as store:
        recordings.replay(store, name)
        rows = store.sql(
            "SELECT input, output FROM spans WHERE type = 'llm' AND status_code != 'ERROR'"
        ).rows()
        assert rows
        for row in rows:
            assert {message["role"] for message in row["input"]} >= {"user"}
            assert row["output"][-1]["role"] == "assistant"
        assert any(row["input"][0]["role"] == "system" for row in rows)
