"""Prompts of a server: got by slug, rendered here or run there; with an event loop and without."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracestore.errors import ClientError
from tracestore.lazy_module import LazyModule

if TYPE_CHECKING:
    import httpx
    from opentelemetry import propagate

    from tracestore.templates import messages as prompt_messages
else:
    propagate = LazyModule("opentelemetry.propagate")
    prompt_messages = LazyModule("tracestore.templates.messages")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PromptRun:
    """What a run of a prompt gave.

    Attributes:
        output: the text, or the value where the answer must meet a schema.
        usage: tokens by their names in `metrics`.
        cost: in dollars, None where the model's price is not known.
        trace_id, span_id: of its span, which `client.score` takes.
        told: all that the server says of it.
    """

    output: Any
    message: Json
    usage: dict[str, int]
    cost: float | None
    seconds: float
    trace_id: str
    span_id: str
    told: Json = field(repr=False)

    @classmethod
    def of(cls, told: Json) -> PromptRun:
        """Returns what a server's answer says."""
        return cls(
            output=told["output"],
            message=told["message"],
            usage=told["usage"],
            cost=told["cost"],
            seconds=told["seconds"],
            trace_id=told["trace_id"],
            span_id=told["span_id"],
            told=told,
        )


@dataclass(frozen=True)
class PromptVersion:
    """A prompt as of one version.

    Attributes:
        labels: the versions that labels stand at.
        body: messages, model, parameters, tools and the form of the answer.
    """

    slug: str
    version: int
    labels: dict[str, int]
    body: Json
    project: str

    def render(
        self,
        input: Any = None,  # noqa: A002 - the template's name
        *,
        expected: Any = None,
        metadata: Any = None,
    ) -> list[Json]:
        """Returns the messages of the prompt with values put in; asks nobody.

        Raises:
            TemplateError: for a template that cannot be read.
        """
        values = prompt_messages.values_of(input, expected, metadata)
        is_template = self.body.get("template", "mustache") == "mustache"
        made = prompt_messages.rendered(self.body["messages"], values, is_template=is_template)
        messages: list[Json] = made.messages
        return messages


class Prompt(PromptVersion):
    """A prompt as of one version, which the server runs."""

    _send: Callable[..., httpx.Response]
    _stream: Callable[..., Iterable[str]]

    def __init__(
        self,
        told: Json,
        send: Callable[..., httpx.Response],
        stream: Callable[..., Iterable[str]],
    ) -> None:
        PromptVersion.__init__(self, *_fields(told))
        object.__setattr__(self, "_send", send)
        object.__setattr__(self, "_stream", stream)

    def run(self, input: Any = None, **asked: Any) -> PromptRun:  # noqa: A002 - the template's name
        """Runs the prompt on the server, which asks the model and stores a span.

        Args:
            input: what the templates call `input`.
            asked: `expected` and `metadata`, and `provider`, `model` and `parameters` in place of the prompt's own.

        Raises:
            ClientError: with status 502 where the provider refused or did not answer.
        """
        path, options = _run(self, input, asked)
        told: Json = self._send("POST", path, **options).json()
        return PromptRun.of(told)

    def stream(self, input: Any = None, **asked: Any) -> Iterator[str | PromptRun]:  # noqa: A002
        """Yields the parts of the answer's text as they come, and the whole run last; takes what `run` takes."""
        path, options = _run(self, input, {**asked, "stream": True})
        reading = _Reading()
        for line in self._stream("POST", path, **options):
            yield from reading.read(line)


class AsyncPrompt(PromptVersion):
    """A prompt as of one version, which the server runs; its verbs are awaited."""

    _send: Callable[..., Awaitable[httpx.Response]]
    _stream: Callable[..., AsyncIterator[str]]

    def __init__(
        self,
        told: Json,
        send: Callable[..., Awaitable[httpx.Response]],
        stream: Callable[..., AsyncIterator[str]],
    ) -> None:
        PromptVersion.__init__(self, *_fields(told))
        object.__setattr__(self, "_send", send)
        object.__setattr__(self, "_stream", stream)

    async def run(self, input: Any = None, **asked: Any) -> PromptRun:  # noqa: A002 - the template's name
        """Runs the prompt on the server; see `Prompt.run`."""
        path, options = _run(self, input, asked)
        answer = await self._send("POST", path, **options)
        return PromptRun.of(answer.json())

    async def stream(self, input: Any = None, **asked: Any) -> AsyncIterator[str | PromptRun]:  # noqa: A002
        """Yields the parts of the answer's text as they come, and the whole run last."""
        path, options = _run(self, input, {**asked, "stream": True})
        reading = _Reading()
        async for line in self._stream("POST", path, **options):
            for part in reading.read(line):
                yield part


