"""The store's verbs over HTTP. Knows HTTP only: an app that imports this loads no engine and no kernel."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, Self

import httpx

from tracestore.client.alerts import AlertClient
from tracestore.client.documents import DocumentClient
from tracestore.client.evals import DatasetClient, ExperimentClient
from tracestore.client.explore import ExploreClient
from tracestore.client.keys import KeyClient
from tracestore.client.operations import Operations
from tracestore.content_types import PROTOBUF
from tracestore.errors import ClientError, ServerUnreachableError
from tracestore.feedback import FeedbackMethods

DEFAULT_URL = "http://127.0.0.1:4318"

PATCHES_A_REQUEST = 5000
"""Patches sent in one request, which are stored together or not at all."""


class Answer:
    """The answer of a query.

    Attributes:
        columns: name and type of each column.
        warnings: what a reader should know.
        stats: what was read.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.columns: list[dict[str, str]] = list(document["columns"])
        self.warnings: list[str] = list(document["warnings"])
        self.stats: dict[str, Any] = dict(document["stats"])
        self._rows: list[list[Any]] = list(document["rows"])

    @property
    def names(self) -> list[str]:
        """Returns the names of the columns."""
        return [column["name"] for column in self.columns]

    @property
    def types(self) -> list[str]:
        """Returns the engine's types of the columns."""
        return [column["type"] for column in self.columns]

    def rows(self) -> list[dict[str, Any]]:
        """Returns all rows as dicts."""
        return [dict(zip(self.names, row, strict=True)) for row in self._rows]


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
        explore: facets, counts over time, differences, waterfalls.
        documents: saved views, queries, boards and review queues.
        keys: the API keys of the server.
        alerts: what the server watches.
    """

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, timeout_s: float = 120.0
    ) -> None:
        self.url = url or os.environ.get("TRACESTORE_URL") or DEFAULT_URL
        key = api_key or os.environ.get("TRACESTORE_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s)
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise ServerUnreachableError(
                None, {}, f"cannot use server {self.url!r}: {error}; want http://HOST:PORT"
            ) from None
        self.datasets = DatasetClient(self._send, self.sql)
        self.experiments = ExperimentClient(self._send)
        self.explore = ExploreClient(self._send, self._lines)
        self.documents = DocumentClient(self._send)
        self.keys = KeyClient(self._send)
        self.alerts = AlertClient(self._send)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def sql(self, sql: str, params: Any = None, *, timeout_s: float = 60.0) -> Answer:
        """Returns the answer of one SQL statement.

        Raises:
            ClientError: with the server's message.
        """
        body = {"sql": sql, "params": params, "timeout_s": timeout_s}
        return Answer(self._send("POST", "/api/query", json=body).json())

    def insert(
        self,
        table: str,
        rows: bytes | Iterable[Mapping[str, Any]],
        *,
        project: str | None = None,
        experiment: str | None = None,
    ) -> dict[str, Any]:
        """Stores rows of `spans` or `logs` and returns the server's report."""
        if not isinstance(rows, bytes):
            rows = "".join(json.dumps(dict(row), default=str) + "\n" for row in rows).encode()
        query = {"table": table, "project": project, "experiment": experiment}
        parameters = {name: value for name, value in query.items() if value is not None}
        report: dict[str, Any] = self._send(
            "POST", "/api/import", params=parameters, content=rows
        ).json()
        return report

    def patch(
        self,
        patches: Mapping[str, Any] | Iterable[Mapping[str, Any]],
        *,
        project: str | None = None,
    ) -> int:
        """Changes scores, metadata, metrics, tags and expected of spans; returns the number of patches.

        Each has `trace_id`, `span_id`, perhaps `project`, and what changes; docs/guide/feedback.md has the
        rules. Patches beyond some thousands are sent in several requests.
        """
        given = [patches] if isinstance(patches, Mapping) else [dict(patch) for patch in patches]
        query = {} if project is None else {"project": project}
        for start in range(0, len(given), PATCHES_A_REQUEST):
            body = {"patches": given[start : start + PATCHES_A_REQUEST]}
            self._send("POST", "/api/patch", params=query, json=body)
        return len(given)

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
        optional = {
            "Content-Encoding": content_encoding,
            "x-tracestore-project": project,
            "x-tracestore-experiment": experiment,
        }
        headers = {"Content-Type": content_type}
        headers |= {name: value for name, value in optional.items() if value is not None}
        self._send("POST", f"/v1/{signal}", content=body, headers=headers)

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

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self._reached():
            return self._checked(self._http.request(method, path, **options))

    def _streamed(self, path: str, **options: Any) -> Generator[bytes]:
        with self._opened("POST", path, **options) as response:
            yield from response.iter_bytes()

    def _lines(self, path: str, **options: Any) -> Generator[str]:
        with self._opened("GET", path, timeout=None, **options) as response:
            yield from response.iter_lines()

    @contextlib.contextmanager
    def _opened(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
        with self._reached(), self._http.stream(method, path, **options) as response:
            if response.is_error:
                response.read()
            yield self._checked(response)

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Turns what the network says into one sentence with the URL and a remedy."""
        try:
            yield
        except httpx.TimeoutException as error:
            raise ServerUnreachableError(
                None, {}, f"cannot wait for {self.url}: no answer in time; give more by timeout_s="
            ) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ServerUnreachableError(
                None,
                {},
                f"cannot reach {self.url}: {error}; start a server there (`tracestore serve`), or name "
                "another URL",
            ) from error

    @staticmethod
    def _checked(response: httpx.Response) -> httpx.Response:
        if response.is_error:
            try:
                problem = response.json()
            except ValueError:
                problem = {}
            raise ClientError(
                response.status_code, problem if isinstance(problem, dict) else {}, response.text
            )
        return response
