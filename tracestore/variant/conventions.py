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

from tracestore import _native
from tracestore.variant.tables import SPANS

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
        "llm.choices.*",
        "gen_ai.completion",
        "final_result",
        "response",
        "output",
    ),
    "expected": ("tracestore.expected", "braintrust.expected_json", "braintrust.expected"),
}
"""Payloads: the winner moves. Text that is a JSON object or array is parsed."""

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

NESTED: Final = (
    "llm.tools.*",
    "llm.functions.*",
    "embedding.embeddings.*",
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
    "cost": {"estimated_cost": ("total_cost", "total")},
    "langchain": {"model": ("ls_model_name",), "provider": ("ls_provider",)},
    "request": {"model": ("model",)},
    "error": {"message": ("message",)},
}
"""What the members of such objects tell, each by its path; objects inside are one level deep."""

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

TYPES: Final[dict[str, dict[str, str]]] = {
    "tracestore.type": {
        name: name
        for name in (
            "llm",
            "tool",
            "agent",
            "chain",
            "retriever",
            "embedding",
            "reranker",
            "guardrail",
            "task",
            "score",
            "eval",
            "function",
        )
    },
    "braintrust.span_attributes": {
        "llm": "llm",
        "score": "score",
        "function": "function",
        "eval": "eval",
        "task": "task",
        "tool": "tool",
        "automation": "task",
        "facet": "task",
        "preprocessor": "task",
    },
    "openinference.span.kind": {
        "LLM": "llm",
        "EMBEDDING": "embedding",
        "CHAIN": "chain",
        "RETRIEVER": "retriever",
        "RERANKER": "reranker",
        "TOOL": "tool",
        "AGENT": "agent",
        "GUARDRAIL": "guardrail",
        "EVALUATOR": "score",
        "PROMPT": "task",
    },
    "langsmith.span.kind": {
        "llm": "llm",
        "chain": "chain",
        "tool": "tool",
        "retriever": "retriever",
        "embedding": "embedding",
        "prompt": "task",
        "parser": "task",
    },
    "gen_ai.operation.name": {
        "chat": "llm",
        "generate_content": "llm",
        "text_completion": "llm",
        "embeddings": "embedding",
        "execute_tool": "tool",
        "create_agent": "agent",
        "invoke_agent": "agent",
        "invoke_workflow": "chain",
        "retrieval": "retriever",
        "vector_db_retrieve": "retriever",
        "evaluate": "score",
        "plan": "chain",
        "rerank": "reranker",
        "execute_task": "task",
        "execute_event_loop_cycle": "chain",
    },
    "traceloop.span.kind": {
        "workflow": "chain",
        "task": "task",
        "agent": "agent",
        "tool": "tool",
    },
    "ai.operationId": {
        "ai.generateText": "chain",
        "ai.streamText": "chain",
        "ai.generateObject": "chain",
        "ai.streamObject": "chain",
        "ai.embed": "chain",
        "ai.embedMany": "chain",
        "ai.generateText.doGenerate": "llm",
        "ai.streamText.doStream": "llm",
        "ai.generateObject.doGenerate": "llm",
        "ai.streamObject.doStream": "llm",
        "ai.embed.doEmbed": "embedding",
        "ai.embedMany.doEmbed": "embedding",
        "ai.toolCall": "tool",
    },
    "logfire.msg_template": {
        "OpenAI Agents trace: {name}": "chain",
        "Agent run: {name!r}": "agent",
        "Chat completion with {gen_ai.request.model!r}": "llm",
        "Responses API with {gen_ai.request.model!r}": "llm",
        "Function: {name}": "tool",
        "Handoff: {from_agent} → {to_agent}": "tool",
        "Guardrail {name!r} {triggered=}": "guardrail",
    },
    "sdk_span_type": {"task": "chain", "turn": "chain"},
    "llm.request.type": {
        "chat": "llm",
        "completion": "llm",
        "embedding": "embedding",
        "rerank": "reranker",
    },
    "mlflow.spanType": {
        '"LLM"': "llm",
        '"CHAT_MODEL"': "llm",
        '"EMBEDDING"': "embedding",
        '"CHAIN"': "chain",
        '"RETRIEVER"': "retriever",
        '"RERANKER"': "reranker",
        '"TOOL"': "tool",
        '"AGENT"': "agent",
        '"PARSER"': "task",
        '"TASK"': "task",
        '"WORKFLOW"': "chain",
        '"GUARDRAIL"': "guardrail",
        '"EVALUATOR"': "score",
    },
    "langfuse.observation.type": {
        "generation": "llm",
        "embedding": "embedding",
        "chain": "chain",
        "retriever": "retriever",
        "tool": "tool",
        "agent": "agent",
        "guardrail": "guardrail",
        "evaluator": "score",
        "span": "task",
    },
}
"""What a span is, by attribute and value; a value that stands in no table says nothing."""

