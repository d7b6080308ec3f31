"""The client for programs with an event loop: the verbs that an application calls while it serves others."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Self

from tracestore.answer import Answer
from tracestore.client import requests
from tracestore.client.arrow_answers import ArrowAnswer
from tracestore.client.prompts import AsyncPromptClient
from tracestore.client.requests import Patches, Request, Rows, checked, reached
from tracestore.content_types import PROTOBUF
from tracestore.feedback import Span, ids_of
from tracestore.lazy_module import LazyModule

if TYPE_CHECKING:
    import httpx
else:
    httpx = LazyModule("httpx")


class AsyncClient:
    """A connection to a server whose verbs are awaited; an async context manager.

    A call that is cancelled ends its connection, and with it the query on the server.

    Args:
        url: the server's base URL; default the environment's `TRACESTORE_URL`, else `http://127.0.0.1:4318`.
        api_key: sent as a bearer token; default the environment's `TRACESTORE_API_KEY`.
        timeout_s: seconds that one request may take.

    Attributes:
        url: the server's base URL.
        prompts: versioned prompts, which the server runs.
    """

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, timeout_s: float = 120.0
    ) -> None:
        self.url, headers = requests.server(url, api_key)
        with reached(self.url):
            self._http = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=timeout_s)
        self.prompts = AsyncPromptClient(self._send, self._event_lines)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the connections."""
        await self._http.aclose()

    async def sql(self, sql: str, params: Any = None, *, timeout_s: float = 60.0) -> Answer:
        """Returns the answer of one SQL statement, whole: reading it waits for nothing.

        Raises:
            ClientError: with the server's message.
        """
        answer = await self._ask(requests.query(sql, params, timeout_s))
        return Answer(ArrowAnswer(answer.content))

    async def insert(
        self, table: str, rows: Rows, *, project: str | None = None, experiment: str | None = None
    ) -> dict[str, Any]:
        """Stores rows of `spans` or `logs` and returns the server's report; a bad row is refused alone.

        Raises:
            ClientError: where every row was refused.
        """
        answer = await self._ask(requests.insert(table, rows, project, experiment))
        report: dict[str, Any] = answer.json()
        return report

    async def patch(self, patches: Patches, *, project: str | None = None) -> int:
        """Changes spans and returns the number of patches; docs/guide/feedback.md has the rules."""
        count, asked = requests.patches(patches, project)
        for request in asked:
            await self._ask(request)
        return count

    async def score(
        self,
        span: Span,
        name: str,
        value: float | bool | None,
        *,
        comment: str | None = None,
        project: str | None = None,
    ) -> None:
        """Gives a span a score, in place of one of that name; None takes it away."""
        trace_id, span_id = ids_of(span)
        patch: dict[str, Any] = {
            "trace_id": trace_id,
            "span_id": span_id,
            "scores": {name: value},
        }
        await self.patch(
            patch if comment is None else {**patch, "comment": comment}, project=project
        )

    async def ingest_otlp(
        self,
        body: bytes,
        signal: str,
        content_type: str = PROTOBUF,
        content_encoding: str | None = None,
        project: str | None = None,
        experiment: str | None = None,
    ) -> None:
        """Sends one OTLP export request as it is."""
        await self._ask(
            requests.otlp(body, signal, content_type, content_encoding, project, experiment)
        )

    async def _ask(self, request: Request) -> httpx.Response:
        return await self._send(request.method, request.path, **request.options)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        with reached(self.url):
            return checked(await self._http.request(method, path, **options))

    async def _event_lines(self, method: str, path: str, **options: Any) -> AsyncGenerator[str]:
        with reached(self.url):
            async with self._http.stream(method, path, timeout=None, **options) as response:
                if response.is_error:
                    await response.aread()
                checked(response)
                async for line in response.aiter_lines():
                    yield line
