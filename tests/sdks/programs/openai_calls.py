"""What programs ask of OpenAI's client, however it is instrumented."""

import contextlib
import json

import openai
from common import ASKED, OPENAI_URL, QUESTION, TOOL, lookup_order


def ask_all(*, with_responses: bool = True) -> None:
    """Calls the model once in each way: plain, as a stream, with a tool, Responses, embeddings, and in vain."""
    with openai.OpenAI(base_url=OPENAI_URL, api_key="none", max_retries=0) as client:
        plain(client)
        stream(client)
        tools(client)
        if with_responses:
            responses(client)
        client.embeddings.create(model="text-embedding-3-small", input=["late parcel"])
        with contextlib.suppress(openai.BadRequestError):
            client.chat.completions.create(model="broken-1", messages=ASKED)


def plain(client: openai.OpenAI) -> None:
    client.chat.completions.create(model="gpt-4o", messages=ASKED)


def stream(client: openai.OpenAI) -> None:
    chunks = client.chat.completions.create(
        model="gpt-4o", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    for _ in chunks:
        pass


def tools(client: openai.OpenAI) -> None:
    given = [{"type": "function", "function": TOOL}]
    first = client.chat.completions.create(model="gpt-4o", messages=ASKED, tools=given)
    [call] = first.choices[0].message.tool_calls
    result = json.dumps(lookup_order(**json.loads(call.function.arguments)))
    called = {
        "role": "assistant",
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
        ],
    }
    said = [*ASKED, called, {"role": "tool", "tool_call_id": call.id, "content": result}]
    client.chat.completions.create(model="gpt-4o", messages=said, tools=given)


def responses(client: openai.OpenAI) -> None:
    client.responses.create(model="gpt-5", instructions=ASKED[0]["content"], input=QUESTION)