TYPE_IN_JSON: Final = ("braintrust.span_attributes",)
"""Attributes whose value is a JSON object with the word at `type`."""

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
}
"""The lists above, by the names that the kernels have for them."""

_FIRST_MEMBER_RANK: Final = 40
"""What members say stands behind every list of attributes: none is as long."""


def _compiled() -> _native.Conventions:
    table = _native.Conventions(AGGREGATING, WRAPPED)
    slots: dict[str, int] = {}
    for field, attributes in MOVED.items():
        table.add_slot("moved", _node(field), "")
        _add(table, attributes)
    for attribute in NESTED:
        table.add_numbered(attribute.removesuffix("*"), None, 0, _is_wrapped(attribute))
    for field, attributes in PARSED.items():
        table.add_slot("parsed", _node(field), "")
        _add(table, attributes)
    for kind, parent, named in (
        ("usage", "metrics", USAGE),
        ("aggregated", "metrics", AGGREGATED),
        ("number", "metrics", METRICS),
        ("scalar", "metadata", METADATA),
    ):
        for name, attributes in named.items():
            slot = table.add_slot(kind, _node(parent), name)
            slots.setdefault(name, slot)
            _add(table, attributes)
            if name == "time_to_first_token":
                for rank, event in enumerate(FIRST_TOKEN_EVENTS):
                    table.add_event(event, len(attributes) + rank)
    for suffix in PROVIDER_SUFFIXES:
        table.add_provider_suffix(suffix)
    for prefix, flags in METADATA_PREFIXES.items():
        table.add_prefix(prefix, _node("metadata"), flags)
    table.add_slot("type", 0, "")
    for rank, (attribute, words) in enumerate(TYPES.items()):
        table.add_type(attribute, rank, words, in_json=attribute in TYPE_IN_JSON)
    table.add_slot("error type", _node("error"), "")
    _add(table, ERROR_TYPE)
    slots["message"] = table.add_slot("error message", _node("error"), "")
    _add(table, ERROR_MESSAGE)
    for kind, attribute in zip(("evaluation name", "evaluation score"), EVALUATION, strict=True):
        table.add_slot(kind, _node("scores"), "")
        _add(table, (attribute,))
    _add_members(table, slots)
    return table


def _add(table: _native.Conventions, attributes: tuple[str, ...]) -> None:
    """Adds the attributes of the slot added last, in order of precedence."""
    for rank, attribute in enumerate(attributes):
        if attribute.endswith(".*"):
            table.add_numbered(attribute.removesuffix("*"), True, rank, _is_wrapped(attribute))
        else:
            flags = [flag for flag, names in FLAGS.items() if attribute in names]
            table.add_attribute(attribute, rank, flags)


def _add_members(table: _native.Conventions, slots: dict[str, int]) -> None:
    numbers = {kind: number for number, kind in enumerate(MEMBERS, start=1)}
    for kind, named in MEMBERS.items():
        for name, paths in named.items():
            for path in paths:
                table.add_member(numbers[kind], path, slots[name])
    for rank, (attribute, kind) in enumerate(OBJECTS.items()):
        table.add_members(attribute, numbers[kind], _FIRST_MEMBER_RANK + rank)


def _is_wrapped(attribute: str) -> bool:
    return attribute.startswith(WRAPPED_ROOTS)


def _node(field: str) -> int:
    """Returns the kernels' number of a variant column: the root is 0."""
    return 1 + SPANS.variants.index(field)


CONVENTIONS: Final = _compiled()
"""The table as the kernels read it."""
