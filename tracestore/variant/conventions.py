"""What instrumentations call the same thing: one table from attributes to the columns of a span.

For each column, the attributes that may hold it, the first that a span has first. Sources: the GenAI semantic
conventions (both generations), OpenInference, OpenLLMetry, the Vercel AI SDK, pydantic-ai and Logfire,
Braintrust, MLflow, Langfuse and Google's agent kit. `docs/guide/conventions.md` says it in words.

A name that ends with `.*` stands for numbered keys: `llm.input_messages.0.message.content`, `….1.…` and so on are
one array. What wins `input`, `output` or `expected` moves there and is stored once; the column `moved_attributes`
says where it came from. Everything else is copied: it is small.
"""

from __future__ import annotations

from typing import Final

from tracestore.variant.convention_messages import JOINED, MESSAGES, REQUESTS, TEXTS_OF_JSON
from tracestore.variant.convention_payloads import MOVED, NESTED, WRAPPED, WRAPPED_ROOTS
from tracestore.variant.convention_types import TYPE_IN_JSON, TYPES

__all__ = [
    "AGGREGATED",
    "AGGREGATING",
    "BEGUN",
    "COMMAS",
    "ERROR_MESSAGE",
    "ERROR_TYPE",
    "EVALUATION",
    "FAILED",
    "FIRST_TOKEN_EVENTS",
    "FLAGS",
    "HTTP_STATUS",
    "JSON_TEXT",
    "MEMBERS",
    "METADATA",
    "METADATA_PREFIXES",
    "METRICS",
    "MILLISECONDS",
    "MOVED",
    "NESTED",
    "OBJECTS",
    "PARSED",
    "PROVIDER_SUFFIXES",
    "TIMES",
    "TYPES",
    "TYPE_IN_JSON",
    "USAGE",
    "WHOLE_MILLISECONDS",
    "WRAPPED",
    "WRAPPED_ROOTS",
]

JSON_TEXT: Final = (
    *(f"tracestore.{name}" for name in ("input", "output", "expected", "tags", "error")),
    *(f"braintrust.{name}_json" for name in ("input", "output", "expected")),
    "mlflow.spanInputs",
    "mlflow.spanOutputs",
    "mlflow.llm.model",
    "mlflow.llm.provider",
    "mlflow.trace.user",
    "mlflow.trace.session",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "ai.value",
)
"""Attributes whose text is always JSON: `"\"yes\""` is the string `yes` and `"5"` the number 5."""

PARSED: Final[dict[str, tuple[str, ...]]] = {
    "scores": ("tracestore.scores", "braintrust.scores"),
    "metrics": ("tracestore.metrics", "braintrust.metrics"),
    "metadata": (
        "tracestore.metadata",
        "braintrust.metadata",
        "metadata",
        "langfuse.trace.metadata",
        "langfuse.observation.metadata",
    ),
    "tags": (
        "tracestore.tags",
        "braintrust.tags",
        "tag.tags",
        "logfire.tags",
        "langfuse.trace.tags",
        "langsmith.span.tags",
        "ai.telemetry.metadata.tags",
        "traceloop.association.properties.tags",
        "tags",
    ),
    "error": ("tracestore.error", "braintrust.error"),
}
"""Whole values, as JSON or as JSON text; `scores`, `metrics` and `metadata` only where they are objects."""

COMMAS: Final = ("langsmith.span.tags",)
"""Words with commas between them: a list."""

USAGE: Final[dict[str, tuple[str, ...]]] = {
    "prompt_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "llm.usage.prompt_tokens",
    ),
    "completion_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
        "llm.usage.completion_tokens",
    ),
    "tokens": (
        "gen_ai.usage.total_tokens",
        "llm.token_count.total",
        "ai.usage.totalTokens",
        "ai.usage.tokens",
        "llm.usage.total_tokens",
    ),
    "prompt_cached_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.cachedInputTokens",
        "ai.usage.inputTokenDetails.cacheReadTokens",
    ),
    "prompt_cache_creation_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
    ),
    "completion_reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "ai.usage.reasoningTokens",
    ),
    "estimated_cost": (
        "gen_ai.usage.cost",
        "gen_ai.usage.total_cost",
        "gen_ai.cost.total_cost",
        "llm.cost.total",
        "operation.cost",
        "langfuse.observation.cost_details.total",
    ),
}
"""Numbers below `metrics` that add up over a trace. On a span of `AGGREGATING` type they repeat what spans below it
report, and go to `metrics.aggregated` instead, so that a sum counts each token once."""

