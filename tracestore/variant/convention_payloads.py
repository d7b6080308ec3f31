"""Which attributes of a span hold its input, output and expected value, and how OpenInference spells arrays."""

from __future__ import annotations

from typing import Final

MOVED: Final[dict[str, tuple[str, ...]]] = {
    "input": (
        "tracestore.input",
        "braintrust.input_json",
        "braintrust.input",
        "gen_ai.input.messages",
        "llm.input_messages.*",
        "gen_ai.prompt.*",
        "ai.prompt.messages",
        "ai.prompt",
        "gen_ai.tool.call.arguments",
        "tool_arguments",
        "ai.toolCall.args",
        "traceloop.entity.input",
        "mlflow.spanInputs",
        "langfuse.observation.input",
        "gcp.vertex.agent.tool_call_args",
        "gcp.vertex.agent.llm_request",
        "genkit:input",
        "input.value",
        "llm.prompts.*",
        "gen_ai.prompt",
        "pydantic_ai.all_messages",
        "all_messages_events",
        "inputs",
        "ai.values",
        "ai.value",
        "gen_ai.retrieval.query.text",
        "reranker.query",
        "events",
        "raw_input",
        "input",
        "request_data",
    ),
    "output": (
        "tracestore.output",
        "braintrust.output_json",
        "braintrust.output",
        "gen_ai.output.messages",
        "llm.output_messages.*",
        "gen_ai.completion.*",
        "ai.response.object",
        "ai.response.text",
        "ai.response.toolCalls",
        "ai.result.object",
        "ai.result.text",
        "ai.result.toolCalls",
        "gen_ai.tool.call.result",
        "tool_response",
        "ai.toolCall.result",
        "traceloop.entity.output",
        "mlflow.spanOutputs",
        "langfuse.observation.output",
        "gcp.vertex.agent.tool_response",
        "gcp.vertex.agent.llm_response",
        "genkit:output",
        "retrieval.documents.*",
        "gen_ai.retrieval.documents",
        "reranker.output_documents.*",
        "output.value",
        "embedding.embeddings.*",
        "ai.embedding",
        "ai.embeddings",
        "llm.choices.*",
        "gen_ai.completion",
        "final_result",
        "response",
        "output",
        "response_data",
    ),
    "expected": ("tracestore.expected", "braintrust.expected_json", "braintrust.expected"),
}
"""Payloads: the winner moves. Text that is a JSON object or array is parsed."""

NESTED: Final = (
    "llm.tools.*",
    "llm.functions.*",
    "reranker.input_documents.*",
)
"""Numbered keys that become an array where they are: each would be paths without end."""

WRAPPED: Final = {
    "input_messages": "message",
    "output_messages": "message",
    "contents": "message_content",
    "tool_calls": "tool_call",
    "tools": "tool",
    "prompts": "prompt",
    "choices": "completion",
    "documents": "document",
    "input_documents": "document",
    "output_documents": "document",
    "embeddings": "embedding",
}
"""OpenInference: the word between an item's number and its keys, by list. The array leaves it out."""

WRAPPED_ROOTS: Final = ("llm.", "retrieval.", "reranker.", "embedding.")
"""Numbered keys that begin so have these words."""