class PromptClient:
    """The prompts of a server.

    Args:
        send: sends a request and checks its answer.
        stream: yields the lines of an answer as they come.
    """

    def __init__(
        self,
        send: Callable[..., httpx.Response],
        stream: Callable[..., Iterable[str]],
    ) -> None:
        self._send = send
        self._stream = stream

    def list(self, *, project: str | None = None) -> list[Json]:
        """Returns the newest versions of prompts."""
        listed: list[Json] = self._send(
            "GET", "/api/prompts", params=_known(project=project)
        ).json()
        return listed

    def get(
        self,
        slug: str,
        *,
        version: int | None = None,
        label: str | None = None,
        project: str | None = None,
    ) -> Prompt:
        """Returns a prompt as of a version or a label, by default its newest version."""
        query = _known(project=project, version=version, label=label)
        return self._prompt("GET", f"/api/prompts/{slug}", params=query)

    def create(self, slug: str, body: Mapping[str, Any], *, project: str | None = None) -> Prompt:
        """Saves a new prompt; raises ClientError with status 409 where the slug is taken."""
        given = {"slug": slug, "body": dict(body)}
        return self._prompt("POST", "/api/prompts", params=_known(project=project), json=given)

    def save(
        self, slug: str, body: Mapping[str, Any], *, version: int, project: str | None = None
    ) -> Prompt:
        """Saves a new version; raises ClientError with status 409 where `version` is not the newest."""
        given = {"version": version, "body": dict(body)}
        path = f"/api/prompts/{slug}"
        return self._prompt("PUT", path, params=_known(project=project), json=given)

    def versions(self, slug: str, *, project: str | None = None) -> tuple[Json, ...]:
        """Returns the versions that are kept, newest first, with their labels."""
        query = _known(project=project)
        return tuple(self._send("GET", f"/api/prompts/{slug}/versions", params=query).json())

    def label(self, slug: str, label: str, version: int, *, project: str | None = None) -> Prompt:
        """Moves a label to a version: who asks for the label gets that one from now on."""
        path = f"/api/prompts/{slug}/labels/{label}"
        query = _known(project=project)
        return self._prompt("PUT", path, params=query, json={"version": version})

    def delete(self, slug: str, *, version: int, project: str | None = None) -> None:
        """Deletes a prompt with every version, whose newest one was seen."""
        query = _known(project=project, version=version)
        self._send("DELETE", f"/api/prompts/{slug}", params=query)

    def _prompt(self, method: str, path: str, **options: Any) -> Prompt:
        return Prompt(self._send(method, path, **options).json(), self._send, self._stream)


class AsyncPromptClient:
    """The prompts of a server, for programs with an event loop.

    Args:
        send: sends a request and checks its answer.
        stream: yields the lines of an answer as they come.
    """

    def __init__(
        self,
        send: Callable[..., Awaitable[httpx.Response]],
        stream: Callable[..., AsyncIterator[str]],
    ) -> None:
        self._send = send
        self._stream = stream

    async def get(
        self,
        slug: str,
        *,
        version: int | None = None,
        label: str | None = None,
        project: str | None = None,
    ) -> AsyncPrompt:
        """Returns a prompt as of a version or a label, by default its newest version."""
        query = _known(project=project, version=version, label=label)
        answer = await self._send("GET", f"/api/prompts/{slug}", params=query)
        return AsyncPrompt(answer.json(), self._send, self._stream)


class _Reading:
    """The events of a run that are read line by line."""

    def __init__(self) -> None:
        self._name = ""

    def read(self, line: str) -> Iterator[str | PromptRun]:
        """Yields what a line brings; raises ClientError where it tells of a failure."""
        if line.startswith("event: "):
            self._name = line[len("event: ") :]
        elif line.startswith("data: "):
            told = json.loads(line[len("data: ") :])
            if self._name == "delta":
                yield told["text"]
            elif self._name == "done":
                yield PromptRun.of(told)
            elif self._name == "problem":
                raise ClientError(502, told, told["detail"])


def _fields(told: Json) -> tuple[Any, ...]:
    return tuple(told[name] for name in ("slug", "version", "labels", "body", "project"))


def _run(prompt: PromptVersion, given: Any, asked: Mapping[str, Any]) -> tuple[str, Json]:
    body = {"input": given, "version": prompt.version, **asked}
    headers = _trace_headers()
    options: Json = {"params": {"project": prompt.project}, "json": body, "headers": headers}
    return f"/api/prompts/{prompt.slug}/run", options


def _trace_headers() -> dict[str, str]:
    """Returns the header that puts a run below the span that is current here, where there is one."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return {name: value for name, value in headers.items() if name == "traceparent"}


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
