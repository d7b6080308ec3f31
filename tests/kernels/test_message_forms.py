"""Messages of every instrumentation in one form: by example, as the twin says, and put back as they came."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import recordings
from kernels.convention_check import hold_against_twin
from kernels.span_rows import request_of, row

CALL: Final = {"id": "call_1", "function": {"name": "lookup_order", "arguments": {"order": 7}}}
WANTED: Final = [
    {"role": "system", "content": "You help."},
    {"role": "user", "content": "Where is it?"},
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": {"city": "Bonn"}},
]

OPENAI: Final[list[dict[str, Any]]] = [
    {"role": "system", "content": "You help."},
    {"role": "user", "content": "Where is it?"},
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "call_1", "function": {"name": "lookup_order", "arguments": '{"order": 7}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": '{"city": "Bonn"}'},
]
PARTS: Final = [
    {"role": "system", "parts": [{"type": "text", "content": "You help."}]},
    {"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]},
    {
        "role": "assistant",
        "parts": [
            {
                "type": "tool_call",
                "id": "call_1",
                "name": "lookup_order",
                "arguments": {"order": 7},
            }
        ],
    },
    {
        "role": "tool",
        "parts": [{"type": "tool_call_response", "id": "call_1", "response": {"city": "Bonn"}}],
    },
]
ANTHROPIC: Final = {
    "system": "You help.",
    "model": "claude",
    "messages": [
        {"role": "user", "content": "Where is it?"},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "call_1", "name": "lookup_order", "input": {"order": 7}}
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": '{"city": "Bonn"}'}
            ],
        },
    ],
}
RESPONSES: Final = {
    "instructions": "You help.",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Where is it?"}]},
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "lookup_order",
            "arguments": '{"order": 7}',
        },
        {"type": "function_call_output", "call_id": "call_1", "output": '{"city": "Bonn"}'},
    ],
}
LANGCHAIN: Final = {
    "messages": [
        [
            {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "schema", "messages", "SystemMessage"],
                "kwargs": {"content": "You help.", "type": "system"},
            },
            {"type": "human", "data": {"content": "Where is it?", "name": None, "id": "m1"}},
            {
                "type": "ai",
                "content": "",
                "tool_calls": [
                    {
                        "name": "lookup_order",
                        "args": {"order": 7},
                        "id": "call_1",
                        "type": "tool_call",
                    }
                ],
            },
            {"type": "tool", "content": '{"city": "Bonn"}', "tool_call_id": "call_1"},
        ]
    ]
}
VERCEL: Final = [
    {"role": "system", "content": "You help."},
    {"role": "user", "content": [{"type": "text", "text": "Where is it?"}]},
    {
        "role": "assistant",
        "content": [
            {
                "type": "tool-call",
                "toolCallId": "call_1",
                "toolName": "lookup_order",
                "input": {"order": 7},
            }
        ],
    },
    {
        "role": "tool",
        "content": [
            {
                "type": "tool-result",
                "toolCallId": "call_1",
                "output": {"type": "json", "value": {"city": "Bonn"}},
            }
        ],
    },
]
BEDROCK: Final = [
    {"role": "system", "content": '[{"text": "You help."}]'},
    {"role": "user", "content": '[{"text": "Where is it?"}]'},
    {
        "role": "assistant",
        "content": json.dumps(
            [{"toolUse": {"toolUseId": "call_1", "name": "lookup_order", "input": {"order": 7}}}]
        ),
    },
    {
        "role": "tool",
        "content": json.dumps(
            [{"toolResult": {"toolUseId": "call_1", "content": [{"json": {"city": "Bonn"}}]}}]
        ),
    },
]
GEMINI: Final = {
    "config": {"system_instruction": "You help."},
    "contents": [
        {"role": "user", "parts": [{"text": "Where is it?"}]},
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "call_1", "name": "lookup_order", "args": {"order": 7}}}
            ],
        },
        {
            "role": "function",
            "parts": [{"functionResponse": {"id": "call_1", "response": {"city": "Bonn"}}}],
        },
    ],
}

SPELLINGS: Final = {
    "openai": OPENAI,
    "parts": PARTS,
    "anthropic": ANTHROPIC,
    "responses": RESPONSES,
    "langchain": LANGCHAIN,
    "vercel": VERCEL,
    "bedrock": BEDROCK,
    "gemini": GEMINI,
}
LLM: Final = {"gen_ai.operation.name": "chat"}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("attribute", ["gen_ai.input.messages", "input.value", "mlflow.spanInputs"])
def test_every_spelling_is_one_form(spelling: str, attribute: str) -> None:
    text = json.dumps(SPELLINGS[spelling])
    assert row({**LLM, attribute: text})["input"] == WANTED
    hold_against_twin(request_of([*LLM.items(), (attribute, text)]))


def test_numbered_keys_are_the_same_form() -> None:
    keys = {"openinference.span.kind": "LLM"}
    for number, message in enumerate(OPENAI):
        start = f"llm.input_messages.{number}.message"
        for key, value in message.items():
            if key != "tool_calls":
                keys[f"{start}.{key}"] = value
    call = "llm.input_messages.2.message.tool_calls.0.tool_call"
    keys |= {f"{call}.id": "call_1", f"{call}.function.name": "lookup_order"}
    keys[f"{call}.function.arguments"] = '{"order": 7}'
    found = row(keys)
    assert found["input"] == WANTED
    assert "llm" not in json.dumps(found["attributes"])
    hold_against_twin(request_of(list(keys.items())))


def test_an_odd_key_leaves_the_others_their_array() -> None:
    odd = {
        "llm.input_messages.0.function.0": "x",
        "llm.input_messages.1.message.contents.0.tool_call.function.name": "search",
        "llm.input_messages.first": 1,
    }
    keys = {
        "openinference.span.kind": "LLM",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "Where is it?",
        **odd,
    }
    found = row(keys)
    assert found["input"] == [{"role": "user", "content": "Where is it?"}]
    assert odd.items() <= found["attributes"].items()
    hold_against_twin(request_of(list(keys.items())))


def test_a_call_of_which_only_its_type_is_told_is_none() -> None:
    parts = [{"type": "text", "text": "Let me look."}, {"type": "tool_use"}]
    message = {"role": "assistant", "content": parts, "tool_calls": [CALL]}
    text = json.dumps([message])
    found = row({**LLM, "output.value": text})
    assert found["output"] == [
        {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL]}
    ]
    hold_against_twin(request_of([*LLM.items(), ("output.value", text)]))


def test_complex_values_are_the_same_form() -> None:
    assert row({**LLM, "gen_ai.input.messages": PARTS})["input"] == WANTED
    hold_against_twin(request_of([*LLM.items(), ("gen_ai.input.messages", PARTS)]))


def test_an_answer_is_one_message() -> None:
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": "In Bonn."}}
    for answer in (
        {"choices": [choice], "usage": {"total_tokens": 30}},
        {"generations": [[{"text": "In Bonn.", "generation_info": {"finish_reason": "stop"}}]]},
        {"role": "assistant", "content": [{"type": "text", "text": "In Bonn."}], "model": "claude"},
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "In Bonn."}]}}]},
        {"output": [{"type": "message", "content": [{"type": "output_text", "text": "In Bonn."}]}]},
        "In Bonn.",
    ):
        value = answer if isinstance(answer, str) else json.dumps(answer)
        [message] = row({**LLM, "output.value": value})["output"]
        assert (message["role"], message["content"]) == ("assistant", "In Bonn.")
        hold_against_twin(request_of([*LLM.items(), ("output.value", value)]))


def test_a_call_alone_is_the_assistants() -> None:
    start = "gen_ai.completion.0.function_call"
    pairs = {
        **LLM,
        # LiteLLM's callback sends both; the message of the one says nothing.
        "gen_ai.output.messages": '[{"role": "assistant", "parts": []}]',
        f"{start}.name": "lookup_order",
        f"{start}.arguments": '{"order": 7}',
    }
    function = {"name": "lookup_order", "arguments": {"order": 7}}
    assert row(pairs)["output"] == [{"role": "assistant", "tool_calls": [{"function": function}]}]
    hold_against_twin(request_of(list(pairs.items())))


def test_text_beside_calls_keeps_both() -> None:
    calls = '[{"toolCallId": "call_1", "toolName": "lookup_order", "args": "{\\"order\\": 7}"}]'
    pairs = {"ai.operationId": "ai.generateText.doGenerate", "ai.response.text": "Let me look."}
    pairs["ai.response.toolCalls"] = calls
    found = row(pairs)
    assert found["output"] == [
        {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL]}
    ]
    empty = row({**pairs, "ai.response.text": ""})
    assert empty["output"] == [{"role": "assistant", "tool_calls": [CALL]}]
    hold_against_twin(request_of(list(pairs.items())))


def test_the_systems_words_come_first() -> None:
    words = json.dumps([{"type": "text", "content": "You help."}])
    for value in (words, "You help."):
        pairs = {**LLM, "gen_ai.system_instructions": value}
        pairs["gen_ai.input.messages"] = json.dumps(PARTS[1:])
        found = row(pairs)
        assert found["input"] == WANTED
        # What came stays as it came.
        assert found["attributes"]["gen_ai.input.messages"] == PARTS[1:]
        hold_against_twin(request_of(list(pairs.items())))
        # Said twice, they stand there once.
        assert row({**pairs, "gen_ai.input.messages": json.dumps(PARTS)})["input"] == WANTED
        assert row({**LLM, "gen_ai.system_instructions": value})["input"] == WANTED[:1]


def test_images_are_addresses() -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    for part in (
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "uri", "uri": url, "modality": "image"},
        {"type": "blob", "content": "iVBORw0KGgo=", "mime_type": "image/png"},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": url[22:]},
        },
        {"type": "image", "image": {"image": {"url": url}}},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
    ):
        text = json.dumps([{"role": "user", "content": [{"type": "text", "text": "What?"}, part]}])
        [message] = row({**LLM, "input.value": text})["input"]
        assert message["content"] == [
            {"type": "text", "text": "What?"},
            {"type": "image", "url": url},
        ]
        hold_against_twin(request_of([*LLM.items(), ("input.value", text)]))


def test_of_other_spans_lists_of_messages_alone_are_read() -> None:
    state = {"messages": [{"type": "human", "content": "Where?", "id": "m1"}], "step": 1}
    found = row({"openinference.span.kind": "CHAIN", "input.value": json.dumps(state)})
    assert found["input"] == {"messages": [{"role": "user", "content": "Where?"}], "step": 1}
    plain = {"prompt": "x", "content": "y"}
    assert (
        row({"openinference.span.kind": "CHAIN", "input.value": json.dumps(plain)})["input"]
        == plain
    )
    assert row({"openinference.span.kind": "CHAIN", "output.value": "yes"})["output"] == "yes"


def test_messages_are_found_inside_of_a_nodes_update() -> None:
    messages = [{"type": "ai", "data": {"content": "To Bonn.", "additional_kwargs": {}}}]
    wanted = [{"role": "assistant", "content": "To Bonn."}]
    for value, form in (
        (
            [{"graph": None, "update": {"messages": messages}, "goto": []}],
            [{"graph": None, "update": {"messages": wanted}, "goto": []}],
        ),
        ({"output": {"messages": messages}}, {"output": {"messages": wanted}}),
    ):
        pairs = {"openinference.span.kind": "CHAIN", "output.value": json.dumps(value)}
        found = row(pairs)
        assert found["output"] == form
        assert found["attributes"]["output.value"] == value
        hold_against_twin(request_of(list(pairs.items())))
    # A value without any is what it was, however deep.
    plain = [{"update": {"messages": "none", "other": [[[[1]]]]}}]
    pairs = {"openinference.span.kind": "CHAIN", "output.value": json.dumps(plain)}
    assert row(pairs)["output"] == plain


def test_a_role_and_a_text_are_a_message() -> None:
    state = {"messages": [["system", "You help."], ["human", "Where?"]]}
    pairs = {"openinference.span.kind": "CHAIN", "input.value": json.dumps(state)}
    said = [
        {"role": "system", "content": "You help."},
        {"role": "user", "content": "Where?"},
    ]
    assert row(pairs)["input"] == {"messages": said}
    hold_against_twin(request_of(list(pairs.items())))
    other = {"messages": [["late", "lost"]]}
    pairs["input.value"] = json.dumps(other)
    assert row(pairs)["input"] == other


def test_what_is_embedded_is_texts() -> None:
    kind = {"gen_ai.operation.name": "embeddings"}
    texts = ["late", "lost"]
    parts = [{"role": "user", "parts": [{"type": "text", "content": each}]} for each in texts]
    plain = [{"role": "user", "content": each} for each in texts]
    for name, messages in (
        ("gen_ai.input.messages", parts),
        ("gen_ai.input.messages", plain),
        ("input.value", [{"content": each} for each in texts]),
    ):
        pairs = {**kind, name: json.dumps(messages)}
        assert row(pairs)["input"] == texts
        hold_against_twin(request_of(list(pairs.items())))
    asked = [*plain, {"role": "assistant", "content": "What?"}]
    assert row({**kind, "gen_ai.input.messages": json.dumps(asked)})["input"] == asked


def test_what_embedding_gave_is_its_vectors() -> None:
    start = "embedding.embeddings.0.embedding"
    keys = {"openinference.span.kind": "EMBEDDING", f"{start}.text": "late"}
    found = row({**keys, f"{start}.vector": [0.5, 1.0]})
    assert found["output"] == [{"text": "late", "vector": [0.5, 1.0]}]
    assert "attributes" not in found or "embedding.embeddings" not in found["attributes"]
    vercel = {
        "ai.operationId": "ai.embedMany.doEmbed",
        "ai.values": ['"late"', '"lost"', "no JSON"],
        "ai.embeddings": ["[0.5,1]", "[2]"],
    }
    found = row(vercel)
    assert (found["input"], found["output"]) == (["late", "lost", "no JSON"], [[0.5, 1], [2]])
    assert found["attributes"]["ai.embeddings"] == ["[0.5,1]", "[2]"]
    hold_against_twin(request_of(list(vercel.items())))
    assert row({"ai.operationId": "ai.embed.doEmbed", "ai.embedding": "[0.5]"})["output"] == [0.5]


def test_a_stream_that_two_spans_tell_is_one_call() -> None:
    asked = {"messages": [{"role": "user", "content": "Where?"}], "model": "m"}
    began = {**LLM, "logfire.span_type": "span", "request_data": json.dumps(asked)}
    assert row(began)["type"] == "task"
    assert row(began, status=(2, "refused"))["type"] == "llm"
    answer = {"message": {"role": "assistant", "content": "To Bonn."}}
    assert row({**began, "response_data": json.dumps(answer)})["type"] == "llm"
    assert row({**began, "gen_ai.usage.output_tokens": 3})["type"] == "llm"
    assert row({**LLM, "request_data": json.dumps(asked)})["type"] == "llm"
    hold_against_twin(request_of(list(began.items())))


def test_the_message_around_a_tools_result_is_taken_off() -> None:
    for message in (
        {"type": "tool", "data": {"content": '{"city": "Bonn"}', "tool_call_id": "call_1"}},
        {"output": {"type": "tool", "content": '{"city": "Bonn"}', "tool_call_id": "call_1"}},
    ):
        pairs = {"openinference.span.kind": "TOOL", "output.value": json.dumps(message)}
        assert row(pairs)["output"] == {"city": "Bonn"}
        hold_against_twin(request_of(list(pairs.items())))


def test_documents_are_one_form() -> None:
    wanted = [{"content": "To Bonn.", "metadata": {"source": "faq"}}]
    given_ = {"documents": [{"page_content": "To Bonn.", "metadata": {"source": "faq"}}]}
    kind = {"openinference.span.kind": "RETRIEVER"}
    found = row(
        {**kind, "output.value": json.dumps(given_), "input.value": '{"query": "late", "k": 2}'}
    )
    assert (found["input"], found["output"]) == ("late", wanted)
    start = "retrieval.documents.0.document"
    keys = {**kind, f"{start}.content": "To Bonn.", f"{start}.metadata": '{"source": "faq"}'}
    assert row(keys)["output"] == wanted
    hold_against_twin(request_of(list(keys.items())))


def test_what_is_no_message_stays_as_it_is() -> None:
    value: Any
    for value in ([1, 2], [{"a": 1}], {"city": "Bonn"}, [], {}, ["x", {"role": 5}], [[]], [None]):
        text = json.dumps(value)
        assert row({**LLM, "output.value": text})["output"] == value
        hold_against_twin(request_of([*LLM.items(), ("output.value", text)]))


# --- drawn ------------------------------------------------------------------------------------------------

WORDS = ["text", "tool_call", "tool_call_response", "tool_use", "reasoning", "image_url", "message"]
ROLES = ["user", "assistant", "system", "tool", "human", "ai", "function", "other", ""]
KEYS = [
    *("role", "type", "content", "contents", "parts", "message", "data", "kwargs", "tool_calls"),
    *("function_call", "function", "id", "call_id", "tool_call_id", "name", "arguments", "args"),
    *("response", "result", "output", "input", "text", "value", "reasoning", "image_url", "url"),
    *("finish_reason", "messages", "choices", "prompt", "system", "odd", "lc", "mime_type"),
    *("documents", "page_content", "metadata", "query", "toolUse", "toolResult"),
]
SCALARS = st.one_of(
    st.sampled_from([*ROLES, *WORDS, "hi", '{"a": 1}', "[1]", '[{"text": "x"}]', "null", "5"]),
    st.none(),
    st.integers(-5, 5),
    st.booleans(),
)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)


def _typed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects that begin as messages and parts do."""
    return st.one_of(
        st.tuples(st.sampled_from(ROLES), _objects(inner)).map(lambda p: {"role": p[0], **p[1]}),
        st.tuples(st.sampled_from(WORDS), _objects(inner)).map(lambda p: {"type": p[0], **p[1]}),
    )


PAYLOADS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), _objects(inner), _typed(inner)),
    max_leaves=12,
)
KINDS = ["LLM", "TOOL", "CHAIN", "RETRIEVER", "EMBEDDING"]


@given(
    kind=st.sampled_from(KINDS),
    messages=st.lists(st.one_of(_typed(PAYLOADS), PAYLOADS), max_size=3),
    whole=PAYLOADS,
    system=st.one_of(st.none(), PAYLOADS),
    as_text=st.booleans(),
)
def test_any_payload_has_the_twins_form(
    kind: str, messages: list[Any], whole: Any, system: Any, as_text: bool
) -> None:
    pairs: list[tuple[str, Any]] = [("openinference.span.kind", kind)]
    for name, value in (("input.value", messages), ("output.value", whole)):
        pairs.append((name, json.dumps(value) if as_text or value is None else value))
    if system is not None:
        pairs.append(("gen_ai.system_instructions", json.dumps(system)))
    hold_against_twin(request_of(pairs))


@pytest.mark.parametrize("recording", recordings.NAMES)
def test_recorded_spans_have_the_twins_form(recording: str) -> None:
    hold_against_twin(recordings.traces(recording))
