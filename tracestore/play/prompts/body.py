"""What a prompt says: messages, model, parameters, tools, and the form of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tracestore import templates
from tracestore.errors import PlayError
from tracestore.play.providers.calls import ToolDefinition

SLUG: Final = r"^[a-z0-9][a-z0-9._-]{0,99}$"
"""What a prompt's slug is: a part of an address."""

LABEL: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"

TOOL_NAME: Final = r"^[A-Za-z0-9_-]{1,64}$"
"""What providers take for a tool's name."""

MAX_MESSAGES: Final = 1000
MAX_TOOLS: Final = 64
MAX_TURNS: Final = 32
"""Calls of a model in one run: a model that calls tools for ever is stopped."""

DEFAULT_TURNS: Final = 8


class PromptMessage(BaseModel):
    """A message in the one form, its texts templates; of role `messages`, the list at the path that `content` is."""

    model_config = ConfigDict(extra="allow")

    role: str = Field(min_length=1, max_length=64)
    content: str | list[Any] | dict[str, Any] | None = None
    start: int = Field(
        default=0,
        ge=0,
        le=100_000,
        alias="from",
        description="Of role `messages`: the first of them.",
    )


class PromptTool(BaseModel):
    """A tool that the prompt itself defines: a call of it is the answer."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=TOOL_NAME)
    description: str = Field(default="", max_length=10_000)
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object"})

    def definition(self) -> ToolDefinition:
        """Returns what the model is told of it."""
        return ToolDefinition(self.name, self.description, self.parameters)


ToolName = Annotated[str, Field(pattern=TOOL_NAME)]


class PromptBody(BaseModel):
    """A prompt's content."""

    model_config = ConfigDict(extra="forbid")

    description: str = Field(default="", max_length=10_000)
    messages: list[PromptMessage] = Field(default_factory=list, max_length=MAX_MESSAGES)
    template: Literal["mustache", "none"] = "mustache"
    provider: str = Field(default="", max_length=64)
    model: str = Field(default="", max_length=200)
    parameters: dict[str, Any] = Field(default_factory=dict)
    tools: list[ToolName | PromptTool] = Field(default_factory=list, max_length=MAX_TOOLS)
    response_schema: dict[str, Any] | None = None
    max_turns: int = Field(default=DEFAULT_TURNS, ge=1, le=MAX_TURNS)

    def stored(self) -> dict[str, Any]:
        """Returns it as its document has it."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def shown(self) -> dict[str, Any]:
        """Returns it as the API gives it: every field, and of messages what they have."""
        messages = self.stored().get("messages", [])
        return {**self.model_dump(mode="json"), "messages": messages}

    def checked(self) -> PromptBody:
        """Returns it; raises TemplateError where a template of it cannot be read."""
        if self.template == "mustache":
            for message in self.messages:
                for text in texts_of(message.content):
                    templates.check(text)
        return self


def body_of(document: Mapping[str, Any] | None) -> PromptBody:
    """Returns the prompt that a document's body is; raises PlayError."""
    try:
        return PromptBody.model_validate(document or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PlayError(f"cannot read prompt: {where}: {first['msg']}") from None


def texts_of(content: Any) -> list[str]:
    """Returns the texts of a message's content."""
    if isinstance(content, str):
        return [content]
    if isinstance(content, list):
        return [
            text
            for part in content
            if isinstance(text := part.get("text") if isinstance(part, Mapping) else part, str)
        ]
    return []
