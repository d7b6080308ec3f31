"""A call of a model as a span has it, to be tried again: messages, model, parameters, tools, the answer's form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from tracestore.errors import PlayError
from tracestore.play.own_queries import OwnQueries
from tracestore.play.prompts.body import TOOL_NAME

_SPAN: Final = """
    SELECT type, input, output, expected, metadata, attributes FROM spans
    WHERE trace_id = $trace_id AND span_id = $span_id LIMIT 1"""

_PARAMETERS: Final = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "maxtokens": "max_tokens",
    "maxoutputtokens": "max_tokens",
    "topp": "top_p",
    "topk": "top_k",
    "stop": "stop",
    "stop_sequences": "stop",
    "stopsequences": "stop",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "frequencypenalty": "frequency_penalty",
    "presencepenalty": "presence_penalty",
    "seed": "seed",
    "tool_choice": "tool_choice",
    "parallel_tool_calls": "parallel_tool_calls",
    "reasoning_effort": "reasoning_effort",
}
"""What SDKs call a parameter, in small letters, and what it is called here."""

_PREFIXES: Final = ("gen_ai.request.", "llm.request.", "ai.settings.", "llm.", "")
"""Where the attributes of a call stand, the most exact first."""

_OBJECTS: Final = (
    "llm.invocation_parameters",
    "langfuse.observation.model.parameters",
    "invocation_params",
    "model_request_parameters",
    "braintrust.metadata",
)
"""Attributes that hold several parameters, as JSON text or as an object."""

_TOOLS: Final = (
    "gen_ai.tool.definitions",
    "gen_ai.request.tools",
    "llm.tools",
    "llm.request.functions",
    "ai.prompt.tools",
    "tools",
)
"""Attributes that hold the tools of a call."""

_SCHEMAS: Final = ("parameters", "input_schema", "inputSchema", "parameters_json_schema", "schema")


@dataclass(slots=True)
class Replay:
    """A call of a model as it was sent.

    Attributes:
        notes: what is not as it was sent, or is not known.
    """

    messages: list[dict[str, Any]]
    template: str = "none"
    provider: str = ""
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    tools: list[dict[str, Any]] = field(default_factory=list)
    response_schema: dict[str, Any] | None = None
    input: Any = None
    output: Any = None
    expected: Any = None
    metadata: Any = None
    notes: list[str] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        """Returns it as the API gives it."""
        return asdict(self)


async def replay_of(trace_id: str, span_id: str, queries: OwnQueries, project: str) -> Replay:
    """Returns the call that a span is.

    Raises:
        PlayError: where there is no such span, or it has no message.
    """
    found = await queries.rows(_SPAN, {"trace_id": trace_id, "span_id": span_id}, project, 1)
    if not found:
        raise PlayError(f"cannot open span {span_id!r}: project {project!r} has it not")
    return replayed(found[0])


def replayed(span: Mapping[str, Any]) -> Replay:
    """Returns the call that a span's row is; raises PlayError where it has no message."""
    metadata = span["metadata"] if isinstance(span["metadata"], dict) else {}
    attributes = dict(_flat(span["attributes"] or {}, ""))
    messages = _messages(span["input"])
    if not messages:
        raise PlayError("cannot open span: its input has no message; choose a call of a model")
    objects = [_object(attributes.get(name)) for name in _OBJECTS]
    given = [each for each in objects if each is not None]
    told = {"output": span["output"], "expected": span["expected"], "metadata": span["metadata"]}
    replay = Replay(
        messages,
        provider=str(metadata.get("provider") or ""),
        model=str(metadata.get("model") or attributes.get("gen_ai.request.model") or ""),
        parameters=_parameters(attributes, [*given, metadata]),
        tools=_tools(attributes, given, span["input"]),
        response_schema=_schema(attributes, given),
        input=span["input"],
        **told,
    )
    if span["type"] != "llm":
        replay.notes.append("this span is no call of a model by its type")
    if not replay.model:
        replay.notes.append("the model is not known")
    if not replay.parameters:
        replay.notes.append("no parameter was reported: the provider's defaults count")
    return replay


def _messages(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, str) and value:
        return [{"role": "user", "content": value}]
    if isinstance(value, Mapping) and "messages" in value:
        return _messages(value["messages"])
    if isinstance(value, Mapping) and "role" in value:
        return [dict(value)]
    if isinstance(value, list):
        return [
            dict(each)
            for each in value
            if isinstance(each, Mapping) and isinstance(each.get("role"), str)
        ]
    return []


def _parameters(attributes: Mapping[str, Any], objects: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for prefix in _PREFIXES:
        for name, value in attributes.items():
            _take(found, name.removeprefix(prefix) if name.startswith(prefix) else "", value)
    for each in objects:
        for name, value in each.items():
            _take(found, name, value)
    return found


def _take(found: dict[str, Any], name: str, value: Any) -> None:
    ours = _PARAMETERS.get(name.lower())
    if ours is not None and value is not None and not isinstance(value, Mapping):
        found.setdefault(ours, value)


def _tools(
    attributes: Mapping[str, Any], objects: list[dict[str, Any]], given: Any
) -> list[dict[str, Any]]:
    """Returns the tools of the first place that has some."""
    places = [attributes.get(name) for name in _TOOLS]
    for each in [*objects, given if isinstance(given, dict) else {}]:
        places += [each.get(name) for name in ("tools", "function_tools", "functions")]
    for place in places:
        listed = _parsed(place)
        if isinstance(listed, list):
            tools = [tool for each in listed if (tool := _tool(_parsed(each))) is not None]
            if tools:
                return tools
    return []


def _tool(given: Any) -> dict[str, Any] | None:
    """Returns a tool as prompts define it, whichever SDK has told it."""
    while isinstance(given, Mapping):
        inner = next(
            (
                _parsed(given[name])
                for name in ("function", "tool", "json_schema", "tool.json_schema")
                if isinstance(_parsed(given.get(name)), Mapping) and "name" not in given
            ),
            None,
        )
        if inner is None:
            break
        given = inner
    if not isinstance(given, Mapping) or not re.fullmatch(TOOL_NAME, str(given.get("name", ""))):
        return None
    schema = next((_parsed(given[name]) for name in _SCHEMAS if given.get(name)), None)
    return {
        "name": given["name"],
        "description": str(given.get("description") or ""),
        "parameters": schema if isinstance(schema, dict) else {"type": "object"},
    }


def _schema(attributes: Mapping[str, Any], objects: list[dict[str, Any]]) -> dict[str, Any] | None:
    own = _object(attributes.get("tracestore.response_schema"))
    if own is not None:
        return own
    for each in objects:
        form = _object(each.get("response_format")) or {}
        found = (_object(form.get("json_schema")) or {}).get("schema")
        found = found or (_object(each.get("output_object")) or {}).get("json_schema")
        if isinstance(found, dict):
            return found
    return None


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yields every place of nested objects by its keys, joined by dots, and the objects themselves."""
    for key, inner in value.items():
        name = f"{prefix}{key}"
        yield name, inner
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{name}.")


def _parsed(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _object(value: Any) -> dict[str, Any] | None:
    parsed = _parsed(value)
    return parsed if isinstance(parsed, dict) else None
