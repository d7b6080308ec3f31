"""What programs ask of LiteLLM, however it is instrumented."""

import contextlib

import litellm
from common import ASKED, OPENAI_URL, TOOL

WAY = {"api_base": OPENAI_URL, "api_key": "none", "num_retries": 0}


def ask_all() -> None:
    """Calls the model once in each way: plain, as a stream, with a tool, embeddings, and in vain."""
    litellm.completion(model="openai/gpt-4o", messages=ASKED, user="u1", **WAY)
    options = {"include_usage": True}
    for _ in litellm.completion(
        model="openai/gpt-4o", messages=ASKED, stream=True, stream_options=options, **WAY
    ):
        pass
    tools = [{"type": "function", "function": TOOL}]
    litellm.completion(model="openai/gpt-4o", messages=ASKED, tools=tools, **WAY)
    litellm.embedding(model="openai/text-embedding-3-small", input=["late parcel"], **WAY)
    with contextlib.suppress(litellm.BadRequestError):
        litellm.completion(model="openai/broken-1", messages=ASKED, **WAY)
