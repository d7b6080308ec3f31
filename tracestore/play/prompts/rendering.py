"""A prompt with a row's values put in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracestore.play.prompts.body import PromptBody
from tracestore.templates import messages as prompt_messages
from tracestore.templates.messages import RenderedPrompt, values_of

__all__ = ["RenderedPrompt", "rendered", "values_of"]


def rendered(prompt: PromptBody, values: Mapping[str, Any]) -> RenderedPrompt:
    """Returns the messages of a prompt for some values; raises TemplateError, PlayError."""
    messages = prompt.stored().get("messages", [])
    return prompt_messages.rendered(messages, values, is_template=prompt.template == "mustache")
