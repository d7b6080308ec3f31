"""Messages whose content is in parts, as OpenInference reports them, come out as a conversation in chat exports."""

from __future__ import annotations

import json
from pathlib import Path

import tracestore
from tracestore.exports.chat_lines import chat_line

MESSAGE = "llm.input_messages.0.message"
ATTRIBUTES = {
    "openinference.span.kind": "LLM",
    f"{MESSAGE}.role": "user",
    f"{MESSAGE}.contents.0.message_content.type": "text",
    f"{MESSAGE}.contents.0.message_content.text": "what is this?",
    f"{MESSAGE}.contents.1.message_content.type": "image",
    f"{MESSAGE}.contents.1.message_content.image.image.url": "https://example.com/cat.png",
    f"{MESSAGE}.contents.2.message_content.type": "text",
    f"{MESSAGE}.contents.2.message_content.text": "in a word",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "a cat",
}


def test_contents_in_parts_are_a_conversation(tmp_path: Path) -> None:
    span = {
        "traceId": "1" * 32,
        "spanId": "2" * 16,
        "name": "chat",
        "startTimeUnixNano": "1790000000000000000",
        "attributes": [
            {"key": key, "value": {"stringValue": value}} for key, value in ATTRIBUTES.items()
        ],
    }
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.ingest_otlp(body, "traces", "application/json")
        (row,) = store.sql("SELECT input, output FROM spans").rows()
    line = chat_line(row)
    assert line is not None
    assert json.loads(line) == {
        "messages": [
            {"role": "user", "content": "what is this?\nin a word"},
            {"role": "assistant", "content": "a cat"},
        ]
    }
