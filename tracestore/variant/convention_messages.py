"""How instrumentations spell a message, and the one form that `input` and `output` have.

A message is `{"role": …, "content": …}`, and its calls are in it: `"tool_calls": [{"id": …, "function": {"name": …,
"arguments": …}}]`. The result of one is a message of role `tool` whose `tool_call_id` is the call's.
`docs/guide/conventions.md` says it in words. What stands in no list below stays in its message under its own name.
"""

from __future__ import annotations

from typing import Final

from tracestore.variant.convention_payloads import MOVED

MEMBERS_OF_MESSAGES: Final[dict[str, tuple[str, ...]]] = {
    "role": ("role",),
    "type": ("type",),
    "content": ("content",),
    "contents": ("contents",),
    "parts": ("parts",),
    "inner": ("message", "data", "kwargs", "delta"),
    "calls": ("tool_calls",),
    "call": ("function_call", "functionCall", "toolUse", "tool_call"),
    "answer": ("functionResponse", "function_response", "toolResult"),
    "function": ("function",),
    "id": ("id",),
    "call_id": ("tool_call_id", "toolCallId", "call_id", "tool_use_id", "toolUseId"),
    "name": ("name", "toolName", "tool_name"),
    "arguments": ("arguments", "args", "input"),
    "result": ("response", "result", "output"),
    "text": ("text",),
    "value": ("value", "json"),
    "reasoning": ("reasoning", "reasoning_content", "thinking", "summary"),
    "image": ("image_url", "image", "source", "inline_data", "inlineData", "uri", "url"),
    "media_type": ("media_type", "mime_type", "mimeType", "mediaType"),
    "finish_reason": ("finish_reason", "finishReason", "stop_reason"),
    "messages": ("messages",),
    "choices": ("choices", "generations", "candidates"),
    "prompt": ("prompt", "prompts"),
    "system": ("system", "instructions", "system_instruction", "systemInstruction"),
    "config": ("config",),
    "documents": ("documents", "retrieved_documents"),
    "page": ("page_content",),
    "metadata": ("metadata",),
    "question": ("query", "texts"),
    "dropped": (
        "additional_kwargs",
        "response_metadata",
        "usage_metadata",
        "invalid_tool_calls",
        "tool_call_chunks",
        "generation_info",
        "chunk_position",
        "lc",
        "event.name",
        "gen_ai.system",
        "gen_ai.message.index",
        "index",
        "logprobs",
    ),
}
"""What a member of a message, of one of its parts, or of a request or an answer around messages means, by its names."""

ROLES: Final[dict[str, tuple[str, ...]]] = {
    "system": ("system", "developer", "SystemMessage", "SystemMessageChunk"),
    "user": ("user", "human", "HumanMessage", "HumanMessageChunk"),
    # OpenLLMetry's word for a message of LangChain's that was streamed is the last one.
    "assistant": ("assistant", "ai", "model", "AIMessage", "AIMessageChunk", "unknown"),
    "tool": ("tool", "function", "ToolMessage", "ToolMessageChunk", "FunctionMessage"),
}
"""Roles by the words for them; any other role stays as it is."""

PARTS: Final[dict[str, tuple[str, ...]]] = {
    "text": ("text", "input_text", "output_text"),
    "call": ("tool_call", "tool_use", "tool-call", "function_call", "server_tool_use"),
    "result": ("tool_result", "tool-result", "tool_call_response", "function_call_output"),
    "reasoning": ("reasoning", "thinking"),
    "image": ("image", "image_url", "input_image", "uri", "blob"),
    "message": ("message",),
}
"""What a part of a message is, by the word at its `type`."""

_PLAIN: Final = (
    "tracestore.",
    "gen_ai.tool.",
    "gen_ai.retrieval.query",
    "reranker.query",
    "embedding.",
)
_ALONE: Final = ("tool_arguments", "tool_response", "ai.toolCall.args", "ai.toolCall.result")

MESSAGES: Final = tuple(
    name
    for column in ("input", "output")
    for name in MOVED[column]
    if not name.startswith(_PLAIN) and name not in _ALONE
)
"""Payloads that may be messages: all but what an application said of itself, and what only tools send."""

TEXTS_OF_JSON: Final = ("ai.values", "ai.embeddings")
"""Payloads that are lists of texts, each of which is JSON."""

REQUESTS: Final = ("ai.prompt",)
"""Payloads that are a request of messages whatever the span is: a prompt beside the system's words."""

JOINED: Final[dict[str, str]] = {
    "ai.response.text": "text",
    "ai.response.toolCalls": "calls",
    "ai.result.text": "text",
    "ai.result.toolCalls": "calls",
}
"""An answer whose text and calls come in two attributes."""

SYSTEM: Final = ("gen_ai.system_instructions",)
"""The system's words beside the messages: they become the first of `input`."""
