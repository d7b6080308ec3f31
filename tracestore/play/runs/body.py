"""What a play says: where its rows come from, its columns, its scorers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tracestore.errors import PlayError
from tracestore.play.prompts.body import (
    MAX_TURNS,
    SLUG,
    PromptBody,
    PromptMessage,
    PromptTool,
    ToolName,
)
from tracestore.play.prompts.prompts import Prompts

MAX_COLUMNS: Final = 8
"""Columns side by side: as many as COMPARE takes experiments."""

MAX_ROWS: Final = 1000
"""Rows of a play: all of its cells are held in memory while somebody looks at it."""

MAX_CONCURRENCY: Final = 64

SERVERS_OWN: Final = ("experiment", "key")
"""Fields of a column that runs set."""

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Limit = Annotated[int, Field(ge=1, le=MAX_ROWS)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DatasetRows(_Strict):
    """The rows of a dataset, as of a version or its newest."""

    source: Literal["dataset"]
    dataset: str = Field(default="", max_length=1024)
    version: int | None = Field(default=None, ge=1, le=2**63 - 1)
    limit: Limit = 200


class QueryRows(_Strict):
    """The rows of a query: `input`, and where there are `id`, `expected`, `metadata`, `tags`, `trace_id`, `span_id`."""

    source: Literal["query"]
    sql: str = Field(default="", max_length=100_000)
    limit: Limit = 200


class SpanRow(_Strict):
    """One span that is tried again."""

    source: Literal["span"]
    trace_id: str = Field(default="", max_length=32)
    span_id: str = Field(default="", max_length=16)


class TypedRow(_Strict):
    """A row that was typed in."""

    input: Any = None
    expected: Any = None
    metadata: Any = None


class TypedRows(_Strict):
    """Rows that were typed in, in an order."""

    source: Literal["typed"]
    items: dict[Id, TypedRow] = Field(default_factory=dict, max_length=MAX_ROWS)
    order: list[Id] = Field(default_factory=list, max_length=MAX_ROWS)


class PromptVersionRef(_Strict):
    """A version of a prompt."""

    slug: str = Field(pattern=SLUG)
    version: int = Field(ge=1, le=2**63 - 1)


class Column(_Strict):
    """A way to answer: a version of a prompt, with what is not null in place of its own."""

    name: str = Field(default="", max_length=200)
    prompt: PromptVersionRef | None = None
    messages: list[PromptMessage] | None = None
    template: Literal["mustache", "none"] | None = None
    provider: str | None = Field(default=None, max_length=64)
    model: str | None = Field(default=None, max_length=200)
    parameters: dict[str, Any] | None = None
    tools: list[ToolName | PromptTool] | None = None
    response_schema: dict[str, Any] | None = None
    max_turns: int | None = Field(default=None, ge=1, le=MAX_TURNS)
    experiment: str | None = None
    key: str | None = None

    def effective(self, prompts: Prompts, project: str) -> PromptBody:
        """Returns the whole prompt that it is; reads the catalog.

        Raises:
            UnknownDocumentError: where the version of the prompt is gone.
        """
        base = PromptBody()
        if self.prompt is not None:
            base = prompts.get(self.prompt.slug, project, version=self.prompt.version).body
        own = ("messages", "template", "provider", "model", "parameters", "tools")
        given = {name: getattr(self, name) for name in (*own, "response_schema", "max_turns")}
        return base.model_copy(
            update={name: value for name, value in given.items() if value is not None}
        )


Rows = Annotated[DatasetRows | QueryRows | SpanRow | TypedRows, Field(discriminator="source")]


class PlayBody(_Strict):
    """A play's content."""

    rows: Rows | None = None
    columns: dict[Id, Column] = Field(default_factory=dict, max_length=MAX_COLUMNS)
    order: list[Id] = Field(default_factory=list, max_length=MAX_COLUMNS)
    scorers: list[Annotated[str, Field(max_length=200)]] = Field(
        default_factory=list, max_length=32
    )
    concurrency: int = Field(default=16, ge=1, le=MAX_CONCURRENCY)

    def stored(self) -> dict[str, Any]:
        """Returns it as its document has it."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def columns_in_order(self) -> dict[str, Column]:
        """Returns the columns as they stand side by side; those that the order lacks come last."""
        return {each: self.columns[each] for each in in_order(self.order, self.columns)}


def in_order(order: Iterable[str], items: Mapping[str, Any]) -> list[str]:
    """Returns the ids of items in an order; those that it lacks come last, those that are gone are left out."""
    known = dict.fromkeys(each for each in order if each in items)
    return list(known | dict.fromkeys(items))


def play_of(document: Mapping[str, Any] | None) -> PlayBody:
    """Returns the play that a body is; raises PlayError."""
    try:
        return PlayBody.model_validate(document or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PlayError(f"cannot keep play: {where}: {first['msg']}") from None


def digest(value: Any) -> str:
    """Returns what tells a JSON value from others."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
