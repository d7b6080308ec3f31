"""What programs ask of Anthropic's client, however it is instrumented."""

import contextlib

import anthropic
from common import MODELS_URL, ORDER, QUESTION, SYSTEM, TOOL, lookup_order

MODEL = "claude-sonnet-4-5"
ASKED = {"max_tokens": 100, "system": SYSTEM}
USER = {"role": "user", "content": QUESTION}
GIVEN = [{"name": TOOL["name"], "description": TOOL["description"], "input_schema": ORDER}]


def ask_all() -> None:
    """Calls the model once in each way: plain, as a stream, with a tool, and in vain."""
    with anthropic.Anthropic(base_url=MODELS_URL, api_key="none", max_retries=0) as client:
        client.messages.create(model=MODEL, messages=[USER], **ASKED)
        with client.messages.stream(model=MODEL, messages=[USER], **ASKED) as stream:
            stream.get_final_message()
        tools(client)
        with contextlib.suppress(anthropic.BadRequestError):
            client.messages.create(model="broken-1", messages=[USER], **ASKED)


def tools(client: anthropic.Anthropic) -> None:
    first = client.messages.create(model=MODEL, messages=[USER], tools=GIVEN, **ASKED)
    [call] = first.content
    result = str(lookup_order(**call.input))
    said = [
        USER,
        {"role": "assistant", "content": [call.to_dict()]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call.id, "content": result}],
        },
    ]
    client.messages.create(model=MODEL, messages=said, tools=GIVEN, **ASKED)
