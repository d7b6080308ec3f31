"""The store's verbs over HTTP. Knows HTTP and Arrow: an app that imports this loads no engine and no kernel."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

from tracestore.answer import Answer
from tracestore.client import requests
from tracestore.client.alerts import AlertClient
from tracestore.client.arrow_answers import ArrowAnswer
from tracestore.client.documents import DocumentClient
from tracestore.client.evals import DatasetClient, ExperimentClient
from tracestore.client.explore import ExploreClient
from tracestore.client.keys import KeyClient
from tracestore.client.operations import Operations
from tracestore.client.plays import PlayClient
from tracestore.client.prompts import PromptClient
from tracestore.client.requests import Patches, Request, Rows, checked, reached
from tracestore.client.stored_code import ScorerClient, StoredCodeClient
from tracestore.content_types import PROTOBUF
from tracestore.feedback import FeedbackMethods
from tracestore.lazy_module import LazyModule

if TYPE_CHECKING:
    import httpx
else:
    httpx = LazyModule("httpx")


class Client(FeedbackMethods, Operations):
    """A connection to a server; a context manager.

    Args:
        url: the server's base URL; default the environment's `TRACESTORE_URL`, else `http://127.0.0.1:4318`.
        api_key: sent as a bearer token; default the environment's `TRACESTORE_API_KEY`.
        timeout_s: seconds that one request may take.

    Attributes:
        url: the server's base URL.
        datasets: versioned rows.
        experiments: named runs.
        explore: facets, counts over time, differences, waterfalls, live arrival.
        documents: saved views, queries, boards and review queues.
        keys: the API keys of the server.
        alerts: what the server watches.
        prompts: versioned prompts, which the server runs.
        plays: prompts and models tried side by side.
        scorers, tools: those that are documents and run on the server.
    """

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, timeout_s: float = 120.0
    ) -> None:
        self.url, headers = requests.server(url, api_key)
        with reached(self.url):
            self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s)
        self.datasets = DatasetClient(self._send, self.sql)
        self.experiments = ExperimentClient(self._send)
        self.explore = ExploreClient(self._send, self._lines)
        self.documents = DocumentClient(self._send)
        self.keys = KeyClient(self._send)
        self.alerts = AlertClient(self._send)
        self.prompts = PromptClient(self._send, self._event_lines)
        self.plays = PlayClient(self._send, self._event_lines)
        self.scorers = ScorerClient(self._send)
        self.tools = StoredCodeClient(self._send, "/api/tools")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def sql(self, sql: str, params: Any = None, *, timeout_s: float = 60.0) -> Answer:
        """Returns the answer of one SQL statement, whole.

        Raises:
            ClientError: with the server's message.
        """
        return Answer(ArrowAnswer(self._ask(requests.query(sql, params, timeout_s)).content))

    def insert(
        self, table: str, rows: Rows, *, project: str | None = None, experiment: str | None = None
    ) -> dict[str, Any]:
        """Stores rows of `spans` or `logs` and returns the server's report; a bad row is refused alone.

        Raises:
            ClientError: where every row was refused.
        """
        answer = self._ask(requests.insert(table, rows, project, experiment))
        report: dict[str, Any] = answer.json()
        return report

    def patch(self, patches: Patches, *, project: str | None = None) -> int:
        """Changes scores, metadata, metrics, tags and expected of spans; returns the number of patches.

        Each has `trace_id`, `span_id`, perhaps `project`, and what changes; docs/guide/feedback.md has the
        rules. Patches beyond some thousands are sent in several requests.
        """
        count, asked = requests.patches(patches, project)
        for request in asked:
            self._ask(request)
        return count

    def ingest_otlp(
        self,
        body: bytes,
        signal: str,
        content_type: str = PROTOBUF,
        content_encoding: str | None = None,
        project: str | None = None,
        experiment: str | None = None,
    ) -> None:
        """Sends one OTLP export request as it is."""
        self._ask(requests.otlp(body, signal, content_type, content_encoding, project, experiment))

    def export(self, sql: str, accept: str, *, timeout_s: float = 600.0) -> Iterable[bytes]:
        """Yields a query's answer in the format of a media type, as it comes."""
        body = {"sql": sql, "timeout_s": timeout_s}
        yield from self._streamed("/api/query", json=body, headers={"Accept": accept})

    def export_arrow(
        self, sql: str, params: Any = None, *, cursor: str | None = None
    ) -> Generator[bytes]:
        """Yields an answer as an Arrow IPC stream of any length; each batch's metadata may have a `cursor`.

        The last batch is empty and its metadata has the number of `rows`: a stream without it was cut off.
        """
        body = {"sql": sql, "params": params, "cursor": cursor}
        yield from self._streamed("/api/export", json=body, timeout=None)

    def _ask(self, request: Request) -> httpx.Response:
        return self._send(request.method, request.path, **request.options)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        with reached(self.url):
            return checked(self._http.request(method, path, **options))

    def _streamed(self, path: str, **options: Any) -> Generator[bytes]:
        with self._opened("POST", path, **options) as response:
            yield from response.iter_bytes()

    def _lines(self, path: str, **options: Any) -> Generator[str]:
        with self._opened("GET", path, timeout=None, **options) as response:
            yield from response.iter_lines()

    def _event_lines(self, method: str, path: str, **options: Any) -> Generator[str]:
        with self._opened(method, path, timeout=None, **options) as response:
            yield from response.iter_lines()

    @contextlib.contextmanager
    def _opened(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
        with reached(self.url), self._http.stream(method, path, **options) as response:
            if response.is_error:
                response.read()
            yield checked(response)