AGGREGATED: Final[dict[str, tuple[str, ...]]] = {
    "prompt_tokens": ("gen_ai.aggregated_usage.input_tokens",),
    "completion_tokens": ("gen_ai.aggregated_usage.output_tokens",),
    "prompt_cached_tokens": ("gen_ai.aggregated_usage.cache_read.input_tokens",),
}
"""Numbers that say of themselves that they repeat others: always below `metrics.aggregated`."""

AGGREGATING: Final = ("agent", "chain", "task", "eval", "function", "tool", "guardrail")

METRICS: Final[dict[str, tuple[str, ...]]] = {
    "time_to_first_token": (
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
        "ai.response.msToFirstChunk",
        "ai.stream.msToFirstChunk",
        "langfuse.observation.completion_start_time",
    ),
}
"""Other numbers below `metrics`, in seconds."""

MILLISECONDS: Final = ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")
"""Numbers of milliseconds."""

WHOLE_MILLISECONDS: Final = ("gen_ai.server.time_to_first_token",)
"""Seconds as doubles, and milliseconds as integers: the convention says seconds, and some send the other."""

TIMES: Final = ("langfuse.observation.completion_start_time",)
"""Times as ISO 8601, quoted or not: what counts is how long after the span's start they are."""

FIRST_TOKEN_EVENTS: Final = (
    "First Token Stream Event",
    "ai.stream.firstChunk",
    "gen_ai.first_token",
    "llm.content.completion.chunk",
    "mlflow.chunk.item.0",
)
"""Events whose time, the first of a name, is the `time_to_first_token` where no attribute tells it."""

OBJECTS: Final[dict[str, str]] = {
    "langfuse.observation.usage_details": "usage",
    "mlflow.chat.tokenUsage": "usage",
    "gen_ai.usage.raw": "usage",
    "langsmith.metadata.usage_metadata": "usage",
    "usage": "usage",
    "mlflow.spanOutputs": "answer",
    "langfuse.observation.cost_details": "cost",
    "mlflow.llm.cost": "cost",
    "metadata": "langchain",
    "llm.invocation_parameters": "request",
    "embedding.invocation_parameters": "request",
    "request_data": "request",
    "mlflow.spanInputs": "request",
    "error": "error",
}
"""Attributes that are one object, as JSON text or as keys and values, by what its members are called.

What they say counts where no attribute of its own says it.
"""

MEMBERS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "usage": {
        "prompt_tokens": ("input_tokens", "prompt_tokens", "input", "promptTokens"),
        "completion_tokens": (
            "output_tokens",
            "completion_tokens",
            "output",
            "completionTokens",
        ),
        "tokens": ("total_tokens", "total", "totalTokens"),
        "prompt_cached_tokens": (
            "cache_read_input_tokens",
            "cached_input_tokens",
            "input_cache_read",
            "input_cached_tokens",
            "input_tokens_details.cached_tokens",
            "prompt_tokens_details.cached_tokens",
            "input_token_details.cache_read",
        ),
        "prompt_cache_creation_tokens": (
            "cache_creation_input_tokens",
            "cache_write_input_tokens",
            "input_cache_creation",
            "input_cache_write",
            "input_tokens_details.cache_write_tokens",
            "input_token_details.cache_creation",
        ),
        "completion_reasoning_tokens": (
            "output_reasoning",
            "output_reasoning_tokens",
            "reasoning_tokens",
            "output_tokens_details.reasoning_tokens",
            "completion_tokens_details.reasoning_tokens",
            "output_token_details.reasoning",
        ),
        "estimated_cost": ("total_cost",),
    },
    "answer": {
        "prompt_tokens": ("usage.prompt_tokens", "usage.input_tokens"),
        "completion_tokens": ("usage.completion_tokens", "usage.output_tokens"),
        "tokens": ("usage.total_tokens",),
    },
    "cost": {"estimated_cost": ("total_cost", "total")},
    "langchain": {"model": ("ls_model_name",), "provider": ("ls_provider",)},
    "request": {"model": ("model",)},
    "error": {"message": ("message",)},
}
"""What the members of such objects tell, each by its path; objects inside are one level deep."""

