"""A run of a prompt as a request asks for it: what it changes of the prompt, its events, and its spans in the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pydantic import ConfigDict, Field

from tracestore.embedded import Store
from tracestore.play.api.shapes import Values
from tracestore.play.prompts.body import LABEL, PromptBody
from tracestore.play.prompts.prompts import Prompts
from tracestore.play.prompts.rendering import values_of
from tracestore.play.prompts.running import PromptRunner, Ran, Ready, RunEvent
from tracestore.play.providers.calls import ReasoningDelta, TextDelta
from tracestore.play.trace_rows import TraceRows
from tracestore.play.turns import ToolCalled, ToolGave
from tracestore_query.api.datasets import MAX_VERSION


class RunBody(Values):
    """The values for a prompt, which version of it, and what is asked otherwise this once."""

    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(default=None, ge=1, le=MAX_VERSION)
    label: str | None = Field(default=None, pattern=LABEL)
    provider: str | None = Field(default=None, max_length=64)
    model: str | None = Field(default=None, max_length=200)
    parameters: dict[str, Any] | None = Field(
        default=None, description="In place of those of the prompt that have the same name."
    )
    stream: bool = False


class PromptRuns:
    """What runs prompts for requests and stores their spans.

    Args:
        store: takes the spans.
        prompts: has the prompts.
        runner: runs them.
    """

    def __init__(self, store: Store, prompts: Prompts, runner: PromptRunner) -> None:
        self._store = store
        self._prompts = prompts
        self._runner = runner

    async def begin(
        self, slug: str, asked: RunBody, project: str, traceparent: str | None
    ) -> AsyncGenerator[tuple[str, Any]]:
        """Returns the events of a run by their names, the run itself last.

        Raises:
            UnknownDocumentError, UnknownProviderError, UnknownToolError: where something is not there.
        """
        prompt = await asyncio.to_thread(
            self._prompts.get, slug, project, version=asked.version, label=asked.label
        )
        said = {"slug": slug, "version": prompt.version}
        told = said if asked.label is None else {**said, "label": asked.label}
        ready = await self._runner.ready(
            _changed(prompt.body, asked), project, slug, {"prompt": told}
        )
        return self._run(ready, asked, project, TraceRows.below(traceparent), said)

    async def _run(
        self,
        ready: Ready,
        asked: RunBody,
        project: str,
        trace: TraceRows,
        said: dict[str, Any],
    ) -> AsyncGenerator[tuple[str, Any]]:
        values = values_of(asked.input, asked.expected, asked.metadata)
        done: dict[str, Any] | None = None
        try:
            async with aclosing(self._runner.run(ready, values, trace)) as events:
                async for event in events:
                    if isinstance(event, Ran):
                        done = {**said, **event.shown()}
                    else:
                        yield _named(event)
        finally:
            # Whatever became of it, and whoever went away: what was asked was asked.
            if trace.rows:
                await asyncio.shield(
                    asyncio.to_thread(self._store.insert, "spans", trace.rows, project)
                )
        # Only now, so that whoever hears of the run finds its span.
        yield "done", done


def _changed(prompt: PromptBody, asked: RunBody) -> PromptBody:
    changes: dict[str, Any] = {
        name: value
        for name, value in (("provider", asked.provider), ("model", asked.model))
        if value is not None
    }
    if asked.parameters is not None:
        changes["parameters"] = {**prompt.parameters, **asked.parameters}
    return prompt.model_copy(update=changes)


def _named(event: RunEvent) -> tuple[str, Any]:
    match event:
        case TextDelta():
            return "delta", {"text": event.text}
        case ReasoningDelta():
            return "reasoning", {"text": event.text}
        case ToolCalled():
            return "tool_call", {
                "id": event.call_id,
                "name": event.name,
                "arguments": event.arguments,
            }
        case ToolGave():
            return "tool_result", {
                "id": event.call_id,
                "name": event.name,
                "result": event.result,
                "error": event.error,
            }
        case _:
            raise AssertionError(f"BUG: {type(event).__name__} is no event of a run")
