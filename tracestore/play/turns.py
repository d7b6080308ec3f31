"""A call of a model, the tool calls that it asks for, the next call with what they gave, within a bound."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, TypeAlias

from tracestore.errors import ProviderError
from tracestore.play.costs import CallCosts
from tracestore.play.providers.asking import Answered, ModelClient
from tracestore.play.providers.calls import (
    Gathered,
    Message,
    ModelCall,
    ReasoningDelta,
    TextDelta,
    Usage,
)
from tracestore.play.scoring import Tool
from tracestore.play.trace_rows import OpenSpan, TraceRows, request_attributes

MAX_RESULT_CHARACTERS: Final = 256 * 1024
"""Characters of a tool's result that a model is told."""

STOPPED: Final = "stopped before its end"


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A tool call that a model asks for and that is carried out."""

    call_id: str
    name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class ToolGave:
    """What a tool call gave, or why it failed."""

    call_id: str
    name: str
    result: Any
    error: str | None


@dataclass(frozen=True, slots=True)
class TurnsEnded:
    """The end of all turns.

    Attributes:
        message: the last answer.
        messages: every message after those that were sent first, the last answer included.
        usage: of all calls.
        cost: of all calls in dollars, None where a price is not known.
        time_to_first_token_s: of the first call, None where nothing came.
        turns: calls of the model.
    """

    message: Message
    messages: list[Message]
    usage: Usage
    cost: float | None
    finish_reason: str | None
    time_to_first_token_s: float | None
    turns: int


TurnEvent: TypeAlias = TextDelta | ReasoningDelta | ToolCalled | ToolGave | TurnsEnded


@dataclass(frozen=True, slots=True)
class Turns:
    """The way in which a call and those that follow from it are made.

    Attributes:
        client: asks the provider.
        call: the first call; its tools are those that the model is told of.
        tools: those that are carried out, by name.
        trace: takes the spans.
        parent: the span that they are below, None for that of the trace.
        metadata: of every call's span.
        max_turns: calls at most.
        costs: tells what calls cost.
    """

    client: ModelClient
    call: ModelCall
    tools: Mapping[str, Tool]
    trace: TraceRows
    parent: OpenSpan | None
    metadata: Mapping[str, Any]
    max_turns: int
    costs: CallCosts

    async def taken(self) -> AsyncGenerator[TurnEvent]:
        """Yields what happens, `TurnsEnded` last.

        Raises:
            ProviderError: where a call fails, or the model still calls tools after `max_turns` calls.
        """
        added: list[Message] = []
        usage = Usage()
        costs: list[float | None] = []
        first_token_s: float | None = None
        for turn in range(1, self.max_turns + 1):
            call = replace(self.call, messages=[*self.call.messages, *added])
            gathered = Gathered()
            async with aclosing(self._one(call, gathered)) as parts:
                async for part in parts:
                    if isinstance(part, float):
                        first_token_s = part if first_token_s is None else first_token_s
                    else:
                        yield part
            message = gathered.message()
            added.append(message)
            used = gathered.usage or Usage()
            usage += used
            costs.append(self.costs.of(call.model, self.client.name, used)[0])
            calls = _calls(message)
            if not calls or not all(each.name in self.tools for each in calls):
                reason = gathered.finish_reason
                cost = _sum(costs)
                yield TurnsEnded(message, added, usage, cost, reason, first_token_s, turn)
                return
            for each in calls:
                yield each
            for gave in await self._carried_out(calls):
                yield gave
                added.append(_result_message(gave))
        raise ProviderError(
            f"cannot finish: the model still calls tools after {self.max_turns} turns; raise max_turns",
            self.client.name,
        )

    async def _one(
        self, call: ModelCall, gathered: Gathered
    ) -> AsyncGenerator[TextDelta | ReasoningDelta | float]:
        """Yields the parts of one call's text, and the seconds until the first; its span is kept, whatever happens."""
        span = self.trace.begin(
            f"chat {call.model}",
            "llm",
            self.parent,
            input=list(call.messages),
            metadata={**self.metadata, "model": call.model, "provider": self.client.name},
            attributes=request_attributes(
                call.parameters, [asdict(tool) for tool in call.tools], call.response_schema
            ),
        )
        first_token_s: float | None = None
        model = ""
        error: tuple[str, str] | None = (STOPPED, "Stopped")
        try:
            async with aclosing(self.client.stream(call)) as parts:
                async for part in parts:
                    if isinstance(part, Answered):
                        model = part.model
                        continue
                    if first_token_s is None:
                        first_token_s = span.seconds()
                        yield first_token_s
                    gathered.add(part)
                    if isinstance(part, TextDelta | ReasoningDelta):
                        yield part
            error = None
        except ProviderError as caught:
            error = (str(caught), type(caught).__name__)
            raise
        finally:
            said = gathered.texts or gathered.finish_reason is not None
            metrics: dict[str, Any] = {}
            if gathered.usage is not None:
                metrics |= gathered.usage.counts()
                cost, source = self.costs.of(call.model, self.client.name, gathered.usage)
                if cost is not None:
                    metrics["estimated_cost"] = cost
                    span.fields["metadata"]["cost_estimated_by"] = source
            if first_token_s is not None:
                metrics["time_to_first_token"] = first_token_s
            attributes = {**span.fields.pop("attributes"), "gen_ai.response.model": model or None}
            span.end(
                *(error or ()),
                output=[gathered.message()] if said else None,
                metrics=metrics or None,
                attributes={name: value for name, value in attributes.items() if value is not None},
            )

    async def _carried_out(self, calls: Sequence[ToolCalled]) -> list[ToolGave]:
        return list(await asyncio.gather(*(self._carry_out(call) for call in calls)))

    async def _carry_out(self, call: ToolCalled) -> ToolGave:
        span = self.trace.begin(
            call.name,
            "tool",
            self.parent,
            input=call.arguments,
            attributes={"gen_ai.tool.name": call.name, "gen_ai.tool.call.id": call.call_id},
        )
        result, error, kind = None, None, None
        try:
            result = await self.tools[call.name].call(call.arguments)
            # Now, since the model and the span both want it as JSON.
            result = json.loads(json.dumps(result, default=str))
        except Exception as caught:  # noqa: BLE001 - whatever a tool raises is what the model is told
            error, kind = str(caught) or type(caught).__name__, type(caught).__name__
        except BaseException:
            span.end(STOPPED, "Stopped")
            raise
        span.end(error, kind, output=result)
        return ToolGave(call.call_id, call.name, result, error)


def _sum(costs: Sequence[float | None]) -> float | None:
    """Returns the sum of costs, None where one of them is not known."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _calls(message: Message) -> list[ToolCalled]:
    return [
        ToolCalled(each["id"], each["function"]["name"], each["function"]["arguments"])
        for each in message.get("tool_calls") or ()
    ]


def _result_message(gave: ToolGave) -> Message:
    content: Any = gave.result if gave.error is None else {"error": gave.error}
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    if len(text) > MAX_RESULT_CHARACTERS:
        content = f"{text[:MAX_RESULT_CHARACTERS]}… ({len(text)} characters in all)"
    return {"role": "tool", "tool_call_id": gave.call_id, "content": content}
