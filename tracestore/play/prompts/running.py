"""Runs a prompt once: rendered, asked, its tool calls carried out, and stored as spans."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

from tracestore.errors import PlayError, TraceStoreError
from tracestore.play.costs import CallCosts
from tracestore.play.prompts.body import PromptBody
from tracestore.play.prompts.rendering import rendered
from tracestore.play.providers.asking import ModelClient
from tracestore.play.providers.calls import ModelCall, ToolDefinition
from tracestore.play.providers.registry import Providers
from tracestore.play.scoring import Tool, Tools
from tracestore.play.trace_rows import OpenSpan, TraceRows
from tracestore.play.turns import TurnEvent, Turns, TurnsEnded


@dataclass(frozen=True, slots=True)
class Ready:
    """A prompt with all that a run of it needs, found once for any number of rows.

    Attributes:
        client: the way to its provider.
        tools: those that are carried out, by name.
        definitions: what the model is told of all its tools.
        metadata: what its spans say of the prompt.
    """

    prompt: PromptBody
    client: ModelClient
    tools: Mapping[str, Tool]
    definitions: tuple[ToolDefinition, ...]
    metadata: Mapping[str, Any]
    name: str


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run gave.

    Attributes:
        output: the text; the value where the answer must meet a schema; the tool calls where they are the answer.
        ended: its last turn and its sums.
        span_id: of its topmost span.
    """

    output: Any
    ended: TurnsEnded
    seconds: float
    trace_id: str
    span_id: str
    missing: tuple[str, ...]

    def shown(self) -> dict[str, Any]:
        """Returns it as the API gives it."""
        return {
            "output": self.output,
            "message": self.ended.message,
            "messages": self.ended.messages,
            "finish_reason": self.ended.finish_reason,
            "usage": self.ended.usage.counts(),
            "cost": self.ended.cost,
            "seconds": self.seconds,
            "time_to_first_token": self.ended.time_to_first_token_s,
            "turns": self.ended.turns,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "missing": list(self.missing),
        }


RunEvent: TypeAlias = TurnEvent | Ran


class PromptRunner:
    """What runs prompts.

    Args:
        providers: who is asked.
        tools: the stored tools.
        costs: tells what calls cost.
    """

    def __init__(self, providers: Providers, tools: Tools, costs: CallCosts) -> None:
        self._providers = providers
        self._tools = tools
        self._costs = costs

    async def ready(
        self, prompt: PromptBody, project: str, name: str, metadata: Mapping[str, Any]
    ) -> Ready:
        """Returns a prompt that is ready to run.

        Raises:
            UnknownProviderError, UnknownToolError: where what it names is not there.
            PlayError: where it has no message.
        """
        if not prompt.messages:
            raise PlayError("cannot run prompt: it has no message; write one")
        provider = await asyncio.to_thread(self._providers.get, prompt.provider, project)
        stored = [each for each in prompt.tools if isinstance(each, str)]
        found = await asyncio.to_thread(
            lambda: {each: self._tools.get(each, project) for each in stored}
        )
        definitions = tuple(
            ToolDefinition(each, found[each].description, found[each].schema)
            if isinstance(each, str)
            else each.definition()
            for each in prompt.tools
        )
        return Ready(prompt, self._providers.client(provider), found, definitions, metadata, name)

    async def run(
        self,
        ready: Ready,
        values: Mapping[str, Any],
        trace: TraceRows,
        parent: OpenSpan | None = None,
    ) -> AsyncGenerator[RunEvent]:
        """Yields what happens in one run, `Ran` last; its spans are in the trace, whatever happens.

        Raises:
            TemplateError, PlayError: where the prompt cannot be rendered with these values.
            ProviderError: where the provider does not answer whole.
        """
        prompt = ready.prompt
        made = await asyncio.to_thread(rendered, prompt, values)
        call = ModelCall(
            prompt.model,
            made.messages,
            prompt.parameters,
            ready.definitions,
            prompt.response_schema,
        )
        top = parent
        if ready.tools:
            top = trace.begin(
                ready.name,
                "agent",
                parent,
                input=made.messages,
                metadata=dict(ready.metadata),
            )
        first = len(trace.rows)
        turns = Turns(
            ready.client,
            call,
            ready.tools,
            trace,
            top,
            ready.metadata,
            prompt.max_turns,
            self._costs,
        )
        clock = trace.begin("run", "task")
        error: tuple[str, str] | None = ("stopped before its end", "Stopped")
        output: Any = None
        ended: TurnsEnded | None = None
        try:
            async with aclosing(turns.taken()) as events:
                async for event in events:
                    if isinstance(event, TurnsEnded):
                        ended = event
                    else:
                        yield event
            assert ended is not None
            output = _output(prompt, ended)
            error = None
        except TraceStoreError as caught:
            error = (str(caught), type(caught).__name__)
            raise
        finally:
            if ready.tools and top is not None:
                top.end(*(error or ()), output=output)
        span_id = trace.rows[first]["span_id"] if not ready.tools or top is None else top.span_id
        yield Ran(
            output,
            ended,
            clock.seconds(),
            trace.trace_id,
            span_id,
            made.missing,
        )


def _output(prompt: PromptBody, ended: TurnsEnded) -> Any:
    """Returns what a run gave: a value where the answer must be one and is, else text or tool calls."""
    calls = ended.message.get("tool_calls")
    text = ended.message.get("content")
    if calls and not text:
        return {"tool_calls": calls}
    if prompt.response_schema is not None and isinstance(text, str):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text or ""
