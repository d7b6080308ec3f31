"""Counts, costs, errors, scores and metadata, in the forms that instrumentations send them in."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from kernels.span_rows import row
from tracestore.variant import conventions as table


def test_an_error_is_what_the_status_says() -> None:
    event = ("exception", {"exception.type": "ValueError", "exception.message": "no"})
    assert "error" not in row({"error.type": "x"}, [event], status=(1, ""))
    http = {"http.response.status_code": 404}
    assert row(http, status=(2, ""))["error"] == {"type": "404", "message": "HTTP 404"}
    assert row(http, status=(2, "gone"))["error"] == {"type": "404", "message": "gone"}
    assert "error" not in row(http)
    assert row({"error": '{"message":"no","data":1}'})["error"] == {"message": "no"}


def counts(attributes: dict[str, Any]) -> Any:
    return row({"gen_ai.operation.name": "chat", **attributes}).get("metrics")


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        ({"input_tokens": "120", "output_tokens": " 30 "}, (120, 30, 150)),
        ({"input_tokens": 120.0, "output_tokens": 30}, (120, 30, 150)),
        ({"input_tokens": None, "prompt_tokens": 50, "output_tokens": 7}, (50, 7, 57)),
        ({"input_tokens": "n/a", "prompt_tokens": 50, "output_tokens": 7}, (50, 7, 57)),
        ({"input_tokens": math.nan, "prompt_tokens": -1, "output_tokens": 7}, (None, 7, 7)),
        ({"input_tokens": 21, "output_tokens": 5, "total_tokens": 30}, (21, 9, 30)),
    ],
)
def test_an_unusable_count_hides_no_other(attributes: dict[str, Any], wanted: Any) -> None:
    found = counts({f"gen_ai.usage.{name}": value for name, value in attributes.items()})
    names = ("prompt_tokens", "completion_tokens", "tokens")
    assert tuple(found.get(name) for name in names) == wanted


USAGE = {
    "prompt_tokens": 21,
    "completion_tokens": 9,
    "tokens": 30,
    "prompt_cached_tokens": 16,
    "completion_reasoning_tokens": 4,
}


@pytest.mark.parametrize("name", [name for name, kind in table.OBJECTS.items() if kind == "usage"])
@pytest.mark.parametrize(
    "usage",
    [
        {"input": 5, "output": 5, "total": 30, "input_cache_read": 16, "output_reasoning": 4},
        {
            "prompt_tokens": 21,
            "completion_tokens": 9,
            "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 16},
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
        {
            "input_tokens": 21,
            "output_tokens": 9,
            "input_tokens_details": {"cached_tokens": 16},
            "output_tokens_details": {"reasoning_tokens": 4},
        },
    ],
)
def test_usage_as_one_object(name: str, usage: dict[str, Any]) -> None:
    assert counts({name: json.dumps(usage)}) == USAGE
    assert counts({name: usage}) == USAGE
    # What an attribute of its own says goes before.
    assert counts({name: usage, "gen_ai.usage.input_tokens": 22})["prompt_tokens"] == 22


def test_costs_and_models_inside_json() -> None:
    langfuse = row({"langfuse.observation.cost_details": '{"input": 0.1, "total": 0.3}'})
    assert langfuse["metrics"] == {"estimated_cost": 0.3}
    mlflow = row({"mlflow.llm.model": '"gpt-4o"', "mlflow.llm.cost": {"total_cost": 1}})
    assert (mlflow["metadata"], mlflow["metrics"]) == ({"model": "gpt-4o"}, {"estimated_cost": 1})
    failed = row({"llm.invocation_parameters": '{"model": "m"}', "llm.provider": "openai.chat"})
    assert failed["metadata"] == {"model": "m", "provider": "openai"}
    asked = row({"mlflow.spanInputs": '{"model": "m", "messages": []}'})
    assert (asked["metadata"], asked["input"]["model"]) == ({"model": "m"}, "m")
    assert row({"llm.provider": "aws.bedrock"})["metadata"] == {"provider": "aws.bedrock"}


def test_time_to_first_token_in_seconds() -> None:
    def seconds(attributes: dict[str, Any]) -> Any:
        return row(attributes)["metrics"]["time_to_first_token"]

    assert seconds({"gen_ai.server.time_to_first_token": 1601}) == 1.601
    assert seconds({"gen_ai.server.time_to_first_token": 0.25}) == 0.25
    # The span began one nanosecond after 1970.
    time = '"1970-01-01T00:00:02.000000001Z"'
    assert seconds({"langfuse.observation.completion_start_time": time}) == 2.0


def test_several_evaluations_are_several_scores() -> None:
    name, value = table.EVALUATION
    events = [
        ("gen_ai.evaluation.result", {name: word, value: score})
        for word, score in (("relevance", 0.5), ("tone", 1))
    ]
    assert row({}, events)["scores"] == {"relevance": 0.5, "tone": 1}


def test_what_langsmith_and_langfuse_add() -> None:
    smith = row(
        {
            "langsmith.span.kind": "retriever",
            "gen_ai.operation.name": "embeddings",
            "langsmith.span.tags": "b, seq:step:1",
            "langsmith.metadata.plan": "gold",
            "langsmith.metadata.path": '["a", 0]',
        }
    )
    assert (smith["type"], smith["tags"]) == ("retriever", ["b", "seq:step:1"])
    assert smith["metadata"] == {"plan": "gold", "path": ["a", 0]}
    fuse = row({"langfuse.trace.metadata.plan": '"gold"', "langfuse.observation.metadata.n": "1"})
    assert fuse["metadata"] == {"plan": "gold", "n": 1}


def test_an_empty_payload_hides_no_other() -> None:
    empties: list[Any] = ["", "null", "[]", " {} ", None, []]
    for empty in empties:
        found = row({"gen_ai.input.messages": empty, "input.value": "hi"})
        assert found["input"] == "hi"
        assert found["attributes"]["gen_ai.input.messages"] == empty


def test_messages_of_roles_alone_hide_no_payload() -> None:
    found = row(
        {
            "openinference.span.kind": "CHAIN",
            "llm.input_messages.0.message.role": "user",
            "input.value": '{"messages": [{"role": "user", "content": "Where?"}]}',
        }
    )
    assert found["input"] == {"messages": [{"role": "user", "content": "Where?"}]}
    assert found["attributes"]["llm.input_messages"] == [{"role": "user"}]
    assert row({"llm.input_messages.0.message.role": "user"})["input"] == [{"role": "user"}]