BEGUN: Final = ("logfire.span_type",)
"""Attributes of instrumentations that tell a stream in two spans: one that ends when the stream begins, and one behind
its end, which has all that the first has. A call of theirs without an answer, a count or an error is a task, so that
both are one call."""

METADATA: Final[dict[str, tuple[str, ...]]] = {
    "model": (
        "gen_ai.request.model",
        "llm.model_name",
        "llm.request.model_name",
        "ai.model.id",
        "gen_ai.response.model",
        "llm.response.model_name",
        "ai.response.model",
        "embedding.model_name",
        "reranker.model_name",
        "langfuse.observation.model.name",
        "mlflow.llm.model",
        "langsmith.metadata.ls_model_name",
    ),
    "provider": (
        "langsmith.metadata.ls_provider",
        "gen_ai.provider.name",
        "gen_ai.system",
        "llm.provider",
        "llm.system",
        "ai.model.provider",
        "mlflow.llm.provider",
    ),
    "session_id": (
        "session.id",
        "gen_ai.conversation.id",
        "langfuse.session.id",
        "traceloop.association.properties.session_id",
        "ai.telemetry.metadata.sessionId",
        "ai.telemetry.metadata.threadId",
        "langsmith.metadata.session_id",
        "langsmith.metadata.thread_id",
        "mlflow.trace.session",
    ),
    "user_id": (
        "user.id",
        "enduser.id",
        "langfuse.user.id",
        "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId",
        "langsmith.metadata.user_id",
        "mlflow.trace.user",
        "llm.user",
        "gen_ai.user.id",
    ),
}
"""Single values below `metadata`, unless a `PARSED` metadata object has said it."""

PROVIDER_SUFFIXES: Final = (
    "chat",
    "completion",
    "embedding",
    "generative-ai",
    "image",
    "messages",
    "responses",
    "speech",
    "transcription",
)
"""Kinds of calls that stand behind a provider's name and a dot: `openai.chat` is openai."""

METADATA_PREFIXES: Final[dict[str, tuple[str, ...]]] = {
    "traceloop.association.properties.": ("open json",),
    "ai.telemetry.metadata.": (),
    "langfuse.trace.metadata.": ("json",),
    "langfuse.observation.metadata.": ("json",),
    "langsmith.metadata.": ("open json",),
}
"""Every attribute below one of these is also `metadata` under the rest of its name. Text is parsed where it is any
JSON (`json`), or where it is an object or a list (`open json`)."""

HTTP_STATUS: Final = ("http.response.status_code", "http.status_code")
"""The status of a request: of a span that failed the error's type, and its message where there is no other."""

ERROR_TYPE: Final = ("error.type", *HTTP_STATUS)
"""The kind of an error, where the span recorded no exception."""

ERROR_MESSAGE: Final = ("error.message", "langfuse.observation.status_message")
"""What an error says, where neither an exception nor the span's status does."""

FAILED: Final = (*HTTP_STATUS, "langfuse.observation.status_message")
"""Attributes that say something of an error on spans that failed only."""

EVALUATION: Final = ("gen_ai.evaluation.name", "gen_ai.evaluation.score.value")
"""Together one of `scores`: its name and its value."""


FLAGS: Final[dict[str, tuple[str, ...]]] = {
    "milliseconds": MILLISECONDS,
    "whole milliseconds": WHOLE_MILLISECONDS,
    "time": TIMES,
    "json": JSON_TEXT,
    "commas": COMMAS,
    "failed": FAILED,
    "http status": HTTP_STATUS,
    "messages": MESSAGES,
    "request": REQUESTS,
    "texts of json": TEXTS_OF_JSON,
    "text": tuple(name for name, half in JOINED.items() if half == "text"),
    "calls": tuple(name for name, half in JOINED.items() if half == "calls"),
}
"""The lists above, by the names that the kernels have for them."""
