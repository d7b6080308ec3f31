"""Attributes of every convention land in the same columns, are stored once, and come back as they came."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from data import payloads, shared
from kernels import reference_otlp
from kernels.convention_check import FIELDS, hold_against_twin
from kernels.span_rows import request_of, row, shred, spans_of
from tracestore.errors import PayloadError
from tracestore.variant import Shredder, unshred
from tracestore.variant import conventions as table

# --- each convention, by example -----------------------------------------------------------------------

CHAT = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
REPLY = [{"role": "assistant", "parts": [{"type": "text", "content": "yes"}]}]
# The same in the one form.
ASKED = [{"role": "user", "content": "hi"}]
SAID = [{"role": "assistant", "content": "yes"}]


def test_genai_conventions() -> None:
    found = row(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.input.messages": json.dumps(CHAT),
            "gen_ai.output.messages": json.dumps(REPLY),
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 5,
            "gen_ai.conversation.id": "c1",
        }
    )
    assert (found["type"], found["input"], found["output"]) == ("llm", ASKED, SAID)
    assert found["metrics"] == {"prompt_tokens": 10, "completion_tokens": 5, "tokens": 15}
    assert found["metadata"] == {"model": "gpt-4o", "provider": "openai", "session_id": "c1"}
    assert "gen_ai.input.messages" not in found["attributes"]


def test_messages_may_be_structured() -> None:
    found = row({"gen_ai.input.messages": CHAT})
    assert found["input"] == ASKED
    assert found["attributes"]["gen_ai.input.messages"] == CHAT
    plain = row({"gen_ai.input.messages": ASKED})
    assert plain["input"] == ASKED
    assert json.loads(plain["moved_attributes"]) == {"gen_ai.input.messages": ["input", "value"]}


def test_older_genai_conventions() -> None:
    found = row(
        {
            "gen_ai.system": "anthropic",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "hi",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.tool_calls.0.name": "search",
            "gen_ai.usage.prompt_tokens": 3,
            "gen_ai.usage.completion_tokens": 4,
            "llm.usage.total_tokens": 7,
            "traceloop.span.kind": "task",
        }
    )
    assert found["input"] == [{"role": "user", "content": "hi"}]
    assert found["output"] == [
        {"role": "assistant", "tool_calls": [{"function": {"name": "search"}}]}
    ]
    # A task repeats what the calls below it report.
    assert found["metrics"] == {
        "aggregated": {"prompt_tokens": 3, "completion_tokens": 4, "tokens": 7}
    }


def test_messages_as_events() -> None:
    found = row(
        {"gen_ai.operation.name": "chat"},
        [
            ("gen_ai.system.message", {"content": "be kind"}),
            ("gen_ai.user.message", {"content": "hi"}),
            ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": "yes"}),
        ],
    )
    assert found["input"] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hi"},
    ]
    assert found["output"] == [{"role": "assistant", "content": "yes", "finish_reason": "stop"}]
    assert len(found["events"]) == 3
    details = row(
        {}, [("gen_ai.client.inference.operation.details", {"gen_ai.input.messages": CHAT})]
    )
    assert details["input"] == ASKED
    content = row({}, [("gen_ai.content.prompt", {"gen_ai.prompt": '["hi"]'})])
    assert content["input"] == ["hi"]


def test_openinference() -> None:
    found = row(
        {
            "openinference.span.kind": "LLM",
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "hi",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
            "llm.tools.0.tool.json_schema": "{}",
            "input.value": '{"messages": []}',
            "llm.model_name": "gpt-4o",
            "llm.token_count.prompt": 3,
            "llm.token_count.completion": 2,
            "llm.token_count.prompt_details.cache_read": 1,
            "metadata": '{"team": "x"}',
            "tag.tags": ["a", "b"],
            "session.id": "s",
            "user.id": "u",
        }
    )
    assert found["input"] == ASKED
    assert found["output"] == [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]
    assert found["attributes"]["llm.tools"] == [{"json_schema": "{}"}]
    assert found["attributes"]["input.value"] == '{"messages": []}'
    assert found["metrics"] == {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "prompt_cached_tokens": 1,
        "tokens": 5,
    }
    assert found["metadata"] == {
        "team": "x",
        "model": "gpt-4o",
        "session_id": "s",
        "user_id": "u",
    }
    assert found["tags"] == ["a", "b"]


def test_retrieved_documents_are_the_output() -> None:
    found = row(
        {
            "openinference.span.kind": "RETRIEVER",
            "input.value": "late parcel",
            "retrieval.documents.0.document.id": "d1",
            "retrieval.documents.0.document.score": 0.5,
            "retrieval.documents.1.document.id": "d2",
        }
    )
    assert (found["type"], found["input"]) == ("retriever", "late parcel")
    assert found["output"] == [{"id": "d1", "score": 0.5}, {"id": "d2"}]


def test_vercel_ai() -> None:
    step = row(
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.prompt.messages": '[{"role":"user","content":"hi"}]',
            "ai.response.text": "yes",
            "ai.usage.promptTokens": 2,
            "ai.usage.completionTokens": 3,
            "ai.response.msToFirstChunk": 250.0,
            "ai.model.id": "gpt-4o",
            "ai.telemetry.metadata.userId": "u",
            "ai.telemetry.metadata.plan": "pro",
        }
    )
    assert (step["type"], step["output"]) == ("llm", SAID)
    assert step["metrics"] == {
        "prompt_tokens": 2,
        "completion_tokens": 3,
        "tokens": 5,
        "time_to_first_token": 0.25,
    }
    assert step["metadata"] == {"model": "gpt-4o", "user_id": "u", "userId": "u", "plan": "pro"}
    whole = row({"ai.operationId": "ai.generateText", "ai.usage.promptTokens": 2})
    assert whole["type"] == "chain"
    assert whole["metrics"] == {"aggregated": {"prompt_tokens": 2, "tokens": 2}}


def test_pydantic_ai() -> None:
    agent = row(
        {
            "gen_ai.operation.name": "invoke_agent",
            "pydantic_ai.all_messages": json.dumps(CHAT + REPLY),
            "final_result": "yes",
            "gen_ai.aggregated_usage.input_tokens": 40,
            "logfire.tags": ["a"],
        }
    )
    assert (agent["type"], agent["input"], agent["output"]) == ("agent", ASKED + SAID, "yes")
    assert agent["metrics"] == {"aggregated": {"prompt_tokens": 40}}
    assert agent["tags"] == ["a"]
    tool = row(
        {
            "gen_ai.operation.name": "execute_tool",
            "tool_arguments": '{"x":1}',
            "tool_response": "ok",
        }
    )
    assert (tool["type"], tool["input"], tool["output"]) == ("tool", {"x": 1}, "ok")


@pytest.mark.parametrize("house", ["braintrust", "tracestore"])
def test_braintrust_and_our_own(house: str) -> None:
    json_ = "_json" if house == "braintrust" else ""
    found = row(
        {
            f"{house}.input{json_}": '{"q": "x"}',
            f"{house}.output{json_}": '"yes"',
            f"{house}.expected{json_}": "4",
            f"{house}.scores": '{"exact": 0.5}',
            f"{house}.metrics": '{"tokens": 3}',
            f"{house}.metadata": '{"model": "m", "k": null}',
            f"{house}.tags": '["a"]',
            "gen_ai.usage.input_tokens": 7,
            "gen_ai.request.model": "other",
        }
    )
    assert (found["input"], found["output"], found["expected"]) == ({"q": "x"}, "yes", 4)
    assert found["scores"] == {"exact": 0.5}
    assert found["metrics"] == {"tokens": 3, "prompt_tokens": 7}
    assert found["metadata"] == {"model": "m", "k": None}
    assert found["tags"] == ["a"]


def test_a_type_inside_json() -> None:
    text = '{"name": "judge", "type": "score", "purpose": "scorer"}'
    assert row({"braintrust.span_attributes": text})["type"] == "score"
    for bad in ("", "{", "[]", '{"type": 5}', '{"type": "sc\\u006fre"}'):
        assert row({"braintrust.span_attributes": bad}).get("type") is None


def test_evaluations_are_scores() -> None:
    attributes = {"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.5}
    assert row(attributes)["scores"] == {"relevance": 0.5}
    assert row({}, [("gen_ai.evaluation.result", attributes)])["scores"] == {"relevance": 0.5}
    assert "scores" not in row({"gen_ai.evaluation.name": "relevance"})


def test_errors_come_from_exceptions_and_status() -> None:
    event = ("exception", {"exception.type": "ValueError", "exception.message": "no"})
    assert row({}, [event])["error"] == {"type": "ValueError", "message": "no"}
    assert row({"error.type": "timeout"}, status=(2, "late"))["error"] == {
        "type": "timeout",
        "message": "late",
    }
    assert "error" not in row({}, status=(1, "late"))


def test_other_spans_are_left_alone() -> None:
    found = row({"http.request.method": "GET", "db.system": "x", "gen_ai.prompt.": 1})
    assert not {*FIELDS, "moved_attributes", "input_key"} - {"attributes"} & set(found)


# --- rules ---------------------------------------------------------------------------------------------


def test_the_first_of_the_table_wins_and_the_others_stay() -> None:
    found = row({"input.value": "b", "gen_ai.input.messages": "[1]", "traceloop.entity.input": "c"})
    assert found["input"] == [1]
    assert found["attributes"] == {"input.value": "b", "traceloop.entity.input": "c"}


def test_text_that_is_no_json_stays_text() -> None:
    for text in ("[1", '{"a":1} x', "plain", "", "[" * 2000):
        found = row({"gen_ai.input.messages": text, "b": 1})
        assert found["input"] == text
        assert json.loads(found["moved_attributes"]) == {
            "gen_ai.input.messages": ["input", "value"]
        }


@pytest.mark.parametrize(
    "keys",
    [
        ["llm.tools.0"],
        ["llm.tools.0.tool"],
        ["llm.tools.0.other.x"],
        ["llm.tools.0.tool.a", "llm.tools.0.tool.a.b"],
        ["llm.tools.0.tool.0.x"],
        ["llm.tools.x.tool.a"],
        ["llm.tools.01.tool.a"],
        ["llm.tools.99.tool.a"],
        ["gen_ai.prompt.0.a.0.b", "gen_ai.prompt.0.a.x"],
        ["gen_ai.prompt.0." + ".".join("a" * 40)],
        ["llm.tools.99999999999.tool.a"],
    ],
)
def test_keys_that_make_no_array_stay_as_they_came(keys: list[str]) -> None:
    found = row(dict.fromkeys(keys, 1))
    assert found["attributes"] == dict.fromkeys(keys, 1)
    assert found.get("moved_attributes") is None


def test_holes_are_null_and_order_is_by_number() -> None:
    keys = ["gen_ai.prompt.10.c", "gen_ai.prompt.2.c", "gen_ai.prompt.1.c"]
    items = [None, {"c": 2}, {"c": 1}, *[None] * 7, {"c": 0}]
    assert row({key: i for i, key in enumerate(keys)})["input"] == items


def test_an_array_makes_way_for_an_attribute_of_its_name() -> None:
    attributes = {"llm.tools": "x", "llm.tools.0.tool.a": 1}
    assert row(attributes)["attributes"] == attributes


def test_attributes_that_come_again_and_again_cost_no_memory() -> None:
    request = request_of([])
    span = spans_of(request)[0]
    one = payloads.key_values({"input.value": "x"})[0]
    other = payloads.key_values({"gen_ai.prompt": "y"})[0]
    numbered = payloads.key_values({"llm.tools.0.tool.name": "z"})[0]
    for _ in range(50_000):
        span.attributes.extend((one, other, numbered, numbered))
    table_ = shred(request)
    found = json.loads(unshred(table_))
    assert (found["input"], found["attributes"]["gen_ai.prompt"]) == ("x", "y")
    assert found["attributes"]["llm.tools"] == [{"name": "z"}]
    # Beyond the bound of numbered keys of one span, they stay as they came.
    assert found["attributes"]["llm.tools.0.tool.name"] == "z"


def test_a_rejected_span_leaves_nothing() -> None:
    request = request_of([("gen_ai.input.messages", "[1]"), ("gen_ai.request.model", "m")])
    spans_of(request)[0].trace_id = b""
    good = request.resource_spans[0].scope_spans[0].spans.add()
    good.CopyFrom(spans_of(request_of([("a", 1)]))[0])
    shredder = Shredder("spans", conventions=True)
    report = shredder.append_otlp(request.SerializeToString())
    assert (report.rows, report.rejected_rows) == (1, 1)
    found = json.loads(unshred(shredder.finish()))
    assert not {"input", "metadata", "moved_attributes"} & set(found)


def test_without_conventions_spans_are_as_they_came() -> None:
    request = request_of([("gen_ai.input.messages", "[1]")])
    shredder = Shredder("spans")
    shredder.append_otlp(request.SerializeToString())
    found = json.loads(unshred(shredder.finish()))
    assert found["attributes"] == {"gen_ai.input.messages": "[1]"}
    assert "input" not in found


# --- against the twin ----------------------------------------------------------------------------------

NAMES = sorted(
    {
        *(name for names in table.MOVED.values() for name in names if "*" not in name),
        *(name for names in table.PARSED.values() for name in names),
        *(name for names in table.USAGE.values() for name in names),
        *(name for names in table.AGGREGATED.values() for name in names),
        *(name for names in table.METRICS.values() for name in names),
        *(name for names in table.METADATA.values() for name in names),
        *table.TYPES,
        *table.EVALUATION,
        *table.ERROR_TYPE,
        *table.ERROR_MESSAGE,
        *table.OBJECTS,
        *(f"{prefix}rest" for prefix in table.METADATA_PREFIXES),
        *("a", "gen_ai.", "llm.tools", "llm.input_messages", "gen_ai.prompt.x"),
    }
)
PREFIXES = [
    name.removesuffix("*")
    for names in (*table.MOVED.values(), table.NESTED)
    for name in names
    if name.endswith("*")
]
PARTS = st.sampled_from(
    ["0", "1", "2", "7", "00", "40", "a", "b", "", *table.WRAPPED, *set(table.WRAPPED.values())]
)
WORDS = sorted({word for words in table.TYPES.values() for word in words})
VALUES = st.one_of(
    st.sampled_from(
        ["", "x", "{}", "[]", '{"a":1}', '{"a":{}}', '[{"b":[1,2.5]}]', ' {"a": null}', "[1,", "5"]
    ),
    st.sampled_from(
        ['{"aggregated":1}', '{"model":"m","tokens":2}', '"q"', '{"type":"tool"}', "{"]
    ),
    st.sampled_from(WORDS),
    st.sampled_from(
        [
            "120",
            " 3.0 ",
            "1e3",
            "n/a",
            '"7"',
            "null",
            '""',
            "openai.chat",
            "2026-01-01T00:00:00Z",
            "a, b,",
        ]
    ),
    st.sampled_from(
        [
            '{"input": 5, "output": 5, "total": 30, "input_cache_read": 16, "output_reasoning": 4}',
            '{"prompt_tokens": 21, "prompt_tokens_details": {"cached_tokens": "16"}, "total": 1.5}',
            '{"total_cost": 0.5, "model": "m", "ls_provider": "x.chat", "message": "no", "input": 0.1}',
        ]
    ),
    st.sampled_from([{"input": 3, "a": {"b": 1}}, {"input_tokens_details": {"cached_tokens": 2}}]),
    st.integers(-5, 2**62),
    st.floats(),
    st.booleans(),
    st.none(),
    st.lists(st.sampled_from(["a", "b"]), max_size=2),
    st.sampled_from([{}, {"a": 1}, {"model": {"x": 2}}, [{"a": 1}, 2], [[1], []], [None], b"x"]),
)


@st.composite
def numbered_names(draw: st.DrawFn) -> str:
    prefix = draw(st.sampled_from(PREFIXES))
    word = table.WRAPPED.get(prefix[:-1].rpartition(".")[2])
    first = draw(st.sampled_from(["0", "1", "2"]))
    usual = [first, word] if word and prefix.startswith(table.WRAPPED_ROOTS) else [first]
    parts = draw(st.lists(PARTS, min_size=1, max_size=3))
    if draw(st.booleans()):
        return prefix + ".".join([*usual, *parts])
    return prefix + ".".join(parts)


PAIRS = st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), numbered_names()), VALUES), max_size=9)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("exception", "gen_ai.user.message", "gen_ai.choice", "gen_ai.content.prompt"),
                *("other", "gen_ai.evaluation.result", "ai.stream.firstChunk"),
            ]
        ),
        st.dictionaries(
            st.sampled_from(
                [
                    "exception.type",
                    "exception.message",
                    "content",
                    "role",
                    "gen_ai.prompt",
                    "gen_ai.input.messages",
                    "gen_ai.request.model",
                    *table.EVALUATION,
                ]
            ),
            VALUES,
            max_size=3,
        ),
    ),
    max_size=3,
)


@given(
    spans=st.lists(
        st.tuples(PAIRS, EVENTS, st.tuples(st.integers(0, 2), st.sampled_from(["", "bad"]))),
        min_size=1,
        max_size=3,
    )
)
def test_any_span_has_the_twins_columns(spans: list[Any]) -> None:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for pairs, events, status in spans:
        scope.spans.add().CopyFrom(spans_of(request_of(pairs, events, status))[0])
    hold_against_twin(request)


@pytest.mark.parametrize("name", ["replay-pydantic-ai", "replay-otel-python-contrib"])
def test_recorded_spans_have_the_twins_columns(name: str) -> None:
    bodies = list(shared.requests(shared.require("otlp", name, "traces.pbs.zst")))
    whole = ExportTraceServiceRequest()
    for body in bodies[::3]:
        whole.MergeFromString(body)
    hold_against_twin(whole)


def test_both_encodings_give_equal_tables() -> None:
    pairs = [
        ("gen_ai.input.messages", '[{"role":"user"}]'),
        ("llm.tools.0.tool.name", "x"),
        ("gen_ai.usage.input_tokens", 3),
        ("braintrust.tags", ["a"]),
    ]
    request = request_of(pairs, [("exception", {"exception.type": "E"})], (2, "bad"))
    tables = []
    for content_type, body in (
        ("application/x-protobuf", request.SerializeToString()),
        ("application/json", reference_otlp.encode_json(request)),
    ):
        shredder = Shredder("spans", conventions=True)
        shredder.append_otlp(body, content_type=content_type)
        tables.append(shredder.finish())
    assert tables[0].equals(tables[1])


def test_damaged_requests_give_rows_or_typed_errors() -> None:
    rng = random.Random(5)
    pairs: list[tuple[str, Any]] = [
        ("gen_ai.input.messages", '[{"role":"user","content":"hi"}]'),
        ("llm.input_messages.0.message.role", "user"),
        ("llm.input_messages.3.message.tool_calls.0.tool_call.id", "x"),
        ("llm.tools.0.tool.name", [1.5, 2.5]),
        ("braintrust.span_attributes", '{"type":"llm"}'),
        ("braintrust.metadata", '{"a":{"b":[1]}}'),
        ("ai.telemetry.metadata.x", True),
        ("gen_ai.usage.input_tokens", 3),
    ]
    events: list[tuple[str, dict[str, Any]]] = [
        ("exception", {"exception.type": "E"}),
        ("gen_ai.choice", {"message": {"a": 1}}),
    ]
    body = request_of(pairs, events, (2, "bad")).SerializeToString()
    damaged = [body[:end] for end in range(len(body))]
    for _ in range(2000):
        flipped = bytearray(body)
        for _ in range(rng.choice([1, 1, 2, 8])):
            flipped[rng.randrange(len(flipped))] = rng.randrange(256)
        damaged.append(bytes(flipped))
    shredder = Shredder("spans", conventions=True)
    for each in damaged:
        try:
            shredder.append_otlp(each)
        except PayloadError:
            continue
    unshred(shredder.finish())
